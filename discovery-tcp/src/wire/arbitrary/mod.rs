//! Any message, for properties of the codec: all kinds, all branches, and the edges of numbers.

mod deciding;
mod forming;
mod greeting;
mod joining;
mod values;
mod watching;

pub(super) use deciding::decision;
use proptest::prelude::*;
use proptest::strategy::Union;
pub(super) use values::topology;

use crate::message::Message;

/// Any message of any kind.
pub(super) fn message() -> impl Strategy<Value = Message> {
    Union::new(kinds())
}

/// For each kind of message, any message of that kind.
pub(super) fn kinds() -> Vec<BoxedStrategy<Message>> {
    vec![
        greeting::introduction().prop_map(Message::Hello).boxed(),
        greeting::introduction()
            .prop_map(Message::HelloAnswer)
            .boxed(),
        greeting::refusal().prop_map(Message::Refusal).boxed(),
        greeting::rumour().prop_map(Message::Rumour).boxed(),
        greeting::goodbye().prop_map(Message::Goodbye).boxed(),
        forming::defer().prop_map(Message::Defer).boxed(),
        forming::granted().prop_map(Message::Granted).boxed(),
        forming::wait().prop_map(Message::Wait).boxed(),
        forming::is_member().prop_map(Message::IsMember).boxed(),
        forming::found().prop_map(Message::Found).boxed(),
        forming::recover_ask().prop_map(Message::RecoverAsk).boxed(),
        forming::recover_answer()
            .prop_map(Message::RecoverAnswer)
            .boxed(),
        joining::join().prop_map(Message::Join).boxed(),
        joining::join_answer().prop_map(Message::JoinAnswer).boxed(),
        joining::dial_back().prop_map(Message::DialBack).boxed(),
        joining::dial_back_result()
            .prop_map(Message::DialBackResult)
            .boxed(),
        joining::snapshot().prop_map(Message::Snapshot).boxed(),
        joining::snapshot_ack()
            .prop_map(Message::SnapshotAck)
            .boxed(),
        joining::leave().prop_map(Message::Leave).boxed(),
        deciding::propose().prop_map(Message::Propose).boxed(),
        deciding::accepted().prop_map(Message::Accepted).boxed(),
        deciding::superseded().prop_map(Message::Superseded).boxed(),
        deciding::fetch().prop_map(Message::Fetch).boxed(),
        deciding::decided().prop_map(Message::Decided).boxed(),
        deciding::promise_ask()
            .prop_map(Message::PromiseAsk)
            .boxed(),
        deciding::promise().prop_map(Message::Promise).boxed(),
        deciding::promise_refused()
            .prop_map(Message::PromiseRefused)
            .boxed(),
        deciding::publish().prop_map(Message::Publish).boxed(),
        deciding::publish_refused()
            .prop_map(Message::PublishRefused)
            .boxed(),
        watching::heartbeat().prop_map(Message::Heartbeat).boxed(),
        watching::alert().prop_map(Message::Alert).boxed(),
    ]
}

/// The names of all kinds, in the order of the alphabet.
pub(super) const KINDS: [&str; 31] = [
    "accepted",
    "alert",
    "decided",
    "defer",
    "dial_back",
    "dial_back_result",
    "fetch",
    "found",
    "goodbye",
    "granted",
    "heartbeat",
    "hello",
    "hello_answer",
    "is_member",
    "join",
    "join_answer",
    "leave",
    "promise",
    "promise_ask",
    "promise_refused",
    "propose",
    "publish",
    "publish_refused",
    "recover_answer",
    "recover_ask",
    "refusal",
    "rumour",
    "snapshot",
    "snapshot_ack",
    "superseded",
    "wait",
];
