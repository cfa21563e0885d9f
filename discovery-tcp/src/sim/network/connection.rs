//! One connection of a run: its two sides, and the lane that leads away from each.

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::Moment;
use crate::message::Shared;
use crate::ring::LinkId;
use crate::sim::platform::PodId;
use crate::sim::process::ProcessId;

/// One connection of a run; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConnectionId(pub(super) u32);

/// One of the two sides of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// Who dialled.
    Dialler,
    /// Who accepted.
    Acceptor,
}

impl Side {
    /// The other one.
    #[must_use]
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Dialler => Self::Acceptor,
            Self::Acceptor => Self::Dialler,
        }
    }

    pub(super) const fn place(self) -> usize {
        match self {
            Self::Dialler => 0,
            Self::Acceptor => 1,
        }
    }
}

/// What is under way on a connection.
#[derive(Debug)]
pub(crate) enum Parcel {
    Message(Shared),
    /// Nothing follows.
    End,
}

/// How a side stands to the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndState {
    Waiting,
    Open,
    Closed,
}

/// One side of a connection, and the lane that leads away from it.
#[derive(Debug)]
pub(super) struct End {
    pub(super) process: ProcessId,
    pub(super) pod: PodId,
    pub(super) link: LinkId,
    pub(super) state: EndState,
    /// Its machine is gone, so not even a kernel answers.
    pub(super) is_lost: bool,
    pub(super) lane: Lane,
}

/// One direction, from the side that sends.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// What is sent next arrives after this.
    pub(super) last_arrival: Moment,
    /// What arrives after this is lost.
    pub(super) lost_after: Option<Moment>,
    /// What waits for the way to open.
    pub(super) stalled: VecDeque<Parcel>,
    pub(super) stalled_since: Option<Moment>,
    /// Whether a directed schedule holds it back.
    pub(super) held: bool,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) dialled: SocketAddr,
    pub(super) ends: [End; 2],
}
