//! Stepping back for a better candidate (FORM-4): asking everybody met to, and answering who asks.
//! The census round that this serves is in `census.rs`.

use std::sync::Arc;

use discovery_core::{NodeId, ResourceVersion};

use super::input::LinkId;
use super::planted::Bug;
use super::round::RoundStage;
use super::{Life, Ring};
use crate::message::{Best, Defer, Granted, IsMember, Message, Wait};

impl Ring {
    /// Asks everybody met to step back.
    pub(super) fn ask_to_defer(&mut self, resource_version: ResourceVersion) {
        let Some(rank) = self.own_rank() else {
            return;
        };
        let Life::Newcomer(newcomer) = &mut self.life else {
            return;
        };
        let asked = newcomer.round.contacts.met();
        let round = newcomer.round.number;
        let defer = Defer {
            round,
            resource_version,
            rank,
        };
        let defer = Arc::new(Message::Defer(defer));
        for id in asked {
            self.fx.send_shared_to(id, &defer);
        }
    }

    /// A candidate asks this node to step back.
    pub(super) fn on_defer(&mut self, link: LinkId, from: NodeId, defer: &Defer) {
        let round = defer.round;
        if let Some(member) = self.member_hint().filter(|_| self.is_member()) {
            self.fx
                .send(link, Message::IsMember(IsMember { round, member }));
            return;
        }
        let Some(own) = self.own_best() else {
            return;
        };
        let Some(node) = self.fx.links.node_at(link) else {
            return;
        };
        let asker = Best {
            rank: defer.rank,
            addresses: node.addresses().to_vec(),
        };
        self.hearsay.note(&asker, true, self.fx.now);
        let heard_of = self.hearsay.better_than(defer.rank, self.fx.now);
        let is_better = own.rank < defer.rank && self.is_asking();
        let better = heard_of.or(is_better.then_some(own));
        let newer = match better {
            Some(_) => None,
            None => self.filter.answer(defer.resource_version).err(),
        };
        if better.is_some() || newer.is_some() {
            let wait = Wait {
                round,
                better,
                newer,
            };
            self.fx.send(link, Message::Wait(wait));
            return;
        }
        if !self.fx.bug(Bug::GrantKept) {
            self.void_round();
            self.hear_only_from_now(link);
        }
        let node = self.me.id();
        self.fx
            .send_to(from, Message::Granted(Granted { round, node }));
    }

    pub(super) fn is_asking(&self) -> bool {
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
}
