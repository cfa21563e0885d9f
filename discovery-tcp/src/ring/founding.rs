//! Founding by a majority of names, carried between newcomers (FORM-10). The decision itself is in
//! `found.rs`.

use std::time::Duration;

use discovery_core::{ClusterId, NodeId, NodeName};

use super::found::{Addressed, Founding};
use super::timers::Timer;
use super::{Life, Ring};
use crate::message::{FoundMessage, FoundValue, Message};

/// How long a founding may take before it is tried again under a higher term.
const RETRY: Duration = Duration::from_millis(300);

impl Ring {
    /// The best candidate proposes itself once it is linked to a majority of the names.
    pub(super) fn look_after_founding(&mut self, names: &[NodeName]) {
        if self.was_member {
            // What it promised is over; a majority of the removed must not found beside the rest.
            self.waits("a member: this process was one, so it founds nothing any more".to_owned());
            return;
        }
        let linked: usize = names
            .iter()
            .filter(|name| *name == self.me.name() || self.linked_to_name(name).is_some())
            .count();
        if linked * 2 <= names.len() {
            let text = format!("a majority of {} names; {linked} are linked", names.len());
            self.waits(text);
            return;
        }
        let epoch = self.clock_epoch();
        let cluster_id = ClusterId::from_u128(self.fx.draw_u128());
        let founder = self.me.id();
        let Some(founding) = self.founding(names) else {
            return;
        };
        if founding.decided().is_some() {
            self.waits("the founder that a majority decided on".to_owned());
            return;
        }
        if founding.is_proposing() {
            if self.fx.now >= self.founding_retry_at {
                self.founding_retry_at = self.fx.now + self.fx.jitter(RETRY);
                let messages = self
                    .founding(names)
                    .map(Founding::on_retry)
                    .unwrap_or_default();
                self.send_found(messages);
            }
            return;
        }
        let messages = founding.start(FoundValue {
            founder,
            cluster_id,
            epoch,
        });
        self.founding_retry_at = self.fx.now + self.fx.jitter(RETRY);
        self.send_found(messages);
        self.fx.within(Timer::Round, RETRY);
        self.founding_decided();
    }

    /// This process' part; none if its name is not among the configured ones.
    fn founding(&mut self, names: &[NodeName]) -> Option<&mut Founding> {
        let (name, id) = (self.me.name().clone(), self.me.id());
        let Life::Newcomer(newcomer) = &mut self.life else {
            return None;
        };
        if newcomer.founding.is_none() {
            match Founding::new(names.iter().cloned(), name, id) {
                Ok(founding) => newcomer.founding = Some(founding),
                Err(error) => {
                    let text = format!("a member: {error}");
                    self.waits(text);
                    return None;
                }
            }
        }
        match &mut self.life {
            Life::Newcomer(newcomer) => newcomer.founding.as_mut(),
            Life::Member(_) | Life::Over => None,
        }
    }

    /// The process of this name that was heard last: an earlier one may have left a dead link.
    fn linked_to_name(&self, name: &NodeName) -> Option<NodeId> {
        let named = |(_, link): (_, &super::links::Link)| {
            let node = &link.other_end()?.node;
            (node.name() == name).then_some((link.heard_at, node.id()))
        };
        let newest = self
            .fx
            .links
            .iter()
            .filter_map(named)
            .max_by_key(|(heard_at, _)| *heard_at);
        newest.map(|(_, id)| id)
    }

    fn send_found(&mut self, messages: Vec<Addressed>) {
        for (name, message) in messages {
            if let Some(node) = self.linked_to_name(&name) {
                self.fx.send_to(node, Message::Found(message));
            }
        }
    }

    pub(super) fn on_found(&mut self, from: NodeId, message: FoundMessage) {
        let crate::config::Formation::Majority(names) = self.config.formation.clone() else {
            return;
        };
        if self.was_member {
            return;
        }
        let name = self
            .fx
            .links
            .to(from)
            .and_then(|link| self.fx.links.node_at(link))
            .map(|node| node.name().clone());
        let Some(name) = name else {
            return;
        };
        let Some(founding) = self.founding(&names) else {
            return;
        };
        let messages = founding.on_message(&name, from, message);
        self.send_found(messages);
        self.founding_decided();
    }

    fn founding_decided(&mut self) {
        let Life::Newcomer(newcomer) = &self.life else {
            return;
        };
        let decided = newcomer
            .founding
            .as_ref()
            .and_then(|founding| founding.decided().copied());
        if let Some(value) = decided {
            self.founded_by_majority(value);
        }
    }
}
