//! Everything that happens to a driver outside of its protocol task, queued for it in the order in
//! which it happened.
//!
//! Bounded by its writers: a link hands on at most `UNHANDLED_MESSAGES_MAX` messages before the
//! first is handled, there are at most `links_max` links, and each question to the finder is
//! answered once.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use discovery_core::{Census, FinderError, PodFact, SeedReport};

use super::outbox::Held;
use crate::message::Message;
use crate::ring::{DialFailure, LinkId};

/// Space for so many happenings is kept while little happens; what a burst took is given back.
const SPARE_CAPACITY: usize = 8;

/// One thing that happened.
#[derive(Debug)]
pub(super) enum Happening {
    /// Somebody opened a link, and it is secured.
    Accepted {
        link: LinkId,
        from: SocketAddr,
        outbox: Held,
    },
    /// A link that was asked for is open and secured.
    Opened { link: LinkId },
    /// A link that was asked for did not open.
    Failed { link: LinkId, failure: DialFailure },
    /// A message came in.
    Received { link: LinkId, message: Message },
    /// Bytes came in that are no message; nothing more is read.
    Undecodable { link: LinkId, why: String },
    /// A link ended by the other side or by trouble; a link of another node perhaps before it had
    /// said anything.
    Closed { link: LinkId, is_greeted: bool },
    /// The finder says something new, on the watch of this number.
    Seeds { watch: u64, report: SeedReport },
    /// The finder answers a question for a listing.
    Listing {
        round: u64,
        result: Result<Census, FinderError>,
    },
    /// The finder answers a question for a pod.
    PodFact { question: u64, fact: PodFact },
}

/// The queue: many writers, one reader.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    happenings: Vec<Happening>,
    reader: Option<Waker>,
    is_closed: bool,
}

impl Inbox {
    /// Adds what happened and wakes the reader.
    pub(super) fn push(&self, happening: Happening) {
        let mut state = self.lock();
        if state.is_closed {
            // What is dropped here may be a link, which then looks at other locks.
            drop(state);
            return;
        }
        state.happenings.push(happening);
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Ready once anything happened; takes nothing.
    pub(super) fn poll_any(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if !state.happenings.is_empty() {
            return Poll::Ready(());
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Takes everything that happened, in order. `batch` must be empty; its space is used again.
    pub(super) fn take(&self, batch: &mut Vec<Happening>) {
        debug_assert!(batch.is_empty(), "the last batch was handled");
        std::mem::swap(&mut self.lock().happenings, batch);
    }

    /// Nobody reads any more: what waits and what comes is dropped, and links with it.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        let unread = std::mem::take(&mut state.happenings);
        drop(state);
        drop(unread);
    }

    /// Gives back the space of a batch that was handled, where a burst left much of it.
    pub(super) fn recycle(batch: &mut Vec<Happening>, handled: usize) {
        if handled < SPARE_CAPACITY && batch.capacity() > SPARE_CAPACITY {
            batch.shrink_to(SPARE_CAPACITY);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock; if it did, the queue would be whole all the same.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
