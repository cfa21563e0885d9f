//! What the ring takes things to weigh is never less than the bytes they become.

use std::sync::Arc;

use discovery_core::{NodeOrder, Term, Topology};
use proptest::prelude::*;

use super::arbitrary::{decision, topology};
use super::codec::encode;
use crate::message::{Decision, Message, Position, Propose, Snapshot};
use crate::ring::weight;

/// The highest number takes the most bytes.
const MOST: u64 = u64::MAX;

fn highest_term() -> Term {
    Term {
        counter: MOST,
        order: NodeOrder::new(MOST).unwrap_or(NodeOrder::FIRST),
    }
}

fn snapshot(topology: Topology) -> Message {
    let members = topology.members().iter();
    Message::Snapshot(Snapshot {
        sequences: members.map(|member| (member.id(), MOST)).collect(),
        position: Position(MOST),
        promised: highest_term(),
        topology,
    })
}

/// What one entry adds to a proposal.
fn entry_bytes(topology: &Topology, entry: &Arc<Decision>) -> usize {
    let bytes = |entries| {
        let proposal = Message::Propose(Propose {
            topology: topology.id(),
            term: highest_term(),
            start: Position(MOST),
            reproposed_to: Position(MOST),
            first: Position(MOST),
            entries,
            decided: Position(MOST),
            tick: MOST,
            relay: true,
            skip: Vec::new(),
            recovery: true,
        });
        encode(&proposal).len()
    };
    bytes(vec![Arc::clone(entry)]) - bytes(Vec::new())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_snapshot_weighs_at_least_its_bytes(topology in topology()) {
        let weight = weight::of_topology(&topology);
        prop_assert!(encode(&snapshot(topology)).len() <= weight);
    }

    #[test]
    fn an_entry_weighs_at_least_its_bytes(topology in topology(), entry in decision()) {
        prop_assert!(entry_bytes(&topology, &entry) <= weight::of_entry(&entry));
    }
}
