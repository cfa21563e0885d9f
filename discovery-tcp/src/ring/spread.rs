//! Proposals on their way down (SPREAD): to everybody directly, or along the tree; and again to who
//! has not accepted them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use discovery_core::{NodeId, NodeOrder};

use super::member::Membership;
use super::planted::Bug;
use super::timers::Timer;
use super::{Life, Ring};
use crate::config::RingConfig;
use crate::message::{Decision, Message, Position, Propose};
use crate::moment::Moment;

impl Ring {
    /// Sends the whole tail to everybody: the announcement of a term, of a topology, or the tick.
    pub(super) fn announce(&mut self) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(term) = m.lead.as_ref().map(|lead| lead.term) else {
            return;
        };
        let entries = m.log.proposals(term);
        let first = m.log.decided().next();
        self.spread(first, entries);
    }

    /// Sends proposals to everybody: directly while things change or few are there, else down the
    /// tree (SPREAD).
    pub(super) fn spread(&mut self, first: Position, entries: Vec<Arc<Decision>>) {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let goes_down_tree = m.goes_down_tree(now, &self.config);
        let skip = goes_down_tree.then(|| m.tree_skips(&entries));
        let Some(lead) = &mut m.lead else {
            return;
        };
        if !entries.is_empty() {
            lead.spread_at = now;
        }
        let repair_pause = lead.repair_pause(&self.config);
        let Some(mut propose) = m.proposal(first, entries) else {
            return;
        };
        propose.relay = goes_down_tree;
        let skip = skip.unwrap_or_default();
        propose.skip = skip.iter().copied().collect();
        let is_alone = m.members() == 1;
        self.spread_message(propose, &skip);
        if !is_alone {
            self.repair_after(repair_pause);
        }
    }

    /// Looks after whatever is under way now, unless that is to happen sooner.
    fn repair_after(&mut self, pause: Duration) {
        let at = self.fx.now + pause;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(lead) = &mut m.lead else {
            return;
        };
        if self.fx.timers.due(Timer::Repair).is_none_or(|due| due > at) {
            lead.repair_to = (m.log.end_of(lead.term), lead.tick);
            self.fx.timers.set(Timer::Repair, at);
        }
    }

    /// Tells down the tree of the topology in force that a change up to here is decided, over the
    /// links that there are: those of the next topology may have to be opened first (SPREAD-2).
    pub(super) fn spread_decided(&mut self, position: Position) {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if !m.goes_down_tree(now, &self.config) {
            return;
        }
        let skip = m.tree_skips(m.log.tail());
        let Some(mut told) = m.proposal(m.log.end().next(), Vec::new()) else {
            return;
        };
        told.decided = position;
        told.relay = true;
        told.skip = skip.iter().copied().collect();
        self.spread_message(told, &skip);
    }

    fn spread_message(&mut self, propose: Propose, skip: &BTreeSet<NodeOrder>) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let mut direct = propose.clone();
        direct.relay = false;
        let direct = Arc::new(Message::Propose(direct));
        if !propose.relay {
            for (_, node) in m.others() {
                if !self.fx.send_shared_to(node.id(), &direct) {
                    self.fx.ensure_link(node, 0);
                }
            }
            return;
        }
        let mut left_out = m.roster.nobody();
        for member in m.topology().members() {
            if skip.contains(&member.order) {
                m.roster
                    .index_of(member.id())
                    .map(|place| left_out.insert(place));
                self.fx.send_shared_to(member.id(), &direct);
            }
        }
        let relayed = Arc::new(Message::Propose(propose));
        for child in m
            .roster
            .children(m.place, m.place, &left_out, self.config.fan_out)
        {
            let Some(node) = m.roster.info(child) else {
                continue;
            };
            if !self.fx.send_shared_to(node.id(), &relayed) {
                self.fx.ensure_link(node, 0);
            }
        }
    }

    /// Sends the whole tail to one member directly.
    pub(super) fn serve(&mut self, to: NodeId) {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let (Some(place), Some(lead)) = (m.roster.index_of(to), &mut m.lead) else {
            return;
        };
        lead.served_at[place] = now;
        let entries = m.log.proposals(lead.term);
        if let Some(propose) = m.proposal(m.log.decided().next(), entries) {
            self.fx.send_to(to, Message::Propose(propose));
        }
    }

    /// Serves whoever has not accepted what was sent a while ago (T2). What was sent since is on its
    /// way.
    pub(super) fn repair(&mut self) {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(lead) = &m.lead else {
            return;
        };
        if self.fx.bug(Bug::RepairSkipped) {
            return;
        }
        let pause = lead.repair_pause(&self.config);
        let lacks = |place: usize, (end, tick): (Position, u64)| {
            let (position, seen) = lead.accepted[place];
            position < end || seen < tick
        };
        let newest = (m.log.end_of(lead.term), lead.tick);
        let (mut due, mut early) = (Vec::new(), false);
        for (place, node) in m.others().filter(|(place, _)| lacks(*place, newest)) {
            if lacks(place, lead.repair_to) && now.since(lead.served_at[place]) >= pause {
                due.push(node.clone());
            } else {
                early = true;
            }
        }
        if early {
            // Sent or served lately, or the round trip has grown since this look was asked for.
            self.repair_after(pause);
        }
        let again = !due.is_empty();
        for node in due {
            if self.fx.links.is_linked(node.id()) {
                self.serve(node.id());
            } else {
                self.fx.ensure_link(&node, 0);
            }
        }
        if again {
            // Each further time for the same members waits longer: the tick comes round anyway.
            self.repair_after(self.config.silence_limit / 8);
        }
    }
}

impl Membership {
    /// What this coordinator proposes from a position on, to be passed on by nobody.
    fn proposal(&self, first: Position, entries: Vec<Arc<Decision>>) -> Option<Propose> {
        let lead = self.lead.as_ref()?;
        Some(Propose {
            topology: self.log.id(),
            term: lead.term,
            start: lead.start,
            reproposed_to: lead.reproposed_to,
            first,
            entries,
            decided: self.log.decided(),
            tick: lead.tick,
            relay: false,
            skip: Vec::new(),
            recovery: lead.recovery.is_some(),
        })
    }

    /// Whether this coordinator's proposals are passed on by others (SPREAD-1, SPREAD-2).
    fn goes_down_tree(&self, now: Moment, config: &RingConfig) -> bool {
        self.tree_from <= now && self.members() > config.fan_out + 1
    }

    /// Who is left out of the tree: whom the change removes, and who is accused by anybody.
    fn tree_skips<'a>(
        &self,
        entries: impl IntoIterator<Item = &'a Arc<Decision>>,
    ) -> BTreeSet<NodeOrder> {
        let mut ids: BTreeSet<NodeId> = BTreeSet::new();
        for said in self.alerts.values() {
            ids.extend(said.accusations.iter().map(|(subject, _, _)| *subject));
        }
        for entry in entries {
            if let Decision::Change(change) = &**entry {
                ids.extend(change.failures.iter().map(|(id, _)| *id));
            }
        }
        let order = |id: NodeId| self.topology().member(id).map(|member| member.order);
        let me = self.roster.node(self.place);
        ids.into_iter()
            .filter(|id| Some(*id) != me)
            .filter_map(order)
            .collect()
    }
}
