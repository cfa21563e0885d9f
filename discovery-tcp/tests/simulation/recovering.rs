//! Recovering: who asks whom, who has to promise, and the epoch that it opens (RECOVER).

use std::cell::Cell;
use std::rc::Rc;

use discovery_tcp::message::{Message, RecoverVerdict};
use discovery_tcp::ring::{Bug, Ring};
use discovery_tcp::sim::{Cluster, Fate};

use crate::stage::{MS, SECOND, leads, lose, members, members_of, sound, wait, world};

/// C stays at {A, B, C} while A and B go on to {A, B, D}; then A and B are gone for good. R1.
pub(crate) fn two_survivors_of_two_topologies(bug: Option<Bug>) -> Cluster {
    let mut cluster = members(bug, 3);
    cluster.isolate("p-2");
    cluster.run_until(20 * SECOND, |it| it.are_one_cluster(&["p-0", "p-1"]));
    cluster.start("p-3");
    cluster.partition(&[&["p-2"], &["p-3"]]);
    cluster.run_until(20 * SECOND, |it| it.are_one_cluster(&["p-0", "p-1", "p-3"]));
    for gone in ["p-0", "p-1"] {
        cluster.unwant(gone);
        cluster.force_delete(gone);
    }
    // Each survivor is alone for a while, so that either could think itself the most advanced.
    cluster.run_for(10 * SECOND);
    cluster.open_all_ways();
    cluster.run_for(30 * SECOND);
    cluster
}

// Clauses: RECOVER-1, RECOVER-2, RECOVER-4
#[test]
fn a_survivor_of_an_older_topology_gives_way_to_a_newer_one() {
    // R1.
    let mut cluster = two_survivors_of_two_topologies(None);
    sound(&cluster);
    wait(&mut cluster, "one cluster of both", |it| {
        it.agreed().is_some()
    });
}

// Clauses: RECOVER-2
#[test]
fn who_hears_the_tick_answers_quorum_here() {
    // B3: p-4 hears p-3 alone for longer than a silence limit, and everybody again before it asks.
    let mut own = world(None);
    own.config.recovery_after = MS;
    let mut cluster = members_of(own, 5);
    let (here, promised) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let seen = (Rc::clone(&here), Rc::clone(&promised));
    cluster.intercept(move |passing| {
        if let Message::RecoverAnswer(answer) = passing.message {
            match answer.verdict {
                RecoverVerdict::QuorumHere { .. } => seen.0.set(seen.0.get() + 1),
                RecoverVerdict::Promised { .. } => seen.1.set(seen.1.get() + 1),
                _ => {}
            }
        }
        Fate::Pass
    });
    for other in ["p-0", "p-1", "p-2"] {
        cluster.cut(other, "p-4");
    }
    let is_without = |it: &Cluster| it.standing_of("p-4").starts_with("without quorum");
    assert!(cluster.run_until(3 * SECOND, is_without));
    cluster.open_all_ways();
    cluster.run_for(10 * SECOND);

    sound(&cluster);
    assert!(here.get() > 0, "p-4 asked nobody who heard the tick");
    assert_eq!(promised.get(), 0);
    assert!(cluster.are_one_cluster(&["p-0", "p-1", "p-2", "p-3", "p-4"]));
    let leads = cluster.ring_of("p-0").and_then(Ring::coordinates);
    // Once for p-4, which has promised its own.
    assert!(leads.is_some_and(|term| term.counter <= 3), "{leads:?}");
}

/// The only survivor recovers, restarts after it, and the next one recovers too. R7, A5.
pub(crate) fn recoveries_one_after_the_other(bug: Option<Bug>) -> Cluster {
    let mut own = world(bug);
    own.climate.write_interval = 5 * SECOND;
    let mut cluster = members_of(own, 2);
    for round in 0..6 {
        let dies = if round % 2 == 0 { "p-1" } else { "p-0" };
        cluster.crash(dies);
        cluster.start_container(dies);
        cluster.run_until(30 * SECOND, |it| it.agreed().is_some());
    }
    cluster
}

// Clauses: RECOVER-5, RECOVER-8
#[test]
fn two_recoveries_open_different_epochs() {
    // R7.
    let mut cluster = members(None, 2);
    let mut epochs = vec![
        cluster
            .topology_of("p-0")
            .map(discovery_core::Topology::epoch),
    ];
    for _ in 0..3 {
        cluster.crash("p-1");
        cluster.start_container("p-1");
        wait(&mut cluster, "one cluster", |it| it.agreed().is_some());
        epochs.push(
            cluster
                .topology_of("p-0")
                .map(discovery_core::Topology::epoch),
        );
    }
    assert!(epochs.is_sorted_by(|a, b| a < b), "{epochs:?}");
    sound(&recoveries_one_after_the_other(None));
}

/// One of two accepts the other's recovery and is not told that it is decided; the other dies. A5.
pub(crate) fn a_recovery_is_repeated_by_its_promiser(bug: Option<Bug>) -> Cluster {
    let mut cluster = members(bug, 4);
    let mut recoverer = None;
    cluster.intercept(move |passing| {
        let from = passing.from.label();
        if recoverer.as_deref() == Some(from) {
            return Fate::Lose;
        }
        if matches!(passing.message, Message::Propose(it) if it.recovery) {
            recoverer = Some(from.to_owned());
        }
        Fate::Pass
    });
    for gone in ["p-2", "p-3"] {
        cluster.unwant(gone);
        cluster.force_delete(gone);
    }
    let has_recovered = |it: &Cluster, pod: &str| it.members_at(pod).len() == 2;
    let is_either = |it: &Cluster| has_recovered(it, "p-0") || has_recovered(it, "p-1");
    cluster.run_until(30 * SECOND, is_either);
    let recovered = if has_recovered(&cluster, "p-0") {
        "p-0"
    } else {
        "p-1"
    };
    cluster.unwant(recovered);
    cluster.force_delete(recovered);
    cluster.intercept_nothing();
    cluster.run_for(30 * SECOND);
    cluster
}

// Clauses: RECOVER-5, RECOVER-7
#[test]
fn a_promiser_recovers_anew_under_an_epoch_of_its_own() {
    let cluster = a_recovery_is_repeated_by_its_promiser(None);
    sound(&cluster);
    assert_eq!(cluster.clusters(), 1);
    assert!(cluster.agreed().is_some(), "{:?}", cluster.standings());
}

/// Four of eight are dead, and one of the four promisers does not hear the recovery's change.
pub(crate) fn a_promiser_does_not_hear_the_recovery(bug: Option<Bug>) -> Cluster {
    let mut cluster = members(bug, 8);
    lose(&mut cluster, |passing, message| {
        let is_recovery = matches!(message, Message::Propose(it) if it.recovery);
        let (from, to) = (passing.from.label(), passing.to.label());
        let deaf = if from.starts_with("p-2.") {
            "p-1."
        } else {
            "p-2."
        };
        is_recovery && to.starts_with(deaf)
    });
    for gone in ["p-4", "p-5", "p-6", "p-7"] {
        cluster.unwant(gone);
        cluster.force_delete(gone);
    }
    cluster.run_for(15 * SECOND);
    cluster.intercept_nothing();
    cluster.run_for(30 * SECOND);
    cluster
}

// Clauses: RECOVER-6
#[test]
fn a_recovery_waits_for_every_promiser() {
    let cluster = a_promiser_does_not_hear_the_recovery(None);
    sound(&cluster);
    assert!(
        cluster.are_one_cluster(&["p-0", "p-1", "p-2", "p-3"]),
        "{:?}",
        cluster.standings()
    );
}

// Clauses: RECOVER-9
#[test]
fn without_a_quorum_asked_for_both_sides_of_a_cut_go_on() {
    let mut own = world(None);
    own.config.quorum = discovery_tcp::Quorum::None;
    let mut cluster = members_of(own, 2);
    cluster.partition(&[&["p-0"], &["p-1"]]);
    wait(&mut cluster, "each goes on", |it| {
        it.are_one_cluster(&["p-0"]) && it.are_one_cluster(&["p-1"])
    });
    assert_eq!(cluster.clusters(), 2);
}

// Clauses: RECOVER-1, TAKE-2
#[test]
fn a_recovery_that_comes_due_does_not_take_back_an_election() {
    // C65: two of three are a majority again, links take long, and the recovery of the new
    // coordinator comes due at any moment before it hears what they accepted.
    for after in (140..=300).step_by(20) {
        let mut own = world(None);
        own.config.recovery_after = after * MS;
        let mut cluster = members_of(own, 3);
        cluster.unwant("p-0");
        cluster.lose_machine("p-0");
        lose(&mut cluster, |_, message| {
            matches!(message, Message::PromiseAsk(_))
        });
        wait(&mut cluster, "p-1 has no quorum", |it| {
            it.standing_of("p-1").starts_with("without quorum")
        });
        cluster.intercept_nothing();
        cluster.detour("p-1", "p-2", 100 * MS);
        cluster.detour("p-2", "p-1", 100 * MS);
        wait(&mut cluster, "p-2 is elected", |it| leads(it, "p-2"));
        let is_majority = |it: &Cluster| it.are_one_cluster(&["p-1", "p-2"]);
        wait(&mut cluster, "either way", |it| {
            is_majority(it) || !leads(it, "p-2")
        });
        assert!(is_majority(&cluster), "recovery due after {after} ms");
    }
}
