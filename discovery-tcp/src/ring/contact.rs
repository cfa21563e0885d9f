//! One listed process in a census round: who was met there, what the listing made of it, and how
//! it was seen before and after. All of them together are in `contacts.rs`.

use std::net::SocketAddr;

use discovery_core::{
    DialOutcome, Exemption, ListedSight, NodeId, NodeInfo, PodFact, ProcessIdentity, Seed,
    may_be_exempt,
};

use crate::moment::Moment;

/// When a process is looked at: whoever need not answer was seen alike both times (FORM-7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    BeforeListing,
    AfterListing,
}

/// One listed process.
#[derive(Clone, Debug)]
pub(super) struct Contact {
    pub(super) seed: Seed,
    /// The process met there, over an open link.
    met: Option<SlimId>,
    /// The process that had been met when the listing was asked for.
    listed_as: Option<SlimId>,
    /// It gave the answer that the round needs.
    pub(super) answered: bool,
    /// The last listing held it.
    pub(super) was_listed: bool,
    /// Not dialled again before then.
    pub(super) due: Moment,
    /// A dial is under way, begun at this look.
    dialling: Option<Look>,
    tries: u32,
    /// How many of its addresses, one after the other, refused in this look.
    refused: u8,
    /// Apart: a mass start keeps a contact for everybody at everybody, and few are looked at.
    sights: Option<Box<Sights>>,
}

/// A node id without the alignment of one, which would cost as much again as it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SlimId([u8; 16]);

impl From<NodeId> for SlimId {
    fn from(id: NodeId) -> Self {
        Self(id.as_u128().to_ne_bytes())
    }
}

impl From<SlimId> for NodeId {
    fn from(id: SlimId) -> Self {
        Self::from_u128(u128::from_ne_bytes(id.0))
    }
}

/// What is known of a process that does not answer, before and after the listing.
#[derive(Clone, Debug, Default)]
struct Sights {
    before: Sight,
    after: Sight,
}

/// How it was seen once.
#[derive(Clone, Debug)]
struct Sight {
    dial: Option<DialOutcome>,
    /// The number under which the platform was asked for its pod.
    question: Option<u64>,
    pod: Option<PodFact>,
    /// The process there, of a cluster of another name, that refused the greeting.
    foreign: Option<SlimId>,
}

/// Not seen at all.
const UNSEEN: Sight = Sight {
    dial: None,
    question: None,
    pod: None,
    foreign: None,
};

impl Default for Sight {
    fn default() -> Self {
        UNSEEN
    }
}

impl Contact {
    /// The process met there, over an open link.
    pub(super) fn met(&self) -> Option<NodeId> {
        self.met.map(NodeId::from)
    }

    /// This process is met there, or none any more. Who is met is none that does not answer, nor
    /// one that refused before.
    pub(super) fn set_met(&mut self, node: Option<NodeId>) {
        self.met = node.map(SlimId::from);
        if node.is_some() {
            self.dialling = None;
            self.sights = None;
        }
    }

    /// The process that had been met when the listing was asked for.
    pub(super) fn listed_as(&self) -> Option<NodeId> {
        self.listed_as.map(NodeId::from)
    }

    /// Whoever is met there now stands for what is listed, unless somebody did before.
    pub(super) fn list_as_met(&mut self) {
        self.listed_as = self.listed_as.or(self.met);
    }

    pub(super) fn new(seed: Seed, due: Moment) -> Self {
        Self {
            seed,
            met: None,
            listed_as: None,
            answered: false,
            was_listed: false,
            due,
            dialling: None,
            tries: 0,
            refused: 0,
            sights: None,
        }
    }

    fn seen(&self, look: Look) -> &Sight {
        static NOTHING: Sight = UNSEEN;
        match (&self.sights, look) {
            (None, _) => &NOTHING,
            (Some(sights), Look::BeforeListing) => &sights.before,
            (Some(sights), Look::AfterListing) => &sights.after,
        }
    }

    fn before(&self) -> &Sight {
        self.seen(Look::BeforeListing)
    }

    fn after(&self) -> &Sight {
        self.seen(Look::AfterListing)
    }

    /// It was met, or a dial of it has ended.
    pub(super) fn is_tried(&self) -> bool {
        self.met.is_some() || self.before().dial.is_some()
    }

    /// Nothing is left to be found out of it before a listing.
    pub(super) fn is_settled(&self, by_refusal: bool) -> bool {
        self.met.is_some() || self.need_not_answer(by_refusal)
    }

    /// It is of no concern to a listing that is asked for now.
    pub(super) fn need_not_answer(&self, by_refusal: bool) -> bool {
        self.is_foreign() || self.is_seen_not_running(by_refusal)
    }

    /// A process of a cluster of another name runs there.
    pub(super) fn is_foreign(&self) -> bool {
        self.before().foreign.is_some()
    }

    /// The very process that was foreign before the listing is so after it: it founded nothing
    /// meanwhile (FORM-7).
    pub(super) fn is_foreign_still(&self) -> bool {
        self.is_foreign() && self.before().foreign == self.after().foreign
    }

    /// It was dialled, and nothing explains why it does not answer.
    pub(super) fn is_silent(&self) -> bool {
        self.before().dial.is_some() && !self.is_settled(false)
    }

    /// Whether another dial would tell something that is not known yet.
    pub(super) fn is_due(&self, look: Look, by_refusal: bool, now: Moment) -> bool {
        let is_seen = match look {
            Look::BeforeListing => self.is_seen_not_running(by_refusal),
            Look::AfterListing => self.after().dial.is_some(),
        };
        // After a listing it is looked at once, and at once.
        let rests = look == Look::BeforeListing && now < self.due;
        !is_seen && !rests && self.dialling.is_none() && self.met.is_none()
    }

    /// Begins a dial, of each of its addresses in turn.
    pub(super) fn dial(&mut self, look: Look) -> SocketAddr {
        let addresses = self.seed.addresses();
        let to = addresses[self.tries as usize % addresses.len()];
        self.tries = self.tries.wrapping_add(1);
        self.dialling = Some(look);
        to
    }

    /// A dial has ended; false if it began before a listing and ended after: it says nothing of
    /// either.
    pub(super) fn dial_ended(&mut self, look: Look) -> bool {
        self.dialling.take().is_none_or(|begun| begun == look)
    }

    /// A dial has ended that says nothing.
    pub(super) fn forget_dial(&mut self) {
        self.dialling = None;
        self.refused = 0;
    }

    /// What a dial of one address says of the process: that it refuses only once all of them did, one
    /// after the other, for it may listen at one alone. Nothing while some are left to be dialled.
    pub(super) fn conclude(&mut self, outcome: DialOutcome) -> Option<DialOutcome> {
        let all = self.seed.addresses().len();
        let all = u8::try_from(all).unwrap_or(u8::MAX);
        self.refused = match outcome {
            DialOutcome::Refused => self.refused.saturating_add(1),
            _ => 0,
        };
        if outcome == DialOutcome::Refused && self.refused < all {
            return None;
        }
        self.refused = 0;
        Some(outcome)
    }

    /// A dial ended without meeting it; the platform is asked for its pod under this number.
    pub(super) fn see(&mut self, look: Look, outcome: DialOutcome, question: Option<u64>) {
        *self.sight_mut(look) = Sight {
            dial: Some(outcome),
            question,
            ..UNSEEN
        };
    }

    /// A process of a cluster of another name refused the greeting.
    pub(super) fn see_foreign(&mut self, look: Look, node: NodeId) {
        *self.sight_mut(look) = Sight {
            dial: Some(DialOutcome::Silent),
            foreign: Some(node.into()),
            ..UNSEEN
        };
    }

    fn sight_mut(&mut self, look: Look) -> &mut Sight {
        let sights = self.sights.get_or_insert_default();
        match look {
            Look::BeforeListing => &mut sights.before,
            Look::AfterListing => &mut sights.after,
        }
    }

    /// The platform's word on its pod; false if that was no answer to a question about it.
    pub(super) fn take_fact(&mut self, question: u64, fact: &PodFact) -> bool {
        let Some(sights) = &mut self.sights else {
            return false;
        };
        for sight in [&mut sights.before, &mut sights.after] {
            if sight.question == Some(question) {
                sight.question = None;
                sight.pod = Some(fact.clone());
                return true;
            }
        }
        false
    }

    /// A listing is asked for: who is met now must answer after it, who is not is looked at again.
    pub(super) fn list(&mut self) {
        self.unlist();
        self.listed_as = self.met;
    }

    /// What belonged to the last listing is void.
    pub(super) fn unlist(&mut self) {
        self.refused = 0;
        self.listed_as = None;
        self.answered = false;
        let differs = self.after().dial.is_some()
            && self.exemption(false).is_none()
            && !self.is_foreign_still();
        if let Some(sights) = &mut self.sights {
            sights.after = UNSEEN;
            if differs {
                // It ran meanwhile: what was seen before that exempts it in no later round either.
                sights.before = UNSEEN;
            }
        }
    }

    /// Why it need not answer, once it was seen not to run before and after the listing (FORM-7).
    pub(super) fn exemption(&self, by_refusal: bool) -> Option<Exemption> {
        let identity = self.seed.identity();
        if by_refusal && self.before().dial == Some(DialOutcome::Refused) {
            let pod_uid = identity.pod_uid()?.clone();
            return Some(Exemption {
                pod_uid,
                restart_count: 0,
            });
        }
        self.before().judged_with(self.after(), &identity)
    }

    /// Refused, and its pod says that nothing runs there.
    fn is_seen_not_running(&self, by_refusal: bool) -> bool {
        let refused = self.before().dial == Some(DialOutcome::Refused);
        let seen_alike = || {
            let identity = self.seed.identity();
            self.before()
                .judged_with(self.before(), &identity)
                .is_some()
        };
        refused && (by_refusal || seen_alike())
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
        (None, _) => is_at_own(seed, me),
    }
}

/// Whether a seed has an address of this process.
pub(super) fn is_at_own(seed: &Seed, me: &NodeInfo) -> bool {
    seed.addresses()
        .iter()
        .any(|address| me.addresses().contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact() -> Contact {
        let seed = Seed::at("10.0.0.2:47500".parse().unwrap());
        Contact::new(seed, Moment::START)
    }

    // Counter-example C52.
    // Clauses: FORM-5, FORM-7
    #[test]
    fn who_is_met_is_foreign_no_more() {
        let mut contact = contact();
        contact.dial(Look::BeforeListing);
        assert!(contact.dial_ended(Look::BeforeListing));
        contact.see_foreign(Look::BeforeListing, NodeId::from_u128(7));
        assert!(contact.need_not_answer(false));

        contact.set_met(Some(NodeId::from_u128(8)));
        assert!(!contact.need_not_answer(false));
        contact.set_met(None);
        assert!(!contact.is_settled(false));
    }

    // Clauses: FORM-7
    #[test]
    fn a_foreign_process_is_passed_by_if_it_is_the_same_after_the_listing() {
        let mut contact = contact();
        contact.see_foreign(Look::BeforeListing, NodeId::from_u128(7));
        contact.list();
        assert!(!contact.is_foreign_still());
        contact.see_foreign(Look::AfterListing, NodeId::from_u128(8));
        assert!(!contact.is_foreign_still());
        contact.see_foreign(Look::AfterListing, NodeId::from_u128(7));
        assert!(contact.is_foreign_still());
    }

    // Counter-example C64.
    // Clauses: FORM-7
    #[test]
    fn who_has_two_addresses_is_refused_at_both_before_it_is_exempt() {
        let both: [SocketAddr; 2] = [
            "10.0.0.2:47500".parse().unwrap(),
            "[fd00::2]:47500".parse().unwrap(),
        ];
        let seed = Seed::at(both[0]).and_at(both[1]);
        let mut contact = Contact::new(seed, Moment::START);
        let mut dial = |look, outcome| {
            let to = contact.dial(look);
            assert!(contact.dial_ended(look));
            (to, contact.conclude(outcome))
        };
        let (refused, silent) = (DialOutcome::Refused, DialOutcome::Silent);
        let look = Look::BeforeListing;

        assert_eq!(dial(look, refused), (both[0], None));
        assert_eq!(dial(look, refused), (both[1], Some(refused)));
        assert_eq!(dial(look, refused), (both[0], None));
        assert_eq!(dial(look, silent), (both[1], Some(silent)));
        assert_eq!(dial(look, refused), (both[0], None));
        // The look after the listing begins anew.
        contact.list();
        let to = contact.dial(Look::AfterListing);
        assert!(contact.dial_ended(Look::AfterListing));
        assert_eq!((to, contact.conclude(refused)), (both[1], None));
    }

    // Clauses: FORM-7
    #[test]
    fn a_dial_across_a_listing_says_nothing() {
        let mut contact = contact();
        contact.dial(Look::BeforeListing);
        assert!(!contact.dial_ended(Look::AfterListing));
    }
}
