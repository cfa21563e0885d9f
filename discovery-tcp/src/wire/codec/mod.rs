//! One frame's payload to a message and back. Each family of messages has a file of its own, as in
//! `message/`; this one holds the envelope.
//!
//! What is written is what is read again, but for texts for people, which are cut to a limit, and
//! what means nothing on another machine (the scope of an IPv6 address).

mod change;
mod deciding;
mod evidence;
mod forming;
mod greeting;
mod joining;
mod topology;
mod values;
mod watching;

use discovery_proto::ring::v1::{self, envelope::Kind};
use prost::Message as _;

use super::error::DecodeError;
use crate::message::Message;

/// A value that has a message of its own in the contract.
trait Wire: Sized {
    /// That message.
    type Form;

    /// The value as the contract has it.
    fn form(&self) -> Self::Form;

    /// Checks what came from elsewhere.
    fn read(form: Self::Form) -> Result<Self, DecodeError>;
}

/// The payload of the frame that carries this message.
pub fn encode(message: &Message) -> Vec<u8> {
    encode_after(message, 0)
}

/// The payload behind `room` bytes that are zero so far.
pub(super) fn encode_after(message: &Message, room: usize) -> Vec<u8> {
    let envelope = v1::Envelope {
        kind: Some(kind(message)),
    };
    let mut bytes = Vec::with_capacity(room + envelope.encoded_len());
    bytes.resize(room, 0);
    envelope.encode_raw(&mut bytes);
    bytes
}

/// The message that a frame's payload carries.
///
/// # Errors
///
/// If it carries none: [`DecodeError::UnknownKind`] if a newer node may mean something by it, which
/// is no reason to close the link; else what is wrong, and with which field.
pub fn decode(payload: &[u8]) -> Result<Message, DecodeError> {
    if payload.is_empty() {
        return Err(DecodeError::Empty);
    }
    match v1::Envelope::decode(payload)?.kind {
        Some(kind) => message(kind),
        None => Err(DecodeError::UnknownKind {
            number: first_field(payload)?,
        }),
    }
}

/// The number of the first field of a protobuf message.
fn first_field(payload: &[u8]) -> Result<u32, DecodeError> {
    // A length and a field's key are written alike; the key's last three bits are its type.
    let key = prost::decode_length_delimiter(payload)?;
    Ok(u32::try_from(key >> 3).unwrap_or(u32::MAX))
}

fn kind(message: &Message) -> Kind {
    match message {
        Message::Hello(it) => Kind::Hello(it.form()),
        Message::HelloAnswer(it) => Kind::HelloAnswer(it.form()),
        Message::Refusal(it) => Kind::Refusal(it.form()),
        Message::Rumour(it) => Kind::Rumour(it.form()),
        Message::Defer(it) => Kind::Defer(it.form()),
        Message::Granted(it) => Kind::Granted(it.form()),
        Message::Wait(it) => Kind::Wait(it.form()),
        Message::IsMember(it) => Kind::IsMember(it.form()),
        Message::Found(it) => Kind::Found(it.form()),
        Message::RecoverAsk(it) => Kind::RecoverAsk(it.form()),
        Message::RecoverAnswer(it) => Kind::RecoverAnswer(it.form()),
        Message::Join(it) => Kind::Join(it.form()),
        Message::JoinAnswer(it) => Kind::JoinAnswer(it.form()),
        Message::DialBack(it) => Kind::DialBack(it.form()),
        Message::DialBackResult(it) => Kind::DialBackResult(it.form()),
        Message::Snapshot(it) => Kind::Snapshot(it.form()),
        Message::SnapshotAck(it) => Kind::SnapshotAck(it.form()),
        Message::Propose(it) => Kind::Propose(it.form()),
        Message::Accepted(it) => Kind::Accepted(it.form()),
        Message::Superseded(it) => Kind::Superseded(it.form()),
        Message::Fetch(it) => Kind::Fetch(it.form()),
        Message::Decided(it) => Kind::Decided(it.form()),
        Message::PromiseAsk(it) => Kind::PromiseAsk(it.form()),
        Message::Promise(it) => Kind::Promise(it.form()),
        Message::PromiseRefused(it) => Kind::PromiseRefused(it.form()),
        Message::Leave(it) => Kind::Leave(it.form()),
        Message::Publish(it) => Kind::Publish(it.form()),
        Message::PublishRefused(it) => Kind::PublishRefused(it.form()),
        Message::Heartbeat(it) => Kind::Heartbeat(it.form()),
        Message::Alert(it) => Kind::Alert(it.form()),
        Message::Goodbye(it) => Kind::Goodbye(it.form()),
    }
}

fn message(kind: Kind) -> Result<Message, DecodeError> {
    Ok(match kind {
        Kind::Hello(it) => Message::Hello(Wire::read(it)?),
        Kind::HelloAnswer(it) => Message::HelloAnswer(Wire::read(it)?),
        Kind::Refusal(it) => Message::Refusal(Wire::read(it)?),
        Kind::Rumour(it) => Message::Rumour(Wire::read(it)?),
        Kind::Defer(it) => Message::Defer(Wire::read(it)?),
        Kind::Granted(it) => Message::Granted(Wire::read(it)?),
        Kind::Wait(it) => Message::Wait(Wire::read(it)?),
        Kind::IsMember(it) => Message::IsMember(Wire::read(it)?),
        Kind::Found(it) => Message::Found(Wire::read(it)?),
        Kind::RecoverAsk(it) => Message::RecoverAsk(Wire::read(it)?),
        Kind::RecoverAnswer(it) => Message::RecoverAnswer(Wire::read(it)?),
        Kind::Join(it) => Message::Join(Wire::read(it)?),
        Kind::JoinAnswer(it) => Message::JoinAnswer(Wire::read(it)?),
        Kind::DialBack(it) => Message::DialBack(Wire::read(it)?),
        Kind::DialBackResult(it) => Message::DialBackResult(Wire::read(it)?),
        Kind::Snapshot(it) => Message::Snapshot(Wire::read(it)?),
        Kind::SnapshotAck(it) => Message::SnapshotAck(Wire::read(it)?),
        Kind::Propose(it) => Message::Propose(Wire::read(it)?),
        Kind::Accepted(it) => Message::Accepted(Wire::read(it)?),
        Kind::Superseded(it) => Message::Superseded(Wire::read(it)?),
        Kind::Fetch(it) => Message::Fetch(Wire::read(it)?),
        Kind::Decided(it) => Message::Decided(Wire::read(it)?),
        Kind::PromiseAsk(it) => Message::PromiseAsk(Wire::read(it)?),
        Kind::Promise(it) => Message::Promise(Wire::read(it)?),
        Kind::PromiseRefused(it) => Message::PromiseRefused(Wire::read(it)?),
        Kind::Leave(it) => Message::Leave(Wire::read(it)?),
        Kind::Publish(it) => Message::Publish(Wire::read(it)?),
        Kind::PublishRefused(it) => Message::PublishRefused(Wire::read(it)?),
        Kind::Heartbeat(it) => Message::Heartbeat(Wire::read(it)?),
        Kind::Alert(it) => Message::Alert(Wire::read(it)?),
        Kind::Goodbye(it) => Message::Goodbye(Wire::read(it)?),
    })
}
