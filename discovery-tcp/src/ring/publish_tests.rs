//! Whose publications a coordinator takes.

use std::collections::VecDeque;

use discovery_core::{ClusterId, Epoch, Term, TopologyId, TopologyVersion};

use super::*;
use crate::ring::lead::Mandate;
use crate::ring::watch::tests::newest_of_three;

/// A message of the first of three, for the third, which coordinates, as sent in this topology.
fn taken_by_its_coordinator(topology: impl Fn(TopologyId) -> TopologyId) -> usize {
    taken_under(false, topology)
}

fn taken_under(recovery: bool, topology: impl Fn(TopologyId) -> TopologyId) -> usize {
    let mut ring = newest_of_three();
    let me = ring.me.id();
    let publisher = NodeId::from_u128(1);
    let term = Term {
        counter: 2,
        ..Term::FIRST
    };
    ring.lead(Mandate {
        term,
        tail: Vec::new(),
        promisers: [publisher, me].into(),
        leftovers: VecDeque::new(),
        recovery,
        splits_off: false,
    });
    let Life::Member(m) = &ring.life else {
        unreachable!("it is a member")
    };
    let message = PublishedMessage {
        publisher,
        sequence: 1,
        topic: "any".parse().unwrap(),
        payload: Arc::from(&b"one"[..]),
    };
    let publish = Publish {
        topology: topology(m.id()),
        first_pending: 1,
        messages: vec![Arc::new(Decision::Message(message))],
    };
    let link = ring.fx.links.draw();
    ring.on_publish(link, publisher, &publish);
    let Life::Member(m) = &ring.life else {
        unreachable!("it is a member")
    };
    let waits = m.lead.as_ref().map_or(0, |lead| lead.queue.len());
    waits + m.log.tail().len()
}

// Clauses: PUB-3
#[test]
fn a_coordinator_takes_publications_of_its_own_cluster_and_epoch_alone() {
    assert_eq!(taken_by_its_coordinator(|own| own), 1);
    let later = |own: TopologyId| TopologyId {
        version: TopologyVersion::new(2).unwrap(),
        ..own
    };
    assert_eq!(taken_by_its_coordinator(later), 1);
    let of_an_epoch = |own| TopologyId {
        epoch: Epoch(7),
        ..own
    };
    assert_eq!(taken_by_its_coordinator(of_an_epoch), 0);
    let of_a_split = |own| TopologyId {
        cluster_id: ClusterId::from_u128(7),
        ..own
    };
    assert_eq!(taken_by_its_coordinator(of_a_split), 0);
}

// Clauses: PUB-3
#[test]
fn who_opens_an_epoch_takes_no_publications_of_the_one_before() {
    // Else they wait in its queue, and are proposed in the new epoch, or in another cluster.
    assert_eq!(taken_under(true, |own| own), 0);
}
