//! The last messages of a node, for readers at different places. Where messages may be missing is
//! known by the topology from which on all of them were delivered here.

use std::collections::VecDeque;
use std::sync::Arc;

use discovery_core::{Message, NodeId, SnapshotCause, Topic, TopologyId, TopologyVersion};
use tokio::sync::watch;

use super::{Inner, envelope};

/// A place in the messages of a cluster: behind everything up to here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageCursor {
    /// The topology in force there.
    pub(crate) topology: TopologyId,
    /// The place in the log of its epoch.
    pub(crate) position: u64,
}

impl MessageCursor {
    /// A place in the first topology of some cluster.
    #[cfg(test)]
    pub(crate) fn sample(position: u64) -> Self {
        let topology = TopologyId {
            cluster_id: discovery_core::ClusterId::from_u128(1),
            epoch: discovery_core::Epoch(1),
            version: TopologyVersion::FIRST,
        };
        Self { topology, position }
    }

    /// Whether both are places of one log, whose positions compare.
    fn is_beside(&self, other: &Self) -> bool {
        let log = |place: &Self| (place.topology.cluster_id, place.topology.epoch);
        log(self) == log(other)
    }
}

/// A message as it is kept.
#[derive(Debug, PartialEq)]
pub(crate) struct FeedMessage {
    pub(crate) cursor: MessageCursor,
    pub(crate) topic: Topic,
    pub(crate) key: Box<str>,
    pub(crate) payload: Box<[u8]>,
    pub(crate) publisher: NodeId,
}

impl FeedMessage {
    pub(super) fn of(message: &Message) -> Self {
        let (key, payload) = envelope::open(&message.payload);
        Self {
            cursor: place_of(message),
            topic: message.topic.clone(),
            key: key.into(),
            payload: payload.into(),
            publisher: message.publisher,
        }
    }

    fn weight(&self) -> usize {
        self.payload.len() + self.key.len() + size_of::<Self>()
    }
}

/// Where a message was decided.
pub(super) fn place_of(message: &Message) -> MessageCursor {
    MessageCursor {
        topology: message.topology,
        position: message.position,
    }
}

/// What a reader is told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum MessageTold {
    /// A message.
    Message(Arc<FeedMessage>),
    /// All was told up to here.
    Checkpoint(MessageCursor),
    /// Something may be missing up to here.
    Gap(SnapshotCause, MessageCursor),
}

/// What is kept, numbered without holes.
#[derive(Debug)]
pub(super) struct Messages {
    kept: VecDeque<MessageTold>,
    first: u64,
    kept_max: usize,
    bytes: usize,
    bytes_max: usize,
    /// Where the newest entry is.
    latest: Option<MessageCursor>,
    whole_from: Option<Whole>,
}

/// From where on nothing is missing: everything behind it was delivered here and is kept.
#[derive(Clone, Copy, Debug)]
struct Whole {
    from: MessageCursor,
    /// Whether the position is known. A node that joined may have missed messages that were decided
    /// under the very topology that let it in; then the first position that came by is known.
    is_exact: bool,
    first: Option<u64>,
}

impl Whole {
    /// Whether everything behind this place of the same log is known.
    fn covers(&self, place: MessageCursor) -> bool {
        let (version, from) = (place.topology.version, self.from.topology.version);
        let is_known = if self.is_exact {
            place.position >= self.from.position
        } else {
            self.first.is_some_and(|first| place.position >= first)
        };
        version > from || version == from && is_known
    }
}

/// Where a reader is.
#[derive(Debug)]
pub(super) struct Place {
    begin: Option<MessageTold>,
    next: u64,
    /// What it has heard elsewhere.
    heard: Option<MessageCursor>,
}

impl Messages {
    pub(super) fn new(kept_max: usize, bytes_max: usize) -> Self {
        Self {
            kept: VecDeque::new(),
            first: 0,
            kept_max,
            bytes: 0,
            bytes_max,
            latest: None,
            whole_from: None,
        }
    }

    fn end(&self) -> u64 {
        self.first + u64::try_from(self.kept.len()).unwrap_or(u64::MAX)
    }

    /// A topology is in force that no change led to: what was decided meanwhile is not known.
    pub(super) fn start_over(&mut self, topology: TopologyId, cause: SnapshotCause) {
        // Positions of another log say nothing about this one.
        let position = self
            .latest
            .filter(|latest| {
                latest.is_beside(&MessageCursor {
                    topology,
                    position: 0,
                })
            })
            .map_or(0, |latest| latest.position);
        let here = MessageCursor { topology, position };
        self.latest = Some(here);
        self.first = self.end();
        self.kept.clear();
        self.bytes = 0;
        let is_exact = cause == SnapshotCause::Start && topology.version == TopologyVersion::FIRST
            || cause == SnapshotCause::NewEpoch;
        self.whole_from = Some(Whole {
            from: here,
            is_exact,
            first: None,
        });
        let told = match cause {
            SnapshotCause::Start => MessageTold::Checkpoint(here),
            cause => MessageTold::Gap(cause, here),
        };
        self.keep(told);
    }

    /// A change was decided.
    pub(super) fn changed(&mut self, topology: TopologyId, is_new_epoch: bool) {
        if is_new_epoch {
            return self.start_over(topology, SnapshotCause::NewEpoch);
        }
        let position = self.latest.map_or(0, |latest| latest.position);
        let here = MessageCursor { topology, position };
        self.latest = Some(here);
        self.keep(MessageTold::Checkpoint(here));
    }

    /// A message came by; it is kept unless it is a repetition.
    pub(super) fn message(&mut self, message: FeedMessage, is_first: bool) {
        self.latest = Some(message.cursor);
        if let Some(whole) = &mut self.whole_from {
            whole.first.get_or_insert(message.cursor.position);
        }
        if is_first {
            self.keep(MessageTold::Message(Arc::new(message)));
        }
    }

    fn keep(&mut self, told: MessageTold) {
        self.bytes += weight(&told);
        self.kept.push_back(told);
        while self.kept.len() > self.kept_max || self.bytes > self.bytes_max {
            let Some(oldest) = self.kept.pop_front() else {
                break;
            };
            self.first += 1;
            self.bytes -= weight(&oldest);
            match oldest {
                MessageTold::Message(message) => {
                    self.whole_from = Some(Whole {
                        from: message.cursor,
                        is_exact: true,
                        first: None,
                    });
                }
                MessageTold::Checkpoint(_) | MessageTold::Gap(..) => {}
            }
        }
    }

    /// Whether everything up to this place has come by, or never will.
    pub(super) fn is_past(&self, place: MessageCursor) -> bool {
        self.latest
            .is_some_and(|latest| !latest.is_beside(&place) || latest.position >= place.position)
    }

    /// Where a reader begins who was told everything up to this place, or nothing.
    pub(super) fn begin(&self, from: Option<MessageCursor>) -> Place {
        let (begin, next) = match (self.latest, self.whole_from, from) {
            (None, _, _) | (_, None, _) => (None, self.end()),
            (Some(latest), _, None) => (Some(MessageTold::Checkpoint(latest)), self.end()),
            (Some(latest), Some(whole_from), Some(from)) => match gap(from, whole_from, latest) {
                None => (Some(MessageTold::Checkpoint(from)), self.first),
                Some(cause) => (Some(MessageTold::Gap(cause, whole_from.from)), self.first),
            },
        };
        Place {
            begin,
            next,
            heard: from,
        }
    }

    /// The next thing to tell to a reader, if there is any.
    fn next(&self, place: &mut Place) -> Option<MessageTold> {
        if place.next < self.first {
            let here = self.whole_from?.from;
            place.next = self.first;
            place.begin = Some(MessageTold::Gap(SnapshotCause::Behind, here));
        }
        if let Some(told) = place.begin.take() {
            return Some(told);
        }
        while place.next < self.end() {
            let index = usize::try_from(place.next - self.first).ok()?;
            place.next += 1;
            let told = self.kept.get(index)?;
            if place.wants(told) {
                return Some(told.clone());
            }
        }
        None
    }
}

fn weight(told: &MessageTold) -> usize {
    match told {
        MessageTold::Message(message) => message.weight(),
        MessageTold::Checkpoint(_) | MessageTold::Gap(..) => size_of::<MessageTold>(),
    }
}

impl Place {
    /// Whether a reader has not heard this yet.
    fn wants(&mut self, told: &MessageTold) -> bool {
        let (here, is_heard) = match told {
            MessageTold::Message(message) => (message.cursor, self.heard),
            MessageTold::Checkpoint(cursor) => (*cursor, self.heard),
            MessageTold::Gap(_, cursor) => (*cursor, None),
        };
        let Some(heard) = is_heard.filter(|heard| heard.is_beside(&here)) else {
            return true;
        };
        match told {
            MessageTold::Message(_) => here.position > heard.position,
            MessageTold::Checkpoint(_) | MessageTold::Gap(..) => {
                here.position >= heard.position && here.topology > heard.topology
            }
        }
    }
}

/// Why messages may be missing behind `from`, if they may.
fn gap(from: MessageCursor, whole_from: Whole, latest: MessageCursor) -> Option<SnapshotCause> {
    if from.topology.cluster_id != latest.topology.cluster_id {
        return Some(SnapshotCause::OtherCluster);
    }
    if from.topology.epoch > latest.topology.epoch {
        // It comes from a node that is further than this one is; nothing to tell yet.
        return None;
    }
    if from.topology.epoch < latest.topology.epoch {
        return Some(SnapshotCause::NewEpoch);
    }
    (!whole_from.covers(from)).then_some(SnapshotCause::Behind)
}

/// Reads messages.
#[derive(Debug)]
pub(crate) struct MessageReader {
    inner: Arc<Inner>,
    news: watch::Receiver<u64>,
    place: Place,
}

impl MessageReader {
    pub(super) fn new(inner: Arc<Inner>, news: watch::Receiver<u64>, place: Place) -> Self {
        Self { inner, news, place }
    }

    /// Waits for the next thing to tell; none once the node has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: the next call returns it.
    pub(crate) async fn next(&mut self) -> Option<MessageTold> {
        loop {
            self.news.borrow_and_update();
            {
                let state = self.inner.lock();
                if let Some(told) = state.messages.next(&mut self.place) {
                    return Some(told);
                }
                if state.is_over {
                    return None;
                }
            }
            self.news.changed().await.ok()?;
        }
    }
}

#[cfg(test)]
#[path = "messages_tests.rs"]
mod tests;
