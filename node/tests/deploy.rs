//! What `deploy/` holds is what the node prints and reads: the texts are two, the facts are one.

use std::path::Path;

use discovery_k8s::{KubeFinderConfig, role_manifest};

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
