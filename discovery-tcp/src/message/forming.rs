//! Census rounds of newcomers and survivors, and founding by a majority of names.

use discovery_core::{
    ClusterId, Epoch, NodeId, NodeName, NodeOrder, ResourceVersion, Term, TopologyId,
};

use super::deciding::{Decided, Position, Tail};
use super::greeting::{Best, MemberHint, Rank};
use super::watching::Tick;

/// A candidate asks a listed newcomer to step back for one round (FORM-4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defer {
    /// The asker's round; answers to another round count for nothing.
    pub round: u64,
    /// The store's version of the listing behind the round.
    pub resource_version: ResourceVersion,
    /// The asker's rank now.
    pub rank: Rank,
}

/// The asked newcomer steps back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The round it was asked in.
    pub round: u64,
    /// The process that grants.
    pub node: NodeId,
}

/// The asked newcomer does not step back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The round it was asked in.
    pub round: u64,
    /// The better candidate, possibly itself.
    pub better: Option<Best>,
    /// The listing it has answered already, if it is newer than the asker's.
    pub newer: Option<ResourceVersion>,
}

/// There is a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsMember {
    /// The round it was asked in.
    pub round: u64,
    /// A member of it.
    pub member: MemberHint,
}

/// A term of founding by majority: a counter, then the name of who proposes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoundTerm {
    /// Counts up.
    pub counter: u64,
    /// Breaks ties: names are unique among the configured ones.
    pub name: NodeName,
}

/// What founding by majority decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundValue {
    /// Who founds.
    pub founder: NodeId,
    /// The id of the cluster.
    pub cluster_id: ClusterId,
    /// Its first epoch.
    pub epoch: Epoch,
}

/// Founding by majority: one value for each attempt, decided by the configured names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The sender's attempt, from 1; what belongs to an earlier one counts for nothing (FORM-11).
    pub attempt: u64,
    /// What it says in it.
    pub message: FoundMessage,
}

/// What is said within an attempt to found by majority, or to open it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FoundMessage {
    /// Asks for a promise.
    Ask {
        /// Under this term.
        term: FoundTerm,
    },
    /// Promises, and says what it accepted before.
    Promise {
        /// The term promised.
        term: FoundTerm,
        /// What it accepted, and under which term.
        accepted: Option<(FoundTerm, FoundValue)>,
    },
    /// Has promised a higher term.
    Refuse {
        /// That term.
        promised: FoundTerm,
    },
    /// Asks to accept.
    Accept {
        /// Under this term.
        term: FoundTerm,
        /// This value.
        value: FoundValue,
    },
    /// Accepts.
    Accepted {
        /// Under this term.
        term: FoundTerm,
    },
    /// It is decided.
    Decided {
        /// The value.
        value: FoundValue,
    },
    /// A newcomer asks all names to open this attempt (FORM-11).
    Reopen {
        /// The asker's round; answers to another one count for nothing.
        round: u64,
    },
    /// A newcomer has ended every earlier attempt for itself.
    Reopened {
        /// The round it was asked in.
        round: u64,
    },
}

/// A survivor without quorum asks every listed process (RECOVER-1), or, if forced, every member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoverAsk {
    /// The asker's round.
    pub round: u64,
    /// The store's version of the listing behind the round; none if forced.
    pub resource_version: Option<ResourceVersion>,
    /// The asker's topology.
    pub topology: TopologyId,
    /// Up to where the asker knows what is decided.
    pub decided: Position,
    /// The asker's order in that topology.
    pub order: NodeOrder,
    /// The term that promisers promise.
    pub term: Term,
    /// The cluster id to be opened, if an operator forces it.
    pub forced: Option<ClusterId>,
}

/// The answer to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoverAnswer {
    /// The round it was asked in.
    pub round: u64,
    /// The process that answers.
    pub node: NodeId,
    /// What it says.
    pub verdict: RecoverVerdict,
}

/// What an asked process says to a survivor.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecoverVerdict {
    /// A newcomer or a stale member: it follows.
    Granted,
    /// A member of the asker's topology promises the term, and hands over what it accepted.
    Promised {
        /// What it accepted beyond the asker's decided position.
        tail: Tail,
    },
    /// It heard the coordinator's tick a moment ago: there is a quorum.
    QuorumHere {
        /// The tick.
        tick: Tick,
    },
    /// It knows more than the asker.
    Newer {
        /// What the asker lacks, as far as it fits.
        decided: Decided,
    },
    /// It knows a newer topology that cannot be told step by step.
    NewerTopology {
        /// Which.
        topology: TopologyId,
    },
    /// It is a member of another cluster of the same name.
    OtherCluster {
        /// Its topology.
        topology: TopologyId,
    },
    /// It has answered a newer listing, promised a higher term, or knows a better survivor.
    Refused {
        /// The listing it has answered, if that is why.
        newer: Option<ResourceVersion>,
        /// The term it has promised, if that is why.
        promised: Option<Term>,
    },
}
