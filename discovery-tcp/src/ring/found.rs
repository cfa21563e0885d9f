//! Founding by a majority of configured names (FORM-10): who founds is one value, decided once
//! among them in each attempt. Attempts are in `reopen.rs`; when to try again, and what a founder
//! then does, is left to the caller.
//!
//! All of it is kept in memory. A process that restarts has forgotten what it promised and
//! accepted; its answers are void where the change is seen, but nobody can see all of it. The value
//! is one as long as no process that answered restarts before everybody it would meet knows it.

use std::collections::BTreeMap;

use discovery_core::{MEMBERS_MAX, NodeId, NodeName};

use super::reopen::Reopening;
use crate::message::{FoundMessage, FoundTerm, FoundValue};

/// A message and the name it goes to.
pub(crate) type Addressed = (NodeName, FoundMessage);

/// Why names cannot found a cluster together. Nothing was changed; the same names fail again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum FoundingError {
    /// There are no names.
    #[error("no names are configured; give the names of all nodes of the first start")]
    NoNames,
    /// There are more names than a topology may have members.
    #[error("{names} names; the limit is {MEMBERS_MAX}")]
    TooManyNames {
        /// How many there are.
        names: usize,
    },
    /// A name stands twice, so that its answer would count twice.
    #[error("name {name} stands twice; give each name once")]
    NameTwice {
        /// The name.
        name: NodeName,
    },
    /// The local node is none of them: it may join, and does not found.
    #[error("{name} is not among the {names} configured names; add it or let it join only")]
    NotConfigured {
        /// The local node's name.
        name: NodeName,
        /// How many names there are.
        names: usize,
    },
}

/// One node's part in deciding who founds: it answers others, and proposes once it is started.
#[derive(Clone, Debug)]
pub(crate) struct Founding {
    pub(super) names: Vec<NodeName>,
    pub(super) name: NodeName,
    pub(super) node: NodeId,
    /// From 1; whatever follows belongs to it (FORM-11).
    pub(super) attempt: u64,
    /// Whether the attempt is known to be open: nobody proposes in one that is not.
    pub(super) is_open: bool,
    pub(super) reopening: Option<Reopening>,
    /// How many rounds of opening this process has begun.
    pub(super) reopen_rounds: u64,
    pub(super) promised: Option<FoundTerm>,
    pub(super) accepted: Option<(FoundTerm, FoundValue)>,
    /// The highest counter of any term heard of, in whatever attempt.
    pub(super) counter: u64,
    /// What it proposes if nothing was accepted before.
    pub(super) own: Option<FoundValue>,
    pub(super) round: Option<Round>,
    pub(super) decided: Option<FoundValue>,
}

/// A proposal under way.
#[derive(Clone, Debug)]
pub(super) struct Round {
    term: FoundTerm,
    answers: BTreeMap<NodeName, Answer>,
    /// What a promise brought of the highest term.
    best: Option<(FoundTerm, FoundValue)>,
    /// What is proposed, once a majority has promised.
    value: Option<FoundValue>,
}

/// What a name has answered in a round, and by which process.
#[derive(Clone, Copy, Debug)]
struct Answer {
    node: NodeId,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Promised,
    Accepted,
    /// Another process has come under this name: what was promised may be forgotten.
    Void,
}

impl Founding {
    /// A process that has promised and accepted nothing.
    ///
    /// # Errors
    ///
    /// If there are no names, too many, one twice, or the local one is not among them.
    pub(crate) fn new(
        names: impl IntoIterator<Item = NodeName>,
        name: NodeName,
        node: NodeId,
    ) -> Result<Self, FoundingError> {
        let mut names: Vec<NodeName> = names.into_iter().collect();
        names.sort();
        check(&names, &name)?;
        Ok(Self {
            names,
            name,
            node,
            attempt: 1,
            is_open: true,
            reopening: None,
            reopen_rounds: 0,
            promised: None,
            accepted: None,
            counter: 0,
            own: None,
            round: None,
            decided: None,
        })
    }

    /// Proposes this value, or what others may have decided before; nothing while its attempt is
    /// not open.
    pub(crate) fn start(&mut self, value: FoundValue) -> Vec<Addressed> {
        // Epochs grow from run to run where clocks do: so do terms, although a new run has
        // forgotten those of the one before.
        self.counter = self.counter.max(value.epoch.0);
        self.own = Some(value).filter(|_| self.is_open);
        self.next_round()
    }

    /// Tries again under a higher term, if it was started and nothing is decided. Who proposes at
    /// the same time must not try again at the same moments.
    pub(crate) fn on_retry(&mut self) -> Vec<Addressed> {
        self.next_round()
    }

    /// Takes what the process `node` sent in this attempt under the name `from`; names that are not
    /// configured, and the local one, have no word.
    pub(crate) fn on_message(
        &mut self,
        from: &NodeName,
        node: NodeId,
        message: FoundMessage,
    ) -> Vec<Addressed> {
        if *from == self.name || self.names.binary_search(from).is_err() {
            return Vec::new();
        }
        self.note_process(from, node);
        match message {
            FoundMessage::Ask { term } if term.name == *from => {
                vec![(from.clone(), self.ask(term))]
            }
            FoundMessage::Accept { term, value } if term.name == *from => {
                vec![(from.clone(), self.accept_of(term, value))]
            }
            // A term is its proposer's own.
            FoundMessage::Ask { .. } | FoundMessage::Accept { .. } => Vec::new(),
            FoundMessage::Promise { term, accepted } => {
                self.on_promise(from, node, &term, accepted)
            }
            FoundMessage::Refuse { promised } => {
                self.counter = self.counter.max(promised.counter);
                Vec::new()
            }
            FoundMessage::Accepted { term } => self.on_accepted(from, node, &term),
            FoundMessage::Decided { value } => {
                self.decide(value);
                Vec::new()
            }
            FoundMessage::Reopen { round } => {
                vec![(from.clone(), FoundMessage::Reopened { round })]
            }
            FoundMessage::Reopened { round } => self.on_reopened(from, node, round),
        }
    }

    /// What is decided, as far as this process knows; never another value in this attempt.
    pub(crate) fn decided(&self) -> Option<&FoundValue> {
        self.decided.as_ref()
    }

    /// Whether a proposal of this process is under way.
    pub(crate) fn is_proposing(&self) -> bool {
        self.own.is_some() && self.decided.is_none()
    }

    fn next_round(&mut self) -> Vec<Addressed> {
        let (Some(_), None) = (self.own, self.decided) else {
            return Vec::new();
        };
        // At the end of all counters there is nothing to propose under.
        let Some(counter) = self.counter.checked_add(1) else {
            return Vec::new();
        };
        let name = self.name.clone();
        let term = FoundTerm { counter, name };
        self.counter = counter;
        self.promised = Some(term.clone());
        let mut round = Round {
            term: term.clone(),
            answers: BTreeMap::new(),
            best: self.accepted.clone(),
            value: None,
        };
        round.note(&self.name, self.node, Stage::Promised);
        self.round = Some(round);
        let mut out = self.to_others(&FoundMessage::Ask { term });
        out.extend(self.propose());
        out
    }

    /// A second process under a name voids what the first one answered.
    fn note_process(&mut self, name: &NodeName, node: NodeId) {
        let answer = self.round.as_mut().and_then(|r| r.answers.get_mut(name));
        if let Some(answer) = answer.filter(|answer| answer.node != node) {
            answer.stage = Stage::Void;
        }
    }

    fn ask(&mut self, term: FoundTerm) -> FoundMessage {
        if let Some(answer) = self.known_better(&term) {
            return answer;
        }
        self.promised = Some(term.clone());
        let accepted = self.accepted.clone();
        FoundMessage::Promise { term, accepted }
    }

    fn accept_of(&mut self, term: FoundTerm, value: FoundValue) -> FoundMessage {
        if let Some(answer) = self.known_better(&term) {
            return answer;
        }
        let before = self.accepted.as_ref().filter(|(at, _)| *at == term);
        if before.is_some_and(|(_, accepted)| *accepted != value) {
            // Its proposer has forgotten what it proposed: it shall take another term.
            return FoundMessage::Refuse { promised: term };
        }
        self.promised = Some(term.clone());
        self.accepted = Some((term.clone(), value));
        FoundMessage::Accepted { term }
    }

    /// Why a proposal of this term gets nothing here: it is decided, or a higher one was promised.
    fn known_better(&mut self, term: &FoundTerm) -> Option<FoundMessage> {
        self.counter = self.counter.max(term.counter);
        if let Some(value) = self.decided {
            return Some(FoundMessage::Decided { value });
        }
        let promised = self.promised.clone().filter(|promised| promised > term)?;
        Some(FoundMessage::Refuse { promised })
    }

    fn on_promise(
        &mut self,
        from: &NodeName,
        node: NodeId,
        term: &FoundTerm,
        accepted: Option<(FoundTerm, FoundValue)>,
    ) -> Vec<Addressed> {
        let Some(round) = self.round.as_mut().filter(|round| round.term == *term) else {
            return Vec::new();
        };
        round.note(from, node, Stage::Promised);
        if let Some((term, value)) = accepted
            && round.best.as_ref().is_none_or(|(best, _)| *best < term)
        {
            round.best = Some((term, value));
        }
        self.propose()
    }

    /// Once, when a majority has promised.
    fn propose(&mut self) -> Vec<Addressed> {
        let majority = self.majority();
        let (Some(round), Some(own)) = (self.round.as_mut(), self.own) else {
            return Vec::new();
        };
        if round.value.is_some() || round.count(Stage::Promised) < majority {
            return Vec::new();
        }
        let value = round.best.as_ref().map_or(own, |(_, value)| *value);
        round.value = Some(value);
        let term = round.term.clone();
        let mut out = self.to_others(&FoundMessage::Accept {
            term: term.clone(),
            value,
        });
        // Its own acceptance, unless it has promised a higher term since.
        if let FoundMessage::Accepted { term } = self.accept_of(term, value) {
            let (name, node) = (self.name.clone(), self.node);
            out.extend(self.on_accepted(&name, node, &term));
        }
        out
    }

    fn on_accepted(&mut self, from: &NodeName, node: NodeId, term: &FoundTerm) -> Vec<Addressed> {
        let majority = self.majority();
        let Some(round) = self.round.as_mut().filter(|round| round.term == *term) else {
            return Vec::new();
        };
        let Some(value) = round.value else {
            return Vec::new();
        };
        round.note(from, node, Stage::Accepted);
        if round.count(Stage::Accepted) < majority || self.decided.is_some() {
            return Vec::new();
        }
        self.decide(value);
        self.to_others(&FoundMessage::Decided { value })
    }

    fn decide(&mut self, value: FoundValue) {
        self.decided.get_or_insert(value);
        self.round = None;
    }

    fn majority(&self) -> usize {
        self.names.len() / 2 + 1
    }

    pub(super) fn to_others(&self, message: &FoundMessage) -> Vec<Addressed> {
        self.names
            .iter()
            .filter(|name| **name != self.name)
            .map(|name| (name.clone(), message.clone()))
            .collect()
    }
}

impl Round {
    /// An answer counts once for its name, by the first process that gave one.
    fn note(&mut self, name: &NodeName, node: NodeId, stage: Stage) {
        let answer = self
            .answers
            .entry(name.clone())
            .or_insert(Answer { node, stage });
        match (answer.stage, stage) {
            (Stage::Promised, Stage::Accepted) => answer.stage = stage,
            (Stage::Promised | Stage::Accepted | Stage::Void, _) => {}
        }
    }

    fn count(&self, stage: Stage) -> usize {
        let at_it = |answer: &&Answer| answer.stage == stage;
        self.answers.values().filter(at_it).count()
    }
}

fn check(sorted: &[NodeName], name: &NodeName) -> Result<(), FoundingError> {
    let names = sorted.len();
    if names == 0 {
        return Err(FoundingError::NoNames);
    }
    if names > MEMBERS_MAX {
        return Err(FoundingError::TooManyNames { names });
    }
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        let name = pair[0].clone();
        return Err(FoundingError::NameTwice { name });
    }
    if sorted.binary_search(name).is_err() {
        let name = name.clone();
        return Err(FoundingError::NotConfigured { name, names });
    }
    Ok(())
}

#[cfg(test)]
#[path = "found_order_tests.rs"]
mod order_tests;
#[cfg(test)]
#[path = "reopen_tests.rs"]
mod reopen_tests;
#[cfg(test)]
#[path = "found_tests.rs"]
mod tests;
