//! A higher term (TAKE): standing for it, asking for promises, what the new coordinator takes over.
//! Whose turn it is, is in `succession.rs`; the promiser's side in `promise.rs`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use discovery_core::{AccusationKind, NodeId, NodeInfo, NodeOrder, Term, TopologyId};

use super::decide::step_down;
use super::lead::Mandate;
use super::observation::Observation;
use super::planted::Bug;
use super::timers::Timer;
use super::{Life, Ring};
use crate::message::{
    Message, Position, Promise, PromiseAsk, PromiseRefusal, PromiseRefused, Tail,
};
use crate::moment::Moment;

/// First and longest pause between two candidacies.
pub(super) const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// How many of those whose turn is before its own a member dials when their turn is over.
const KNOCKED: usize = 3;

/// What a member knows of terms to come.
#[derive(Debug, Default)]
pub(super) struct Takeover {
    pub(super) candidacy: Option<Candidacy>,
    pub(super) attempt: u32,
    /// The highest term heard of, promised or not.
    pub(super) heard: Option<Term>,
    /// When another candidate was last promised something.
    pub(super) promised_at: Option<Moment>,
    /// A rival's term that this node, which coordinated, leaves a moment to show a tick (TAKE-7).
    yields: Option<(Term, Moment)>,
}

impl Takeover {
    /// Another topology is in force: candidacies were for the one before.
    pub(super) fn changed(&mut self) {
        self.candidacy = None;
        self.yields = None;
    }
}

/// A term that promises are gathered for.
#[derive(Debug)]
pub(super) struct Candidacy {
    pub(super) term: Term,
    pub(super) topology: TopologyId,
    asked_at: Moment,
    pub(super) asked_for: Position,
    pub(super) promises: BTreeMap<NodeId, Tail>,
    alerts: Vec<(NodeId, AccusationKind)>,
    accused: Vec<NodeId>,
}

impl Ring {
    /// Whether this member should stand for a higher term now, and if so, does.
    pub(super) fn consider_takeover(&mut self) {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if m.lead.is_some() || m.takeover.candidacy.is_some() || m.survivor.has_asked() {
            return;
        }
        if !m.topology().members()[m.place].votes() {
            return;
        }
        let lost = m.lost_coordinator(now, &self.config);
        let accused = m.coordinator_is_accused();
        if !(lost || accused) {
            return;
        }
        let resting = m
            .takeover
            .promised_at
            .is_some_and(|at| now.since(at) < RETRY.1 / 2);
        if resting {
            self.fx.within(Timer::Takeover, RETRY.1 / 2);
            return;
        }
        let turns = m.turns_lost(now, &self.config);
        let ahead = m.ahead_in_line();
        if ahead.len() <= turns {
            self.stand(false);
            return;
        }
        self.fx
            .within(Timer::Takeover, self.config.silence_limit / 8);
        if turns > 0 {
            // Its turn is over: whoever cannot be reached is not waited for.
            let eldest: Vec<NodeInfo> = ahead.into_iter().take(KNOCKED).cloned().collect();
            for node in eldest {
                self.fx.ensure_link(&node, 0);
            }
        }
    }

    /// Stands for a term above everything heard of. `over` tells that it coordinated before.
    pub(super) fn stand(&mut self, over: bool) {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        step_down(m);
        let Some(mine) = m.topology().member(self.me.id()) else {
            return;
        };
        if !mine.votes() || m.leaving.is_some() && m.members() > 1 {
            return;
        }
        let order = if self.fx.bug(Bug::SharedTerms) {
            NodeOrder::FIRST
        } else {
            mine.order
        };
        let highest = m
            .log
            .promised()
            .max(m.tick.term)
            .max(m.takeover.heard.unwrap_or(Term::FIRST));
        let Some(term) = highest.above(order) else {
            return;
        };
        m.log.promise(term);
        self.fx.observe(|| Observation::Promised { term });
        self.fx.counters.candidacies += 1;
        let coordinator = m
            .coordinator()
            .map(NodeInfo::id)
            .filter(|id| *id != self.me.id());
        let alerts = coordinator
            .map(|id| m.alerts_against(id))
            .unwrap_or_default();
        m.takeover.attempt = if over {
            0
        } else {
            m.takeover.attempt.saturating_add(1)
        };
        m.takeover.candidacy = Some(Candidacy {
            term,
            topology: m.log.id(),
            asked_at: now,
            asked_for: m.log.decided(),
            promises: BTreeMap::new(),
            alerts,
            accused: coordinator.into_iter().collect(),
        });
        let pause = backoff(RETRY, m.takeover.attempt);
        let pause = self.fx.jitter(pause + self.config.silence_limit / 20);
        self.fx.after(Timer::Takeover, pause);
        self.ask_everybody();
        self.elected();
    }

    fn ask_everybody(&mut self) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        for (_, node) in m.others() {
            self.fx.ensure_link(node, 0);
        }
        let others: Vec<NodeId> = m.others().map(|(_, node)| node.id()).collect();
        for id in others {
            self.ask_for_promise(id);
        }
    }

    /// Asks one member, if there is a link to it; it is asked again when a link opens.
    pub(super) fn ask_for_promise(&mut self, id: NodeId) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let (topology, decided) = (m.log.id(), m.log.decided());
        let Some(candidacy) = &m.takeover.candidacy else {
            return;
        };
        if candidacy.topology != topology || candidacy.promises.contains_key(&id) {
            return;
        }
        let ask = PromiseAsk {
            topology,
            term: candidacy.term,
            decided,
            alerts: candidacy.alerts.clone(),
            accused: candidacy.accused.clone(),
        };
        self.fx.send_to(id, Message::PromiseAsk(ask));
    }

    /// The candidate learned more: those that have not promised are asked from there on.
    pub(super) fn ask_again(&mut self) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let decided = m.log.decided();
        let Some(candidacy) = &mut m.takeover.candidacy else {
            return;
        };
        if candidacy.asked_for == decided {
            return;
        }
        candidacy.asked_for = decided;
        let others: Vec<NodeId> = m.others().map(|(_, node)| node.id()).collect();
        for id in others {
            self.ask_for_promise(id);
        }
    }

    pub(super) fn on_promise(&mut self, from: NodeId, promise: Promise) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let known = m.topology().member(from).is_some();
        let decided = m.log.decided();
        let Some(candidacy) = &mut m.takeover.candidacy else {
            return;
        };
        if promise.term != candidacy.term || promise.topology != m.log.id() || !known {
            return;
        }
        if promise.tail.first > decided.next() {
            // It answered an ask of a moment when less was known here; it cannot be.
            return;
        }
        candidacy.promises.insert(from, promise.tail);
        self.elected();
    }

    pub(super) fn on_promise_refused(&mut self, refused: PromiseRefused) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        match refused.why {
            PromiseRefusal::Promised(term) => {
                m.takeover.heard = m.takeover.heard.max(Some(term));
            }
            PromiseRefusal::CoordinatorHeard(_) | PromiseRefusal::Behind => {}
        }
    }

    /// With a majority of promises: takes over the tail of the highest term (TAKE).
    fn elected(&mut self) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(candidacy) = &m.takeover.candidacy else {
            return;
        };
        let votes = |id: &NodeId| {
            m.topology()
                .member(*id)
                .is_some_and(discovery_core::Member::votes)
        };
        let promised = 1 + candidacy.promises.keys().filter(|id| votes(id)).count();
        let mut majority = m.roster.majority();
        if self.fx.bug(Bug::PromiseQuorumOffByOne) && m.members() > 1 {
            majority = (m.members() / 2).max(1);
        }
        if promised < majority || m.log.promised() > candidacy.term {
            return;
        }
        let decided = m.log.decided();
        let own = m.log.tail_after(decided);
        let tail = if self.fx.bug(Bug::OwnTailOnly) {
            own
        } else {
            highest(
                decided,
                own,
                candidacy.promises.values(),
                self.fx.bug(Bug::LongestTail),
            )
        };
        let took = self.fx.now.since(candidacy.asked_at);
        let mandate = Mandate {
            term: candidacy.term,
            promisers: candidacy.promises.keys().copied().collect::<BTreeSet<_>>(),
            recovery: false,
            splits_off: false,
            tail: tail.entries,
            leftovers: VecDeque::new(),
        };
        self.fx.timers.clear(Timer::Takeover);
        self.lead(mandate);
        if let Life::Member(m) = &mut self.life
            && let Some(lead) = &mut m.lead
        {
            lead.promises_took = took;
        }
    }

    /// Whoever coordinates is told of a higher promise, and asks for promises again. If that promise
    /// was given to another, a majority may follow that one by now: its tick gets as much time as
    /// two rounds of promises take. To ask at once would divide the others between the two.
    pub(super) fn stand_above(&mut self, promised: Term) {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let took = m.lead.as_ref().map(|lead| lead.promises_took);
        let wait = took.unwrap_or_default() * 2;
        let mine = m.topology().member(self.me.id()).map(|member| member.order);
        step_down(m);
        if wait.is_zero() || mine == Some(promised.order) {
            self.stand(true);
            return;
        }
        let wait = wait.min(self.config.silence_limit / 4);
        m.takeover.yields = Some((promised, now + wait));
        self.fx.after(Timer::Takeover, wait);
    }

    /// Whether a rival still has time; if it has let that pass, this node stands above it.
    fn yields(&mut self) -> bool {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return false;
        };
        let Some((term, until)) = m.takeover.yields else {
            return false;
        };
        if m.tick.term >= term || m.takeover.candidacy.is_some() {
            m.takeover.yields = None;
            return false;
        }
        if now < until {
            self.fx.timers.set_by(Timer::Takeover, until);
        } else {
            m.takeover.yields = None;
            self.stand(true);
        }
        true
    }

    /// A candidacy got no majority in time: it is asked anew under a higher term, later and later.
    pub(super) fn retry_takeover(&mut self) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if m.lead.is_some() || self.yields() {
            return;
        }
        let Life::Member(m) = &mut self.life else {
            return;
        };
        // The newest tick may be its own, of a term that is superseded.
        let was_own = m
            .coordinator()
            .is_some_and(|node| node.id() == self.me.id());
        let lost =
            was_own || m.lost_coordinator(self.fx.now, &self.config) || m.coordinator_is_accused();
        let heard = m.takeover.heard;
        if let Some(candidacy) = &m.takeover.candidacy
            && lost
            && heard.is_none_or(|heard| heard <= candidacy.term)
        {
            // Nobody refused it for a higher term: the same one is asked for again.
            m.takeover.attempt = m.takeover.attempt.saturating_add(1);
            let pause = backoff(RETRY, m.takeover.attempt);
            let pause = self.fx.jitter(pause + self.config.silence_limit / 20);
            self.fx.after(Timer::Takeover, pause);
            self.ask_everybody();
            return;
        }
        m.takeover.candidacy = None;
        self.consider_takeover();
    }
}

/// The tail accepted under the highest term, the longest of those (TAKE); cut to what is beyond the
/// candidate's decided position.
pub(super) fn highest<'a>(
    decided: Position,
    own: Tail,
    others: impl IntoIterator<Item = &'a Tail>,
    longest: bool,
) -> Tail {
    let cut = |tail: &Tail| {
        let known = (decided.0 + 1).saturating_sub(tail.first.0);
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        Tail {
            term: tail.term,
            first: decided.next(),
            entries: tail.entries.iter().skip(known).cloned().collect(),
        }
    };
    others.into_iter().map(cut).fold(own, |best, tail| {
        let key = |tail: &Tail| (tail.term, tail.entries.len());
        let better = if longest {
            tail.entries.len() > best.entries.len()
        } else {
            key(&tail) > key(&best)
        };
        if better { tail } else { best }
    })
}

/// The `attempt`th pause: doubling from the first, never above the last.
pub(super) fn backoff(pauses: (Duration, Duration), attempt: u32) -> Duration {
    let doubled = pauses
        .0
        .saturating_mul(1 << attempt.saturating_sub(1).min(16));
    doubled.min(pauses.1)
}
