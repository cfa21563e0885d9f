//! The log: what is proposed, accepted, decided and fetched, and what is published into it.

use std::fmt;
use std::sync::Arc;

use discovery_core::{AccusationKind, NodeId, NodeOrder, Term, Topic, TopologyChange, TopologyId};

use super::watching::Watermark;

/// A place in the log of decisions; the founding is position 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

impl Position {
    /// The place after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The place `entries` further on.
    #[must_use]
    pub const fn plus(self, entries: u64) -> Self {
        Self(self.0.saturating_add(entries))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What one position holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// The topology changes.
    Change(TopologyChange),
    /// A published message.
    Message(PublishedMessage),
}

impl Decision {
    /// Who published it, if it is a message.
    pub(crate) fn publisher(&self) -> Option<NodeId> {
        match self {
            Self::Change(_) => None,
            Self::Message(message) => Some(message.publisher),
        }
    }

    /// The change that splits a cluster off its parent, if this is one (RECOVER-8).
    pub(crate) fn split(&self) -> Option<&TopologyChange> {
        match self {
            Self::Change(change) => change.cluster.is_some().then_some(change),
            Self::Message(_) => None,
        }
    }
}

/// A message as its publisher sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedMessage {
    /// Who published it.
    pub publisher: NodeId,
    /// Counts the publisher's messages from 1.
    pub sequence: u64,
    /// What it is about.
    pub topic: Topic,
    /// What it says.
    pub payload: Arc<[u8]>,
}

/// A decided entry, and a term under which it was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecidedEntry {
    /// The term.
    pub term: Term,
    /// What was decided.
    pub decision: Arc<Decision>,
}

/// Proposals of one term, one after the other (DECIDE-2), with the watermark and the tick.
///
/// Without entries it is the announcement of a term, or the tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Propose {
    /// The topology whose voting members are asked.
    pub topology: TopologyId,
    /// The proposer's term.
    pub term: Term,
    /// The first position of this term.
    pub start: Position,
    /// The last position that the term took over from earlier ones; `start` less one if none.
    pub reproposed_to: Position,
    /// The position of the first entry here.
    pub first: Position,
    /// The entries.
    pub entries: Vec<Arc<Decision>>,
    /// Everything up to here is decided.
    pub decided: Position,
    /// The coordinator's tick.
    pub tick: u64,
    /// Whether the receiver passes it on to its children in the tree.
    pub relay: bool,
    /// Members left out of the tree.
    pub skip: Vec<NodeOrder>,
    /// Whether the quorum is that of a recovery, so that an own acceptance never decides.
    pub recovery: bool,
}

/// Members that accepted everything up to one position and saw one tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedGroup {
    /// Up to where.
    pub position: Position,
    /// The newest tick they saw.
    pub tick: u64,
    /// Who, as a bitmap over the topology's order: member `i` is bit `i % 8` of byte `i / 8`.
    pub members: Vec<u8>,
}

/// Acceptances on their way up the tree; a union of sets, so that nothing counts twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The topology over whose order the bitmaps run.
    pub topology: TopologyId,
    /// The term accepted under.
    pub term: Term,
    /// Who accepted how far.
    pub groups: Vec<AcceptedGroup>,
}

/// The proposer's term is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Superseded {
    /// The term that was refused.
    pub term: Term,
    /// The term that the refuser has promised.
    pub promised: Term,
}

/// Asks for decided entries after a position, and for the current tail of a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// The asker's topology.
    pub topology: TopologyId,
    /// Up to where the asker knows what is decided.
    pub decided: Position,
}

/// Decided entries, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The sender's topology.
    pub topology: TopologyId,
    /// The position of the first entry.
    pub first: Position,
    /// The entries.
    pub entries: Vec<DecidedEntry>,
    /// Up to where the sender knows what is decided; more than the entries if they did not fit.
    pub decided: Position,
}

impl Decided {
    /// Whether the entries reach as far as the sender knows.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.first.0 + self.entries.len() as u64 > self.decided.0
    }
}

/// What an acceptor accepted and does not know to be decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    /// The term it was accepted under; none if nothing was accepted in this topology.
    pub term: Option<Term>,
    /// The position of the first entry.
    pub first: Position,
    /// The entries.
    pub entries: Vec<Arc<Decision>>,
}

/// A candidate asks for a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromiseAsk {
    /// The candidate's topology.
    pub topology: TopologyId,
    /// The term to promise.
    pub term: Term,
    /// Up to where the candidate knows what is decided.
    pub decided: Position,
    /// Who accuses the coordinator of what, for members that still hear it.
    pub alerts: Vec<(NodeId, AccusationKind)>,
    /// Whom the alerts accuse: the coordinator, and elder members passed over.
    pub accused: Vec<NodeId>,
}

/// A promise: no term below this one is accepted any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The topology it is given in.
    pub topology: TopologyId,
    /// The promised term.
    pub term: Term,
    /// What the promiser accepted, from the candidate's decided position on.
    pub tail: Tail,
}

/// Why no promise is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PromiseRefusal {
    /// A term as high was promised before.
    Promised(Term),
    /// The coordinator is heard, and the alerts do not suffice.
    CoordinatorHeard(Watermark),
    /// The asker's topology is not known here yet.
    Behind,
}

/// No promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PromiseRefused {
    /// The term that was asked for.
    pub term: Term,
    /// Why.
    pub why: PromiseRefusal,
}

/// Messages that a member wants decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// The topology of who published them: none but a member under the same one passes them on, and
    /// none of another epoch takes them (PUB-1, PUB-3).
    pub topology: TopologyId,
    /// The lowest sequence whose fate the publisher still waits for.
    pub first_pending: u64,
    /// The messages, in the order of their sequences.
    pub messages: Vec<Arc<Decision>>,
}

/// The messages from this one on were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishRefused {
    /// The first sequence not taken.
    pub sequence: u64,
    /// Who coordinates, if it is somebody else.
    pub coordinator: Option<NodeId>,
}
