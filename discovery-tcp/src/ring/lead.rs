//! The coordinator's side of deciding (DECIDE, SPREAD): what it proposes, to whom it sends it, how
//! it counts. What goes into a change is gathered in `gather_change.rs`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use discovery_core::{NodeId, NodeOrder, Term};

use super::admission::Admission;
use super::decide::{Told, step_down};
use super::history::weight_of;
use super::member::{Lead, Membership};
use super::observation::{Decider, Observation};
use super::planted::Bug;
use super::timers::Timer;
use super::{Life, Ring};
use crate::message::{Decision, Message, Position, Propose, Superseded, Tick};
use crate::moment::Moment;

/// A term to be led: by whose promises, and what it has to take over.
pub(super) struct Mandate {
    pub(super) term: Term,
    pub(super) promisers: BTreeSet<NodeId>,
    pub(super) recovery: bool,
    /// The recovery is forced, and opens a cluster of its own.
    pub(super) splits_off: bool,
    pub(super) tail: Vec<Arc<Decision>>,
    pub(super) leftovers: VecDeque<Arc<Decision>>,
}

impl Ring {
    /// Starts to lead: takes the tail first, then tells everybody (DECIDE-4).
    pub(super) fn lead(&mut self, mandate: Mandate) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let start = m.log.decided().next();
        // A forced change stands beside the tail, and its term takes nothing over (RECOVER-8).
        if mandate.splits_off {
            m.log.raise_promise(mandate.term);
            for entry in mandate.tail {
                m.log.append_own(mandate.term, entry);
            }
        } else {
            m.log.adopt(mandate.term, mandate.tail);
        }
        let end = m.log.end_of(mandate.term);
        m.takeover.candidacy = None;
        m.takeover.attempt = 0;
        let me = self.me.id();
        let (topology, term, recovery) = (m.id(), mandate.term, mandate.recovery);
        let (position, promisers) = (end, mandate.promisers.clone());
        self.fx.observe(|| Observation::Accepted {
            topology,
            term,
            position,
        });
        self.fx.observe(|| Observation::Leads {
            topology,
            term,
            promisers: promisers.into_iter().collect(),
            recovery,
        });
        self.fx.counters.terms_led += 1;
        let mut lead = Lead::new(mandate.term, start, end, self.fx.now);
        lead.size(
            m.topology()
                .members()
                .iter()
                .map(discovery_core::Member::id)
                .collect(),
            self.fx.now,
        );
        let wall = self.fx.wall();
        for member in m.topology().members() {
            if mandate.promisers.contains(&member.id()) || member.id() == me {
                lead.confirmed.insert(member.id());
            } else {
                let since = (self.fx.now, wall, m.log.decided());
                lead.unconfirmed.insert(member.id(), since);
            }
        }
        lead.recovery = mandate.recovery.then_some(mandate.promisers);
        lead.leftovers = mandate.leftovers;
        lead.tick = 1;
        m.lead = Some(Box::new(lead));
        let tick = Tick {
            term: mandate.term,
            count: 1,
        };
        m.saw_tick(tick, self.fx.now);
        self.announce();
        self.count_own();
    }

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
    fn spread(&mut self, first: Position, entries: Vec<Arc<Decision>>) {
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
        self.spread_message(propose, &skip);
        if m_is_behind(&self.life) {
            self.fx.within(Timer::Repair, self.config.repair_pause);
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
        let pause = self.config.repair_pause;
        let end = m.log.end_of(lead.term);
        let behind = |place: usize| {
            let (position, tick) = lead.accepted[place];
            position < end || tick < lead.tick
        };
        let due: Vec<_> = m
            .others()
            .filter(|(place, _)| behind(*place) && now.since(lead.served_at[*place]) >= pause)
            .map(|(_, node)| node.clone())
            .collect();
        let again = due.len();
        for node in due {
            if self.fx.links.is_linked(node.id()) {
                self.serve(node.id());
            } else {
                self.fx.ensure_link(&node, 0);
            }
        }
        if again > 0 {
            // Each further time for the same members waits longer: the tick comes round anyway.
            let pause = self.config.silence_limit / 8;
            self.fx.within(Timer::Repair, pause);
        }
    }

    /// Proposes entries of one's own: accepted here first, then sent.
    pub(super) fn propose(&mut self, entries: Vec<Arc<Decision>>) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(lead) = &m.lead else {
            return;
        };
        let term = lead.term;
        let first = m.log.end_of(term).next();
        for entry in &entries {
            m.log.append_own(term, Arc::clone(entry));
        }
        let (topology, position) = (m.id(), m.log.end_of(term));
        self.fx.observe(|| Observation::Accepted {
            topology,
            term,
            position,
        });
        self.spread(first, entries);
        self.count_own();
    }

    fn count_own(&mut self) {
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

    /// Goes on in a topology that this coordinator decided as its own fresh proposal (DECIDE-1).
    pub(super) fn lead_on(&mut self, mut lead: Box<Lead>, position: Position) {
        let now = self.fx.now;
        let wall = self.fx.wall();
        let Life::Member(m) = &mut self.life else {
            return;
        };
        m.log.adopt(lead.term, Vec::new());
        lead.recovery = None;
        let before: BTreeMap<NodeId, u64> = std::mem::take(&mut lead.places)
            .into_iter()
            .enumerate()
            .map(|(place, id)| (id, lead.accepted[place].1))
            .collect();
        lead.size(
            m.topology()
                .members()
                .iter()
                .map(discovery_core::Member::id)
                .collect(),
            now,
        );
        for (place, member) in m.topology().members().iter().enumerate() {
            // What was accepted before was accepted in another topology.
            let tick = before.get(&member.id()).copied();
            lead.accepted[place] = (Position(0), tick.unwrap_or(lead.tick));
            if tick.is_none() {
                lead.unconfirmed.insert(member.id(), (now, wall, position));
            }
        }
        let stays = |id: &NodeId| m.log.topology().member(*id).is_some();
        lead.confirmed.retain(stays);
        lead.unconfirmed.retain(|id, _| stays(id));
        lead.operator.retain(|id, _| stays(id));
        lead.lagging.retain(|id, _| stays(id));
        lead.leaves.retain(stays);
        lead.probes.retain(|id, _| stays(id));
        lead.proposed.retain(|id, _| stays(id));
        lead.doubt_since = None;
        lead.tick += 1;
        let tick = Tick {
            term: lead.term,
            count: lead.tick,
        };
        m.lead = Some(lead);
        m.saw_tick(tick, now);
        self.announce();
        self.count_own();
    }

    /// The tick goes out; it counts up only once a majority acknowledged the one before the last,
    /// by holding everything proposed so far (TAKE).
    pub(super) fn tick(&mut self) {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let (majority, place) = (m.roster.majority(), m.place);
        let Some(lead) = &mut m.lead else {
            return;
        };
        lead.ticked_at = now;
        let acknowledged = |voter: &usize| lead.accepted[*voter].1 + 1 >= lead.tick;
        let answering = m.roster.voters().iter().filter(acknowledged).count();
        if answering >= majority || self.fx.bug(Bug::TickWithoutMajority) {
            lead.tick += 1;
            lead.accepted[place].1 = lead.tick;
            let tick = Tick {
                term: lead.term,
                count: lead.tick,
            };
            m.saw_tick(tick, now);
        }
        self.announce();
    }

    pub(super) fn on_superseded(&mut self, superseded: Superseded) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        m.takeover.heard = m.takeover.heard.max(Some(superseded.promised));
        if m.lead.is_none() && m.gather.term == Some(superseded.term) {
            // It has to reach the proposer, up the tree as acceptances do.
            if let Some(upstream) = m.gather.upstream {
                self.fx.send_to(upstream, Message::Superseded(superseded));
            }
            return;
        }
        let leads = m
            .lead
            .as_ref()
            .is_some_and(|lead| lead.term == superseded.term);
        if leads && superseded.promised > superseded.term {
            // Somebody will not follow this term any more: ask for a higher one.
            step_down(m);
            self.stand(true);
        }
    }
}

fn m_is_behind(life: &Life) -> bool {
    match life {
        Life::Member(m) => m.members() > 1,
        Life::Newcomer(_) | Life::Over => false,
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
    fn counted(&self, fx: &super::effects::Effects) -> Position {
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

    /// Whether more may be proposed now, by number and by bytes.
    pub(super) fn has_room(&self, entries_max: usize, bytes_max: usize) -> bool {
        self.log.tail().len() < entries_max && weight_of(self.log.tail()) < bytes_max
    }
}

impl Lead {
    fn new(term: Term, start: Position, end: Position, now: Moment) -> Self {
        Self {
            term,
            start,
            reproposed_to: end,
            places: Vec::new(),
            accepted: Vec::new(),
            served_at: Vec::new(),
            tick: 0,
            ticked_at: now,
            recovery: None,
            leftovers: VecDeque::new(),
            confirmed: BTreeSet::new(),
            unconfirmed: BTreeMap::new(),
            admission: Admission::default(),
            leaves: BTreeSet::new(),
            operator: BTreeMap::new(),
            lagging: BTreeMap::new(),
            queue: VecDeque::new(),
            proposed: BTreeMap::new(),
            doubt_since: None,
            probes: BTreeMap::new(),
        }
    }

    fn size(&mut self, places: Vec<NodeId>, now: Moment) {
        let members = places.len();
        self.places = places;
        self.accepted = vec![(Position(0), 0); members];
        self.served_at = vec![now; members];
    }

    fn note(&mut self, place: usize, position: Position, tick: u64) {
        let entry = &mut self.accepted[place];
        entry.0 = entry.0.max(position);
        entry.1 = entry.1.max(tick);
    }
}
