//! One census round (FORM-1, FORM-3 to FORM-5, RECOVER-1): everybody is contacted, then listed,
//! then asked. Whom it contacts is in `contacts.rs`; what is asked and what the answers are good
//! for is in `census.rs` and `recover.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use discovery_core::{
    Census, DialOutcome, Exemption, NodeId, NodeInfo, ProcessIdentity, ResourceVersion, Seed,
    SeedReport,
};

use super::contact::{Contact, Look, is_at_own, is_self};
use super::contacts::Contacts;
use super::effects::Effects;
use super::output::Output;
use super::planted::Bug;
use crate::message::CloseReason;
use crate::moment::Moment;

/// How long everybody asked may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);
/// First and longest pause between listings while their version is too low (FORM-9).
pub(super) const RELIST: (Duration, Duration) =
    (Duration::from_millis(5), Duration::from_millis(500));
/// How long somebody unsettled holds up the next listing.
const LIST_ANYWAY: Duration = Duration::from_secs(2);
/// Longest wait for a listing.
const LISTING_LIMIT: Duration = Duration::from_secs(10);
/// Most of those waited for who are named to people.
pub(super) const NAMED_MAX: usize = 4;

/// How far a round has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RoundStage {
    /// Everybody known is contacted.
    Contacting,
    /// A listing was asked for.
    Listing(Moment),
    /// Everybody is listed; those who need not answer are looked at once more.
    Looking(Moment),
    /// One more listing is due or asked for: its version was too low, or somebody is exempt.
    Relisting { due: Moment, asked: bool },
    /// Everybody listed was asked.
    Asking(Moment),
}

/// One round.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) number: u64,
    pub(super) stage: RoundStage,
    pub(super) contacts: Contacts,
    pub(super) version: Option<ResourceVersion>,
    /// A listing was made after the last look at the exempt (FORM-8).
    relisted: bool,
    /// How many listings were too low in a row.
    too_low: u32,
    /// When the last listing was asked for.
    listed_at: Option<Moment>,
}

impl Round {
    pub(super) fn new(number: u64) -> Self {
        Self {
            number,
            stage: RoundStage::Contacting,
            contacts: Contacts::default(),
            version: None,
            relisted: false,
            too_low: 0,
            listed_at: None,
        }
    }

    /// The seeds of the finder are contacted; whom a listing named stays until the next one.
    pub(super) fn know(&mut self, number: u64, report: &SeedReport, me: &NodeInfo, now: Moment) {
        let whole = self.stage == RoundStage::Contacting;
        self.contacts.know((number, whole), report, me, now);
    }

    /// A dial for a contact ended without meeting it.
    pub(super) fn dialled(
        &mut self,
        identity: &ProcessIdentity,
        outcome: DialOutcome,
        fx: &mut Effects,
    ) {
        match self.look() {
            Some(look) => self.contacts.dialled(identity, look, outcome, fx),
            None => self.contacts.not_seen(identity, fx.now),
        }
    }

    /// A process of a cluster of another name answered for a contact.
    pub(super) fn foreign(&mut self, identity: &ProcessIdentity, node: NodeId, now: Moment) {
        match self.look() {
            Some(look) => self.contacts.foreign(identity, look, node, now),
            None => self.contacts.not_seen(identity, now),
        }
    }

    /// Dials whoever is due among the first `wave` contacts.
    pub(super) fn dial_due(&mut self, wave: usize, fx: &mut Effects) {
        // Who is met while a listing is under way is met.
        let look = self.look().unwrap_or(Look::BeforeListing);
        self.contacts.dial_due(wave, look, fx);
    }

    /// What not meeting somebody counts for now: nothing while a listing is under way, as nobody knows
    /// on which side of it that would be (FORM-7).
    fn look(&self) -> Option<Look> {
        match self.stage {
            RoundStage::Contacting => Some(Look::BeforeListing),
            RoundStage::Listing(_) => None,
            RoundStage::Looking(_) | RoundStage::Asking(_) | RoundStage::Relisting { .. } => {
                Some(Look::AfterListing)
            }
        }
    }

    /// Whether to ask for the listing: everybody is settled; or everybody was tried, and it may be
    /// that who is not settled is listed no more.
    pub(super) fn may_list(&self, by_refusal: bool, now: Moment) -> bool {
        let tried = self.contacts.iter().all(Contact::is_tried);
        let rested = self.listed_at.is_none_or(|at| now.since(at) >= LIST_ANYWAY);
        let settled = self.contacts.unsettled(by_refusal).next().is_none();
        settled || tried && rested
    }

    /// Asks for the listing; who is met now is who must answer afterwards.
    pub(super) fn list(&mut self, fx: &mut Effects) {
        self.contacts.iter_mut().for_each(Contact::list);
        self.stage = RoundStage::Listing(fx.now);
        self.listed_at = Some(fx.now);
        fx.counters.rounds += 1;
        fx.output(Output::AskListing { round: self.number });
    }

    /// Takes the listing: contacts that are not listed go; returns whether everybody listed had
    /// been contacted before, so that all can be asked.
    pub(super) fn take_listing(&mut self, census: &Census, me: &NodeInfo, fx: &Effects) -> bool {
        let listed: BTreeMap<ProcessIdentity, &Seed> = census
            .entries
            .iter()
            .filter(|seed| {
                !(is_self(seed, me) || fx.bug(Bug::SelfByAddress) && is_at_own(seed, me))
            })
            .map(|seed| (seed.identity(), seed))
            .collect();
        self.contacts
            .retain(|identity, _| listed.contains_key(identity));
        let by_refusal = fx.bug(Bug::ExemptByRefusal);
        // Everybody on the list must have been contacted before it was asked for (FORM-3).
        let mut all = self
            .contacts
            .iter()
            .all(|contact| contact.listed_as().is_some() || contact.need_not_answer(by_refusal));
        for (identity, seed) in listed {
            if self.contacts.get(&identity).is_none() {
                all = fx.bug(Bug::ContactAfterListing) && all;
            }
            self.contacts.add(seed.clone(), fx.now).was_listed = true;
        }
        self.version = Some(census.resource_version);
        all
    }

    /// Takes whom it met since the listing for met before: a planted mistake (FORM-3).
    pub(super) fn take_whom_it_met(&mut self) {
        for contact in self.contacts.iter_mut() {
            contact.list_as_met();
        }
    }

    /// Whether a later listing names nobody that the round has not asked.
    pub(super) fn holds_all_of(&self, census: &Census, me: &NodeInfo) -> bool {
        census
            .entries
            .iter()
            .all(|seed| is_self(seed, me) || self.contacts.get(&seed.identity()).is_some())
    }

    /// Goes on after a listing whose every entry is known: with another listing, or with asking,
    /// which is allowed once the listing is high enough and followed the last look at the exempt
    /// (FORM-8, FORM-9).
    pub(super) fn go_on(&mut self, exempt: bool, high_enough: bool, now: Moment) -> bool {
        if exempt && !self.relisted {
            self.relisted = true;
            self.stage = RoundStage::Relisting {
                due: now,
                asked: false,
            };
            return false;
        }
        if !high_enough {
            self.too_low = self.too_low.saturating_add(1);
            self.stage = RoundStage::Relisting {
                due: now + super::takeover::backoff(RELIST, self.too_low),
                asked: false,
            };
            return false;
        }
        self.stage = RoundStage::Asking(now);
        true
    }

    /// The asked process gave the answer that counts, if it is the process that was contacted.
    pub(super) fn answered(&mut self, node: NodeId, successors: bool) {
        for contact in self.contacts.iter_mut() {
            if contact.met() == Some(node) && (contact.listed_as() == Some(node) || successors) {
                contact.answered = true;
            }
        }
    }

    /// Whether everybody who can be asked has answered.
    pub(super) fn complete(&self) -> bool {
        self.contacts
            .iter()
            .all(|contact| contact.answered || contact.listed_as().is_none())
    }

    /// Those who need not answer, once all of them were looked at before and after the listing;
    /// `None` while one of them was not, or does not pass (FORM-7).
    pub(super) fn exemptions(&self, fx: &Effects) -> Option<Vec<Exemption>> {
        let by_refusal = fx.bug(Bug::ExemptByRefusal);
        let unlisted = |contact: &&Contact| contact.listed_as().is_none();
        let mut exempt = Vec::new();
        for contact in self.contacts.iter().filter(unlisted) {
            if !contact.is_foreign() {
                exempt.push(contact.exemption(by_refusal)?);
            } else if !contact.is_foreign_still() {
                return None;
            }
        }
        Some(exempt)
    }

    /// Whether somebody who must answer cannot any more: lost, or another process by now.
    pub(super) fn is_broken(&self, now: Moment, successors: bool) -> bool {
        let is_another = |contact: &Contact| contact.met() != contact.listed_as();
        let changed = !successors && self.contacts.iter().any(is_another);
        match self.stage {
            RoundStage::Contacting => false,
            RoundStage::Listing(since) => now.since(since) > LISTING_LIMIT,
            RoundStage::Looking(since) | RoundStage::Asking(since) => {
                changed || now.since(since) > ANSWER_LIMIT
            }
            RoundStage::Relisting { .. } => changed,
        }
    }

    /// Closes the links over which somebody asked did not answer: they may be dead on one side.
    pub(super) fn drop_unanswered(&mut self, fx: &mut Effects) {
        if !matches!(self.stage, RoundStage::Asking(_)) {
            return;
        }
        for contact in self.contacts.iter_mut() {
            if let Some(node) = contact.listed_as().filter(|_| !contact.answered) {
                while let Some(link) = fx.links.to(node) {
                    fx.close(link, CloseReason::Replaced);
                }
                contact.set_met(None);
            }
        }
    }

    /// When everybody was asked, if they have had time to answer.
    pub(super) fn asked_long_ago(&self, now: Moment) -> Option<Moment> {
        match self.stage {
            RoundStage::Asking(since) if now.since(since) >= ANSWER_LIMIT / 2 => Some(since),
            _ => None,
        }
    }

    /// Everything that belonged to the round's listing is void; whom it knows stays known.
    pub(super) fn start_again(&mut self, fx: &mut Effects) {
        self.number = fx.next_round();
        self.stage = RoundStage::Contacting;
        self.version = None;
        self.relisted = false;
        self.too_low = 0;
        self.contacts.iter_mut().for_each(Contact::unlist);
    }

    /// Whom the round waits for, for people.
    pub(super) fn waits_for(&self, by_refusal: bool) -> String {
        match self.stage {
            RoundStage::Contacting => named(self.contacts.unsettled(by_refusal)),
            RoundStage::Listing(_) => "a listing".to_owned(),
            RoundStage::Looking(_) | RoundStage::Asking(_) => {
                named(self.contacts.iter().filter(|contact| !contact.answered))
            }
            RoundStage::Relisting { .. } => "a newer listing (epoch source behind)".to_owned(),
        }
    }
}

fn named<'a>(contacts: impl Iterator<Item = &'a Contact>) -> String {
    let names = contacts
        .take(NAMED_MAX)
        .map(|contact| contact.seed.to_string());
    names.collect::<Vec<_>>().join(", ")
}
