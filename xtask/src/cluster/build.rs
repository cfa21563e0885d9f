//! One `go build`, with a line that says what it compiles.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, killpg};

use super::constants::{BUILD_TIME_MAX, LOG_TAIL_LINES};
use super::deadline::Deadline;
use super::interrupt;
use super::progress::Progress;
use super::toolchain::Module;

/// Builds one module of `source` into the folder `into`.
pub(crate) fn build_module(source: &Path, module: &Module, into: &Path) -> anyhow::Result<()> {
    let mut progress = Progress::start(format!("building {}", module.title));
    let (mut child, group, _guard) = interrupt::start_group(&mut go_build(source, module, into))
        .context("`go build` cannot be started")?;
    let lines = lines_of(child.stderr.take());
    let deadline = Deadline::after(BUILD_TIME_MAX);
    let mut said = Vec::new();
    let mut compiled = 0_u32;
    let status = loop {
        while let Ok(line) = lines.try_recv() {
            compiled += u32::from(is_package(&line));
            said.push(line);
            said.drain(..said.len().saturating_sub(LOG_TAIL_LINES));
        }
        if let Some(status) = child.try_wait()? {
            break status;
        }
        let at = said
            .last()
            .map_or("downloading and comparing modules", String::as_str);
        progress.show(&format!("{compiled} packages, {at}"));
        if !deadline.pause() {
            let _ = killpg(group, Signal::SIGKILL);
            child.wait()?;
            bail!("{} was not built within {BUILD_TIME_MAX:?}", module.title);
        }
    };
    said.extend(lines.iter());
    if !status.success() {
        bail!(
            "{} cannot be built ({status}):\n{}",
            module.title,
            said.join("\n")
        );
    }
    progress.done(&format!("{compiled} packages compiled"));
    Ok(())
}

fn go_build(source: &Path, module: &Module, into: &Path) -> Command {
    let mut command = Command::new("go");
    command
        .current_dir(source)
        .args([
            "build",
            "-v",
            "-trimpath",
            "-buildvcs=false",
            "-mod=readonly",
        ])
        .args(["-tags", module.tags])
        .args(["-ldflags", &module.link_flags])
        .arg("-o")
        // With a slash at its end it is a folder: each program gets the name of its package.
        .arg(into.join(""))
        .arg(module.packages)
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "")
        .env("GOWORK", "off")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// `go build -v` names each package as it compiles it, and says everything else in sentences.
fn is_package(line: &str) -> bool {
    !line.is_empty() && !line.contains(' ')
}

/// At most this many lines wait to be shown; the build waits then, which it hardly notices.
const LINES_MAX: usize = 256;

fn lines_of(pipe: Option<impl std::io::Read + Send + 'static>) -> Receiver<String> {
    let (sender, receiver) = sync_channel(LINES_MAX);
    thread::spawn(move || {
        for line in pipe
            .into_iter()
            .flat_map(|pipe| BufReader::new(pipe).lines())
        {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_packages_are_counted() {
        assert!(is_package("k8s.io/api/core/v1"));
        assert!(!is_package("go: downloading k8s.io/api v0.36.3"));
        assert!(!is_package("# k8s.io/api"));
        assert!(!is_package(""));
    }
}
