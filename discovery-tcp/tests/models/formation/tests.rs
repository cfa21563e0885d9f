//! The rules of formation held against those they replace.

use super::{ALL, Filter, Formation, PODS, RULES, Rules};
use crate::{assert_breaks, assert_holds, scopes};

const TWO: &str = "two clusters";
const EPOCH: &str = "an epoch does not rise";

/// Two candidates, both listed and running; the first may restart once.
fn pair(rules: Rules) -> Formation {
    Formation {
        rules,
        pods: 2,
        founders: 0b011,
        listed: 0b011,
        running: 0b011,
        runs: [2, 1, 1],
        ends: [1, 0, 0],
        dials: [ALL; PODS],
        invited: ALL,
        exemptable: 0,
        may_lag: false,
        version_max: 3,
    }
}

/// One candidate that may restart once, and a newcomer that never founds.
fn founder_and_joiner(rules: Rules) -> Formation {
    Formation {
        founders: 0b01,
        ..pair(rules)
    }
}

/// Two candidates and one that becomes listed later and only joins.
fn pair_and_joiner(rules: Rules) -> Formation {
    Formation {
        pods: 3,
        running: 0b111,
        version_max: 4,
        ..pair(rules)
    }
}

/// Pod 0 runs but is not listed yet; pod 1 is listed and waits for its first run, which may end;
/// pod 2 becomes listed later and only joins.
fn waiting(rules: Rules) -> Formation {
    Formation {
        pods: 3,
        listed: 0b010,
        running: 0b101,
        runs: [1, 1, 1],
        ends: [0, 1, 0],
        exemptable: 0b010,
        version_max: 4,
        ..pair(rules)
    }
}

/// Pod 0 dials pod 1, and the joiner is invited; nobody else.
fn narrow(waiting: Formation) -> Formation {
    Formation {
        dials: [0b010, 0, 0],
        invited: 0b100,
        ..waiting
    }
}

/// P9, FORM-9: what was granted for one listing does not count for a later one.
#[test]
fn a_grant_for_an_earlier_listing_lets_an_epoch_be_used_twice() {
    let rules = Rules {
        grants_of_listing: false,
        ..RULES
    };
    assert_breaks("FORM-9, grants kept over a listing", EPOCH, &pair(rules));
    for scope in scopes([pair(RULES)], || [pair_and_joiner(RULES)]) {
        assert_holds("FORM-9, grants of the listing", &scope);
    }
}

/// P9, FORM-9
#[test]
fn an_epoch_not_above_an_answered_ask_is_used_twice() {
    let rules = Rules {
        strict: false,
        ..RULES
    };
    assert_breaks("FORM-9, equal epoch allowed", EPOCH, &pair(rules));
}

/// P4, FORM-4: a strict epoch (`FORM-9`) alone would do, too.
#[test]
fn a_granter_that_keeps_its_own_census_founds_beside_the_other() {
    let rules = Rules {
        grant_voids: false,
        strict: false,
        ..RULES
    };
    assert_breaks("FORM-4, own census kept", TWO, &pair(rules));
}

/// P4, ANSWER-3
#[test]
fn without_the_filter_a_dead_founders_invitation_splits() {
    let rules = Rules {
        filter: Filter::None,
        ..RULES
    };
    assert_breaks("ANSWER-3, no filter", TWO, &founder_and_joiner(rules));
    assert_holds("ANSWER-3, filter", &founder_and_joiner(RULES));
}

/// P4, ANSWER-3: a later ask may name somebody who died before the earlier one.
#[test]
fn a_filter_by_the_newest_list_lets_the_dead_invite() {
    let rules = Rules {
        filter: Filter::NewestList,
        ..RULES
    };
    // 1 is invited by 0's first run, grants to the second, and asks 2.
    let narrow = |rules| Formation {
        dials: [0b010, 0b101, 0],
        invited: 0b010,
        ..pair_and_joiner(rules)
    };
    for scope in scopes([narrow(rules)], || [pair_and_joiner(rules)]) {
        assert_breaks("ANSWER-3, by the newest list", TWO, &scope);
    }
    for scope in scopes([founder_and_joiner(RULES)], || [narrow(RULES)]) {
        assert_holds("ANSWER-3, what was said after the answer", &scope);
    }
}

/// P4, FORM-7: the first run comes and goes while the restart count stays at zero.
#[test]
fn an_exemption_by_the_restart_count_alone_overlooks_a_first_run() {
    let rules = Rules {
        same_run: false,
        list_again: false,
        ask_last: false,
        ..RULES
    };
    let same_run = Rules {
        list_again: false,
        ask_last: false,
        ..RULES
    };
    assert_breaks("FORM-7, restart count alone", TWO, &narrow(waiting(rules)));
    for scope in scopes([narrow(waiting(same_run))], || [waiting(same_run)]) {
        assert_holds("FORM-7, the same newest ended run", &scope);
    }
}

/// P4, FORM-8: the kubelet says later than the container does.
#[test]
fn an_exemption_by_a_status_that_lags_overlooks_a_run() {
    let late = |rules| Formation {
        may_lag: true,
        ..waiting(rules)
    };
    let rules = Rules {
        list_again: false,
        ask_last: false,
        ..RULES
    };
    assert_breaks("FORM-8, one listing", TWO, &narrow(late(rules)));
    for scope in scopes([narrow(late(RULES))], || [late(RULES)]) {
        assert_holds("FORM-8, a second listing", &scope);
    }
}

/// P4, FORM-8: who grants first can be invited by the one that is exempt later.
#[test]
fn an_ask_before_the_second_listing_leaves_time_to_join_elsewhere() {
    let late = |rules| Formation {
        may_lag: true,
        dials: [0b110, 0, 0],
        ..narrow(waiting(rules))
    };
    let rules = Rules {
        ask_last: false,
        ..RULES
    };
    assert_breaks("FORM-8, asked before", TWO, &late(rules));
    assert_holds("FORM-8, asked last", &late(RULES));
}

/// P4, FORM-3
#[test]
fn a_listing_before_the_contacts_counts_the_grant_of_a_successor() {
    let rules = Rules {
        contact_first: false,
        ..RULES
    };
    let late = |rules| Formation {
        listed: 0b001,
        version_max: 4,
        invited: 0b100,
        ..pair_and_joiner(rules)
    };
    assert_breaks("FORM-3, contacts after the listing", TWO, &late(rules));
}

/// P4, JOIN-2
#[test]
fn a_joiner_that_is_not_listed_is_overlooked_by_the_next_census() {
    let rules = Rules {
        listed_joiner: false,
        ..RULES
    };
    let narrow = |rules| Formation {
        dials: [0b010, 0b001, 0],
        invited: 0b100,
        version_max: 3,
        ..pair_and_joiner(rules)
    };
    assert_breaks("JOIN-2, not listed", TWO, &narrow(rules));
    assert_holds("JOIN-2, listed", &narrow(RULES));
}

/// P4, P9: FORM, ANSWER and JOIN-2 together, in scopes that none of the tests above covers.
#[test]
fn restarts_writes_and_late_statuses_in_any_order_form_one_cluster() {
    let large = || {
        let first_or_second = |ends| Formation {
            runs: [2, 2, 1],
            ends,
            ..pair_and_joiner(RULES)
        };
        let all_candidates = Formation {
            founders: ALL,
            ..pair_and_joiner(RULES)
        };
        let restarted = Formation {
            runs: [1, 2, 1],
            dials: [ALL; PODS],
            may_lag: true,
            ..waiting(RULES)
        };
        let later = Formation {
            version_max: 5,
            ..pair_and_joiner(RULES)
        };
        let either = [[0, 1, 0], [1, 1, 0]].map(first_or_second);
        [vec![all_candidates, restarted, later], either.to_vec()].concat()
    };
    let small = [Formation {
        runs: [2, 2, 1],
        ends: [1, 1, 0],
        ..pair(RULES)
    }];
    for scope in scopes(small, large) {
        assert_holds("FORM and ANSWER", &scope);
    }
}
