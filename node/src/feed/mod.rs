//! What users of the API are told, in order: one task follows the node and keeps the last changes
//! and messages once for everybody, so that a thousand readers cost no more memory than one, and a
//! slow one costs nothing.
//!
//! | module | what it holds |
//! |---|---|
//! | `envelope` | an idempotency key beside a payload, as they travel |
//! | `keys` | the keys that were delivered lately |
//! | `changes` | topologies and changes, for readers at different places |
//! | `messages` | messages, for readers at different places |
//! | `task` | the task that follows the node |

mod changes;
mod envelope;
mod keys;
mod messages;
mod task;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use discovery_core::{Discovery, Evidence, Member, TopologyId, UnixMillis};
use discovery_tcp::TcpDiscovery;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;

pub(crate) use changes::{ChangeReader, Told};
pub(crate) use envelope::{KEY_BYTES_MAX, seal};
pub(crate) use messages::{FeedMessage, MessageCursor, MessageReader, MessageTold};

use crate::config::ServiceLimits;
use changes::Changes;
use keys::Keys;
use messages::Messages;

/// How many messages with a key are remembered, so that none of them is delivered again.
pub const KEYS_MAX: usize = 4096;

/// Most removals that are kept for whoever asks how things are.
pub const REMOVALS_MAX: usize = 16;

/// Longest wait for the own message to come by once it was decided.
const COMES_BY_LIMIT: Duration = Duration::from_secs(2);

/// A member that was removed, and when that was learned here.
#[derive(Clone, Debug)]
pub(crate) struct SeenRemoval {
    pub(crate) member: Member,
    pub(crate) evidence: Evidence,
    pub(crate) topology: discovery_core::Topology,
    pub(crate) at: UnixMillis,
}

/// The feed of one node; clones share it, and the last one ends its task.
#[derive(Clone, Debug)]
pub struct Feed {
    inner: Arc<Inner>,
    _task: Arc<Task>,
}

#[derive(Debug)]
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    /// Counts what was added; readers wait on it. Closed by nobody: readers end with the node.
    news: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    changes: Changes,
    messages: Messages,
    keys: Keys,
    removals: VecDeque<SeenRemoval>,
    is_over: bool,
}

impl Feed {
    /// Starts to follow a node and keeps as much for readers as these limits allow. Must be called
    /// inside a tokio runtime.
    pub fn start(discovery: &TcpDiscovery, limits: ServiceLimits) -> Self {
        let inner = Arc::new(Inner::new(limits));
        let deliveries = discovery.subscribe(None);
        let standing = discovery.standing();
        let task = tokio::spawn(task::follow(Arc::clone(&inner), deliveries, standing));
        Self {
            inner,
            _task: Arc::new(Task(task.abort_handle())),
        }
    }

    /// Starts to read changes after this topology, or from a snapshot on.
    pub(crate) fn read_changes(&self, from: Option<TopologyId>) -> ChangeReader {
        let reader = self.inner.lock().changes.begin(from);
        ChangeReader::new(Arc::clone(&self.inner), self.inner.news.subscribe(), reader)
    }

    /// Starts to read messages after this place, or from now on.
    pub(crate) fn read_messages(&self, from: Option<MessageCursor>) -> MessageReader {
        let reader = self.inner.lock().messages.begin(from);
        MessageReader::new(Arc::clone(&self.inner), self.inner.news.subscribe(), reader)
    }

    /// Where a message with this key was delivered, if it is still remembered.
    pub(crate) fn delivered(&self, key: &str) -> Option<MessageCursor> {
        self.inner.lock().keys.delivered(key)
    }

    /// Waits until what was decided up to this place has come by here, and says where the first
    /// message with this key was delivered; none if that cannot be told.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub(crate) async fn first_with(
        &self,
        key: &str,
        place: MessageCursor,
    ) -> Option<MessageCursor> {
        let mut news = self.inner.news.subscribe();
        let come_by = async {
            loop {
                news.borrow_and_update();
                if self.inner.lock().is_past(place) {
                    return self.delivered(key);
                }
                if news.changed().await.is_err() {
                    return None;
                }
            }
        };
        timeout(COMES_BY_LIMIT, come_by).await.ok().flatten()
    }

    /// The last removals, the newest last.
    pub(crate) fn removals(&self) -> Vec<SeenRemoval> {
        self.inner.lock().removals.iter().cloned().collect()
    }
}

impl State {
    /// Whether everything up to this place has come by, or never will.
    fn is_past(&self, place: MessageCursor) -> bool {
        self.is_over || self.messages.is_past(place)
    }
}

impl Inner {
    fn new(limits: ServiceLimits) -> Self {
        Self {
            state: Mutex::new(State {
                changes: Changes::new(limits.history_max),
                messages: Messages::new(limits.history_max, limits.history_bytes_max),
                keys: Keys::new(KEYS_MAX),
                removals: VecDeque::new(),
                is_over: false,
            }),
            news: watch::Sender::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes the readers.
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.news.send_modify(|count| *count += 1);
    }
}

/// The wall time now: what users are told has the time at which it was learned.
pub(crate) fn now() -> UnixMillis {
    UnixMillis(Timestamp::now().as_millisecond())
}

#[cfg(test)]
mod tests {
    use discovery_core::{NodeId, Topic};

    use super::*;

    /// A feed that nobody fills but the test.
    fn feed() -> Feed {
        Feed {
            inner: Arc::new(Inner::new(ServiceLimits::default())),
            _task: Arc::new(Task(tokio::spawn(async {}).abort_handle())),
        }
    }

    fn comes_by(feed: &Feed, key: &str, position: u64) {
        let message = FeedMessage {
            cursor: MessageCursor::sample(position),
            topic: Topic::new("t").unwrap(),
            key: key.into(),
            payload: Box::default(),
            publisher: NodeId::from_u128(1),
        };
        feed.inner.change(|state| {
            let is_first = state.keys.is_first(key, MessageCursor::sample(position));
            state.messages.message(message, is_first);
        });
    }

    #[tokio::test]
    async fn a_message_that_does_not_come_by_in_time_tells_nothing_of_its_key() {
        let feed = feed();
        comes_by(&feed, "other", 4);
        assert_eq!(feed.first_with("k", MessageCursor::sample(5)).await, None);
        comes_by(&feed, "k", 5);
        assert_eq!(
            feed.first_with("k", MessageCursor::sample(5)).await,
            Some(MessageCursor::sample(5))
        );
        comes_by(&feed, "k", 6);
        assert_eq!(
            feed.first_with("k", MessageCursor::sample(6)).await,
            Some(MessageCursor::sample(5))
        );
    }
}
