//! What a handle asks of the protocol's task.

use std::sync::Arc;

use discovery_core::{LeaveError, NodeId, PublishError, Published, Topic};
use tokio::sync::oneshot;

use crate::ring::{RingCounters, Status};

/// Most commands that wait for the protocol's task; who gives one more waits for room.
pub(super) const COMMANDS_MAX: usize = 64;

/// One command, with where its answer goes. A command that is dropped without an answer was given
/// to a task that has ended.
#[derive(Debug)]
pub(super) enum Command {
    /// Decide a message.
    Publish {
        topic: Topic,
        payload: Arc<[u8]>,
        reply: oneshot::Sender<Result<Published, PublishError>>,
    },
    /// Leave.
    Leave {
        reply: oneshot::Sender<Result<(), LeaveError>>,
    },
    /// Remove a member.
    Remove {
        node: NodeId,
        reason: String,
        reply: oneshot::Sender<Result<(), String>>,
    },
    /// Open a new cluster with those that answer.
    ForceRecovery {
        reply: oneshot::Sender<Result<(), String>>,
    },
    /// Say where the ring stands.
    Status { reply: oneshot::Sender<Status> },
    /// Say what the ring has counted.
    Counters {
        reply: oneshot::Sender<RingCounters>,
    },
    /// Close everything without leaving.
    Stop,
    /// Go wrong, as a mistake in the protocol would.
    #[cfg(test)]
    Panic,
}
