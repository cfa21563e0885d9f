//! Recovering a lost quorum (RECOVER): who survives asks everybody listed, until all have answered
//! or are proven dead. How it answers others is in `recover_ask.rs`, proofs of death are in
//! `missing.rs`, and the change that ends it is in `epoch.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use discovery_core::{
    AccusationKind, Census, ClusterId, FinderError, NodeId, NodeOrder, ProofRule, Standing, Term,
};

use super::decide::step_down;
use super::forced::Forced;
use super::input::LinkId;
use super::member::Membership;
use super::missing::PodWatch;
use super::observation::Observation;
use super::output::{Notice, Output};
use super::planted::Bug;
use super::round::{Round, RoundStage};
use super::takeover::backoff;
use super::timers::Timer;
use super::watch::SubjectState;
use super::{Life, Ring};
use crate::config::{Quorum, Recovery};
use crate::message::{CloseReason, Message, RecoverAnswer, RecoverAsk, RecoverVerdict, Tail};
use crate::moment::Moment;

/// How long the first change of a recovery may take to be accepted by all promisers.
pub(super) const CHANGE_LIMIT: Duration = Duration::from_secs(2);
/// How often a survivor looks after its round without anything happening.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// What a member without quorum is doing about it.
#[derive(Debug, Default)]
pub(super) struct Survivor {
    pub(super) round: Option<Round>,
    /// That of its last round.
    pub(super) number: u64,
    pub(super) attempt: u32,
    pub(super) term: Option<Term>,
    pub(super) promises: BTreeMap<NodeId, Tail>,
    pub(super) pods: BTreeMap<NodeId, PodWatch>,
    pub(super) refusing_since: Option<Moment>,
    pub(super) forced: Option<Forced>,
    /// An operator asked for it, and is to hear if it comes to nothing.
    pub(super) commanded: bool,
    pub(super) change_since: Option<Moment>,
    /// A listed process belongs to another cluster of the same name (MEET).
    pub(super) impossible: Option<ClusterId>,
    /// The cluster that a forced recovery split this one from.
    pub(super) parent: Option<ClusterId>,
    pub(super) trouble: Option<String>,
}

impl Survivor {
    pub(super) fn is_asking(&self) -> bool {
        self.round.is_some() || self.forced.is_some()
    }

    /// Whether its round has asked anybody. Before that nobody is bound by it, and a majority that can
    /// be reached again is the shorter way back, however long its listing takes (TAKE-2).
    pub(super) fn has_asked(&self) -> bool {
        let asks = |round: &Round| matches!(round.stage, RoundStage::Asking(_));
        let forced = self.forced.as_ref().is_some_and(Forced::has_asked);
        self.round.as_ref().is_some_and(asks) || forced
    }

    /// The quorum is back, or a topology was installed.
    pub(super) fn over(&mut self) {
        let (parent, number) = (self.parent, self.number);
        *self = Self {
            number,
            parent,
            ..Self::default()
        };
    }
}

impl Ring {
    /// The quorum has been lost for long enough: start, or start again.
    pub(super) fn recover(&mut self) {
        let now = self.fx.now;
        let (recovery, quorum) = (self.config.recovery, self.config.quorum);
        let possible = self.lists_epochs() && self.config.proof != ProofRule::Off;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let opens_epoch = m.opens_epoch();
        if m.quorum && !opens_epoch {
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
        let is_asking = m.survivor.is_asking();
        let leads_on = m.lead.is_some() && !opens_epoch;
        let lost = m.lost_coordinator(now, &self.config);
        if leads_on && !lost && !is_asking {
            // Elected a moment ago: the majority that promised may still accept.
            self.fx.within(Timer::Recovery, LOOK);
            return;
        }
        if leads_on && lost && is_asking {
            // Elected, and then heard by no majority: the round goes on.
            step_down(m);
        }
        if is_asking || opens_epoch {
            self.look_after_recovery();
            return;
        }
        match (quorum, recovery) {
            (Quorum::None, _) => self.force(false),
            (Quorum::Majority, Recovery::Census) if possible => {
                step_down(m);
                m.survivor.number = self.fx.next_round();
                m.survivor.round = Some(Round::new(m.survivor.number));
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
        self.look_after_forced();
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

    pub(super) fn on_survivors_listing(
        &mut self,
        number: u64,
        result: Result<Census, FinderError>,
    ) {
        let now = self.fx.now;
        let listed = result.as_ref().ok().map(|census| self.lists_me(census));
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if let Some(forced) = &mut m.survivor.forced
            && m.survivor.number == number
        {
            forced.take_listing(result.ok().map(|census| census.resource_version));
            self.look_after_recovery();
            return;
        }
        let Some(round) = &mut m.survivor.round else {
            if listed == Some(false) && number == super::AUDIT_ROUND {
                self.fx.emit(Notice::NotListed);
            }
            return;
        };
        if round.number != number {
            return;
        }
        let census = match result {
            Ok(census) => census,
            Err(error) => {
                self.fail_recovery(&format!("the finder: {error}"));
                return;
            }
        };
        if listed == Some(false) {
            self.fx.emit(Notice::NotListed);
            self.fail_recovery("its own pod is not listed");
            return;
        }
        match round.stage {
            RoundStage::Listing(_) => {
                if self.fx.bug(Bug::RecoversByOwnTopology) {
                    round.version = Some(census.resource_version);
                    round.contacts.clear();
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
        let Some(term) = m.term_above(mine) else {
            return;
        };
        m.log.promise(term);
        self.fx.observe(|| Observation::Promised { term });
        m.takeover.candidacy = None;
        m.survivor.term = Some(term);
        m.survivor.promises.clear();
        let Some(round) = &m.survivor.round else {
            return;
        };
        let mut to: BTreeSet<NodeId> = round.contacts.met().into_iter().collect();
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
        let forced = m.survivor.forced.is_some() && answer.round == m.survivor.number;
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
                m.survivor.impossible = Some(topology.cluster_id);
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

    pub(super) fn fail_recovery(&mut self, why: &str) {
        let pauses = self.config.recovery_pause;
        self.command_failed(why);
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if let Some(round) = &mut m.survivor.round {
            round.drop_unanswered(&mut self.fx);
            if let Some(asked_at) = round.asked_long_ago(self.fx.now) {
                self.drop_deaf_links(asked_at);
            }
        }
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let (number, attempt, parent) = (m.survivor.number, m.survivor.attempt, m.survivor.parent);
        let pods = std::mem::take(&mut m.survivor.pods);
        m.survivor = Survivor {
            number,
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

    /// Ends the links to members over which nothing came since they were asked: who is gone without
    /// a word would count as somebody who answers, for as long as each round uses the link.
    fn drop_deaf_links(&mut self, asked_at: Moment) {
        let Life::Member(m) = &self.life else {
            return;
        };
        let is_member = |id: NodeId| m.log.topology().member(id).is_some();
        let deaf = self.fx.links.iter().filter(|(_, link)| {
            let end = link.other_end();
            end.is_some_and(|end| is_member(end.node.id())) && link.heard_at < asked_at
        });
        let deaf: Vec<LinkId> = deaf.map(|(id, _)| id).collect();
        for link in deaf {
            self.fx.close(link, CloseReason::Replaced);
        }
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
                Some(SubjectState::Accused(AccusationKind::Replaced, _)) => {}
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
        self.stands(Standing::WithoutQuorum { stale });
        self.fx.within(Timer::Recovery, LOOK / 10);
    }
}

impl Membership {
    /// Whether it coordinates a recovery whose change is not decided yet. Hearing a majority does
    /// not end that: all who promised must accept, and one of them may have given up (RECOVER-6).
    pub(super) fn opens_epoch(&self) -> bool {
        self.lead
            .as_ref()
            .is_some_and(|lead| lead.recovery.is_some())
    }

    /// A term of the member at this order, above every one heard of.
    pub(super) fn term_above(&self, order: NodeOrder) -> Option<Term> {
        let highest = self.log.promised().max(self.tick.term);
        let heard = self.takeover.heard.unwrap_or(Term::FIRST);
        highest.max(heard).above(order)
    }
}
