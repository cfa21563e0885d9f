//! Before membership (FORM): contact in waves, rank, the census round, founding. Joining a cluster
//! that exists is in `join.rs`.

use std::collections::BTreeSet;
use std::mem::Discriminant;
use std::time::Duration;

use discovery_core::{
    Census, ClusterId, Epoch, FinderError, NodeId, ResourceVersion, SnapshotCause, Standing, Term,
    Topology,
};

use super::effects::Effects;
use super::input::LinkId;
use super::join::Joining;
use super::lead::Mandate;
use super::log::Log;
use super::observation::Observation;
use super::output::{Notice, Output};
use super::planted::Bug;
use super::round::{Round, RoundStage};
use super::timers::Timer;
use super::{Life, Ring};
use crate::config::Formation;
use crate::message::{
    Best, Defer, FoundValue, Granted, IsMember, Message, Position, Rank, Snapshot, Wait,
};
use crate::moment::Moment;

/// Contacts of the first wave, and of each further one.
const WAVES: (usize, usize) = (3, 16);
/// Least and longest pause between the first wave and the next: what the first brought may name
/// somebody better, and has to come round. It lasts as long as the first wave took.
const AFTER_FIRST_WAVE: (Duration, Duration) =
    (Duration::from_millis(5), Duration::from_millis(50));
/// How often a newcomer looks after its round without anything happening.
const LOOK: Duration = Duration::from_millis(100);
/// A candidate without success for so long counts itself last for as long.
const YIELD: Duration = Duration::from_secs(3);

/// One node's time before it is a member.
#[derive(Debug)]
pub(super) struct Newcomer {
    pub(super) not_before: Moment,
    pub(super) round: Round,
    pub(super) join: Joining,
    wave: usize,
    /// When contact began, and when the wave after the first may go.
    began_at: Option<Moment>,
    next_wave_at: Option<Moment>,
    /// When a better candidate was dialled last.
    hinted_at: Option<Moment>,
    /// When, and at which stage, it was last told what is waited for.
    told: Option<(Moment, Discriminant<RoundStage>)>,
    failures: u32,
    resumes_at: Moment,
    candidate_since: Option<Moment>,
    last_until: Option<Moment>,
    first_listing_asked: bool,
    pub(super) trouble: Option<String>,
    waiting_for: String,
}

impl Newcomer {
    pub(super) fn new(not_before: Moment) -> Self {
        Self {
            not_before,
            round: Round::new(1),
            join: Joining::default(),
            wave: WAVES.0,
            began_at: None,
            next_wave_at: None,
            hinted_at: None,
            told: None,
            failures: 0,
            resumes_at: not_before,
            candidate_since: None,
            last_until: None,
            first_listing_asked: false,
            trouble: None,
            waiting_for: String::new(),
        }
    }

    /// Whether it is time to tell what is waited for: at a new stage at once, else now and then, not
    /// with each answer of many.
    fn tells_again(&mut self, now: Moment) -> bool {
        let stage = std::mem::discriminant(&self.round.stage);
        let same = |(at, told): (Moment, _)| told == stage && now.since(at) < LOOK / 2;
        if self.told.is_some_and(same) {
            return false;
        }
        self.told = Some((now, stage));
        true
    }

    /// Lets more contacts be dialled: after a pause a further wave's worth beyond those settled.
    fn widen(&mut self, fx: &mut Effects) {
        let now = fx.now;
        let began = *self.began_at.get_or_insert(now);
        if self.next_wave_at.is_none() && !self.round.contacts.wave_is_over(self.wave) {
            return;
        }
        let (least, longest) = AFTER_FIRST_WAVE;
        let pause = now.since(began).clamp(least, longest);
        let due = *self.next_wave_at.get_or_insert(now + pause);
        if now < due {
            fx.timers.set_by(Timer::Round, due);
            return;
        }
        let wave = self.round.contacts.tried(self.wave).saturating_add(WAVES.1);
        if wave > self.wave {
            self.wave = wave;
            self.round.dial_due(wave, fx);
        }
    }
}

impl Ring {
    /// Its rank as a candidate; none once it is a member.
    pub(super) fn own_rank(&self) -> Option<Rank> {
        let Life::Newcomer(newcomer) = &self.life else {
            return None;
        };
        let last = newcomer.last_until.is_some_and(|until| self.fx.now < until);
        let unanswered = if last {
            u32::MAX
        } else {
            newcomer.round.contacts.unanswered()
        };
        Some(Rank {
            unanswered,
            started_at: self.me.started_at(),
            node: self.me.id(),
        })
    }

    /// Moves a newcomer, or a survivor, on as far as it goes now.
    pub(super) fn look_after_round(&mut self) {
        match &self.life {
            Life::Newcomer(newcomer) if self.fx.now < newcomer.not_before => {}
            Life::Newcomer(newcomer) if newcomer.join.is_under_way() => {}
            Life::Newcomer(_) => self.look_after_formation(),
            Life::Member(_) => self.look_after_recovery(),
            Life::Over => {}
        }
    }

    fn look_after_formation(&mut self) {
        self.fx.within(Timer::Round, LOOK);
        let now = self.fx.now;
        let rank = self.own_rank();
        let better = rank.and_then(|rank| self.hearsay.better_than(rank, now));
        let Life::Newcomer(newcomer) = &mut self.life else {
            return;
        };
        if let Some(report) = &self.finder {
            newcomer.round.know(self.reports, report, &self.me, now);
        }
        if let Some(better) = better {
            newcomer.candidate_since = None;
            newcomer.round.stage = RoundStage::Contacting;
            newcomer.round.dial_due(WAVES.0, &mut self.fx);
            self.wait_for_better(&better);
            return;
        }
        newcomer.round.dial_due(newcomer.wave, &mut self.fx);
        // Waves are for contacting; a round that has its listing goes on with whom it listed.
        let contacting = newcomer.round.stage == RoundStage::Contacting;
        if contacting && newcomer.wave < newcomer.round.contacts.len() {
            newcomer.widen(&mut self.fx);
            self.waits("processes to contact".to_owned());
            return;
        }
        match &self.config.formation {
            Formation::Single => self.look_after_single(),
            Formation::Majority(names) => {
                let names = names.clone();
                self.look_after_founding(&names);
            }
            Formation::Census if self.authoritative => self.look_after_census(),
            Formation::Census => {
                self.waits(
                    "a member: the finder cannot feed a census, so nobody founds".to_owned(),
                );
            }
        }
    }

    fn wait_for_better(&mut self, better: &Best) {
        let node = better.rank.node;
        let linked = self.fx.links.is_linked(node);
        let now = self.fx.now;
        let Life::Newcomer(newcomer) = &mut self.life else {
            return;
        };
        let rested = newcomer.hinted_at.is_none_or(|at| now.since(at) >= LOOK);
        if !linked
            && rested
            && !self.fx.links.is_dialling(node, &better.addresses)
            && let Some(to) = better.addresses.first()
        {
            newcomer.hinted_at = Some(now);
            self.fx.dial(*to, super::links::Purpose::Hint);
        }
        self.waits(format!("the better candidate {node}"));
    }

    pub(super) fn waits(&mut self, text: String) {
        let Life::Newcomer(newcomer) = &mut self.life else {
            return;
        };
        if newcomer.waiting_for == text {
            return;
        }
        newcomer.waiting_for.clone_from(&text);
        self.standing = Standing::NotYetMember {
            waiting_for: text.into(),
        };
        let standing = self.standing.clone();
        self.fx.emit(Notice::Standing(standing));
    }

    fn look_after_single(&mut self) {
        let Life::Newcomer(newcomer) = &mut self.life else {
            return;
        };
        if !newcomer.round.contacts.wave_is_over(usize::MAX) {
            self.waits("processes to contact".to_owned());
            return;
        }
        let epoch = self.clock_epoch();
        let cluster_id = ClusterId::from_u128(self.fx.draw_u128());
        self.found(cluster_id, epoch, None);
    }

    /// An epoch by the clock, above whatever was known (FORM, `majority`).
    pub(super) fn clock_epoch(&self) -> Epoch {
        let clock = u64::try_from(self.fx.wall().0).unwrap_or(0);
        Epoch(clock.max(self.floor.epoch.0.saturating_add(1)))
    }

    fn look_after_census(&mut self) {
        let now = self.fx.now;
        let by_refusal = self.fx.bug(Bug::ExemptByRefusal);
        let successors = self.fx.bug(Bug::SuccessorsGrantCounts);
        self.yield_if_long_without_success();
        let Life::Newcomer(newcomer) = &mut self.life else {
            return;
        };
        if !newcomer.first_listing_asked {
            newcomer.first_listing_asked = true;
            self.fx.output(Output::AskListing { round: 0 });
        }
        if now < newcomer.resumes_at {
            self.fx.timers.set_by(Timer::Round, newcomer.resumes_at);
            return;
        }
        if newcomer.round.is_broken(now, successors) {
            self.fail_round();
            return;
        }
        let text = newcomer.tells_again(now).then(|| {
            let waited_for = newcomer.round.waits_for(by_refusal);
            newcomer.trouble.clone().unwrap_or(waited_for)
        });
        match newcomer.round.stage {
            RoundStage::Contacting => {
                if newcomer.round.may_list(by_refusal, now) {
                    newcomer.round.list(&mut self.fx);
                }
            }
            RoundStage::Listing(_) | RoundStage::Relisting { asked: true, .. } => {}
            RoundStage::Looking(_) => self.go_on_with_round(),
            RoundStage::Asking(_) => self.conclude_round(),
            RoundStage::Relisting { due, .. } if now >= due => {
                newcomer.round.stage = RoundStage::Relisting { due, asked: true };
                self.fx.output(Output::AskListing {
                    round: newcomer.round.number,
                });
            }
            RoundStage::Relisting { due, .. } => self.fx.timers.set_by(Timer::Round, due),
        }
        if let Some(text) = text {
            self.waits(text);
        }
    }

    fn yield_if_long_without_success(&mut self) {
        let now = self.fx.now;
        let Life::Newcomer(newcomer) = &mut self.life else {
            return;
        };
        let since = *newcomer.candidate_since.get_or_insert(now);
        if now.since(since) >= YIELD {
            newcomer.last_until = Some(now + YIELD);
            newcomer.candidate_since = Some(now + YIELD);
            self.tell_rumours_soon();
        }
    }

    /// The round came to nothing: the next one after a pause (FORM-6).
    pub(super) fn fail_round(&mut self) {
        let pauses = self.config.round_pause;
        let Life::Newcomer(newcomer) = &mut self.life else {
            return;
        };
        newcomer.round.drop_unanswered(&mut self.fx);
        newcomer.failures = newcomer.failures.saturating_add(1);
        let pause = super::takeover::backoff(pauses, newcomer.failures);
        let pause = self.fx.jitter(pause);
        newcomer.resumes_at = self.fx.now + pause;
        newcomer.round.number += 1;
        newcomer.round.stage = RoundStage::Contacting;
        newcomer.round.reset();
        self.fx.within(Timer::Round, pause);
    }

    /// A listing came: the first of this process, or that of its round.
    pub(super) fn on_listing(&mut self, round: u64, result: Result<Census, FinderError>) {
        if let Ok(census) = &result {
            self.floor.listed(census.resource_version);
        }
        match &mut self.life {
            Life::Newcomer(newcomer) => {
                let stale = newcomer.round.number != round;
                if stale && !(self.fx.bug(Bug::StaleListingBelieved) && round != 0) {
                    return;
                }
                newcomer.trouble = result
                    .as_ref()
                    .err()
                    .map(|error| format!("the finder: {error}"));
                match result {
                    Ok(census) => self.on_own_listing(&census),
                    Err(_) => self.fail_round(),
                }
            }
            Life::Member(_) => self.on_survivors_listing(round, result),
            Life::Over => {}
        }
    }

    fn on_own_listing(&mut self, census: &Census) {
        let now = self.fx.now;
        let listed = self.lists_me(census);
        let Life::Newcomer(newcomer) = &mut self.life else {
            return;
        };
        if !listed {
            newcomer.trouble = Some("its own pod to be listed".to_owned());
            self.fail_round();
            return;
        }
        match newcomer.round.stage {
            RoundStage::Listing(_) => {
                if !newcomer.round.take_listing(census, &self.me, &self.fx) {
                    newcomer.round.stage = RoundStage::Contacting;
                    newcomer.wave = usize::MAX;
                    self.look_after_round();
                    return;
                }
                newcomer.round.stage = RoundStage::Looking(now);
                self.look_after_round();
            }
            RoundStage::Relisting { .. } => {
                if !newcomer.round.holds_all_of(census, &self.me) {
                    self.fail_round();
                    return;
                }
                newcomer.round.version = Some(census.resource_version);
                newcomer.round.stage = RoundStage::Looking(now);
                self.look_after_round();
            }
            RoundStage::Contacting | RoundStage::Looking(_) | RoundStage::Asking(_) => {}
        }
    }

    /// Whether a listing holds this very process; without a uid of its own nobody founds (FORM-3).
    pub(super) fn lists_me(&self, census: &Census) -> bool {
        let me = &self.me;
        if self.fx.bug(Bug::SelfByAddress) {
            return census
                .entries
                .iter()
                .any(|seed| me.addresses().contains(&seed.address()));
        }
        me.pod_uid().is_some_and(|uid| {
            census
                .entries
                .iter()
                .any(|seed| seed.pod_uid.as_ref() == Some(uid))
        })
    }

    fn ask_to_defer(&mut self, resource_version: ResourceVersion) {
        let Some(rank) = self.own_rank() else {
            return;
        };
        let Life::Newcomer(newcomer) = &mut self.life else {
            return;
        };
        let asked = newcomer.round.to_ask();
        let round = newcomer.round.number;
        let mut all = asked.clone();
        all.push(self.me.id());
        let defer = Defer {
            round,
            resource_version,
            asked: all,
            rank,
        };
        let defer = std::sync::Arc::new(Message::Defer(defer));
        for id in asked {
            self.fx.send_shared_to(id, &defer);
        }
    }

    /// A candidate asks this node to step back (FORM-4).
    pub(super) fn on_defer(&mut self, link: LinkId, from: NodeId, defer: &Defer) {
        let now = self.fx.now;
        let round = defer.round;
        if let Some(member) = self.member_hint().filter(|_| self.is_member()) {
            self.fx
                .send(link, Message::IsMember(IsMember { round, member }));
            return;
        }
        let Some(mine) = self.own_rank() else {
            return;
        };
        let Some(node) = self.fx.links.node_at(link) else {
            return;
        };
        let asker = Best {
            rank: defer.rank,
            addresses: node.addresses().to_vec(),
        };
        self.hearsay.note(&asker, true, now);
        let better = self.hearsay.better_than(defer.rank, now);
        let own_is_better = mine < defer.rank && self.is_asking();
        if better.is_some() || own_is_better {
            let own = Best {
                rank: mine,
                addresses: self.me.addresses().to_vec(),
            };
            let better = better.or(Some(own));
            self.fx.send(
                link,
                Message::Wait(Wait {
                    round,
                    better,
                    newer: None,
                }),
            );
            return;
        }
        let older = self.filter.answer(defer.resource_version);
        if let Err(newer) = older
            && !self.fx.bug(Bug::OlderAskGranted)
        {
            let wait = Wait {
                round,
                better: None,
                newer: Some(newer),
            };
            self.fx.send(link, Message::Wait(wait));
            return;
        }
        if !self.fx.bug(Bug::GrantKept) {
            self.void_round();
        }
        self.hear_only_from_now(link);
        let node = self.me.id();
        self.fx
            .send_to(from, Message::Granted(Granted { round, node }));
    }

    fn is_asking(&self) -> bool {
        let Life::Newcomer(newcomer) = &self.life else {
            return false;
        };
        match newcomer.round.stage {
            RoundStage::Contacting => false,
            RoundStage::Listing(_)
            | RoundStage::Looking(_)
            | RoundStage::Asking(_)
            | RoundStage::Relisting { .. } => true,
        }
    }

    /// Its own census and all grants it holds are void (FORM-4).
    pub(super) fn void_round(&mut self) {
        if let Life::Newcomer(newcomer) = &mut self.life {
            newcomer.round.number += 1;
            newcomer.round.stage = RoundStage::Contacting;
            newcomer.round.reset();
            newcomer.candidate_since = None;
        }
    }

    pub(super) fn on_granted(&mut self, from: NodeId, granted: Granted) {
        let successors = self.fx.bug(Bug::SuccessorsGrantCounts);
        let Life::Newcomer(newcomer) = &mut self.life else {
            return;
        };
        if granted.round != newcomer.round.number || granted.node != from {
            return;
        }
        newcomer.round.answered(from, successors);
        self.look_after_round();
    }

    pub(super) fn on_wait(&mut self, wait: &Wait) {
        let Life::Newcomer(newcomer) = &self.life else {
            return;
        };
        let current = wait.round == newcomer.round.number;
        self.take_rumour(wait.better.as_ref(), None);
        if current {
            self.fail_round();
        }
    }

    /// Everybody is listed: list once more, or ask (FORM-8, FORM-9).
    fn go_on_with_round(&mut self) {
        let now = self.fx.now;
        let Life::Newcomer(newcomer) = &mut self.life else {
            return;
        };
        newcomer.round.dial_due(usize::MAX, &mut self.fx);
        let Some(exempt) = newcomer.round.exemptions(&self.fx) else {
            return;
        };
        let Some(version) = newcomer.round.version else {
            return;
        };
        let high_enough = self
            .floor
            .is_below(version, self.filter.answered(), &self.fx);
        if newcomer.round.go_on(!exempt.is_empty(), high_enough, now) {
            self.ask_to_defer(version);
            self.conclude_round();
        } else {
            self.fx.within(Timer::Round, Duration::ZERO);
        }
    }

    /// Everybody answered: found (FORM-5).
    fn conclude_round(&mut self) {
        let Life::Newcomer(newcomer) = &mut self.life else {
            return;
        };
        let exempt = newcomer.round.exemptions(&self.fx);
        let (true, Some(exempt)) = (newcomer.round.complete(), exempt) else {
            return;
        };
        let Some(version) = newcomer.round.version else {
            return;
        };
        // Answering somebody else in between voids the round; this guards it once more.
        if !self
            .floor
            .is_below(version, self.filter.answered(), &self.fx)
        {
            self.fail_round();
            return;
        }
        for exemption in exempt {
            let pod_uid = exemption.pod_uid;
            self.fx.observe(|| Observation::Exempted { pod_uid });
        }
        let cluster_id = ClusterId::from_u128(self.fx.draw_u128());
        self.found(cluster_id, Epoch::from(version), Some(version));
    }

    /// A cluster of one: the others are admitted in the next changes (FORM-5).
    pub(super) fn found(
        &mut self,
        cluster_id: ClusterId,
        epoch: Epoch,
        version: Option<ResourceVersion>,
    ) {
        let Ok(topology) = Topology::founded(cluster_id, epoch, Term::FIRST, self.me.clone())
        else {
            return;
        };
        let id = topology.id();
        self.fx.observe(|| Observation::Founded {
            topology: id,
            resource_version: version,
        });
        let snapshot = Snapshot {
            topology,
            position: Position(0),
            promised: Term::FIRST,
            sequences: Vec::new(),
        };
        let log = self.log_from(&snapshot);
        self.become_member(log, SnapshotCause::Start);
        let mandate = Mandate {
            term: Term::FIRST,
            promisers: BTreeSet::new(),
            recovery: false,
            splits_off: false,
            tail: Vec::new(),
            leftovers: std::collections::VecDeque::new(),
        };
        self.lead(mandate);
    }

    pub(super) fn log_from(&self, snapshot: &Snapshot) -> Log {
        let limits = (self.config.history_max, self.config.history_bytes_max);
        Log::starting(snapshot, limits, self.fx.planted)
    }

    /// Founding by majority decided this value (FORM, `majority`).
    pub(super) fn founded_by_majority(&mut self, value: FoundValue) {
        if value.founder == self.me.id() {
            self.found(value.cluster_id, value.epoch, None);
        }
    }
}
