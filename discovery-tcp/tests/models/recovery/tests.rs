//! The rules of recovery held against those they replace, and against larger scopes.

use super::Kind::{Recover, TakeOver};
use super::{MESSAGE, Nodes, RULES, Recovery, Rules, TWO_HISTORIES, TWO_VALUES};
use crate::{assert_breaks, assert_holds, scopes};

/// Member 1 is removed.
const REMOVED: Nodes = 0b101;

/// As in a larger cluster: nothing is decided before its coordinator counted a majority.
const COUNTED: Rules = Rules {
    own_acceptance_decides: false,
    ..RULES
};

/// Node 0 removes 1 and may die; 1 recovers; 2 may take over.
fn one_recovery(rules: Rules) -> Recovery {
    Recovery {
        rules,
        candidates: [
            None,
            Some((0, TakeOver)),
            Some((1, Recover)),
            Some((2, TakeOver)),
        ],
        fresh: [&[], &[REMOVED], &[MESSAGE], &[MESSAGE]],
        may_die: 0b001,
        deaths_max: 1,
        falsely_dead: 0,
        version_max: 3,
    }
}

/// Node 0 proposes, 1 takes over and may die with 2, 0 recovers alone.
fn last_survivor(rules: Rules) -> Recovery {
    Recovery {
        candidates: [
            None,
            Some((0, TakeOver)),
            Some((1, TakeOver)),
            Some((0, Recover)),
        ],
        fresh: [&[], &[MESSAGE], &[MESSAGE], &[]],
        may_die: 0b110,
        deaths_max: 2,
        version_max: 2,
        ..one_recovery(rules)
    }
}

/// 0 recovers, then 1; 0 and 2 may die.
fn two_recoveries(rules: Rules) -> Recovery {
    Recovery {
        candidates: [
            None,
            Some((0, TakeOver)),
            Some((0, Recover)),
            Some((1, Recover)),
        ],
        fresh: [&[], &[], &[MESSAGE], &[MESSAGE]],
        may_die: 0b101,
        deaths_max: 2,
        ..one_recovery(rules)
    }
}

/// Of node 0, which lives and answers, a proof of death is at hand; 2 may die; 1 recovers.
fn false_proof(rules: Rules) -> Recovery {
    Recovery {
        candidates: [None, Some((0, TakeOver)), Some((1, Recover)), None],
        fresh: [&[], &[MESSAGE], &[MESSAGE], &[]],
        may_die: 0b100,
        falsely_dead: 0b001,
        ..one_recovery(rules)
    }
}

/// P2, ANSWER-3
#[test]
fn a_promiser_without_the_filter_follows_the_dead() {
    let rules = Rules {
        promisers_filter: false,
        ..COUNTED
    };
    let name = "ANSWER-3, promisers unbound";
    assert_breaks(name, TWO_HISTORIES, &one_recovery(rules));
    for scope in scopes([two_recoveries(RULES)], || {
        [RULES, COUNTED].map(one_recovery)
    }) {
        assert_holds("ANSWER-3, promisers bound", &scope);
    }
}

/// P2, RECOVER-4
#[test]
fn a_listed_process_that_dies_before_it_answers_is_still_heard() {
    let rules = Rules {
        listed_answer: false,
        ..COUNTED
    };
    let name = "RECOVER-4, dead before its answer";
    assert_breaks(name, TWO_HISTORIES, &one_recovery(rules));
}

/// P1, P2, RECOVER-6
#[test]
fn leftovers_decided_in_the_old_epoch_contradict_the_dead() {
    let rules = Rules {
        epoch_first: false,
        ..RULES
    };
    let name = "RECOVER-6, leftovers first";
    assert_breaks(name, TWO_VALUES, &last_survivor(rules));
    let small = [Recovery {
        fresh: [&[], &[MESSAGE], &[], &[]],
        ..last_survivor(RULES)
    }];
    for scope in scopes(small, || [RULES, COUNTED].map(last_survivor)) {
        assert_holds("RECOVER-6, the epoch first", &scope);
    }
}

/// P1, P2, RECOVER-6, RECOVER-7: what comes to nothing must not have emptied a tail.
#[test]
fn a_recovery_that_empties_tails_before_its_change_loses_a_decision() {
    let rules = Rules {
        epoch_whole: false,
        ..COUNTED
    };
    let name = "RECOVER-6, tail emptied first";
    assert_breaks(name, TWO_VALUES, &one_recovery(rules));
}

/// P1, P9, RECOVER-5
#[test]
fn an_epoch_not_above_an_answered_ask_is_opened_twice() {
    let rules = Rules {
        strict: false,
        ..RULES
    };
    let name = "RECOVER-5, equal epoch allowed";
    assert_breaks(name, TWO_VALUES, &two_recoveries(rules));
    for scope in scopes([two_recoveries(RULES)], || [two_recoveries(COUNTED)]) {
        assert_holds("RECOVER-5, strict epoch", &scope);
    }
}

/// P3, RECOVER-3
#[test]
fn a_proof_of_death_that_outweighs_an_answer_splits() {
    let rules = Rules {
        answer_overrides: false,
        ..RULES
    };
    let name = "RECOVER-3, proof over answer";
    assert_breaks(name, TWO_HISTORIES, &false_proof(rules));
    for rules in [RULES, COUNTED] {
        assert_holds("RECOVER-3, answer over proof", &false_proof(rules));
    }
}

/// P1 to P3, RECOVER and ANSWER together, in scopes that none of the tests above covers.
#[test]
fn recoveries_takeovers_and_deaths_in_any_order_keep_one_history() {
    let orders = [
        [(1, Recover), (2, Recover)],
        [(1, Recover), (0, Recover)],
        [(1, TakeOver), (2, Recover)],
        [(2, Recover), (2, TakeOver)],
    ];
    let large = || {
        let scope = |rules, [second, third]: [(usize, super::Kind); 2]| Recovery {
            candidates: [None, Some((0, TakeOver)), Some(second), Some(third)],
            fresh: [&[], &[REMOVED, MESSAGE], &[MESSAGE], &[MESSAGE]],
            may_die: 0b111,
            deaths_max: 2,
            version_max: 4,
            ..one_recovery(rules)
        };
        orders
            .map(|it| [scope(RULES, it), scope(COUNTED, it)])
            .concat()
    };
    let small = [Recovery {
        deaths_max: 1,
        ..two_recoveries(COUNTED)
    }];
    for scope in scopes(small, large) {
        assert_holds("RECOVER and ANSWER", &scope);
    }
}
