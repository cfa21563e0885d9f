//! Messages made of values and read back.

use discovery_core::{
    Accusation, AccusationKind, Attributes, ClusterId, Epoch, Evidence, NodeId, NodeInfo, NodeName,
    PodUid, Term, Topology, TopologyChange, TopologyEvent, UnixMillis, Zone,
};

use super::*;

fn node(bits: u128, name: &str) -> NodeInfo {
    let addresses = [
        "10.0.0.1:47500".parse().unwrap(),
        "[fd00::1]:47500".parse().unwrap(),
    ];
    let name = NodeName::new(name).unwrap();
    NodeInfo::new(NodeId::from_u128(bits), name, addresses, UnixMillis(1_234)).unwrap()
}

fn two() -> Topology {
    let alone = Topology::founded(
        ClusterId::from_u128(7),
        Epoch(42),
        Term::FIRST,
        node(1, "a"),
    );
    let alone = alone.unwrap();
    let second = node(2, "b")
        .with_pod_uid(PodUid::new("u").unwrap())
        .with_zone(Zone::new("z").unwrap())
        .with_attributes(Attributes::new([("k", "v")]).unwrap());
    let change = TopologyChange::of(&alone).join(second).build().unwrap();
    alone.apply(&change, Term::FIRST).unwrap()
}

#[test]
fn a_topology_reads_back_as_it_was_written() {
    let topology = two();
    let message = v1::Topology::from(&topology);
    assert_eq!(message.members[1].node.as_ref().unwrap().zone, "z");
    assert_eq!(Topology::try_from(&message), Ok(topology));
}

#[test]
fn a_message_without_what_it_needs_is_refused_by_the_fields_name() {
    let mut message = v1::Topology::from(&two());
    message.members[1].order = 0;
    assert_eq!(Topology::try_from(&message).unwrap_err().field, "order");
    message.id = None;
    assert_eq!(Topology::try_from(&message).unwrap_err().field, "id");
}

#[test]
fn a_node_serves_where_it_says_and_at_that_port_of_its_addresses() {
    let told = |text: &str| {
        let attributes = Attributes::new([(GRPC_ATTRIBUTE, text), ("k", "v")]).unwrap();
        let message = v1::Node::from(&node(1, "a").with_attributes(attributes));
        assert_eq!(message.attributes.len(), 1, "its own are not shown");
        message.grpc_addresses
    };
    assert_eq!(told("47510"), ["10.0.0.1:47510", "[fd00::1]:47510"]);
    assert_eq!(told("10.9.9.9:1, nonsense"), ["10.9.9.9:1"]);
    assert_eq!(v1::Node::from(&node(1, "a")).grpc_addresses, [""; 0]);
}

#[test]
fn a_removal_names_who_accused() {
    let before = two();
    let accusation = Accusation {
        observer: NodeId::from_u128(1),
        kind: AccusationKind::Closed,
        at: UnixMillis(5),
    };
    let evidence = Evidence::Accused(vec![accusation]);
    let change = TopologyChange::of(&before).fail(NodeId::from_u128(2), evidence);
    let event = TopologyEvent::decided(&before, &change.build().unwrap(), Term::FIRST).unwrap();
    let change = v1::TopologyChange::from(&event);
    let evidence = change.removed[0].evidence.as_ref().unwrap();
    assert_eq!(evidence.kind(), v1::EvidenceKind::Accused);
    assert_eq!(evidence.accusations[0].observer_name, "a");
    assert!(evidence.summary.contains("accused by a (closed"));
    assert_eq!((change.member_count, change.next_order), (1, 3));
}

#[test]
fn moments_before_1970_are_written_with_positive_nanoseconds() {
    let written = timestamp(UnixMillis(-1));
    assert_eq!((written.seconds, written.nanos), (-1, 999_000_000));
}
