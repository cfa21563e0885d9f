//! Proposals, acceptances, promises, catching up, publishing.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::values::{
    accusation_kind, change, node_id, number, order, position, term, topic, topology_id, watermark,
};
use crate::message::{
    Accepted, AcceptedGroup, Decided, DecidedEntry, Decision, Fetch, Promise, PromiseAsk,
    PromiseRefusal, PromiseRefused, Propose, Publish, PublishRefused, PublishedMessage, Superseded,
    Tail,
};

fn published() -> impl Strategy<Value = Arc<Decision>> {
    let payload = vec(any::<u8>(), 0..50);
    (node_id(), number(), topic(), payload).prop_map(|(publisher, sequence, topic, payload)| {
        Arc::new(Decision::Message(PublishedMessage {
            publisher,
            sequence,
            topic,
            payload: payload.into(),
        }))
    })
}

pub(in crate::wire) fn decision() -> impl Strategy<Value = Arc<Decision>> {
    prop_oneof![
        published(),
        change().prop_map(|change| Arc::new(Decision::Change(change))),
    ]
}

fn entries() -> impl Strategy<Value = Vec<Arc<Decision>>> {
    vec(decision(), 0..4)
}

pub(super) fn propose() -> impl Strategy<Value = Propose> {
    (
        (topology_id(), term(), position(), position()),
        (position(), entries(), position(), number()),
        (any::<bool>(), vec(order(), 0..5), any::<bool>()),
    )
        .prop_map(
            |(
                (topology, term, start, reproposed_to),
                (first, entries, decided, tick),
                (relay, skip, recovery),
            )| Propose {
                topology,
                term,
                start,
                reproposed_to,
                first,
                entries,
                decided,
                tick,
                relay,
                skip,
                recovery,
            },
        )
}

pub(super) fn accepted() -> impl Strategy<Value = Accepted> {
    let group =
        (position(), number(), vec(any::<u8>(), 0..=128)).prop_map(|(position, tick, members)| {
            AcceptedGroup {
                position,
                tick,
                members,
            }
        });
    (topology_id(), term(), vec(group, 0..4)).prop_map(|(topology, term, groups)| Accepted {
        topology,
        term,
        groups,
    })
}

pub(super) fn superseded() -> impl Strategy<Value = Superseded> {
    (term(), term()).prop_map(|(term, promised)| Superseded { term, promised })
}

pub(super) fn fetch() -> impl Strategy<Value = Fetch> {
    (topology_id(), position()).prop_map(|(topology, decided)| Fetch { topology, decided })
}

pub(super) fn decided() -> impl Strategy<Value = Decided> {
    let entry = (term(), decision()).prop_map(|(term, decision)| DecidedEntry { term, decision });
    (topology_id(), position(), vec(entry, 0..4), position()).prop_map(
        |(topology, first, entries, decided)| Decided {
            topology,
            first,
            entries,
            decided,
        },
    )
}

pub(super) fn tail() -> impl Strategy<Value = Tail> {
    (option::of(term()), position(), entries()).prop_map(|(term, first, entries)| Tail {
        term,
        first,
        entries,
    })
}

pub(super) fn promise_ask() -> impl Strategy<Value = PromiseAsk> {
    let alerts = vec((node_id(), accusation_kind()), 0..5);
    (
        topology_id(),
        term(),
        position(),
        alerts,
        vec(node_id(), 0..5),
    )
        .prop_map(|(topology, term, decided, alerts, accused)| PromiseAsk {
            topology,
            term,
            decided,
            alerts,
            accused,
        })
}

pub(super) fn promise() -> impl Strategy<Value = Promise> {
    (topology_id(), term(), tail()).prop_map(|(topology, term, tail)| Promise {
        topology,
        term,
        tail,
    })
}

pub(super) fn promise_refused() -> impl Strategy<Value = PromiseRefused> {
    let why = prop_oneof![
        term().prop_map(PromiseRefusal::Promised),
        watermark().prop_map(PromiseRefusal::CoordinatorHeard),
        Just(PromiseRefusal::Behind),
    ];
    (term(), why).prop_map(|(term, why)| PromiseRefused { term, why })
}

pub(super) fn publish() -> impl Strategy<Value = Publish> {
    (topology_id(), number(), vec(published(), 0..5)).prop_map(
        |(topology, first_pending, messages)| Publish {
            topology,
            first_pending,
            messages,
        },
    )
}

pub(super) fn publish_refused() -> impl Strategy<Value = PublishRefused> {
    (number(), option::of(node_id())).prop_map(|(sequence, coordinator)| PublishRefused {
        sequence,
        coordinator,
    })
}
