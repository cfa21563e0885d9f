//! What `deploy/` holds is what the node prints and reads: the texts are two, the facts are one.

use std::collections::BTreeMap;
use std::path::Path;

use discovery_k8s::{KubeFinderConfig, role_manifest};
use discovery_node::config::{Surroundings, finder_plan, node_plan};

fn deployed(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../deploy")
        .join(file);
    std::fs::read_to_string(&path).expect("a manifest that can be read")
}

#[test]
fn the_deployed_role_is_the_one_that_the_node_prints() {
    let printed = role_manifest(&KubeFinderConfig::new("default", "ring"), "ring");
    let rules = printed
        .split_once("rules:\n")
        .and_then(|(_, rest)| rest.split_once("---\n"))
        .map(|(rules, _)| rules)
        .expect("a Role with rules before the next object");
    assert!(rules.contains("endpointslices"));
    assert!(
        deployed("rbac.yaml").contains(rules),
        "deploy/rbac.yaml grants something else"
    );
}

#[test]
fn the_deployed_service_lists_pods_before_they_are_ready_under_the_default_port() {
    let service = deployed("service.yaml");
    for line in [
        "clusterIP: None",
        "publishNotReadyAddresses: true",
        "- name: ring",
    ] {
        assert!(service.contains(line), "deploy/service.yaml lacks '{line}'");
    }
}

#[test]
fn the_deployed_environment_is_all_that_a_command_in_the_pod_needs() {
    let pods = deployed("statefulset.yaml");
    assert!(
        pods.contains("args: [\"run\"]"),
        "a flag would be told to `run` alone"
    );
    assert!(pods.contains("- {name: DISCOVERY_SERVICE, value: ring}"));
    let mut env: BTreeMap<String, String> = pods
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- {name: "))
        .filter_map(|line| line.split_once(", value"))
        .map(|(name, _)| (name.to_owned(), "ring".to_owned()))
        .collect();
    env.insert("POD_IPS".to_owned(), "10.0.0.7".to_owned());
    env.insert("KUBERNETES_SERVICE_HOST".to_owned(), "10.96.0.1".to_owned());
    let pod = Surroundings {
        env,
        mounted_namespace: None,
    };
    let (node, finder) = (
        node_plan(None, &pod, &BTreeMap::new()),
        finder_plan(None, &pod, &BTreeMap::new()),
    );
    assert!(node.is_ok() && finder.is_ok(), "{node:?} {finder:?}");
}
