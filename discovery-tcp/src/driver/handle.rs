//! What an application holds of a running node.

use std::sync::Arc;
use std::time::Duration;

use discovery_core::{
    BoxFuture, Discovery, LeaveError, NodeId, NodeInfo, PublishError, Published, Standing,
    Subscription, Topic, TopologyId,
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::builder::TcpDiscoveryBuilder;
use super::command::Command;
use super::counters::DriverCounters;
use super::links::Links;
use super::subscribers::Subscribers;
use crate::ring::{RingCounters, Status};

/// How long past the leave limit the ring's answer is waited for.
const LEAVE_MARGIN: Duration = Duration::from_secs(1);

/// How long [`TcpDiscovery::shutdown`] waits for the sockets to be closed. What remains is closed
/// all the same.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(3);

/// A running node: a member of a cluster, or on its way to be one. Clones are the same node.
///
/// When the last clone is dropped, the node stops as if its process had been killed: the others
/// notice that it is gone. [`leave`](Discovery::leave) tells them instead.
#[derive(Clone, Debug)]
pub struct TcpDiscovery {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    commands: mpsc::Sender<Command>,
    subscribers: Arc<Subscribers>,
    links: Arc<Links>,
    /// Closes when the last socket is closed.
    ended: watch::Receiver<()>,
    payload_bytes_max: usize,
    leave_limit: Duration,
}

/// An operator's command was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// The node says why it cannot. Nothing was changed; a retry helps once that is mended.
    #[error("refused: {why}")]
    Refused {
        /// Why.
        why: String,
    },
    /// The node has stopped. A retry does not help.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// The node has stopped, so nobody is there to answer; a retry does not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the node has stopped")]
pub struct Stopped;

impl TcpDiscovery {
    /// Settings for a node, to be started with [`TcpDiscoveryBuilder::start`].
    ///
    /// ```
    /// use discovery_core::{Discovery, Standing};
    /// use discovery_tcp::{Formation, TcpDiscovery};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = TcpDiscovery::builder()
    ///     .name("ring-0")
    ///     .listen("127.0.0.1:0".parse()?)
    ///     .formation(Formation::Single)
    ///     .start()
    ///     .await?;
    /// node.standings().wait_for(Standing::has_quorum).await?;
    /// node.leave().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder() -> TcpDiscoveryBuilder {
        TcpDiscoveryBuilder::new()
    }

    pub(super) fn new(
        commands: mpsc::Sender<Command>,
        subscribers: Arc<Subscribers>,
        links: Arc<Links>,
        ended: watch::Receiver<()>,
        (payload_bytes_max, leave_limit): (usize, Duration),
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                commands,
                subscribers,
                links,
                ended,
                payload_bytes_max,
                leave_limit,
            }),
        }
    }

    /// Where the local node stands, as a watch: it sees the newest standing, not each one.
    ///
    /// The protocol's task waits for as long as what `borrow()` gives is held: clone what it shows,
    /// and let it go before you await or compute anything.
    ///
    /// It does not keep the node running; it closes some time after the node has stopped.
    pub fn standings(&self) -> watch::Receiver<Standing> {
        self.inner.subscribers.watch()
    }

    /// Everything a person would ask of a node: phase, term, coordinator, quorum, who accuses whom,
    /// what it waits for.
    ///
    /// # Errors
    ///
    /// If the node has stopped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn status(&self) -> Result<Status, Stopped> {
        let status = self.ask(|reply| Command::Status { reply }).await;
        status.ok_or(Stopped)
    }

    /// What the ring has counted since it was made.
    ///
    /// # Errors
    ///
    /// If the node has stopped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn ring_counters(&self) -> Result<RingCounters, Stopped> {
        let counters = self.ask(|reply| Command::Counters { reply }).await;
        counters.ok_or(Stopped)
    }

    /// What the driver has counted since it started; never waits.
    pub fn counters(&self) -> DriverCounters {
        self.inner.links.counters.read()
    }

    /// Proposes to remove a member, whatever its observers say; it joins again if it lives.
    ///
    /// Returns when the local node has taken the command; the removal itself appears as an event.
    ///
    /// # Errors
    ///
    /// If the node refuses, or has stopped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves open whether the command was taken.
    pub async fn remove(
        &self,
        node: NodeId,
        reason: impl Into<String>,
    ) -> Result<(), OperatorError> {
        let reason = reason.into();
        self.operate(|reply| Command::Remove {
            node,
            reason,
            reply,
        })
        .await
    }

    /// Opens a new cluster, under a new cluster id, with those members of the last topology that
    /// answer. Only for a quorum that is lost for good: whatever only the others know is given up,
    /// and if they still run there will be two clusters.
    ///
    /// Returns when the local node has taken the command; the recovery itself appears as a
    /// snapshot or event. One that comes to nothing is logged as a refused command, and the status
    /// says why under what is waited for; it may be repeated.
    ///
    /// # Errors
    ///
    /// If the node refuses, or has stopped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves open whether the command was taken.
    pub async fn force_recovery(&self) -> Result<(), OperatorError> {
        self.operate(|reply| Command::ForceRecovery { reply }).await
    }

    /// Stops the node without leaving, as dropping every handle does, and waits until its sockets
    /// are closed, for at most a few seconds.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the stop back.
    pub async fn shutdown(&self) {
        let mut ended = self.inner.ended.clone();
        let stop = async {
            // If it is not taken, the node has stopped already.
            let _ = self.inner.commands.send(Command::Stop).await;
            let _ = ended.changed().await;
        };
        let _ = timeout(SHUTDOWN_LIMIT, stop).await;
    }

    /// Makes the protocol go wrong, as a mistake in it would.
    #[cfg(test)]
    pub(super) async fn go_wrong(&self) {
        self.inner.commands.send(Command::Panic).await.unwrap();
    }

    #[cfg(test)]
    pub(super) fn has_no_links(&self) -> bool {
        self.inner.links.places.available_permits() == self.inner.links.places_max
    }

    async fn operate(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<(), String>>) -> Command,
    ) -> Result<(), OperatorError> {
        match self.ask(command).await {
            Some(Ok(())) => Ok(()),
            Some(Err(why)) => Err(OperatorError::Refused { why }),
            None => Err(Stopped.into()),
        }
    }

    /// Gives a command and waits for its answer; none if the node has stopped. The protocol's task
    /// never waits, so room in its queue is a matter of its next turn.
    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.inner.commands.send(command(reply)).await.ok()?;
        answer.await.ok()
    }
}

impl Discovery for TcpDiscovery {
    fn local_node(&self) -> NodeInfo {
        self.inner.subscribers.node()
    }

    fn standing(&self) -> Standing {
        self.inner.subscribers.standing()
    }

    fn subscribe(&self, after: Option<TopologyId>) -> Box<dyn Subscription> {
        Box::new(self.inner.subscribers.subscribe(after))
    }

    fn publish(
        &self,
        topic: Topic,
        payload: Arc<[u8]>,
    ) -> BoxFuture<'_, Result<Published, PublishError>> {
        let (bytes, bytes_max) = (payload.len(), self.inner.payload_bytes_max);
        if bytes > bytes_max {
            let refused = PublishError::TooLarge { bytes, bytes_max };
            return Box::pin(std::future::ready(Err(refused)));
        }
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            let command = Command::Publish {
                topic,
                payload,
                reply,
            };
            if self.inner.commands.send(command).await.is_err() {
                return Err(PublishError::NotAMember);
            }
            answer.await.unwrap_or_else(|_| {
                let why = Arc::from("the node stopped");
                Err(PublishError::OutcomeUnknown { why })
            })
        })
    }

    fn leave(&self) -> BoxFuture<'_, Result<(), LeaveError>> {
        Box::pin(async move {
            let limit = self.inner.leave_limit + LEAVE_MARGIN;
            match timeout(limit, self.ask(|reply| Command::Leave { reply })).await {
                Ok(Some(result)) => result,
                Ok(None) => Err(LeaveError::NotAMember),
                Err(_) => Err(LeaveError::NotDecided),
            }
        })
    }
}
