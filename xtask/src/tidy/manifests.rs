//! What the manifests must agree on: one toolchain, one lint table, one clippy.toml.

use super::remark::Remark;
use super::tree::SourceFile;
use crate::workspace::Workspace;

pub(super) fn check(workspace: &Workspace, files: &[SourceFile]) -> Vec<Remark> {
    let text_of = |path: &str| files.iter().find(|file| file.path == path);
    let mut remarks = Vec::new();
    for package in &workspace.packages {
        let place = workspace.relative(&package.manifest_path).to_string_lossy();
        if let Some(manifest) = text_of(&place) {
            remarks.extend(lints(manifest));
        }
        if let Some(toolchain) = text_of("rust-toolchain.toml") {
            remarks.extend(version(&place, package.rust_version.as_deref(), toolchain));
        }
    }
    remarks.extend(files.iter().filter_map(limits));
    remarks
}

fn lints(manifest: &SourceFile) -> Option<Remark> {
    let inherited = manifest.text.contains("[lints]\nworkspace = true");
    (!inherited).then(|| {
        let what = "does not take the workspace's lints; add [lints] workspace = true";
        Remark::fault(&manifest.path, what)
    })
}

fn version(place: &str, rust_version: Option<&str>, toolchain: &SourceFile) -> Option<Remark> {
    let Some(version) = rust_version else {
        let what = "has no rust-version; add rust-version.workspace = true";
        return Some(Remark::fault(place, what));
    };
    let channel = format!("channel = \"{version}.0\"");
    (!toolchain.text.contains(&channel)).then(|| {
        let what = format!(
            "promises Rust {version}, which {} does not test",
            toolchain.path
        );
        Remark::fault(place, what)
    })
}

fn limits(file: &SourceFile) -> Option<Remark> {
    let inner =
        ["clippy.toml", ".clippy.toml"].contains(&file.name()) && file.path != "clippy.toml";
    inner.then(|| {
        let what = "replaces the root's clippy.toml and with it every limit; move its lines there";
        Remark::fault(&file.path, what)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOLCHAIN: &str = "[toolchain]\nchannel = \"1.95.0\"\n";

    #[test]
    fn a_crate_without_the_lint_table_is_a_fault() {
        assert!(lints(&SourceFile::of("a/Cargo.toml", "[package]\n")).is_some());
        let inherits = "[package]\n\n[lints]\nworkspace = true\n";
        assert!(lints(&SourceFile::of("a/Cargo.toml", inherits)).is_none());
    }

    #[test]
    fn a_version_that_the_toolchain_does_not_test_is_a_fault() {
        let toolchain = SourceFile::of("rust-toolchain.toml", TOOLCHAIN);
        assert!(version("a/Cargo.toml", Some("1.95"), &toolchain).is_none());
        assert!(version("a/Cargo.toml", Some("1.90"), &toolchain).is_some());
        assert!(version("a/Cargo.toml", None, &toolchain).is_some());
    }

    #[test]
    fn a_second_clippy_toml_is_a_fault() {
        assert!(limits(&SourceFile::of("clippy.toml", "")).is_none());
        assert!(limits(&SourceFile::of("node/clippy.toml", "")).is_some());
        assert!(limits(&SourceFile::of("node/.clippy.toml", "")).is_some());
    }
}
