//! What must be absent from a crate's normal dependency tree, in a given set of features.

use super::remark::Remark;
use crate::cargo::CargoCall;
use crate::workspace::Workspace;

/// Crates that bring a runtime, a socket, a file watch or a clock thread. The prefix counts:
/// `tokio` stands for `tokio-util` too.
const IMPURE: [&str; 27] = [
    "async-io",
    "async-std",
    "aws-lc",
    "axum",
    "curl",
    "futures-executor",
    "futures-timer",
    "getrandom",
    "h2",
    "hickory",
    "hyper",
    "inotify",
    "k8s-openapi",
    "kube",
    "mio",
    "native-tls",
    "notify",
    "openssl",
    "polling",
    "quinn",
    "rand",
    "reqwest",
    "ring",
    "rustls",
    "smol",
    "socket2",
    "tokio",
];

/// A crate with the features that must leave it pure.
const PURE: [(&str, &str); 2] = [
    ("discovery-core", ""),
    ("discovery-tcp", "--no-default-features"),
];

pub(super) fn check(workspace: &Workspace) -> anyhow::Result<Vec<Remark>> {
    let mut remarks = Vec::new();
    for (package, features) in PURE {
        let tree = tree_of(workspace, package, features)?;
        remarks.extend(impurities(package, features, &tree));
    }
    let tree = tree_of(workspace, "discovery-k8s", "--all-features")?;
    remarks.extend(chosen_kubernetes("discovery-k8s", &tree));
    Ok(remarks)
}

/// One crate a line: name, version, where from, features.
fn tree_of(workspace: &Workspace, package: &str, features: &str) -> anyhow::Result<String> {
    let call = format!(
        "tree --package {package} {features} --edges normal,no-proc-macro --target all \
         --prefix none --no-dedupe --format {{p}}|{{f}}"
    );
    CargoCall::new(&call).capture(&workspace.root)
}

/// The crates of a tree, each once, with their features.
fn crates(tree: &str) -> std::collections::BTreeSet<(&str, &str)> {
    tree.lines()
        .filter_map(|line| line.split_once('|'))
        .filter_map(|(package, features)| Some((package.split(' ').next()?, features)))
        .collect()
}

/// Generators that only count up from a seed they are given; the prefix `rand` would catch them.
const SEEDED: [&str; 2] = ["rand_chacha", "rand_core"];

fn impurities(package: &str, features: &str, tree: &str) -> Vec<Remark> {
    let is_impure = |name: &str| {
        IMPURE.iter().any(|impure| {
            name.strip_prefix(impure)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
        })
    };
    crates(tree)
        .into_iter()
        .filter(|(name, _)| is_impure(name) && !SEEDED.contains(name))
        .map(|(name, _)| {
            let flags = if features.is_empty() {
                "default features"
            } else {
                features
            };
            let what = format!(
                "pulls in {name}; `cargo tree -p {package} {features} -i {name}` tells how"
            );
            Remark::fault(format!("{package} ({flags})"), what)
        })
        .collect()
}

fn chosen_kubernetes(package: &str, tree: &str) -> Vec<Remark> {
    let chooses =
        |feature: &str| feature.starts_with("v1_") || ["latest", "earliest"].contains(&feature);
    crates(tree)
        .into_iter()
        .filter(|(name, features)| *name == "k8s-openapi" && features.split(',').any(chooses))
        .map(|(_, features)| {
            let what = format!(
                "enables k8s-openapi with '{features}'; the version is the user's choice, so no \
                 v1_* feature may be on"
            );
            Remark::fault(package, what)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_anywhere_in_the_tree_is_a_fault_once() {
        let tree = "discovery-core v0.1.0 (/ws/discovery-core)|default\n\
                    tokio-util v0.7.0|\ntokio v1.54.1|net,rt\ntokio v1.54.1|net,rt\n";
        let remarks = impurities("discovery-core", "", tree);
        assert_eq!(remarks.len(), 2);
        assert!(remarks[0].what.contains("pulls in tokio;"));
    }

    #[test]
    fn a_name_that_only_begins_alike_is_no_runtime() {
        let tree = "mionetta v1.0.0|\nringbuffer v1.0.0|\nthiserror v2.0.21|default,std\n";
        assert_eq!(impurities("discovery-core", "", tree), []);
    }

    #[test]
    fn a_kubernetes_version_chosen_for_the_user_is_a_fault() {
        for chosen in ["v1_33", "default,v1_34", "latest"] {
            let tree = format!("kube v5.0.0|\nk8s-openapi v0.29.0|{chosen}\n");
            assert_eq!(
                chosen_kubernetes("discovery-k8s", &tree).len(),
                1,
                "{chosen}"
            );
        }
    }

    #[test]
    fn a_kubernetes_version_left_open_is_fine() {
        let tree = "k8s-openapi v0.29.0|default,std\n";
        assert_eq!(chosen_kubernetes("discovery-k8s", tree), []);
    }
}
