//! The bounded queue between the protocol's task and one link, and the orders that go with it.
//! Writing is left to `link.rs`.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Most frames that wait to be sent on one link; one more and the link is closed.
pub(super) const QUEUED_FRAMES_MAX: usize = 256;

/// How many of the longest frames may wait to be sent on one link, by their bytes.
pub(super) const QUEUED_LONGEST_MAX: usize = 4;

/// Most messages of one link that wait for the protocol's task; the link reads no further before
/// some are handled, so that TCP holds the other side back.
pub(super) const UNHANDLED_MESSAGES_MAX: usize = 64;

/// The bytes of one frame, its length in front; one message on many links is encoded once.
pub(super) type Frame = Arc<[u8]>;

/// What the protocol's task wants of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Carry frames.
    Carry,
    /// Send what is queued, then close.
    Close,
    /// Close at once.
    Drop,
}

/// The queue is full; nothing was queued.
#[derive(Debug)]
pub(super) struct Full;

/// What the protocol's task and one link share.
#[derive(Debug)]
pub(super) struct Outbox {
    state: Mutex<State>,
    /// Messages that the link handed on and the protocol's task has not handled yet.
    unhandled: AtomicUsize,
}

/// The protocol's hold of a link. Let go of, however that comes about, the link ends at once unless
/// it was told how to: no link outlives those that could ever say anything on it.
#[derive(Debug)]
pub(super) struct Held(Arc<Outbox>);

impl Held {
    pub(super) fn new(outbox: Arc<Outbox>) -> Self {
        Self(outbox)
    }
}

impl Deref for Held {
    type Target = Arc<Outbox>;

    fn deref(&self) -> &Arc<Outbox> {
        &self.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

#[derive(Debug)]
struct State {
    queued: VecDeque<Frame>,
    /// Frames and bytes that the link took and has not written yet.
    taken: (usize, usize),
    queued_bytes: usize,
    queued_bytes_max: usize,
    order: Order,
    /// The link's task, while it waits for anything.
    link: Option<Waker>,
}

impl Outbox {
    /// For a link whose frames have at most so many bytes.
    pub(super) fn new(frame_bytes_max: usize) -> Self {
        Self {
            state: Mutex::new(State {
                queued: VecDeque::new(),
                taken: (0, 0),
                queued_bytes: 0,
                queued_bytes_max: QUEUED_LONGEST_MAX * frame_bytes_max,
                order: Order::Carry,
                link: None,
            }),
            unhandled: AtomicUsize::new(0),
        }
    }

    /// Queues a frame, unless too much waits already. What is sent on a link that is being closed
    /// is dropped.
    pub(super) fn send(&self, frame: Frame) -> Result<(), Full> {
        let mut state = self.lock();
        match state.order {
            Order::Carry => {}
            Order::Close | Order::Drop => return Ok(()),
        }
        let (frames, bytes) = (
            state.queued.len() + state.taken.0,
            state.queued_bytes + state.taken.1,
        );
        let fits = bytes == 0 || bytes + frame.len() <= state.queued_bytes_max;
        if frames >= QUEUED_FRAMES_MAX || !fits {
            return Err(Full);
        }
        state.queued_bytes += frame.len();
        state.queued.push_back(frame);
        wake(state);
        Ok(())
    }

    /// Orders the link to close; an order is never taken back for a milder one.
    pub(super) fn order(&self, order: Order) {
        let mut state = self.lock();
        match (state.order, order) {
            (Order::Drop, _) | (Order::Close, Order::Carry) => {}
            (Order::Carry | Order::Close, order) => state.order = order,
        }
        wake(state);
    }

    /// Ends the link at once, unless it was told already how to end.
    fn abandon(&self) {
        let order = self.lock().order;
        if order == Order::Carry {
            self.order(Order::Drop);
        }
    }

    /// The link's side: everything it took before is written. Takes what is queued, says what the
    /// order is, and remembers whom to wake when either changes.
    pub(super) fn take(&self, cx: &Context<'_>, into: &mut VecDeque<Frame>) -> Order {
        let mut state = self.lock();
        state.taken = (state.queued.len(), state.queued_bytes);
        state.queued_bytes = 0;
        std::mem::swap(&mut state.queued, into);
        state.remember(cx);
        state.order
    }

    /// The link's side while it has frames left to write: only the order.
    pub(super) fn peek(&self, cx: &Context<'_>) -> Order {
        let mut state = self.lock();
        state.remember(cx);
        state.order
    }

    /// Ready once the link is ordered to close, in whatever way.
    pub(super) fn poll_over(&self, cx: &Context<'_>) -> Poll<()> {
        match self.peek(cx) {
            Order::Carry => Poll::Pending,
            Order::Close | Order::Drop => Poll::Ready(()),
        }
    }

    /// The link's side: one more message was handed on.
    pub(super) fn handed_on(&self) {
        self.unhandled.fetch_add(1, Ordering::AcqRel);
    }

    /// The protocol's side: one message was handled. A link that waits for that is woken when half
    /// of what it may hand on is handled.
    pub(super) fn handled(&self) {
        let before = self.unhandled.fetch_sub(1, Ordering::AcqRel);
        if before == UNHANDLED_MESSAGES_MAX / 2 {
            wake(self.lock());
        }
    }

    /// The link's side: whether it may read on. It must have called [`take`](Self::take) or
    /// [`peek`](Self::peek) in this poll, or nobody wakes it.
    pub(super) fn may_read(&self) -> bool {
        self.unhandled.load(Ordering::Acquire) < UNHANDLED_MESSAGES_MAX
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock; if it did, the state would be whole all the same.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remember(&mut self, cx: &Context<'_>) {
        match &self.link {
            Some(waker) if waker.will_wake(cx.waker()) => {}
            Some(_) | None => self.link = Some(cx.waker().clone()),
        }
    }
}

/// Wakes the link's task, after the lock is free.
fn wake(mut state: MutexGuard<'_, State>) {
    let waker = state.link.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
