//! Attempts to found by majority: who may open one, and what an answer ends.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::Index;

use super::tests::{founding, name, node, value};
use super::*;
use crate::message::Found;

/// What a process says of an attempt.
fn found(attempt: u64, message: FoundMessage) -> Found {
    Found { attempt, message }
}

fn term(counter: u64, place: usize) -> FoundTerm {
    let name = name(place);
    FoundTerm { counter, name }
}

/// One of three that knows a decision for a founder that is gone, and asks all names.
fn opening() -> Founding {
    let mut candidate = founding(3, 0, 1);
    let value = value(node(2, 1));
    candidate.on_message(&name(1), node(1, 1), FoundMessage::Decided { value });
    let out = candidate.reopen();
    let asks = FoundMessage::Reopen { round: 1 };
    assert_eq!(out, [(name(1), asks.clone()), (name(2), asks)]);
    candidate
}

/// An answer to a round of the second attempt.
fn answer(founding: &mut Founding, place: usize, run: u128, round: u64) -> Vec<Addressed> {
    let answer = found(2, FoundMessage::Reopened { round });
    founding.on_found(&name(place), node(place, run), answer)
}

// Clauses: FORM-11
#[test]
fn an_attempt_is_opened_when_all_names_have_answered_twice() {
    let mut candidate = opening();
    assert_eq!((candidate.attempt(), candidate.decided()), (2, None));
    assert_eq!(answer(&mut candidate, 1, 1, 1), []);
    assert_eq!(answer(&mut candidate, 1, 1, 1), []);
    assert_eq!(candidate.start(value(node(0, 1))), []);
    assert_eq!(answer(&mut candidate, 2, 2, 1).len(), 2);
    assert_eq!(candidate.names_answered(), Some((3, 3)));

    assert_eq!(answer(&mut candidate, 1, 1, 2), []);
    assert!(!candidate.is_open());
    assert_eq!(candidate.on_reopen_retry().len(), 1);
    assert_eq!(answer(&mut candidate, 2, 2, 2), []);
    assert!(candidate.is_open());
    assert_eq!(candidate.start(value(node(0, 1))).len(), 2);
}

// Clauses: FORM-11
#[test]
fn another_process_in_the_second_round_begins_it_anew() {
    // It may have been a member in between, whom the first answers to ask no more followed.
    let mut candidate = opening();
    answer(&mut candidate, 1, 1, 1);
    answer(&mut candidate, 2, 2, 1);

    answer(&mut candidate, 1, 2, 2);
    assert_eq!(answer(&mut candidate, 2, 2, 2).len(), 2);
    assert!(!candidate.is_open());

    answer(&mut candidate, 1, 2, 3);
    answer(&mut candidate, 2, 2, 3);
    assert!(candidate.is_open());
}

// Clauses: FORM-11
#[test]
fn an_answer_to_an_earlier_round_counts_for_nothing() {
    let mut candidate = opening();
    answer(&mut candidate, 1, 1, 1);
    answer(&mut candidate, 2, 2, 1);
    answer(&mut candidate, 1, 1, 1);
    answer(&mut candidate, 2, 2, 1);
    assert!(!candidate.is_open());

    // Nor does one to whoever it was under another node id.
    candidate.go_on_as(node(0, 2));
    answer(&mut candidate, 1, 1, 2);
    answer(&mut candidate, 2, 2, 2);
    assert!(!candidate.is_open());
}

// Clauses: FORM-11
#[test]
fn who_answers_an_opening_has_ended_the_earlier_attempt() {
    // C27: B promised and accepted in the first; a restarted name asks it again.
    let mut b = founding(3, 1, 1);
    let accept = FoundMessage::Accept {
        term: term(9, 2),
        value: value(node(2, 1)),
    };
    b.on_found(&name(2), node(2, 1), found(1, accept.clone()));
    let opens = FoundMessage::Reopen { round: 4 };
    let answer = b.on_found(&name(0), node(0, 1), found(2, opens));
    assert_eq!(answer, [(name(0), FoundMessage::Reopened { round: 4 })]);

    let promised = term(9, 1);
    let refused = [(name(2), FoundMessage::Refuse { promised })];
    for late in [accept, FoundMessage::Ask { term: term(11, 2) }] {
        assert_eq!(b.on_found(&name(2), node(2, 2), found(1, late)), refused);
    }
    let value = value(node(1, 1));
    let late = found(1, FoundMessage::Decided { value });
    assert_eq!(b.on_found(&name(2), node(2, 2), late), []);
    assert_eq!((&b.accepted, b.decided()), (&None, None));
    assert!(!b.is_open());
}

// Clauses: FORM-11
#[test]
fn who_is_refused_under_a_later_attempt_proposes_no_more_in_its_own() {
    let mut behind = founding(3, 0, 1);
    behind.start(value(node(0, 1)));
    let promised = term(50, 1);
    let refused = found(3, FoundMessage::Refuse { promised });
    assert_eq!(behind.on_found(&name(1), node(1, 1), refused), []);

    assert_eq!((behind.attempt(), behind.is_open()), (3, false));
    assert_eq!(behind.on_retry(), []);
    let accepted = found(1, FoundMessage::Accepted { term: term(8, 0) });
    assert_eq!(behind.on_found(&name(2), node(2, 1), accepted), []);
    assert_eq!(behind.decided(), None);
}

// Clauses: FORM-11
#[test]
fn who_is_asked_in_a_later_attempt_knows_that_it_is_open() {
    let mut other = founding(3, 0, 1);
    let asks = FoundMessage::Ask { term: term(9, 1) };
    let answer = other.on_found(&name(1), node(1, 1), found(2, asks));
    let (term, accepted) = (term(9, 1), None);
    assert_eq!(
        answer,
        [(name(1), FoundMessage::Promise { term, accepted })]
    );
    assert!(other.is_open());
}

// Clauses: FORM-11
#[test]
fn who_was_a_member_proposes_in_no_attempt_that_is_not_opened() {
    let mut member = founding(1, 0, 1);
    member.start(value(node(0, 1)));
    member.end_attempt();
    member.go_on_as(node(0, 2));
    assert_eq!((member.decided(), member.is_open()), (None, false));

    // One name alone opens it by itself.
    assert_eq!(member.reopen(), []);
    member.start(value(node(0, 2)));
    assert_eq!(member.decided(), Some(&value(node(0, 2))));
}

// Clauses: FORM-10
#[test]
fn another_node_id_of_the_same_process_keeps_what_it_accepted() {
    let mut acceptor = founding(3, 0, 1);
    let (term, value) = (term(9, 1), value(node(1, 1)));
    let accept = FoundMessage::Accept {
        term: term.clone(),
        value,
    };
    acceptor.on_message(&name(1), node(1, 1), accept);
    acceptor.go_on_as(node(0, 2));
    assert_eq!(acceptor.accepted, Some((term, value)));
}

/// Some names, each with its process; who has founded is a member and hears nothing of it any more.
#[derive(Debug)]
struct Net {
    founders: Vec<Founding>,
    sent: Vec<(usize, usize, NodeId, Found)>,
    founded: BTreeSet<NodeId>,
    /// Who has ever taken part in something; nobody else knows what it forgets.
    involved: BTreeSet<NodeId>,
}

impl Net {
    fn new(names: usize) -> Self {
        Self {
            founders: (0..names).map(|place| founding(names, place, 1)).collect(),
            sent: Vec::new(),
            founded: BTreeSet::new(),
            involved: BTreeSet::new(),
        }
    }

    fn act(&mut self, place: usize, what: impl FnOnce(&mut Founding) -> Vec<Addressed>) {
        let founder = &mut self.founders[place];
        if self.founded.contains(&founder.node) {
            return;
        }
        let out = what(founder);
        self.involved.insert(founder.node);
        let (from, attempt) = (founder.node, founder.attempt());
        for (to, message) in out {
            let to = founder.names.binary_search(&to).unwrap();
            self.sent.push((to, place, from, found(attempt, message)));
        }
        if founder.decided().is_some_and(|value| value.founder == from) {
            self.founded.insert(from);
        }
    }

    fn propose(&mut self, place: usize) {
        self.act(place, |founder| match founder.own {
            None => founder.start(value(founder.node)),
            Some(_) => founder.on_retry(),
        });
    }

    /// Whoever it is, also without a reason.
    fn reopen(&mut self, place: usize) {
        self.act(place, |founder| match &founder.reopening {
            None => founder.reopen(),
            Some(_) => founder.on_reopen_retry(),
        });
    }

    fn deliver(&mut self, (to, from, node, found): (usize, usize, NodeId, Found)) {
        self.act(to, |founder| founder.on_found(&name(from), node, found));
    }

    /// Another process, in place of one that took no part or of a founder that has not founded.
    fn replace(&mut self, place: usize) {
        let old = &self.founders[place];
        let is_decided = |it: &Founding| it.decided().is_some_and(|it| it.founder == old.node);
        let is_gone = self.founders.iter().any(is_decided) || !self.involved.contains(&old.node);
        if is_gone && !self.founded.contains(&old.node) {
            let run = old.node.as_u128() / 100 + 1;
            self.founders[place] = founding(self.founders.len(), place, run);
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Propose(Index),
    Reopen(Index),
    Deliver(Index),
    Repeat(Index),
    Lose(Index),
    Replace(Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => any::<Index>().prop_map(Step::Propose),
        1 => any::<Index>().prop_map(Step::Reopen),
        30 => any::<Index>().prop_map(Step::Deliver),
        1 => any::<Index>().prop_map(Step::Repeat),
        2 => any::<Index>().prop_map(Step::Lose),
        2 => any::<Index>().prop_map(Step::Replace),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    // Clauses: FORM-10, FORM-11
    #[test]
    fn whatever_is_opened_in_whatever_order_one_founder_founds(
        names in 2..=4usize,
        steps in proptest::collection::vec(step(), 0..200),
    ) {
        let mut net = Net::new(names);
        for step in steps {
            match step {
                Step::Propose(index) => net.propose(index.index(names)),
                Step::Reopen(index) => net.reopen(index.index(names)),
                Step::Replace(index) => net.replace(index.index(names)),
                Step::Deliver(_) | Step::Repeat(_) | Step::Lose(_) if net.sent.is_empty() => {}
                Step::Deliver(index) => {
                    let sent = net.sent.swap_remove(index.index(net.sent.len()));
                    net.deliver(sent);
                }
                Step::Repeat(index) => net.deliver(net.sent[index.index(net.sent.len())].clone()),
                Step::Lose(index) => drop(net.sent.swap_remove(index.index(net.sent.len()))),
            }
            prop_assert!(net.founded.len() <= 1, "{:?}", net);
        }
        if net.founded.is_empty() {
            // And once nothing gets lost, another attempt founds whatever became of the earlier.
            for _ in 0..4 {
                net.reopen(0);
                net.propose(0);
                while !net.sent.is_empty() {
                    let next = net.sent.remove(0);
                    net.deliver(next);
                }
            }
            prop_assert_eq!(net.founded.len(), 1, "{:?}", net);
        }
    }
}
