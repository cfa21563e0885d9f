//! Proposals on their way down (SPREAD): to everybody directly, or along the tree; and again to who
//! has not accepted them.

use std::collections::BTreeSet;
use std::sync::Arc;

use discovery_core::{NodeId, NodeOrder};

use super::member::Membership;
use super::planted::Bug;
use super::timers::Timer;
use super::{Life, Ring};
use crate::message::{Decision, Message, Position, Propose};

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
        let settled = now.since(m.installed_at) >= self.config.settle;
        let relay = settled && m.members() > self.config.fan_out + 1;
        let skip = if relay {
            m.tree_skips(&entries)
        } else {
            BTreeSet::new()
        };
        let Some(lead) = &mut m.lead else {
            return;
        };
        if !entries.is_empty() {
            lead.spread_at = now;
        }
        let repair_pause = lead.repair_pause(&self.config);
        let propose = Propose {
            topology: m.log.id(),
            term: lead.term,
            start: lead.start,
            reproposed_to: lead.reproposed_to,
            first,
            entries,
            decided: m.log.decided(),
            tick: lead.tick,
            relay,
            skip: skip.iter().copied().collect(),
            recovery: lead.recovery.is_some(),
        };
        let is_alone = m.members() == 1;
        self.spread_message(propose, &skip);
        if !is_alone {
            self.fx.within(Timer::Repair, repair_pause);
        }
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
        let propose = Propose {
            topology: m.log.id(),
            term: lead.term,
            start: lead.start,
            reproposed_to: lead.reproposed_to,
            first: m.log.decided().next(),
            entries: m.log.proposals(lead.term),
            decided: m.log.decided(),
            tick: lead.tick,
            relay: false,
            skip: Vec::new(),
            recovery: lead.recovery.is_some(),
        };
        self.fx.send_to(to, Message::Propose(propose));
    }

    /// Serves whoever has not accepted what was sent a while ago (T2).
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
        let end = m.log.end_of(lead.term);
        let behind = |place: usize| {
            let (position, tick) = lead.accepted[place];
            position < end || tick < lead.tick
        };
        let (mut due, mut early) = (Vec::new(), false);
        for (place, node) in m.others().filter(|(place, _)| behind(*place)) {
            if now.since(lead.served_at[place]) >= pause {
                due.push(node.clone());
            } else {
                early = true;
            }
        }
        if early {
            // Served lately, or the round trip has grown since this look was asked for.
            self.fx.within(Timer::Repair, pause);
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
            let pause = self.config.silence_limit / 8;
            self.fx.within(Timer::Repair, pause);
        }
    }
}

impl Membership {
    /// Who is left out of the tree: whom the change removes, and who is accused by anybody.
    fn tree_skips(&self, entries: &[Arc<Decision>]) -> BTreeSet<NodeOrder> {
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
