//! Everybody whom a census round contacts: who is known, who was met, whom to dial next. What one
//! contact holds is in `contact.rs`; what the round wants of them all is in `round.rs`.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use discovery_core::{
    DialOutcome, NodeId, NodeInfo, PodFact, PodRef, ProcessIdentity, Seed, SeedReport,
};

use super::contact::{Contact, Look, is_self};
use super::effects::Effects;
use super::links::Purpose;
use super::output::Output;
use super::planted::Bug;
use crate::moment::Moment;

/// How long a listed process that did not answer is left alone before it is dialled again.
const REDIAL: Duration = Duration::from_millis(500);

/// The contacts of a round, and what follows from them.
#[derive(Debug, Default)]
pub(super) struct Contacts {
    /// Boxed: nodes of a map are half empty, and a mass start keeps everybody at everybody.
    known: BTreeMap<ProcessIdentity, Box<Contact>>,
    /// The report of the finder whose seeds they are, and whether it was taken whole.
    report: Option<(u64, bool)>,
    /// The order in which they are dialled, the same at everybody, until somebody comes or goes.
    order: Vec<ProcessIdentity>,
    /// Those of whom a dial has failed. Among them is everybody who does not answer, and they are
    /// few: counting does not look at thousands of contacts for each greeting.
    missed: BTreeSet<ProcessIdentity>,
    /// How many do not answer, until something changes.
    unanswered: OnceCell<u32>,
}

impl Contacts {
    /// The seeds of the finder are contacted; `whole` says that who is neither among them nor was
    /// listed is not. Reports are numbered: each is taken once.
    pub(super) fn know(
        &mut self,
        (number, whole): (u64, bool),
        report: &SeedReport,
        me: &NodeInfo,
        now: Moment,
    ) {
        if self.report.is_some_and(|known| known >= (number, whole)) {
            return;
        }
        self.report = Some((number, whole));
        let seeds = report.seeds();
        if whole {
            let known: BTreeSet<ProcessIdentity> = seeds.iter().map(Seed::identity).collect();
            self.retain(|identity, contact| known.contains(identity) || contact.was_listed);
        }
        for seed in &seeds {
            if !is_self(seed, me) {
                self.add(seed.clone(), now);
            }
        }
    }

    pub(super) fn add(&mut self, seed: Seed, now: Moment) -> &mut Contact {
        self.forget_derived();
        let identity = seed.identity();
        let contact = self.known.entry(identity);
        let known = contact.or_insert_with(|| Box::new(Contact::new(seed.clone(), now)));
        // Where it is, and whether it is ready, may have changed.
        known.seed = seed;
        known
    }

    /// Keeps those of whom this is true.
    pub(super) fn retain(&mut self, keep: impl Fn(&ProcessIdentity, &Contact) -> bool) {
        self.forget_derived();
        self.known
            .retain(|identity, contact| keep(identity, contact));
        self.missed
            .retain(|identity| self.known.contains_key(identity));
    }

    pub(super) fn clear(&mut self) {
        self.retain(|_, _| false);
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    pub(super) fn get(&self, identity: &ProcessIdentity) -> Option<&Contact> {
        self.known.get(identity).map(Box::as_ref)
    }

    pub(super) fn get_mut(&mut self, identity: &ProcessIdentity) -> Option<&mut Contact> {
        self.unanswered.take();
        self.known.get_mut(identity).map(Box::as_mut)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Contact> {
        self.known.values().map(Box::as_ref)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Contact> {
        self.unanswered.take();
        self.known.values_mut().map(Box::as_mut)
    }

    fn forget_derived(&mut self) {
        self.order.clear();
        self.unanswered.take();
    }

    /// A node is at the other end of a link: the listed process that it is, is met.
    pub(super) fn meet(&mut self, node: &NodeInfo) {
        let pod = node.pod_uid().cloned().map(ProcessIdentity::Pod);
        let addresses = node.addresses().iter().copied();
        for identity in pod
            .into_iter()
            .chain(addresses.map(ProcessIdentity::Address))
        {
            if let Some(contact) = self.get_mut(&identity) {
                contact.set_met(Some(node.id()));
            }
        }
    }

    /// Whoever answers where a process without a pod is listed, is it.
    pub(super) fn meet_at(&mut self, identity: &ProcessIdentity, node: NodeId) {
        if let Some(contact) = self.get_mut(identity) {
            contact.set_met(Some(node));
        }
    }

    /// The last link to a node is gone.
    pub(super) fn lose(&mut self, node: NodeId) {
        for contact in self.iter_mut().filter(|it| it.met() == Some(node)) {
            contact.set_met(None);
        }
    }

    /// Everybody who is met.
    pub(super) fn met(&self) -> Vec<NodeId> {
        self.iter().filter_map(Contact::met).collect()
    }

    /// The process that is listed is of a cluster of another name: that node id need not answer.
    pub(super) fn foreign(
        &mut self,
        identity: &ProcessIdentity,
        look: Look,
        node: NodeId,
        now: Moment,
    ) {
        if let Some(contact) = self.get_mut(identity) {
            contact.due = now + REDIAL * 4;
            if contact.dial_ended(look) {
                contact.see_foreign(look, node);
            }
        }
    }

    /// A dial ended, and what was seen by it counts for nothing.
    pub(super) fn not_seen(&mut self, identity: &ProcessIdentity, now: Moment) {
        if let Some(contact) = self.get_mut(identity) {
            contact.due = now + REDIAL;
            contact.forget_dial();
        }
    }

    /// It is not dialled again before then.
    pub(super) fn rest(&mut self, identity: &ProcessIdentity, until: Moment) {
        if let Some(contact) = self.get_mut(identity) {
            contact.due = until;
        }
    }

    /// The platform's word on a pod; false if nobody here asked.
    pub(super) fn take_fact(&mut self, question: u64, fact: &PodFact) -> bool {
        self.unanswered.take();
        self.missed.iter().any(|identity| {
            let contact = self.known.get_mut(identity);
            contact.is_some_and(|it| it.take_fact(question, fact))
        })
    }

    /// Dials whoever is due among the first `wave`.
    pub(super) fn dial_due(&mut self, wave: usize, look: Look, fx: &mut Effects) {
        let by_refusal = fx.bug(Bug::ExemptByRefusal);
        self.put_in_order();
        let mut dials = Vec::new();
        for identity in self.order.iter().take(wave) {
            if let Some(contact) = self.known.get_mut(identity)
                && contact.is_due(look, by_refusal, fx.now)
            {
                dials.push((contact.dial(look), identity.clone()));
            }
        }
        if !dials.is_empty() {
            self.unanswered.take();
        }
        for (to, identity) in dials {
            if fx.dial(to, Purpose::Contact(identity.clone())).is_none() {
                self.dialled(&identity, look, DialOutcome::Silent, fx);
            }
        }
    }

    /// A dial ended without meeting the contact; of who refuses, the platform is asked.
    pub(super) fn dialled(
        &mut self,
        identity: &ProcessIdentity,
        look: Look,
        outcome: DialOutcome,
        fx: &mut Effects,
    ) {
        let Some(contact) = self.get_mut(identity) else {
            return;
        };
        contact.due = fx.now + REDIAL;
        if !contact.dial_ended(look) {
            return;
        }
        let Some(outcome) = contact.conclude(outcome) else {
            contact.due = fx.now;
            return;
        };
        let pod = contact.seed.pod_uid.clone().zip(contact.seed.name.clone());
        let pod = pod.filter(|_| outcome == DialOutcome::Refused);
        let question = pod.map(|(uid, name)| {
            let question = u64::try_from(fx.draw_u128() >> 65).unwrap_or(0);
            let pod = PodRef { uid, name };
            fx.output(Output::AskPod { question, pod });
            question
        });
        contact.see(look, outcome, question);
        self.missed.insert(identity.clone());
    }

    /// How many of the first `wave` have been dialled and have ended somehow.
    pub(super) fn tried(&mut self, wave: usize) -> usize {
        self.put_in_order();
        let first = self.order.iter().take(wave);
        let first = first.filter_map(|identity| self.known.get(identity));
        first.filter(|contact| contact.is_tried()).count()
    }

    /// Whether the first `wave` have all been tried.
    pub(super) fn wave_is_over(&mut self, wave: usize) -> bool {
        self.tried(wave) == wave.min(self.len())
    }

    /// How many listed processes do not answer: the first part of the rank (FORM-2).
    pub(super) fn unanswered(&self) -> u32 {
        *self.unanswered.get_or_init(|| {
            let missed = self.missed.iter().filter_map(|it| self.known.get(it));
            let silent = missed.filter(|contact| contact.is_silent()).count();
            u32::try_from(silent).unwrap_or(u32::MAX)
        })
    }

    /// Who has to be contacted before a listing.
    pub(super) fn unsettled(&self, by_refusal: bool) -> impl Iterator<Item = &Contact> {
        self.iter()
            .filter(move |contact| !contact.is_settled(by_refusal))
    }

    fn put_in_order(&mut self) {
        if self.order.len() == self.known.len() {
            return;
        }
        let mut contacts: Vec<_> = self.known.iter().collect();
        contacts.sort_by(|a, b| a.1.seed.cmp(&b.1.seed));
        self.order = contacts.into_iter().map(|(id, _)| id.clone()).collect();
    }
}
