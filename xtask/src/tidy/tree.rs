//! The files of the checkout: those that git tracks or would track, with their text.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

/// A text file of the checkout.
#[derive(Clone, Debug)]
pub(crate) struct SourceFile {
    /// From the root, with `/` between its parts.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl SourceFile {
    /// Its lines with their numbers, counted from one.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(at, line)| (at + 1, line))
    }

    /// What follows the last dot of its name; empty if there is none.
    pub(super) fn extension(&self) -> &str {
        let name = self.name();
        name.rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    /// The last part of its path.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    #[cfg(test)]
    pub(super) fn of(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }
}

/// Paths of all files that are tracked or would be, and exist.
pub(crate) fn files(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root)
        .output()
        .context("cannot start git; it tells which files belong to the checkout")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("git ls-files failed ({}): {}", output.status, said.trim());
    }
    let names = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
    let mut paths: Vec<PathBuf> = names
        .split_terminator('\0')
        .map(PathBuf::from)
        .filter(|path| root.join(path).is_file())
        .collect();
    paths.sort();
    paths.dedup();
    Ok(paths)
}

/// All files that are text, read whole.
pub(super) fn read(root: &Path) -> anyhow::Result<Vec<SourceFile>> {
    let mut sources = Vec::new();
    for path in files(root)? {
        let bytes = fs::read(root.join(&path)).with_context(|| path.display().to_string())?;
        // What is not UTF-8 is an image or a fixture of bytes: no check reads those.
        if let Ok(text) = String::from_utf8(bytes) {
            let path = path.to_string_lossy().into_owned();
            sources.push(SourceFile { path, text });
        }
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_dot_has_no_extension() {
        assert_eq!(SourceFile::of(".ci/run", "").extension(), "");
        assert_eq!(SourceFile::of("a.b/c.rs", "").extension(), "rs");
    }

    #[test]
    fn lines_are_counted_from_one() {
        let file = SourceFile::of("a", "x\ny\n");
        assert_eq!(file.lines().collect::<Vec<_>>(), [(1, "x"), (2, "y")]);
    }
}
