//! Links coming and going, and the first exchange on each (LINK): who is there, and for whom that
//! matters.

use std::time::Duration;

use discovery_core::{DialOutcome, NodeId, NodeInfo, ProcessIdentity};

use super::contact::Contact;
use super::input::{DialFailure, LinkId};
use super::lasting::LastingRefusal;
use super::links::{Purpose, Stage};
use super::timers::Timer;
use super::{Life, Ring};
use crate::message::{
    Best, CloseReason, Introduction, MemberHint, Message, PhaseKind, Refusal, RefusalReason,
};

/// Whoever ends a link opens it again after this long if it needs it,
pub(super) const TEND_AFTER_CLOSING: Duration = Duration::from_millis(10);
/// and whoever was told goodbye after this long: so not both dial at once.
const TEND_AFTER_GOODBYE: Duration = Duration::from_millis(50);

impl Ring {
    pub(super) fn link_accepted(&mut self, link: LinkId) {
        if self.fx.links.len() >= self.config.links_max {
            self.fx.counters.links_refused += 1;
            let reason = CloseReason::Limit;
            self.fx.output(super::Output::CloseLink { link, reason });
            return;
        }
        self.fx.accept(link, self.config.hello_timeout);
    }

    pub(super) fn link_opened(&mut self, link: LinkId) {
        let limit = self.config.hello_timeout;
        let Some(entry) = self.fx.links.get_mut(link) else {
            return;
        };
        entry.stage = Stage::Greeting;
        self.fx.after(Timer::Greeting(link), limit);
        let intro = self.introduction();
        self.fx.send(link, Message::Hello(intro));
    }

    pub(super) fn link_failed(&mut self, link: LinkId, failure: DialFailure) {
        let Some(entry) = self.fx.forget(link) else {
            return;
        };
        let outcome = match failure {
            DialFailure::Refused => DialOutcome::Refused,
            // Of whom nothing is known, it is not known that it need not answer.
            DialFailure::TimedOut | DialFailure::Unreachable | DialFailure::NotTried => {
                DialOutcome::Silent
            }
        };
        self.dial_ended(&entry, outcome, failure);
    }

    /// A link that was asked for came to nothing: whoever wanted it hears of it.
    fn dial_ended(
        &mut self,
        link: &super::links::Link,
        outcome: DialOutcome,
        failure: DialFailure,
    ) {
        match &link.purpose {
            Purpose::Accepted => {}
            Purpose::Contact(identity) => self.contact_failed(identity, outcome),
            Purpose::Member(node) => {
                self.watch_refused(*node, failure);
                if failure != DialFailure::NotTried {
                    self.joiner_unreachable(*node, self.me.id());
                }
            }
            Purpose::Hint => {
                if let Some(address) = link.dialled
                    && failure != DialFailure::NotTried
                {
                    self.hint_failed(address);
                }
            }
            Purpose::DialBack(number) if failure == DialFailure::NotTried => {
                self.dial_back_not_tried(*number);
            }
            Purpose::DialBack(number) => self.dial_back_done(*number, None),
        }
    }

    fn contact_failed(&mut self, identity: &ProcessIdentity, outcome: DialOutcome) {
        if let Some(round) = self.life.round_mut() {
            round.dialled(identity, outcome, &mut self.fx);
            self.look_after_round();
        }
    }

    /// The other side, or trouble, ended a link.
    pub(super) fn link_closed(&mut self, link: LinkId) {
        let Some(entry) = self.fx.forget(link) else {
            return;
        };
        self.link_gone(&entry);
    }

    /// This side ends a link because of what came over it, or did not.
    pub(super) fn lose_link(&mut self, link: LinkId, reason: CloseReason) {
        let Some(entry) = self.fx.links.get(link).cloned() else {
            return;
        };
        self.fx.close(link, reason);
        self.link_gone(&entry);
    }

    fn link_gone(&mut self, entry: &super::links::Link) {
        let Some(end) = entry.other_end() else {
            self.dial_ended(entry, DialOutcome::Silent, DialFailure::Unreachable);
            return;
        };
        let node = end.node.id();
        if self.fx.links.is_linked(node) {
            return;
        }
        if let Some(round) = self.life.round_mut() {
            round.contacts.lose(node);
        }
        if let Life::Member(m) = &mut self.life
            && let Some(lead) = &mut m.lead
        {
            lead.admission.forget(node);
        }
        self.hearsay.forget(node);
        self.watch_unlinked(node);
        self.join_unlinked(node);
        self.look_after_round();
    }

    /// A link was closed by either side for no fault of the other's: whoever was only being dialled
    /// was not tried.
    pub(super) fn link_dropped(&mut self, entry: &super::links::Link, tend_in: Duration) {
        let Some(end) = entry.other_end() else {
            self.dial_ended(entry, DialOutcome::Silent, DialFailure::NotTried);
            return;
        };
        let node = end.node.id();
        if self.fx.links.is_linked(node) {
            return;
        }
        if let Some(round) = self.life.round_mut() {
            round.contacts.lose(node);
        }
        self.fx.within(Timer::Tend, tend_in);
    }

    pub(super) fn on_goodbye(&mut self, link: LinkId, reason: CloseReason) {
        self.fx.counters.closed(CloseReason::Goodbye);
        let Some(entry) = self.fx.forget(link) else {
            return;
        };
        let why = CloseReason::Goodbye;
        self.fx
            .output(super::Output::CloseLink { link, reason: why });
        match reason {
            // Both sides know that the other lives; nothing is lost that anybody needs.
            CloseReason::Idle | CloseReason::Replaced => {
                self.link_dropped(&entry, TEND_AFTER_GOODBYE);
            }
            CloseReason::NoGreeting
            | CloseReason::Refused
            | CloseReason::WasRefused
            | CloseReason::Nonsense
            | CloseReason::Undecodable
            | CloseReason::Goodbye
            | CloseReason::Over
            | CloseReason::Limit => self.link_gone(&entry),
        }
    }

    /// Why a greeting is refused, if it is.
    fn refusal(&self, intro: &Introduction) -> Option<RefusalReason> {
        if intro.node.id() == self.me.id() {
            return Some(RefusalReason::Oneself);
        }
        if intro.cluster_name != self.config.cluster_name {
            let ours = self.config.cluster_name.clone();
            return Some(RefusalReason::ClusterName { ours });
        }
        if self.wire.common(intro.wire).is_none() {
            return Some(RefusalReason::WireVersion { ours: self.wire });
        }
        if intro.settings != self.config.settings {
            return Some(RefusalReason::Settings {
                ours: self.config.settings,
            });
        }
        None
    }

    pub(super) fn on_hello(&mut self, link: LinkId, intro: &Introduction) {
        let accepted = self
            .fx
            .links
            .get(link)
            .is_some_and(|entry| entry.dialled.is_none());
        if !accepted {
            self.nonsense(link);
            return;
        }
        if let Some(reason) = self.refusal(intro) {
            self.fx.counters.refused(reason.as_str());
            self.note_refused(intro, &reason);
            let refusal = Refusal {
                node: self.me.clone(),
                reason,
            };
            self.fx.send(link, Message::Refusal(refusal));
            self.fx.close(link, CloseReason::Refused);
            return;
        }
        let answer = self.introduction();
        self.fx.send(link, Message::HelloAnswer(answer));
        self.introduced(link, intro);
    }

    pub(super) fn on_hello_answer(&mut self, link: LinkId, intro: &Introduction) {
        let dialled = self
            .fx
            .links
            .get(link)
            .is_some_and(|entry| entry.dialled.is_some());
        if !dialled {
            self.nonsense(link);
            return;
        }
        if let Some(reason) = self.refusal(intro) {
            self.fx.counters.refused(reason.as_str());
            self.note_refused(intro, &reason);
            self.lose_link(link, CloseReason::Refused);
            return;
        }
        self.introduced(link, intro);
    }

    pub(super) fn on_refusal(&mut self, link: LinkId, refusal: &Refusal) {
        let Some(entry) = self.fx.links.get(link).cloned() else {
            return;
        };
        self.fx.counters.refused(refusal.reason.as_str());
        self.note_refusing(refusal);
        self.fx.close(link, CloseReason::WasRefused);
        let foreign = matches!(refusal.reason, RefusalReason::ClusterName { .. });
        let lasts = matches!(
            refusal.reason,
            RefusalReason::Settings { .. } | RefusalReason::WireVersion { .. }
        );
        if lasts {
            self.refused_for_good(&refusal.node, &refusal.reason);
        }
        match (&entry.purpose, foreign) {
            (Purpose::Contact(identity), true) if is_of(&refusal.node, identity) => {
                if let Some(round) = self.life.round_mut() {
                    round.foreign(identity, refusal.node.id(), self.fx.now);
                }
                self.look_after_round();
            }
            (Purpose::Contact(identity), false) if lasts => self.contact_refused(identity, refusal),
            (Purpose::Member(node), _) => self.watch_replaced(*node, &refusal.node),
            _ => self.dial_ended(&entry, DialOutcome::Silent, DialFailure::Unreachable),
        }
    }

    /// Keeps a refusal for the status, if it is one that lasts.
    pub(super) fn refused_for_good(&mut self, by: &NodeInfo, reason: &RefusalReason) {
        let refused = LastingRefusal::new(by, reason, (self.wire, self.config.settings));
        if let (Life::Newcomer(newcomer), Some(refused)) = (&mut self.life, refused) {
            newcomer.refused = Some((self.fx.now, refused));
        }
    }

    /// A listed process will not talk to this one: somebody has to mend that first.
    fn contact_refused(&mut self, identity: &ProcessIdentity, refusal: &Refusal) {
        if let Life::Newcomer(newcomer) = &mut self.life {
            let (by, why) = (refusal.node.name(), refusal.reason.as_str());
            newcomer.trouble = Some(format!("somebody to mend what {by} refuses: {why}"));
        }
        let now = self.fx.now;
        if let Some(round) = self.life.round_mut() {
            round.dialled(identity, DialOutcome::Silent, &mut self.fx);
            round.contacts.rest(identity, now + super::join::REFUSED);
        }
        self.look_after_round();
    }

    /// Both sides know each other now.
    fn introduced(&mut self, link: LinkId, intro: &Introduction) {
        self.fx.timers.clear(Timer::Greeting(link));
        let Some(purpose) = self.fx.links.get(link).map(|entry| entry.purpose.clone()) else {
            return;
        };
        let topology = match &self.life {
            Life::Member(m) => Some(&m.roster),
            _ => None,
        };
        self.fx.links.open(link, intro, topology);
        self.note_greeted(&intro.node);
        let node = intro.node.id();
        self.hear_introduction(intro);
        if let Some(round) = self.life.round_mut() {
            round.contacts.meet(&intro.node);
        }
        match purpose {
            Purpose::Contact(identity) => self.met_somebody(&identity, node),
            Purpose::Member(expected) if expected != node => {
                self.watch_replaced(expected, &intro.node);
                self.joiner_unreachable(expected, self.me.id());
            }
            Purpose::Accepted | Purpose::Member(_) => {}
            Purpose::Hint => self.hint_answered(link, node),
            Purpose::DialBack(number) => self.dial_back_done(number, Some(node)),
        }
        self.watch_linked(node);
        self.linked(node);
    }

    /// Whoever answered at a contact's address may be another process than the listed one (F6).
    fn met_somebody(&mut self, identity: &ProcessIdentity, node: NodeId) {
        let Some(round) = self.life.round_mut() else {
            return;
        };
        let met = round.contacts.get(identity).and_then(Contact::met);
        if let ProcessIdentity::Address(_) = identity
            && met.is_none()
            && round.contacts.get(identity).is_some()
        {
            round.contacts.meet_at(identity, node);
        } else if met != Some(node) {
            round.dialled(identity, DialOutcome::Silent, &mut self.fx);
        }
    }

    fn hear_introduction(&mut self, intro: &Introduction) {
        let now = self.fx.now;
        if let Some(rank) = intro.rank
            && rank.node == intro.node.id()
        {
            let best = Best {
                rank,
                addresses: intro.node.addresses().to_vec(),
            };
            self.hearsay.note(&best, false, now);
        }
        let itself = match (intro.phase, intro.topology) {
            (PhaseKind::Member, Some(topology)) => Some(MemberHint {
                node: intro.node.id(),
                addresses: intro.node.addresses().to_vec(),
                topology,
            }),
            _ => None,
        };
        if itself.is_some() {
            self.hearsay.believe(intro.node.id());
        }
        self.take_rumour(
            intro.best.as_ref(),
            itself.as_ref().or(intro.member.as_ref()),
        );
        // Whoever was removed behind its back, or lags, learns it here at the latest.
        if let Some(topology) = intro.topology {
            self.meet_topology(intro.node.id(), topology);
        }
    }

    /// A node is linked: whatever waits to be said to it is said.
    fn linked(&mut self, node: NodeId) {
        self.look_after_round();
        self.join_linked(node);
        let Life::Member(m) = &self.life else {
            return;
        };
        if m.topology().member(node).is_none() {
            if m.lead
                .as_ref()
                .is_some_and(|lead| lead.admission.knows(node))
            {
                self.look_after_joiner(node);
            }
            return;
        }
        self.say_to(node);
        self.ask_for_promise(node);
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let coordinator = m.coordinator().map(NodeInfo::id) == Some(node);
        if m.lead.is_some() {
            self.serve(node);
        }
        if coordinator {
            self.resend_publications();
            self.go_on_leaving();
        }
    }
}

/// Whether a node is the listed process: by its pod's uid alone, as others get the addresses of who
/// is gone (FORM-3).
fn is_of(node: &NodeInfo, identity: &ProcessIdentity) -> bool {
    matches!(identity, ProcessIdentity::Pod(uid) if node.pod_uid() == Some(uid))
}
