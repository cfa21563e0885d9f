//! Heartbeats and accusations.

use proptest::collection::vec;
use proptest::prelude::*;

use super::values::{accusation_kind, millis, node_id, number, tick, topology_id, watermark};
use crate::message::{Alert, Heartbeat, Tick};

pub(super) fn heartbeat() -> impl Strategy<Value = Heartbeat> {
    let all = (
        number(),
        number(),
        topology_id(),
        watermark(),
        tick(),
        any::<bool>(),
    );
    all.prop_map(|(sequence, echo, topology, watermark, tick, one_term)| {
        let term = if one_term { watermark.term } else { tick.term };
        Heartbeat {
            sequence,
            echo,
            topology,
            watermark,
            tick: Tick { term, ..tick },
        }
    })
}

pub(super) fn alert() -> impl Strategy<Value = Alert> {
    let accusations = vec((node_id(), accusation_kind(), millis()), 0..8);
    (topology_id(), accusations).prop_map(|(topology, accusations)| Alert {
        topology,
        accusations,
    })
}
