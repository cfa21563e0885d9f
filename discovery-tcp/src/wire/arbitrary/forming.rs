//! Census rounds, founding by majority, and recovery rounds.

use proptest::option;
use proptest::prelude::*;

use super::deciding::{decided, tail};
use super::greeting::{best, member_hint, rank};
use super::values::{
    cluster_id, epoch, name, node_id, number, order, position, resource_version, term, tick,
    topology_id,
};
use crate::message::{
    Defer, Found, FoundMessage, FoundTerm, FoundValue, Granted, IsMember, RecoverAnswer,
    RecoverAsk, RecoverVerdict, Wait,
};

pub(super) fn defer() -> impl Strategy<Value = Defer> {
    (number(), resource_version(), rank()).prop_map(|(round, resource_version, rank)| Defer {
        round,
        resource_version,
        rank,
    })
}

pub(super) fn granted() -> impl Strategy<Value = Granted> {
    (number(), node_id()).prop_map(|(round, node)| Granted { round, node })
}

pub(super) fn wait() -> impl Strategy<Value = Wait> {
    let all = (number(), option::of(best()), option::of(resource_version()));
    all.prop_map(|(round, better, newer)| Wait {
        round,
        better,
        newer,
    })
}

pub(super) fn is_member() -> impl Strategy<Value = IsMember> {
    (number(), member_hint()).prop_map(|(round, member)| IsMember { round, member })
}

fn found_term() -> impl Strategy<Value = FoundTerm> {
    (number(), name()).prop_map(|(counter, name)| FoundTerm { counter, name })
}

fn found_value() -> impl Strategy<Value = FoundValue> {
    (node_id(), cluster_id(), epoch()).prop_map(|(founder, cluster_id, epoch)| FoundValue {
        founder,
        cluster_id,
        epoch,
    })
}

pub(super) fn found() -> impl Strategy<Value = Found> {
    (number(), found_message()).prop_map(|(attempt, message)| Found { attempt, message })
}

fn found_message() -> impl Strategy<Value = FoundMessage> {
    prop_oneof![
        found_term().prop_map(|term| FoundMessage::Ask { term }),
        (found_term(), option::of((found_term(), found_value())))
            .prop_map(|(term, accepted)| FoundMessage::Promise { term, accepted }),
        found_term().prop_map(|promised| FoundMessage::Refuse { promised }),
        (found_term(), found_value())
            .prop_map(|(term, value)| FoundMessage::Accept { term, value }),
        found_term().prop_map(|term| FoundMessage::Accepted { term }),
        found_value().prop_map(|value| FoundMessage::Decided { value }),
        number().prop_map(|round| FoundMessage::Reopen { round }),
        number().prop_map(|round| FoundMessage::Reopened { round }),
    ]
}

pub(super) fn recover_ask() -> impl Strategy<Value = RecoverAsk> {
    (
        (number(), option::of(resource_version())),
        topology_id(),
        position(),
        order(),
        term(),
        option::of(cluster_id()),
    )
        .prop_map(
            |((round, resource_version), topology, decided, order, term, forced)| RecoverAsk {
                round,
                resource_version,
                topology,
                decided,
                order,
                term,
                forced,
            },
        )
}

fn verdict() -> impl Strategy<Value = RecoverVerdict> {
    prop_oneof![
        Just(RecoverVerdict::Granted),
        tail().prop_map(|tail| RecoverVerdict::Promised { tail }),
        tick().prop_map(|tick| RecoverVerdict::QuorumHere { tick }),
        decided().prop_map(|decided| RecoverVerdict::Newer { decided }),
        topology_id().prop_map(|topology| RecoverVerdict::NewerTopology { topology }),
        topology_id().prop_map(|topology| RecoverVerdict::OtherCluster { topology }),
        (option::of(resource_version()), option::of(term()))
            .prop_map(|(newer, promised)| RecoverVerdict::Refused { newer, promised }),
    ]
}

pub(super) fn recover_answer() -> impl Strategy<Value = RecoverAnswer> {
    (number(), node_id(), verdict()).prop_map(|(round, node, verdict)| RecoverAnswer {
        round,
        node,
        verdict,
    })
}
