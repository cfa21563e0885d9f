//! Before membership (FORM): contact in waves, the rank of a candidate, waiting for better ones;
//! what a founder is once it may found. The census round is in `census.rs`, founding by a majority
//! in `founding.rs`; joining a cluster that exists is in `join.rs`.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use discovery_core::{ClusterId, Epoch, ResourceVersion, SnapshotCause, Standing, Term, Topology};

use super::census::Candidate;
use super::effects::Effects;
use super::join::Joining;
use super::lasting::LastingRefusal;
use super::lead::Mandate;
use super::links::Purpose;
use super::log::Log;
use super::observation::Observation;
use super::output::Notice;
use super::planted::Bug;
use super::round::{Round, RoundStage};
use super::timers::Timer;
use super::{Life, Ring};
use crate::config::Formation;
use crate::message::{Best, Position, Rank, Snapshot};
use crate::moment::Moment;

/// Contacts of the first wave, as many as it grows to if that one is slow, and of each further wave.
/// In a mass start the first is the same for everybody, and knows the best of all soon.
const WAVES: (usize, usize, usize) = (1, 3, 16);
/// Least and longest pause between the first wave and the next: what the first brought may name
/// somebody better, and has to come round. It lasts as long as the first wave took.
const AFTER_FIRST_WAVE: (Duration, Duration) =
    (Duration::from_millis(5), Duration::from_millis(50));
/// How long the first contact may take, and the best of all to come by itself, before others are
/// dialled. Long enough for a crowd that starts on few cores: more dials do not help who is slow.
const PATIENCE: Duration = Duration::from_millis(200);
/// How often a newcomer looks after its round without anything happening.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// One node's time before it is a member.
#[derive(Debug)]
pub(super) struct Newcomer {
    pub(super) not_before: Moment,
    pub(super) round: Round,
    pub(super) candidate: Candidate,
    pub(super) join: Joining,
    /// How many may be contacted so far.
    wave: usize,
    /// When contact began, and when the wave after the first may go.
    began_at: Option<Moment>,
    next_wave_at: Option<Moment>,
    /// When a better candidate that has not come by itself is dialled.
    hint_due: Option<Moment>,
    /// What somebody has to mend.
    pub(super) trouble: Option<String>,
    /// Who refused it for good last, and when.
    pub(super) refused: Option<(Moment, LastingRefusal)>,
    waiting_for: String,
}

impl Newcomer {
    pub(super) fn new(not_before: Moment, fx: &mut Effects) -> Self {
        Self {
            not_before,
            round: Round::new(fx.next_round()),
            candidate: Candidate::new(not_before),
            join: Joining::default(),
            wave: WAVES.0,
            began_at: None,
            next_wave_at: None,
            hint_due: None,
            trouble: None,
            refused: None,
            waiting_for: String::new(),
        }
    }

    /// Lets more contacts be dialled: after a pause a further wave's worth beyond those settled.
    fn widen(&mut self, fx: &mut Effects) {
        let now = fx.now;
        let began = *self.began_at.get_or_insert(now);
        let (least, longest) = AFTER_FIRST_WAVE;
        if self.next_wave_at.is_none() && !self.round.contacts.wave_is_over(self.wave) {
            let late = began + PATIENCE;
            if self.wave < WAVES.1 && now < late {
                fx.timers.set_by(Timer::Round, late);
            } else if self.wave < WAVES.1 {
                self.wave = WAVES.1;
                self.round.dial_due(self.wave, fx);
            }
            return;
        }
        let pause = now.since(began).clamp(least, longest);
        let due = *self.next_wave_at.get_or_insert(now + pause);
        if now < due {
            fx.timers.set_by(Timer::Round, due);
            return;
        }
        let wave = self.round.contacts.tried(self.wave).saturating_add(WAVES.2);
        if wave > self.wave {
            self.wave = wave;
            self.round.dial_due(wave, fx);
        }
    }

    /// The waves are over: a listing named somebody new, who is contacted at once.
    pub(super) fn contact_everybody(&mut self) {
        self.wave = usize::MAX;
        self.round.stage = RoundStage::Contacting;
    }
}

impl Ring {
    /// Its rank as a candidate; none once it is a member.
    pub(super) fn own_rank(&self) -> Option<Rank> {
        let Life::Newcomer(newcomer) = &self.life else {
            return None;
        };
        let unanswered = if newcomer.candidate.counts_itself_last(self.fx.now) {
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

    /// This node as a candidate that others may wait for.
    pub(super) fn own_best(&self) -> Option<Best> {
        Some(Best {
            rank: self.own_rank()?,
            addresses: self.me.addresses().to_vec(),
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
        let is_kept = self.fx.bug(Bug::GrantKept) && self.is_asking();
        let better = rank
            .filter(|_| !is_kept)
            .and_then(|rank| self.hearsay.better_than(rank, now));
        let Life::Newcomer(newcomer) = &mut self.life else {
            return;
        };
        if let Some(report) = &self.finder {
            newcomer.round.know(self.reports, report, &self.me, now);
        }
        if let Some(better) = better {
            newcomer.candidate.step_back();
            if self.fx.bug(Bug::RoundKept) {
                newcomer.round.stage = RoundStage::Contacting;
            } else if newcomer.round.stage != RoundStage::Contacting {
                // What it listed, and who granted, is no good for the next time (FORM-4).
                newcomer.round.start_again(&mut self.fx);
            }
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
        if !linked && !self.fx.links.is_dialling(node, &better.addresses) {
            // Who is best dials everybody; whom it does not know of, dials it.
            let due = *newcomer.hint_due.get_or_insert(now + PATIENCE);
            if now < due {
                self.fx.timers.set_by(Timer::Round, due);
            } else if let Some(to) = better.addresses.first() {
                newcomer.hint_due = Some(now + LOOK);
                self.fx.dial(*to, Purpose::Hint);
            }
        }
        self.waits(format!("the better candidate {node}"));
    }

    /// Tells people what it waits for, once.
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
            leftovers: VecDeque::new(),
        };
        self.lead(mandate);
    }

    pub(super) fn log_from(&self, snapshot: &Snapshot) -> Log {
        let limits = (self.config.history_max, self.config.history_bytes_max);
        Log::starting(snapshot, limits, self.fx.planted)
    }
}
