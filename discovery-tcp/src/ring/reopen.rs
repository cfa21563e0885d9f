//! Attempts to found by majority (FORM-11): how all names together end one whose founder is gone
//! and open the next. What is decided within an attempt is in `found.rs`.
//!
//! An attempt is opened over two rounds. All names answer the first as newcomers, by whatever
//! process bears each, and then all answer the second by the same node ids. Whoever becomes a
//! member and a newcomer again has another node id, so between the two rounds nobody at all was a
//! member; and each answer has ended the earlier attempts for the process that gave it.

use std::collections::BTreeMap;

use discovery_core::{NodeId, NodeName};

use super::found::{Addressed, Founding};
use crate::message::{Found, FoundMessage, FoundTerm};

/// An attempt being opened.
#[derive(Clone, Debug)]
pub(super) struct Reopening {
    round: u64,
    answers: BTreeMap<NodeName, NodeId>,
    /// Who answered the round before, if all did.
    before: Option<BTreeMap<NodeName, NodeId>>,
}

impl Founding {
    /// The attempt that everything sent belongs to.
    pub(crate) fn attempt(&self) -> u64 {
        self.attempt
    }

    /// Whether it may propose in its attempt.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    /// How many names are there, and how many have answered since an opening began here, with its
    /// own.
    pub(crate) fn names_answered(&self) -> Option<(usize, usize)> {
        let reopening = self.reopening.as_ref()?;
        let answered = match &reopening.before {
            Some(before) => before.len(),
            None => reopening.answers.len(),
        };
        Some((answered + 1, self.names.len()))
    }

    /// Takes what came in whatever attempt: what belongs to an earlier one is told of the present
    /// one, and a later one is taken.
    pub(crate) fn on_found(
        &mut self,
        from: &NodeName,
        node: NodeId,
        found: Found,
    ) -> Vec<Addressed> {
        let Found { attempt, message } = found;
        if *from == self.name || self.names.binary_search(from).is_err() {
            return Vec::new();
        }
        if attempt < self.attempt {
            return self.behind(from, &message);
        }
        self.enter(attempt);
        match message {
            // Said by those alone who know that all names have answered.
            FoundMessage::Ask { .. }
            | FoundMessage::Accept { .. }
            | FoundMessage::Decided { .. } => self.open(),
            FoundMessage::Promise { .. }
            | FoundMessage::Refuse { .. }
            | FoundMessage::Accepted { .. }
            | FoundMessage::Reopen { .. }
            | FoundMessage::Reopened { .. } => {}
        }
        self.on_message(from, node, message)
    }

    /// Asks all names to open its attempt, or the next if this one is decided.
    pub(crate) fn reopen(&mut self) -> Vec<Addressed> {
        if self.decided.is_some() {
            self.enter(self.attempt.saturating_add(1));
        }
        if self.is_open {
            return Vec::new();
        }
        self.ask_all(None)
    }

    /// Asks those again that have not answered; nothing if no opening is under way.
    pub(crate) fn on_reopen_retry(&self) -> Vec<Addressed> {
        let Some(reopening) = &self.reopening else {
            return Vec::new();
        };
        let round = reopening.round;
        let mut out = self.to_others(&FoundMessage::Reopen { round });
        out.retain(|(name, _)| !reopening.answers.contains_key(name));
        out
    }

    /// A name answers; the last of the second round opens the attempt.
    pub(super) fn on_reopened(
        &mut self,
        from: &NodeName,
        node: NodeId,
        round: u64,
    ) -> Vec<Addressed> {
        let others = self.names.len() - 1;
        let Some(reopening) = self.reopening.as_mut().filter(|it| it.round == round) else {
            return Vec::new();
        };
        reopening.answers.insert(from.clone(), node);
        if reopening.answers.len() < others {
            return Vec::new();
        }
        let answers = std::mem::take(&mut reopening.answers);
        if reopening.before.as_ref() == Some(&answers) {
            self.open();
            return Vec::new();
        }
        self.ask_all(Some(answers))
    }

    /// It was a member: whatever was decided in its attempt, it takes no part in it any more.
    pub(crate) fn end_attempt(&mut self) {
        self.enter(self.attempt.saturating_add(1));
    }

    /// The same process under a new node id: what it promised and accepted under its name stays.
    pub(crate) fn go_on_as(&mut self, node: NodeId) {
        self.node = node;
        self.own = None;
        self.round = None;
        self.reopening = None;
    }

    fn ask_all(&mut self, before: Option<BTreeMap<NodeName, NodeId>>) -> Vec<Addressed> {
        self.reopen_rounds += 1;
        let round = self.reopen_rounds;
        self.reopening = Some(Reopening {
            round,
            answers: BTreeMap::new(),
            before,
        });
        if self.names.len() == 1 {
            self.open();
        }
        self.to_others(&FoundMessage::Reopen { round })
    }

    fn open(&mut self) {
        self.is_open = true;
        self.reopening = None;
    }

    /// Forgets the earlier attempt; nothing of it can come to be with this process.
    fn enter(&mut self, attempt: u64) {
        if attempt <= self.attempt {
            return;
        }
        self.attempt = attempt;
        self.is_open = false;
        self.reopening = None;
        self.promised = None;
        self.accepted = None;
        self.own = None;
        self.round = None;
        self.decided = None;
    }

    /// Who asks something in an earlier attempt learns of this one by the refusal.
    fn behind(&self, from: &NodeName, message: &FoundMessage) -> Vec<Addressed> {
        match message {
            FoundMessage::Ask { .. }
            | FoundMessage::Accept { .. }
            | FoundMessage::Reopen { .. } => {
                let promised = FoundTerm {
                    counter: self.counter,
                    name: self.name.clone(),
                };
                vec![(from.clone(), FoundMessage::Refuse { promised })]
            }
            FoundMessage::Promise { .. }
            | FoundMessage::Refuse { .. }
            | FoundMessage::Accepted { .. }
            | FoundMessage::Decided { .. }
            | FoundMessage::Reopened { .. } => Vec::new(),
        }
    }
}
