//! Counting acceptances (DECIDE-5): what enough voting members have accepted is decided, and
//! whoever acknowledged its own admission is confirmed (JOIN).

use std::collections::BTreeSet;

use discovery_core::NodeId;

use super::decide::{Told, step_down};
use super::effects::Effects;
use super::member::{Lead, Membership};
use super::observation::{Decider, Observation};
use super::planted::Bug;
use super::{Life, Ring};
use crate::message::Position;

impl Ring {
    pub(super) fn count_own(&mut self) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(lead) = &m.lead else {
            return;
        };
        let (place, end, tick) = (m.place, m.log.end_of(lead.term), lead.tick);
        self.count(&[(place, end, tick)]);
    }

    /// Notes acceptances, and decides what a majority has accepted (DECIDE-5).
    pub(super) fn count(&mut self, news: &[(usize, Position, u64)]) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(lead) = &mut m.lead else {
            return;
        };
        let end = m.log.end_of(lead.term);
        if m.log.promised() > lead.term {
            step_down(m);
            return;
        }
        let by_number = self.fx.bug(Bug::CountsByNumber);
        for (place, position, tick) in news {
            let again = by_number && lead.accepted[*place].0 >= *position;
            let place = (*place + usize::from(again)) % lead.accepted.len();
            lead.note(place, (*position).min(end), *tick);
        }
        lead.lagging.retain(|id, _| {
            let place = m.roster.index_of(*id);
            place.is_none_or(|place| !m.log.keeps_after(lead.accepted[place].0))
        });
        confirm(m, news);
        let position = m.counted(&self.fx);
        if position > m.log.decided() {
            self.decide(position);
        }
        self.coordinate();
    }

    fn decide(&mut self, position: Position) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(lead) = &mut m.lead else {
            return;
        };
        let (term, topology) = (lead.term, m.log.id());
        if position == m.log.end_of(term) {
            lead.measure_round_trip(self.fx.now);
        }
        let by = if lead.recovery.is_some() {
            Decider::AllPromisers
        } else {
            Decider::Majority
        };
        self.fx.observe(|| Observation::Decided {
            topology,
            term,
            position,
            by,
        });
        if m.change_is_undecided() && position == m.log.end() {
            // While there still is the tree that the change came down.
            self.spread_decided(position);
        }
        self.deliver_up_to(term, position, Told::Counted);
        // A new topology has announced itself; a message has to be told of.
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if m.lead.is_some() && m.id() == topology {
            let first = m.log.end().next();
            if m.log.tail().is_empty()
                && m.lead.as_ref().is_some_and(|lead| lead.recovery.is_none())
            {
                self.spread(first, Vec::new());
            }
        }
    }
}

/// A member that acknowledged a decision at or after its own admission is confirmed (JOIN).
fn confirm(m: &mut Membership, news: &[(usize, Position, u64)]) {
    let Some(lead) = &mut m.lead else {
        return;
    };
    for (place, position, _) in news {
        let Some(id) = m.roster.node(*place) else {
            continue;
        };
        let Some((_, _, admitted)) = lead.unconfirmed.get(&id) else {
            continue;
        };
        if position >= admitted {
            lead.unconfirmed.remove(&id);
            lead.confirmed.insert(id);
        }
    }
}

impl Membership {
    /// Up to where enough voting members have accepted.
    fn counted(&self, fx: &Effects) -> Position {
        let Some(lead) = &self.lead else {
            return Position(0);
        };
        if let Some(promisers) = &lead.recovery {
            let others = promisers.iter().filter_map(|id| self.roster.index_of(*id));
            let least = others
                .chain([self.place])
                .map(|place| lead.accepted[place].0)
                .min();
            if fx.bug(Bug::MajorityOfPromisers) {
                return self.majority_of(lead, promisers.len() / 2 + 1, promisers);
            }
            return least.unwrap_or(Position(0));
        }
        let mut reached: Vec<Position> = self
            .roster
            .voters()
            .iter()
            .map(|voter| lead.accepted[voter].0)
            .collect();
        reached.sort_unstable_by(|a, b| b.cmp(a));
        let mut majority = self.roster.majority();
        if fx.bug(Bug::QuorumOffByOne) && reached.len() > 1 {
            majority = (reached.len() / 2).max(1);
        }
        reached.get(majority - 1).copied().unwrap_or(Position(0))
    }

    fn majority_of(&self, lead: &Lead, enough: usize, of: &BTreeSet<NodeId>) -> Position {
        let mut reached: Vec<Position> = of
            .iter()
            .filter_map(|id| self.roster.index_of(*id))
            .map(|place| lead.accepted[place].0)
            .collect();
        reached.sort_unstable_by(|a, b| b.cmp(a));
        reached.get(enough - 1).copied().unwrap_or(Position(0))
    }
}

impl Lead {
    fn note(&mut self, place: usize, position: Position, tick: u64) {
        let entry = &mut self.accepted[place];
        entry.0 = entry.0.max(position);
        entry.1 = entry.1.max(tick);
    }
}
