//! The acceptor's side of deciding (DECIDE): proposals come in, acceptances go up, what is decided
//! is delivered; whoever is behind fetches. Proposing is in `lead.rs`.

use std::sync::Arc;
use std::time::Duration;

use discovery_core::{NodeId, Term, TopologyId};

use super::input::LinkId;
use super::log::{Delivered, Verdict};
use super::member::Membership;
use super::observation::{Decider, Observation};
use super::order_set::OrderSet;
use super::planted::Bug;
use super::timers::Timer;
use super::{Life, Ring};
use crate::message::{
    Accepted, AcceptedGroup, CloseReason, Decided, DecidedEntry, Decision, Fetch, Message,
    Position, Propose, Superseded, Tick, Watermark,
};

/// Most bytes of decided entries in one answer.
pub(super) const DECIDED_BYTES_MAX: usize = 512 * 1024;
/// Voting members up to which an own acceptance decides (DECIDE-5).
const OWN_DECIDES_MAX: usize = 3;
/// How long acceptances are gathered before they go up.
const GATHER: Duration = Duration::from_millis(1);
/// Shortest time between two fetches.
const FETCH_PAUSE: Duration = Duration::from_millis(20);

/// Who made something decided known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// This node counted it as coordinator.
    Counted,
    /// Somebody else did.
    ByOthers,
}

impl Ring {
    pub(super) fn on_propose(&mut self, link: LinkId, from: NodeId, propose: &Propose) {
        if self.learner_is_behind(from, propose.topology) {
            return;
        }
        // Its watermark first: it may install the topology that the rest names (DECIDE-6).
        self.deliver_to(propose.term, propose.decided);
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let promised = m.log.promised();
        let verdict = m.log.accept(propose);
        match verdict {
            Verdict::Accepted(position) => self.accepted(from, propose, position, promised),
            Verdict::Superseded(promised) => {
                let term = propose.term;
                let refusal = Message::Superseded(Superseded { term, promised });
                let proposer = m
                    .topology()
                    .ordered(term.order)
                    .map(discovery_core::Member::id);
                let sent = proposer.is_some_and(|id| self.fx.send_to(id, refusal.clone()));
                if !sent {
                    self.fx.send(link, refusal);
                }
            }
            Verdict::Missing => self.fetch_from(from),
            Verdict::Ahead => self.tell_newer(from),
            Verdict::OtherTopology => self.meet_topology(from, propose.topology),
            Verdict::Nonsense => self.nonsense(link),
        }
    }

    fn accepted(&mut self, from: NodeId, propose: &Propose, position: Position, before: Term) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let (topology, term) = (propose.topology, propose.term);
        if term > before {
            self.fx.observe(|| Observation::Promised { term });
        }
        self.fx.observe(|| Observation::Accepted {
            topology,
            term,
            position,
        });
        let mine = m.topology().member(self.me.id()).map(|member| member.order);
        if m.lead.as_ref().is_some_and(|lead| lead.term < term) && Some(term.order) != mine {
            step_down(m);
        }
        let tick = Tick {
            term,
            count: propose.tick,
        };
        m.saw_tick(tick, self.fx.now);
        m.gather_own(from, term, position, propose.tick);
        self.pass_on(propose);
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if propose.relay {
            self.fx.within(Timer::Gather, GATHER);
        } else {
            self.send_up();
            let Life::Member(m) = &mut self.life else {
                return;
            };
            let voters = m.roster.voters();
            let proposer = m
                .topology()
                .ordered(term.order)
                .is_some_and(discovery_core::Member::votes);
            let own = (voters.len() <= OWN_DECIDES_MAX || self.fx.bug(Bug::OwnAcceptanceAlways))
                && voters.contains(m.place)
                && proposer
                && !propose.recovery;
            if own && m.log.decided() < position {
                let by = Decider::OwnAcceptance;
                self.fx.observe(|| Observation::Decided {
                    topology,
                    term,
                    position,
                    by,
                });
                self.deliver_to(term, position);
            }
            return;
        }
        let _ = m;
    }

    /// Passes a proposal on to the children in the tree (SPREAD).
    fn pass_on(&mut self, propose: &Propose) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if !propose.relay {
            return;
        }
        let Some(root) = m
            .topology()
            .ordered(propose.term.order)
            .map(discovery_core::Member::id)
        else {
            return;
        };
        let Some(root) = m.roster.index_of(root) else {
            return;
        };
        let mut skip = m.roster.nobody();
        for order in &propose.skip {
            let place = m
                .topology()
                .ordered(*order)
                .and_then(|it| m.roster.index_of(it.id()));
            place.map(|place| skip.insert(place));
        }
        let children: Vec<usize> = m.roster.children(root, m.place, &skip, self.config.fan_out);
        let message = Arc::new(Message::Propose(propose.clone()));
        for child in children {
            let Some(node) = m.roster.info(child) else {
                continue;
            };
            if !self.fx.send_shared_to(node.id(), &message) {
                self.fx.ensure_link(node, 0);
            }
        }
    }

    /// Everything up to here is decided under this term.
    pub(super) fn deliver_to(&mut self, term: Term, position: Position) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if m.log.decided() < position {
            self.deliver_up_to(term, position, Told::ByOthers);
        }
    }

    /// Delivers the own tail of this term, one entry after the other.
    pub(super) fn deliver_up_to(&mut self, term: Term, position: Position, told: Told) {
        while let Life::Member(m) = &mut self.life
            && let Some(delivered) = m.log.deliver_next(term, position)
        {
            // Only what was delivered by a pair is passed on as that pair (DECIDE-6).
            let position = m.log.decided();
            m.saw_watermark(Watermark { term, position });
            self.deliver(delivered, told);
        }
    }

    /// What is decided takes effect.
    fn deliver(&mut self, delivered: Delivered, told: Told) {
        self.fx.counters.decided += 1;
        match delivered {
            Delivered::Changed { event, position } => self.install(*event, position, told),
            Delivered::Message { message, position } => self.deliver_message(message, position),
            Delivered::Again => {}
        }
    }

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

    /// Asks somebody for decided entries, not too often.
    pub(super) fn fetch_from(&mut self, from: NodeId) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let recently = m
            .fetched_at
            .is_some_and(|at| self.fx.now.since(at) < FETCH_PAUSE);
        if recently || self.fx.bug(Bug::RepairSkipped) {
            return;
        }
        m.fetched_at = Some(self.fx.now);
        let (topology, decided) = (m.id(), m.log.decided());
        self.fx
            .send_to(from, Message::Fetch(Fetch { topology, decided }));
    }

    /// Somebody speaks of another topology than the one in force here: the one behind catches up.
    pub(super) fn meet_topology(&mut self, from: NodeId, theirs: TopologyId) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let ours = m.id();
        if ours.cluster_id != theirs.cluster_id {
            self.meet_cluster(theirs);
            return;
        }
        if theirs > ours {
            self.fetch_from(from);
        } else if theirs < ours {
            self.tell_newer(from);
        }
    }

    /// Tells somebody behind that there is more; it fetches what it lacks.
    pub(super) fn tell_newer(&mut self, to: NodeId) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        self.fx.send_to(to, Message::Decided(m.log.news()));
    }

    pub(super) fn on_fetch(&mut self, from: NodeId, fetch: Fetch) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let same_cluster = fetch.topology.cluster_id == m.id().cluster_id;
        let ahead = fetch.topology == m.id() && fetch.decided > m.log.decided();
        if same_cluster && (fetch.topology > m.id() || ahead) {
            self.fetch_from(from);
            return;
        }
        let run = m
            .log
            .decided_after(fetch.decided, DECIDED_BYTES_MAX)
            .filter(|(_, entries)| {
                leads_on(
                    fetch.topology,
                    m.id(),
                    m.log.decided(),
                    entries,
                    fetch.decided,
                )
            });
        if let Some((first, entries)) = run {
            let whole = first.0 + entries.len() as u64 > m.log.decided().0;
            let (topology, decided) = (m.id(), m.log.decided());
            let news = Decided {
                topology,
                first,
                entries,
                decided,
            };
            self.fx.send_to(from, Message::Decided(news));
            if whole {
                self.serve(from);
            }
        } else if same_cluster && (m.topology().member(from).is_none() || m.lead.is_none()) {
            // It was removed too long ago, stands on a branch that ended, or lags too far to help a
            // candidate: the topology itself tells it to start anew (SNAP).
            let snapshot = m.log.snapshot();
            self.fx.send_to(from, Message::Snapshot(snapshot));
        } else if same_cluster {
            let behind = m
                .id()
                .version
                .get()
                .saturating_sub(fetch.topology.version.get());
            self.lags(from, behind);
        } else {
            self.meet_cluster(fetch.topology);
        }
    }

    pub(super) fn on_decided(&mut self, link: LinkId, from: NodeId, decided: &Decided) {
        if self.learner_learns(link, from, decided) {
            return;
        }
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let forked = decided.entries.iter().any(|entry| match &*entry.decision {
            Decision::Change(change) => change.cluster.is_some(),
            Decision::Message(_) => false,
        });
        let known = m.topology().member(from).is_some();
        if decided.topology.cluster_id != m.id().cluster_id && !forked && !known {
            self.meet_cluster(decided.topology);
            return;
        }
        m.fetched_at = None;
        if decided.first > m.log.decided().next() {
            self.fetch_from(from);
            return;
        }
        let mut position = decided.first;
        for entry in &decided.entries {
            let Life::Member(m) = &mut self.life else {
                return;
            };
            let before = m.log.promised();
            let Ok(delivered) = m.log.learn(position, entry) else {
                self.nonsense(link);
                return;
            };
            position = position.next();
            let term = m.log.promised();
            if term > before {
                self.fx.observe(|| Observation::Promised { term });
            }
            let Some(delivered) = delivered else {
                continue;
            };
            let mark = Watermark {
                term: entry.term,
                position: m.log.decided(),
            };
            m.saw_watermark(mark);
            if m.lead.as_ref().is_some_and(|lead| lead.term < term)
                && !self.fx.bug(Bug::LeadsOnOverInstall)
            {
                step_down(m);
            }
            self.deliver(delivered, Told::ByOthers);
        }
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if m.log.decided() < decided.decided {
            self.fetch_from(from);
        } else {
            self.ask_again();
        }
    }
}

impl Membership {
    fn gather_own(&mut self, from: NodeId, term: Term, position: Position, tick: u64) {
        if self.gather.term != Some(term) {
            self.gather = super::member::Gather {
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

impl super::member::Gather {
    fn note(&mut self, place: usize, position: Position, tick: u64) {
        let entry = self.accepted.entry(place).or_insert((Position(0), 0));
        if position > entry.0 || tick > entry.1 {
            *entry = (entry.0.max(position), entry.1.max(tick));
            self.changed.insert(place);
        }
    }

    fn take_groups(&mut self, members: usize) -> Vec<AcceptedGroup> {
        let mut groups: std::collections::BTreeMap<(Position, u64), OrderSet> =
            std::collections::BTreeMap::new();
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

/// Ends a term or a candidacy of one's own, because a higher term was promised or another topology
/// was installed (DECIDE-1).
pub(super) fn step_down(m: &mut Membership) {
    m.lead = None;
    m.takeover.candidacy = None;
}

/// Whether these entries follow from the topology that the asker has: else it stands on a branch
/// that ended, and positions mean something else there.
pub(super) fn leads_on(
    asker: TopologyId,
    ours: TopologyId,
    decided: Position,
    entries: &[DecidedEntry],
    from: Position,
) -> bool {
    let change = entries.iter().find_map(|entry| match &*entry.decision {
        Decision::Change(change) => Some(change.base),
        Decision::Message(_) => None,
    });
    let all = from.0 + entries.len() as u64 == decided.0;
    match change {
        Some(base) => base == asker,
        None => asker == ours || !all,
    }
}

impl Ring {
    /// A link carried what cannot be: it is closed, and counted.
    pub(super) fn nonsense(&mut self, link: LinkId) {
        self.fx.counters.nonsense += 1;
        self.lose_link(link, CloseReason::Nonsense);
    }
}
