//! Heartbeats and accusations.

use discovery_core::{AccusationKind, NodeId, Term, TopologyId, UnixMillis};

use super::deciding::Position;

/// Everything up to a position is decided, and the tail of this term holds it (DECIDE-6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watermark {
    /// The term.
    pub term: Term,
    /// Up to where.
    pub position: Position,
}

/// The coordinator's sign that it works: it counts up only while a majority answers (TAKE).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick {
    /// The coordinator's term.
    pub term: Term,
    /// Counts up within the term.
    pub count: u64,
}

/// A subject shows life to an observer, and everybody tells everybody how far things are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Counts up on this link.
    pub sequence: u64,
    /// The last sequence heard from the receiver on this link; 0 if none.
    pub echo: u64,
    /// The sender's topology.
    pub topology: TopologyId,
    /// What the sender knows to be decided.
    pub watermark: Watermark,
    /// The newest tick that the sender has seen.
    pub tick: Tick,
}

/// Everybody whom the sender accuses; it replaces what the sender said before (CUT).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The topology whose graph the sender watches by.
    pub topology: TopologyId,
    /// Subject, what it is accused of, and since when by the sender's clock.
    pub accusations: Vec<(NodeId, AccusationKind, UnixMillis)>,
}
