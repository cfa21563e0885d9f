//! At least one message of every kind and of every branch within a kind. Fields of one type that
//! stand beside each other hold different things, so that none takes another's number unseen. New
//! samples go to the end.

mod deciding;

use std::sync::Arc;
use std::time::Duration;

use discovery_core::{ClusterId, Epoch, NodeName, PodUid, ResourceVersion, Topic, UnixMillis};

use super::{described, hello, id, node, order, snapshot, term, topology_id};
use crate::message::{
    Best, CloseReason, Decided, DecidedEntry, Decision, Defer, DialBack, DialBackResult, Found,
    FoundMessage, FoundTerm, FoundValue, Goodbye, Granted, Introduction, IsMember, Join,
    JoinAnswer, JoinVerdict, Leave, MemberHint, Message, PhaseKind, Position, PublishedMessage,
    Rank, RecoverAnswer, RecoverAsk, RecoverVerdict, Refusal, RefusalReason, Rumour, SnapshotAck,
    Tail, Tick, Wait, WireRange,
};

pub(super) fn samples() -> Vec<Message> {
    let parts = [
        greeting(),
        refusing(),
        forming(),
        founding(),
        recovering(),
        joining(),
        answering_joins(),
        deciding::deciding(),
        deciding::removing(),
        deciding::taking_over(),
        deciding::publishing(),
        deciding::watching(),
        closing(),
    ];
    parts.into_iter().flatten().collect()
}

fn listing(number: u64) -> ResourceVersion {
    ResourceVersion::new(number).unwrap()
}

fn uid(uid: &str) -> PodUid {
    PodUid::new(uid).unwrap()
}

fn rank(unanswered: u32) -> Rank {
    Rank {
        unanswered,
        started_at: UnixMillis(5),
        node: id(6),
    }
}

fn best() -> Best {
    Best {
        rank: rank(7),
        addresses: vec!["10.88.0.8:1".parse().unwrap()],
    }
}

fn hint() -> MemberHint {
    MemberHint {
        node: id(8),
        addresses: vec!["[fd00::8]:2".parse().unwrap()],
        topology: topology_id(),
    }
}

fn message(sequence: u64) -> Arc<Decision> {
    Arc::new(Decision::Message(PublishedMessage {
        publisher: id(5),
        sequence,
        topic: Topic::new("t").unwrap(),
        payload: Arc::from(*b"hi"),
    }))
}

fn tail() -> Tail {
    Tail {
        term: Some(term(6)),
        first: Position(18),
        entries: vec![message(1), message(2)],
    }
}

fn decided(entries: Vec<Arc<Decision>>) -> Decided {
    let with_term = |decision| DecidedEntry {
        term: term(4),
        decision,
    };
    Decided {
        topology: topology_id(),
        first: Position(15),
        entries: entries.into_iter().map(with_term).collect(),
        decided: Position(19),
    }
}

fn greeting() -> Vec<Message> {
    let Message::Hello(newcomer) = hello() else {
        return Vec::new();
    };
    let of_phase = |phase, node| Introduction {
        node,
        phase,
        rank: None,
        best: None,
        ..newcomer.clone()
    };
    vec![
        hello(),
        Message::HelloAnswer(newcomer.clone()),
        Message::HelloAnswer(of_phase(PhaseKind::Member, node(0xa3, "ring-2"))),
        Message::HelloAnswer(of_phase(PhaseKind::Leaving, node(0xa4, "ring-3"))),
        Message::Rumour(Rumour {
            rank: Some(rank(4)),
            best: Some(best()),
            member: Some(hint()),
        }),
    ]
}

fn reasons() -> [RefusalReason; 6] {
    let ours = Arc::from("orders");
    let range = WireRange { min: 3, max: 4 };
    [
        RefusalReason::ClusterName { ours },
        RefusalReason::WireVersion { ours: range },
        RefusalReason::Settings { ours: 9 },
        RefusalReason::NodeId,
        RefusalReason::Oneself,
        RefusalReason::Limit,
    ]
}

fn refusing() -> Vec<Message> {
    let refusal = |reason| {
        let node = described();
        Message::Refusal(Refusal { node, reason })
    };
    reasons().map(refusal).to_vec()
}

fn forming() -> Vec<Message> {
    vec![
        Message::Defer(Defer {
            round: 30,
            resource_version: listing(31),
            rank: rank(4),
        }),
        Message::Granted(Granted {
            round: 30,
            node: id(9),
        }),
        Message::Wait(Wait {
            round: 30,
            better: Some(best()),
            newer: Some(listing(32)),
        }),
        Message::IsMember(IsMember {
            round: 30,
            member: hint(),
        }),
    ]
}

fn founding() -> Vec<Message> {
    let term = |counter| FoundTerm {
        counter,
        name: NodeName::new("ring-1").unwrap(),
    };
    let value = FoundValue {
        founder: id(1),
        cluster_id: ClusterId::from_u128(2),
        epoch: Epoch(3),
    };
    let steps = [
        FoundMessage::Ask { term: term(1) },
        FoundMessage::Promise {
            term: term(2),
            accepted: Some((term(1), value)),
        },
        FoundMessage::Refuse { promised: term(3) },
        FoundMessage::Accept {
            term: term(4),
            value,
        },
        FoundMessage::Accepted { term: term(5) },
        FoundMessage::Decided { value },
        FoundMessage::Reopen { round: 6 },
        FoundMessage::Reopened { round: 7 },
    ];
    let found = |message| {
        let attempt = 8;
        Message::Found(Found { attempt, message })
    };
    steps.map(found).to_vec()
}

fn recovering() -> Vec<Message> {
    let ask = RecoverAsk {
        round: 33,
        resource_version: Some(listing(34)),
        topology: topology_id(),
        decided: Position(35),
        order: order(36),
        term: term(37),
        forced: None,
    };
    let forced = RecoverAsk {
        resource_version: None,
        forced: Some(ClusterId::from_u128(0xc2)),
        ..ask.clone()
    };
    let tick = Tick {
        term: term(38),
        count: 39,
    };
    let verdicts = [
        RecoverVerdict::Granted,
        RecoverVerdict::Promised { tail: tail() },
        RecoverVerdict::QuorumHere { tick },
        RecoverVerdict::Newer {
            decided: decided(vec![message(3)]),
        },
        RecoverVerdict::NewerTopology {
            topology: topology_id(),
        },
        RecoverVerdict::OtherCluster {
            topology: topology_id(),
        },
        RecoverVerdict::Refused {
            newer: Some(listing(40)),
            promised: Some(term(41)),
        },
    ];
    let answer = |verdict| {
        let (round, node) = (33, id(10));
        Message::RecoverAnswer(RecoverAnswer {
            round,
            node,
            verdict,
        })
    };
    let asks = [ask, forced].map(Message::RecoverAsk);
    asks.into_iter().chain(verdicts.map(answer)).collect()
}

fn joining() -> Vec<Message> {
    vec![
        Message::Join(Join {
            node: described(),
            listed: true,
        }),
        Message::DialBack(DialBack {
            request: 42,
            node: id(11),
            addresses: vec!["10.88.0.8:1".parse().unwrap()],
        }),
        Message::DialBackResult(DialBackResult {
            request: 42,
            reached: true,
        }),
        snapshot(),
        Message::SnapshotAck(SnapshotAck {
            topology: topology_id(),
            position: Position(43),
        }),
        Message::Leave(Leave { node: id(12) }),
    ]
}

fn answering_joins() -> Vec<Message> {
    let refused = reasons().map(|reason| JoinVerdict::Refused { reason });
    let others = [
        JoinVerdict::Queued { ahead: 44 },
        JoinVerdict::Redirect {
            coordinator: hint(),
        },
        JoinVerdict::NotNow {
            waiting_for: "a listing".to_owned(),
            retry_after: Duration::from_nanos(45),
        },
        JoinVerdict::NameTaken { by: id(13) },
        JoinVerdict::Unreachable { by: id(14) },
    ];
    let answer = |verdict| Message::JoinAnswer(JoinAnswer { verdict });
    refused.into_iter().chain(others).map(answer).collect()
}

fn closing() -> Vec<Message> {
    let goodbye = |reason| Message::Goodbye(Goodbye { reason });
    CloseReason::ALL.map(goodbye).to_vec()
}
