//! A candidate's census (FORM-3 to FORM-9): round after round until one of them may found, or
//! somebody better is heard of. What a round holds is in `round.rs`; asking the others to step
//! back, and stepping back for them, is in `defer.rs`.

use std::mem::Discriminant;
use std::time::Duration;

use discovery_core::{Census, ClusterId, Epoch, FinderError};

use super::newcomer::LOOK;
use super::observation::Observation;
use super::output::Output;
use super::planted::Bug;
use super::round::{Round, RoundStage};
use super::timers::Timer;
use super::{Life, Ring};
use crate::moment::Moment;

/// A candidate without success for so long counts itself last for as long.
pub(super) const YIELD: Duration = Duration::from_secs(3);

/// How a newcomer has fared as a candidate.
#[derive(Debug)]
pub(super) struct Candidate {
    /// Since when nobody better was heard of, without success.
    since: Option<Moment>,
    last_until: Option<Moment>,
    /// How many rounds failed in a row, and when the next one may begin.
    failures: u32,
    resumes_at: Moment,
    first_listing_asked: bool,
    /// When, and at which stage, it was last told what is waited for.
    told: Option<(Moment, Discriminant<RoundStage>)>,
}

impl Candidate {
    pub(super) fn new(not_before: Moment) -> Self {
        Self {
            since: None,
            last_until: None,
            failures: 0,
            resumes_at: not_before,
            first_listing_asked: false,
            told: None,
        }
    }

    pub(super) fn counts_itself_last(&self, now: Moment) -> bool {
        self.last_until.is_some_and(|until| now < until)
    }

    /// Somebody better is heard of, or was granted.
    pub(super) fn step_back(&mut self) {
        self.since = None;
    }

    /// Whether it has been without success for long, and counts itself last from now on.
    fn yields(&mut self, now: Moment) -> bool {
        let since = *self.since.get_or_insert(now);
        let yields = now.since(since) >= YIELD;
        if yields {
            self.last_until = Some(now + YIELD);
            self.since = Some(now + YIELD);
        }
        yields
    }

    /// Whether it is time to tell what is waited for: at a new stage at once, else now and
    /// then, not with each answer of many.
    fn tells_again(&mut self, round: &Round, now: Moment) -> bool {
        let stage = std::mem::discriminant(&round.stage);
        let same = |(at, told): (Moment, _)| told == stage && now.since(at) < LOOK / 2;
        if self.told.is_some_and(same) {
            return false;
        }
        self.told = Some((now, stage));
        true
    }
}

impl Ring {
    /// Moves the round on as far as it goes now.
    pub(super) fn look_after_census(&mut self) {
        let now = self.fx.now;
        let by_refusal = self.fx.bug(Bug::ExemptByRefusal);
        let later = self.fx.bug(Bug::ContactAfterListing);
        let successors = self.fx.bug(Bug::SuccessorsGrantCounts) || later;
        self.yield_if_long_without_success();
        let Life::Newcomer(newcomer) = &mut self.life else {
            return;
        };
        let candidate = &mut newcomer.candidate;
        if !candidate.first_listing_asked {
            candidate.first_listing_asked = true;
            self.fx.output(Output::AskListing { round: 0 });
        }
        if now < candidate.resumes_at {
            self.fx.timers.set_by(Timer::Round, candidate.resumes_at);
            return;
        }
        if newcomer.round.is_broken(now, successors) {
            self.fail_round();
            return;
        }
        let text = candidate.tells_again(&newcomer.round, now).then(|| {
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
        if let Life::Newcomer(newcomer) = &mut self.life
            && newcomer.candidate.yields(now)
        {
            self.tell_that_it_is_last();
        }
    }

    /// The round came to nothing: the next one after a pause (FORM-6).
    pub(super) fn fail_round(&mut self) {
        let pauses = self.config.round_pause;
        let Life::Newcomer(newcomer) = &mut self.life else {
            return;
        };
        newcomer.round.drop_unanswered(&mut self.fx);
        let candidate = &mut newcomer.candidate;
        candidate.failures = candidate.failures.saturating_add(1);
        let pause = super::takeover::backoff(pauses, candidate.failures);
        let pause = self.fx.jitter(pause);
        candidate.resumes_at = self.fx.now + pause;
        newcomer.round.start_again(&mut self.fx);
        self.fx.within(Timer::Round, pause);
    }

    /// Its own census and all grants it holds are void (FORM-4).
    pub(super) fn void_round(&mut self) {
        if let Life::Newcomer(newcomer) = &mut self.life {
            newcomer.round.start_again(&mut self.fx);
            newcomer.candidate.step_back();
        }
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
                if newcomer.round.take_listing(census, &self.me, &self.fx) {
                    newcomer.round.stage = RoundStage::Looking(now);
                } else {
                    newcomer.contact_everybody();
                }
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

    /// Everybody is listed: list once more, or ask (FORM-8, FORM-9).
    fn go_on_with_round(&mut self) {
        let now = self.fx.now;
        let Life::Newcomer(newcomer) = &mut self.life else {
            return;
        };
        newcomer.round.dial_due(usize::MAX, &mut self.fx);
        if self.fx.bug(Bug::ContactAfterListing) {
            newcomer.round.take_whom_it_met();
        }
        let Some(exempt) = newcomer.round.exemptions(&self.fx) else {
            return;
        };
        let Some(version) = newcomer.round.version else {
            return;
        };
        let high_enough = self
            .floor
            .is_below(version, self.filter.answered(), &self.fx);
        let exempt = !exempt.is_empty() && !self.fx.bug(Bug::ExemptByOneListing);
        if newcomer.round.go_on(exempt, high_enough, now) {
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
}
