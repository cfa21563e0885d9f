//! Publishing, with a key that makes retries safe. What exactly holds is told in the contract.

use std::sync::Arc;

use discovery_core::{Discovery as _, Topic};
use discovery_proto::convert::cursor;
use discovery_proto::discovery::v1;
use tonic::Status;

use super::Api;
use super::refusals::Refusal;
use crate::feed::{KEY_BYTES_MAX, MessageCursor, seal};

impl Api {
    /// Publishes a message unless one with its key was delivered here before.
    pub(super) async fn publish_once(
        &self,
        request: v1::PublishRequest,
    ) -> Result<v1::PublishResponse, Status> {
        let topic = Topic::new(&request.topic).map_err(|error| Refusal::Invalid {
            field: "topic",
            what: error.to_string(),
        })?;
        let key = request.idempotency_key;
        if key.len() > KEY_BYTES_MAX {
            let (field, bytes) = ("idempotency_key", key.len());
            let what = format!("has {bytes} bytes; the limit is {KEY_BYTES_MAX}");
            return Err(Refusal::Invalid { field, what }.into());
        }
        if let Some(first) = self.feed.delivered(&key) {
            return Ok(answer(first, Tries::Before));
        }
        let payload: Arc<[u8]> = seal(&key, &request.payload).into();
        let (bytes, bytes_max) = (payload.len(), self.payload_bytes_max);
        if bytes > bytes_max {
            return Err(Refusal::TooLarge { bytes, bytes_max }.into());
        }
        let published = self.discovery.publish(topic, payload).await;
        let published = published.map_err(Refusal::from)?;
        let own = MessageCursor {
            topology: published.topology,
            position: published.position,
        };
        if key.is_empty() {
            return Ok(answer(own, Tries::None));
        }
        // Another try may have been decided before this one; then that one was delivered.
        Ok(told(own, self.feed.first_with(&key, own).await))
    }
}

/// What is known of other tries with the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tries {
    /// None was decided before.
    None,
    /// One was decided before.
    Before,
    /// It is not known.
    Unknown,
}

/// The answer where this try was decided here, and the first one with its key there.
fn told(own: MessageCursor, first: Option<MessageCursor>) -> v1::PublishResponse {
    match first {
        Some(first) if first.position == own.position => answer(own, Tries::None),
        Some(first) => answer(first, Tries::Before),
        None => answer(own, Tries::Unknown),
    }
}

fn answer(place: MessageCursor, tries: Tries) -> v1::PublishResponse {
    v1::PublishResponse {
        cursor: Some(cursor(place.topology, place.position)),
        was_repeated: tries == Tries::Before,
        repetition_unknown: tries == Tries::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_of_other_tries_is_not_denied() {
        let judged = |first: Option<u64>| {
            let answer = told(MessageCursor::sample(5), first.map(MessageCursor::sample));
            let position = answer.cursor.unwrap().position;
            (position, answer.was_repeated, answer.repetition_unknown)
        };
        assert_eq!(judged(Some(5)), (5, false, false));
        assert_eq!(judged(Some(3)), (3, true, false));
        assert_eq!(judged(None), (5, false, true));
    }
}
