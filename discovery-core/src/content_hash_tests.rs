//! What the hash covers, and that it stays what it is.

use std::collections::BTreeMap;

use crate::change::TopologyChange;
use crate::identity::{NodeName, PodUid};
use crate::node::{Attributes, HostNode, NodeInfo, Role, WireVersion, Zone};
use crate::order::NodeOrder;
use crate::samples::{alone, id, named, node};
use crate::time::UnixMillis;
use crate::topology::{Topology, TopologyParts};
use crate::version::{ClusterId, Epoch, Term, TopologyVersion};

/// The same node with everything known about it.
fn filled(node: NodeInfo) -> NodeInfo {
    node.with_pod_uid(PodUid::new("u").unwrap())
        .with_zone(Zone::new("z").unwrap())
        .with_host_node(HostNode::new("h").unwrap())
        .with_attributes(Attributes::new([("k", "v")]).unwrap())
        .with_wire_version(WireVersion(3))
}

fn founded_by(founder: NodeInfo) -> TopologyParts {
    let cluster = ClusterId::from_u128(7);
    let founded = Topology::founded(cluster, Epoch(1), Term::FIRST, founder);
    founded.unwrap().parts().clone()
}

fn full() -> TopologyParts {
    founded_by(filled(node(1)))
}

fn hash(parts: TopologyParts) -> u64 {
    Topology::from_parts(parts).unwrap().content_hash()
}

#[test]
fn the_hash_is_the_same_on_every_build() {
    // Written down once. If this fails, nodes of two builds no longer compare as equal: the
    // encoding changed, and its name must change with it.
    assert_eq!(format!("{:016x}", hash(full())), "452974553ad154a3");
}

#[test]
fn the_hash_does_not_cover_the_term() {
    let mut later = full();
    later.term = Term::FIRST.above(NodeOrder::FIRST).unwrap();
    assert_eq!(hash(full()), hash(later));
}

/// Every change of one field of the topology, each on a copy of its own.
fn topologies() -> Vec<(&'static str, TopologyParts)> {
    let order = |number| NodeOrder::new(number).unwrap();
    let version = |number| TopologyVersion::new(number).unwrap();
    let with = |what, change: &dyn Fn(&mut TopologyParts)| {
        let mut parts = full();
        change(&mut parts);
        (what, parts)
    };
    vec![
        with("cluster id", &|parts| {
            parts.cluster_id = ClusterId::from_u128(8);
        }),
        with("epoch", &|parts| parts.epoch = Epoch(2)),
        with("version", &|parts| parts.version = version(2)),
        with("next order", &|parts| parts.next_order = order(3)),
        with("order", &|parts| {
            parts.next_order = order(3);
            parts.members[0].order = order(2);
        }),
        with("joined at", &|parts| {
            parts.version = version(2);
            parts.members[0].joined_at = version(2);
        }),
    ]
}

/// Every change of one field of a node, each on a copy of its own.
fn nodes() -> Vec<(&'static str, NodeInfo)> {
    let described = |addresses: &[&str], started_at| {
        let name = NodeName::new("n1").unwrap();
        let addresses = addresses.iter().map(|address| address.parse().unwrap());
        filled(NodeInfo::new(id(1), name, addresses, UnixMillis(started_at)).unwrap())
    };
    let (v4, v6) = ("10.0.0.1:47500", "[fd00::1]:47500");
    let attributed = |pairs: &[(&str, &str)]| {
        let attributes = Attributes::new(pairs.iter().copied()).unwrap();
        filled(node(1)).with_attributes(attributes)
    };
    vec![
        ("id", filled(named(2, "n1"))),
        ("name", filled(named(1, "n2"))),
        ("port", described(&["10.0.0.1:47501"], 1_000)),
        ("ip", described(&["10.0.0.2:47500"], 1_000)),
        ("family", described(&["[a00:1::]:47500"], 1_000)),
        ("number of addresses", described(&[v4, v6], 1_000)),
        ("order of addresses", described(&[v6, v4], 1_000)),
        ("start", described(&[v4], 1_001)),
        (
            "pod uid",
            filled(node(1)).with_pod_uid(PodUid::new("w").unwrap()),
        ),
        ("zone", filled(node(1)).with_zone(Zone::new("y").unwrap())),
        (
            "host node",
            filled(node(1)).with_host_node(HostNode::new("g").unwrap()),
        ),
        (
            "wire version",
            filled(node(1)).with_wire_version(WireVersion(4)),
        ),
        ("no attribute", attributed(&[])),
        ("attribute's value", attributed(&[("k", "w")])),
        ("attribute's key", attributed(&[("l", "v")])),
        ("where key and value part", attributed(&[("kv", "")])),
        (
            "number of attributes",
            attributed(&[("k", "v"), ("l", "v")]),
        ),
        ("what is known", node(1)),
    ]
}

#[test]
fn the_hash_covers_every_field_but_the_term() {
    let of_nodes = nodes()
        .into_iter()
        .map(|(what, node)| (what, founded_by(node)));
    let mut seen = BTreeMap::from([(hash(full()), "nothing")]);
    for (what, parts) in topologies().into_iter().chain(of_nodes) {
        assert_eq!(seen.insert(hash(parts), what), None, "{what}");
    }
}

#[test]
fn the_hash_covers_the_role() {
    let with_second = |role| {
        let change = TopologyChange::of(&alone())
            .join(node(2).with_role(role))
            .build()
            .unwrap();
        alone().apply(&change, Term::FIRST).unwrap().content_hash()
    };
    assert_ne!(with_second(Role::Member), with_second(Role::Follower));
}
