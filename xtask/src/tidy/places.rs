//! What may stand at the top level.

use std::collections::BTreeSet;

use super::remark::Remark;
use super::tree::SourceFile;

const FOLDERS: [&str; 11] = [
    ".cargo",
    ".ci",
    "deploy",
    "discovery-core",
    "discovery-k8s",
    "discovery-proto",
    "discovery-tcp",
    "docs",
    "fuzz",
    "node",
    "xtask",
];

const FILES: [&str; 15] = [
    ".gitattributes",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "SECURITY.md",
    "clippy.toml",
    "deny.toml",
    "rust-toolchain.toml",
    "rustfmt.toml",
];

pub(super) fn check(files: &[SourceFile]) -> Vec<Remark> {
    let entries: BTreeSet<(&str, &[&str])> = files
        .iter()
        .map(|file| match file.path.split_once('/') {
            Some((folder, _)) => (folder, FOLDERS.as_slice()),
            None => (file.path.as_str(), FILES.as_slice()),
        })
        .collect();
    entries
        .into_iter()
        .filter(|(entry, allowed)| !allowed.contains(entry))
        .map(|(entry, _)| Remark::fault(entry, "has no place at the top level"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remarks(path: &str) -> usize {
        check(&[SourceFile::of(path, ""), SourceFile::of(path, "")]).len()
    }

    #[test]
    fn a_folder_or_file_that_nobody_expects_is_a_fault_once() {
        assert_eq!(remarks("crates/a/src/lib.rs"), 1);
        assert_eq!(remarks("notes.txt"), 1);
    }

    #[test]
    fn crates_and_their_companions_are_expected() {
        assert_eq!(remarks("discovery-core/src/lib.rs"), 0);
        assert_eq!(remarks("README.md"), 0);
    }

    #[test]
    fn a_file_named_like_a_folder_is_not_expected() {
        assert_eq!(remarks("docs"), 1);
    }
}
