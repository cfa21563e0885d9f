//! Acceptances on their way up (SPREAD): what an inner node of the tree gathers of its subtree, and
//! sends on to whoever proposed, or passed the proposal on. The coordinator counts them in
//! `count.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use discovery_core::{NodeId, Term};

use super::input::LinkId;
use super::member::Membership;
use super::order_set::OrderSet;
use super::timers::Timer;
use super::{Life, Ring};
use crate::message::{Accepted, AcceptedGroup, Message, Position};

/// How long acceptances are gathered before they go up.
pub(super) const GATHER: Duration = Duration::from_millis(1);

/// What an inner node of the tree has gathered of one term in one topology.
#[derive(Debug, Default)]
pub(super) struct Gather {
    pub(super) term: Option<Term>,
    pub(super) upstream: Option<NodeId>,
    pub(super) accepted: BTreeMap<usize, (Position, u64)>,
    pub(super) changed: BTreeSet<usize>,
}

impl Gather {
    fn note(&mut self, place: usize, position: Position, tick: u64) {
        let entry = self.accepted.entry(place).or_insert((Position(0), 0));
        if position > entry.0 || tick > entry.1 {
            *entry = (entry.0.max(position), entry.1.max(tick));
            self.changed.insert(place);
        }
    }

    fn take_groups(&mut self, members: usize) -> Vec<AcceptedGroup> {
        let mut groups: BTreeMap<(Position, u64), OrderSet> = BTreeMap::new();
        for place in std::mem::take(&mut self.changed) {
            if let Some(reached) = self.accepted.get(&place) {
                let set = groups
                    .entry(*reached)
                    .or_insert_with(|| OrderSet::new(members));
                set.insert(place);
            }
        }
        let group = |((position, tick), set): ((Position, u64), OrderSet)| AcceptedGroup {
            position,
            tick,
            members: set.to_bytes(),
        };
        groups.into_iter().map(group).collect()
    }
}

impl Membership {
    /// Notes what this node accepted, and to whom that goes.
    pub(super) fn gather_own(&mut self, from: NodeId, term: Term, position: Position, tick: u64) {
        if self.gather.term != Some(term) {
            self.gather = Gather {
                term: Some(term),
                ..Default::default()
            };
        }
        self.gather.upstream = Some(from);
        let me = self.place;
        self.gather.note(me, position, tick);
        self.gather.changed.insert(me);
    }
}

impl Ring {
    /// Acceptances of this node and of its subtree go up, as far as they are new.
    pub(super) fn send_up(&mut self) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        self.fx.timers.clear(Timer::Gather);
        let (Some(term), Some(upstream)) = (m.gather.term, m.gather.upstream) else {
            return;
        };
        if m.gather.changed.is_empty() {
            return;
        }
        let groups = m.gather.take_groups(m.roster.members());
        let topology = m.id();
        let accepted = Message::Accepted(Accepted {
            topology,
            term,
            groups,
        });
        self.fx.send_to(upstream, accepted);
    }

    pub(super) fn on_accepted(&mut self, link: LinkId, accepted: &Accepted) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if accepted.topology != m.id() {
            return;
        }
        let mut news = Vec::new();
        for group in &accepted.groups {
            let Ok(set) = OrderSet::from_bytes(m.members(), &group.members) else {
                self.nonsense(link);
                return;
            };
            news.extend(set.iter().map(|place| (place, group.position, group.tick)));
        }
        if m.lead
            .as_ref()
            .is_some_and(|lead| lead.term == accepted.term)
        {
            self.count(&news);
        } else if m.gather.term == Some(accepted.term) {
            for (place, position, tick) in news {
                m.gather.note(place, position, tick);
            }
            self.fx.within(Timer::Gather, GATHER);
        }
    }
}
