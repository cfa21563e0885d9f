//! Readers at different places of the messages.

use discovery_core::{ClusterId, Epoch};

use super::*;

fn topology(version: u64) -> TopologyId {
    TopologyId {
        cluster_id: ClusterId::from_u128(7),
        epoch: Epoch(5),
        version: TopologyVersion::new(version).unwrap(),
    }
}

fn at(version: u64, position: u64) -> MessageCursor {
    let topology = topology(version);
    MessageCursor { topology, position }
}

fn message(version: u64, position: u64) -> FeedMessage {
    FeedMessage {
        cursor: at(version, position),
        topic: Topic::new("t").unwrap(),
        key: "".into(),
        payload: vec![0; 100].into(),
        publisher: NodeId::from_u128(1),
    }
}

/// The messages of a node that founded and has delivered these, all under the first topology.
fn founded(positions: &[u64]) -> Messages {
    let mut messages = Messages::new(4, 100_000);
    messages.start_over(topology(1), SnapshotCause::Start);
    for position in positions {
        messages.message(message(1, *position), true);
    }
    messages
}

/// Everything that a reader is told now.
fn told(messages: &Messages, place: &mut Place) -> Vec<String> {
    let mut all = Vec::new();
    let words = |at: MessageCursor| format!("{}:{}", at.topology.version, at.position);
    while let Some(told) = messages.next(place) {
        all.push(match told {
            MessageTold::Message(message) => words(message.cursor),
            MessageTold::Checkpoint(cursor) => format!("to {}", words(cursor)),
            MessageTold::Gap(cause, cursor) => format!("{cause:?} to {}", words(cursor)),
        });
    }
    all
}

#[test]
fn a_reader_without_a_place_begins_now_and_is_told_where_that_is() {
    let mut messages = founded(&[2, 3]);
    let mut place = messages.begin(None);
    assert_eq!(told(&messages, &mut place), ["to 1:3"]);
    messages.message(message(1, 5), true);
    messages.changed(topology(2), false);
    assert_eq!(told(&messages, &mut place), ["1:5", "to 2:5"]);
}

#[test]
fn a_reader_who_returns_goes_on_behind_what_it_was_told() {
    let messages = founded(&[2, 3, 5]);
    let mut place = messages.begin(Some(at(1, 2)));
    assert_eq!(told(&messages, &mut place), ["to 1:2", "1:3", "1:5"]);
}

#[test]
fn a_repetition_is_not_told_and_yet_passed() {
    let mut messages = founded(&[2]);
    messages.message(message(1, 3), false);
    assert!(messages.is_past(at(1, 3)) && !messages.is_past(at(1, 4)));
    assert_eq!(
        told(&messages, &mut messages.begin(Some(at(1, 0)))),
        ["to 1:0", "1:2"]
    );
}

#[test]
fn what_is_no_longer_kept_is_a_gap_for_who_returns_and_for_who_is_slow() {
    let mut messages = founded(&[]);
    let mut slow = messages.begin(Some(at(1, 0)));
    for position in 2..8 {
        messages.message(message(1, position), true);
    }
    let expected = ["Behind to 1:3", "1:4", "1:5", "1:6", "1:7"];
    assert_eq!(told(&messages, &mut slow), expected);
    assert_eq!(
        told(&messages, &mut messages.begin(Some(at(1, 2)))),
        expected
    );
    assert_eq!(
        told(&messages, &mut messages.begin(Some(at(1, 3))))[0],
        "to 1:3"
    );
}

#[test]
fn bytes_are_limited_too() {
    let mut messages = Messages::new(100, 1_000);
    messages.start_over(topology(1), SnapshotCause::Start);
    for position in 2..50 {
        messages.message(message(1, position), true);
    }
    assert!(messages.bytes <= 1_000 && messages.kept.len() < 10);
}

#[test]
fn who_comes_from_before_this_node_joined_may_have_missed_something() {
    let mut messages = Messages::new(4, 100_000);
    messages.start_over(topology(3), SnapshotCause::Start);
    messages.message(message(3, 9), true);
    let from = |at| told(&messages, &mut messages.begin(Some(at)))[0].clone();
    assert_eq!(from(at(2, 4)), "Behind to 3:0");
    assert_eq!(
        from(at(3, 8)),
        "Behind to 3:0",
        "decided before the node was let in, perhaps"
    );
    assert_eq!(from(at(3, 9)), "to 3:9");
    assert_eq!(from(at(4, 0)), "to 4:0");
}

#[test]
fn another_epoch_and_another_cluster_are_gaps_and_a_later_epoch_is_waited_for() {
    let messages = founded(&[2]);
    let mut other = at(1, 2);
    other.topology.epoch = Epoch(4);
    assert_eq!(
        told(&messages, &mut messages.begin(Some(other)))[0],
        "NewEpoch to 1:0"
    );
    other.topology.epoch = Epoch(6);
    assert_eq!(
        told(&messages, &mut messages.begin(Some(other)))[0],
        "to 1:2"
    );
    other.topology.cluster_id = ClusterId::from_u128(8);
    assert_eq!(
        told(&messages, &mut messages.begin(Some(other)))[0],
        "OtherCluster to 1:0"
    );
}
