//! What `deploy/` holds is what the node prints and reads: the texts are two, the facts are one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use discovery_k8s::{KubeFinderConfig, role_manifest};
use discovery_node::config::{Surroundings, finder_plan, node_plan};
use discovery_node::view::ANSWER_LIMIT;
use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

fn deployed(file: &str) -> String {
    std::fs::read_to_string(folder().join(file)).expect("a manifest that can be read")
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

/// The objects of a file.
fn objects(file: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&deployed(file)).expect(file)
}

/// The only object of a kind.
fn object(kind: &str) -> Value {
    let files = objects("kustomization.yaml")[0]["resources"].clone();
    let files = files.as_array().expect("resources").iter();
    let all = files.flat_map(|file| objects(file.as_str().expect("a name")));
    let mut found = all.filter(|object| object["kind"] == json!(kind));
    found.next().expect(kind)
}

#[test]
fn whatever_lies_in_the_folder_is_deployed() {
    let files = std::fs::read_dir(folder()).expect("deploy/");
    let mut files: Vec<String> = files
        .map(|file| {
            file.expect("a file")
                .file_name()
                .into_string()
                .expect("a text")
        })
        .filter(|name| name != "kustomization.yaml")
        .collect();
    files.sort();
    let resources = objects("kustomization.yaml")[0]["resources"].clone();
    let mut listed: Vec<String> = serde_json::from_value(resources).expect("names");
    listed.sort();
    assert_eq!(listed, files);
}

#[test]
fn the_kubelet_waits_for_what_a_stuck_node_says_of_itself() {
    let pods = object("StatefulSet");
    let container = &pods["spec"]["template"]["spec"]["containers"][0];
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let limit = container[probe]["timeoutSeconds"].as_u64().unwrap_or(1);
        assert!(limit > ANSWER_LIMIT.as_secs(), "{probe} waits {limit} s");
    }
}

#[test]
fn only_the_rings_own_pods_reach_its_port_and_one_at_a_time_is_evicted() {
    let pods = object("StatefulSet")["spec"]["selector"].clone();
    let budget = object("PodDisruptionBudget")["spec"].clone();
    assert_eq!(budget, json!({ "maxUnavailable": 1, "selector": pods }));
    let policy = object("NetworkPolicy")["spec"].clone();
    assert_eq!(policy["podSelector"], pods);
    let rules = policy["ingress"].as_array().expect("rules");
    let of_ring = |rule: &&Value| rule["ports"].to_string().contains("ring");
    let of_ring: Vec<_> = rules.iter().filter(of_ring).collect();
    let own = json!({ "from": [{ "podSelector": pods }], "ports": [{ "port": "ring" }] });
    assert_eq!(of_ring, [&own]);
    let ports = rules
        .iter()
        .map(|rule| rule["ports"].as_array().expect("ports"));
    let admitted: Vec<_> = ports.flatten().map(|port| port["port"].clone()).collect();
    assert_eq!(admitted, ["ring", "grpc", "http"]);
}
