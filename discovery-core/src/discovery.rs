//! What a membership implementation gives its user: where it stands, what happens, publishing and
//! leaving. The protocol implements it; the node and Rust programs use it.

use std::fmt;
use std::sync::Arc;

use crate::event::TopologyEvent;
use crate::finder::BoxFuture;
use crate::identity::{NodeId, checked_text};
use crate::node::NodeInfo;
use crate::topology::Topology;
use crate::version::TopologyId;

/// Most bytes of one published message unless configured otherwise.
pub const PAYLOAD_BYTES_MAX: usize = 64 * 1024;

/// Longest topic in bytes.
pub const TOPIC_BYTES_MAX: usize = 128;

checked_text! {
    /// What a published message is about, for subscribers to choose by.
    ///
    /// 1 to [`TOPIC_BYTES_MAX`] bytes, no space, no control character.
    Topic, "topic", TOPIC_BYTES_MAX
}

/// Where the local node stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(tag = "standing", rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Standing {
    /// Not a member yet: it looks for one, forms, or waits to be admitted.
    NotYetMember {
        /// What it waits for, for people.
        waiting_for: Arc<str>,
    },
    /// A member, and a majority of its topology is heard.
    Member {
        /// The topology in force.
        topology: Topology,
    },
    /// A member whose topology's majority is not heard; nothing is decided until it is.
    WithoutQuorum {
        /// The last topology installed. It may be stale: a part of it may have gone on without us.
        stale: Topology,
    },
    /// No longer a member by decision; it takes a new node id and joins again by itself.
    Removed {
        /// The last topology that held it.
        last: Topology,
    },
    /// It left, or its implementation was stopped; nothing will ever happen again.
    Left,
    /// A mistake in its implementation ended it, and the others remove it; nothing will ever happen
    /// again. What went wrong is in the log; a new process helps, and a report of the mistake.
    Failed,
}

impl Standing {
    /// Every stable name, in the order of declaration.
    pub const NAMES: [&str; 6] = [
        "not_yet_member",
        "member",
        "without_quorum",
        "removed",
        "left",
        "failed",
    ];

    /// Whether nothing will ever happen again.
    pub fn is_over(&self) -> bool {
        match self {
            Self::Left | Self::Failed => true,
            Self::NotYetMember { .. }
            | Self::Member { .. }
            | Self::WithoutQuorum { .. }
            | Self::Removed { .. } => false,
        }
    }

    /// The last topology known, stale or not.
    pub fn topology(&self) -> Option<&Topology> {
        match self {
            Self::Member { topology } => Some(topology),
            Self::WithoutQuorum { stale } => Some(stale),
            Self::Removed { last } => Some(last),
            Self::NotYetMember { .. } | Self::Left | Self::Failed => None,
        }
    }

    /// Whether decisions can be made here now.
    pub fn has_quorum(&self) -> bool {
        match self {
            Self::Member { .. } => true,
            Self::NotYetMember { .. }
            | Self::WithoutQuorum { .. }
            | Self::Removed { .. }
            | Self::Left
            | Self::Failed => false,
        }
    }

    /// The stable name: `not_yet_member`, `member`, `without_quorum`, `removed`, `left` or
    /// `failed`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NotYetMember { .. } => "not_yet_member",
            Self::Member { .. } => "member",
            Self::WithoutQuorum { .. } => "without_quorum",
            Self::Removed { .. } => "removed",
            Self::Left => "left",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A published message as it is delivered: once, in the same order at every member (P2, P6).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// What it is about.
    pub topic: Topic,
    /// What it says.
    pub payload: Arc<[u8]>,
    /// Who published it.
    pub publisher: NodeId,
    /// The topology in force when it was decided.
    pub topology: TopologyId,
    /// Its place in the log of this epoch.
    pub position: u64,
}

impl Message {
    /// Puts a decided message together.
    pub fn new(
        topic: Topic,
        payload: Arc<[u8]>,
        publisher: NodeId,
        topology: TopologyId,
        position: u64,
    ) -> Self {
        Self {
            topic,
            payload,
            publisher,
            topology,
            position,
        }
    }
}

/// Why a subscriber is given a whole topology in place of the events that led to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SnapshotCause {
    /// It asked for no starting point, or the local node became a member just now.
    Start,
    /// It read too slowly, or came back too late: events and messages in between are skipped.
    Behind,
    /// A recovery opened a new epoch: messages in between are unknown, and changes may have been
    /// taken back.
    NewEpoch,
    /// It came from another cluster.
    OtherCluster,
}

/// What a subscription yields, one after the other in the order of decision.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// The topology to go on from. First of all unless the subscription resumes without a gap;
    /// later only after a gap. What was told before it no longer counts.
    Snapshot {
        /// The topology.
        topology: Topology,
        /// Why it is given.
        cause: SnapshotCause,
    },
    /// The next change was decided; the one before it was told just before, or in a snapshot.
    Changed(TopologyEvent),
    /// A message was decided under the topology told last.
    Message(Message),
    /// The local node stands otherwise. Nothing was decided by that; a topology that it carries was
    /// told before.
    Standing(Standing),
}

/// A running subscription; dropping it ends it.
pub trait Subscription: Send + fmt::Debug {
    /// Waits for the next delivery; none once the local node has left.
    ///
    /// Deliveries wait in a queue of a fixed length. Who lets it overflow gets a
    /// [`Delivery::Snapshot`] with [`SnapshotCause::Behind`] in place of what was lost.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no delivery: the next call returns it.
    fn next(&mut self) -> BoxFuture<'_, Option<Delivery>>;
}

/// A message was decided; every member that stays delivers it once, within its epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Published {
    /// The topology in force when it was decided.
    pub topology: TopologyId,
    /// Its place in the log of this epoch.
    pub position: u64,
}

impl Published {
    /// Puts the answer to a publication together.
    pub fn new(topology: TopologyId, position: u64) -> Self {
        Self { topology, position }
    }
}

/// Why a message was not reported decided.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The local node is not a member. Nothing was published; a retry helps once it is.
    #[error("not a member, so nothing can be published; wait until the node has joined")]
    NotAMember,
    /// No majority is heard. Nothing was published; a retry helps once it is back.
    #[error("without quorum, so nothing can be published; retry when the majority is back")]
    NoQuorum,
    /// The local node is leaving. Nothing was published, and nothing will be.
    #[error("the node is leaving; publish through another one")]
    Leaving,
    /// The message is too large. Nothing was published; the same message is refused again.
    #[error("the message has {bytes} bytes; the limit is {bytes_max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// Too many messages wait to be decided. Nothing was published; retry after some were.
    #[error("{waiting_max} messages wait to be decided, the limit; retry after a pause")]
    Busy {
        /// The limit.
        waiting_max: usize,
    },
    /// It may or may not be decided: the quorum was lost, an epoch opened, or the limit passed,
    /// while it was under way. A retry may publish it twice.
    #[error("the outcome is unknown: {why}; it may have been published")]
    OutcomeUnknown {
        /// What happened.
        why: Arc<str>,
    },
}

/// Why leaving was not reported decided. The node goes either way; the others then notice by
/// themselves.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LeaveError {
    /// The local node is not a member. There is nothing to leave; a retry does not help.
    #[error("not a member, so there is nothing to leave")]
    NotAMember,
    /// The leave was not decided within its limit. A retry does not help; the others will find the
    /// node gone.
    #[error("the leave was not decided within its limit; the others will find the node gone")]
    NotDecided,
}

/// Membership, as a program uses it: who is in, what happens, publishing and leaving.
pub trait Discovery: Send + Sync + fmt::Debug {
    /// The local node in its present run; a new node id after it was removed and joins again.
    fn local_node(&self) -> NodeInfo;

    /// Where the local node stands now, with the topology it knows; never waits.
    fn standing(&self) -> Standing;

    /// The last topology known, stale or not; [`standing`](Self::standing) tells which.
    fn topology(&self) -> Option<Topology> {
        self.standing().topology().cloned()
    }

    /// Subscribes to everything decided after this topology, or from now on, starting with a
    /// snapshot. What can no longer be told one by one starts with a snapshot too.
    fn subscribe(&self, after: Option<TopologyId>) -> Box<dyn Subscription>;

    /// Publishes a message to all members and waits until it is decided.
    ///
    /// # Errors
    ///
    /// If it is refused, in which case nothing was published, or if its outcome is unknown.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the outcome unknown; the message may be decided all the same.
    fn publish(
        &self,
        topic: Topic,
        payload: Arc<[u8]>,
    ) -> BoxFuture<'_, Result<Published, PublishError>>;

    /// Announces that the local node leaves, and waits until that is decided (LEAVE).
    ///
    /// # Errors
    ///
    /// If there is nothing to leave, or it was not decided within its limit.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the announcement back.
    fn leave(&self) -> BoxFuture<'_, Result<(), LeaveError>>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::alone;

    #[test]
    fn every_standing_has_the_name_of_its_place() {
        let all = [
            Standing::NotYetMember {
                waiting_for: Arc::from("others"),
            },
            Standing::Member { topology: alone() },
            Standing::WithoutQuorum { stale: alone() },
            Standing::Removed { last: alone() },
            Standing::Left,
            Standing::Failed,
        ];
        assert_eq!(all.map(|standing| standing.as_str()), Standing::NAMES);
    }
}
