//! Tests of `admission.rs`: for whom there is room beside those who joined before.

use discovery_core::{
    ClusterId, Epoch, Member, NodeName, NodeOrder, Term, TopologyParts, TopologyVersion, UnixMillis,
};

use super::*;

fn node(number: u64) -> NodeInfo {
    let name = NodeName::new(format!("n-{number}")).unwrap();
    let at = std::net::SocketAddr::from(([10, 0, 0, 1], 1));
    NodeInfo::new(NodeId::from_u128(number.into()), name, [at], UnixMillis(1)).unwrap()
}

fn topology(numbers: &[u64]) -> Topology {
    topology_at(TopologyVersion::FIRST, numbers)
}

fn topology_at(version: TopologyVersion, numbers: &[u64]) -> Topology {
    let member = |number: &u64| Member {
        order: NodeOrder::new(*number).unwrap(),
        joined_at: TopologyVersion::FIRST,
        info: node(*number),
    };
    Topology::from_parts(TopologyParts {
        cluster_id: ClusterId::from_u128(1),
        epoch: Epoch(1),
        version,
        term: Term::FIRST,
        next_order: NodeOrder::new(100).unwrap(),
        members: numbers.iter().map(member).collect(),
    })
    .unwrap()
}

fn joiner(number: u64, replaces: u64) -> (NodeId, Joiner) {
    let info = node(number);
    let joiner = Joiner {
        weight: weight::of_member(&info),
        replaces: Some(NodeId::from_u128(replaces.into())),
        arrival: number,
        since: Moment::START,
        reached: true,
        probers: BTreeMap::new(),
        snapshot: false,
        acked: None,
        pinged_at: Moment::START,
        info,
    };
    (joiner.info.id(), joiner)
}

// Clauses: LINK-6
#[test]
fn a_joiner_keeps_its_place_when_the_member_that_it_replaces_goes_before_it_comes() {
    let of = |members_max| RingConfig {
        members_max,
        ..RingConfig::default()
    };
    let (config, tight) = (of(3), of(2));
    let mut admission = Admission::default();
    admission.joiners.extend([joiner(11, 1)]);
    // As long as there is a member to replace, its place is the joiner's.
    assert!(admission.has_room_for(&node(12), None, &topology(&[1, 2]), &config));
    // Later the joiner needs one that a change freed, which nobody else may have.
    assert!(admission.has_room_for(&node(12), None, &topology(&[2]), &config));
    assert!(!admission.has_room_for(&node(12), None, &topology(&[2]), &tight));
    assert!(!admission.has_room_for(&node(12), None, &topology(&[1, 2]), &tight));
}

// Clauses: JOIN-6
#[test]
fn only_who_has_lately_acknowledged_the_topology_in_force_is_ready() {
    let fresh = RingConfig::default().silence_limit / 4;
    let second = TopologyVersion::new(2).unwrap();
    let (before, now) = (topology(&[1]).id(), topology_at(second, &[1, 2]).id());
    let at = Moment::START + fresh;
    let ready = |acked: Option<(Moment, TopologyId)>, asked_at| {
        let (id, mut joiner) = joiner(11, 9);
        joiner.snapshot = true;
        joiner.acked = acked;
        let mut admission = Admission::default();
        admission.joiners.insert(id, joiner);
        let ready = admission.ready(asked_at, fresh, now);
        assert_eq!(ready.len(), admission.count_ready(asked_at, fresh, now));
        ready.len() == 1
    };
    assert!(!ready(None, at), "it has a snapshot and says nothing");
    assert!(ready(Some((at, now)), at + fresh));
    let later = Duration::from_nanos(1);
    assert!(!ready(Some((at, now)), at + fresh + later));
    assert!(!ready(Some((at, before)), at), "it knows another topology");
}
