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
            return Ok(answer(first, true));
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
            return Ok(answer(own, false));
        }
        // Another try may have been decided before this one; then that one was delivered.
        let first = self.feed.first_with(&key, own).await.unwrap_or(own);
        Ok(answer(first, first.position != own.position))
    }
}

fn answer(place: MessageCursor, was_repeated: bool) -> v1::PublishResponse {
    v1::PublishResponse {
        cursor: Some(cursor(place.topology, place.position)),
        was_repeated,
    }
}
