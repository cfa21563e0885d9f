//! The promiser's side of a takeover (TAKE-3, TAKE-4): whether there is a reason to promise a higher
//! term, and what is said with it. Who asks is in `takeover.rs`.

use discovery_core::{NodeId, NodeInfo};

use super::decide::step_down;
use super::input::LinkId;
use super::member::Membership;
use super::observation::Observation;
use super::planted::Bug;
use super::{Life, Ring};
use crate::message::{Message, Promise, PromiseAsk, PromiseRefusal, PromiseRefused};

impl Ring {
    pub(super) fn on_promise_ask(&mut self, link: LinkId, from: NodeId, ask: &PromiseAsk) {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if ask.topology != m.id() {
            if ask.topology.cluster_id == m.id().cluster_id && ask.topology > m.id() {
                self.refuse_promise(link, ask, PromiseRefusal::Behind);
            }
            self.meet_topology(from, ask.topology);
            return;
        }
        let Some(asker) = m.topology().member(from) else {
            return;
        };
        if !asker.votes() || ask.term.order != asker.order && !self.fx.bug(Bug::SharedTerms) {
            self.nonsense(link);
            return;
        }
        // Its own earlier promise may have been lost with a link (TAKE-3); terms carry their owner.
        let again = ask.term == m.log.promised() && ask.term.order == asker.order;
        m.takeover.heard = m.takeover.heard.max(Some(ask.term));
        if ask.decided < m.log.decided() && !self.fx.bug(Bug::PromisesToLaggard) {
            self.tell_newer(from);
            return;
        }
        let itself = m.coordinator().is_some_and(|node| node.id() == from);
        let willing = itself || m.lost_coordinator(now, &self.config) || m.verified_by(ask);
        if !willing {
            let watermark = m.watermark;
            self.refuse_promise(link, ask, PromiseRefusal::CoordinatorHeard(watermark));
        } else if !again && !m.log.promise(ask.term) {
            let promised = m.log.promised();
            self.refuse_promise(link, ask, PromiseRefusal::Promised(promised));
        } else {
            self.tell_promise(link, ask);
        }
    }

    fn refuse_promise(&mut self, link: LinkId, ask: &PromiseAsk, why: PromiseRefusal) {
        let term = ask.term;
        let refusal = Message::PromiseRefused(PromiseRefused { term, why });
        self.fx.send(link, refusal);
    }

    /// Says that the term is promised, as it is now, and what was accepted before.
    fn tell_promise(&mut self, link: LinkId, ask: &PromiseAsk) {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let (topology, term) = (ask.topology, ask.term);
        self.fx.observe(|| Observation::Promised { term });
        step_down(m);
        m.takeover.promised_at = Some(now);
        let mut tail = m.log.tail_after(ask.decided);
        let own = m.topology().members()[m.place].order;
        if self.fx.bug(Bug::OwnAcceptanceMissing) && tail.term.is_some_and(|term| term.order == own)
        {
            (tail.term, tail.entries) = (None, Vec::new());
        }
        let promise = Promise {
            topology,
            term,
            tail,
        };
        self.fx.send(link, Message::Promise(promise));
    }
}

impl Membership {
    /// Whether the alerts of a request prove that the coordinator is accused by enough (D8).
    fn verified_by(&self, ask: &PromiseAsk) -> bool {
        let Some(coordinator) = self.coordinator().map(NodeInfo::id) else {
            return true;
        };
        ask.accused.contains(&coordinator) && self.accused_enough(coordinator, &ask.alerts)
    }
}
