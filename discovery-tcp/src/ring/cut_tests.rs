//! What must hold of the cut.

use std::collections::BTreeSet;

use discovery_core::AccusationKind::{Closed, Refused, Replaced, Silence};
use proptest::prelude::*;

use super::*;

/// Silence, as each of the subjects' accusers says.
fn silence<const N: usize>(said: [(usize, &[usize]); N]) -> Alerts {
    said.into_iter()
        .map(|(subject, by)| (subject, by.iter().map(|by| (*by, Silence)).collect()))
        .collect()
}

/// Every observer among `speakers` accuses each of the subjects that it observes.
fn all_accuse(
    roster: &Roster,
    subjects: impl IntoIterator<Item = usize>,
    speaks: impl Fn(usize) -> bool,
) -> Alerts {
    let by = |subject| -> Accusers {
        let observers = roster.observers(subject);
        observers
            .filter(|o| speaks(*o))
            .map(|o| (o, Silence))
            .collect()
    };
    subjects.into_iter().map(|s| (s, by(s))).collect()
}

fn judged(roster: &Roster, alerts: &Alerts) -> CutVerdict {
    judge(roster, alerts, &roster.nobody())
}

fn removed(verdict: &CutVerdict) -> Vec<usize> {
    verdict.remove.iter().map(|(subject, _)| *subject).collect()
}

/// A removed member's accusers are explicit, its own, outside of the cut, and more than half.
fn assert_rightly(roster: &Roster, alerts: &Alerts, verdict: &CutVerdict) {
    let cut: BTreeSet<usize> = removed(verdict).into_iter().collect();
    for (subject, accusers) in &verdict.remove {
        let healthy: Vec<usize> = roster
            .observers(*subject)
            .filter(|observer| !cut.contains(observer))
            .collect();
        let said = &alerts[subject];
        assert!(
            accusers
                .iter()
                .all(|o| healthy.contains(o) && said.contains_key(o))
        );
        assert!(accusers.is_sorted_by(|a, b| a < b));
        assert!(
            accusers.len() * 2 > healthy.len(),
            "{subject} in {verdict:?}"
        );
    }
    for (subject, _) in &verdict.in_doubt {
        assert!(!cut.contains(subject));
    }
    for subject in &verdict.needs_probers {
        assert!(!cut.contains(subject));
        assert!(roster.observers(*subject).all(|o| cut.contains(&o)));
    }
}

// Clauses: CUT-3 CUT-4
#[test]
fn the_numbers_needed_are_those_of_the_table() {
    //           members, k, H, L
    let table = [
        (2, 1, 1, 1),
        (3, 2, 2, 2),
        (4, 3, 2, 2),
        (5, 4, 3, 2),
        (6, 5, 3, 2),
        (7, 6, 4, 2),
        (8, 7, 4, 2),
        (9, 8, 5, 2),
        (10, 8, 5, 2),
        (11, 8, 5, 2),
        (12, 8, 5, 2),
    ];
    for (members, k, needed, in_doubt) in table {
        let roster = Roster::sample(members);
        assert_eq!(roster.observers(0).count(), k, "{members}");
        assert_eq!(accusers_needed(k), needed, "{members}");
        assert_eq!(accusers_in_doubt(members), in_doubt, "{members}");
        for subject in 0..members {
            for said in 0..=k {
                let by: Accusers = roster
                    .observers(subject)
                    .take(said)
                    .map(|o| (o, Silence))
                    .collect();
                let verdict = judged(&roster, &Alerts::from([(subject, by.clone())]));

                let goes = said >= needed;
                let doubted = !goes && said >= in_doubt;
                assert_eq!(removed(&verdict) == [subject], goes, "{said} of {k}");
                assert_eq!(
                    verdict.in_doubt == [(subject, Silence)],
                    doubted,
                    "{said} of {k}"
                );
                assert_eq!(verifies(&roster, subject, &by), goes, "{said} of {k}");
            }
        }
    }
}

// Clauses: CUT-8
#[test]
fn probers_count_for_nothing_while_an_observer_is_left() {
    let roster = Roster::sample(4);
    let unreachable = OrderSet::of(4, [0, 1, 2]);
    let alerts = silence([(3, &[0, 1, 2])]);
    assert_eq!(removed(&judge(&roster, &alerts, &unreachable)), [3]);
    assert_eq!(
        judge(&roster, &Alerts::new(), &unreachable),
        CutVerdict::default()
    );
    let alone = Roster::sample(1);
    let all = OrderSet::of(1, [0]);
    assert_eq!(judge(&alone, &Alerts::new(), &all), CutVerdict::default());
}

// Clauses: CUT-3
#[test]
fn a_member_alone_removes_nobody() {
    let roster = Roster::sample(1);
    assert_eq!(
        judged(&roster, &silence([(0, &[0])])),
        CutVerdict::default()
    );
    assert!(!verifies(&roster, 0, &Accusers::from([(0, Silence)])));
}

// Counter-example W1: B's own word and two implied ones must not make three.
// Clauses: CUT-3
#[test]
fn members_in_the_cut_are_no_accusers_of_others() {
    let roster = Roster::sample(5);
    let (a, b, c) = (0, 1, 2);
    let [dead, dead_too] = [3, 4];
    let well = [a, b, c];

    let alerts = silence([(dead, &well), (dead_too, &well), (a, &[b])]);
    let verdict = judged(&roster, &alerts);

    assert_eq!(verdict.remove, [(3, well.to_vec()), (4, well.to_vec())]);
    assert_eq!(verdict.in_doubt, []);
    assert!(verdict.needs_probers.is_empty());
}

// Clauses: CUT-3
#[test]
fn what_is_needed_shrinks_with_the_cut() {
    // Of seven, 4 to 6 are dead, and 3 is too. It takes four to remove one, and only three speak.
    let roster = Roster::sample(7);
    let alive = [0, 1, 2];
    let one_by_one = silence([(3, &alive), (4, &alive)]);
    assert!(removed(&judged(&roster, &one_by_one)).is_empty());

    // Once 6 is out, three of five are enough for 5, and so on.
    let with_one = silence([(3, &alive), (4, &alive), (5, &alive), (6, &[0, 1, 2, 3])]);
    assert_eq!(removed(&judged(&roster, &with_one)), [3, 4, 5, 6]);
}

// Counter-example W2.
// Clauses: CUT-4
#[test]
fn one_flaky_link_puts_nobody_in_doubt_among_three_and_more() {
    for members in 3..=12 {
        let roster = Roster::sample(members);
        let observer = roster.observers(0).next().unwrap();
        assert_eq!(
            judged(&roster, &silence([(0, &[observer])])),
            CutVerdict::default()
        );
    }
}

// Clauses: CUT-3
#[test]
fn who_does_not_observe_has_no_word() {
    let roster = Roster::sample(100);
    let others: Vec<usize> = (0..100)
        .filter(|place| roster.observers(50).all(|observer| observer != *place))
        .collect();
    let alerts = silence([(50, &others), (100, &[0, 1, 2, 3, 4, 5, 6, 7])]);
    assert_eq!(judged(&roster, &alerts), CutVerdict::default());
    assert!(!verifies(&roster, 50, &alerts[&50]));
    assert!(!verifies(&roster, 100, &alerts[&100]));
}

// Clauses: CUT-4
#[test]
fn doubt_carries_the_strongest_of_what_was_said() {
    let roster = Roster::sample(9);
    for (strongest, other) in [(Replaced, Refused), (Refused, Closed), (Closed, Silence)] {
        for (first, second) in [(strongest, other), (other, strongest)] {
            let alerts = Alerts::from([(0, Accusers::from([(1, first), (2, second)]))]);
            assert_eq!(judged(&roster, &alerts).in_doubt, [(0, strongest)]);
        }
    }
}

// Clauses: CUT-3
#[test]
fn a_half_that_accuses_the_other_half_of_five_removes_only_the_one_that_all_accuse() {
    let roster = Roster::sample(5);
    let (one, other) = ([0, 1], [2, 3]);
    let split = silence([(0, &other), (1, &other), (2, &one), (3, &one)]);
    let verdict = judged(&roster, &split);
    assert_eq!(verdict.remove, []);
    assert_eq!(verdict.in_doubt.len(), 4);

    let mut split = split;
    split.insert(4, all_accuse(&roster, [4], |_| true).remove(&4).unwrap());
    assert_eq!(removed(&judged(&roster, &split)), [4]);
}

// Each is accused by two of three: all would go at once, or the half that was looked at first.
// Clauses: CUT-3
#[test]
fn two_halves_that_accuse_each_other_stay_in_doubt() {
    let roster = Roster::sample(4);
    let (elder, newer) = ([0, 1], [2, 3]);
    let alerts = silence([(0, &newer), (1, &newer), (2, &elder), (3, &elder)]);

    let verdict = judged(&roster, &alerts);

    assert_eq!(verdict.remove, []);
    assert_eq!(verdict.in_doubt, [0, 1, 2, 3].map(|place| (place, Silence)));
    assert!(verdict.needs_probers.is_empty());
}

// 0 and 1 no longer hear each other when both lose 2: that shall not undo what both say of 2.
// Clauses: CUT-3
#[test]
fn the_last_to_enter_is_the_first_to_be_barred() {
    let roster = Roster::sample(3);
    let verdict = judged(&roster, &silence([(0, &[1]), (1, &[0]), (2, &[0, 1])]));
    assert_eq!(verdict.remove, [(2, vec![0, 1])]);
}

// 1 to 3 accuse 0 and are cut themselves; 4 and 5, all that is left to speak of 0, hear it.
// Clauses: CUT-3
#[test]
fn a_member_that_only_the_cut_accuses_is_barred() {
    let roster = Roster::sample(6);
    let well = [0, 4, 5];
    let alerts = silence([(0, &[1, 2, 3]), (1, &well), (2, &well), (3, &well)]);

    let verdict = judged(&roster, &alerts);

    assert_eq!(verdict.remove, [1, 2, 3].map(|dead| (dead, well.to_vec())));
    assert_eq!(verdict.in_doubt, []);
}

// Clauses: CUT-8
#[test]
fn who_loses_all_its_observers_needs_probers() {
    let roster = Roster::sample(1000);
    let mut dead: BTreeSet<usize> = roster.observers(408).collect();
    let alerts = all_accuse(&roster, dead.clone(), |o| !dead.contains(&o));

    let verdict = judged(&roster, &alerts);

    // It may be as silent as they are: none is left outside of the cut who could tell.
    assert_eq!(removed(&verdict), dead.iter().copied().collect::<Vec<_>>());
    assert_eq!(verdict.needs_probers, [408]);
    assert_rightly(&roster, &alerts, &verdict);

    // Probers that cannot dial it either add it.
    let unreachable = OrderSet::of(1000, [408, 20]);
    let verdict = judge(&roster, &alerts, &unreachable);
    dead.insert(408);
    assert_eq!(removed(&verdict), dead.into_iter().collect::<Vec<_>>());
    assert!(verdict.remove.contains(&(408, vec![])));
    assert!(verdict.needs_probers.is_empty());
}

// Clauses: CUT-3
#[test]
fn the_last_words_of_the_dead_remove_none_of_the_living() {
    for dead in [0..300, 300..600, 700..1000] {
        let roster = Roster::sample(1000);
        let mut alerts = all_accuse(&roster, 0..1000, |o| dead.contains(&o));
        for (subject, accusers) in all_accuse(&roster, dead.clone(), |o| !dead.contains(&o)) {
            alerts.entry(subject).or_default().extend(accusers);
        }

        let verdict = judged(&roster, &alerts);

        // However many stand together in the order of age, they do not on the circle.
        assert_eq!(removed(&verdict), dead.clone().collect::<Vec<_>>());
        assert!(
            verdict
                .needs_probers
                .iter()
                .all(|place| dead.contains(place))
        );
        assert_rightly(&roster, &alerts, &verdict);
    }
}

/// A number of members, and a minority of them that is dead.
fn dead_minority() -> impl Strategy<Value = (usize, BTreeSet<usize>)> {
    (3..=200usize).prop_flat_map(|members| {
        let dead = proptest::collection::btree_set(0..members, 1..=(members - 1) / 2);
        (Just(members), dead)
    })
}

// Clauses: CUT-1, CUT-3
#[test]
fn whichever_minority_of_a_small_cluster_dies_goes_with_one_change() {
    for members in 10..=18 {
        let roster = Roster::sample(members);
        let minority = (members - 1) / 2;
        for dead in (1..1_u32 << members).filter(|dead| dead.count_ones() as usize <= minority) {
            let dead = |place: usize| dead >> place & 1 == 1;
            let alerts = all_accuse(&roster, (0..members).filter(|it| dead(*it)), |o| !dead(o));
            let gone = removed(&judged(&roster, &alerts));
            assert!(gone.into_iter().eq((0..members).filter(|it| dead(*it))));
        }
    }
}

// Counter-example C42: one of them is accused by a single living observer, and so is no suspect of
// its own. It must not vouch for the others.
// Clauses: CUT-3
#[test]
fn who_is_nearly_unobserved_vouches_for_none_of_those_lost_with_it() {
    let lost: [(usize, &[usize]); 4] = [
        (31, &[1, 2, 4, 5, 7, 9, 11, 13, 19, 22, 23, 25, 27, 29, 30]),
        (31, &[2, 3, 4, 6, 8, 10, 11, 14, 16, 20, 22, 23, 24, 26, 29]),
        (
            32,
            &[0, 2, 5, 8, 10, 11, 14, 16, 20, 21, 22, 23, 24, 26, 29],
        ),
        (
            33,
            &[1, 2, 7, 9, 18, 19, 20, 21, 23, 24, 26, 27, 29, 30, 31, 32],
        ),
    ];
    for (members, dead) in lost {
        let roster = Roster::sample(members);
        let alerts = all_accuse(&roster, dead.iter().copied(), |o| !dead.contains(&o));
        let verdict = judged(&roster, &alerts);
        assert_eq!(removed(&verdict), dead, "{members}");
        assert_rightly(&roster, &alerts, &verdict);
    }
}

/// A number of members, and any alerts among them: by observers or not.
fn any_alerts() -> impl Strategy<Value = (usize, Alerts)> {
    (1..=24usize).prop_flat_map(|members| {
        let kind = prop_oneof![Just(Replaced), Just(Refused), Just(Closed), Just(Silence)];
        let accusers = proptest::collection::btree_map(0..=members, kind, 0..=members);
        let alerts = proptest::collection::btree_map(0..=members, accusers, 0..=members);
        (Just(members), alerts)
    })
}

/// A number of members, who of them is dead, and a number of chance for each pair.
fn some_dead() -> impl Strategy<Value = (usize, BTreeSet<usize>, Vec<u8>)> {
    (2..=30usize).prop_flat_map(|members| {
        (
            Just(members),
            proptest::collection::btree_set(0..members, 0..=members / 2),
            proptest::collection::vec(any::<u8>(), members * members),
        )
    })
}

proptest! {
    // What stays is judged anew in the next topology, where it has other observers.
    // Clauses: CUT-3
    #[test]
    fn whichever_minority_dies_some_of_it_go_at_once((members, dead) in dead_minority()) {
        let roster = Roster::sample(members);
        let alerts = all_accuse(&roster, dead.clone(), |o| !dead.contains(&o));
        let verdict = judged(&roster, &alerts);
        prop_assert!(!verdict.remove.is_empty());
        prop_assert!(removed(&verdict).iter().all(|place| dead.contains(place)));
    }

    // Clauses: CUT-3
    #[test]
    fn whatever_is_said_everybody_who_goes_goes_rightly((members, alerts) in any_alerts()) {
        let roster = Roster::sample(members);
        let verdict = judged(&roster, &alerts);
        assert_rightly(&roster, &alerts, &verdict);
    }

    // Clauses: CUT-3 CUT-4
    #[test]
    fn whoever_enough_accuse_goes_or_is_in_doubt_unless_its_accusers_go(
        (members, alerts) in any_alerts(),
    ) {
        let roster = Roster::sample(members);
        let verdict = judged(&roster, &alerts);
        let gone = removed(&verdict);
        for (subject, by) in &alerts {
            if verifies(&roster, *subject, by) && !gone.contains(subject) {
                let doubted = verdict.in_doubt.iter().any(|(place, _)| place == subject);
                let accusers_go = roster
                    .observers(*subject)
                    .any(|observer| by.contains_key(&observer) && gone.contains(&observer));
                prop_assert!(doubted || accusers_go, "{} in {:?}", subject, verdict);
            }
        }
    }

    // Clauses: CUT-3
    #[test]
    fn a_member_accused_by_at_most_half_of_its_living_observers_stays(
        (members, dead, chance) in some_dead(),
    ) {
        let roster = Roster::sample(members);
        let living = |place: usize| !dead.contains(&place);
        let mut alerts = all_accuse(&roster, dead.iter().copied(), living);
        for subject in (0..members).filter(|place| living(*place)) {
            let observers: Vec<usize> = roster.observers(subject).filter(|o| living(*o)).collect();
            let flaky = observers
                .iter()
                .filter(|observer| chance[subject * members + **observer] < 128)
                .take(observers.len() / 2);
            alerts.insert(subject, flaky.map(|o| (*o, Silence)).collect());
        }

        let verdict = judged(&roster, &alerts);

        prop_assert!(removed(&verdict).iter().all(|place| !living(*place)));
        if members <= 9 && dead.len() * 2 < members {
            // Everybody observes everybody, and the living are the more.
            prop_assert_eq!(removed(&verdict), dead.into_iter().collect::<Vec<_>>());
        }
        assert_rightly(&roster, &alerts, &verdict);
    }
}
