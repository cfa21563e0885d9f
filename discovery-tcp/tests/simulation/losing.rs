//! Losing the majority: what changes, what does not, and how it comes back (STAND, RECOVER, MEET).

use std::cell::Cell;
use std::rc::Rc;

use discovery_core::ProofRule;
use discovery_tcp::message::{Decision, Message, RecoverVerdict};
use discovery_tcp::ring::{Bug, Notice, Ring};
use discovery_tcp::sim::{Cluster, Fate};
use discovery_tcp::{Merge, Recovery};

use crate::stage::{
    MS, SECOND, is_between, lose, members, members_of, sound, told_since, versions_since, wait,
    wait_for, world,
};

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

// Clauses: RECOVER-1, RECOVER-3
#[test]
fn two_members_survive_a_restart_in_place() {
    // R2.
    let mut cluster = members(None, 2);
    let cluster_id = cluster
        .topology_of("p-0")
        .map(discovery_core::Topology::cluster_id);
    cluster.crash("p-1");
    cluster.run_for(SECOND);
    cluster.start_container("p-1");

    wait_for(&mut cluster, &["p-0", "p-1"]);

    assert_eq!(
        cluster
            .topology_of("p-1")
            .map(discovery_core::Topology::cluster_id),
        cluster_id
    );
}

// Clauses: TAKE-2, STAND-2
#[test]
fn a_majority_that_meets_again_need_not_finish_a_recovery() {
    // Each began a recovery while it was alone, and none can finish it: p-3 is neither seen nor
    // proven dead. Three of four are a majority all the same.
    let mut cluster = members(None, 4);
    cluster.partition(&[&["p-0"], &["p-1"], &["p-2"], &["p-3"]]);
    cluster.run_for(20 * SECOND);
    cluster.open_all_ways();
    cluster.isolate("p-3");

    let goes_on = cluster.run_until(SECOND, |it| it.are_one_cluster(&["p-0", "p-1", "p-2"]));

    sound(&cluster);
    assert!(goes_on, "{}", cluster.standings().join("\n"));
}

// Clauses: RECOVER-3, RECOVER-4
#[test]
fn a_pod_object_that_is_gone_proves_a_death() {
    // R3.
    let mut cluster = members(None, 2);
    cluster.unwant("p-1");
    cluster.force_delete("p-1");
    wait_for(&mut cluster, &["p-0"]);
}

// Clauses: STAND-1, STAND-2
#[test]
fn a_lost_quorum_changes_the_status_and_nothing_else() {
    // R4: all ways are cut for a minute.
    let pods = ["p-0", "p-1", "p-2", "p-3", "p-4"];
    let mut cluster = members(None, 5);
    let before = (
        cluster.agreed().map(discovery_core::Topology::id),
        cluster.now(),
    );
    let ids: Vec<_> = pods.iter().map(|pod| cluster.node_of(pod)).collect();
    cluster.partition(&[&["p-0"], &["p-1"], &["p-2"], &["p-3"], &["p-4"]]);
    cluster.run_for(60 * SECOND);
    for pod in pods {
        assert!(
            cluster.standing_of(pod).starts_with("without quorum"),
            "{pod}"
        );
        assert_eq!(versions_since(&cluster, pod, before.1), 0);
    }

    cluster.open_all_ways();
    wait(&mut cluster, "one cluster", |it| it.agreed().is_some());

    let cluster_id = cluster.agreed().map(discovery_core::Topology::cluster_id);
    assert_eq!(cluster_id, before.0.map(|it| it.cluster_id));
    let kept = pods
        .iter()
        .zip(ids)
        .filter(|(pod, id)| cluster.node_of(pod) == *id);
    assert!(kept.count() >= 3, "most keep their node id");
}

// Clauses: DECIDE-5, RECOVER-6
#[test]
fn a_minority_never_decides_however_long_it_waits() {
    // R6.
    let mut cluster = members(None, 5);
    cluster.partition(&[&["p-0", "p-1"], &["p-2", "p-3", "p-4"]]);
    let since = cluster.now();
    cluster.run_for(120 * SECOND);

    sound(&cluster);
    assert_eq!(versions_since(&cluster, "p-0", since), 0);
    assert!(cluster.are_one_cluster(&["p-2", "p-3", "p-4"]));
}

/// The only survivor recovers, restarts after it, and the next one recovers too. R7, A5.
pub(crate) fn recoveries_one_after_the_other(bug: Option<Bug>) -> Cluster {
    let mut own = world(bug);
    own.climate.write_interval = 5 * SECOND;
    let mut cluster = members_of(own, 2);
    for round in 0..6 {
        let (dies, stays) = if round % 2 == 0 {
            ("p-1", "p-0")
        } else {
            ("p-0", "p-1")
        };
        cluster.crash(dies);
        cluster.start_container(dies);
        cluster.run_until(30 * SECOND, |it| it.agreed().is_some());
        let _ = stays;
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

// Clauses: MEET-3, MEET-4, RECOVER-8
#[test]
fn a_quorum_is_never_dissolved_by_meeting_another_cluster() {
    // R8: an operator forces a minority into a cluster of its own.
    let mut cluster = members(None, 5);
    let cluster_id = cluster
        .topology_of("p-2")
        .map(discovery_core::Topology::cluster_id);
    cluster.partition(&[&["p-0"], &["p-1", "p-2", "p-3", "p-4"]]);
    wait(&mut cluster, "four go on", |it| {
        it.are_one_cluster(&["p-1", "p-2", "p-3", "p-4"])
    });
    let is_without = |it: &Cluster| it.standing_of("p-0").starts_with("without quorum");
    wait(&mut cluster, "p-0 knows that it is cut off", is_without);
    let since = cluster.now();
    cluster.force_recovery("p-0");
    wait(&mut cluster, "one stands alone", |it| {
        it.are_one_cluster(&["p-0"])
    });

    cluster.open_all_ways();
    cluster.run_for(60 * SECOND);

    sound(&cluster);
    assert!(cluster.are_one_cluster(&["p-1", "p-2", "p-3", "p-4"]));
    assert_eq!(
        cluster
            .topology_of("p-2")
            .map(discovery_core::Topology::cluster_id),
        cluster_id
    );
    let met = told_since(&cluster, "p-1", since);
    assert!(
        met.iter()
            .any(|notice| matches!(notice, Notice::MetOtherCluster { .. }))
    );
}

/// An operator splits p-0 and p-1 off, which meet the others and then lose each other: p-0 can never
/// recover, as somebody listed is of another cluster.
fn one_of_two_that_were_split_off(merge: Merge) -> Cluster {
    let mut own = world(None);
    own.config.merge = merge;
    let mut cluster = members_of(own, 5);
    cluster.partition(&[&["p-0", "p-1"], &["p-2", "p-3", "p-4"]]);
    cluster.run_for(10 * SECOND);
    cluster.force_recovery("p-0");
    wait(&mut cluster, "two stand alone", |it| {
        it.are_one_cluster(&["p-0", "p-1"]) && it.are_one_cluster(&["p-2", "p-3", "p-4"])
    });
    cluster.open_all_ways();
    cluster.run_for(30 * SECOND);
    assert!(cluster.are_one_cluster(&["p-0", "p-1"]), "a quorum stays");
    cluster.unwant("p-1");
    cluster.force_delete("p-1");
    cluster.run_for(60 * SECOND);
    sound(&cluster);
    cluster
}

// Clauses: MEET-3, MEET-4
#[test]
fn who_cannot_recover_for_another_cluster_joins_it_if_told_to() {
    let cluster = one_of_two_that_were_split_off(Merge::Auto);
    let names = cluster.members_at("p-2");
    assert_eq!(names, ["p-2", "p-3", "p-4", "p-0"]);
    assert_eq!(cluster.members_at("p-0"), names);

    let cluster = one_of_two_that_were_split_off(Merge::Never);
    assert!(cluster.standing_of("p-0").starts_with("without quorum"));
    assert_eq!(cluster.members_at("p-2").len(), 3);
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

/// A change is accepted by C alone; the others decide another there and die; C recovers. C5.
pub(crate) fn a_leftover_survives_its_deciders(bug: Option<Bug>) -> Cluster {
    let mut cluster = members(bug, 5);
    // p-0's next change reaches p-2 alone.
    lose(&mut cluster, |passing, message| {
        let is_change = match message {
            Message::Propose(it) => it
                .entries
                .iter()
                .any(|entry| matches!(&**entry, Decision::Change(_))),
            _ => false,
        };
        is_change && passing.from.label().starts_with("p-0.") && !is_between(passing, "p-0", "p-2")
    });
    cluster.start("p-5");
    cluster.run_for(300 * MS);
    cluster.crash("p-0");
    cluster.isolate("p-2");
    cluster.intercept_nothing();
    cluster.run_for(15 * SECOND);
    for gone in ["p-0", "p-1", "p-3", "p-4", "p-5"] {
        cluster.unwant(gone);
        cluster.force_delete(gone);
    }
    cluster.open_all_ways();
    cluster.run_for(30 * SECOND);
    cluster
}

// Clauses: RECOVER-6
#[test]
fn a_recovery_decides_nothing_in_the_old_epoch() {
    // C5.
    let cluster = a_leftover_survives_its_deciders(None);
    sound(&cluster);
    assert!(
        cluster.are_one_cluster(&["p-2"]),
        "{:?}",
        cluster.standings()
    );
}

/// All members but one fall silent, alive. RECOVER-3.
pub(crate) fn the_silent_are_not_dead(bug: Option<Bug>) -> Cluster {
    let mut cluster = members(bug, 4);
    cluster.partition(&[&["p-0"], &["p-1", "p-2", "p-3"]]);
    cluster.run_for(60 * SECOND);
    cluster
}

// Clauses: RECOVER-3
#[test]
fn silence_proves_no_death() {
    let cluster = the_silent_are_not_dead(None);
    sound(&cluster);
    assert!(cluster.are_one_cluster(&["p-1", "p-2", "p-3"]));
    assert!(cluster.standing_of("p-0").starts_with("without quorum"));
}

/// Another pod answers at the address of a living member that cannot be reached. R5.
pub(crate) fn another_pod_at_the_address(bug: Option<Bug>) -> Cluster {
    let mut own = world(bug);
    own.climate.reuses_addresses = true;
    let mut cluster = members_of(own, 2);
    cluster.isolate("p-1");
    cluster.run_for(3 * SECOND);
    cluster.give_address_of("p-1", "x");
    cluster.run_for(12 * SECOND);
    cluster
}

// Clauses: RECOVER-3
#[test]
fn another_pod_at_the_address_of_a_member_is_not_its_successor() {
    // R5.
    let cluster = another_pod_at_the_address(None);
    sound(&cluster);
    assert!(cluster.standing_of("p-0").starts_with("without quorum"));
}

// Clauses: RECOVER-1, RECOVER-3
#[test]
fn without_proof_nothing_is_recovered() {
    // `proof = off`.
    let mut own = world(None);
    own.config.proof = ProofRule::Off;
    let mut cluster = members_of(own, 2);
    cluster.unwant("p-1");
    cluster.force_delete("p-1");
    cluster.run_for(120 * SECOND);
    sound(&cluster);
    assert!(cluster.standing_of("p-0").starts_with("without quorum"));
}

// Clauses: MEET-1, MEET-3
#[test]
fn two_clusters_of_one_name_report_each_other() {
    // P4.
    let mut cluster = members(None, 2);
    cluster.partition(&[&["p-0"], &["p-1"]]);
    cluster.run_for(5 * SECOND);
    cluster.force_recovery("p-0");
    cluster.force_recovery("p-1");
    wait(&mut cluster, "two clusters", |it| it.clusters() == 2);
    let since = cluster.now();
    cluster.open_all_ways();

    wait(&mut cluster, "they report each other", |it| {
        ["p-0", "p-1"].iter().all(|pod| {
            let told = told_since(it, pod, since);
            told.iter()
                .any(|notice| matches!(notice, Notice::MetOtherCluster { .. }))
        })
    });
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

/// p-1 lives, cannot be reached, and is not listed any more: somebody edited its labels.
pub(crate) fn a_silent_member_is_listed_no_more(bug: Option<Bug>) -> Cluster {
    let mut cluster = members(bug, 2);
    cluster.isolate("p-1");
    if let Some(pod) = cluster.pod_of("p-1") {
        cluster.drop_entry(pod);
    }
    cluster.run_for(30 * SECOND);
    cluster
}

// Clauses: RECOVER-3
#[test]
fn who_is_listed_no_more_is_not_dead() {
    let cluster = a_silent_member_is_listed_no_more(None);
    sound(&cluster);
    assert!(cluster.standing_of("p-0").starts_with("without quorum"));
}

/// The same, and another pod has its address.
pub(crate) fn another_pod_answers_for_one_listed_no_more(bug: Option<Bug>) -> Cluster {
    let mut own = world(bug);
    own.climate.reuses_addresses = true;
    let mut cluster = members_of(own, 2);
    cluster.isolate("p-1");
    let gone = cluster.pod_of("p-1");
    cluster.run_for(3 * SECOND);
    cluster.give_address_of("p-1", "x");
    if let Some(pod) = gone {
        cluster.drop_entry(pod);
    }
    cluster.run_for(20 * SECOND);
    cluster
}

// Clauses: RECOVER-3
#[test]
fn another_pod_at_the_address_of_one_listed_no_more_proves_nothing() {
    let cluster = another_pod_answers_for_one_listed_no_more(None);
    sound(&cluster);
    assert!(cluster.standing_of("p-0").starts_with("without quorum"));
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

// Clauses: PUB-6
#[test]
fn what_was_sent_and_not_delivered_is_of_unknown_outcome_when_an_epoch_opens() {
    let mut cluster = members(None, 3);
    lose(&mut cluster, |_, message| {
        matches!(message, Message::Publish(_))
    });
    cluster.publish("p-1", b"nobody hears it");
    cluster.run_for(10 * MS);
    for gone in ["p-0", "p-2"] {
        cluster.unwant(gone);
        cluster.force_delete(gone);
    }
    wait_for(&mut cluster, &["p-1"]);

    let told = told_since(&cluster, "p-1", discovery_tcp::Moment::START);
    let answers = told
        .iter()
        .filter(|notice| matches!(notice, Notice::Published { result: Err(_), .. }));
    assert_eq!(answers.count(), 1);
}

/// Two of four have accepted a message of p-0 when it and another are gone for good. RECOVER-6.
pub(crate) fn a_recovery_finds_a_message(bug: Option<Bug>) -> Cluster {
    let mut cluster = members(bug, 4);
    lose(&mut cluster, |_, message| {
        matches!(message, Message::Accepted(_))
    });
    cluster.publish("p-0", b"accepted and not decided");
    cluster.run_for(10 * MS);
    for gone in ["p-0", "p-3"] {
        cluster.unwant(gone);
        cluster.force_delete(gone);
    }
    cluster.intercept_nothing();
    cluster.run_for(30 * SECOND);
    cluster
}

// Clauses: RECOVER-6
#[test]
fn what_the_promisers_accepted_is_proposed_again_in_the_new_epoch() {
    let cluster = a_recovery_finds_a_message(None);
    sound(&cluster);
    for pod in ["p-1", "p-2"] {
        let told = told_since(&cluster, pod, discovery_tcp::Moment::START);
        let messages = told
            .iter()
            .filter(|notice| matches!(notice, Notice::Message(_)));
        assert_eq!(messages.count(), 1, "{pod}");
    }
}

/// How far the story of [`a_word_of_the_dead_reaches_a_promiser`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    /// p-0 hears nobody accept, so that its tick comes to a stop.
    Deaf,
    /// p-1 hears nothing of those that are going to die.
    Alone,
    /// p-0 decides, and tells p-2 alone.
    Said,
    /// p-2 has accepted the recovery, and does not hear that it is decided.
    Recovered,
}

/// p-0 tells p-2 what it decided, and its machine is lost; p-2 accepts a recovery, and then the
/// word arrives. A3.
pub(crate) fn a_word_of_the_dead_reaches_a_promiser(bug: Option<Bug>) -> Cluster {
    let mut own = world(bug);
    own.config.recovery_after = 100 * MS;
    let mut cluster = members_of(own, 5);
    let tick = Rc::new(Cell::new((0, cluster.now())));
    let word = Rc::new(Cell::new(Word::Deaf));
    let (newest, now) = (Rc::clone(&tick), Rc::clone(&word));
    cluster.intercept(move |passing| {
        let (from, to) = (passing.from.label(), passing.to.label());
        let is_old = ["p-0.", "p-3.", "p-4."]
            .iter()
            .any(|pod| from.starts_with(pod));
        let is_said = is_between(passing, "p-0", "p-2");
        if is_old && to.starts_with("p-1.") && now.get() >= Word::Alone {
            return Fate::Lose;
        }
        let is_lost = match passing.message {
            Message::Accepted(_) => to.starts_with("p-0.") && now.get() < Word::Said,
            Message::Decided(_) if is_said => return Fate::Late(1500 * MS),
            Message::Decided(_) => is_old,
            Message::Heartbeat(_) => is_old && now.get() >= Word::Said,
            Message::Propose(it) if it.recovery && is_between(passing, "p-1", "p-2") => {
                now.replace(Word::Recovered) == Word::Recovered
            }
            Message::Propose(it) if from.starts_with("p-0.") => {
                if it.tick > newest.get().0 {
                    newest.set((it.tick, passing.now));
                }
                is_said && !it.entries.is_empty()
            }
            _ => now.get() == Word::Recovered && is_between(passing, "p-1", "p-2"),
        };
        if is_lost { Fate::Lose } else { Fate::Pass }
    });
    // Just before everybody loses p-0, whose tick no longer counts up, it decides.
    for (after, next) in [(800 * MS, Word::Alone), (1800 * MS, Word::Said)] {
        let newest = Rc::clone(&tick);
        cluster.run_until(10 * SECOND, |it| it.now().since(newest.get().1) >= after);
        word.set(next);
    }
    cluster.publish("p-0", b"decided, and said");
    cluster.run_for(20 * MS);
    for gone in ["p-0", "p-3", "p-4"] {
        cluster.unwant(gone);
        cluster.lose_machine(gone);
        cluster.force_delete(gone);
    }
    cluster.run_for(2 * SECOND);
    cluster.intercept_nothing();
    cluster.run_for(20 * SECOND);
    cluster
}

// Clauses: ANSWER-3, ANSWER-4
#[test]
fn words_said_before_the_answer_are_not_taken() {
    // A3, C28.
    let cluster = a_word_of_the_dead_reaches_a_promiser(None);
    sound(&cluster);
    assert!(
        cluster.are_one_cluster(&["p-1", "p-2"]),
        "{:?}",
        cluster.standings()
    );
}

// Clauses: JOIN-1
#[test]
fn a_newcomer_that_is_sent_to_a_dead_coordinator_does_not_ask_without_a_pause() {
    // C51: for as long as p-0 does not know that the others died, it sends them to one of them.
    let mut own = world(None);
    own.config.recovery = Recovery::Manual;
    let mut cluster = members_of(own, 3);
    lose(&mut cluster, |passing, message| {
        passing.from.label() == "p-0.1" && matches!(message, Message::Propose(_))
    });
    cluster.run_until(20 * SECOND, |it| {
        it.ring_of("p-1").and_then(Ring::coordinates).is_some()
    });
    let asks = Rc::new(Cell::new(0));
    let seen = Rc::clone(&asks);
    cluster.intercept(move |passing| {
        if matches!(passing.message, Message::Join(_)) {
            seen.set(seen.get() + 1);
        }
        Fate::Pass
    });
    cluster.run_for(3 * SECOND);
    for pod in ["p-1", "p-2"] {
        cluster.hold(pod, "p-0");
        cluster.crash(pod);
        cluster.start_container(pod);
    }
    cluster.run_for(500 * MS);
    sound(&cluster);
    let asks = asks.get();
    assert!((1..=20).contains(&asks), "{asks}");
}
