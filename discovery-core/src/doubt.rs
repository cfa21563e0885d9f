//! Why facts do not prove a death, reason by reason. When they do is in `proof.rs`.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::finder::FinderCause;
use crate::identity::{NodeName, PodUid};
use crate::proof::LAST_SEEN_AGE_MAX;
use crate::time::{UnixMillis, UnixSeconds};

/// Why the facts do not prove a death: one doubt for each proof that was tried.
///
/// A later look at the same member may prove it; nothing was decided by this one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not proven dead: {}", in_a_row(.doubts))]
pub struct NotProven {
    pub(crate) doubts: Vec<Doubt>,
}

impl NotProven {
    /// The doubts, at least one.
    pub fn doubts(&self) -> &[Doubt] {
        &self.doubts
    }
}

/// One reason why a proof does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Doubt {
    /// The rule lets nothing count.
    #[error("the rule 'off' lets nothing count")]
    RuleOff,
    /// The member itself answered after it was thought lost.
    #[error("it answers at {address} under its own node id")]
    StillAnswers {
        /// Where.
        address: SocketAddr,
    },
    /// The topology knows no pod uid of the member.
    #[error("the member has no pod uid; without one only the rule 'address' can prove a death")]
    NoPodUid,
    /// Nobody answered at its addresses.
    #[error("nobody else answers at its addresses")]
    NoAnswer,
    /// What answered was not asked at one of its addresses.
    #[error("{address}, where another node answers, is not an address of the member")]
    OtherAddress {
        /// Where it was asked.
        address: SocketAddr,
    },
    /// What answered at its address is another pod, or does not say which.
    #[error("{address} is answered by {}, another pod", NamedUid(.pod_uid.as_ref()))]
    OtherPod {
        /// Where it answered.
        address: SocketAddr,
        /// The pod uid it named.
        pod_uid: Option<PodUid>,
    },
    /// The question was sent before the member was lost.
    #[error("{what} was asked before the loss")]
    AskedTooEarly {
        /// What was asked: `its address` or `its pod`.
        what: &'static str,
    },
    /// The pod was not read.
    #[error("its pod was not read")]
    PodNotRead,
    /// The pod could not be read.
    #[error("its pod could not be read: {cause}")]
    PodUnknown {
        /// Why not.
        cause: FinderCause,
    },
    /// What was read, or what was last seen, is another pod.
    #[error("what was read is pod {pod_uid}, another one")]
    ReadOtherPod {
        /// The uid that was read.
        pod_uid: PodUid,
    },
    /// The object was asked for under a name that it was not seen under.
    #[error("its pod was asked for as {asked} but was last seen as {seen}")]
    AskedByOtherName {
        /// The name that was asked for.
        asked: NodeName,
        /// The name it was seen under.
        seen: NodeName,
    },
    /// No ended run of our container is reported.
    #[error("no ended run of its container is reported")]
    NoEndedRun,
    /// The ended run is not surely the one that the member belonged to.
    #[error(
        "the container's run from {run_started_at} to {run_finished_at} does not surely hold the \
         member's start at {member_started_at}"
    )]
    OtherRun {
        /// When the run started.
        run_started_at: UnixSeconds,
        /// When it ended.
        run_finished_at: UnixSeconds,
        /// When the member started.
        member_started_at: UnixMillis,
    },
    /// The container runs, or may, and nothing shows that this is a later run than the member's.
    #[error("its container may run, and was not seen to restart since the member was one")]
    MayStillRun,
    /// The pod's object exists.
    #[error("its pod object exists")]
    PodExists,
    /// The object is gone and was never seen, so that a mark on it would have been missed.
    #[error("its pod object is gone but was never seen, so what was on it is unknown")]
    NeverSeen,
    /// The object was last seen too long before it was found gone, so that a mark may be missed.
    #[error(
        "its pod object was last seen {} s before it was found gone, more than {} s",
        .ago.as_secs(), LAST_SEEN_AGE_MAX.as_secs()
    )]
    SeenTooLongAgo {
        /// How long before.
        ago: Duration,
    },
    /// The object was last seen with the mark of a deletion that does not wait for the kubelet.
    #[error("its pod object was last seen disrupted: {reason}")]
    Disrupted {
        /// The mark's reason.
        reason: Arc<str>,
    },
    /// The object was last seen as a lost machine leaves it.
    #[error("its pod object was last seen not ready although every container was: a lost machine")]
    MachineLost,
    /// The object was last seen with containers that had not ended.
    #[error("its pod object was last seen with containers that had not ended")]
    ContainersNotEnded,
}

fn in_a_row(doubts: &[Doubt]) -> String {
    let doubts: Vec<String> = doubts.iter().map(ToString::to_string).collect();
    doubts.join("; ")
}

struct NamedUid<'a>(Option<&'a PodUid>);

impl fmt::Display for NamedUid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(uid) => write!(f, "pod {uid}"),
            None => f.write_str("a process that names no pod"),
        }
    }
}
