//! Which shared libraries a program needs, as `ldd` tells.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::cluster::program;

const LDD_TIME_MAX: Duration = Duration::from_secs(30);

/// Paths of the libraries and of the loader; none for a program without any.
pub(crate) fn needed_by(binary: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let ended = program::run(Command::new("ldd").arg(binary), LDD_TIME_MAX)?;
    let said = format!("{}{}", ended.stdout, ended.stderr);
    if said.contains("not a dynamic executable") || said.contains("statically linked") {
        return Ok(Vec::new());
    }
    if !ended.status.success() {
        bail!("ldd cannot read {}: {}", binary.display(), said.trim());
    }
    parse(&ended.stdout).with_context(|| format!("libraries of {}", binary.display()))
}

/// Lines read `name => path (address)`, `loader (address)`, or, for what the kernel gives, `name
/// (address)`.
fn parse(said: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for line in said.lines().map(str::trim) {
        let place = line
            .split_once("=>")
            .map_or(line, |(_, place)| place)
            .trim();
        if place.starts_with("not found") {
            bail!("a library is missing on this machine: {line}");
        }
        let path = place.split(" (").next().unwrap_or(place);
        if path.starts_with('/') {
            paths.push(PathBuf::from(path));
        }
    }
    paths.sort();
    paths.dedup();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_loader_are_taken_and_the_kernels_own_is_not() {
        let said = "\tlinux-vdso.so.1 (0x00007ffd)\n\
                    \tlibgcc_s.so.1 => /lib/x86_64-linux-gnu/libgcc_s.so.1 (0x00007f1)\n\
                    \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f2)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f3)\n";

        let paths = parse(said).unwrap();

        let shown: Vec<_> = paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        assert_eq!(
            shown,
            [
                "/lib/x86_64-linux-gnu/libc.so.6",
                "/lib/x86_64-linux-gnu/libgcc_s.so.1",
                "/lib64/ld-linux-x86-64.so.2",
            ]
        );
    }

    #[test]
    fn a_library_that_is_missing_is_named() {
        let refused = parse("\tlibfoo.so.1 => not found\n");

        assert!(refused.unwrap_err().to_string().contains("libfoo.so.1"));
    }
}
