//! What cargo knows of this workspace: its root, its packages, their features and dependencies.
//! Judging them is left to `tidy`.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;

use crate::cargo::CargoCall;

/// The workspace as `cargo metadata` tells it.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
    #[serde(default, rename = "target_directory")]
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
}

/// One package of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Registries it may be published to; `None` is any, an empty list is none.
    publish: Option<Vec<String>>,
    pub(crate) manifest_path: PathBuf,
    pub(crate) rust_version: Option<String>,
    pub(crate) features: std::collections::BTreeMap<String, Vec<String>>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a package's dependency tables.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `dev`, `build`, or nothing for a normal one.
    pub(crate) kind: Option<String>,
    /// Where it lies, if it is not from a registry.
    pub(crate) path: Option<PathBuf>,
}

impl Workspace {
    /// Asks cargo about the workspace around the current folder, or around this tool's own source.
    pub(crate) fn load() -> anyhow::Result<Self> {
        let here = match env::var_os("CARGO_MANIFEST_DIR") {
            Some(folder) => PathBuf::from(folder),
            None => env::current_dir().context("the current folder cannot be read")?,
        };
        let json = CargoCall::new("metadata --format-version 1 --no-deps").capture(&here)?;
        Self::from_json(&json)
    }

    pub(crate) fn from_json(json: &str) -> anyhow::Result<Self> {
        serde_json::from_str(json).context("the answer of cargo metadata cannot be read")
    }

    /// Packages meant for other programs: those that may be published.
    pub(crate) fn libraries(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| package.publish.as_ref().is_none_or(|to| !to.is_empty()))
    }

    /// A path as seen from the root, for people.
    pub(crate) fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_may_not_be_published_is_no_library() {
        let workspace = Workspace::from_json(
            r#"{"workspace_root": "/ws", "packages": [
                {"name": "a", "publish": null, "manifest_path": "/ws/a/Cargo.toml",
                 "rust_version": "1.95", "features": {}, "dependencies": []},
                {"name": "b", "publish": [], "manifest_path": "/ws/b/Cargo.toml",
                 "rust_version": "1.95", "features": {}, "dependencies": []}]}"#,
        )
        .unwrap();
        let names: Vec<_> = workspace.libraries().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["a"]);
        assert_eq!(
            workspace.relative(&workspace.packages[0].manifest_path),
            Path::new("a/Cargo.toml")
        );
    }
}
