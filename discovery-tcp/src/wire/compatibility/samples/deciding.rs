//! What members say to each other: proposals, decisions, promises, heartbeats, accusations.

use std::sync::Arc;

use discovery_core::{
    Accusation, AccusationKind, Evidence, GoneCounts, ProofOfDeath, RunEnded, TopologyChange,
    UnixMillis, UnixSeconds,
};

use super::super::{heartbeat, id, promise_ask, propose, term, topology_id};
use super::{decided, message, tail, uid};
use crate::message::{
    Accepted, AcceptedGroup, Alert, Decision, Fetch, Message, Position, Promise, PromiseRefusal,
    PromiseRefused, Publish, PublishRefused, Superseded, Watermark,
};

pub(super) fn deciding() -> Vec<Message> {
    let group = |members: u8| AcceptedGroup {
        position: Position(46),
        tick: 47,
        members: vec![members, 0x80],
    };
    vec![
        propose(),
        Message::Accepted(Accepted {
            topology: topology_id(),
            term: term(4),
            groups: vec![group(3), group(4)],
        }),
        Message::Superseded(Superseded {
            term: term(48),
            promised: term(49),
        }),
        Message::Fetch(Fetch {
            topology: topology_id(),
            decided: Position(50),
        }),
        Message::Decided(decided(vec![message(3), message(4)])),
    ]
}

/// Every reason for which a change removes a member.
pub(super) fn removing() -> Vec<Message> {
    let kinds = [
        AccusationKind::Replaced,
        AccusationKind::Refused,
        AccusationKind::Closed,
        AccusationKind::Silence,
    ];
    let accusation = |kind| Accusation {
        observer: id(1),
        kind,
        at: UnixMillis(51),
    };
    let ended = |because| ProofOfDeath::Terminated {
        pod_uid: uid("u-1"),
        started_at: UnixSeconds(52),
        finished_at: UnixSeconds(53),
        because,
    };
    let gone = |because| ProofOfDeath::Gone {
        pod_uid: uid("u-1"),
        replaced_by: Some(uid("u-2")),
        because,
    };
    let proofs = [
        ProofOfDeath::Replaced {
            address: "10.88.0.8:1".parse().unwrap(),
            pod_uid: Some(uid("u-1")),
            successor: id(2),
        },
        ended(RunEnded::NotRunning),
        ended(RunEnded::Restarted { from: 54, to: 55 }),
        gone(GoneCounts::Unmarked),
        gone(GoneCounts::AllTerminated),
        gone(GoneCounts::AnyObject),
    ];
    let others = [
        Evidence::Accused(kinds.map(accusation).to_vec()),
        Evidence::NeverConfirmed {
            admitted_at: UnixMillis(56),
        },
        Evidence::Lag {
            versions_behind: 57,
        },
        Evidence::Operator {
            reason: "its disk is broken".to_owned(),
        },
        Evidence::AbsentFromRecovery,
    ];
    let evidence = proofs.map(Evidence::Dead).into_iter().chain(others);
    let change = TopologyChange {
        base: topology_id(),
        epoch: None,
        cluster: None,
        term: term(3),
        joins: Vec::new(),
        leaves: Vec::new(),
        failures: (3..).map(id).zip(evidence).collect(),
    };
    vec![Message::Decided(decided(vec![Arc::new(Decision::Change(
        change,
    ))]))]
}

pub(super) fn taking_over() -> Vec<Message> {
    let watermark = Watermark {
        term: term(58),
        position: Position(59),
    };
    let refusals = [
        PromiseRefusal::Promised(term(60)),
        PromiseRefusal::CoordinatorHeard(watermark),
        PromiseRefusal::Behind,
    ];
    let refused = |why| {
        let term = term(5);
        Message::PromiseRefused(PromiseRefused { term, why })
    };
    let promise = Message::Promise(Promise {
        topology: topology_id(),
        term: term(5),
        tail: tail(),
    });
    let mut messages = vec![promise_ask(), promise];
    messages.extend(refusals.map(refused));
    messages
}

pub(super) fn publishing() -> Vec<Message> {
    vec![
        Message::Publish(Publish {
            topology: topology_id(),
            first_pending: 61,
            messages: vec![message(62), message(63)],
        }),
        Message::PublishRefused(PublishRefused {
            sequence: 64,
            coordinator: Some(id(15)),
        }),
    ]
}

pub(super) fn watching() -> Vec<Message> {
    let kinds = [
        AccusationKind::Replaced,
        AccusationKind::Refused,
        AccusationKind::Closed,
        AccusationKind::Silence,
    ];
    let accusation = |kind| (id(16), kind, UnixMillis(65));
    vec![
        heartbeat(3),
        Message::Alert(Alert {
            topology: topology_id(),
            accusations: kinds.map(accusation).to_vec(),
        }),
    ]
}
