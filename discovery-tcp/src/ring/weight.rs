//! What nodes, topologies and decided entries take in a message, in bytes and never too little: what
//! is sent whole has to fit a frame.

use std::sync::Arc;

use discovery_core::{Evidence, NodeInfo, Topology, TopologyChange};

use crate::message::Decision;
use crate::wire::TEXT_BYTES_MAX;

/// Numbers, ids and the lengths in front of everything, of whatever has a number of parts.
const FRAMING: usize = 64;
/// An address of either family, a key beside its value, an accusation: each as an element of a list.
const ELEMENT: usize = 40;

/// A node, with everything it tells of itself.
pub(super) fn of_node(node: &NodeInfo) -> usize {
    let attributes = node.attributes().iter();
    let attributes = attributes.map(|(key, value)| ELEMENT + key.len() + value.len());
    let optional = [
        node.pod_uid().map(|it| it.as_str().len()),
        node.zone().map(|it| it.as_str().len()),
        node.host_node().map(|it| it.as_str().len()),
    ];
    let texts = optional.into_iter().flatten().sum::<usize>() + node.name().as_str().len();
    FRAMING + texts + ELEMENT * node.addresses().len() + attributes.sum::<usize>()
}

/// A node as a member of a snapshot, with its place and the number of its last message.
pub(super) fn of_member(node: &NodeInfo) -> usize {
    FRAMING + of_node(node)
}

/// A topology as a snapshot gives it.
pub(crate) fn of_topology(topology: &Topology) -> usize {
    let members = topology.members().iter();
    2 * FRAMING + members.map(|member| of_member(&member.info)).sum::<usize>()
}

/// A member that goes, and why.
pub(super) fn of_removal(evidence: &Evidence) -> usize {
    let evidence = match evidence {
        Evidence::Accused(accusations) => accusations.len() * ELEMENT,
        Evidence::Operator { reason } => reason.len().min(TEXT_BYTES_MAX),
        _ => 4 * ELEMENT,
    };
    FRAMING + evidence
}

/// So many members that go by their own word.
pub(super) fn of_leaves(leaves: usize) -> usize {
    leaves * ELEMENT
}

fn of_change(change: &TopologyChange) -> usize {
    let joins = change.joins.iter().map(|(_, node)| of_node(node));
    let failures = change.failures.iter().map(|(_, why)| of_removal(why));
    let leaves = of_leaves(change.leaves.len());
    2 * FRAMING + joins.sum::<usize>() + leaves + failures.sum::<usize>()
}

/// One entry of the log.
pub(crate) fn of_entry(decision: &Decision) -> usize {
    match decision {
        Decision::Change(change) => of_change(change),
        Decision::Message(message) => {
            FRAMING + ELEMENT + message.topic.as_str().len() + message.payload.len()
        }
    }
}

/// Entries together.
pub(super) fn of_entries<'a>(entries: impl IntoIterator<Item = &'a Arc<Decision>>) -> usize {
    entries.into_iter().map(|entry| of_entry(entry)).sum()
}
