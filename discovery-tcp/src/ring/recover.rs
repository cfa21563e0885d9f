//! Recovering a lost quorum (RECOVER): who survives asks everybody listed; every member of its
//! topology promises or is proven dead; then one change opens a new epoch.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use discovery_core::{
    Answerer, Asked, Census, ClusterId, ContainerState, DeathFacts, Epoch, Evidence, FinderError,
    NodeId, NodeInfo, PodFact, PodReading, PodRef, ProofOfDeath, ProofRule, Term, Timed,
    TopologyChange, prove_death,
};

use super::catch_up::{DECIDED_BYTES_MAX, leads_on};
use super::decide::step_down;
use super::input::LinkId;
use super::lead::Mandate;
use super::member::Membership;
use super::observation::Observation;
use super::output::{Notice, Output};
use super::planted::Bug;
use super::round::{Round, RoundStage};
use super::takeover::backoff;
use super::timers::Timer;
use super::watch::SubjectState;
use super::{Life, Ring};
use crate::config::{Quorum, Recovery};
use crate::message::{Decided, Decision, Message, RecoverAnswer, RecoverAsk, RecoverVerdict, Tail};
use crate::moment::Moment;

/// Least time between two dials of a missing member.
const REDIAL: Duration = Duration::from_millis(500);
/// How long a forced recovery waits for those that can answer.
const FORCED_WAIT: Duration = Duration::from_secs(2);
/// How long a survivor that knows itself better keeps refusing others without success.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long the first change of a recovery may take to be accepted by all promisers.
const CHANGE_LIMIT: Duration = Duration::from_secs(2);
/// How often a survivor looks after its round without anything happening.
const LOOK: Duration = Duration::from_millis(100);
/// How old a fact about a pod may be before it is asked for again.
const FACT_AGE: Duration = Duration::from_secs(1);

/// What a member without quorum is doing about it.
#[derive(Debug, Default)]
pub(super) struct Survivor {
    pub(super) round: Option<Round>,
    rounds: u64,
    attempt: u32,
    term: Option<Term>,
    pub(super) promises: BTreeMap<NodeId, Tail>,
    pods: BTreeMap<NodeId, PodWatch>,
    refusing_since: Option<Moment>,
    forced: Option<(ClusterId, Moment)>,
    change_since: Option<Moment>,
    /// A listed process belongs to another cluster of the same name (MEET).
    pub(super) impossible: bool,
    /// The cluster that a forced recovery split this one from.
    pub(super) parent: Option<ClusterId>,
    trouble: Option<String>,
}

#[derive(Debug, Default)]
struct PodWatch {
    /// When the member's own address was dialled last.
    dialled_at: Option<Moment>,
    question: Option<u64>,
    asked_at: Moment,
    fact: Option<Timed<PodFact>>,
    earlier: Option<Timed<PodReading>>,
}

impl PodWatch {
    /// A fact that was asked for after the loss; the first reading of a run is kept beside it.
    fn take(&mut self, fact: &PodFact) {
        let asked = Asked::AfterLoss;
        self.question = None;
        if let PodFact::Present(reading) = fact
            && matches!(reading.container, ContainerState::Running { .. })
            && self.earlier.is_none()
        {
            let fact = reading.clone();
            self.earlier = Some(Timed { fact, asked });
        }
        let fact = fact.clone();
        self.fact = Some(Timed { fact, asked });
    }
}

impl Survivor {
    pub(super) fn is_asking(&self) -> bool {
        self.round.is_some() || self.forced.is_some()
    }

    /// Whether its round went beyond dialling. Before that nobody was bound by it, and a majority
    /// that can be reached again is the shorter way back (TAKE-2).
    pub(super) fn has_asked(&self) -> bool {
        let listed = |round: &Round| !matches!(round.stage, RoundStage::Contacting);
        self.round.as_ref().is_some_and(listed) || self.forced.is_some()
    }

    /// The quorum is back, or a topology was installed.
    pub(super) fn over(&mut self) {
        let (parent, rounds) = (self.parent, self.rounds);
        *self = Self {
            rounds,
            parent,
            ..Self::default()
        };
    }

    pub(super) fn waits_for(&self) -> Option<String> {
        self.trouble
            .clone()
            .or_else(|| self.round.as_ref().map(|round| round.waits_for(false)))
    }
}

impl Ring {
    /// The quorum has been lost for long enough: start, or start again.
    pub(super) fn recover(&mut self) {
        let now = self.fx.now;
        let (recovery, quorum) = (self.config.recovery, self.config.quorum);
        let possible = self.authoritative && self.config.proof != ProofRule::Off;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if m.quorum {
            m.survivor.over();
            return;
        }
        if m.survivor
            .change_since
            .is_some_and(|since| now.since(since) > CHANGE_LIMIT)
        {
            step_down(m);
            self.fail_recovery("somebody who promised did not accept");
            return;
        }
        let leads = m.lead.as_ref().map(|lead| lead.recovery.is_some());
        let waits = m.survivor.is_asking() && leads == Some(false);
        if waits && m.lost_coordinator(now, &self.config) {
            // Elected, and then heard by no majority: the round goes on.
            step_down(m);
        }
        if m.survivor.is_asking() || leads == Some(true) {
            self.look_after_recovery();
            return;
        }
        match (quorum, recovery) {
            (Quorum::None, _) => self.force(),
            (Quorum::Majority, Recovery::Census) if possible => {
                step_down(m);
                m.survivor.rounds += 1;
                m.survivor.round = Some(Round::new(m.survivor.rounds));
                m.survivor.term = None;
                m.survivor.promises.clear();
                self.look_after_recovery();
            }
            (Quorum::Majority, Recovery::Census | Recovery::Manual) => {}
        }
    }

    /// Moves a survivor's round on as far as it goes now.
    pub(super) fn look_after_recovery(&mut self) {
        let now = self.fx.now;
        let by_refusal = self.fx.bug(Bug::ExemptByRefusal);
        self.conclude_forced();
        let own_only = self.fx.bug(Bug::RecoversByOwnTopology);
        let me = self.me.clone();
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(round) = &mut m.survivor.round else {
            return;
        };
        self.fx.within(Timer::Recovery, LOOK);
        if m.lead.is_some() {
            return;
        }
        if let Some(report) = self.finder.as_ref().filter(|_| !own_only) {
            round.know(self.reports, report, &me, now);
        }
        round.dial_due(usize::MAX, &mut self.fx);
        if round.is_broken(now, false) {
            self.fail_recovery("somebody asked was lost meanwhile");
            return;
        }
        match round.stage {
            RoundStage::Contacting => {
                let settled = round.may_list(by_refusal, now);
                if settled && self.members_are_settled() {
                    let Life::Member(m) = &mut self.life else {
                        return;
                    };
                    m.takeover.candidacy = None;
                    if let Some(round) = &mut m.survivor.round {
                        round.list(&mut self.fx);
                    }
                }
            }
            RoundStage::Listing(_) | RoundStage::Relisting { asked: true, .. } => {}
            RoundStage::Looking(_) => self.go_on_with_recovery(),
            RoundStage::Asking(_) => self.conclude_recovery(),
            RoundStage::Relisting { due, .. } if now >= due => {
                round.stage = RoundStage::Relisting { due, asked: true };
                let round = round.number;
                self.fx.output(Output::AskListing { round });
            }
            RoundStage::Relisting { due, .. } => self.fx.timers.set_by(Timer::Recovery, due),
        }
    }

    /// Whether every other member is linked, or was asked after and is proven dead; asks after
    /// those that are neither.
    fn members_are_settled(&mut self) -> bool {
        let Life::Member(m) = &self.life else {
            return false;
        };
        let others: Vec<NodeInfo> = m.others().map(|(_, node)| node.clone()).collect();
        let mut settled = true;
        for node in others {
            if self.fx.links.is_linked(node.id()) {
                continue;
            }
            if self.proof_against(&node).is_none() {
                self.ask_after(&node);
                settled = false;
            }
        }
        settled
    }

    /// What is known of a missing member's end.
    fn proof_against(&self, node: &NodeInfo) -> Option<ProofOfDeath> {
        let Life::Member(m) = &self.life else {
            return None;
        };
        if self.fx.bug(Bug::ProvenBySilence) && !self.fx.links.is_linked(node.id()) {
            return Some(ProofOfDeath::Replaced {
                address: node.addresses()[0],
                pod_uid: None,
                successor: node.id(),
            });
        }
        let answers: Vec<Timed<Answerer>> = self
            .fx
            .links
            .iter()
            .filter_map(|(_, link)| {
                let dialled = link.dialled?;
                let end = link.other_end()?;
                let pod_uid = if self.fx.bug(Bug::ProofByOtherPod) {
                    node.pod_uid().cloned()
                } else {
                    end.node.pod_uid().cloned()
                };
                let fact = Answerer {
                    dialled,
                    pod_uid,
                    node_id: end.node.id(),
                };
                Some(Timed {
                    fact,
                    asked: Asked::AfterLoss,
                })
            })
            .filter(|answer| node.addresses().contains(&answer.fact.dialled))
            .collect();
        let watch = m.survivor.pods.get(&node.id());
        let facts = DeathFacts {
            answers: &answers,
            pod: watch.and_then(|watch| watch.fact.as_ref()),
            earlier: watch.and_then(|watch| watch.earlier.as_ref()),
        };
        prove_death(self.config.proof, node, facts).ok()
    }

    /// Dials a missing member and reads its pod, by the pod's name.
    fn ask_after(&mut self, node: &NodeInfo) {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let watch = m.survivor.pods.entry(node.id()).or_default();
        // Somebody else may answer there, and will answer again.
        if watch.dialled_at.is_none_or(|at| now.since(at) >= REDIAL) {
            watch.dialled_at = Some(now);
            self.fx.ensure_link(node, 0);
        }
        let Some(uid) = node.pod_uid().cloned() else {
            return;
        };
        let named = self.finder.as_ref().and_then(|report| {
            let seeds = report.seeds();
            let seed = seeds
                .iter()
                .find(|seed| seed.pod_uid.as_ref() == Some(&uid))?;
            seed.name.clone()
        });
        let name = named.unwrap_or_else(|| node.name().clone());
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let watch = m.survivor.pods.entry(node.id()).or_default();
        let fresh = watch.fact.is_some() || watch.question.is_some();
        if fresh && now.since(watch.asked_at) < FACT_AGE {
            return;
        }
        let question = u64::try_from(self.fx.draw_u128() >> 65).unwrap_or(0);
        watch.question = Some(question);
        watch.asked_at = now;
        self.fx.output(Output::AskPod {
            question,
            pod: PodRef { uid, name },
        });
    }

    pub(super) fn on_pod_fact(&mut self, question: u64, fact: &PodFact) {
        let taken = match &mut self.life {
            Life::Newcomer(newcomer) => newcomer.round.take_fact(question, fact),
            Life::Member(m) => {
                let round = m.survivor.round.as_mut();
                let taken = round.is_some_and(|round| round.take_fact(question, fact));
                for watch in m.survivor.pods.values_mut() {
                    if watch.question == Some(question) {
                        watch.take(fact);
                    }
                }
                taken || !m.survivor.pods.is_empty()
            }
            Life::Over => false,
        };
        if taken {
            self.look_after_round();
        }
    }

    pub(super) fn on_survivors_listing(
        &mut self,
        number: u64,
        result: Result<Census, FinderError>,
    ) {
        let now = self.fx.now;
        let census = match result {
            Ok(census) => census,
            Err(error) => {
                self.fail_recovery(&format!("the finder: {error}"));
                return;
            }
        };
        let listed = self.lists_me(&census);
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(round) = &mut m.survivor.round else {
            if !listed && number == super::AUDIT_ROUND {
                self.fx.emit(Notice::NotListed);
            }
            return;
        };
        if round.number != number {
            return;
        }
        if !listed {
            self.fx.emit(Notice::NotListed);
            self.fail_recovery("its own pod is not listed");
            return;
        }
        match round.stage {
            RoundStage::Listing(_) => {
                if self.fx.bug(Bug::RecoversByOwnTopology) {
                    round.version = Some(census.resource_version);
                    round.contact_nobody();
                    round.stage = RoundStage::Asking(now);
                    self.ask_to_recover();
                    return;
                }
                if !round.take_listing(&census, &self.me, &self.fx) {
                    round.stage = RoundStage::Contacting;
                    self.look_after_recovery();
                    return;
                }
                round.stage = RoundStage::Looking(now);
                self.look_after_recovery();
            }
            RoundStage::Relisting { .. } => {
                if !round.holds_all_of(&census, &self.me) {
                    self.fail_recovery("somebody new is listed");
                    return;
                }
                round.version = Some(census.resource_version);
                round.stage = RoundStage::Looking(now);
                self.look_after_recovery();
            }
            RoundStage::Contacting | RoundStage::Looking(_) | RoundStage::Asking(_) => {}
        }
    }

    /// Asks everybody listed, and every linked member besides (RECOVER-1).
    fn ask_to_recover(&mut self) {
        let me = self.me.id();
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(mine) = m.log.topology().member(me).map(|member| member.order) else {
            return;
        };
        let highest = m
            .log
            .promised()
            .max(m.tick.term)
            .max(m.takeover.heard.unwrap_or(Term::FIRST));
        let Some(term) = highest.above(mine) else {
            return;
        };
        m.log.promise(term);
        self.fx.observe(|| Observation::Promised { term });
        m.survivor.term = Some(term);
        m.survivor.promises.clear();
        let Some(round) = &m.survivor.round else {
            return;
        };
        let mut to: BTreeSet<NodeId> = round.to_ask().into_iter().collect();
        let linked = |id: &NodeId| self.fx.links.is_linked(*id);
        to.extend(m.others().map(|(_, node)| node.id()).filter(linked));
        let ask = RecoverAsk {
            round: round.number,
            resource_version: round.version,
            topology: m.log.id(),
            decided: m.log.decided(),
            order: mine,
            term,
            forced: None,
        };
        let ask = Arc::new(Message::RecoverAsk(ask));
        for id in to {
            self.fx.send_shared_to(id, &ask);
        }
    }

    /// Everybody is listed: list once more, or ask (RECOVER-5).
    fn go_on_with_recovery(&mut self) {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(round) = &mut m.survivor.round else {
            return;
        };
        let (Some(exempt), Some(version)) = (round.exemptions(&self.fx), round.version) else {
            return;
        };
        let high_enough = self
            .floor
            .is_below(version, self.filter.answered(), &self.fx);
        if round.go_on(!exempt.is_empty(), high_enough, now) {
            self.ask_to_recover();
            self.conclude_recovery();
        } else {
            self.fx.within(Timer::Recovery, Duration::ZERO);
        }
    }

    /// Everybody answered: lead into a new epoch.
    fn conclude_recovery(&mut self) {
        let Life::Member(m) = &self.life else {
            return;
        };
        let (Some(round), Some(term)) = (&m.survivor.round, m.survivor.term) else {
            return;
        };
        let (Some(exempt), Some(version)) = (round.exemptions(&self.fx), round.version) else {
            return;
        };
        if !round.complete() {
            return;
        }
        let missing: Vec<NodeInfo> = m
            .others()
            .filter(|(_, node)| !m.survivor.promises.contains_key(&node.id()))
            .map(|(_, node)| node.clone())
            .collect();
        let mut dead = Vec::new();
        for node in missing {
            let Some(proof) = self.proof_against(&node) else {
                self.ask_after(&node);
                return;
            };
            dead.push((node.id(), Evidence::Dead(proof)));
        }
        let low = !self
            .floor
            .is_below(version, self.filter.answered(), &self.fx);
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if low || m.log.promised() != term && !self.fx.bug(Bug::PromiseForgotten) {
            self.fail_recovery("a higher term was promised meanwhile");
            return;
        }
        for exemption in exempt {
            let pod_uid = exemption.pod_uid;
            self.fx.observe(|| Observation::Exempted { pod_uid });
        }
        let topology = m.log.id();
        let members: Vec<NodeId> = dead.iter().map(|(id, _)| *id).collect();
        self.fx
            .observe(|| Observation::ProvenDead { topology, members });
        let epoch = if self.fx.bug(Bug::EpochNotRaised) {
            Epoch(topology.epoch.0 + 1)
        } else {
            Epoch::from(version)
        };
        self.open_epoch(term, dead, epoch, None);
    }

    /// The first and only decision of all promisers: the new epoch (RECOVER-6). What they had
    /// accepted of messages follows inside it; changes are dropped.
    fn open_epoch(
        &mut self,
        term: Term,
        gone: Vec<(NodeId, Evidence)>,
        epoch: Epoch,
        cluster: Option<ClusterId>,
    ) {
        let now = self.fx.now;
        let dropped = self.fx.bug(Bug::LeftoversDropped);
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let mut builder = TopologyChange::of(m.log.topology())
            .under(term)
            .in_epoch(epoch);
        if let Some(cluster) = cluster {
            builder = builder.in_cluster(cluster);
        }
        for (id, evidence) in gone {
            builder = builder.fail(id, evidence);
        }
        let Ok(change) = builder.build() else {
            self.fail_recovery("nobody who votes would be left");
            return;
        };
        let decided = m.log.decided();
        let own = m.log.tail_after(decided);
        let tail = super::takeover::highest(decided, own, m.survivor.promises.values(), false);
        let leftovers: VecDeque<_> = tail
            .entries
            .into_iter()
            .filter(|entry| matches!(**entry, Decision::Message(_)) && !dropped)
            .collect();
        let promisers = m.survivor.promises.keys().copied().collect();
        m.survivor.change_since = Some(now);
        m.survivor.forced = None;
        self.fx.counters.recoveries += 1;
        self.fx.after(Timer::Recovery, CHANGE_LIMIT + LOOK);
        self.lead(Mandate {
            term,
            promisers,
            recovery: true,
            splits_off: cluster.is_some(),
            // In the very first message of the term: a tail must not be emptied for nothing.
            tail: vec![Arc::new(Decision::Change(change))],
            leftovers,
        });
    }

    fn fail_recovery(&mut self, why: &str) {
        let pauses = self.config.recovery_pause;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if let Some(round) = &mut m.survivor.round {
            round.drop_unanswered(&mut self.fx);
        }
        let (rounds, attempt, parent) = (m.survivor.rounds, m.survivor.attempt, m.survivor.parent);
        let pods = std::mem::take(&mut m.survivor.pods);
        m.survivor = Survivor {
            rounds,
            attempt: attempt.saturating_add(1),
            parent,
            pods,
            impossible: m.survivor.impossible,
            refusing_since: m.survivor.refusing_since,
            trouble: Some(why.to_owned()),
            ..Survivor::default()
        };
        let pause = backoff(pauses, m.survivor.attempt);
        let pause = self.fx.jitter(pause);
        self.fx.after(Timer::Recovery, pause);
    }

    /// A survivor asks this node (RECOVER-1).
    pub(super) fn on_recover_ask(&mut self, link: LinkId, ask: &RecoverAsk) {
        let verdict = self.judge_survivor(ask);
        let bound = match &verdict {
            RecoverVerdict::Granted => true,
            RecoverVerdict::Promised { .. } => !self.fx.bug(Bug::PromisersUnfiltered),
            _ => false,
        };
        if bound {
            self.void_round();
        }
        if bound && ask.forced.is_none() {
            self.hear_only_from_now(link);
        }
        let answer = RecoverAnswer {
            round: ask.round,
            node: self.me.id(),
            verdict,
        };
        self.fx.send(link, Message::RecoverAnswer(answer));
    }

    fn judge_survivor(&mut self, ask: &RecoverAsk) -> RecoverVerdict {
        let now = self.fx.now;
        let refused = |newer, promised| RecoverVerdict::Refused { newer, promised };
        let Life::Member(m) = &mut self.life else {
            return match self.answer_listing(ask) {
                Ok(()) => RecoverVerdict::Granted,
                Err(newer) => refused(newer, None),
            };
        };
        let ours = m.log.id();
        if ours.cluster_id != ask.topology.cluster_id {
            return RecoverVerdict::OtherCluster { topology: ours };
        }
        if ours > ask.topology || ours == ask.topology && m.log.decided() > ask.decided {
            return m.known_beyond(ask);
        }
        if ours < ask.topology {
            return match self.answer_listing(ask) {
                Ok(()) => {
                    self.abandon_recovery();
                    RecoverVerdict::Granted
                }
                Err(newer) => refused(newer, None),
            };
        }
        let ticking = !m.lost_coordinator(now, &self.config) && m.coordinator().is_some();
        if ticking {
            return RecoverVerdict::QuorumHere { tick: m.tick };
        }
        let mine = m
            .log
            .topology()
            .member(self.me.id())
            .map(|member| member.order);
        let better = mine.is_some_and(|mine| (ask.decided, mine) < (m.log.decided(), ask.order));
        if better && m.survivor.is_asking() {
            let since = *m.survivor.refusing_since.get_or_insert(now);
            if now.since(since) < PATIENCE {
                return refused(None, None);
            }
        }
        if ask.term <= m.log.promised() {
            m.takeover.heard = m.takeover.heard.max(Some(ask.term));
            return refused(None, Some(m.log.promised()));
        }
        if let Err(newer) = self.answer_listing(ask) {
            return refused(newer, None);
        }
        let Life::Member(m) = &mut self.life else {
            return refused(None, None);
        };
        let term = ask.term;
        m.log.promise(term);
        self.fx.observe(|| Observation::Promised { term });
        step_down(m);
        m.takeover.promised_at = Some(now);
        let tail = m.log.tail_after(ask.decided);
        self.abandon_recovery();
        RecoverVerdict::Promised { tail }
    }

    fn answer_listing(
        &mut self,
        ask: &RecoverAsk,
    ) -> Result<(), Option<discovery_core::ResourceVersion>> {
        let Some(version) = ask.resource_version else {
            // A forced recovery asks no listing and binds nobody but members.
            return if self.is_member() { Ok(()) } else { Err(None) };
        };
        self.filter.answer(version).map_err(Some)
    }

    /// Somebody else recovers: the own round is void.
    fn abandon_recovery(&mut self) {
        let again = self.fx.jitter(PATIENCE);
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if m.survivor.is_asking() {
            m.survivor.over();
        }
        if !m.quorum {
            self.fx.after(Timer::Recovery, again);
        }
    }

    pub(super) fn on_recover_answer(&mut self, link: LinkId, from: NodeId, answer: RecoverAnswer) {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let current = m
            .survivor
            .round
            .as_ref()
            .is_some_and(|round| round.number == answer.round);
        let forced = m.survivor.forced.is_some() && answer.round == m.survivor.rounds;
        if !(current || forced) || answer.node != from {
            return;
        }
        let end = m.log.decided().next();
        match answer.verdict {
            RecoverVerdict::Granted => {
                if let Some(round) = &mut m.survivor.round {
                    round.answered(from, false);
                }
            }
            RecoverVerdict::Promised { tail } => {
                let member = m.log.topology().member(from).is_some();
                if member && tail.first <= end {
                    m.survivor.promises.insert(from, tail);
                    if let Some(round) = &mut m.survivor.round {
                        round.answered(from, false);
                    }
                }
            }
            RecoverVerdict::QuorumHere { tick } => {
                m.saw_tick(tick, now);
                self.fail_recovery("a quorum goes on");
                self.fetch_from(from);
                return;
            }
            RecoverVerdict::Newer { decided } => {
                self.fail_recovery("somebody knows more");
                self.on_decided(link, from, &decided);
                return;
            }
            RecoverVerdict::NewerTopology { .. } => {
                self.fail_recovery("somebody knows a newer topology");
                self.fetch_from(from);
                return;
            }
            RecoverVerdict::OtherCluster { topology } => {
                m.survivor.impossible = true;
                self.fail_recovery("a listed process belongs to another cluster");
                self.meet_cluster(topology);
                return;
            }
            RecoverVerdict::Refused { promised, .. } => {
                m.takeover.heard = m.takeover.heard.max(promised);
                self.fail_recovery("somebody asked refuses for now");
                return;
            }
        }
        self.look_after_recovery();
    }

    /// An operator's word, or `quorum = none`: a cluster of its own with those that answer.
    pub(super) fn force(&mut self) {
        let now = self.fx.now;
        let me = self.me.id();
        let why = match &self.life {
            Life::Newcomer(_) | Life::Over => "not a member",
            Life::Member(m) if m.quorum => "there is a quorum; nothing has to be recovered",
            Life::Member(_) => "",
        };
        let Life::Member(m) = &mut self.life else {
            self.fx.emit(Notice::Refused {
                why: why.to_owned(),
            });
            return;
        };
        if m.quorum {
            self.fx.emit(Notice::Refused {
                why: why.to_owned(),
            });
            return;
        }
        let Some(order) = m.log.topology().member(me).map(|member| member.order) else {
            return;
        };
        let highest = m
            .log
            .promised()
            .max(m.tick.term)
            .max(m.takeover.heard.unwrap_or(Term::FIRST));
        let Some(term) = highest.above(order) else {
            return;
        };
        step_down(m);
        m.survivor.over();
        m.survivor.rounds += 1;
        m.log.promise(term);
        self.fx.observe(|| Observation::Promised { term });
        m.survivor.term = Some(term);
        let cluster = ClusterId::from_u128(self.fx.draw_u128());
        m.survivor.forced = Some((cluster, now));
        let linked = |id: &NodeId| self.fx.links.is_linked(*id);
        let to: Vec<NodeId> = m
            .others()
            .map(|(_, node)| node.id())
            .filter(linked)
            .collect();
        let ask = RecoverAsk {
            round: m.survivor.rounds,
            resource_version: None,
            topology: m.log.id(),
            decided: m.log.decided(),
            order,
            term,
            forced: Some(cluster),
        };
        for id in to {
            self.fx.send_to(id, Message::RecoverAsk(ask.clone()));
        }
        self.fx.after(Timer::Recovery, FORCED_WAIT);
        self.look_after_recovery();
    }

    /// The wait of a forced recovery is over, or everybody linked has promised.
    fn conclude_forced(&mut self) {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let (Some((cluster, since)), Some(term)) = (m.survivor.forced, m.survivor.term) else {
            return;
        };
        let promised = |id: &NodeId| m.survivor.promises.contains_key(id);
        let linked = |id: &NodeId| self.fx.links.is_linked(*id);
        let others: Vec<NodeId> = m.others().map(|(_, node)| node.id()).collect();
        let all = others.iter().all(|id| promised(id) || !linked(id));
        if !all && now.since(since) < FORCED_WAIT {
            self.fx.within(Timer::Recovery, LOOK);
            return;
        }
        if m.log.promised() != term {
            self.fail_recovery("a higher term was promised meanwhile");
            return;
        }
        let gone = others
            .into_iter()
            .filter(|id| !promised(id))
            .map(|id| (id, Evidence::AbsentFromRecovery))
            .collect();
        // Above every epoch known; the clock only where no listing could ever be compared (P9).
        let epoch = if self.authoritative {
            Epoch(self.floor.epoch.0.saturating_add(1))
        } else {
            self.clock_epoch()
        };
        self.open_epoch(term, gone, epoch, Some(cluster));
    }

    /// Every missing member's pod runs another process now: nothing has to be waited for.
    pub(super) fn recover_at_once_if_replaced(&mut self) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let accused = |id: NodeId| m.watch.subjects.get(&id).map(|subject| subject.state);
        let mut well = 1;
        for (_, node) in m.others() {
            match accused(node.id()) {
                Some(SubjectState::Accused(discovery_core::AccusationKind::Replaced, _)) => {}
                Some(SubjectState::Accused(..)) => return,
                Some(SubjectState::Well | SubjectState::Redialling) | None => well += 1,
            }
        }
        if well >= m.roster.majority() || !m.quorum {
            return;
        }
        m.quorum = false;
        m.quorum_lost_at = Some(self.fx.now);
        let stale = m.topology().clone();
        self.forget_publications();
        self.stands(discovery_core::Standing::WithoutQuorum { stale });
        self.fx.within(Timer::Recovery, LOOK / 10);
    }
}

impl Membership {
    /// What this member knows beyond a survivor; that there is more, if that cannot be told step by
    /// step from where the survivor stands.
    fn known_beyond(&self, ask: &RecoverAsk) -> RecoverVerdict {
        let (topology, decided) = (self.log.id(), self.log.decided());
        let run = self.log.decided_after(ask.decided, DECIDED_BYTES_MAX);
        let follows = |(_, entries): &(_, Vec<_>)| {
            leads_on(ask.topology, topology, decided, entries, ask.decided)
        };
        match run.filter(follows) {
            Some((first, entries)) => {
                let decided = Decided {
                    topology,
                    first,
                    entries,
                    decided,
                };
                RecoverVerdict::Newer { decided }
            }
            None => RecoverVerdict::NewerTopology { topology },
        }
    }
}
