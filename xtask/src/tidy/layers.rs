//! Which of our crates may depend on which: the arrows of ARCHITECTURE.md.

use super::remark::Remark;
use crate::workspace::{Package, Workspace};

/// Each crate with those of ours it may use, in any kind of dependency.
const ARROWS: [(&str, &[&str]); 6] = [
    ("discovery-core", &[]),
    ("discovery-proto", &["discovery-core"]),
    ("discovery-tcp", &["discovery-core", "discovery-proto"]),
    ("discovery-k8s", &["discovery-core"]),
    (
        "discovery-node",
        &[
            "discovery-core",
            "discovery-proto",
            "discovery-tcp",
            "discovery-k8s",
        ],
    ),
    ("xtask", &[]),
];

pub(super) fn check(workspace: &Workspace) -> Vec<Remark> {
    workspace
        .packages
        .iter()
        .flat_map(|package| of_package(workspace, package))
        .collect()
}

fn of_package(workspace: &Workspace, package: &Package) -> Vec<Remark> {
    let place = workspace.relative(&package.manifest_path).display();
    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == package.name) else {
        let what = format!("package '{}' has no place in the layers yet", package.name);
        return vec![Remark::fault(place, what)];
    };
    package
        .dependencies
        .iter()
        // A crate may name itself as a dev-dependency, to have its own features in its tests.
        .filter(|dependency| dependency.path.is_some() && dependency.name != package.name)
        .filter(|dependency| !allowed.contains(&dependency.name.as_str()))
        .map(|dependency| {
            let kind = dependency.kind.as_deref().unwrap_or("normal");
            let (package, other) = (&package.name, &dependency.name);
            Remark::fault(
                &place,
                format!("{package} may not depend on {other} ({kind} dependency)"),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A workspace of one package with one dependency of ours.
    fn using(package: &str, other: &str, kind: &str) -> Workspace {
        Workspace::from_json(&format!(
            r#"{{"workspace_root": "/ws", "packages": [{{
                "name": "{package}", "publish": null, "manifest_path": "/ws/{package}/Cargo.toml",
                "rust_version": "1.95", "features": {{}}, "dependencies": [
                    {{"name": "{other}", "kind": {kind}, "path": "/ws/{other}"}},
                    {{"name": "serde", "kind": null, "path": null}}]}}]}}"#
        ))
        .unwrap()
    }

    #[test]
    fn an_arrow_along_the_layers_is_fine() {
        assert_eq!(check(&using("discovery-k8s", "discovery-core", "null")), []);
    }

    #[test]
    fn an_arrow_across_the_layers_is_a_fault_even_in_tests() {
        for kind in ["null", r#""dev""#, r#""build""#] {
            let remarks = check(&using("discovery-k8s", "discovery-tcp", kind));
            assert_eq!(remarks.len(), 1, "{kind}");
            assert_eq!(remarks[0].place, "discovery-k8s/Cargo.toml");
        }
    }

    #[test]
    fn the_tools_use_none_of_ours() {
        assert_eq!(check(&using("xtask", "discovery-core", "null")).len(), 1);
    }

    #[test]
    fn a_crate_may_test_itself_with_other_features() {
        assert_eq!(
            check(&using("discovery-tcp", "discovery-tcp", r#""dev""#)),
            []
        );
    }

    #[test]
    fn a_crate_that_nobody_placed_is_a_fault() {
        let remarks = check(&using("discovery-new", "discovery-core", "null"));
        assert!(remarks[0].what.contains("no place in the layers"));
    }
}
