//! What the simulator sees of a ring beyond its outputs: the one place that knows how to ask.

use discovery_core::{NodeId, NodeInfo, Term, Topology, TopologyId};

use crate::Moment;
use crate::message::{PhaseKind, Position};
use crate::ring::Ring;

/// Something that happened inside of a ring and shows in no output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Observation {
    /// A cluster was founded.
    Founded {
        /// Its first topology.
        topology: TopologyId,
        /// The listing behind it.
        resource_version: Option<discovery_core::ResourceVersion>,
    },
    /// A higher term was promised.
    Promised {
        /// Which.
        term: Term,
    },
    /// Everything up to a position is accepted.
    Accepted {
        /// In which topology.
        topology: TopologyId,
        /// Under which term.
        term: Term,
        /// Up to where.
        position: Position,
    },
    /// The node concluded by itself that everything up to a position is decided.
    Decided {
        /// In which topology.
        topology: TopologyId,
        /// Under which term.
        term: Term,
        /// Up to where.
        position: Position,
        /// By what.
        by: Decider,
    },
    /// The node may propose from now on.
    Leads {
        /// In which topology.
        topology: TopologyId,
        /// Under which term.
        term: Term,
        /// Who promised.
        promisers: Vec<NodeId>,
        /// Whether it recovers a lost quorum.
        recovery: bool,
    },
    /// A recovery counts members as proven dead.
    ProvenDead {
        /// Members of which topology.
        topology: TopologyId,
        /// Whom.
        members: Vec<NodeId>,
    },
    /// A listed pod was not waited for.
    Exempted {
        /// Which.
        pod_uid: discovery_core::PodUid,
    },
}

/// By what a node concluded that something is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decider {
    /// A majority accepted.
    Majority,
    /// It accepted itself, one of at most three.
    OwnAcceptance,
    /// All who promised to a recovery accepted.
    AllPromisers,
}

/// A mistake planted in a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {}

pub(crate) fn check(_ring: &Ring) -> Result<(), String> {
    Ok(())
}

pub(crate) fn plant(_ring: &mut Ring, bug: Bug) {
    match bug {}
}

pub(crate) fn poll_observation(_ring: &mut Ring) -> Option<Observation> {
    None
}

pub(crate) fn next_deadline(ring: &Ring) -> Option<Moment> {
    ring.next_deadline()
}

pub(crate) fn node(_ring: &Ring) -> &NodeInfo {
    unreachable!("until the ring tells")
}

pub(crate) fn observers_of(topology: &Topology, subject: NodeId) -> Vec<NodeId> {
    let ids = topology.members().iter().map(discovery_core::Member::id);
    ids.filter(|id| *id != subject).collect()
}

pub(crate) fn phase(_ring: &Ring) -> PhaseKind {
    PhaseKind::Newcomer
}

pub(crate) fn topology(_ring: &Ring) -> Option<&Topology> {
    None
}

pub(crate) fn has_quorum(_ring: &Ring) -> bool {
    false
}

pub(crate) fn describe(_ring: &Ring) -> String {
    String::new()
}
