//! Small nodes and topologies for this crate's own tests.

use crate::identity::{NodeId, NodeName, PodUid};
use crate::node::NodeInfo;
use crate::time::UnixMillis;
use crate::topology::Topology;
use crate::version::{ClusterId, Epoch, Term};

pub(crate) fn id(number: u128) -> NodeId {
    NodeId::from_u128(number)
}

pub(crate) fn uid(text: &str) -> PodUid {
    PodUid::new(text).unwrap()
}

/// A node of this id and name.
pub(crate) fn named(number: u128, name: &str) -> NodeInfo {
    let address = "10.0.0.1:47500".parse().unwrap();
    let name = NodeName::new(name).unwrap();
    NodeInfo::new(id(number), name, [address], UnixMillis(1_000)).unwrap()
}

/// A node of this id and a name made of it.
pub(crate) fn node(number: u128) -> NodeInfo {
    named(number, &format!("n{number}"))
}

/// The topology that node 1 founds.
pub(crate) fn alone() -> Topology {
    Topology::founded(ClusterId::from_u128(7), Epoch(10), Term::FIRST, node(1)).unwrap()
}

pub(crate) fn names(topology: &Topology) -> Vec<&str> {
    topology
        .members()
        .iter()
        .map(|member| member.name().as_str())
        .collect()
}
