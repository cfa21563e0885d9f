//! Deciding and takeover while the topology changes: `DECIDE-1` to `DECIDE-8`, `TAKE`.
//!
//! Three acceptors (five in one scope), one or two joiners, two or three terms, up to three
//! positions. Messages are never lost and arrive in any order, any number of times: what was sent
//! is history, and a step may read any part of it. So each term keeps the run of entries its
//! coordinator proposed, the promises it was given and how far each acceptor accepted; a decided
//! prefix may be learned from whoever has it.
//!
//! Two things that the clauses leave open are taken in the way that is hardest on them: an entry
//! that is learned takes the place of the tail's first entry and leaves the rest, and who says how
//! far it accepted counts what it has decided.
//!
//! Left out: time, alerts and ticks (who may be asked to promise: anyone, at any time), the tree,
//! crashes (a crashed node is one that takes no more steps), recovery (`recovery.rs`), how a change
//! comes about (a scope lists the changes that a term may propose), what messages weigh.
//!
//! This file holds the state, what is fixed in a scope, and what all steps use; `steps.rs` the
//! steps; `tests.rs` the rules held against each other.

mod steps;
#[cfg(test)]
mod tests;

use crate::explorer::Model;

pub(crate) const NODES: usize = 5;
/// Terms 1 to 3; index 0 stays empty, so that 0 can mean "no term".
pub(crate) const TERMS: usize = 4;
pub(crate) const PLACES: usize = 3;

/// A set of nodes, one bit each.
type Nodes = u8;

/// Every node there can be.
const ALL: Nodes = 0b1_1111;

/// In place of the members that a change leads to: a message, which leads to none.
const MESSAGE: Nodes = 0;

/// The term that proposed it, and for a change the members it leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    term: usize,
    change: Nodes,
}

/// Entries at successive positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Run {
    length: usize,
    entries: [Entry; PLACES],
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
    /// Positions below this one are decided here.
    decided: usize,
    promised: usize,
    /// The term that the tail was accepted under; 0 for none.
    tail_term: usize,
    /// From position `decided` on.
    tail: Run,
    role: Role,
}

/// What an acceptor said when it promised.
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
    /// The topology version that the promises were asked for, and the last one led in.
    version: usize,
    version_last: usize,
    /// The candidate's decided position, as it last said it.
    asked_at: usize,
    promises: [Option<Promise>; NODES],
    /// First position, and the end of what was proposed again.
    start: usize,
    fresh_from: usize,
    run: Run,
    /// The topology version that each proposal named.
    named: [usize; PLACES],
    /// Positions below this one were accepted.
    accepted: [usize; NODES],
    /// The watermark: positions below it were counted as decided under this term.
    watermark: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct State {
    nodes: [Node; NODES],
    terms: [Term; TERMS],
    /// What was decided first at each position.
    log: Run,
    is_split: bool,
}

#[derive(Clone, Copy, Debug)]
#[expect(dead_code, reason = "the fields are printed in schedules")]
pub(crate) enum Step {
    Ask { term: usize },
    Promise { term: usize, node: usize },
    Lead { term: usize, with: Nodes },
    Propose { term: usize, change: Nodes },
    AcceptTail { term: usize, node: usize },
    Accept { term: usize, node: usize },
    Count { term: usize },
    Deliver { term: usize, node: usize },
    Learn { node: usize },
}

/// The rules that can be taken away, one by one; `RULES` has all of them.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one rule, on or off")]
pub(crate) struct Rules {
    /// A term's first message replaces the tail as a whole; without: position by position, and
    /// what stood above the first is dropped.
    whole_tail: bool,
    /// Leadership ends with the install of a version that is not the own fresh proposal.
    step_down: bool,
    /// Installing raises the promise to the term that first proposed the change.
    raise_promise: bool,
    /// Installing empties the tail and forgets its term.
    reset_tail: bool,
    /// A term's first message is taken only by who has decided all that is before it.
    knows_before_start: bool,
    /// A tail is delivered only under a watermark of its own term.
    watermark_term: bool,
    /// The watermark says what was counted under its term, not what its coordinator has decided.
    watermark_counted: bool,
    /// A promise is given only to a candidate that has decided as much.
    promise_behind: bool,
    /// With three members or fewer an acceptance decides.
    own_acceptance_decides: bool,
}

pub(crate) const RULES: Rules = Rules {
    whole_tail: true,
    step_down: true,
    raise_promise: true,
    reset_tail: true,
    knows_before_start: true,
    watermark_term: true,
    watermark_counted: true,
    promise_behind: true,
    own_acceptance_decides: false,
};

#[derive(Clone, Debug)]
pub(crate) struct Deciding {
    rules: Rules,
    /// The first members.
    founders: Nodes,
    /// The term that node 0 leads at the start.
    first_term: usize,
    /// Who asks for each term; a term without a candidate is not used.
    candidates: [Option<usize>; TERMS],
    /// What each term proposes of its own, in this order: `MESSAGE`, or a change to these members.
    fresh: [&'static [Nodes]; TERMS],
    /// Whom the messages of each term reach; `ALL`, or fewer to keep a scope small.
    reach: [Nodes; TERMS],
    places: usize,
    nodes: usize,
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
}

impl Node {
    fn tail_end(&self) -> usize {
        self.decided + self.tail.length
    }
}

impl Term {
    fn end(&self) -> usize {
        self.start + self.run.length
    }

    fn at(&self, position: usize) -> Entry {
        self.run.entries[position - self.start]
    }
}

impl Deciding {
    /// Version and members of the topology behind so many decided entries.
    fn topology(&self, state: &State, decided: usize) -> (usize, Nodes) {
        let changes = state.log.entries[..decided].iter().map(|it| it.change);
        changes
            .filter(|change| *change != MESSAGE)
            .fold((0, self.founders), |(version, _), change| {
                (version + 1, change)
            })
    }

    fn topology_of(&self, state: &State, node: usize) -> (usize, Nodes) {
        self.topology(state, state.nodes[node].decided)
    }

    /// `node` holds the next position decided.
    fn decide(&self, state: &mut State, node: usize, entry: Entry, is_own: bool) {
        let position = state.nodes[node].decided;
        if position == state.log.length {
            state.log.push(entry);
        } else if state.log.entries[position] != entry {
            state.is_split = true;
            return;
        }
        let it = &mut state.nodes[node];
        it.decided += 1;
        if it.tail.length > 0 {
            it.tail.drop_front();
        }
        if entry.change != MESSAGE {
            self.install(it, entry.term, is_own);
        }
        let decided = it.decided;
        match it.role {
            Role::Acceptor => {}
            Role::Candidate(term) => state.terms[term].asked_at = decided,
            Role::Coordinator(term) => {
                let version = self.topology(state, decided).0;
                let term = &mut state.terms[term];
                term.version_last = term.version_last.max(version);
                if !self.rules.watermark_counted {
                    term.watermark = term.watermark.max(decided);
                }
            }
        }
    }

    fn install(&self, node: &mut Node, term: usize, is_own: bool) {
        if self.rules.reset_tail {
            node.tail = Run::default();
            node.tail_term = 0;
        }
        if self.rules.step_down && !is_own {
            node.role = Role::Acceptor;
        }
        if self.rules.raise_promise {
            Self::promise(node, term);
        }
    }

    /// Who promised a higher term leads none and counts no more.
    fn promise(node: &mut Node, term: usize) {
        node.promised = node.promised.max(term);
        match node.role {
            Role::Candidate(own) | Role::Coordinator(own) if own < node.promised => {
                node.role = Role::Acceptor;
            }
            Role::Acceptor | Role::Candidate(_) | Role::Coordinator(_) => {}
        }
    }
}

impl Model for Deciding {
    type State = State;
    type Step = Step;

    fn initial(&self) -> State {
        let mut state = State::default();
        for (index, node) in state.nodes.iter_mut().enumerate() {
            if holds(self.founders, index) {
                node.promised = self.first_term;
            }
        }
        state.nodes[0].role = Role::Coordinator(self.first_term);
        state.terms[self.first_term].is_asked = true;
        state.terms[self.first_term].is_led = true;
        state
    }

    fn steps(&self, state: &State, into: &mut Vec<(Step, State)>) {
        for term in 1..TERMS {
            self.ask(state, term, into);
            self.lead(state, term, into);
            self.propose(state, term, into);
            self.count(state, term, into);
            for node in (0..self.nodes).filter(|it| holds(self.reach[term], *it)) {
                self.promises(state, term, node, into);
                self.accept_tail(state, term, node, into);
                self.accept(state, term, node, into);
                self.deliver(state, term, node, into);
            }
        }
        for node in 0..self.nodes {
            self.learn(state, node, into);
        }
    }

    fn fault(&self, state: &State) -> Option<&'static str> {
        state.is_split.then_some("two values at one position")
    }
}
