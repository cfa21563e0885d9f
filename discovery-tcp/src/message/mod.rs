//! Everything two nodes say to each other, as values; bytes are in `wire/`, meaning in `ring/`.
//!
//! | module | what it holds |
//! |---|---|
//! | `greeting` | the first exchange on a link, refusals, rumours |
//! | `forming` | contact, census rounds, founding by majority, recovery rounds |
//! | `joining` | joining, dial-back, snapshots, leaving |
//! | `deciding` | proposals, acceptances, promises, catching up, publishing |
//! | `watching` | heartbeats, accusations |

mod deciding;
mod forming;
mod greeting;
mod joining;
mod watching;

use std::fmt;
use std::sync::Arc;

pub use deciding::{
    Accepted, AcceptedGroup, Decided, DecidedEntry, Decision, Fetch, Position, Promise, PromiseAsk,
    PromiseRefusal, PromiseRefused, Propose, Publish, PublishRefused, PublishedMessage, Superseded,
    Tail,
};
pub use forming::{
    Defer, Found, FoundMessage, FoundTerm, FoundValue, Granted, IsMember, RecoverAnswer,
    RecoverAsk, RecoverVerdict, Wait,
};
pub use greeting::{
    Best, Goodbye, Introduction, MemberHint, PhaseKind, Rank, Refusal, RefusalReason, Rumour,
    WireRange,
};
pub use joining::{
    DialBack, DialBackResult, Join, JoinAnswer, JoinVerdict, Leave, Snapshot, SnapshotAck,
};
pub use watching::{Alert, Heartbeat, Tick, Watermark};

/// One message on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// The dialler's first words.
    Hello(Introduction),
    /// The answer to them.
    HelloAnswer(Introduction),
    /// Why the link is of no use; it is closed after it.
    Refusal(Refusal),
    /// Better newcomers and members heard of since.
    Rumour(Rumour),
    /// A candidate asks a listed newcomer to step back (FORM-4).
    Defer(Defer),
    /// It does.
    Granted(Granted),
    /// It does not: it knows a better candidate, or has answered a newer ask.
    Wait(Wait),
    /// There is a cluster already.
    IsMember(IsMember),
    /// Founding by majority.
    Found(Found),
    /// A survivor asks everybody listed (RECOVER-1).
    RecoverAsk(RecoverAsk),
    /// The answer to it.
    RecoverAnswer(RecoverAnswer),
    /// A newcomer asks to be admitted.
    Join(Join),
    /// What becomes of it.
    JoinAnswer(JoinAnswer),
    /// The coordinator asks a member to dial somebody.
    DialBack(DialBack),
    /// What became of that.
    DialBackResult(DialBackResult),
    /// State for a learner.
    Snapshot(Snapshot),
    /// The learner has it, and everything decided up to there.
    SnapshotAck(SnapshotAck),
    /// Proposals, the watermark and the tick.
    Propose(Propose),
    /// Who accepted how far.
    Accepted(Accepted),
    /// A proposal of a term that is no longer accepted.
    Superseded(Superseded),
    /// Asks for decided entries.
    Fetch(Fetch),
    /// Decided entries.
    Decided(Decided),
    /// A candidate asks for a promise (TAKE).
    PromiseAsk(PromiseAsk),
    /// The promise.
    Promise(Promise),
    /// No promise.
    PromiseRefused(PromiseRefused),
    /// A member wants to leave.
    Leave(Leave),
    /// Messages to be decided.
    Publish(Publish),
    /// They cannot be taken now.
    PublishRefused(PublishRefused),
    /// A subject shows life.
    Heartbeat(Heartbeat),
    /// Everybody whom the sender accuses.
    Alert(Alert),
    /// The last words on a link.
    Goodbye(Goodbye),
}

impl Message {
    /// The stable name of its kind, in snake case.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Hello(_) => "hello",
            Self::HelloAnswer(_) => "hello_answer",
            Self::Refusal(_) => "refusal",
            Self::Rumour(_) => "rumour",
            Self::Defer(_) => "defer",
            Self::Granted(_) => "granted",
            Self::Wait(_) => "wait",
            Self::IsMember(_) => "is_member",
            Self::Found(_) => "found",
            Self::RecoverAsk(_) => "recover_ask",
            Self::RecoverAnswer(_) => "recover_answer",
            Self::Join(_) => "join",
            Self::JoinAnswer(_) => "join_answer",
            Self::DialBack(_) => "dial_back",
            Self::DialBackResult(_) => "dial_back_result",
            Self::Snapshot(_) => "snapshot",
            Self::SnapshotAck(_) => "snapshot_ack",
            Self::Propose(_) => "propose",
            Self::Accepted(_) => "accepted",
            Self::Superseded(_) => "superseded",
            Self::Fetch(_) => "fetch",
            Self::Decided(_) => "decided",
            Self::PromiseAsk(_) => "promise_ask",
            Self::Promise(_) => "promise",
            Self::PromiseRefused(_) => "promise_refused",
            Self::Leave(_) => "leave",
            Self::Publish(_) => "publish",
            Self::PublishRefused(_) => "publish_refused",
            Self::Heartbeat(_) => "heartbeat",
            Self::Alert(_) => "alert",
            Self::Goodbye(_) => "goodbye",
        }
    }
}

/// Why a link is closed, for the other side and for the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// Nobody needs it any more.
    Idle,
    /// Its first message was not a greeting, or none came in time.
    NoGreeting,
    /// The greeting was refused; the refusal was sent before.
    Refused,
    /// The other side refused our greeting.
    WasRefused,
    /// What came over it cannot be: a message out of turn, or with impossible content.
    Nonsense,
    /// Bytes that are no message.
    Undecodable,
    /// The other side said goodbye.
    Goodbye,
    /// The local node takes a new node id, or stops.
    Over,
    /// A limit was hit: too many links, or a full queue.
    Limit,
    /// Another link to the same node took its place.
    Replaced,
}

impl CloseReason {
    /// Every reason, in the order of declaration.
    pub const ALL: [Self; 10] = [
        Self::Idle,
        Self::NoGreeting,
        Self::Refused,
        Self::WasRefused,
        Self::Nonsense,
        Self::Undecodable,
        Self::Goodbye,
        Self::Over,
        Self::Limit,
        Self::Replaced,
    ];

    /// The stable name, in snake case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::NoGreeting => "no_greeting",
            Self::Refused => "refused",
            Self::WasRefused => "was_refused",
            Self::Nonsense => "nonsense",
            Self::Undecodable => "undecodable",
            Self::Goodbye => "goodbye",
            Self::Over => "over",
            Self::Limit => "limit",
            Self::Replaced => "replaced",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A message that may go out on many links; a driver may encode it once.
pub type Shared = Arc<Message>;
