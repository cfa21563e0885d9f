//! Everything a ring can ask of the world.

use std::net::SocketAddr;
use std::sync::Arc;

use discovery_core::{
    LeaveError, Message as Delivered, NodeInfo, PodRef, PublishError, Published, SnapshotCause,
    Standing, Topology, TopologyEvent, TopologyId,
};

use super::input::LinkId;
use crate::message::{CloseReason, Message};

/// One thing to be done, in the order in which outputs are polled.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Output {
    /// Open a link; `LinkOpened` or `LinkFailed` follows within the dial timeout.
    OpenLink {
        /// Its even number.
        link: LinkId,
        /// Where to.
        to: SocketAddr,
    },
    /// Close a link after what was sent on it before; nothing more is told of it.
    CloseLink {
        /// Which.
        link: LinkId,
        /// Why.
        reason: CloseReason,
    },
    /// Send a message; it may be lost with its link. A driver whose queue for the link is full
    /// closes it and tells `LinkClosed`.
    Send {
        /// On which.
        link: LinkId,
        /// What. The same `Arc` may be sent on many links one after the other.
        message: Arc<Message>,
    },
    /// Keep a watch of the finder from now on, or drop it.
    WatchSeeds(bool),
    /// Ask the finder for one listing of its own; `Listing` with this round must follow.
    AskListing {
        /// The round.
        round: u64,
    },
    /// Ask the finder for a pod; `PodFact` with this number must follow.
    AskPod {
        /// The number of the question.
        question: u64,
        /// The pod.
        pod: PodRef,
    },
    /// Tell the application.
    Emit(Notice),
    /// A step that no other output tells, for the simulator's checkers; nothing is to be done.
    #[cfg(feature = "sim")]
    Observed(super::Observation),
}

/// One thing the application is told.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Notice {
    /// The local node has a new node id: at its start, and when it joins again after a removal.
    Identity(NodeInfo),
    /// It stands otherwise. Nothing was decided by that.
    Standing(Standing),
    /// A topology is in force here that no event led to.
    Installed {
        /// The topology.
        topology: Topology,
        /// Why there is no event.
        cause: SnapshotCause,
        /// Everything up to this position is in it.
        position: u64,
    },
    /// A change was decided.
    Changed(TopologyEvent),
    /// A message was decided.
    Message(Delivered),
    /// What became of a publication.
    Published {
        /// The application's number.
        request: u64,
        /// What became of it.
        result: Result<Published, PublishError>,
    },
    /// Leaving has ended: decided, or given up. Nothing follows it.
    Left(Result<(), LeaveError>),
    /// Another cluster of the same name was met (MEET); told once for each.
    MetOtherCluster {
        /// Ours.
        ours: TopologyId,
        /// Theirs.
        theirs: TopologyId,
    },
    /// A fresh listing does not hold the local pod (K2 is violated, or the Service was changed).
    NotListed,
    /// Accused for long without being removed (CUT).
    Contested(NodeInfo),
    /// An operator's command was refused.
    Refused {
        /// Why.
        why: String,
    },
}
