//! Introductions, refusals, rumours, and the last words on a link.

use proptest::option;
use proptest::prelude::*;

use super::values::{addresses, millis, node, node_id, topology_id};
use crate::message::{
    Best, CloseReason, Goodbye, Introduction, MemberHint, PhaseKind, Rank, Refusal, RefusalReason,
    Rumour, WireRange,
};

fn wire_range() -> impl Strategy<Value = WireRange> {
    any::<(u16, u16)>().prop_map(|(min, max)| WireRange { min, max })
}

pub(super) fn rank() -> impl Strategy<Value = Rank> {
    (any::<u32>(), millis(), node_id()).prop_map(|(unanswered, started_at, node)| Rank {
        unanswered,
        started_at,
        node,
    })
}

pub(super) fn best() -> impl Strategy<Value = Best> {
    (rank(), addresses()).prop_map(|(rank, addresses)| Best { rank, addresses })
}

pub(super) fn member_hint() -> impl Strategy<Value = MemberHint> {
    (node_id(), addresses(), topology_id()).prop_map(|(node, addresses, topology)| MemberHint {
        node,
        addresses,
        topology,
    })
}

pub(super) fn introduction() -> impl Strategy<Value = Introduction> {
    let phase = prop_oneof![
        Just(PhaseKind::Newcomer),
        Just(PhaseKind::Member),
        Just(PhaseKind::Leaving),
    ];
    (
        (wire_range(), "[a-z ]{1,253}", any::<u64>(), node(), phase),
        option::of(rank()),
        option::of(best()),
        option::of(member_hint()),
        option::of(topology_id()),
        any::<bool>(),
    )
        .prop_map(
            |(
                (wire, cluster_name, settings, node, phase),
                rank,
                best,
                member,
                topology,
                quorum,
            )| {
                Introduction {
                    wire,
                    cluster_name: cluster_name.into(),
                    settings,
                    node,
                    phase,
                    rank,
                    best,
                    member,
                    topology,
                    quorum,
                }
            },
        )
}

pub(super) fn rumour() -> impl Strategy<Value = Rumour> {
    let all = (
        option::of(rank()),
        option::of(best()),
        option::of(member_hint()),
    );
    all.prop_map(|(rank, best, member)| Rumour { rank, best, member })
}

pub(super) fn refusal_reason() -> impl Strategy<Value = RefusalReason> {
    prop_oneof![
        "[a-z]{1,20}".prop_map(|ours| RefusalReason::ClusterName { ours: ours.into() }),
        wire_range().prop_map(|ours| RefusalReason::WireVersion { ours }),
        any::<u64>().prop_map(|ours| RefusalReason::Settings { ours }),
        Just(RefusalReason::NodeId),
        Just(RefusalReason::Oneself),
        Just(RefusalReason::Limit),
    ]
}

pub(super) fn refusal() -> impl Strategy<Value = Refusal> {
    (node(), refusal_reason()).prop_map(|(node, reason)| Refusal { node, reason })
}

pub(super) fn goodbye() -> impl Strategy<Value = Goodbye> {
    let reason = prop_oneof![
        Just(CloseReason::Idle),
        Just(CloseReason::NoGreeting),
        Just(CloseReason::Refused),
        Just(CloseReason::WasRefused),
        Just(CloseReason::Nonsense),
        Just(CloseReason::Undecodable),
        Just(CloseReason::Goodbye),
        Just(CloseReason::Over),
        Just(CloseReason::Limit),
        Just(CloseReason::Replaced),
    ];
    reason.prop_map(|reason| Goodbye { reason })
}
