//! Every kind of message, and every branch within a kind, frozen in `kinds.txt`: a line for each
//! sample, the name of its kind before its bytes.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::samples::samples;
use super::{assert_frozen, encode};
use crate::message::Message;
use crate::wire::arbitrary::KINDS;

const FROZEN: &str = include_str!("kinds.txt");

/// The line that freezes a message.
fn line(message: &Message) -> String {
    let mut line = format!("{} ", message.kind());
    for byte in encode(message) {
        let _ = write!(line, "{byte:02x}");
    }
    line
}

#[test]
fn every_kind_of_message_is_frozen() {
    let kinds: BTreeSet<_> = samples().iter().map(Message::kind).collect();
    assert_eq!(kinds, BTreeSet::from(KINDS));
}

#[test]
fn every_frozen_line_is_read_and_written_as_it_was() {
    let (samples, frozen) = (samples(), FROZEN.lines().collect::<Vec<_>>());
    for (message, frozen) in samples.iter().zip(&frozen) {
        let (kind, bytes) = frozen.split_once(' ').unwrap();
        assert_eq!(
            kind,
            message.kind(),
            "samples stand in the order of the lines"
        );
        assert_frozen(bytes, message);
    }
    let new: Vec<_> = samples.iter().skip(frozen.len()).map(line).collect();
    assert!(new.is_empty(), "not frozen yet:\n{}", new.join("\n"));
    assert_eq!(frozen.len(), samples.len());
}
