//! The streams: changes of the topology, and messages. A stream holds its place in the feed and one
//! permit, and is counted; what waits for a slow reader is the feed's history, and nothing of its
//! own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use discovery_core::{Topic, UnixMillis};
use discovery_proto::convert::{cursor, timestamp};
use discovery_proto::discovery::v1;
use futures_util::stream::{Stream, unfold};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::refusals::Refusal;
use super::{Api, topology_id};
use crate::feed::{ChangeReader, FeedMessage, MessageCursor, MessageReader, MessageTold, Told};
use crate::view::traffic::{OpenStream, Traffic};

/// Most messages of other topics that pass a reader, and most of their bytes, before it is told
/// where it is: a quarter of what is kept unless set otherwise, so that who comes back finds it.
const SKIPPED_MAX: usize = 256;
const SKIPPED_BYTES_MAX: usize = 1024 * 1024;

/// The answers of a stream.
pub(super) type AnswerStream<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Follows the topology.
pub(super) fn watch(
    api: &Api,
    request: &v1::WatchTopologyRequest,
) -> Result<AnswerStream<v1::WatchTopologyResponse>, Status> {
    let from = request.from.as_ref().map(topology_id).transpose()?;
    let reader = Changes {
        reader: api.feed.read_changes(from),
        traffic: api.view.traffic().clone(),
    };
    stream(api, reader)
}

/// Follows messages.
pub(super) fn subscription(
    api: &Api,
    request: v1::SubscribeRequest,
) -> Result<AnswerStream<v1::SubscribeResponse>, Status> {
    let topic = match request.topic.as_str() {
        "" => None,
        text => Some(Topic::new(text).map_err(|error| Refusal::Invalid {
            field: "topic",
            what: error.to_string(),
        })?),
    };
    let from = request.from.map(message_cursor).transpose()?;
    let reader = Messages {
        reader: api.feed.read_messages(from),
        traffic: api.view.traffic().clone(),
        topic,
        skipped: Skipped::default(),
    };
    stream(api, reader)
}

fn message_cursor(from: v1::Cursor) -> Result<MessageCursor, Status> {
    let topology = from.topology.ok_or_else(|| Refusal::Invalid {
        field: "from",
        what: "a cursor has a topology; give one that was told, whole".to_owned(),
    })?;
    Ok(MessageCursor {
        topology: topology_id(&topology)?,
        position: from.position,
    })
}

/// What a stream is read from.
trait Source: Send + 'static {
    type Answer: Send + 'static;

    /// The next answer; none once the node has ended.
    fn next(&mut self) -> impl Future<Output = Option<Self::Answer>> + Send;
}

struct Changes {
    reader: ChangeReader,
    traffic: Traffic,
}

impl Source for Changes {
    type Answer = v1::WatchTopologyResponse;

    async fn next(&mut self) -> Option<Self::Answer> {
        let (at, told) = self.reader.next().await?;
        if let Told::Snapshot(_, cause) = &told {
            self.traffic.gap(*cause);
        }
        Some(change_answer(at, &told))
    }
}

struct Messages {
    reader: MessageReader,
    traffic: Traffic,
    topic: Option<Topic>,
    skipped: Skipped,
}

/// What has passed a reader since it was told where it is.
#[derive(Debug, Default)]
struct Skipped {
    messages: usize,
    bytes: usize,
}

impl Skipped {
    /// One more passes; whether the reader is to be told now where it is.
    fn is_enough_with(&mut self, message: &FeedMessage) -> bool {
        self.messages += 1;
        self.bytes += message.payload.len();
        let is_enough = self.messages >= SKIPPED_MAX || self.bytes >= SKIPPED_BYTES_MAX;
        if is_enough {
            *self = Self::default();
        }
        is_enough
    }
}

impl Source for Messages {
    type Answer = v1::SubscribeResponse;

    async fn next(&mut self) -> Option<Self::Answer> {
        loop {
            let told = self.reader.next().await?;
            if let MessageTold::Gap(cause, _) = &told {
                self.traffic.gap(*cause);
            }
            match (&told, &self.topic) {
                (MessageTold::Message(message), Some(topic)) if message.topic != *topic => {
                    if self.skipped.is_enough_with(message) {
                        let here = MessageTold::Checkpoint(message.cursor);
                        return Some(message_answer(&here));
                    }
                }
                _ => {
                    self.skipped = Skipped::default();
                    return Some(message_answer(&told));
                }
            }
        }
    }
}

/// What holds a stream: its source, its permit and what ends it.
struct Running<S> {
    source: S,
    ending: CancellationToken,
    /// Both end with it.
    _held: (OpenStream, OwnedSemaphorePermit),
}

/// A stream of a source, unless there are too many or the node is about to end.
fn stream<S: Source>(api: &Api, source: S) -> Result<AnswerStream<S::Answer>, Status> {
    if api.ending.is_cancelled() {
        return Err(Refusal::ShuttingDown.into());
    }
    let permit = Arc::clone(&api.streams)
        .try_acquire_owned()
        .map_err(|_| Refusal::TooManyStreams)?;
    let running = Running {
        source,
        ending: api.ending.clone(),
        _held: (api.view.traffic().stream(), permit),
    };
    let answers = unfold(Some(running), |running| async {
        let mut running = running?;
        // No limit: a stream goes on until either side ends.
        let answer = tokio::select! {
            biased;
            () = running.ending.cancelled() => None,
            answer = running.source.next() => answer,
        };
        Some(match answer {
            Some(answer) => (Ok(answer), Some(running)),
            None => (Err(Refusal::ShuttingDown.into()), None),
        })
    });
    Ok(Box::pin(answers))
}

fn change_answer(at: UnixMillis, told: &Told) -> v1::WatchTopologyResponse {
    use v1::watch_topology_response::Kind;
    let kind = match told {
        Told::Snapshot(topology, cause) => Kind::Snapshot(v1::Snapshot {
            topology: Some(topology.into()),
            cause: v1::SnapshotCause::from(*cause).into(),
        }),
        Told::Changed(event) => Kind::Change((&**event).into()),
        Told::Standing(standing) => Kind::Standing(standing.into()),
    };
    v1::WatchTopologyResponse {
        kind: Some(kind),
        at: Some(timestamp(at)),
    }
}

fn message_answer(told: &MessageTold) -> v1::SubscribeResponse {
    use v1::subscribe_response::Kind;
    let place = |place: MessageCursor| Some(cursor(place.topology, place.position));
    let kind = match told {
        MessageTold::Message(message) => Kind::Message(published(message)),
        MessageTold::Checkpoint(here) => Kind::Checkpoint(v1::Checkpoint {
            cursor: place(*here),
        }),
        MessageTold::Gap(cause, here) => Kind::Gap(v1::Gap {
            cause: v1::SnapshotCause::from(*cause).into(),
            resumed: place(*here),
        }),
    };
    v1::SubscribeResponse { kind: Some(kind) }
}

fn published(message: &FeedMessage) -> v1::PublishedMessage {
    v1::PublishedMessage {
        cursor: Some(cursor(message.cursor.topology, message.cursor.position)),
        topic: message.topic.to_string(),
        payload: message.payload.to_vec(),
        publisher: message.publisher.to_string(),
        idempotency_key: message.key.to_string(),
    }
}
