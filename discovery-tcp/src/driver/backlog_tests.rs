//! Tests of `backlog.rs`: what can be resumed from, and what cannot.

use discovery_core::{
    ClusterId, Epoch, NodeId, NodeInfo, NodeName, Term, Topic, TopologyChange, UnixMillis,
};

use super::*;

fn node(number: u16) -> NodeInfo {
    NodeInfo::new(
        NodeId::from_u128(u128::from(number) + 1),
        NodeName::new(format!("ring-{number}")).unwrap(),
        [([10, 0, 0, 1], 1000 + number).into()],
        UnixMillis(1),
    )
    .unwrap()
}

fn alone(epoch: u64) -> Topology {
    Topology::founded(ClusterId::from_u128(7), Epoch(epoch), Term::FIRST, node(0)).unwrap()
}

/// The next node joins.
fn join(before: &Topology) -> TopologyEvent {
    let number = u16::try_from(before.len()).unwrap();
    let change = TopologyChange::of(before).join(node(number)).build();
    TopologyEvent::decided(before, &change.unwrap(), Term::FIRST).unwrap()
}

fn message(topology: &Topology, position: u64, bytes: usize) -> Message {
    Message::new(
        Topic::new("t").unwrap(),
        vec![0; bytes].into(),
        NodeId::from_u128(1),
        topology.id(),
        position,
    )
}

/// One member, a message, a second member, two messages, a third member.
fn story() -> (Backlog, Vec<Topology>) {
    let mut backlog = Backlog::default();
    let first = alone(1);
    backlog.installed(&first);
    backlog.message(&message(&first, 1, 1));
    let second = join(&first);
    backlog.changed(&second);
    backlog.message(&message(&second.topology, 3, 1));
    backlog.message(&message(&second.topology, 4, 1));
    let third = join(&second.topology);
    backlog.changed(&third);
    (backlog, vec![first, second.topology, third.topology])
}

/// Versions told as changes, positions told as messages.
fn told(deliveries: &[Delivery]) -> Vec<String> {
    let tell = |delivery: &Delivery| match delivery {
        Delivery::Changed(event) => format!("version {}", event.topology.version()),
        Delivery::Message(message) => format!("message {}", message.position),
        Delivery::Snapshot { topology, cause } => {
            format!("snapshot {} {cause:?}", topology.version())
        }
        other => format!("{other:?}"),
    };
    deliveries.iter().map(tell).collect()
}

#[test]
fn nothing_is_told_before_there_is_a_topology() {
    assert_eq!(Backlog::default().since(None), []);
    assert_eq!(Backlog::default().since(Some(alone(1).id())), []);
}

#[test]
fn who_names_no_topology_gets_the_one_in_force() {
    let (backlog, _) = story();
    assert_eq!(told(&backlog.since(None)), ["snapshot 3 Start"]);
}

#[test]
fn what_came_after_a_topology_is_told_in_the_order_of_decision() {
    let (backlog, topologies) = story();
    let since = |place: usize| told(&backlog.since(Some(topologies[place].id())));
    assert_eq!(
        since(0),
        [
            "message 1",
            "version 2",
            "message 3",
            "message 4",
            "version 3"
        ]
    );
    assert_eq!(since(1), ["message 3", "message 4", "version 3"]);
    assert_eq!(since(2), [""; 0]);
}

#[test]
fn messages_that_are_no_longer_kept_make_a_snapshot_of_what_they_were_part_of() {
    let (mut backlog, topologies) = story();
    for position in 0..MESSAGES_MAX {
        let position = 6 + u64::try_from(position).unwrap();
        backlog.message(&message(&topologies[2], position, 1));
    }
    let since = |place: usize| backlog.since(Some(topologies[place].id()));
    assert_eq!(told(&since(1)), ["snapshot 3 Behind"]);
    assert_eq!(since(2).len(), MESSAGES_MAX);
}

#[test]
fn messages_are_kept_up_to_so_many_bytes() {
    let (mut backlog, topologies) = story();
    for position in [6, 7, 8] {
        backlog.message(&message(&topologies[2], position, MESSAGE_BYTES_MAX / 2));
    }
    let since = |place: usize| told(&backlog.since(Some(topologies[place].id())));
    assert_eq!(since(2), ["snapshot 3 Behind"]);
    // The next change is one that can be resumed from again.
    let fourth = join(&topologies[2]);
    backlog.changed(&fourth);
    assert_eq!(backlog.since(Some(fourth.topology.id())), []);
}

#[test]
fn a_gap_is_filled_by_a_snapshot_that_says_why() {
    let (backlog, topologies) = story();
    let other = Topology::founded(ClusterId::from_u128(8), Epoch(1), Term::FIRST, node(0)).unwrap();
    let cause = |id| told(&backlog.since(Some(id)));
    assert_eq!(cause(other.id()), ["snapshot 3 OtherCluster"]);
    assert_eq!(cause(alone(2).id()), ["snapshot 3 NewEpoch"]);
    let ahead = join(&topologies[2]).topology;
    assert_eq!(
        cause(ahead.id()),
        [""; 0],
        "what follows it is still to come"
    );
}

#[test]
fn an_event_that_does_not_follow_starts_over() {
    let (mut backlog, topologies) = story();
    let fourth = join(&topologies[2]).topology;
    let fifth = join(&fourth);
    backlog.changed(&fifth);
    assert_eq!(
        told(&backlog.since(Some(topologies[2].id()))),
        ["snapshot 5 Behind"]
    );
    assert_eq!(backlog.topology(), Some(&fifth.topology));
}
