//! Founding by a majority of names, carried between newcomers (FORM-10, FORM-11). The decision
//! itself is in `found.rs`, and attempts are in `reopen.rs`.

use std::time::Duration;

use discovery_core::{ClusterId, NodeId, NodeName, Topology};

use super::found::{Addressed, Founding};
use super::links::Link;
use super::timers::Timer;
use super::{Life, Ring};
use crate::config::Formation;
use crate::message::{Found, FoundMessage, FoundValue, IsMember, Message, PhaseKind};

/// How long a founding may take before it is tried again under a higher term, and how often a
/// founder that does not found, or a name that does not answer, is told again.
const RETRY: Duration = Duration::from_millis(300);

impl Ring {
    /// The best candidate proposes itself once it is linked to a majority of the names.
    pub(super) fn look_after_founding(&mut self, names: &[NodeName]) {
        let linked = self.linked_names(names);
        if linked * 2 <= names.len() {
            let text = format!("a majority of {} names; {linked} are linked", names.len());
            self.waits(text);
            return;
        }
        let Some(founding) = self.founding(names) else {
            return;
        };
        if let Some(value) = founding.decided().copied() {
            self.look_after_founder(value, names);
        } else if !founding.is_open() {
            self.open_attempt(None, names);
        } else if founding.is_proposing() {
            self.send_when_due(Founding::on_retry);
        } else {
            self.propose_itself();
        }
    }

    fn propose_itself(&mut self) {
        let value = FoundValue {
            founder: self.me.id(),
            cluster_id: ClusterId::from_u128(self.fx.draw_u128()),
            epoch: self.clock_epoch(),
        };
        let Some(founding) = &mut self.founding else {
            return;
        };
        let messages = founding.start(value);
        self.founding_retry_at = self.fx.now + self.fx.jitter(RETRY);
        self.send_found(messages);
        self.fx.within(Timer::Round, RETRY);
        self.founding_decided();
    }

    /// A founder that is there is told again; one that is gone ends the attempt, if all agree.
    fn look_after_founder(&mut self, value: FoundValue, names: &[NodeName]) {
        let is_it = |name: &&NodeName| self.linked_to_name(name) == Some(value.founder);
        let Some(name) = names.iter().find(is_it).cloned() else {
            self.open_attempt(Some(value.founder), names);
            return;
        };
        self.waits(format!(
            "the founder that a majority decided on, {}",
            value.founder
        ));
        if self.fx.now >= self.founding_retry_at {
            self.founding_retry_at = self.fx.now + self.fx.jitter(RETRY);
            self.send_found(vec![(name, FoundMessage::Decided { value })]);
        }
    }

    /// Asks all names for another attempt (FORM-11), once a newcomer bears each of them.
    fn open_attempt(&mut self, gone: Option<NodeId>, names: &[NodeName]) {
        let of_all = format!("all {} names to answer before another attempt", names.len());
        let founder = gone.map_or_else(String::new, |gone| {
            format!("the founder that a majority decided on, {gone}, or ")
        });
        if self.knows_other_names {
            self.waits("a member: its last cluster had members beyond the configured names".into());
            return;
        }
        if self.has_learned() {
            // It has learned of a cluster that it cannot reach; another node id forgets it.
            self.start_over(Duration::ZERO);
            return;
        }
        let linked = self.linked_names(names);
        if linked < names.len() {
            self.waits(format!("{founder}{of_all}; {linked} are linked"));
            return;
        }
        let under_way = self.founding.as_ref().and_then(Founding::names_answered);
        if under_way.is_some() {
            self.send_when_due(|founding| founding.on_reopen_retry());
        } else {
            self.founding_retry_at = self.fx.now;
            self.send_when_due(Founding::reopen);
        }
        self.tell_of_opening(&of_all);
    }

    fn tell_of_opening(&mut self, of_all: &str) {
        match self.founding.as_ref().and_then(Founding::names_answered) {
            Some((answered, names)) => self.waits(format!("{of_all} ({answered} of {names})")),
            // One name alone has opened it.
            None => self.look_again(),
        }
    }

    /// An attempt was opened: whoever is the best candidate proposes.
    fn look_again(&mut self) {
        let proposes = |founding: &Founding| founding.is_open() && founding.decided().is_none();
        if self.founding.as_ref().is_some_and(proposes) {
            self.fx.within(Timer::Round, Duration::ZERO);
        }
    }

    /// This process' part; none for a member, or if its name is not among the configured ones.
    fn founding(&mut self, names: &[NodeName]) -> Option<&mut Founding> {
        match &self.life {
            Life::Newcomer(_) => {}
            Life::Member(_) | Life::Over => return None,
        }
        if self.founding.is_none() {
            let (name, id) = (self.me.name().clone(), self.me.id());
            match Founding::new(names.iter().cloned(), name, id) {
                Ok(founding) => self.founding = Some(founding),
                Err(error) => self.waits(format!("a member: {error}")),
            }
        }
        self.founding.as_mut()
    }

    /// It is a member: it found, or founds, in its attempt no more.
    pub(super) fn end_attempt(&mut self) {
        let Formation::Majority(names) = self.config.formation.clone() else {
            return;
        };
        if self.founding.is_none() {
            let (name, id) = (self.me.name().clone(), self.me.id());
            // Who is none of the names takes part in no attempt.
            self.founding = Founding::new(names, name, id).ok();
        }
        if let Some(founding) = &mut self.founding {
            founding.end_attempt();
        }
    }

    /// The node id is another one.
    pub(super) fn found_as_another(&mut self) {
        if let Some(founding) = &mut self.founding {
            founding.go_on_as(self.me.id());
        }
    }

    /// Members that bear none of the names answer no opening: they may live on.
    pub(super) fn note_other_names(&mut self, last: &Topology) {
        self.knows_other_names = match &self.config.formation {
            Formation::Majority(names) => {
                let mut members = last.members().iter();
                members.any(|member| !names.contains(member.name()))
            }
            Formation::Census | Formation::Single => false,
        };
    }

    /// How many names it can speak to, itself among them; members are no part of a founding.
    fn linked_names(&self, names: &[NodeName]) -> usize {
        let is_there =
            |name: &&NodeName| *name == self.me.name() || self.linked_to_name(name).is_some();
        names.iter().filter(is_there).count()
    }

    /// The newcomer of this name that was heard last: an earlier one may have left a dead link.
    fn linked_to_name(&self, name: &NodeName) -> Option<NodeId> {
        let named = |(_, link): (_, &Link)| {
            let end = link.other_end()?;
            let is_newcomer = match end.phase {
                PhaseKind::Newcomer => true,
                PhaseKind::Member | PhaseKind::Leaving => false,
            };
            let is_it = is_newcomer && end.node.name() == name;
            is_it.then_some((link.heard_at, end.node.id()))
        };
        let newest = self
            .fx
            .links
            .iter()
            .filter_map(named)
            .max_by_key(|(heard_at, _)| *heard_at);
        newest.map(|(_, id)| id)
    }

    fn send_when_due(&mut self, what: impl FnOnce(&mut Founding) -> Vec<Addressed>) {
        if self.fx.now < self.founding_retry_at {
            return;
        }
        self.founding_retry_at = self.fx.now + self.fx.jitter(RETRY);
        let messages = self.founding.as_mut().map(what);
        self.send_found(messages.unwrap_or_default());
    }

    fn send_found(&mut self, messages: Vec<Addressed>) {
        let Some(attempt) = self.founding.as_ref().map(Founding::attempt) else {
            return;
        };
        for (name, message) in messages {
            if let Some(node) = self.linked_to_name(&name) {
                let found = Found { attempt, message };
                self.fx.send_to(node, Message::Found(found));
            }
        }
    }

    pub(super) fn on_found(&mut self, from: NodeId, found: Found) {
        let Formation::Majority(names) = self.config.formation.clone() else {
            return;
        };
        let name = self
            .fx
            .links
            .to(from)
            .and_then(|link| self.fx.links.node_at(link))
            .map(|node| node.name().clone());
        if let Some(member) = self.member_hint().filter(|_| self.is_member()) {
            // It may have missed that, on a link that what it says keeps open.
            let round = 0;
            self.fx
                .send_to(from, Message::IsMember(IsMember { round, member }));
            return;
        }
        let (Some(name), false) = (name, self.abstains(&found.message)) else {
            return;
        };
        let Some(founding) = self.founding(&names) else {
            return;
        };
        let was_open = founding.is_open();
        let messages = founding.on_found(&name, from, found);
        self.send_found(messages);
        if !was_open {
            self.look_again();
        }
        self.founding_decided();
    }

    /// Whether it has no word on another attempt: a cluster that it knows of may live on.
    fn abstains(&mut self, message: &FoundMessage) -> bool {
        match message {
            FoundMessage::Reopen { .. } | FoundMessage::Reopened { .. } => {}
            FoundMessage::Ask { .. }
            | FoundMessage::Promise { .. }
            | FoundMessage::Refuse { .. }
            | FoundMessage::Accept { .. }
            | FoundMessage::Accepted { .. }
            | FoundMessage::Decided { .. } => return false,
        }
        let Life::Newcomer(newcomer) = &self.life else {
            return true;
        };
        if newcomer.join.is_under_way() || self.knows_other_names {
            return true;
        }
        let has_learned = self.has_learned();
        if has_learned {
            // It answers under another node id, that has learned nothing.
            self.start_over(Duration::ZERO);
        }
        has_learned
    }

    /// Whether it took a snapshot: a word on its way may make it a member.
    fn has_learned(&self) -> bool {
        match &self.life {
            Life::Newcomer(newcomer) => newcomer.join.learner.is_some(),
            Life::Member(_) | Life::Over => false,
        }
    }

    /// A majority decided on a founder: if that is this newcomer, it founds.
    fn founding_decided(&mut self) {
        match &self.life {
            Life::Newcomer(_) => {}
            Life::Member(_) | Life::Over => return,
        }
        let decided = self.founding.as_ref().and_then(Founding::decided).copied();
        if let Some(value) = decided.filter(|value| value.founder == self.me.id()) {
            self.found(value.cluster_id, value.epoch, None);
        }
    }
}
