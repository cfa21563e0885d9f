//! Tables for slices: what is a seed, where it is dialled, and what is refused.

use discovery_core::{NodeName, SeedCondition};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::*;

fn endpoint(address: &str) -> Endpoint {
    Endpoint {
        addresses: vec![address.to_owned()],
        ..Endpoint::default()
    }
}

fn pod_endpoint(name: &str, uid: &str, address: &str) -> Endpoint {
    let target_ref = Some(ObjectReference {
        kind: Some("Pod".to_owned()),
        name: Some(name.to_owned()),
        uid: Some(uid.to_owned()),
        ..ObjectReference::default()
    });
    Endpoint {
        target_ref,
        ..endpoint(address)
    }
}

fn conditions(ready: Option<bool>, serving: Option<bool>, terminating: Option<bool>) -> Endpoint {
    let conditions = Some(EndpointConditions {
        ready,
        serving,
        terminating,
    });
    Endpoint {
        conditions,
        ..pod_endpoint("web-0", "u0", "10.0.0.1")
    }
}

fn port(name: &str, number: i32) -> EndpointPort {
    let name = Some(name.to_owned());
    EndpointPort {
        name,
        port: Some(number),
        ..EndpointPort::default()
    }
}

fn object(name: &str, version: u64, endpoints: Vec<Endpoint>) -> EndpointSlice {
    EndpointSlice {
        address_type: "IPv4".to_owned(),
        endpoints,
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            resource_version: Some(version.to_string()),
            ..ObjectMeta::default()
        },
        ports: Some(vec![port("ring", 47500)]),
    }
}

fn v6(mut object: EndpointSlice) -> EndpointSlice {
    "IPv6".clone_into(&mut object.address_type);
    object
}

fn store(objects: impl IntoIterator<Item = EndpointSlice>) -> SliceStore {
    SliceStore::new(
        objects
            .into_iter()
            .map(|object| Slice::read(&object).unwrap()),
    )
}

fn config() -> KubeFinderConfig {
    KubeFinderConfig::new("prod", "ring")
}

fn addresses(store: &SliceStore, config: &KubeFinderConfig) -> Vec<String> {
    let seeds = store.seeds(config).unwrap();
    seeds
        .iter()
        .flat_map(Seed::addresses)
        .map(ToString::to_string)
        .collect()
}

#[test]
fn slices_add_up_and_a_changed_one_replaces_only_itself() {
    let first = object("a", 1, vec![pod_endpoint("web-0", "u0", "10.0.0.1")]);
    let second = object("b", 2, vec![pod_endpoint("web-1", "u1", "10.0.0.2")]);
    let mut store = store([first, second]);
    assert_eq!(
        addresses(&store, &config()),
        ["10.0.0.1:47500", "10.0.0.2:47500"]
    );

    store.put(Slice::read(&object("a", 3, vec![])).unwrap());
    assert_eq!(addresses(&store, &config()), ["10.0.0.2:47500"]);
    store.remove("b");
    assert_eq!(addresses(&store, &config()), Vec::<String>::new());
}

#[test]
fn a_pod_in_two_slices_is_one_seed_with_the_address_written_last() {
    let old = object("a", 7, vec![pod_endpoint("web-0", "u0", "10.0.0.1")]);
    let new = object("b", 10, vec![pod_endpoint("web-0", "u0", "10.0.0.9")]);
    assert_eq!(addresses(&store([new, old]), &config()), ["10.0.0.9:47500"]);
}

#[test]
fn two_pods_of_one_name_are_two_seeds() {
    let pods = vec![
        pod_endpoint("web-0", "old", "10.0.0.1"),
        pod_endpoint("web-0", "new", "10.0.0.2"),
    ];
    assert_eq!(
        store([object("a", 1, pods)])
            .seeds(&config())
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn the_family_policy_chooses_what_is_dialled() {
    let v4 = object("a", 1, vec![pod_endpoint("web-0", "u0", "10.0.0.1")]);
    let both = v6(object("b", 2, vec![pod_endpoint("web-0", "u0", "fd00::1")]));
    let only_v6 = v6(object("c", 3, vec![pod_endpoint("web-1", "u1", "fd00::2")]));
    let store = store([v4, both, only_v6]);
    let expected: [(FamilyPolicy, &[&str]); 5] = [
        (FamilyPolicy::V4, &["10.0.0.1:47500"]),
        (FamilyPolicy::V6, &["[fd00::1]:47500", "[fd00::2]:47500"]),
        (
            FamilyPolicy::PreferV4,
            &["10.0.0.1:47500", "[fd00::2]:47500"],
        ),
        (
            FamilyPolicy::PreferV6,
            &["[fd00::1]:47500", "[fd00::2]:47500"],
        ),
        (
            FamilyPolicy::Both,
            &["[fd00::1]:47500", "10.0.0.1:47500", "[fd00::2]:47500"],
        ),
    ];
    for (families, expected) in expected {
        let config = KubeFinderConfig {
            families,
            ..config()
        };
        assert_eq!(addresses(&store, &config), expected, "{families}");
    }
}

#[test]
fn a_named_port_is_resolved_in_each_slice() {
    let first = object("a", 1, vec![pod_endpoint("web-0", "u0", "10.0.0.1")]);
    let mut second = object("b", 2, vec![pod_endpoint("web-1", "u1", "10.0.0.2")]);
    second.ports = Some(vec![port("http", 80), port("ring", 9000)]);
    assert_eq!(
        addresses(&store([first, second]), &config()),
        ["10.0.0.1:47500", "10.0.0.2:9000"]
    );
}

#[test]
fn endpoints_of_slices_without_the_port_are_no_seeds() {
    let ours = object("a", 1, vec![pod_endpoint("web-0", "u0", "10.0.0.1")]);
    let mut theirs = object("b", 2, vec![pod_endpoint("db-0", "u1", "10.0.0.2")]);
    theirs.ports = Some(vec![port("sql", 5432)]);
    let store = store([ours, theirs]);
    assert_eq!(addresses(&store, &config()), ["10.0.0.1:47500"]);
    assert_eq!(store.census_entries(&config().port).unwrap().len(), 1);
}

#[test]
fn endpoints_behind_no_wanted_port_at_all_are_an_error_that_names_what_there_is() {
    let mut only = object("a", 1, vec![pod_endpoint("web-0", "u0", "10.0.0.1")]);
    let udp = EndpointPort {
        protocol: Some("UDP".to_owned()),
        ..port("ring", 47500)
    };
    only.ports = Some(vec![port("http", 80), udp]);
    let store = store([only]);
    let error = store.seeds(&config()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no slice carries the TCP port 'ring'; they carry: 'http' = 80, 'ring' = 47500 (not TCP)"
    );
    assert_eq!(store.census_entries(&config().port).unwrap_err(), error);
}

#[test]
fn a_numbered_port_needs_no_slice_to_carry_it() {
    let mut bare = object("a", 1, vec![pod_endpoint("web-0", "u0", "10.0.0.1")]);
    bare.ports = None;
    let config = KubeFinderConfig {
        port: PortChoice::Number(7000),
        ..config()
    };
    assert_eq!(addresses(&store([bare]), &config), ["10.0.0.1:7000"]);
}

#[test]
fn slices_without_endpoints_are_known_to_be_empty_whatever_their_ports() {
    let mut placeholder = object("a", 1, vec![]);
    placeholder.ports = None;
    assert!(store([placeholder]).seeds(&config()).unwrap().is_empty());
}

#[test]
fn an_absent_ready_counts_as_ready() {
    let none = store([object("a", 1, vec![conditions(None, None, None)])]);
    let strict = KubeFinderConfig {
        include_not_ready: false,
        ..config()
    };
    assert_eq!(none.seeds(&strict).unwrap().len(), 1);
    let seeds = none.seeds(&strict).unwrap();
    let expected = SeedCondition {
        ready: Some(true),
        serving: Some(true),
        terminating: Some(false),
    };
    assert_eq!(seeds.iter().next().unwrap().condition, expected);
}

#[test]
fn serving_decides_where_the_service_publishes_everybody_as_ready() {
    // publishNotReadyAddresses makes `ready` true for all; `serving` still tells the truth.
    let published = conditions(Some(true), Some(false), Some(false));
    let store = store([object("a", 1, vec![published])]);
    let strict = KubeFinderConfig {
        include_not_ready: false,
        ..config()
    };
    assert!(store.seeds(&strict).unwrap().is_empty());
    assert_eq!(store.seeds(&config()).unwrap().len(), 1);
}

#[test]
fn a_terminating_process_is_a_seed_unless_that_is_switched_off() {
    let leaving = conditions(Some(false), Some(true), Some(true));
    let store = store([object("a", 1, vec![leaving])]);
    assert_eq!(store.seeds(&config()).unwrap().len(), 1);
    let without = KubeFinderConfig {
        include_terminating: false,
        ..config()
    };
    assert!(store.seeds(&without).unwrap().is_empty());
}

#[test]
fn a_census_holds_every_family_unready_and_terminating_whatever_the_seeds_are_limited_to() {
    let v4 = object(
        "a",
        1,
        vec![
            pod_endpoint("web-0", "u0", "10.0.0.1"),
            Endpoint {
                conditions: conditions(Some(false), Some(false), Some(true)).conditions,
                ..pod_endpoint("web-1", "u1", "10.0.0.2")
            },
        ],
    );
    let only_v6 = v6(object("b", 2, vec![pod_endpoint("web-2", "u2", "fd00::2")]));
    let store = store([v4, only_v6]);
    let narrow = KubeFinderConfig {
        families: FamilyPolicy::V4,
        include_not_ready: false,
        include_terminating: false,
        ..config()
    };
    assert_eq!(store.seeds(&narrow).unwrap().len(), 1);
    assert_eq!(store.census_entries(&narrow.port).unwrap().len(), 3);
}

#[test]
fn an_entry_without_a_pod_is_a_process_of_its_own_in_a_census_but_adds_no_seed_at_a_pods_address() {
    let by_pod = object("a", 1, vec![pod_endpoint("web-0", "u0", "10.0.0.1")]);
    let mirrored = object("b", 2, vec![endpoint("10.0.0.1"), endpoint("10.0.0.2")]);
    let store = store([by_pod, mirrored]);
    assert_eq!(
        addresses(&store, &config()),
        ["10.0.0.2:47500", "10.0.0.1:47500"]
    );
    let census = store.census_entries(&config().port).unwrap();
    let by_address = census
        .iter()
        .filter(|entry| entry.pod_uid.is_none())
        .count();
    assert_eq!((census.len(), by_address), (3, 2));
}

#[test]
fn a_reference_to_something_else_than_a_pod_identifies_by_address() {
    let mut node = pod_endpoint("node-1", "u9", "10.0.0.1");
    node.target_ref.as_mut().unwrap().kind = Some("Node".to_owned());
    let store = store([object("a", 1, vec![node])]);
    assert!(
        store
            .seeds(&config())
            .unwrap()
            .iter()
            .all(|seed| seed.pod_uid.is_none())
    );
}

#[test]
fn zone_host_node_and_hostname_come_from_the_slice() {
    let full = Endpoint {
        zone: Some("eu-1a".to_owned()),
        node_name: Some("node1".to_owned()),
        hostname: Some("web-0".to_owned()),
        ..pod_endpoint("web-0", "u0", "10.0.0.1")
    };
    let seeds = store([object("a", 1, vec![full])])
        .seeds(&config())
        .unwrap();
    let seed = seeds.iter().next().unwrap();
    assert_eq!(seed.zone.as_deref(), Some("eu-1a"));
    assert_eq!(seed.host_node.as_deref(), Some("node1"));
    assert_eq!(seed.hostname.as_deref(), Some("web-0"));
    assert_eq!(seed.name.as_ref().map(NodeName::as_str), Some("web-0"));
}

#[test]
fn only_the_first_address_of_an_endpoint_counts() {
    let mut two = pod_endpoint("web-0", "u0", "10.0.0.1");
    two.addresses.push("10.0.0.2".to_owned());
    assert_eq!(
        addresses(&store([object("a", 1, vec![two])]), &config()),
        ["10.0.0.1:47500"]
    );
}

/// What is wrong with this object, as field and value.
fn fault(object: &EndpointSlice) -> (String, String) {
    match Slice::read(object).unwrap_err() {
        SliceError::Malformed { field, value, .. } => (field, value),
        other => (other.to_string(), String::new()),
    }
}

#[test]
fn a_malformed_field_is_named_with_its_value() {
    let good = || object("a", 1, vec![pod_endpoint("web-0", "u0", "10.0.0.1")]);
    let broken = |change: fn(&mut EndpointSlice)| {
        let mut object = good();
        change(&mut object);
        let (field, value) = fault(&object);
        format!("{field}={value}")
    };
    assert_eq!(Slice::read(&good()).unwrap().name(), "a");
    let faults = [
        broken(|it| it.metadata.name = None),
        broken(|it| it.metadata.resource_version = None),
        broken(|it| "FQDN".clone_into(&mut it.address_type)),
        broken(|it| it.ports = Some(vec![port("http", 1), port("ring", 65_536)])),
        broken(|it| it.endpoints[0].addresses.clear()),
        broken(|it| "10.0.0.256".clone_into(&mut it.endpoints[0].addresses[0])),
        broken(|it| "fd00::1".clone_into(&mut it.endpoints[0].addresses[0])),
        broken(|it| it.endpoints[0].target_ref.as_mut().unwrap().uid = None),
    ];
    let expected = [
        "metadata.name=",
        "metadata.resourceVersion=",
        "addressType=FQDN",
        "ports[1].port=65536",
        "endpoints[0].addresses=",
        "endpoints[0].addresses[0]=10.0.0.256",
        "endpoints[0].addresses[0]=fd00::1",
        "endpoints[0].targetRef.uid=",
    ];
    assert_eq!(faults, expected);
}

#[test]
fn too_many_processes_are_an_error_and_not_a_part_of_them() {
    let endpoints = (0..=SEEDS_MAX).map(|at| {
        let address = format!("10.{}.{}.{}", at >> 16 & 255, at >> 8 & 255, at & 255);
        pod_endpoint(&format!("web-{at}"), &format!("u{at}"), &address)
    });
    let store = store([object("a", 1, endpoints.collect())]);
    let error = store.seeds(&config()).unwrap_err();
    assert_eq!(
        error,
        SliceError::TooMany {
            what: "processes",
            count: SEEDS_MAX + 1,
            limit: SEEDS_MAX
        }
    );
}

/// The slices `a` at version 5 and `b` at version 9, as a watch has told them.
fn told() -> SliceStore {
    store([object("a", 5, vec![]), object("b", 9, vec![])])
}

#[test]
fn a_listing_older_than_the_watch_shows_nothing_missed() {
    let listed = store([object("a", 5, vec![]), object("b", 6, vec![])]);
    assert!(!told().has_missed(&listed, 7, &BTreeMap::new()));
    let before_b = store([object("a", 5, vec![])]);
    assert!(!told().has_missed(&before_b, 5, &BTreeMap::new()));
}

#[test]
fn a_slice_deleted_after_the_listing_is_not_missed() {
    let listed = store([
        object("a", 5, vec![]),
        object("b", 9, vec![]),
        object("c", 3, vec![]),
    ]);
    let deleted = BTreeMap::from([("c".to_owned(), 12)]);
    assert!(!told().has_missed(&listed, 11, &deleted));
    assert!(
        told().has_missed(&listed, 12, &deleted),
        "it was made anew after that"
    );
}

#[test]
fn a_change_that_the_watch_swallowed_is_missed_whatever_it_told_later() {
    let nothing = BTreeMap::new();
    let deleted = store([object("b", 9, vec![])]);
    assert!(told().has_missed(&deleted, 9, &nothing));
    let changed = store([object("a", 7, vec![]), object("b", 9, vec![])]);
    assert!(told().has_missed(&changed, 9, &nothing));
    let added = store([
        object("a", 5, vec![]),
        object("b", 9, vec![]),
        object("c", 8, vec![]),
    ]);
    assert!(told().has_missed(&added, 9, &nothing));
}

mod any_order {
    use proptest::prelude::*;

    use super::*;

    /// One step of an API server's history of three slices and six pods.
    #[derive(Clone, Debug)]
    enum Step {
        Put { slice: u8, pods: Vec<u8> },
        Delete { slice: u8 },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..3_u8, prop::collection::vec(0..6_u8, 0..5))
                .prop_map(|(slice, pods)| Step::Put { slice, pods }),
            1 => (0..3_u8).prop_map(|slice| Step::Delete { slice }),
        ]
    }

    fn written(slice: u8, version: u64, pods: &[u8]) -> EndpointSlice {
        let endpoints = pods.iter().map(|pod| {
            // Each slice lists a pod under an address of its own, so that merging shows.
            pod_endpoint(
                &format!("web-{pod}"),
                &format!("u{pod}"),
                &format!("10.0.{slice}.{pod}"),
            )
        });
        object(&format!("slice-{slice}"), version, endpoints.collect())
    }

    proptest! {
        /// Folding events one by one ends where reading the final objects at once ends.
        #[test]
        fn folding_a_history_ends_where_a_fresh_listing_does(
            history in prop::collection::vec(step(), 0..40)
        ) {
            let mut folded = SliceStore::default();
            let mut api: BTreeMap<u8, EndpointSlice> = BTreeMap::new();
            for (at, step) in history.into_iter().enumerate() {
                match step {
                    Step::Put { slice, pods } => {
                        let object = written(slice, at as u64 + 1, &pods);
                        folded.put(Slice::read(&object).unwrap());
                        api.insert(slice, object);
                    }
                    Step::Delete { slice } => {
                        folded.remove(&format!("slice-{slice}"));
                        api.remove(&slice);
                    }
                }
            }
            let listed = store(api.into_values());
            prop_assert_eq!(folded.seeds(&config()), listed.seeds(&config()));
            prop_assert!(!folded.has_missed(&listed, u64::MAX, &BTreeMap::new()));
        }
    }
}
