//! The rules of deciding held against those they replace, and against larger scopes.

use super::{ALL, Deciding, MESSAGE, Nodes, PLACES, RULES, Rules, TERMS};
use crate::{assert_breaks, assert_holds, scopes};

const SPLIT: &str = "two values at one position";

/// Member 2 is replaced by the joiner 3.
const REPLACED: Nodes = 0b1011;
/// Members 1 and 2 are replaced by the joiners 3 and 4.
const TWO_REPLACED: Nodes = 0b1_1001;

const FAST: Rules = Rules {
    own_acceptance_decides: true,
    ..RULES
};

/// Node 0 leads term 1 of {0,1,2}; 1 and 2 may take over, in terms 2 and 3.
fn three(rules: Rules) -> Deciding {
    Deciding {
        rules,
        founders: 0b0111,
        first_term: 1,
        candidates: [None, Some(0), Some(1), Some(2)],
        fresh: [&[], &[MESSAGE, MESSAGE], &[MESSAGE], &[MESSAGE]],
        reach: [ALL; TERMS],
        places: 2,
        nodes: 3,
    }
}

/// One message and one takeover.
fn one_takeover(rules: Rules) -> Deciding {
    Deciding {
        fresh: [&[], &[MESSAGE], &[MESSAGE], &[]],
        candidates: [None, Some(0), Some(1), None],
        places: 1,
        ..three(rules)
    }
}

/// Two messages, the second takeover after the first one proposed them again.
fn two_takeovers(rules: Rules) -> Deciding {
    Deciding {
        fresh: [&[], &[MESSAGE, MESSAGE], &[], &[MESSAGE]],
        ..three(rules)
    }
}

/// Term 1 changes the members and goes on; 1 takes over.
fn change_and_takeover(rules: Rules) -> Deciding {
    Deciding {
        fresh: [&[], &[REPLACED, MESSAGE], &[MESSAGE], &[]],
        candidates: [None, Some(0), Some(1), None],
        nodes: 4,
        ..three(rules)
    }
}

/// Term 1 changes the members and goes on; 1 takes over in the old version, then in the new one.
fn change_and_two_takeovers(rules: Rules) -> Deciding {
    Deciding {
        fresh: [&[], &[REPLACED, MESSAGE], &[], &[MESSAGE]],
        candidates: [None, Some(0), Some(1), Some(1)],
        nodes: 4,
        ..three(rules)
    }
}

/// Node 0 leads term 2; the joiner 4 asks under the lower term 1.
fn joiner_with_a_lower_term(rules: Rules) -> Deciding {
    Deciding {
        first_term: 2,
        fresh: [&[], &[MESSAGE], &[TWO_REPLACED, MESSAGE], &[]],
        candidates: [None, Some(4), Some(0), None],
        nodes: 5,
        ..three(rules)
    }
}

/// Five members, so that two acceptances of a lower term outlive a higher one's decision.
fn five(rules: Rules) -> Deciding {
    Deciding {
        founders: 0b1_1111,
        candidates: [None, Some(0), Some(2), None],
        nodes: 5,
        ..one_takeover(rules)
    }
}

/// DECIDE-2
#[test]
fn a_tail_taken_over_position_by_position_loses_a_decided_message() {
    let rules = Rules {
        whole_tail: false,
        ..FAST
    };
    let name = "DECIDE-2, position by position";
    assert_breaks(name, SPLIT, &two_takeovers(rules));
    let large = || [two_takeovers(FAST), two_takeovers(RULES), three(RULES)];
    for scope in scopes([one_takeover(RULES)], large) {
        assert_holds("DECIDE-2, the whole tail at once", &scope);
    }
}

/// DECIDE-2: 0 leads a second time, behind a decision that 1 accepted and does not know of.
#[test]
fn a_tail_replaced_by_who_lacks_what_is_before_it_loses_a_decided_message() {
    let rules = Rules {
        knows_before_start: false,
        ..RULES
    };
    let again = |rules| Deciding {
        fresh: [&[], &[MESSAGE], &[], &[MESSAGE]],
        candidates: [None, Some(0), Some(0), Some(2)],
        places: 1,
        ..three(rules)
    };
    assert_breaks("DECIDE-2, from behind the start", SPLIT, &again(rules));
    for rules in [RULES, FAST] {
        assert_holds("DECIDE-2, from the start", &again(rules));
    }
}

/// DECIDE-1
#[test]
fn leading_on_over_an_installed_change_decides_twice() {
    let rules = Rules {
        step_down: false,
        ..RULES
    };
    assert_breaks("DECIDE-1, leading on", SPLIT, &change_and_takeover(rules));
    for rules in [RULES, FAST] {
        let scope = change_and_takeover(rules);
        assert_holds("DECIDE-1, stepping down at an install", &scope);
    }
}

/// DECIDE-7
#[test]
fn an_install_that_does_not_raise_the_promise_decides_twice() {
    let rules = Rules {
        raise_promise: false,
        ..RULES
    };
    let name = "DECIDE-7, promise not raised";
    assert_breaks(name, SPLIT, &joiner_with_a_lower_term(rules));
    for rules in [RULES, FAST] {
        let scope = joiner_with_a_lower_term(rules);
        assert_holds("DECIDE-7, promise raised at an install", &scope);
    }
}

/// DECIDE-6
#[test]
fn a_watermark_without_its_term_delivers_what_was_not_decided() {
    let rules = Rules {
        watermark_term: false,
        ..RULES
    };
    assert_breaks("DECIDE-6, no term", SPLIT, &one_takeover(rules));
    assert_holds("DECIDE-6, of the tail's term", &one_takeover(RULES));
}

/// DECIDE-6: a coordinator may learn what a higher term decided before it hears of that term.
#[test]
fn a_watermark_of_what_was_not_counted_under_its_term_delivers_what_was_not_decided() {
    let rules = Rules {
        watermark_counted: false,
        ..RULES
    };
    // 0 and 1 accept under term 1, the others under term 2.
    let narrow = |rules| Deciding {
        reach: [0, 0b0_0011, 0b1_1100, 0],
        ..five(rules)
    };
    let name = "DECIDE-6, what the coordinator knows";
    assert_breaks(name, SPLIT, &narrow(rules));
    for scope in scopes([narrow(RULES)], || [five(RULES)]) {
        assert_holds("DECIDE-6, what the coordinator counted", &scope);
    }
}

/// TAKE
#[test]
fn a_promise_to_a_candidate_that_decided_less_hides_a_decision() {
    let rules = Rules {
        promise_behind: false,
        ..RULES
    };
    assert_breaks("TAKE, promise from ahead", SPLIT, &one_takeover(rules));
    assert_holds("TAKE, promise from level or behind", &one_takeover(RULES));
}

/// DECIDE-8
#[test]
fn a_tail_term_kept_over_an_install_loses_a_decided_message() {
    let rules = Rules {
        reset_tail: false,
        ..RULES
    };
    // 0 decides the change and a message with 3; 1 took the change over with 2, then asks 3.
    let narrow = |rules| Deciding {
        reach: [0, 0b1011, 0b0110, 0b1010],
        ..change_and_two_takeovers(rules)
    };
    assert_breaks("DECIDE-8, tail term kept", SPLIT, &narrow(rules));
    let large = || [RULES, FAST].map(change_and_two_takeovers);
    for scope in scopes([narrow(RULES)], large) {
        assert_holds("DECIDE-8, tail and term forgotten", &scope);
    }
}

/// DECIDE-1 to DECIDE-8 and TAKE together, in scopes that none of the tests above covers.
#[test]
fn changes_and_takeovers_in_any_order_decide_once() {
    let any_order = |change: &'static [Nodes], candidates| Deciding {
        fresh: [&[], change, &[MESSAGE], &[MESSAGE]],
        candidates,
        nodes: 5,
        ..three(RULES)
    };
    let by_turns = [None, Some(0), Some(1), Some(2)];
    let by_one = [None, Some(0), Some(1), Some(1)];
    let by_joiner = [None, Some(0), Some(1), Some(3)];
    let small = [change_and_takeover(FAST)];
    let large = || {
        let mut scopes = Vec::new();
        for candidates in [by_turns, by_one, by_joiner] {
            scopes.push(any_order(&[REPLACED, MESSAGE], candidates));
            scopes.push(any_order(&[MESSAGE, REPLACED], candidates));
            scopes.push(any_order(&[TWO_REPLACED, MESSAGE], candidates));
            scopes.push(any_order(&[0b1111, MESSAGE], candidates));
        }
        scopes.push(Deciding {
            fresh: [&[], &[MESSAGE, REPLACED, MESSAGE], &[], &[MESSAGE]],
            places: PLACES,
            ..change_and_two_takeovers(RULES)
        });
        scopes.push(Deciding {
            fresh: [&[], &[REPLACED, MESSAGE], &[0b0011], &[MESSAGE]],
            places: PLACES,
            ..change_and_two_takeovers(RULES)
        });
        scopes
    };
    for scope in scopes(small, large) {
        assert_holds("DECIDE and TAKE", &scope);
    }
}
