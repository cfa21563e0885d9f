//! What messages cost on a link and in memory, pinned.

use std::net::SocketAddr;
use std::time::Duration;

use discovery_core::{
    ATTRIBUTES_BYTES_MAX, Attributes, ClusterId, Epoch, HostNode, Member, NAME_BYTES_MAX, NodeId,
    NodeInfo, NodeName, NodeOrder, PLACE_BYTES_MAX, PodUid, Term, Topology, TopologyId,
    TopologyParts, TopologyVersion, UnixMillis, Zone,
};
use discovery_proto::ring::v1;

use super::codec::{decode, encode};
use super::error::FrameTooLarge;
use super::frame::{FRAME_BYTES_MAX, HELLO_BYTES_MAX, encode_frame};
use super::limits::TEXT_BYTES_MAX;
use crate::config::RingConfig;
use crate::message::{
    Best, Heartbeat, Introduction, JoinAnswer, JoinVerdict, MemberHint, Message, PhaseKind,
    Position, Propose, Rank, Snapshot, Tick, Watermark, WireRange,
};
use crate::ring::weight;

/// A cluster that has been up for a week, 100 members, etcd at revision fifty million.
const TOPOLOGY: TopologyId = TopologyId {
    cluster_id: ClusterId::from_u128(u128::MAX / 3),
    epoch: Epoch(50_000_000),
    version: version(250),
};
const TERM: Term = Term {
    counter: 3,
    order: order(90),
};

const fn order(number: u64) -> NodeOrder {
    match NodeOrder::new(number) {
        Some(order) => order,
        None => NodeOrder::FIRST,
    }
}

const fn version(number: u64) -> TopologyVersion {
    match TopologyVersion::new(number) {
        Some(version) => version,
        None => TopologyVersion::FIRST,
    }
}

/// A pod as Kubernetes makes them, of two families, with a few attributes.
fn pod(number: u16) -> NodeInfo {
    let [high, low] = number.to_be_bytes();
    let addresses = [
        SocketAddr::from(([10, 88, high, low], 47_500)),
        SocketAddr::from(([0xfd00, 0x10, 0, 0, 0, 0, 0, number], 47_500)),
    ];
    let name = NodeName::new(format!("orders-backend-{number}")).unwrap();
    let id = NodeId::from_u128(u128::MAX - u128::from(number));
    let attributes = [
        ("version", "2.31.4-8c1f2aa"),
        ("http", "8080"),
        ("weight", "100"),
    ];
    NodeInfo::new(id, name, addresses, UnixMillis(1_795_305_600_000))
        .unwrap()
        .with_pod_uid(PodUid::new("6d6a2a52-0bd3-4c5e-9d4f-1f8a7a0b9c3d").unwrap())
        .with_zone(Zone::new("eu-central-1a").unwrap())
        .with_host_node(HostNode::new("ip-10-0-121-33.eu-central-1.compute.internal").unwrap())
        .with_attributes(Attributes::new(attributes).unwrap())
}

/// A node that uses every limit up.
fn largest(number: u16) -> NodeInfo {
    let addresses = (1..=8).map(|host| SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, host], 1)));
    let name = format!("{number:0>NAME_BYTES_MAX$}");
    let id = NodeId::from_u128(number.into());
    let value = "v".repeat(ATTRIBUTES_BYTES_MAX - 1);
    NodeInfo::new(id, NodeName::new(name).unwrap(), addresses, UnixMillis(-1))
        .unwrap()
        .with_pod_uid(PodUid::new("u".repeat(64)).unwrap())
        .with_zone(Zone::new("z".repeat(PLACE_BYTES_MAX)).unwrap())
        .with_host_node(HostNode::new("h".repeat(PLACE_BYTES_MAX)).unwrap())
        .with_attributes(Attributes::new([("k", value)]).unwrap())
}

fn snapshot(node: fn(u16) -> NodeInfo) -> Message {
    let members_max = RingConfig::default().members_max;
    let members = (1..=u16::try_from(members_max).unwrap()).map(|number| Member {
        order: order(number.into()),
        joined_at: TopologyVersion::FIRST,
        info: node(number),
    });
    let members: Vec<Member> = members.collect();
    let sequences = members
        .iter()
        .map(|member| (member.id(), u64::MAX))
        .collect();
    let topology = Topology::from_parts(TopologyParts {
        cluster_id: TOPOLOGY.cluster_id,
        epoch: TOPOLOGY.epoch,
        version: TOPOLOGY.version,
        term: TERM,
        next_order: order(u64::MAX),
        members,
    });
    Message::Snapshot(Snapshot {
        topology: topology.unwrap(),
        position: Position(u64::MAX),
        promised: TERM,
        sequences,
    })
}

#[test]
fn a_heartbeat_takes_forty_seven_bytes_after_a_week() {
    let watermark = Watermark {
        term: TERM,
        position: Position(10_000),
    };
    let after = |heartbeats: u64| {
        Message::Heartbeat(Heartbeat {
            sequence: heartbeats,
            echo: heartbeats,
            topology: TOPOLOGY,
            watermark,
            tick: Tick {
                term: TERM,
                count: heartbeats,
            },
        })
    };
    // Two a second: an hour, a week.
    assert_eq!(encode(&after(7_200)).len(), 44);
    assert_eq!(encode(&after(1_209_600)).len(), 47);
}

#[test]
fn a_tick_takes_fifty_four_bytes() {
    let tick = Message::Propose(Propose {
        topology: TOPOLOGY,
        term: TERM,
        start: Position(250),
        reproposed_to: Position(249),
        first: Position(10_001),
        entries: Vec::new(),
        decided: Position(10_000),
        tick: 604_800,
        relay: true,
        skip: Vec::new(),
        recovery: false,
    });
    assert_eq!(encode(&tick).len(), 54);
}

#[test]
fn a_snapshot_of_as_many_ordinary_pods_as_the_default_allows_fits_a_frame() {
    let frame = encode_frame(&snapshot(pod), FRAME_BYTES_MAX).unwrap();
    assert!(frame.len() < FRAME_BYTES_MAX / 2, "{} bytes", frame.len());
}

/// What the documentation of `frame_bytes_max` says.
#[test]
fn the_default_frame_has_room_for_1900_ordinary_pods_or_169_of_the_largest() {
    let fitting = |node| {
        let Message::Snapshot(Snapshot { topology, .. }) = snapshot(node) else {
            unreachable!("it was just made");
        };
        let each = weight::of_topology(&topology).div_ceil(topology.len());
        RingConfig::default().snapshot_bytes_max() / each
    };
    assert_eq!((fitting(pod), fitting(largest)), (1_919, 169));
}

#[test]
fn a_message_that_does_not_fit_a_frame_is_refused_by_its_kind() {
    assert!(matches!(
        encode_frame(&snapshot(largest), FRAME_BYTES_MAX),
        Err(FrameTooLarge { kind: "snapshot", bytes, bytes_max: FRAME_BYTES_MAX })
            if bytes > 4 * FRAME_BYTES_MAX
    ));
}

#[test]
fn the_longest_greeting_fits_the_first_frame() {
    let addresses = largest(1).addresses().to_vec();
    let rank = Rank {
        unanswered: u32::MAX,
        started_at: UnixMillis(-1),
        node: NodeId::from_u128(1),
    };
    let greeting = Message::Hello(Introduction {
        wire: WireRange { min: 1, max: 9 },
        cluster_name: "n".repeat(253).into(),
        settings: u64::MAX,
        node: largest(1),
        phase: PhaseKind::Newcomer,
        rank: Some(rank),
        best: Some(Best {
            rank,
            addresses: addresses.clone(),
        }),
        member: Some(MemberHint {
            node: NodeId::from_u128(2),
            addresses,
            topology: TOPOLOGY,
        }),
        topology: Some(TOPOLOGY),
        quorum: true,
    });
    assert!(encode(&greeting).len() < HELLO_BYTES_MAX / 8);
}

#[test]
fn a_text_for_people_is_cut_where_a_character_ends() {
    let answer = |waiting_for: String| {
        Message::JoinAnswer(JoinAnswer {
            verdict: JoinVerdict::NotNow {
                waiting_for,
                retry_after: Duration::ZERO,
            },
        })
    };
    let long = answer("é".repeat(TEXT_BYTES_MAX));
    assert_eq!(
        decode(&encode(&long)),
        Ok(answer("é".repeat(TEXT_BYTES_MAX / 2)))
    );
    let odd = answer(format!("a{}", "é".repeat(TEXT_BYTES_MAX)));
    let cut = answer(format!("a{}", "é".repeat(TEXT_BYTES_MAX / 2 - 1)));
    assert_eq!(decode(&encode(&odd)), Ok(cut));
}

/// An element of a list costs its sender two bytes at least; these are what it costs us before its
/// count is checked. Within a frame of 1 MiB that is 40 MiB at the most, for one frame at a time.
#[test]
fn no_element_of_a_list_takes_more_than_eighty_bytes_unchecked() {
    let elements = [
        size_of::<v1::AcceptedGroup>(),
        size_of::<v1::Accusation>(),
        size_of::<v1::Attribute>(),
        size_of::<v1::DecidedEntry>(),
        size_of::<v1::Decision>(),
        size_of::<v1::Failure>(),
        size_of::<v1::Joiner>(),
        size_of::<v1::Member>(),
        size_of::<v1::OwnAccusation>(),
        size_of::<v1::PassedAlert>(),
        size_of::<v1::PublishedMessage>(),
        size_of::<v1::Sequence>(),
        size_of::<Vec<u8>>(),
    ];
    assert!(elements.iter().all(|bytes| *bytes <= 80), "{elements:?}");
}
