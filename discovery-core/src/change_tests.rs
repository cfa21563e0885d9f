//! Changes that fit, and each way in which one does not; a refused change changes nothing.

use super::*;
use crate::evidence::Evidence;
use crate::node::Role;
use crate::samples::{alone, id, named, names, node};
use crate::version::{ClusterId, TopologyVersion};

fn three() -> Topology {
    let change = TopologyChange::of(&alone())
        .join(node(2))
        .join(node(3))
        .build()
        .unwrap();
    alone().apply(&change, Term::FIRST).unwrap()
}

fn valid() -> TopologyChange {
    let absent = Evidence::AbsentFromRecovery;
    TopologyChange::of(&three())
        .join(named(20, "b"))
        .join(named(30, "a"))
        .leave(id(2))
        .fail(id(3), absent)
        .build()
        .unwrap()
}

/// Changes a change that fits, and says why it no longer does.
fn refused(spoil: impl FnOnce(&mut TopologyChange)) -> ChangeError {
    let (topology, before) = (three(), three());
    let mut change = valid();
    spoil(&mut change);
    let refused = topology.apply(&change, Term::FIRST).unwrap_err();
    assert_eq!(topology, before);
    refused
}

#[test]
fn one_change_removes_and_adds_at_once() {
    let topology = three().apply(&valid(), Term::FIRST).unwrap();
    assert_eq!(names(&topology), ["n1", "a", "b"]);
    assert_eq!(topology.version().get(), 3);
    let orders: Vec<u64> = topology
        .members()
        .iter()
        .map(|member| member.order.get())
        .collect();
    assert_eq!(orders, [1, 4, 5]);
    assert_eq!(topology.members()[1].joined_at.get(), 3);
}

#[test]
fn joiners_are_numbered_by_name_then_id_whatever_the_order_they_came_in() {
    let build = |nodes: [NodeInfo; 3]| {
        nodes
            .into_iter()
            .fold(TopologyChange::of(&alone()), ChangeBuilder::join)
            .build()
            .unwrap()
    };
    let (a, b, c) = (named(9, "a"), named(8, "b"), named(7, "c"));
    let change = build([c.clone(), a.clone(), b.clone()]);
    assert_eq!(change, build([a, b, c]));
    let joins: Vec<String> = change
        .joins
        .iter()
        .map(|(order, node)| format!("{order}:{}", node.name()))
        .collect();
    assert_eq!(joins, ["2:a", "3:b", "4:c"]);
}

#[test]
fn an_order_is_not_used_again_when_the_newest_member_left() {
    let topology = three();
    let leave = TopologyChange::of(&topology).leave(id(3)).build().unwrap();
    let topology = topology.apply(&leave, Term::FIRST).unwrap();
    let join = TopologyChange::of(&topology).join(node(4)).build().unwrap();
    assert_eq!(join.joins[0].0.get(), 4);
}

#[test]
fn a_new_run_takes_the_name_that_the_same_change_frees() {
    let absent = Evidence::AbsentFromRecovery;
    let change = TopologyChange::of(&three())
        .fail(id(2), absent)
        .join(named(20, "n2"))
        .build();
    let topology = three().apply(&change.unwrap(), Term::FIRST).unwrap();
    assert_eq!(names(&topology), ["n1", "n3", "n2"]);
}

#[test]
fn a_recovery_may_open_an_epoch_and_change_nothing_else() {
    let change = TopologyChange::of(&three())
        .in_epoch(Epoch(11))
        .build()
        .unwrap();
    let topology = three().apply(&change, Term::FIRST).unwrap();
    assert_eq!((topology.epoch(), topology.version().get()), (Epoch(11), 3));
    assert_eq!(topology.members(), three().members());
}

#[test]
fn a_change_that_changes_nothing_is_refused() {
    assert_eq!(
        TopologyChange::of(&three()).build(),
        Err(ChangeError::Empty)
    );
}

#[test]
fn a_change_made_for_another_topology_is_refused() {
    let spoiled = [
        refused(|change| change.base.cluster_id = ClusterId::from_u128(8)),
        refused(|change| change.base.epoch = Epoch(9)),
        refused(|change| change.base.version = TopologyVersion::FIRST),
    ];
    for refused in spoiled {
        assert!(
            matches!(refused, ChangeError::OtherBase { .. }),
            "{refused}"
        );
    }
}

#[test]
fn an_epoch_that_does_not_grow_is_refused() {
    let (epoch, current) = (Epoch(10), Epoch(10));
    assert_eq!(
        refused(|change| change.epoch = Some(epoch)),
        ChangeError::EpochBehind { epoch, current }
    );
}

#[test]
fn a_term_below_the_one_in_force_decides_nothing() {
    let high = Term::FIRST.above(NodeOrder::FIRST).unwrap();
    let topology = three().apply(&valid(), high).unwrap();
    let change = TopologyChange::of(&topology)
        .join(node(40))
        .build()
        .unwrap();
    assert_eq!(
        topology.apply(&change, Term::FIRST),
        Err(ChangeError::TermBehind {
            term: Term::FIRST,
            current: high
        })
    );
}

#[test]
fn only_members_are_removed_and_only_once() {
    assert_eq!(
        refused(|change| change.leaves = vec![id(9)]),
        ChangeError::NotAMember { id: id(9) }
    );
    assert_eq!(
        refused(|change| change.leaves = vec![id(2), id(2)]),
        ChangeError::RemovedTwice { id: id(2) }
    );
    assert_eq!(
        refused(|change| change.leaves = vec![id(3)]),
        ChangeError::RemovedTwice { id: id(3) }
    );
}

#[test]
fn a_node_id_is_taken_for_ever_even_by_those_that_the_change_removes() {
    for (place, taken, name) in [(1, 1, "b"), (1, 2, "n2"), (0, 20, "a")] {
        assert_eq!(
            refused(|change| change.joins[place].1 = named(taken, name)),
            ChangeError::IdTaken { id: id(taken) }
        );
    }
}

#[test]
fn a_name_that_stays_or_joins_is_taken() {
    for name in ["n1", "a"] {
        assert_eq!(
            refused(|change| change.joins[1].1 = named(20, name)),
            ChangeError::NameTaken {
                name: NodeName::new(name).unwrap()
            }
        );
    }
}

#[test]
fn joiners_out_of_order_or_out_of_turn_are_refused() {
    let swapped = refused(|change| {
        let (first, second) = (change.joins[0].1.clone(), change.joins[1].1.clone());
        change.joins[0].1 = second;
        change.joins[1].1 = first;
    });
    assert!(
        matches!(swapped, ChangeError::JoinsUnsorted { .. }),
        "{swapped}"
    );
    for number in [1, 2, 5, 6] {
        let wrong = refused(|change| change.joins[0].0 = NodeOrder::new(number).unwrap());
        assert!(
            matches!(wrong, ChangeError::OrderOutOfTurn { .. }),
            "{wrong}"
        );
    }
}

#[test]
fn somebody_who_votes_must_be_left() {
    let removed = TopologyChange::of(&alone()).leave(id(1)).build();
    assert_eq!(removed, Err(ChangeError::NoVoterLeft));
    let follower = node(2).with_role(Role::Follower);
    let removed = TopologyChange::of(&alone())
        .leave(id(1))
        .join(follower)
        .build();
    assert_eq!(removed, Err(ChangeError::NoVoterLeft));
}

#[test]
fn more_members_than_the_limit_are_refused() {
    let founder = alone();
    let joiners = (2..=8193)
        .map(node)
        .fold(TopologyChange::of(&founder), ChangeBuilder::join);
    assert_eq!(
        joiners.build(),
        Err(ChangeError::TooManyMembers { members: 8193 })
    );
}

#[test]
fn counters_that_are_used_up_refuse() {
    let mut parts = alone().parts().clone();
    parts.version = TopologyVersion::new(u64::MAX).unwrap();
    let last = Topology::from_parts(parts.clone()).unwrap();
    let refused = TopologyChange::of(&last).join(node(2)).build().unwrap_err();
    assert_eq!(
        refused,
        ChangeError::UsedUp {
            counter: "topology version"
        }
    );

    parts.version = TopologyVersion::FIRST;
    parts.next_order = NodeOrder::new(u64::MAX).unwrap();
    let last = Topology::from_parts(parts).unwrap();
    let refused = TopologyChange::of(&last).join(node(2)).build().unwrap_err();
    assert_eq!(
        refused,
        ChangeError::UsedUp {
            counter: "node order"
        }
    );
}

#[test]
fn a_forced_recovery_opens_a_cluster_and_an_epoch_together() {
    let before = three();
    let cluster = ClusterId::from_u128(99);
    let alone = TopologyChange::of(&before).in_cluster(cluster).build();
    assert_eq!(alone, Err(ChangeError::ClusterWithoutEpoch));

    let epoch = Epoch(before.epoch().0 + 1);
    let change = TopologyChange::of(&before)
        .in_cluster(cluster)
        .in_epoch(epoch)
        .build()
        .unwrap();
    let after = before.apply(&change, before.term()).unwrap();
    assert_eq!(after.cluster_id(), cluster);
    assert_eq!(after.version(), before.version().successor().unwrap());
    assert_eq!(change.base.cluster_id, before.cluster_id());
}
