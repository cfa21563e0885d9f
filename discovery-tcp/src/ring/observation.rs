//! What the simulator's checkers must see and no output tells. Nothing is kept without the feature.

use discovery_core::{NodeId, PodUid, ResourceVersion, Term, TopologyId};

use crate::message::Position;

/// One step that a checker judges, in the order in which it happens inside one input.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Observation {
    /// A cluster is founded here.
    Founded {
        /// Its first topology.
        topology: TopologyId,
        /// The listing it rests on, under `census`.
        resource_version: Option<ResourceVersion>,
    },
    /// No term below this one is accepted any more.
    Promised {
        /// The term.
        term: Term,
    },
    /// Everything up to a position is accepted here.
    Accepted {
        /// In this topology.
        topology: TopologyId,
        /// Under this term.
        term: Term,
        /// Up to where.
        position: Position,
    },
    /// This node itself concluded that everything up to a position is decided.
    Decided {
        /// In this topology.
        topology: TopologyId,
        /// Under this term.
        term: Term,
        /// Up to where.
        position: Position,
        /// By which quorum.
        by: Decider,
    },
    /// It may propose from now on.
    Leads {
        /// In this topology.
        topology: TopologyId,
        /// Under this term.
        term: Term,
        /// By whose promises.
        promisers: Vec<NodeId>,
        /// Whether the quorum is that of a recovery.
        recovery: bool,
    },
    /// A recovery counted these members as proven dead.
    ProvenDead {
        /// Of this topology.
        topology: TopologyId,
        /// Whom.
        members: Vec<NodeId>,
    },
    /// A listed pod was counted as exempt.
    Exempted {
        /// Its uid.
        pod_uid: PodUid,
    },
}

/// By which quorum something was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decider {
    /// A majority of the voting members.
    Majority,
    /// The own acceptance beside the coordinator's, with at most three voting members.
    OwnAcceptance,
    /// Everybody who promised in a recovery.
    AllPromisers,
}
