//! What the settings about running a node come to, and what is said where something is missing.

use std::collections::BTreeMap;

use discovery_tcp::{Formation, Recovery};

use super::super::{NodePlan, SETTINGS, Setting, node_plan};
use super::*;

const IN_A_POD: &[(&str, &str)] = &[
    ("KUBERNETES_SERVICE_HOST", "10.96.0.1"),
    ("POD_NAME", "ring-0"),
    ("POD_NAMESPACE", "prod"),
    ("POD_UID", "u-0"),
    ("POD_IPS", "10.88.0.7,fd00::7"),
    ("NODE_NAME", "worker-3"),
    ("DISCOVERY_SERVICE", "ring"),
];

fn surroundings(env: &[(&str, &str)]) -> Surroundings {
    let env = env.iter().map(|(name, value)| (*name, *value));
    Surroundings {
        env: env
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        mounted_namespace: None,
    }
}

fn read(env: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Result<NodePlan, String> {
    let flags = flags
        .iter()
        .map(|(key, value)| (*key, vec![(*value).to_owned()]));
    let flags: BTreeMap<_, _> = flags.collect();
    node_plan(None, &surroundings(env), &flags).map_err(|faults| faults.to_string())
}

#[test]
fn a_pod_needs_nothing_but_the_services_name() {
    let node = read(IN_A_POD, &[]).unwrap().node;
    assert_eq!(node.name.as_str(), "ring-0");
    assert_eq!(&*node.ring.cluster_name, "prod/ring");
    assert_eq!(node.ring.formation, Formation::Census);
    assert_eq!(node.ring.recovery, Recovery::Census);
    assert_eq!(node.host_node.unwrap().as_str(), "worker-3");
    let advertise: Vec<String> = node.advertise.iter().map(ToString::to_string).collect();
    assert_eq!(advertise, ["10.88.0.7:0", "[fd00::7]:0"]);
    assert_eq!(node.ring_listen.to_string(), "[::]:47500");
    assert_eq!(node.grpc_listen.unwrap().to_string(), "[::]:47510");
}

#[test]
fn what_a_pod_lacks_is_told_as_lines_of_its_manifest() {
    let lacking = &IN_A_POD[..1];
    let told = read(lacking, &[("finder.kubernetes.service", "ring")]).unwrap_err();
    for line in [
        "- {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}",
        "- {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}",
        "- {name: POD_UID, valueFrom: {fieldRef: {fieldPath: metadata.uid}}}",
        "- {name: POD_IPS, valueFrom: {fieldRef: {fieldPath: status.podIPs}}}",
    ] {
        assert!(told.contains(line), "{told}");
    }
}

#[test]
fn what_a_pod_can_run_without_is_told_as_lines_too() {
    let without = |names: &[&str]| {
        let mut env: Vec<_> = IN_A_POD.to_vec();
        env.retain(|(name, _)| !names.contains(name));
        env.push(("HOSTNAME", "ring-0"));
        read(&env, &[]).unwrap()
    };
    let plan = without(&["POD_NAME", "NODE_NAME"]);
    assert_eq!(plan.node.name.as_str(), "ring-0");
    let expected = [
        "- {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}",
        "- {name: NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}",
    ];
    assert_eq!(plan.lines_to_add, expected);
    assert!(without(&[]).lines_to_add.is_empty());
}

#[test]
fn what_the_platform_tells_is_said_to_come_from_it_and_is_beaten_by_all() {
    let plan = read(IN_A_POD, &[("node.host_node", "given")]).unwrap();
    let given = |key: &str| {
        let given = plan.given.iter().find(|(of, _, _)| *of == key);
        let (_, values, from) = given.expect(key);
        format!("{} {from}", values.join(","))
    };
    assert_eq!(given(NAME), "ring-0 POD_NAME");
    assert_eq!(given(POD_UID), "u-0 POD_UID");
    assert_eq!(given(ADVERTISE), "10.88.0.7,fd00::7 POD_IPS");
    assert_eq!(given(HOST_NODE), "given --host-node");
    let derived = |key: &str| {
        plan.derived(key)
            .map(|(value, from)| format!("{value} {from}"))
    };
    let namespace = derived("finder.kubernetes.namespace");
    assert_eq!(namespace.as_deref(), Some("prod POD_NAMESPACE"));
    let formation = derived("ring.formation").unwrap();
    assert!(formation.starts_with("census default"), "{formation}");
    assert!(derived("ring.merge").is_none());
}

#[test]
fn a_static_list_needs_another_way_to_form_than_a_census() {
    let flags = [
        ("finder.static.seeds", "10.0.0.1:47500"),
        (NAME, "a"),
        (ADVERTISE, "10.0.0.1"),
    ];
    let told = read(&[], &flags).unwrap_err();
    assert!(told.contains("--formation majority"), "{told}");
}

#[test]
fn a_node_that_founds_alone_needs_no_finder() {
    let flags = [
        ("ring.formation", "single"),
        (NAME, "a"),
        (ADVERTISE, "127.0.0.1"),
    ];
    let plan = read(&[], &flags).unwrap();
    assert!(plan.finder.is_none());
    assert_eq!(plan.node.ring.formation, Formation::Single);
    assert_eq!(&*plan.node.ring.cluster_name, "default");
}

#[test]
fn faults_of_the_finder_and_of_the_node_are_told_together() {
    let flags = [
        ("finder.kubernetes.watch_timeout", "soon"),
        ("ring.silence_limit", "1ms"),
        ("grpc.listen", "everywhere"),
        ("node.name", ""),
        ("run.log_format", "verse"),
    ];
    let told = read(IN_A_POD, &flags).unwrap_err();
    for key in [
        "node.name",
        "run.log_format",
        "finder.kubernetes.watch_timeout",
        "ring.silence_limit",
        "grpc.listen",
    ] {
        assert!(told.contains(key), "{told}");
    }
}

#[test]
fn the_digest_of_shared_settings_is_that_of_the_text() {
    let digest = |text: &str| {
        let mut flags = vec![
            ("ring.formation", "single"),
            (NAME, "a"),
            (ADVERTISE, "127.0.0.1"),
        ];
        flags.extend((!text.is_empty()).then_some(("ring.shared_settings", text)));
        read(&[], &flags).unwrap().node.ring.settings
    };
    assert_eq!(digest("partitions=1024"), digest("partitions=1024"));
    assert_ne!(digest("partitions=1024"), digest("partitions=1025"));
    assert_eq!(digest(""), 0);
}

#[test]
fn how_much_a_node_may_hold_can_be_set() {
    let flags = [
        ("ring.links_max", "2"),
        ("ring.members_max", "10"),
        ("ring.frame_bytes_max", "2097152"),
        ("ring.history_max", "3"),
        ("ring.history_bytes_max", "3145728"),
        ("grpc.connections_max", "5"),
        ("grpc.history_max", "6"),
        ("grpc.history_bytes_max", "7"),
        ("http.connections_max", "8"),
        ("http.pages_max", "9"),
    ];
    let node = read(IN_A_POD, &flags).unwrap().node;
    let (ring, services) = (node.ring, node.services);
    let found = [
        ring.links_max,
        ring.members_max,
        ring.frame_bytes_max,
        ring.history_max,
        ring.history_bytes_max,
        services.grpc_connections_max,
        services.history_max,
        services.history_bytes_max,
        services.http_connections_max,
        services.pages_max,
    ];
    assert_eq!(found, [2, 10, 2_097_152, 3, 3_145_728, 5, 6, 7, 8, 9]);
    let told = read(IN_A_POD, &[("http.pages_max", "0")]).unwrap_err();
    assert!(told.contains("at least 1"), "{told}");
}

#[test]
fn the_defaults_that_are_told_are_those_that_hold() {
    let set: Vec<(&'static str, &str)> = SETTINGS
        .iter()
        .filter(|setting| setting.key.ends_with("_max"))
        .map(|setting| (setting.key, setting.default))
        .collect();
    let (told, held) = (read(IN_A_POD, &set).unwrap(), read(IN_A_POD, &[]).unwrap());
    assert_eq!(told.node.ring, held.node.ring);
    assert_eq!(told.node.services, held.node.services);
    assert_eq!(told.node.streams_max, held.node.streams_max);
}

#[test]
fn a_limit_of_messages_that_the_protocol_cannot_keep_is_told_with_the_most_it_can() {
    let payload = |bytes| read(IN_A_POD, &[("ring.payload_bytes_max", bytes)]);
    let told = payload("1000000").unwrap_err();
    let expected = "ring.payload_bytes_max = '1000000' (--payload-bytes): give at most 524288";
    assert!(told.contains(expected), "{told}");
    assert_eq!(
        payload("524288").unwrap().node.ring.payload_bytes_max,
        524_288
    );
}

#[test]
fn every_choice_that_is_told_is_one_and_no_other_is() {
    let is_refused = |key: &'static str, value: &str| {
        let told = read(IN_A_POD, &[(key, value)]).err().unwrap_or_default();
        told.contains(&format!("{key} = '{value}'"))
    };
    for setting in SETTINGS.iter().filter(|one| !one.choices.is_empty()) {
        for choice in setting.choices {
            assert!(!is_refused(setting.key, choice), "{} {choice}", setting.key);
        }
        assert!(is_refused(setting.key, "wrong"), "{}", setting.key);
    }
    let is_number = |one: &&Setting| ["COUNT", "BYTES"].contains(&one.value_name);
    for setting in SETTINGS.iter().filter(is_number) {
        let (least, most) = setting.range;
        for (value, is_in) in [(least, true), (least - 1, false)] {
            let value = value.to_string();
            assert_eq!(is_refused(setting.key, &value), !is_in, "{}", setting.key);
        }
        if let Some(more) = most.checked_add(1) {
            assert!(
                is_refused(setting.key, &more.to_string()),
                "{}",
                setting.key
            );
        }
    }
}

#[test]
fn what_depends_on_other_settings_is_derived_as_a_value() {
    let plan = read(IN_A_POD, &[]).unwrap();
    for (key, value) in [
        ("finder.kinds", "kubernetes"),
        ("ring.listen", "[::]:47500"),
        ("grpc.listen", "[::]:47510"),
        ("http.listen", "[::]:47520"),
        ("admin.listen", "/run/discovery/admin.sock"),
    ] {
        assert_eq!(plan.derived(key).unwrap().0, value, "{key}");
    }
}

#[test]
fn a_census_recovers_only_what_a_census_formed() {
    let single = ("ring.formation", "single");
    let node = read(IN_A_POD, &[single]).unwrap().node;
    assert_eq!(node.ring.recovery, Recovery::Manual);

    let told = read(IN_A_POD, &[single, ("ring.recovery", "census")]).unwrap_err();
    assert!(
        told.contains("ring.recovery") && told.contains("give manual"),
        "{told}"
    );
}
