//! What is refused and how it is named, and what a newer node may add without being refused.

use discovery_core::{AccusationKind, ClusterId, Epoch, NodeId, TopologyError, TopologyId};
use discovery_core::{IdentityError, MEMBERS_MAX, NodeInfoError, TopologyVersion, UnixMillis};
use discovery_proto::ring::v1::{self, envelope::Kind};
use prost::Message as _;

use super::codec::{decode, encode};
use super::error::{DecodeError, FrameError};
use super::frame::{FRAME_BYTES_MAX, FrameDecoder, HELLO_BYTES_MAX, LENGTH_BYTES};
use super::limits::{ACCUSATIONS_MAX, BITMAP_BYTES_MAX, ENTRIES_MAX, SKIP_MAX};
use crate::message::{Alert, Message, PublishRefused};

fn sent(kind: Kind) -> Result<Message, DecodeError> {
    decode(&v1::Envelope { kind: Some(kind) }.encode_to_vec())
}

fn id() -> Vec<u8> {
    vec![7; 16]
}

fn topology_id() -> v1::TopologyId {
    v1::TopologyId {
        cluster_id: id(),
        epoch: 1,
        version: 1,
    }
}

fn term() -> v1::Term {
    v1::Term {
        counter: 1,
        order: 1,
    }
}

fn node() -> v1::Node {
    v1::Node {
        id: id(),
        name: "a".to_owned(),
        addresses: vec![vec![10, 0, 0, 1, 1, 1]],
        role: v1::Role::Member.into(),
        ..v1::Node::default()
    }
}

fn join(node: v1::Node) -> Result<Message, DecodeError> {
    sent(Kind::Join(v1::Join {
        node: Some(node),
        listed: true,
    }))
}

fn propose() -> v1::Propose {
    v1::Propose {
        topology: Some(topology_id()),
        term: Some(term()),
        ..v1::Propose::default()
    }
}

/// The field and the limit, if there was too much of something.
fn too_many(result: &Result<Message, DecodeError>) -> Option<(&'static str, usize)> {
    match result {
        Err(DecodeError::TooMany {
            field, count_max, ..
        }) => Some((*field, *count_max)),
        Ok(_) | Err(_) => None,
    }
}

#[test]
fn nothing_is_no_message() {
    assert_eq!(decode(&[]), Err(DecodeError::Empty));
}

#[test]
fn bytes_of_another_protocol_are_malformed() {
    for bytes in [
        b"GET / HTTP/1.1\r\n\r\n".as_slice(),
        &[0xff; 40],
        &[0x0a, 200],
    ] {
        assert!(
            matches!(decode(bytes), Err(DecodeError::Malformed(_))),
            "{bytes:?}"
        );
    }
}

#[test]
fn a_kind_of_a_newer_node_is_named_by_its_number() {
    // Field 200, four bytes long.
    let bytes = [0xc2, 0x0c, 4, 1, 2, 3, 4];
    assert_eq!(
        decode(&bytes),
        Err(DecodeError::UnknownKind { number: 200 })
    );
}

#[test]
fn a_field_of_a_newer_node_is_skipped() {
    // 300 refused, with a field 9 that nobody knows; and a field 99 beside the refusal.
    let bytes = [0x52, 6, 0x08, 0xac, 0x02, 0x4a, 1, 5, 0x98, 0x06, 7];
    let refused = PublishRefused {
        sequence: 300,
        coordinator: None,
    };
    assert_eq!(decode(&bytes), Ok(Message::PublishRefused(refused)));
}

#[test]
fn what_is_missing_is_named() {
    let refused = sent(Kind::Join(v1::Join::default()));
    assert_eq!(refused, Err(DecodeError::Missing { field: "join.node" }));
    let refused = sent(Kind::Found(v1::Found::default()));
    assert_eq!(
        refused,
        Err(DecodeError::Missing {
            field: "found.kind"
        })
    );
}

#[test]
fn an_id_of_another_length_is_refused() {
    for bytes in [0, 15, 17] {
        let refused = sent(Kind::Leave(v1::Leave {
            node: vec![1; bytes],
        }));
        let (field, must_have) = ("leave.node", "16");
        assert_eq!(
            refused,
            Err(DecodeError::WrongLength {
                field,
                bytes,
                must_have
            })
        );
    }
}

#[test]
fn an_address_of_another_length_is_refused() {
    for bytes in [0, 1, 5, 7, 17, 19] {
        let refused = join(v1::Node {
            addresses: vec![vec![1; bytes]],
            ..node()
        });
        let field = "node.addresses";
        assert!(
            matches!(refused, Err(DecodeError::WrongLength { field: found, .. }) if found == field)
        );
    }
}

#[test]
fn a_number_that_is_never_zero_is_refused_as_zero() {
    let refused = sent(Kind::Heartbeat(v1::Heartbeat {
        cluster_id: id(),
        version: 1,
        ..v1::Heartbeat::default()
    }));
    assert!(matches!(
        refused,
        Err(DecodeError::OutOfRange {
            field: "heartbeat.term_order",
            value: 0,
            ..
        })
    ));
}

#[test]
fn a_wire_version_beyond_sixteen_bits_is_refused() {
    let refused = join(v1::Node {
        wire_version: 65_536,
        ..node()
    });
    assert!(matches!(
        refused,
        Err(DecodeError::OutOfRange { value: 65_536, .. })
    ));
}

#[test]
fn a_value_that_is_not_known_is_refused() {
    let field = "goodbye.reason";
    for value in [0, 11, -1] {
        let refused = sent(Kind::Goodbye(v1::Goodbye { reason: value }));
        assert_eq!(refused, Err(DecodeError::UnknownValue { field, value }));
    }
}

#[test]
fn a_text_that_is_no_name_is_refused_with_its_reason() {
    let refused = join(v1::Node {
        name: "a b".to_owned(),
        ..node()
    });
    assert!(matches!(
        refused,
        Err(DecodeError::Text {
            field: "node.name",
            source: IdentityError::Unprintable { .. }
        })
    ));
}

#[test]
fn a_node_that_nobody_can_dial_is_refused() {
    let refused = join(v1::Node {
        addresses: vec![vec![0; 6]],
        ..node()
    });
    assert!(matches!(
        refused,
        Err(DecodeError::Node(NodeInfoError::Undialable { .. }))
    ));
}

#[test]
fn attributes_beyond_their_limits_are_refused() {
    let attribute = |key: &str, bytes| v1::Attribute {
        key: key.to_owned(),
        value: "v".repeat(bytes),
    };
    let refused = join(v1::Node {
        attributes: vec![attribute("k", 5000)],
        ..node()
    });
    assert!(matches!(refused, Err(DecodeError::Attributes(_))));
    let refused = join(v1::Node {
        attributes: vec![attribute("k", 1); 33],
        ..node()
    });
    assert_eq!(too_many(&refused), Some(("node.attributes", 32)));
}

#[test]
fn a_topology_that_cannot_be_is_refused() {
    let member = v1::Member {
        order: 1,
        joined_at: 1,
        node: Some(Box::new(node())),
    };
    let refused = sent(Kind::Snapshot(v1::Snapshot {
        topology: Some(v1::Topology {
            id: Some(topology_id()),
            term: Some(term()),
            next_order: 2,
            members: vec![member.clone(), member],
        }),
        promised: Some(term()),
        ..v1::Snapshot::default()
    }));
    assert!(matches!(
        refused,
        Err(DecodeError::Topology(TopologyError::OrderUnsorted { .. }))
    ));
}

#[test]
fn lists_beyond_their_limits_are_refused_by_name() {
    let refused = sent(Kind::Propose(v1::Propose {
        entries: vec![v1::Decision::default(); ENTRIES_MAX + 1],
        ..propose()
    }));
    assert_eq!(too_many(&refused), Some(("propose.entries", ENTRIES_MAX)));
    let refused = sent(Kind::Propose(v1::Propose {
        skip: vec![1; SKIP_MAX + 1],
        ..propose()
    }));
    assert_eq!(too_many(&refused), Some(("propose.skip", SKIP_MAX)));
    let refused = sent(Kind::DialBack(v1::DialBack {
        node: id(),
        addresses: vec![vec![1; 6]; 9],
        ..v1::DialBack::default()
    }));
    assert_eq!(too_many(&refused), Some(("dial_back.addresses", 8)));
    let refused = sent(Kind::Accepted(v1::Accepted {
        topology: Some(topology_id()),
        term: Some(term()),
        groups: vec![v1::AcceptedGroup {
            members: vec![0; BITMAP_BYTES_MAX + 1],
            ..v1::AcceptedGroup::default()
        }],
    }));
    let limit = ("accepted_group.members", BITMAP_BYTES_MAX);
    assert_eq!(too_many(&refused), Some(limit));
    let refused = sent(Kind::Snapshot(v1::Snapshot {
        topology: Some(v1::Topology {
            id: Some(topology_id()),
            term: Some(term()),
            next_order: 2,
            members: vec![v1::Member::default(); MEMBERS_MAX + 1],
        }),
        ..v1::Snapshot::default()
    }));
    assert_eq!(too_many(&refused), Some(("topology.members", MEMBERS_MAX)));
}

#[test]
fn as_many_accusations_as_there_can_be_members_are_read() {
    let alert = |count| {
        let accusation = (NodeId::from_u128(1), AccusationKind::Silence, UnixMillis(1));
        Message::Alert(Alert {
            topology: TopologyId {
                cluster_id: ClusterId::from_u128(1),
                epoch: Epoch(1),
                version: TopologyVersion::FIRST,
            },
            accusations: vec![accusation; count],
        })
    };
    let most = alert(ACCUSATIONS_MAX);
    assert_eq!(decode(&encode(&most)), Ok(most));
    let refused = decode(&encode(&alert(ACCUSATIONS_MAX + 1)));
    assert_eq!(
        too_many(&refused),
        Some(("alert.accusations", ACCUSATIONS_MAX))
    );
}

#[test]
fn messages_nested_without_end_are_malformed() {
    // Groups, which nest without a length.
    let bytes = vec![0x0b; 100_000];
    assert!(matches!(decode(&bytes), Err(DecodeError::Malformed(_))));
}

fn announced(length: usize) -> Vec<u8> {
    u32::try_from(length).unwrap().to_be_bytes().to_vec()
}

#[test]
fn a_request_of_another_protocol_is_refused_after_four_bytes() {
    let mut decoder = FrameDecoder::new(FRAME_BYTES_MAX);
    let mut read = b"GET / HTTP/1.1\r\n\r\n".as_slice();
    assert_eq!(
        decoder.next_frame(&mut read),
        Err(FrameError::TooLarge {
            bytes: 0x4745_5420,
            bytes_max: HELLO_BYTES_MAX
        })
    );
}

#[test]
fn an_empty_frame_is_refused() {
    let refused = FrameDecoder::new(FRAME_BYTES_MAX).next_frame(&mut [0; 4].as_slice());
    assert_eq!(refused, Err(FrameError::Empty));
}

#[test]
fn the_first_frame_of_a_link_is_kept_short_and_later_ones_are_not() {
    let mut decoder = FrameDecoder::new(FRAME_BYTES_MAX);
    let mut read = announced(HELLO_BYTES_MAX);
    read.resize(LENGTH_BYTES + HELLO_BYTES_MAX, 1);
    let first = decoder.next_frame(&mut read.as_slice()).unwrap();
    assert_eq!(first.map(|frame| frame.len()), Some(HELLO_BYTES_MAX));

    let mut read = announced(FRAME_BYTES_MAX);
    read.resize(LENGTH_BYTES + FRAME_BYTES_MAX, 1);
    let second = decoder.next_frame(&mut read.as_slice()).unwrap();
    assert_eq!(second.map(|frame| frame.len()), Some(FRAME_BYTES_MAX));

    let refused = decoder.next_frame(&mut announced(FRAME_BYTES_MAX + 1).as_slice());
    assert!(matches!(refused, Err(FrameError::TooLarge { .. })));
    let refused = FrameDecoder::new(FRAME_BYTES_MAX)
        .next_frame(&mut announced(HELLO_BYTES_MAX + 1).as_slice());
    assert!(matches!(refused, Err(FrameError::TooLarge { .. })));
}

#[test]
fn a_claimed_length_sets_nothing_aside() {
    let mut decoder = FrameDecoder::new(FRAME_BYTES_MAX);
    let mut read = announced(HELLO_BYTES_MAX);
    read.push(1);
    assert_eq!(decoder.next_frame(&mut read.as_slice()), Ok(None));
    assert!(decoder.is_within_frame());
    assert!(decoder.bytes_held() < 64, "{}", decoder.bytes_held());
}
