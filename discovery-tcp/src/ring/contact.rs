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
#[expect(
    clippy::struct_excessive_bools,
    reason = "four facts that change independently"
)]
#[derive(Clone, Debug)]
pub(super) struct Contact {
    pub(super) seed: Seed,
    /// The process met there, over an open link.
    met: Option<SlimId>,
    /// The process that had been met when the listing was asked for.
    listed_as: Option<SlimId>,
    /// It belongs to a cluster of another name.
    pub(super) foreign: bool,
    /// It gave the answer that the round needs.
    pub(super) answered: bool,
    /// The last listing held it.
    pub(super) was_listed: bool,
    /// Not dialled again before then.
    pub(super) due: Moment,
    pub(super) dialling: bool,
    tries: u32,
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
}

/// Not seen at all.
const UNSEEN: Sight = Sight {
    dial: None,
    question: None,
    pod: None,
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

    /// This process is met there, or none any more.
    pub(super) fn set_met(&mut self, node: Option<NodeId>) {
        self.met = node.map(SlimId::from);
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
            foreign: false,
            answered: false,
            was_listed: false,
            due,
            dialling: false,
            tries: 0,
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
        self.met.is_some() || self.foreign || self.before().dial.is_some()
    }

    /// Nothing is left to be found out of it before a listing.
    pub(super) fn is_settled(&self, by_refusal: bool) -> bool {
        self.met.is_some() || self.need_not_answer(by_refusal)
    }

    /// It is of no concern to a listing that is asked for now.
    pub(super) fn need_not_answer(&self, by_refusal: bool) -> bool {
        self.foreign || self.is_seen_not_running(by_refusal)
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
        let rests = self.dialling || self.met.is_some() || now < self.due;
        !is_seen && !rests
    }

    /// Begins a dial, of each of its addresses in turn.
    pub(super) fn dial(&mut self) -> SocketAddr {
        let addresses = self.seed.addresses();
        let to = addresses[self.tries as usize % addresses.len()];
        self.tries = self.tries.wrapping_add(1);
        self.dialling = true;
        self.foreign = false;
        to
    }

    /// A dial ended without meeting it; the platform is asked for its pod under this number.
    pub(super) fn see(&mut self, look: Look, outcome: DialOutcome, question: Option<u64>) {
        let sights = self.sights.get_or_insert_default();
        let sight = match look {
            Look::BeforeListing => &mut sights.before,
            Look::AfterListing => &mut sights.after,
        };
        *sight = Sight {
            dial: Some(outcome),
            question,
            pod: None,
        };
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
        self.listed_as = None;
        self.answered = false;
        if let Some(sights) = &mut self.sights {
            sights.after = UNSEEN;
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
