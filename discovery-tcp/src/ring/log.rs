//! The log of one member or learner: what is decided, accepted and promised. Pure: it is told what
//! came and says what was delivered; who sends what to whom is elsewhere. What is kept of the past
//! is in `history.rs`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use discovery_core::{ClusterId, NodeId, Term, Topology, TopologyEvent, TopologyId};

use super::history::History;
use super::planted::{Bug, Planted};
use crate::message::{
    Decided, DecidedEntry, Decision, Position, Propose, PublishedMessage, Snapshot, Tail,
};

/// Most bytes of decided entries in one message.
const DECIDED_BYTES_MAX: usize = 512 * 1024;

/// Something decided, now in force here.
#[derive(Clone, Debug)]
pub(super) enum Delivered {
    /// A change.
    Changed {
        event: Box<TopologyEvent>,
        position: Position,
    },
    /// A message, not seen before.
    Message {
        message: PublishedMessage,
        position: Position,
    },
    /// A message that was decided twice: the second one is passed over (P6).
    Again,
}

impl Delivered {
    /// Whether it removed this node, by its own word or another's.
    pub(super) fn removes(&self, node: NodeId) -> bool {
        match self {
            Self::Changed { event, .. } => {
                let failed = event.failed.iter().map(|(member, _)| member);
                event
                    .left
                    .iter()
                    .chain(failed)
                    .any(|member| member.id() == node)
            }
            Self::Message { .. } | Self::Again => false,
        }
    }
}

/// A decided entry that does not fit the topology in force: its teller is wrong about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfit;

/// What an acceptor makes of a proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Everything in it is accepted, up to here.
    Accepted(Position),
    /// A higher term was promised.
    Superseded(Term),
    /// Something before it is missing.
    Missing,
    /// More is decided here than the proposer of a recovery knows.
    Ahead,
    /// It names a topology that is not in force here.
    OtherTopology,
    /// It opens another cluster, and was promised nothing here (RECOVER-8).
    Unpromised,
    /// It cannot be.
    Nonsense,
}

/// The state of one acceptor.
#[derive(Clone, Debug)]
pub(super) struct Log {
    topology: Topology,
    decided: Position,
    promised: Term,
    /// The term of the whole tail; none if nothing was accepted in this topology (DECIDE-8).
    tail_term: Option<Term>,
    tail: VecDeque<Arc<Decision>>,
    /// A change that splits a cluster off, accepted under this term: it never enters the tail, so
    /// that the cluster it is split from loses nothing by it (RECOVER-8).
    aside: Option<(Term, Arc<Decision>)>,
    history: History,
    sequences: BTreeMap<NodeId, u64>,
    /// The tail that a term of one's own replaced last, for the check of what it took over.
    #[cfg(feature = "sim")]
    replaced: Option<Tail>,
    planted: Planted,
}

impl Log {
    /// The log of a founder, or of a learner with its snapshot.
    pub(super) fn starting(
        snapshot: &Snapshot,
        history_limits: (usize, usize),
        planted: Planted,
    ) -> Self {
        let promised = snapshot.promised.max(snapshot.topology.term());
        Self {
            topology: snapshot.topology.clone(),
            decided: snapshot.position,
            promised,
            tail_term: None,
            tail: VecDeque::new(),
            aside: None,
            history: History::new(history_limits),
            sequences: snapshot.sequences.iter().copied().collect(),
            #[cfg(feature = "sim")]
            replaced: None,
            planted,
        }
    }

    /// How far it has come, for who is behind: it fetches what it lacks.
    pub(super) fn news(&self) -> Decided {
        Decided {
            topology: self.id(),
            first: self.decided.next(),
            entries: Vec::new(),
            decided: self.decided,
        }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            topology: self.topology.clone(),
            position: self.decided,
            promised: self.promised,
            sequences: self
                .sequences
                .iter()
                .map(|(id, last)| (*id, *last))
                .collect(),
        }
    }

    pub(super) fn topology(&self) -> &Topology {
        &self.topology
    }

    pub(super) fn decided(&self) -> Position {
        self.decided
    }

    pub(super) fn promised(&self) -> Term {
        self.promised
    }

    pub(super) fn tail_term(&self) -> Option<Term> {
        self.tail_term
    }

    /// The last position accepted, or decided if nothing is.
    pub(super) fn end(&self) -> Position {
        self.decided.plus(self.tail.len() as u64)
    }

    pub(super) fn tail(&self) -> &VecDeque<Arc<Decision>> {
        &self.tail
    }

    /// The last sequence of a publisher that is decided.
    pub(super) fn sequence(&self, publisher: NodeId) -> u64 {
        self.sequences.get(&publisher).copied().unwrap_or(0)
    }

    /// Promises a term; false if one as high was promised before.
    pub(super) fn promise(&mut self, term: Term) -> bool {
        if term <= self.promised {
            return false;
        }
        if !self.planted.has(Bug::PromiseForgotten) {
            self.promised = term;
        }
        true
    }

    /// Raises the promise without granting anything.
    pub(super) fn raise_promise(&mut self, term: Term) {
        self.promised = self.promised.max(term);
    }

    /// What was accepted beyond a position, for a candidate that is not behind.
    pub(super) fn tail_after(&self, position: Position) -> Tail {
        let known = position.0.saturating_sub(self.decided.0);
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        Tail {
            term: self.tail_term,
            first: position.next(),
            entries: self.tail.iter().skip(known).cloned().collect(),
        }
    }

    /// Takes over a tail under a term of one's own, as the candidate does with the highest one
    /// (TAKE), and accepts it first (DECIDE-4).
    pub(super) fn adopt(&mut self, term: Term, tail: Vec<Arc<Decision>>) {
        #[cfg(feature = "sim")]
        {
            self.replaced = Some(self.tail_after(self.decided));
        }
        self.promised = self.promised.max(term);
        self.tail_term = Some(term);
        self.tail = tail.into();
    }

    /// Accepts an own proposal (DECIDE-4).
    pub(super) fn append_own(&mut self, term: Term, decision: Arc<Decision>) {
        if decision.split().is_some() {
            self.aside = Some((term, decision));
        } else {
            self.tail.push_back(decision);
        }
    }

    /// Whether what this term proposes is a change that opens another cluster.
    pub(super) fn splits_off_under(&self, term: Term) -> bool {
        self.aside.as_ref().is_some_and(|(aside, _)| *aside == term)
    }

    /// Whether a change was accepted here that opens this very cluster.
    pub(super) fn splits_off_to(&self, cluster: ClusterId) -> bool {
        let split = self.aside.as_ref().and_then(|(_, aside)| aside.split());
        split.is_some_and(|change| change.cluster == Some(cluster))
    }

    /// What a coordinator of this term proposes and has not decided.
    pub(super) fn proposals(&self, term: Term) -> Vec<Arc<Decision>> {
        match &self.aside {
            Some((aside, decision)) if *aside == term => vec![Arc::clone(decision)],
            Some(_) | None if self.tail_term == Some(term) => self.tail.iter().cloned().collect(),
            Some(_) | None => Vec::new(),
        }
    }

    /// Up to where proposals of this term are accepted here.
    pub(super) fn end_of(&self, term: Term) -> Position {
        self.decided.plus(self.proposals(term).len() as u64)
    }

    /// Judges a proposal and takes what it brings (DECIDE-2, DECIDE-3).
    pub(super) fn accept(&mut self, propose: &Propose) -> Verdict {
        if propose.term < self.promised && !self.planted.has(Bug::StaleTermAccepted) {
            return Verdict::Superseded(self.promised);
        }
        let named = propose.topology == self.topology.id();
        if !named && !self.planted.has(Bug::TopologyNotNamed) {
            return Verdict::OtherTopology;
        }
        if propose.first.0 == 0 || propose.start.0 == 0 || !self.fits(&propose.entries) {
            return Verdict::Nonsense;
        }
        if propose.recovery && self.decided >= propose.start && self.tail_term != Some(propose.term)
        {
            return Verdict::Ahead;
        }
        if propose.recovery && self.decided.next() < propose.start {
            return Verdict::Missing;
        }
        if let [only] = propose.entries.as_slice()
            && only.split().is_some()
        {
            if propose.term != self.promised {
                return Verdict::Unpromised;
            }
            self.aside = Some((propose.term, Arc::clone(only)));
            return Verdict::Accepted(self.decided.next());
        }
        let last = Position(propose.first.0 + propose.entries.len() as u64 - 1);
        if self.tail_term == Some(propose.term) {
            return self.append(propose);
        }
        if self.tail_term.is_some_and(|term| term > propose.term) {
            return Verdict::Nonsense;
        }
        // The first message of a term to this acceptor: the whole re-proposed tail, or nothing.
        if propose.start > self.decided.next() {
            return Verdict::Missing;
        }
        let need = self.decided.next();
        if propose.first > need || last < propose.reproposed_to {
            return Verdict::Missing;
        }
        let known = usize::try_from(need.0 - propose.first.0).unwrap_or(usize::MAX);
        let mut tail: VecDeque<_> = propose.entries.iter().skip(known).cloned().collect();
        if self.planted.has(Bug::TailDroppedAtFirst) && propose.reproposed_to >= propose.start {
            tail.truncate(1);
        }
        if self.planted.has(Bug::TailKept) {
            let kept = tail.len().min(self.tail.len());
            tail.extend(self.tail.drain(kept..));
        }
        self.raise_promise(propose.term);
        self.tail_term = Some(propose.term);
        self.tail = tail;
        Verdict::Accepted(self.end())
    }

    /// Whether a change stands only at the end, and is one of the topology in force.
    fn fits(&self, entries: &[Arc<Decision>]) -> bool {
        let last = entries.len().saturating_sub(1);
        entries
            .iter()
            .enumerate()
            .all(|(place, entry)| match &**entry {
                Decision::Change(change) => place == last && change.base == self.topology.id(),
                Decision::Message(_) => true,
            })
            || self.planted.has(Bug::ProposesBehindChange)
            || self.planted.has(Bug::TopologyNotNamed)
    }

    fn append(&mut self, propose: &Propose) -> Verdict {
        let next = self.end().next();
        if propose.first > next && !self.planted.has(Bug::GapAccepted) {
            return Verdict::Missing;
        }
        let known = usize::try_from(next.0.saturating_sub(propose.first.0)).unwrap_or(usize::MAX);
        let fresh: Vec<_> = propose.entries.iter().skip(known).cloned().collect();
        let behind = self
            .tail
            .back()
            .is_some_and(|last| matches!(**last, Decision::Change(_)));
        if behind && !fresh.is_empty() && !self.planted.has(Bug::ProposesBehindChange) {
            return Verdict::Nonsense;
        }
        self.tail.extend(fresh);
        Verdict::Accepted(self.end())
    }

    /// Everything up to here is decided under this term: delivers the next entry of the own tail if
    /// that is of the term (DECIDE-6). Nothing if all is delivered, or something is missing.
    pub(super) fn deliver_next(&mut self, term: Term, position: Position) -> Option<Delivered> {
        if self.decided >= position {
            return None;
        }
        if let Some((aside, _)) = &self.aside
            && *aside == term
            && position == self.decided.next()
        {
            let (_, decision) = self.aside.take()?;
            return self.deliver(decision, term);
        }
        if self.tail_term != Some(term) && !self.planted.has(Bug::WatermarkWithoutTerm) {
            return None;
        }
        let decision = self.tail.pop_front()?;
        self.deliver(decision, term)
    }

    /// Takes one decided entry from somebody who knows it; `Err` if it does not fit. An entry that
    /// is known already, or not the next one, is passed over.
    pub(super) fn learn(
        &mut self,
        position: Position,
        entry: &DecidedEntry,
    ) -> Result<Option<Delivered>, Unfit> {
        if position != self.decided.next() {
            return Ok(None);
        }
        self.tail.pop_front();
        // Who learns what a term decided no longer helps an older one to decide.
        if !self.planted.has(Bug::InstallKeepsPromise) {
            self.raise_promise(entry.term);
        }
        self.deliver(Arc::clone(&entry.decision), entry.term)
            .map(Some)
            .ok_or(Unfit)
    }

    /// Delivers the next position. The entry at it has been taken off the tail; a change beside it
    /// was of this position, and has none any more.
    fn deliver(&mut self, decision: Arc<Decision>, term: Term) -> Option<Delivered> {
        let position = self.decided.next();
        self.aside = None;
        let delivered = match &*decision {
            Decision::Change(change) => {
                let event = TopologyEvent::decided(&self.topology, change, change.term).ok()?;
                self.install(event.topology.clone());
                let event = Box::new(event);
                Delivered::Changed { event, position }
            }
            Decision::Message(message) => {
                let last = self.sequences.entry(message.publisher).or_insert(0);
                if message.sequence <= *last {
                    Delivered::Again
                } else {
                    *last = message.sequence;
                    let message = message.clone();
                    Delivered::Message { message, position }
                }
            }
        };
        self.decided = position;
        self.history.remember(DecidedEntry { term, decision });
        Some(delivered)
    }

    /// Puts a topology in force: the tail and its term belonged to the old one (DECIDE-8), and no
    /// term below the one that decided it is accepted any more (DECIDE-7).
    fn install(&mut self, topology: Topology) {
        if !self.planted.has(Bug::InstallKeepsPromise) {
            self.promised = self.promised.max(topology.term());
        }
        if !self.planted.has(Bug::TailTermKept) {
            self.tail_term = None;
        }
        self.tail.clear();
        self.aside = None;
        self.sequences
            .retain(|publisher, _| topology.member(*publisher).is_some());
        self.topology = topology;
    }

    /// What was decided after a position, as much as one message carries; `None` if it is gone.
    pub(super) fn decided_after(&self, position: Position) -> Option<Decided> {
        let missing = self.decided.0.checked_sub(position.0)?;
        let missing = usize::try_from(missing).ok()?;
        Some(Decided {
            topology: self.id(),
            first: position.next(),
            entries: self.history.newest(missing, DECIDED_BYTES_MAX)?,
            decided: self.decided,
        })
    }

    /// Whether everything decided after a position is kept.
    pub(super) fn keeps_after(&self, position: Position) -> bool {
        let missing = self.decided.0.saturating_sub(position.0);
        usize::try_from(missing).is_ok_and(|missing| missing <= self.history.len())
    }

    /// Whether it kept more once than it does now, rather than having begun later.
    pub(super) fn has_forgotten(&self) -> bool {
        self.history.has_forgotten()
    }

    /// What must hold whatever came before.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.promised < self.topology.term() {
            return Err(format!(
                "promised {} below the term {} that decided the topology",
                self.promised,
                self.topology.term()
            ));
        }
        if self.tail_term.is_some_and(|term| term > self.promised) {
            return Err("the tail's term is above the promise".to_owned());
        }
        if self.tail_term.is_none() && !self.tail.is_empty() {
            return Err("a tail without a term".to_owned());
        }
        let last = self.tail.len().saturating_sub(1);
        for (place, decision) in self.tail.iter().enumerate() {
            if let Decision::Change(change) = &**decision {
                if place != last {
                    return Err("something stands behind an undecided change".to_owned());
                }
                if change.base != self.topology.id() {
                    return Err("an undecided change of another topology".to_owned());
                }
            }
        }
        Ok(())
    }

    /// The tail that a term of one's own replaced last.
    #[cfg(feature = "sim")]
    pub(super) fn replaced(&self) -> Option<&Tail> {
        self.replaced.as_ref()
    }

    pub(super) fn id(&self) -> TopologyId {
        self.topology.id()
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
