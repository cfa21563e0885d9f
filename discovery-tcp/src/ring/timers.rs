//! The kinds of timer, one table of them, and the earliest.

use std::collections::{BTreeMap, BTreeSet};

use discovery_core::NodeId;

use super::input::LinkId;
use crate::moment::Moment;

/// Why the ring wants to be called again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The greeting of a link is overdue.
    Greeting(LinkId),
    /// Better candidates and members are told to links that were told otherwise.
    Rumour,
    /// A newcomer or a survivor looks after its round.
    Round,
    /// A newcomer asks again to be admitted.
    Join,
    /// A subject that something speaks against is dialled again.
    Subject(NodeId),
    /// The silence of all other subjects is judged.
    Silence,
    /// A joiner is looked after by the coordinator.
    Admission,
    /// Subjects in doubt have been waited for.
    Doubt,
    /// Members missing from a proposal's acceptances are served directly.
    Repair,
    /// Acceptances gathered from children go up.
    Gather,
    /// Heartbeats are due, and everything that is looked at as often.
    Beat,
    /// Links that the topology asks for are opened, those nobody needs closed.
    Tend,
    /// A candidate asks again; a member looks whether it should be one.
    Takeover,
    /// A survivor without quorum starts a round.
    Recovery,
    /// Seeds that are not members are probed.
    Probe,
    /// A listing is due, for want of a watch.
    Audit,
    /// Leaving has lasted its limit.
    Leave,
}

/// Every timer that is set; each kind once.
#[derive(Debug, Default)]
pub(super) struct Timers {
    due: BTreeSet<(Moment, Timer)>,
    at: BTreeMap<Timer, Moment>,
}

impl Timers {
    /// Sets a timer in place of the one it had.
    pub(super) fn set(&mut self, timer: Timer, at: Moment) {
        self.clear(timer);
        self.due.insert((at, timer));
        self.at.insert(timer, at);
    }

    /// Sets a timer unless it is due earlier already.
    pub(super) fn set_by(&mut self, timer: Timer, at: Moment) {
        if self.at.get(&timer).is_none_or(|due| *due > at) {
            self.set(timer, at);
        }
    }

    pub(super) fn clear(&mut self, timer: Timer) {
        if let Some(at) = self.at.remove(&timer) {
            self.due.remove(&(at, timer));
        }
    }

    pub(super) fn is_set(&self, timer: Timer) -> bool {
        self.at.contains_key(&timer)
    }

    /// When a timer is due, if it is set.
    pub(super) fn due(&self, timer: Timer) -> Option<Moment> {
        self.at.get(&timer).copied()
    }

    pub(super) fn next(&self) -> Option<Moment> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes the earliest timer that is due.
    pub(super) fn take_due(&mut self, now: Moment) -> Option<Timer> {
        let (at, timer) = *self.due.first()?;
        if at > now {
            return None;
        }
        self.clear(timer);
        Some(timer)
    }

    /// Clears all but the greetings of links, when a life ends.
    pub(super) fn clear_life(&mut self) {
        let keep = |timer: &Timer| matches!(timer, Timer::Greeting(_));
        self.due.retain(|(_, timer)| keep(timer));
        self.at.retain(|timer, _| keep(timer));
    }
}
