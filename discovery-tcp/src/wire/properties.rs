//! What holds of the codec and of frames for any message and any bytes.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::arbitrary::{KINDS, kinds, message};
use super::codec::{decode, encode};
use super::frame::{FRAME_BYTES_MAX, FrameDecoder, LENGTH_BYTES, encode_frame};
use crate::message::Message;

/// One thing that can happen to bytes on their way.
#[derive(Clone, Debug)]
enum Damage {
    Changed { at: Index, to: u8 },
    Cut { at: Index },
    Lost { at: Index, bytes: usize },
    Inserted { at: Index, bytes: Vec<u8> },
    Repeated { at: Index, bytes: usize },
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, to)| Damage::Changed { at, to }),
        at().prop_map(|at| Damage::Cut { at }),
        (at(), 1..20usize).prop_map(|(at, bytes)| Damage::Lost { at, bytes }),
        (at(), vec(any::<u8>(), 1..12)).prop_map(|(at, bytes)| Damage::Inserted { at, bytes }),
        (at(), 1..60usize).prop_map(|(at, bytes)| Damage::Repeated { at, bytes }),
    ]
}

fn damaged(mut payload: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        let len = payload.len();
        if len == 0 {
            break;
        }
        match damage {
            Damage::Changed { at, to } => payload[at.index(len)] = *to,
            Damage::Cut { at } => payload.truncate(at.index(len)),
            Damage::Lost { at, bytes } => {
                let start = at.index(len);
                payload.drain(start..len.min(start + bytes));
            }
            Damage::Inserted { at, bytes } => {
                let start = at.index(len);
                payload.splice(start..start, bytes.iter().copied());
            }
            Damage::Repeated { at, bytes } => {
                let start = at.index(len);
                let again = payload[start..len.min(start + bytes)].to_vec();
                payload.splice(start..start, again);
            }
        }
    }
    payload
}

/// Cuts bytes at these places.
fn pieces(bytes: &[u8], cuts: &[Index]) -> Vec<Vec<u8>> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.sort_unstable();
    places.push(bytes.len());
    let mut start = 0;
    let mut pieces = Vec::new();
    for place in places {
        pieces.push(bytes[start..place].to_vec());
        start = place;
    }
    pieces
}

#[test]
fn any_message_of_any_kind_is_drawn() {
    let mut runner = TestRunner::deterministic();
    let drawn: BTreeSet<&str> = kinds()
        .iter()
        .map(|kind| kind.new_tree(&mut runner).unwrap().current().kind())
        .collect();
    assert!(drawn.into_iter().eq(KINDS));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_message_is_read_as_it_was_written(message in message()) {
        prop_assert_eq!(decode(&encode(&message)), Ok(message));
    }

    #[test]
    fn any_bytes_give_a_message_or_a_refusal(bytes in vec(any::<u8>(), 0..300)) {
        // What is accepted means one thing: written again, it is read as the same.
        if let Ok(message) = decode(&bytes) {
            prop_assert_eq!(decode(&encode(&message)), Ok(message));
        }
    }

    #[test]
    fn damaged_messages_give_a_message_or_a_refusal(
        message in message(),
        damages in vec(damage(), 1..4),
    ) {
        let bytes = damaged(encode(&message), &damages);
        if let Ok(message) = decode(&bytes) {
            prop_assert_eq!(decode(&encode(&message)), Ok(message));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn frames_survive_whatever_pieces_they_come_in(
        messages in vec(message(), 0..6),
        cuts in vec(any::<Index>(), 0..30),
    ) {
        let mut sent = Vec::new();
        for message in &messages {
            sent.extend(encode_frame(message, FRAME_BYTES_MAX).unwrap());
        }
        let mut decoder = FrameDecoder::new(FRAME_BYTES_MAX);
        let mut read: Vec<Message> = Vec::new();
        for piece in pieces(&sent, &cuts) {
            let mut rest = piece.as_slice();
            while let Some(frame) = decoder.next_frame(&mut rest).unwrap() {
                read.push(decode(&frame).unwrap());
            }
            prop_assert!(rest.is_empty());
        }
        prop_assert_eq!(read, messages);
        prop_assert!(!decoder.is_within_frame());
    }

    #[test]
    fn any_bytes_give_frames_or_a_refusal(
        chunks in vec(vec(prop_oneof![Just(0u8), any::<u8>()], 0..40), 0..10),
    ) {
        let mut decoder = FrameDecoder::new(FRAME_BYTES_MAX);
        let fed: usize = chunks.iter().map(Vec::len).sum();
        let mut taken = 0;
        'link: for chunk in &chunks {
            let mut rest = chunk.as_slice();
            loop {
                match decoder.next_frame(&mut rest) {
                    Ok(Some(frame)) => {
                        prop_assert!(!frame.is_empty() && frame.len() <= FRAME_BYTES_MAX);
                        taken += LENGTH_BYTES + frame.len();
                    }
                    Ok(None) => break,
                    Err(refused) => {
                        prop_assert_eq!(decoder.next_frame(&mut rest), Err(refused));
                        break 'link;
                    }
                }
            }
        }
        prop_assert!(taken <= fed);
    }
}
