//! Recovery by census after a lost majority: `RECOVER-1` to `RECOVER-7`, `ANSWER-2`, `ANSWER-3`;
//! promises `P1`, `P2`, `P3` and `P9`.
//!
//! Three members, three terms, each for taking over or for recovering, one or two deaths, up to
//! three positions. Messages are history, as in the model of deciding, and those of the dead stay
//! readable; after an answer a node takes what the dead said only if they died later.
//!
//! Left out: contact before the listing and joiners (`formation`), restarts (a dead member's
//! successor would only grant), ticks (anybody may recover at any time, so more can happen than
//! with them), evidence other than a proof that is false. A node that learns of its removal is
//! gone. Leftover messages of a recovery are not proposed again in the new epoch; that would be one
//! more message of a new term.
//!
//! This file holds the state, what is fixed in a scope, and what all steps use; `steps.rs` the
//! steps; `tests.rs` the rules held against each other.

mod steps;
#[cfg(test)]
mod tests;

use crate::explorer::Model;

pub(crate) const NODES: usize = 3;
/// Terms 1 to 3; index 0 stays empty, so that 0 can mean "no term".
pub(crate) const TERMS: usize = 4;
pub(crate) const PLACES: usize = 3;
/// One more than the highest epoch.
pub(crate) const VERSIONS: usize = 5;
/// The epoch of the first topology.
const FIRST_EPOCH: usize = 1;

/// A set of nodes, one bit each.
type Nodes = u8;

/// Every node there is; all are members at first.
const ALL: Nodes = 0b111;
/// In place of the members that a change leads to: a message, which leads to none.
const MESSAGE: Nodes = 0;

/// The term that first proposed it; for a change the members it leads to; for one that opens an
/// epoch that epoch, else 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    term: usize,
    change: Nodes,
    epoch: usize,
}

/// Entries at successive positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Run {
    length: usize,
    entries: [Entry; PLACES],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Topology {
    epoch: usize,
    version: usize,
    members: Nodes,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    #[default]
    Acceptor,
    Candidate(usize),
    Coordinator(usize),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    is_gone: bool,
    decided: Run,
    promised: usize,
    tail_term: usize,
    tail: Run,
    role: Role,
    /// Resource version of the newest ask it answered, and who was gone by then: whatever those
    /// said, they said before.
    kept: usize,
    gone_before: Nodes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Promise {
    decided: usize,
    tail_term: usize,
    tail: Run,
}

/// Everything sent in one term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Term {
    is_asked: bool,
    is_led: bool,
    topology: Topology,
    asked_at: usize,
    /// Of a recovery: the listing and its resource version, 0 for a takeover.
    version: usize,
    listed: Nodes,
    granted: Nodes,
    promises: [Option<Promise>; NODES],
    /// Who must accept what a recovery proposes in its old topology.
    quorum: Nodes,
    start: usize,
    fresh_from: usize,
    run: Run,
    named: [Topology; PLACES],
    accepted: [usize; NODES],
    watermark: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct State {
    nodes: [Node; NODES],
    terms: [Term; TERMS],
    version: usize,
    deaths: usize,
    /// What was decided first, by epoch and position, by anybody.
    log: [[Option<Entry>; PLACES]; VERSIONS],
    fault: Option<&'static str>,
}

#[derive(Clone, Copy, Debug)]
#[expect(dead_code, reason = "the fields are printed in schedules")]
pub(crate) enum Step {
    Write,
    Die { node: usize },
    Ask { term: usize, version: usize },
    Grant { term: usize, node: usize },
    Promise { term: usize, node: usize },
    Lead { term: usize, with: Nodes },
    Propose { term: usize, change: Nodes },
    AcceptTail { term: usize, node: usize },
    Accept { term: usize, node: usize },
    Count { term: usize },
    Deliver { term: usize, node: usize },
    Learn { node: usize, from: usize },
}

/// The rules that can be taken away, one by one; `RULES` has all of them.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one rule, on or off")]
pub(crate) struct Rules {
    /// Who promised takes nothing of its old epoch that was said before, as who granted does.
    promisers_filter: bool,
    /// Whoever was listed answers; without: one that dies before it answers is just proven dead.
    listed_answer: bool,
    /// The first decision of a recovery opens the epoch; without: its leftovers come first, in the
    /// old epoch.
    epoch_first: bool,
    /// Its change is part of a recovery's first message; without: the tail is emptied before.
    epoch_whole: bool,
    /// The epoch exceeds the resource version of every ask that was answered.
    strict: bool,
    /// Whoever answers after its loss is not proven dead, whatever else says so.
    answer_overrides: bool,
    /// With three members or fewer an acceptance decides.
    own_acceptance_decides: bool,
}

pub(crate) const RULES: Rules = Rules {
    promisers_filter: true,
    listed_answer: true,
    epoch_first: true,
    epoch_whole: true,
    strict: true,
    answer_overrides: true,
    own_acceptance_decides: true,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    TakeOver,
    Recover,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Recovery {
    rules: Rules,
    /// Who asks for each term, and what for; node 0 leads term 1 at the start.
    candidates: [Option<(usize, Kind)>; TERMS],
    /// What each term proposes of its own, in this order: `MESSAGE`, or a change to these members.
    fresh: [&'static [Nodes]; TERMS],
    may_die: Nodes,
    deaths_max: usize,
    /// Of whom a false proof of death is about.
    falsely_dead: Nodes,
    version_max: usize,
}

fn holds(nodes: Nodes, node: usize) -> bool {
    nodes & (1 << node) != 0
}

fn is_majority(part: Nodes, of: Nodes) -> bool {
    2 * (part & of).count_ones() > of.count_ones()
}

impl Run {
    fn push(&mut self, entry: Entry) {
        self.entries[self.length] = entry;
        self.length += 1;
    }

    fn drop_front(&mut self) {
        self.entries.rotate_left(1);
        self.entries[PLACES - 1] = Entry::default();
        self.length -= 1;
    }

    fn slice(&self) -> &[Entry] {
        &self.entries[..self.length]
    }

    /// The topology behind these decided entries.
    fn topology(&self) -> Topology {
        let first = Topology {
            epoch: FIRST_EPOCH,
            version: 1,
            members: ALL,
        };
        let changes = self.slice().iter().filter(|it| it.change != MESSAGE);
        changes.fold(first, |before, it| Topology {
            epoch: before.epoch.max(it.epoch),
            version: before.version + 1,
            members: it.change,
        })
    }

    fn begins_with(&self, other: &Self) -> bool {
        self.slice().starts_with(other.slice())
    }
}

impl Node {
    fn tail_end(&self) -> usize {
        self.decided.length + self.tail.length
    }

    fn topology(&self) -> Topology {
        self.decided.topology()
    }

    fn is_member(&self, index: usize) -> bool {
        !self.is_gone && holds(self.topology().members, index)
    }

    /// `ANSWER-3`: whether something of this epoch may be taken from this sender. What a living one
    /// said before the answer it may say again after it.
    fn takes(&self, epoch: usize, sender: usize) -> bool {
        epoch >= self.kept || !holds(self.gone_before, sender)
    }

    /// `ANSWER-2`
    fn answer(&mut self, version: usize, gone: Nodes) {
        self.kept = self.kept.max(version);
        self.gone_before = gone;
    }

    /// Who promised a higher term leads none and counts no more.
    fn promise(&mut self, term: usize) {
        self.promised = self.promised.max(term);
        match self.role {
            Role::Candidate(own) | Role::Coordinator(own) if own < self.promised => {
                self.role = Role::Acceptor;
            }
            Role::Acceptor | Role::Candidate(_) | Role::Coordinator(_) => {}
        }
    }
}

impl Term {
    fn end(&self) -> usize {
        self.start + self.run.length
    }

    fn at(&self, position: usize) -> Entry {
        self.run.entries[position - self.start]
    }

    /// The change by which this term's recovery opens its epoch.
    fn opening(&self, term: usize) -> Option<Entry> {
        (self.quorum != 0).then_some(Entry {
            term,
            change: self.quorum,
            epoch: self.version,
        })
    }
}

impl State {
    fn gone(&self) -> Nodes {
        let nodes = self.nodes.iter().enumerate();
        nodes.fold(0, |set, (index, it)| set | (u8::from(it.is_gone) << index))
    }

    /// `node` holds the next position decided.
    fn decide(&mut self, node: usize, entry: Entry, is_own: bool) {
        let it = &mut self.nodes[node];
        let epoch = it.topology().epoch.max(entry.epoch);
        let position = it.decided.length;
        it.decided.push(entry);
        if it.tail.length > 0 {
            it.tail.drop_front();
        }
        if entry.change != MESSAGE {
            it.tail = Run::default();
            it.tail_term = 0;
            if !is_own {
                it.role = Role::Acceptor;
            }
            it.promise(entry.term);
            if !holds(entry.change, node) {
                it.is_gone = true;
                it.role = Role::Acceptor;
            }
        }
        if let Role::Candidate(term) = it.role {
            self.terms[term].asked_at = position + 1;
        }
        let is_closed = self.log[epoch + 1..].iter().flatten().any(Option::is_some);
        let first = &mut self.log[epoch][position];
        if first.is_some_and(|first| first != entry) {
            self.fault = Some(TWO_VALUES);
        } else if first.is_none() && is_closed {
            self.fault = Some(CLOSED);
        }
        *first = first.or(Some(entry));
    }
}

const TWO_VALUES: &str = "two values at one position of an epoch";
const CLOSED: &str = "a decision in an epoch that another one followed";
const TWO_HISTORIES: &str = "two histories among the living";

impl Model for Recovery {
    type State = State;
    type Step = Step;

    fn initial(&self) -> State {
        let mut state = State {
            version: FIRST_EPOCH + 1,
            ..State::default()
        };
        for node in &mut state.nodes {
            node.promised = 1;
        }
        state.nodes[0].role = Role::Coordinator(1);
        state.terms[1].is_asked = true;
        state.terms[1].is_led = true;
        state.terms[1].topology = Run::default().topology();
        state
    }

    fn steps(&self, state: &State, into: &mut Vec<(Step, State)>) {
        self.write_or_die(state, into);
        for term in 1..TERMS {
            let Some((candidate, kind)) = self.candidates[term] else {
                continue;
            };
            self.ask(state, term, candidate, kind, into);
            self.lead(state, term, candidate, kind, into);
            self.propose(state, term, candidate, into);
            Self::count(state, term, candidate, into);
            for node in (0..NODES).filter(|node| *node != candidate) {
                self.answers(state, term, node, into);
                self.accept_tail(state, term, node, into);
                self.accept(state, term, node, into);
                self.deliver(state, term, node, into);
            }
        }
        for node in 0..NODES {
            Self::learn(state, node, into);
        }
    }

    fn fault(&self, state: &State) -> Option<&'static str> {
        let living = || state.nodes.iter().filter(|it| !it.is_gone);
        let fits = |one: &Node, other: &Node| {
            one.decided.begins_with(&other.decided) || other.decided.begins_with(&one.decided)
        };
        let is_split = living().any(|one| living().any(|other| !fits(one, other)));
        state.fault.or(is_split.then_some(TWO_HISTORIES))
    }
}
