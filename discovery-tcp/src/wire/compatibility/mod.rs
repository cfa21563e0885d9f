//! Messages as wire version 1 writes them, frozen: whoever changes what these bytes mean breaks
//! every cluster that is upgraded one node at a time. Nothing here is edited once a release has it;
//! new bytes may be added.

mod kinds;
mod samples;

use std::sync::Arc;

use discovery_core::{
    Accusation, AccusationKind, Attributes, ClusterId, Epoch, Evidence, HostNode, Member, NodeId,
    NodeInfo, NodeName, NodeOrder, PodUid, ProofOfDeath, Role, RunEnded, Term, Topic, Topology,
    TopologyChange, TopologyId, TopologyParts, TopologyVersion, UnixMillis, UnixSeconds,
    WireVersion, Zone,
};

use super::codec::{decode, encode};
use crate::message::{
    Best, CloseReason, Decision, Goodbye, Heartbeat, Introduction, MemberHint, Message, PhaseKind,
    Position, PromiseAsk, Propose, PublishedMessage, Rank, Snapshot, Tick, Watermark, WireRange,
};

fn topology_id() -> TopologyId {
    TopologyId {
        cluster_id: ClusterId::from_u128(0xc1),
        epoch: Epoch(70_000),
        version: TopologyVersion::new(3).unwrap(),
    }
}

fn order(number: u64) -> NodeOrder {
    NodeOrder::new(number).unwrap()
}

fn term(counter: u64) -> Term {
    let order = order(2);
    Term { counter, order }
}

fn id(bits: u128) -> NodeId {
    NodeId::from_u128(bits)
}

fn node(bits: u128, name: &str) -> NodeInfo {
    let addresses = ["10.88.0.7:47500", "[fd00::7]:47500"].map(|it| it.parse().unwrap());
    let started_at = UnixMillis(1_795_305_600_000);
    NodeInfo::new(
        id(bits),
        NodeName::new(name).unwrap(),
        addresses,
        started_at,
    )
    .unwrap()
}

fn described() -> NodeInfo {
    node(0xa1, "ring-0")
        .with_pod_uid(PodUid::new("u-1").unwrap())
        .with_zone(Zone::new("z-1").unwrap())
        .with_host_node(HostNode::new("h-1").unwrap())
        .with_role(Role::Follower)
        .with_attributes(Attributes::new([("k", "v")]).unwrap())
        .with_wire_version(WireVersion(2))
}

fn hello() -> Message {
    let rank = Rank {
        unanswered: 4,
        started_at: UnixMillis(5),
        node: id(6),
    };
    let addresses = vec!["10.88.0.8:1".parse().unwrap()];
    Message::Hello(Introduction {
        wire: WireRange { min: 1, max: 2 },
        cluster_name: "orders".into(),
        settings: 0x0102_0304_0506_0708,
        node: described(),
        phase: PhaseKind::Newcomer,
        rank: Some(rank),
        best: Some(Best {
            rank,
            addresses: addresses.clone(),
        }),
        member: Some(MemberHint {
            node: id(7),
            addresses,
            topology: topology_id(),
        }),
        topology: Some(topology_id()),
        quorum: true,
    })
}

fn heartbeat(tick_term: u64) -> Message {
    Message::Heartbeat(Heartbeat {
        sequence: 300,
        echo: 299,
        topology: topology_id(),
        watermark: Watermark {
            term: term(4),
            position: Position(17),
        },
        tick: Tick {
            term: term(tick_term),
            count: 1_000,
        },
    })
}

fn propose() -> Message {
    let accusation = Accusation {
        observer: id(1),
        kind: AccusationKind::Refused,
        at: UnixMillis(9),
    };
    let dead = ProofOfDeath::Terminated {
        pod_uid: PodUid::new("u-2").unwrap(),
        started_at: UnixSeconds(10),
        finished_at: UnixSeconds(11),
        because: RunEnded::Restarted { from: 1, to: 2 },
    };
    let change = TopologyChange {
        base: topology_id(),
        epoch: Some(Epoch(70_001)),
        cluster: Some(ClusterId::from_u128(0xc2)),
        term: term(3),
        joins: vec![(order(9), node(0xa2, "ring-1"))],
        leaves: vec![id(2)],
        failures: vec![
            (id(3), Evidence::Accused(vec![accusation])),
            (id(4), Evidence::Dead(dead)),
        ],
    };
    let message = PublishedMessage {
        publisher: id(5),
        sequence: 1,
        topic: Topic::new("t").unwrap(),
        payload: Arc::from(*b"hi"),
    };
    Message::Propose(Propose {
        topology: topology_id(),
        term: term(4),
        start: Position(10),
        reproposed_to: Position(9),
        first: Position(12),
        entries: vec![
            Arc::new(Decision::Message(message)),
            Arc::new(Decision::Change(change)),
        ],
        decided: Position(11),
        tick: 20,
        relay: true,
        skip: vec![order(3), order(300)],
        recovery: true,
    })
}

fn snapshot() -> Message {
    let topology = Topology::from_parts(TopologyParts {
        cluster_id: topology_id().cluster_id,
        epoch: topology_id().epoch,
        version: topology_id().version,
        term: term(4),
        next_order: order(3),
        members: vec![Member {
            order: order(2),
            joined_at: TopologyVersion::FIRST,
            info: node(0xa1, "ring-0"),
        }],
    });
    Message::Snapshot(Snapshot {
        topology: topology.unwrap(),
        position: Position(17),
        promised: term(5),
        sequences: vec![(id(0xa1), 8)],
    })
}

fn promise_ask() -> Message {
    Message::PromiseAsk(PromiseAsk {
        topology: topology_id(),
        term: term(5),
        decided: Position(17),
        alerts: vec![(id(1), AccusationKind::Silence)],
        accused: vec![id(2)],
    })
}

fn goodbye() -> Message {
    Message::Goodbye(Goodbye {
        reason: CloseReason::Over,
    })
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap();
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::try_from(digit(pair[0]) * 16 + digit(pair[1])).unwrap())
        .collect()
}

/// The bytes mean this message, and it is still written as they are.
fn assert_frozen(frozen: &str, message: &Message) {
    assert_eq!(decode(&bytes(frozen)).as_ref(), Ok(message));
    assert_eq!(encode(message), bytes(frozen));
}

#[test]
fn a_goodbye_is_as_it_was() {
    let frozen = "9a01020808";
    assert_frozen(frozen, &goodbye());
}

#[test]
fn a_heartbeat_is_as_it_was() {
    let frozen = "\
        0a2708ac0210ab021a10000000000000000000000000000000c120f0a2042803300438024011\
        48e807";
    assert_frozen(frozen, &heartbeat(4));
}

#[test]
fn a_heartbeat_with_a_tick_of_another_term_is_as_it_was() {
    let frozen = "\
        0a2d08ac0210ab021a10000000000000000000000000000000c120f0a2042803300438024011\
        48e807520408031002";
    assert_frozen(frozen, &heartbeat(3));
}

#[test]
fn a_candidates_ask_is_as_it_was() {
    let frozen = "\
        82034a0a180a10000000000000000000000000000000c110f0a2041803120408051002181122\
        140a100000000000000000000000000000000110042a10000000000000000000000000000000\
        02";
    assert_frozen(frozen, &promise_ask());
}

#[test]
fn a_snapshot_is_as_it_was() {
    let frozen = "\
        a2028b010a6b0a180a10000000000000000000000000000000c110f0a2041803120408041002\
        18032247080210011a410a10000000000000000000000000000000a1120672696e672d301a06\
        0a580007b98c1a12fd000000000000000000000000000007b98c2080e8b584a0344001500110\
        111a040805100222140a10000000000000000000000000000000a11008";
    assert_frozen(frozen, &snapshot());
}

#[test]
fn a_greeting_is_as_it_was() {
    let frozen = "\
        8201ff010a040801100212066f726465727319080706050403020122580a1000000000000000\
        0000000000000000a1120672696e672d301a060a580007b98c1a12fd00000000000000000000\
        0000000007b98c2080e8b584a0342a03752d3132037a2d313a03682d3140024a060a016b1201\
        76500228013216080410051a10000000000000000000000000000000063a200a16080410051a\
        100000000000000000000000000000000612060a580008000142340a10000000000000000000\
        0000000000000712060a58000800011a180a10000000000000000000000000000000c110f0a2\
        0418034a180a10000000000000000000000000000000c110f0a20418035001";
    assert_frozen(frozen, &hello());
}

#[test]
fn a_proposal_is_as_it_was() {
    let frozen = "\
        22c0020a180a10000000000000000000000000000000c110f0a2041803120408041002180a20\
        09280c321d121b0a100000000000000000000000000000000510011a01742202686932eb010a\
        e8010a180a10000000000000000000000000000000c110f0a204180310f1a2041a4508091241\
        0a10000000000000000000000000000000a2120672696e672d311a060a580007b98c1a12fd00\
        0000000000000000000000000007b98c2080e8b584a034400150012210000000000000000000\
        000000000000022a2e0a1000000000000000000000000000000003121a0a180a160a10000000\
        00000000000000000000000001100218092a270a100000000000000000000000000000000412\
        132211120f0a03752d32100a180b2a04080110023210000000000000000000000000000000c2\
        3a0408031002380b40144801520303ac025801";
    assert_frozen(frozen, &propose());
}
