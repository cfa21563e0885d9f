//! Plain numbers that a driver may publish. They only ever grow.

use std::collections::BTreeMap;

use crate::message::CloseReason;

/// What a ring has counted since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RingCounters {
    /// Messages handed to links.
    pub messages_sent: u64,
    /// Messages that came in.
    pub messages_received: u64,
    /// Links asked for.
    pub dials: u64,
    /// Links not opened or not accepted because of the limit.
    pub links_refused: u64,
    /// Links closed by this side, by the reason's name.
    pub links_closed: BTreeMap<&'static str, u64>,
    /// Greetings refused, by the reason's name.
    pub greetings_refused: BTreeMap<&'static str, u64>,
    /// Topologies installed.
    pub installs: u64,
    /// Positions decided and delivered.
    pub decided: u64,
    /// Terms in which this node asked for promises.
    pub candidacies: u64,
    /// Terms that this node coordinated.
    pub terms_led: u64,
    /// Census rounds started, of formation and of recovery.
    pub rounds: u64,
    /// Recoveries that this node opened an epoch by.
    pub recoveries: u64,
    /// Subjects this node has accused.
    pub accusations: u64,
    /// Accusations it has withdrawn.
    pub withdrawals: u64,
    /// Times the local loop was late by more than an eighth of the silence limit.
    pub late: u64,
    /// Messages that could not be, by this node's knowledge.
    pub nonsense: u64,
}

impl RingCounters {
    pub(super) fn closed(&mut self, reason: CloseReason) {
        *self.links_closed.entry(reason.as_str()).or_default() += 1;
    }

    pub(super) fn refused(&mut self, reason: &'static str) {
        *self.greetings_refused.entry(reason).or_default() += 1;
    }
}
