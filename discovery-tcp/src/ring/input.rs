//! Everything the world can tell a ring.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use discovery_core::{Census, FinderError, NodeId, PodFact, SeedReport, Topic};

use crate::message::Message;

/// Names one link of one ring. The ring draws the even numbers for links it asks for; whoever
/// accepts links draws odd ones, never one twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link {}", self.0)
    }
}

impl fmt::Debug for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a link that was asked for did not come into being.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DialFailure {
    /// The connection was refused.
    Refused,
    /// No answer within the dial timeout.
    TimedOut,
    /// The network knows no way.
    Unreachable,
    /// The local node could not dial, for want of room for a link, of open files or of ports. It
    /// says nothing of the other end (CUT-6).
    NotTried,
}

/// One thing that happened. Inputs are told in the order in which they happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input {
    /// The moment that [`next_deadline`](super::Ring::next_deadline) named has come. Harmless if it
    /// has not.
    Deadline,
    /// Somebody opened a link.
    LinkAccepted {
        /// Its odd number.
        link: LinkId,
        /// From where.
        from: SocketAddr,
    },
    /// A link that was asked for is open.
    LinkOpened {
        /// Which.
        link: LinkId,
    },
    /// A link that was asked for did not open; its number is not heard of again.
    LinkFailed {
        /// Which.
        link: LinkId,
        /// Why.
        failure: DialFailure,
    },
    /// A link ended, by the other side or by trouble; never told of a link that the ring closed.
    LinkClosed {
        /// Which.
        link: LinkId,
    },
    /// A message came in over an open link.
    Received {
        /// Which.
        link: LinkId,
        /// The message.
        message: Message,
    },
    /// What came in over a link is no message; the ring closes it.
    Undecodable {
        /// Which.
        link: LinkId,
    },
    /// The finder says something new.
    Seeds(SeedReport),
    /// The listing that was asked for; that of another round is dropped.
    Listing {
        /// The round.
        round: u64,
        /// The listing.
        result: Result<Census, FinderError>,
    },
    /// What the platform says of a pod that was asked for.
    PodFact {
        /// The number of the question.
        question: u64,
        /// The fact.
        fact: PodFact,
    },
    /// The application publishes; a [`Notice::Published`](super::Notice) with the number follows.
    Publish {
        /// The application's number for it.
        request: u64,
        /// The topic.
        topic: Topic,
        /// The payload.
        payload: Arc<[u8]>,
    },
    /// The application leaves; [`Notice::Left`](super::Notice) follows within the leave limit.
    Leave,
    /// An operator removes a member.
    Remove {
        /// Whom.
        node: NodeId,
        /// Why, in the operator's words.
        reason: String,
    },
    /// An operator forces a recovery: a new cluster id, with those that answer.
    ForceRecovery,
}
