//! When an observer has an opinion at all.

use discovery_core::{
    ClusterId, Epoch, Member, NodeOrder, SnapshotCause, Term, Topology, TopologyParts,
    TopologyVersion,
};

use super::*;
use crate::config::RingConfig;
use crate::message::{Position, Snapshot};
use crate::ring::{DialFailure, Input, LinkId, Output, Start};

const MS: Duration = Duration::from_millis(1);

fn node(number: u64) -> NodeInfo {
    let name = format!("n-{number}").parse().unwrap();
    let at = std::net::SocketAddr::from(([10, 0, 0, 1], u16::try_from(number).unwrap()));
    NodeInfo::new(NodeId::from_u128(number.into()), name, [at], UnixMillis(1)).unwrap()
}

/// A member since the start, the newest of three; it has met neither of the others.
pub(crate) fn newest_of_three() -> Ring {
    let start = Start {
        node: node(3),
        wall: UnixMillis(1),
        seed: [7; 32],
        authoritative: true,
    };
    let mut ring = Ring::new(RingConfig::default(), start);
    let member = |(order, info): (u64, NodeInfo)| Member {
        order: NodeOrder::new(order).unwrap(),
        joined_at: TopologyVersion::FIRST,
        info,
    };
    let members = [(1, node(1)), (2, node(2)), (3, ring.node().clone())];
    let topology = Topology::from_parts(TopologyParts {
        cluster_id: ClusterId::from_u128(1),
        epoch: Epoch(1),
        version: TopologyVersion::FIRST,
        term: Term::FIRST,
        next_order: NodeOrder::new(4).unwrap(),
        members: members.into_iter().map(member).collect(),
    })
    .unwrap();
    let snapshot = Snapshot {
        topology,
        position: Position(0),
        promised: Term::FIRST,
        sequences: Vec::new(),
    };
    let log = ring.log_from(&snapshot);
    ring.become_member(log, SnapshotCause::Start);
    ring
}

/// Lets time pass up to this moment; every dial ends in this failure, as late as it may.
fn run_to(ring: &mut Ring, until: Moment, failure: DialFailure) {
    let takes = match failure {
        DialFailure::TimedOut => ring.config.dial_timeout,
        _ => MS,
    };
    let mut dials: Vec<(Moment, LinkId)> = Vec::new();
    loop {
        let fails_at = ring.fx.now + takes;
        while let Some(output) = ring.poll_output() {
            if let Output::OpenLink { link, .. } = output {
                dials.push((fails_at, link));
            }
        }
        let failed = dials.iter().copied().min();
        let due = ring.next_deadline().unwrap_or(until);
        match failed.filter(|(at, _)| *at <= due && *at <= until) {
            Some(first) => {
                dials.retain(|dial| *dial != first);
                let link = first.1;
                ring.handle(first.0, Input::LinkFailed { link, failure });
            }
            None if due <= until => ring.handle(due, Input::Deadline),
            None => return,
        }
    }
}

/// Of what it accuses whom.
fn accuses(ring: &Ring) -> Vec<(NodeId, AccusationKind)> {
    let Life::Member(m) = &ring.life else {
        return Vec::new();
    };
    let accusations = m.own_accusations().into_iter();
    accusations.map(|(id, kind, _)| (id, kind)).collect()
}

/// Both others have beaten once, at the start.
fn both_have_beaten(ring: &mut Ring) {
    let Life::Member(m) = &mut ring.life else {
        return;
    };
    for subject in m.watch.subjects.values_mut() {
        subject.has_beaten = true;
    }
}

fn both(kind: AccusationKind) -> Vec<(NodeId, AccusationKind)> {
    [1, 2].map(|id| (NodeId::from_u128(id), kind)).to_vec()
}

// Clauses: CUT-2
#[test]
fn who_was_never_heard_is_judged_a_silence_limit_after_its_links_were_to_be_opened() {
    let mut ring = newest_of_three();
    let (settle, limit) = (ring.config.settle, ring.config.silence_limit);
    let due = Moment::START + settle / 2 + limit;
    run_to(&mut ring, Moment::START + limit + MS, DialFailure::TimedOut);
    assert!(ring.counters().dials > 0, "it has dialled");
    assert_eq!(accuses(&ring), []);
    let early = Moment::START + settle / 4 + limit;
    run_to(&mut ring, early, DialFailure::TimedOut);
    assert_eq!(accuses(&ring), []);
    run_to(&mut ring, due + limit / 8, DialFailure::TimedOut);
    assert_eq!(accuses(&ring), both(AccusationKind::Silence));
}

// Clauses: CUT-2, CUT-7
#[test]
fn a_dial_that_times_out_tells_something_of_those_alone_who_were_heard() {
    let mut ring = newest_of_three();
    both_have_beaten(&mut ring);
    // The first dial shows that there is no link, and two more that fail are an accusation.
    let (settle, timeout) = (ring.config.settle, ring.config.dial_timeout);
    let thrice = settle / 2 + timeout * 3 + ring.config.redial_pause;
    run_to(
        &mut ring,
        Moment::START + thrice + 200 * MS,
        DialFailure::TimedOut,
    );
    assert_eq!(accuses(&ring), both(AccusationKind::Closed));
}

// Clauses: CUT-2, CUT-7
#[test]
fn a_dial_that_is_refused_tells_something_of_those_never_heard_as_well() {
    let mut ring = newest_of_three();
    let settle = ring.config.settle;
    run_to(
        &mut ring,
        Moment::START + settle + 100 * MS,
        DialFailure::Refused,
    );
    assert_eq!(accuses(&ring), both(AccusationKind::Refused));
}
