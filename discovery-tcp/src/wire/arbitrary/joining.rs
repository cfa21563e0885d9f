//! Joining, dial-back, snapshots, leaving.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::greeting::{member_hint, refusal_reason};
use super::values::{
    addresses, node, node_id, number, position, term, text, topology, topology_id,
};
use crate::message::{
    DialBack, DialBackResult, Join, JoinAnswer, JoinVerdict, Leave, Snapshot, SnapshotAck,
};

pub(super) fn join() -> impl Strategy<Value = Join> {
    (node(), any::<bool>()).prop_map(|(node, listed)| Join { node, listed })
}

pub(super) fn join_answer() -> impl Strategy<Value = JoinAnswer> {
    let verdict = prop_oneof![
        any::<u32>().prop_map(|ahead| JoinVerdict::Queued { ahead }),
        member_hint().prop_map(|coordinator| JoinVerdict::Redirect { coordinator }),
        (text(), number()).prop_map(|(waiting_for, nanos)| JoinVerdict::NotNow {
            waiting_for,
            retry_after: Duration::from_nanos(nanos),
        }),
        refusal_reason().prop_map(|reason| JoinVerdict::Refused { reason }),
        node_id().prop_map(|by| JoinVerdict::NameTaken { by }),
        node_id().prop_map(|by| JoinVerdict::Unreachable { by }),
    ];
    verdict.prop_map(|verdict| JoinAnswer { verdict })
}

pub(super) fn dial_back() -> impl Strategy<Value = DialBack> {
    (number(), node_id(), addresses()).prop_map(|(request, node, addresses)| DialBack {
        request,
        node,
        addresses,
    })
}

pub(super) fn dial_back_result() -> impl Strategy<Value = DialBackResult> {
    (number(), any::<bool>()).prop_map(|(request, reached)| DialBackResult { request, reached })
}

pub(super) fn snapshot() -> impl Strategy<Value = Snapshot> {
    let sequences = vec((node_id(), number()), 0..5);
    (topology(), position(), term(), sequences).prop_map(
        |(topology, position, promised, sequences)| Snapshot {
            topology,
            position,
            promised,
            sequences,
        },
    )
}

pub(super) fn snapshot_ack() -> impl Strategy<Value = SnapshotAck> {
    (topology_id(), position()).prop_map(|(topology, position)| SnapshotAck { topology, position })
}

pub(super) fn leave() -> impl Strategy<Value = Leave> {
    node_id().prop_map(|node| Leave { node })
}
