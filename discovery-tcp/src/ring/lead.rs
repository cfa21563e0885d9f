//! The coordinator's term (DECIDE, TAKE): taking it up, proposing, going on in the next topology,
//! and the tick. To whom it is sent is in `spread.rs`, acceptances are counted in `count.rs`; what
//! goes into a change is put together in `change.rs`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use discovery_core::{Member, NodeId, Term, Topology};

use super::admission::Admission;
use super::member::{Lead, Membership};
use super::observation::Observation;
use super::planted::Bug;
use super::{Life, Ring, weight};
use crate::config::RingConfig;
use crate::message::{Decision, Message, Position, Superseded, Tick};
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
        lead.size(m.log.topology(), self.fx.now);
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
        // It has just asked everybody, and has links to all; the tree below it has none yet.
        m.tree_from = m.tree_from.max(self.fx.now + self.config.settle);
        self.announce();
        self.count_own();
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
        lead.size(m.log.topology(), now);
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
        lead.queue
            .retain(|it| it.publisher().is_none_or(|id| stays(&id)));
        lead.doubt = None;
        lead.tick += 1;
        let tick = Tick {
            term: lead.term,
            count: lead.tick,
        };
        m.lead = Some(lead);
        m.saw_tick(tick, now);
        self.announce();
        // There is room for more of them beside more members.
        self.look_after_joiners();
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
            self.stand_above(superseded.promised);
        }
    }
}

impl Membership {
    /// Whether more may be proposed now, by number and by bytes.
    pub(super) fn has_room(&self, entries_max: usize, bytes_max: usize) -> bool {
        self.log.tail().len() < entries_max && weight::of_entries(self.log.tail()) < bytes_max
    }
}

impl Lead {
    /// A majority has accepted what was spread last.
    pub(super) fn measure_round_trip(&mut self, now: Moment) {
        let sample = now.since(self.spread_at);
        self.round_trip = if self.round_trip.is_zero() {
            sample
        } else {
            (self.round_trip * 3 + sample) / 4
        };
    }

    /// How long whoever has not accepted is waited for before it is served directly (SPREAD-5).
    pub(super) fn repair_pause(&self, config: &RingConfig) -> Duration {
        let twice = (self.round_trip * 2).min(config.silence_limit / 8);
        twice.max(config.repair_pause)
    }

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
            spread_at: now,
            repair_to: (Position(0), 0),
            round_trip: Duration::ZERO,
            promises_took: Duration::ZERO,
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
            doubt: None,
            probes: BTreeMap::new(),
        }
    }

    fn size(&mut self, topology: &Topology, now: Moment) {
        let members = topology.len();
        self.places = topology.members().iter().map(Member::id).collect();
        self.accepted = vec![(Position(0), 0); members];
        self.served_at = vec![now; members];
    }
}
