//! What one process does in founding by majority, answer by answer.

use discovery_core::{ClusterId, Epoch};

use super::*;

pub(super) fn name(place: usize) -> NodeName {
    NodeName::new(format!("n{place}")).unwrap()
}

pub(super) fn node(place: usize, run: u128) -> NodeId {
    NodeId::from_u128(run * 100 + u128::try_from(place).unwrap())
}

pub(super) fn founding(names: usize, place: usize, run: u128) -> Founding {
    Founding::new((0..names).map(name), name(place), node(place, run)).unwrap()
}

/// What a process would found.
pub(super) fn value(node: NodeId) -> FoundValue {
    FoundValue {
        founder: node,
        cluster_id: ClusterId::from_u128(node.as_u128()),
        epoch: Epoch(7),
    }
}

/// Five names, of which 0 has asked all and 1 has promised.
fn one_promise() -> (Founding, FoundTerm) {
    let mut founder = founding(5, 0, 1);
    let out = founder.start(value(node(0, 1)));
    let FoundMessage::Ask { term } = out[0].1.clone() else {
        panic!("{out:?}");
    };
    assert_eq!(promise(&mut founder, 1, 1, &term), []);
    (founder, term)
}

fn promise(founder: &mut Founding, place: usize, run: u128, term: &FoundTerm) -> Vec<Addressed> {
    let (term, accepted) = (term.clone(), None);
    founder.on_message(
        &name(place),
        node(place, run),
        FoundMessage::Promise { term, accepted },
    )
}

fn accepted(founder: &mut Founding, place: usize, run: u128, term: &FoundTerm) {
    let term = term.clone();
    founder.on_message(
        &name(place),
        node(place, run),
        FoundMessage::Accepted { term },
    );
}

// Clauses: FORM-10
#[test]
fn a_promise_counts_once_for_a_name_however_often_it_comes() {
    let (mut founder, term) = one_promise();
    assert_eq!(promise(&mut founder, 1, 1, &term), []);
    assert_eq!(promise(&mut founder, 2, 1, &term).len(), 4);
}

// Clauses: FORM-10
#[test]
fn a_promise_is_void_once_another_process_bears_the_name() {
    let (mut founder, term) = one_promise();
    let other = FoundMessage::Refuse {
        promised: term.clone(),
    };
    founder.on_message(&name(1), node(1, 2), other);

    assert_eq!(promise(&mut founder, 1, 2, &term), []);
    assert_eq!(promise(&mut founder, 1, 1, &term), []);
    assert_eq!(promise(&mut founder, 2, 1, &term), []);
    assert_eq!(promise(&mut founder, 3, 1, &term).len(), 4);
}

// Clauses: FORM-10
#[test]
fn an_acceptance_by_another_process_than_promised_is_void() {
    let (mut founder, term) = one_promise();
    promise(&mut founder, 2, 1, &term);

    accepted(&mut founder, 1, 1, &term);
    accepted(&mut founder, 1, 2, &term);
    accepted(&mut founder, 2, 2, &term);
    accepted(&mut founder, 2, 2, &term);
    assert_eq!(founder.decided(), None);

    accepted(&mut founder, 3, 1, &term);
    assert_eq!(founder.decided(), None);
    accepted(&mut founder, 4, 1, &term);
    assert_eq!(founder.decided(), Some(&value(node(0, 1))));
}

fn term(counter: u64, place: usize) -> FoundTerm {
    let name = name(place);
    FoundTerm { counter, name }
}

/// The term and value that it asks others to accept.
fn proposed(out: &[Addressed]) -> (FoundTerm, FoundValue) {
    match &out[0].1 {
        FoundMessage::Accept { term, value } => (term.clone(), *value),
        other => panic!("{other:?}"),
    }
}

// Clauses: FORM-10
#[test]
fn of_what_was_accepted_before_the_highest_term_is_proposed_in_any_order_of_answers() {
    let (low, high) = (
        (term(2, 1), value(node(1, 1))),
        (term(2, 2), value(node(2, 1))),
    );
    for brought in [[&low, &high], [&high, &low]] {
        let (mut founder, term) = (founding(5, 0, 1), term(8, 0));
        founder.start(value(node(0, 1)));
        let mut out = Vec::new();
        for (place, accepted) in (3..).zip(brought) {
            let (term, accepted) = (term.clone(), Some(accepted.clone()));
            let message = FoundMessage::Promise { term, accepted };
            out = founder.on_message(&name(place), node(place, 1), message);
        }
        assert_eq!(proposed(&out), (term, high.1));
    }
}

// Clauses: FORM-10
#[test]
fn what_it_accepted_itself_counts_as_well() {
    let mut founder = founding(3, 0, 1);
    let (old, taken) = (term(20, 1), value(node(1, 1)));
    let accept = FoundMessage::Accept {
        term: old,
        value: taken,
    };
    founder.on_message(&name(1), node(1, 1), accept);

    founder.start(value(node(0, 1)));
    let out = promise(&mut founder, 2, 1, &term(21, 0));

    assert_eq!(proposed(&out), (term(21, 0), taken));
}

// Clauses: FORM-10
#[test]
fn to_accept_is_to_promise() {
    let mut acceptor = founding(3, 0, 1);
    let accept = |place, counter| FoundMessage::Accept {
        term: term(counter, place),
        value: value(node(place, 1)),
    };
    acceptor.on_message(&name(1), node(1, 1), accept(1, 5));
    let answer = acceptor.on_message(&name(2), node(2, 1), accept(2, 4));
    let promised = term(5, 1);
    assert_eq!(answer, [(name(2), FoundMessage::Refuse { promised })]);
}

// Clauses: FORM-10
#[test]
fn a_new_round_is_above_every_term_heard_of_and_those_of_an_earlier_run() {
    let asks = |out: Vec<Addressed>| match &out[0].1 {
        FoundMessage::Ask { term } => term.clone(),
        other => panic!("{other:?}"),
    };
    let mut founder = founding(3, 0, 1);
    assert_eq!(asks(founder.start(value(node(0, 1)))), term(8, 0));
    let heard = FoundMessage::Ask { term: term(50, 1) };
    founder.on_message(&name(1), node(1, 1), heard);
    assert_eq!(asks(founder.on_retry()), term(51, 0));
    let promised = term(90, 2);
    founder.on_message(&name(2), node(2, 1), FoundMessage::Refuse { promised });
    assert_eq!(asks(founder.on_retry()), term(91, 0));

    let mut later = value(node(0, 2));
    later.epoch = Epoch(1_000);
    assert_eq!(asks(founding(3, 0, 2).start(later)), term(1_001, 0));
}

// Clauses: FORM-10
#[test]
fn only_configured_names_have_a_word_and_each_for_its_own_terms() {
    let mut founder = founding(3, 0, 1);
    let term = |place| term(9, place);
    let value = value(node(1, 1));
    for (from, message) in [
        (7, FoundMessage::Ask { term: term(7) }),
        (7, FoundMessage::Decided { value }),
        (0, FoundMessage::Decided { value }),
        (1, FoundMessage::Ask { term: term(2) }),
        (
            1,
            FoundMessage::Accept {
                term: term(2),
                value,
            },
        ),
    ] {
        assert_eq!(founder.on_message(&name(from), node(from, 1), message), []);
    }
    assert_eq!(founder.decided(), None);
    assert_eq!(founder.promised, None);
}

// Clauses: FORM-10
#[test]
fn a_term_carries_one_value_even_if_its_proposer_has_forgotten_it() {
    let mut acceptor = founding(3, 0, 1);
    let term = FoundTerm {
        counter: 9,
        name: name(1),
    };
    let accept = |run| FoundMessage::Accept {
        term: term.clone(),
        value: value(node(1, run)),
    };
    let answers: Vec<FoundMessage> = [1, 2, 1]
        .into_iter()
        .map(|run| {
            acceptor.on_message(&name(1), node(1, run), accept(run))[0]
                .1
                .clone()
        })
        .collect();
    let took = FoundMessage::Accepted { term: term.clone() };
    let refused = FoundMessage::Refuse {
        promised: term.clone(),
    };
    assert_eq!(answers, [took.clone(), refused, took]);
}

// Clauses: FORM-10
#[test]
fn who_knows_what_is_decided_answers_it_to_every_ask() {
    let mut founder = founding(3, 0, 1);
    let (one, two) = (value(node(1, 1)), value(node(2, 1)));
    founder.on_message(&name(1), node(1, 1), FoundMessage::Decided { value: one });
    founder.on_message(&name(2), node(2, 1), FoundMessage::Decided { value: two });
    assert_eq!(founder.decided(), Some(&one));

    let term = FoundTerm {
        counter: 100,
        name: name(2),
    };
    let answer = founder.on_message(&name(2), node(2, 1), FoundMessage::Ask { term });
    assert_eq!(answer, [(name(2), FoundMessage::Decided { value: one })]);
    assert_eq!(founder.start(value(node(0, 1))), []);
}

#[test]
fn nothing_is_proposed_beyond_the_last_counter() {
    let mut founder = founding(3, 0, 1);
    let promised = FoundTerm {
        counter: u64::MAX,
        name: name(1),
    };
    founder.on_message(&name(1), node(1, 1), FoundMessage::Refuse { promised });
    assert_eq!(founder.start(value(node(0, 1))), []);
    assert_eq!(founder.on_retry(), []);
}

#[test]
fn names_that_cannot_found_together_are_refused() {
    let new = |names: &[usize], me| {
        let names = names.iter().copied().map(name);
        Founding::new(names, name(me), node(me, 1)).map(|founding| founding.names.len())
    };
    assert_eq!(new(&[2, 1, 0], 1), Ok(3));
    assert_eq!(new(&[], 0), Err(FoundingError::NoNames));
    let twice = FoundingError::NameTwice { name: name(1) };
    assert_eq!(new(&[1, 0, 1], 0), Err(twice));
    let (name, names) = (name(3), 2);
    assert_eq!(
        new(&[0, 1], 3),
        Err(FoundingError::NotConfigured { name, names })
    );
    let many: Vec<usize> = (0..=MEMBERS_MAX).collect();
    let names = many.len();
    assert_eq!(new(&many, 0), Err(FoundingError::TooManyNames { names }));
}
