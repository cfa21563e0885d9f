//! `cargo xtask image`: the node as an OCI archive, without Docker; the bytes are `archive`'s
//! business.

pub(crate) mod archive;
mod libraries;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;

use self::archive::{Image, ImageFile, sha256};
use crate::cluster::progress::{note, say};

/// The name under which pods find the image.
pub(crate) const NODE_IMAGE: &str = "localhost/discovery-node:dev";
const PACKAGE: &str = "discovery-node";
const PROGRAM_FOLDER: &str = "/usr/bin";

/// Pack the node as an OCI archive: its release build, the shared libraries it needs, and nothing
/// else.
///
/// The same program gives the same archive, byte for byte. Load it with `cargo xtask cluster load`,
/// `kind load image-archive`, `docker load`, or `ctr images import`.
#[derive(Debug, Args)]
pub(crate) struct ImageArgs {
    /// Where to write the archive [default: discovery-node.tar beside the built program]
    #[arg(long)]
    output: Option<PathBuf>,
}

/// Builds, packs and says what was written.
pub(crate) fn run(arguments: &ImageArgs) -> anyhow::Result<ExitCode> {
    let built = build(arguments.output.as_deref())?;
    say(&format!("{}  {}\n", built.sha256, built.archive.display()));
    Ok(ExitCode::SUCCESS)
}

/// An archive that was written.
#[derive(Debug)]
pub(crate) struct Built {
    /// The program inside it, as it lies on this machine.
    pub(crate) program: PathBuf,
    pub(crate) archive: PathBuf,
    pub(crate) sha256: String,
}

/// Builds the node and writes its archive.
pub(crate) fn build(output: Option<&Path>) -> anyhow::Result<Built> {
    let program = build_node()?;
    let bytes = node_image(&program)?.to_archive()?;
    let archive = match output {
        Some(output) => output.to_owned(),
        None => program.with_extension("tar"),
    };
    fs::write(&archive, &bytes)
        .with_context(|| format!("{} cannot be written", archive.display()))?;
    note(&format!("{NODE_IMAGE}: {} bytes", bytes.len()));
    Ok(Built {
        sha256: sha256(&bytes),
        program,
        archive,
    })
}

fn node_image(program: &Path) -> anyhow::Result<Image> {
    let inside = Path::new(PROGRAM_FOLDER).join(PACKAGE);
    let mut files = vec![ImageFile::program(&inside, read(program)?)];
    for library in libraries::needed_by(program)? {
        // Under the name the loader asks for; behind it may be a symbolic link.
        files.push(ImageFile::program(&library, read(&library)?));
    }
    Ok(Image {
        name: NODE_IMAGE.to_owned(),
        entrypoint: vec![inside.display().to_string()],
        files,
    })
}

/// Builds the node as it is released; gives back where cargo has put it.
fn build_node() -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // No limit of time: how long it takes is the machine's affair, and Ctrl-C reaches it as well.
    let built = Command::new(cargo)
        .args(["build", "--release", "--locked", "--package", PACKAGE])
        .arg("--message-format=json-render-diagnostics")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cargo cannot be started")?;
    if !built.status.success() {
        bail!("{PACKAGE} cannot be built ({})", built.status);
    }
    executable(&String::from_utf8_lossy(&built.stdout))
        .with_context(|| format!("cargo has built no program called {PACKAGE}"))
}

/// The path of the program among the messages of cargo, one JSON object a line.
fn executable(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == PACKAGE)
        .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_among_libraries_and_noise() {
        let messages = r#"not json
{"target":{"name":"discovery_core"},"executable":null}
{"target":{"name":"discovery-node"},"executable":null}
{"target":{"name":"discovery-node"},"executable":"/t/discovery-node"}"#;

        assert_eq!(
            executable(messages),
            Some(PathBuf::from("/t/discovery-node"))
        );
        assert_eq!(executable(""), None);
    }
}
