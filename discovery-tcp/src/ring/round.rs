//! One census round (FORM-1, FORM-3 to FORM-5, RECOVER-1): everybody is contacted, then listed,
//! then asked. What is asked and what the answers are good for is in `newcomer.rs` and `recover.rs`.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use discovery_core::{
    Census, DialOutcome, Exemption, ListedSight, NodeId, NodeInfo, PodFact, PodRef,
    ProcessIdentity, ResourceVersion, Seed, SeedReport, may_be_exempt,
};

use super::effects::Effects;
use super::links::Purpose;
use super::output::Output;
use super::planted::Bug;
use crate::message::CloseReason;
use crate::moment::Moment;

/// How long a listed process that did not answer is left alone before it is dialled again.
const REDIAL: Duration = Duration::from_millis(500);
/// How long everybody asked may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);
/// First and longest pause between listings while their version is too low (FORM-9).
pub(super) const RELIST: (Duration, Duration) =
    (Duration::from_millis(5), Duration::from_millis(500));
/// How long somebody unsettled holds up the next listing.
const LIST_ANYWAY: Duration = Duration::from_secs(2);
/// Longest wait for a listing.
const LISTING_LIMIT: Duration = Duration::from_secs(10);

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

/// One listed process in a round.
#[expect(
    clippy::struct_excessive_bools,
    reason = "four facts that change independently"
)]
#[derive(Clone, Debug)]
pub(super) struct Contact {
    pub(super) seed: Seed,
    /// The process met there, over an open link.
    pub(super) met: Option<NodeId>,
    /// The process that had been met when the listing was asked for.
    pub(super) listed_as: Option<NodeId>,
    /// It belongs to a cluster of another name.
    pub(super) foreign: bool,
    /// It gave the answer that the round needs.
    pub(super) answered: bool,
    /// The last listing held it.
    was_listed: bool,
    before: Sight,
    after: Sight,
    tries: usize,
    due: Moment,
    dialling: bool,
}

#[derive(Clone, Debug, Default)]
struct Sight {
    dial: Option<DialOutcome>,
    question: Option<u64>,
    pod: Option<PodFact>,
}

/// One round.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) number: u64,
    pub(super) stage: RoundStage,
    pub(super) contacts: BTreeMap<ProcessIdentity, Contact>,
    pub(super) version: Option<ResourceVersion>,
    /// A listing was made after the last look at the exempt (FORM-8).
    relisted: bool,
    /// How many listings were too low in a row.
    too_low: u32,
    /// When the last listing was asked for that found somebody unsettled.
    listed_at: Option<Moment>,
    /// The order in which contacts are dialled, the same at everybody.
    order: Vec<ProcessIdentity>,
    /// The report of the finder whose seeds the contacts are, and whether it was taken whole.
    knows: Option<(u64, bool)>,
    /// How many do not answer, until something changes.
    unanswered: Cell<Option<u32>>,
}

impl Round {
    pub(super) fn new(number: u64) -> Self {
        Self {
            number,
            stage: RoundStage::Contacting,
            contacts: BTreeMap::new(),
            version: None,
            relisted: false,
            too_low: 0,
            listed_at: None,
            order: Vec::new(),
            knows: None,
            unanswered: Cell::new(None),
        }
    }

    /// The seeds of the finder are contacted; who is neither among them nor was listed is not.
    /// Reports are numbered: each is taken once.
    pub(super) fn know(&mut self, number: u64, report: &SeedReport, me: &NodeInfo, now: Moment) {
        let whole = self.stage == RoundStage::Contacting;
        if self.knows.is_some_and(|known| known >= (number, whole)) {
            return;
        }
        self.knows = Some((number, whole));
        self.unanswered.set(None);
        let seeds = report.seeds();
        if whole {
            let known: BTreeSet<ProcessIdentity> = seeds.iter().map(Seed::identity).collect();
            self.contacts
                .retain(|id, contact| known.contains(id) || contact.was_listed);
            self.order.clear();
        }
        for seed in &seeds {
            if !is_self(seed, me) {
                self.add(seed.clone(), now);
            }
        }
    }

    /// Forgets all contacts.
    pub(super) fn contact_nobody(&mut self) {
        self.unanswered.set(None);
        self.contacts.clear();
        self.order.clear();
    }

    pub(super) fn add(&mut self, seed: Seed, now: Moment) {
        self.unanswered.set(None);
        let identity = seed.identity();
        self.order.clear();
        self.contacts.entry(identity).or_insert_with(|| Contact {
            seed,
            met: None,
            listed_as: None,
            foreign: false,
            answered: false,
            was_listed: false,
            before: Sight::default(),
            after: Sight::default(),
            tries: 0,
            due: now,
            dialling: false,
        });
    }

    /// A node is at the other end of a link: the listed process that it is, is met.
    pub(super) fn meet(&mut self, node: &NodeInfo) {
        self.unanswered.set(None);
        if let Some(uid) = node.pod_uid()
            && let Some(contact) = self.contacts.get_mut(&ProcessIdentity::Pod(uid.clone()))
        {
            contact.met = Some(node.id());
            contact.dialling = false;
        }
        for address in node.addresses() {
            if let Some(contact) = self.contacts.get_mut(&ProcessIdentity::Address(*address)) {
                contact.met = Some(node.id());
                contact.dialling = false;
            }
        }
    }

    /// Whoever answers where a process without a pod is listed, is it.
    pub(super) fn meet_at(&mut self, identity: &ProcessIdentity, node: NodeId) {
        self.unanswered.set(None);
        if let Some(contact) = self.contacts.get_mut(identity) {
            contact.met = Some(node);
        }
    }

    /// The last link to a node is gone.
    pub(super) fn lose(&mut self, node: NodeId) {
        self.unanswered.set(None);
        for contact in self.contacts.values_mut() {
            if contact.met == Some(node) {
                contact.met = None;
            }
        }
    }

    /// A dial for a contact ended without meeting it.
    pub(super) fn dialled(
        &mut self,
        identity: &ProcessIdentity,
        outcome: DialOutcome,
        fx: &mut Effects,
    ) {
        self.unanswered.set(None);
        let asking = self.is_past_listing();
        let Some(contact) = self.contacts.get_mut(identity) else {
            return;
        };
        contact.dialling = false;
        contact.due = fx.now + REDIAL;
        let sight = if asking {
            &mut contact.after
        } else {
            &mut contact.before
        };
        *sight = Sight {
            dial: Some(outcome),
            question: None,
            pod: None,
        };
        let pod = contact.seed.pod_uid.clone().zip(contact.seed.name.clone());
        if outcome == DialOutcome::Refused
            && let Some((uid, name)) = pod
        {
            let question = u64::try_from(fx.draw_u128() >> 65).unwrap_or(0);
            sight.question = Some(question);
            fx.output(Output::AskPod {
                question,
                pod: PodRef { uid, name },
            });
        }
    }

    /// It is of a cluster of another name: that node id need not answer.
    pub(super) fn foreign(&mut self, identity: &ProcessIdentity, now: Moment) {
        self.unanswered.set(None);
        if let Some(contact) = self.contacts.get_mut(identity) {
            contact.dialling = false;
            contact.foreign = true;
            contact.due = now + REDIAL * 4;
        }
    }

    /// It is not dialled again before then.
    pub(super) fn rest(&mut self, identity: &ProcessIdentity, until: Moment) {
        if let Some(contact) = self.contacts.get_mut(identity) {
            contact.due = until;
        }
    }

    /// The platform's word on a pod; false if nobody here asked.
    pub(super) fn take_fact(&mut self, question: u64, fact: &PodFact) -> bool {
        self.unanswered.set(None);
        for contact in self.contacts.values_mut() {
            for sight in [&mut contact.before, &mut contact.after] {
                if sight.question == Some(question) {
                    sight.question = None;
                    sight.pod = Some(fact.clone());
                    return true;
                }
            }
        }
        false
    }

    fn is_past_listing(&self) -> bool {
        match self.stage {
            RoundStage::Contacting | RoundStage::Listing(_) => false,
            RoundStage::Looking(_) | RoundStage::Asking(_) | RoundStage::Relisting { .. } => true,
        }
    }

    /// Dials whoever is due, at most `wave` contacts in all; returns how many of them are settled.
    pub(super) fn dial_due(&mut self, wave: usize, fx: &mut Effects) {
        let past = self.is_past_listing();
        let now = fx.now;
        let planted = fx.bug(Bug::ExemptByRefusal);
        let mut dials = Vec::new();
        self.put_in_order();
        for identity in self.order.iter().take(wave) {
            let Some(contact) = self.contacts.get_mut(identity) else {
                continue;
            };
            let looked = past && contact.after.dial.is_some();
            let exempt = !past && contact.seen_not_running(planted);
            let rests = contact.dialling || contact.met.is_some() || now < contact.due;
            if rests || looked || exempt {
                continue;
            }
            let addresses = contact.seed.addresses();
            let to = addresses[contact.tries % addresses.len()];
            contact.tries += 1;
            contact.dialling = true;
            contact.foreign = false;
            dials.push((to, contact.seed.identity()));
        }
        if !dials.is_empty() {
            self.unanswered.set(None);
        }
        for (to, identity) in dials {
            if fx.dial(to, Purpose::Contact(identity.clone())).is_none() {
                self.dialled(&identity, DialOutcome::Silent, fx);
            }
        }
    }

    fn put_in_order(&mut self) {
        if self.order.len() == self.contacts.len() {
            return;
        }
        let mut contacts: Vec<(&ProcessIdentity, &Contact)> = self.contacts.iter().collect();
        contacts.sort_by(|a, b| a.1.seed.cmp(&b.1.seed));
        self.order = contacts.into_iter().map(|(id, _)| id.clone()).collect();
    }

    /// Whether nobody is left to be contacted before a listing, and who is not settled if not.
    pub(super) fn unsettled(&self, exempt_by_refusal: bool) -> Vec<&Contact> {
        let settled = |contact: &&Contact| {
            contact.met.is_some() || contact.foreign || contact.seen_not_running(exempt_by_refusal)
        };
        self.contacts
            .values()
            .filter(|contact| !settled(contact))
            .collect()
    }

    /// Whether the first `wave` contacts have all been tried.
    pub(super) fn wave_is_over(&mut self, wave: usize) -> bool {
        self.tried(wave) == wave.min(self.contacts.len())
    }

    /// How many of the first `wave` contacts have been dialled and have ended somehow.
    pub(super) fn tried(&mut self, wave: usize) -> usize {
        self.put_in_order();
        let contacts = self.order.iter().take(wave);
        let contacts = contacts.filter_map(|identity| self.contacts.get(identity));
        contacts.filter(|contact| contact.is_tried()).count()
    }

    /// How many listed processes do not answer: the first part of the rank (FORM-2).
    pub(super) fn unanswered(&self) -> u32 {
        if let Some(known) = self.unanswered.get() {
            return known;
        }
        let silent = |contact: &&Contact| {
            contact.met.is_none()
                && !contact.foreign
                && contact.before.dial.is_some()
                && !contact.seen_not_running(false)
        };
        let silent = self.contacts.values().filter(silent).count();
        let unanswered = u32::try_from(silent).unwrap_or(u32::MAX);
        self.unanswered.set(Some(unanswered));
        unanswered
    }

    /// Whether to ask for the listing: everybody is settled; or everybody was tried, and it may be
    /// that who is not settled is listed no more.
    pub(super) fn may_list(&self, by_refusal: bool, now: Moment) -> bool {
        let tried = self.contacts.values().all(Contact::is_tried);
        let rested = self.listed_at.is_none_or(|at| now.since(at) >= LIST_ANYWAY);
        self.unsettled(by_refusal).is_empty() || tried && rested
    }

    /// Closes the links over which somebody asked did not answer: they may be dead on one side.
    pub(super) fn drop_unanswered(&mut self, fx: &mut Effects) {
        self.unanswered.set(None);
        if !matches!(self.stage, RoundStage::Asking(_)) {
            return;
        }
        for contact in self.contacts.values_mut() {
            if let Some(node) = contact.listed_as.filter(|_| !contact.answered) {
                while let Some(link) = fx.links.to(node) {
                    fx.close(link, CloseReason::Replaced);
                }
                contact.met = None;
            }
        }
    }

    /// Asks for the listing; who is met now is who must answer afterwards.
    pub(super) fn list(&mut self, fx: &mut Effects) {
        for contact in self.contacts.values_mut() {
            contact.listed_as = contact.met;
            contact.answered = false;
            contact.after = Sight::default();
        }
        self.stage = RoundStage::Listing(fx.now);
        self.listed_at = Some(fx.now);
        fx.counters.rounds += 1;
        fx.output(Output::AskListing { round: self.number });
    }

    /// Takes the listing: contacts that are not listed go; returns whether everybody listed had
    /// been contacted before, so that all can be asked.
    pub(super) fn take_listing(&mut self, census: &Census, me: &NodeInfo, fx: &Effects) -> bool {
        self.unanswered.set(None);
        let listed: BTreeMap<ProcessIdentity, &Seed> = census
            .entries
            .iter()
            .filter(|seed| !(is_self(seed, me) || fx.bug(Bug::SelfByAddress) && at_own(seed, me)))
            .map(|seed| (seed.identity(), seed))
            .collect();
        self.contacts
            .retain(|identity, _| listed.contains_key(identity));
        self.order.clear();
        let by_refusal = fx.bug(Bug::ExemptByRefusal);
        // Everybody on the list must have been contacted before it was asked for (FORM-3).
        let mut all = self.contacts.values().all(|contact| {
            contact.listed_as.is_some() || contact.foreign || contact.seen_not_running(by_refusal)
        });
        for (identity, seed) in listed {
            if let Some(contact) = self.contacts.get_mut(&identity) {
                contact.was_listed = true;
            } else {
                all = fx.bug(Bug::ContactAfterListing) && all;
                self.add(seed.clone(), fx.now);
                if let Some(contact) = self.contacts.get_mut(&identity) {
                    contact.was_listed = true;
                }
            }
        }
        self.version = Some(census.resource_version);
        all
    }

    /// Whether a later listing names nobody that the round has not asked.
    pub(super) fn holds_all_of(&self, census: &Census, me: &NodeInfo) -> bool {
        census
            .entries
            .iter()
            .all(|seed| is_self(seed, me) || self.contacts.contains_key(&seed.identity()))
    }

    /// Whom to ask: everybody met.
    pub(super) fn to_ask(&self) -> Vec<NodeId> {
        self.contacts
            .values()
            .filter_map(|contact| contact.met)
            .collect()
    }

    /// Whether somebody who must answer cannot any more: lost, or another process by now.
    pub(super) fn is_broken(&self, now: Moment, successors: bool) -> bool {
        let changed = self.contacts.values().any(|contact| {
            contact.listed_as.is_some() && contact.met != contact.listed_as && !successors
                || contact.listed_as.is_none() && contact.met.is_some() && !successors
        });
        match self.stage {
            RoundStage::Contacting => false,
            RoundStage::Listing(since) => now.since(since) > LISTING_LIMIT,
            RoundStage::Looking(since) | RoundStage::Asking(since) => {
                changed || now.since(since) > ANSWER_LIMIT
            }
            RoundStage::Relisting { .. } => changed,
        }
    }

    /// Whether everybody who can be asked has answered.
    pub(super) fn complete(&self) -> bool {
        self.contacts
            .values()
            .all(|contact| contact.answered || contact.foreign || contact.listed_as.is_none())
    }

    /// Those who need not answer, once all of them were looked at before and after the listing;
    /// `None` while one of them was not, or does not pass (FORM-7).
    pub(super) fn exemptions(&self, fx: &Effects) -> Option<Vec<Exemption>> {
        let mut exempt = Vec::new();
        for (identity, contact) in &self.contacts {
            if contact.listed_as.is_some() || contact.foreign {
                continue;
            }
            exempt.push(contact.exemption(identity, fx.bug(Bug::ExemptByRefusal))?);
        }
        Some(exempt)
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
        for contact in self.contacts.values_mut() {
            if contact.met == Some(node) && (contact.listed_as == Some(node) || successors) {
                contact.answered = true;
            }
        }
    }

    /// Whom the round waits for, for people.
    pub(super) fn waits_for(&self, exempt_by_refusal: bool) -> String {
        let waiting: Vec<String> = match self.stage {
            RoundStage::Contacting => self
                .unsettled(exempt_by_refusal)
                .into_iter()
                .take(4)
                .map(|contact| contact.seed.to_string())
                .collect(),
            RoundStage::Listing(_) => vec!["a listing".to_owned()],
            RoundStage::Looking(_) | RoundStage::Asking(_) => self
                .contacts
                .values()
                .filter(|contact| !contact.answered)
                .take(4)
                .map(|contact| contact.seed.to_string())
                .collect(),
            RoundStage::Relisting { .. } => {
                vec!["a newer listing (epoch source behind)".to_owned()]
            }
        };
        waiting.join(", ")
    }
}

impl Contact {
    /// It was met, or a dial of it has ended.
    fn is_tried(&self) -> bool {
        self.met.is_some() || self.foreign || self.before.dial.is_some()
    }

    /// Refused, and its pod says that nothing runs there.
    fn seen_not_running(&self, by_refusal: bool) -> bool {
        let refused = self.before.dial == Some(DialOutcome::Refused);
        refused
            && (by_refusal
                || self
                    .before
                    .judged_with(&self.before, &self.seed.identity())
                    .is_some())
    }

    fn exemption(&self, identity: &ProcessIdentity, by_refusal: bool) -> Option<Exemption> {
        if by_refusal && self.before.dial == Some(DialOutcome::Refused) {
            let pod_uid = identity.pod_uid()?.clone();
            return Some(Exemption {
                pod_uid,
                restart_count: 0,
            });
        }
        self.before.judged_with(&self.after, identity)
    }
}

impl Sight {
    fn judged_with(&self, later: &Self, identity: &ProcessIdentity) -> Option<Exemption> {
        let before = ListedSight {
            dial: self.dial?,
            pod: self.pod.as_ref()?,
        };
        let after = ListedSight {
            dial: later.dial?,
            pod: later.pod.as_ref()?,
        };
        may_be_exempt(identity, before, after).ok()
    }
}

/// Whether a seed is this process: by its pod's uid, and by address only without one (F6).
pub(super) fn is_self(seed: &Seed, me: &NodeInfo) -> bool {
    match (&seed.pod_uid, me.pod_uid()) {
        (Some(uid), Some(mine)) => uid == mine,
        (Some(_), None) => false,
        (None, _) => at_own(seed, me),
    }
}

fn at_own(seed: &Seed, me: &NodeInfo) -> bool {
    seed.addresses()
        .iter()
        .any(|address| me.addresses().contains(address))
}

impl Round {
    /// Everything that belonged to the round's listing is void; whom it knows stays known.
    pub(super) fn reset(&mut self) {
        self.version = None;
        self.relisted = false;
        self.too_low = 0;
        for contact in self.contacts.values_mut() {
            contact.listed_as = None;
            contact.answered = false;
            contact.after = Sight::default();
        }
    }
}
