//! What must hold of founding by majority among several, in whatever order messages come.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::Index;

use super::tests::{founding, name, node, value};
use super::*;

/// A message under way: to which place, from which, by which process.
#[derive(Clone, Debug)]
struct Sent {
    to: usize,
    from: usize,
    node: NodeId,
    message: FoundMessage,
}

/// Some names, each with its process, and all that is under way between them.
#[derive(Clone, Debug)]
struct Net {
    founders: Vec<Founding>,
    sent: Vec<Sent>,
}

impl Net {
    fn new(names: usize) -> Self {
        Self {
            founders: (0..names).map(|place| founding(names, place, 1)).collect(),
            sent: Vec::new(),
        }
    }

    fn send(&mut self, from: usize, out: Vec<Addressed>) {
        let node = self.founders[from].node;
        let names = self.founders[from].names.clone();
        self.sent.extend(out.into_iter().map(|(to, message)| Sent {
            to: names.binary_search(&to).unwrap(),
            from,
            node,
            message,
        }));
    }

    /// Starts it, or tries again.
    fn propose(&mut self, place: usize) {
        let founder = &mut self.founders[place];
        let out = match founder.own {
            None => founder.start(value(founder.node)),
            Some(_) => founder.on_retry(),
        };
        self.send(place, out);
    }

    fn deliver(&mut self, sent: Sent) {
        let out = self.founders[sent.to].on_message(&name(sent.from), sent.node, sent.message);
        self.send(sent.to, out);
    }

    fn deliver_all(&mut self) {
        while !self.sent.is_empty() {
            let next = self.sent.remove(0);
            self.deliver(next);
        }
    }

    /// Another process in place of one that has not answered anything.
    fn replace(&mut self, place: usize) {
        let (names, old) = (self.founders.len(), &self.founders[place]);
        if old.promised.is_none() && old.decided.is_none() {
            let run = old.node.as_u128() / 100 + 1;
            self.founders[place] = founding(names, place, run);
        }
    }

    fn decided(&self) -> BTreeSet<NodeId> {
        let founder = |founding: &Founding| founding.decided().map(|value| value.founder);
        self.founders.iter().filter_map(founder).collect()
    }
}

#[derive(Clone, Debug)]
enum Step {
    Propose(Index),
    Deliver(Index),
    Repeat(Index),
    Lose(Index),
    Replace(Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => any::<Index>().prop_map(Step::Propose),
        20 => any::<Index>().prop_map(Step::Deliver),
        2 => any::<Index>().prop_map(Step::Repeat),
        2 => any::<Index>().prop_map(Step::Lose),
        1 => any::<Index>().prop_map(Step::Replace),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    // Clauses: FORM-10
    #[test]
    fn whatever_comes_in_whatever_order_one_value_is_decided(
        names in 3..=5usize,
        steps in proptest::collection::vec(step(), 0..150),
    ) {
        let mut net = Net::new(names);
        let mut first = BTreeSet::new();
        for step in steps {
            match step {
                Step::Propose(index) => net.propose(index.index(names)),
                Step::Replace(index) => net.replace(index.index(names)),
                Step::Deliver(_) | Step::Repeat(_) | Step::Lose(_) if net.sent.is_empty() => {}
                Step::Deliver(index) => {
                    let sent = net.sent.swap_remove(index.index(net.sent.len()));
                    net.deliver(sent);
                }
                Step::Repeat(index) => net.deliver(net.sent[index.index(net.sent.len())].clone()),
                Step::Lose(index) => drop(net.sent.swap_remove(index.index(net.sent.len()))),
            }
            let decided = net.decided();
            prop_assert!(decided.len() <= 1, "{:?}", net);
            prop_assert!(first.is_subset(&decided), "{:?}", net);
            first = decided;
        }

        // And once nothing gets lost and one proposes after the other, all of them know it.
        net.deliver_all();
        for place in [0, 0].into_iter().chain(0..names) {
            net.propose(place);
            net.deliver_all();
        }
        prop_assert!(net.founders.iter().all(|founding| founding.decided().is_some()));
        prop_assert!(net.decided().len() == 1 && first.is_subset(&net.decided()));
    }
}

// Every order in which the messages of two proposers among three can arrive or not.
// Clauses: FORM-10
#[test]
fn no_order_of_two_proposals_decides_two_values() {
    let mut start = Net::new(3);
    start.propose(0);
    start.propose(1);
    let mut seen = BTreeSet::new();
    let mut open = vec![start];
    let mut outcomes = BTreeSet::new();
    while let Some(net) = open.pop() {
        outcomes.extend(net.decided());
        assert!(net.decided().len() <= 1, "{net:?}");
        for at in 0..net.sent.len() {
            let mut next = net.clone();
            let sent = next.sent.remove(at);
            next.deliver(sent);
            // What is told once it is decided changes no more what is decided.
            next.sent
                .retain(|sent| !matches!(sent.message, FoundMessage::Decided { .. }));
            next.sent.sort_by_cached_key(|sent| format!("{sent:?}"));
            if seen.insert(format!("{next:?}")) {
                open.push(next);
            }
        }
    }
    assert!(seen.len() > 1_000, "{} states", seen.len());
    assert_eq!(outcomes.len(), 2, "each of the two wins in some order");
}

// Clauses: FORM-10
#[test]
fn one_name_alone_decides_at_once() {
    let mut net = Net::new(1);
    net.propose(0);
    assert_eq!(net.founders[0].decided(), Some(&value(node(0, 1))));
    assert!(net.sent.is_empty());
}

// Clauses: FORM-10
#[test]
fn half_of_the_names_decide_nothing_and_one_more_does() {
    for names in 2..=7 {
        let half = names / 2;
        let mut net = Net::new(names);
        for _ in 0..3 {
            net.propose(0);
            net.sent.retain(|sent| sent.to < half);
            while let Some(sent) = net.sent.pop() {
                net.deliver(sent);
                net.sent.retain(|sent| sent.to < half);
            }
        }
        assert!(net.decided().is_empty(), "{half} of {names}");

        net.propose(0);
        net.sent.retain(|sent| sent.to <= half);
        while let Some(sent) = net.sent.pop() {
            net.deliver(sent);
            net.sent.retain(|sent| sent.to <= half);
        }
        assert_eq!(net.decided().len(), 1, "{} of {names}", half + 1);
    }
}

// Clauses: FORM-10
#[test]
fn what_a_majority_may_have_decided_is_what_the_next_one_proposes() {
    // Given 0 decided with 1, and died before anybody was told.
    let mut net = Net::new(3);
    net.propose(0);
    net.sent.retain(|sent| sent.to != 2);
    while let Some(sent) = net.sent.pop() {
        net.deliver(sent);
        net.sent
            .retain(|sent| sent.to == 0 || matches!(sent.message, FoundMessage::Accept { .. }));
        net.sent.retain(|sent| sent.to != 2);
    }
    let decided = net.founders[0].decided().copied();
    assert_eq!(decided, Some(value(node(0, 1))));

    // When 2 proposes without 0.
    for _ in 0..2 {
        net.propose(2);
        net.sent.retain(|sent| sent.to != 0);
        while let Some(sent) = net.sent.pop() {
            net.deliver(sent);
            net.sent.retain(|sent| sent.to != 0);
        }
    }

    // Then it decides what 0 did.
    assert_eq!(net.founders[2].decided().copied(), decided);
}
