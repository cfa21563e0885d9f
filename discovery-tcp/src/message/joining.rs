//! Becoming a member and ceasing to be one.

use std::net::SocketAddr;
use std::time::Duration;

use discovery_core::{NodeId, NodeInfo, Term, Topology, TopologyId};

use super::deciding::Position;
use super::greeting::{MemberHint, RefusalReason};

/// A newcomer asks to be admitted; repeating it changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// Who asks.
    pub node: NodeInfo,
    /// Whether it has seen its own pod listed (JOIN).
    pub listed: bool,
}

/// What becomes of a request to join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinAnswer {
    /// What.
    pub verdict: JoinVerdict,
}

/// What becomes of a request to join.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoinVerdict {
    /// It is under way.
    Queued {
        /// How many were asked for before it.
        ahead: u32,
    },
    /// Somebody else coordinates.
    Redirect {
        /// The coordinator.
        coordinator: MemberHint,
    },
    /// Not now: what has to happen first.
    NotNow {
        /// In a few words.
        waiting_for: String,
        /// When to ask again.
        retry_after: Duration,
    },
    /// Not like this; somebody has to change something.
    Refused {
        /// Why.
        reason: RefusalReason,
    },
    /// The name belongs to a member that lives.
    NameTaken {
        /// Whose it is.
        by: NodeId,
    },
    /// It cannot be dialled back at its addresses.
    Unreachable {
        /// Who tried in vain.
        by: NodeId,
    },
}

/// A request to dial somebody and say whether it answers with this node id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialBack {
    /// The asker's number for it.
    pub request: u64,
    /// Who should answer.
    pub node: NodeId,
    /// Where.
    pub addresses: Vec<SocketAddr>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DialBackResult {
    /// The asker's number.
    pub request: u64,
    /// Whether that node answered.
    pub reached: bool,
}

/// The state of the log at one position, for a learner (SNAP).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The topology in force, its term included.
    pub topology: Topology,
    /// Everything up to here is in it.
    pub position: Position,
    /// The highest term its sender has promised.
    pub promised: Term,
    /// The last sequence of each publisher.
    pub sequences: Vec<(NodeId, u64)>,
}

/// The learner has the snapshot and everything decided up to here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotAck {
    /// The topology it now knows.
    pub topology: TopologyId,
    /// Up to where.
    pub position: Position,
}

/// A member wants to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leave {
    /// Who.
    pub node: NodeId,
}
