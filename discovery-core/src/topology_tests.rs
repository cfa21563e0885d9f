//! What must hold of a topology.

use super::*;
use crate::change::TopologyChange;
use crate::samples::{alone, id, named, names, node};

fn three() -> Topology {
    let change = TopologyChange::of(&alone())
        .join(node(3))
        .join(node(2))
        .build()
        .unwrap();
    alone().apply(&change, Term::FIRST).unwrap()
}

fn refused(change: impl FnOnce(&mut TopologyParts)) -> TopologyError {
    let mut parts = three().parts().clone();
    change(&mut parts);
    Topology::from_parts(parts).unwrap_err()
}

#[test]
fn a_founding_makes_the_founder_the_first_member_at_version_one() {
    let topology = alone();
    assert_eq!(names(&topology), ["n1"]);
    assert_eq!(topology.eldest().order.get(), 1);
    assert_eq!(topology.version(), TopologyVersion::FIRST);
    assert_eq!(topology.next_order().get(), 2);
}

#[test]
fn a_follower_alone_founds_nothing() {
    let follower = node(1).with_role(Role::Follower);
    let founded = Topology::founded(ClusterId::from_u128(7), Epoch(1), Term::FIRST, follower);
    assert_eq!(founded, Err(TopologyError::NoVoter));
}

#[test]
fn members_are_found_by_id_by_name_and_by_order() {
    let topology = three();
    let second = &topology.members()[1];
    assert_eq!(topology.member(id(2)), Some(second));
    assert_eq!(topology.named(&NodeName::new("n2").unwrap()), Some(second));
    assert_eq!(topology.ordered(second.order), Some(second));
    assert_eq!(topology.member(id(9)), None);
    assert_eq!(topology.ordered(topology.next_order()), None);
}

#[test]
fn followers_are_members_that_do_not_vote() {
    let follower = node(2).with_role(Role::Follower);
    let change = TopologyChange::of(&alone()).join(follower).build().unwrap();
    let topology = alone().apply(&change, Term::FIRST).unwrap();
    assert_eq!(topology.len(), 2);
    assert_eq!(topology.voters().count(), 1);
}

#[test]
fn parts_that_cannot_be_are_refused() {
    assert_eq!(
        refused(|parts| parts.members.clear()),
        TopologyError::NoVoter
    );
    assert!(matches!(
        refused(|parts| parts.members.swap(0, 1)),
        TopologyError::OrderUnsorted { .. }
    ));
    assert!(matches!(
        refused(|parts| parts.next_order = NodeOrder::new(3).unwrap()),
        TopologyError::OrderAhead { .. }
    ));
    assert!(matches!(
        refused(|parts| parts.version = TopologyVersion::FIRST),
        TopologyError::JoinedAhead { .. }
    ));
    assert_eq!(
        refused(|parts| parts.members[2].info = named(1, "other")),
        TopologyError::IdTwice { id: id(1) }
    );
    assert!(matches!(
        refused(|parts| parts.members[2].info = named(9, "n1")),
        TopologyError::NameTwice { .. }
    ));
}

#[test]
fn more_members_than_the_limit_are_refused_with_their_number() {
    let mut parts = alone().parts().clone();
    parts.next_order = NodeOrder::new(9_000).unwrap();
    parts.members = (1..=8193u64)
        .map(|number| Member {
            order: NodeOrder::new(number).unwrap(),
            joined_at: TopologyVersion::FIRST,
            info: node(number.into()),
        })
        .collect();
    let refused = Topology::from_parts(parts.clone()).unwrap_err();
    assert_eq!(refused.to_string(), "8193 members; the limit is 8192");
    parts.members.pop();
    assert_eq!(Topology::from_parts(parts).unwrap().len(), MEMBERS_MAX);
}
