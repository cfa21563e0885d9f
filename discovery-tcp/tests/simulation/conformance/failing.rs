//! Leaving, failing, losing the quorum, as the predecessor's tests pin it down.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Mutex;

use discovery_core::{AccusationKind, Evidence};
use discovery_tcp::message::{Decision, Message};
use discovery_tcp::ring::{Notice, Suspicion};
use discovery_tcp::sim::Cluster;

use super::together;
use crate::stage::{
    MS, SECOND, failed_since, lose, members, pod, sound, told_since, wait, wait_for, world,
};

// Clauses: LEAVE-1, LEAVE-3
#[test]
fn a_leave_is_told_within_a_second_and_others_may_join_after_it() {
    for leaver in ["p-2", "p-0"] {
        let mut cluster = members(None, 3);
        let stays = if leaver == "p-0" { "p-1" } else { "p-0" };
        let since = cluster.now();
        cluster.leave(leaver);
        let is_told = cluster.run_until(SECOND, |it| it.members_at(stays).len() == 2);
        sound(&cluster);
        assert!(is_told, "{leaver}");
        assert_eq!(failed_since(&cluster, stays, since), Vec::<String>::new());
        cluster.unwant(leaver);
        cluster.delete(leaver);
        cluster.start("q");
        together(&mut cluster);
    }
}

// Clauses: CUT-7, TAKE-3
#[test]
fn a_failure_is_told_within_a_tenth_of_a_second() {
    for dead in ["p-4", "p-0"] {
        let mut cluster = members(None, 5);
        let stays = if dead == "p-0" { "p-1" } else { "p-0" };
        cluster.crash(dead);
        let is_told = cluster.run_until(100 * MS, |it| it.members_at(stays).len() == 4);
        sound(&cluster);
        assert!(is_told, "{dead}");
    }
}

/// What inner nodes of the tree take before they die.
#[derive(Clone, Copy, Debug)]
enum Taken {
    Message,
    Join,
    Leave,
}

/// Whether this carries what the inner nodes are to take.
fn carries(message: &Message, what: Taken) -> bool {
    let is_it = |entry: &Decision| match (entry, what) {
        (Decision::Message(_), Taken::Message) => true,
        (Decision::Change(change), Taken::Join) => !change.joins.is_empty(),
        (Decision::Change(change), Taken::Leave) => !change.leaves.is_empty(),
        _ => false,
    };
    matches!(message, Message::Propose(it) if it.entries.iter().any(|entry| is_it(entry)))
}

// Clauses: SPREAD-5, SPREAD-6
#[test]
fn a_node_that_dies_before_it_passes_on_loses_nothing() {
    // Inner nodes of the tree take a change and die before any child has it.
    for what in [Taken::Message, Taken::Join, Taken::Leave] {
        let mut own = world(None);
        own.config.fan_out = 2;
        own.config.settle = 10 * MS;
        let mut cluster = crate::stage::members_of(own, 12);
        let since = cluster.now();
        let taken: Rc<Mutex<BTreeSet<String>>> = Rc::default();
        let seen = Rc::clone(&taken);
        lose(&mut cluster, move |passing, message| {
            let is = |label: &str| label == "p-1.1" || label == "p-2.1";
            if is(passing.to.label()) && carries(message, what) {
                let relays = matches!(message, Message::Propose(it) if it.relay);
                assert!(relays, "{what:?} goes down no tree");
                let to = passing.to.label().to_owned();
                seen.lock().expect("one thread").insert(to);
            }
            is(passing.from.label()) && matches!(message, Message::Propose(_))
        });
        match what {
            Taken::Message => drop(cluster.publish("p-0", b"passed on")),
            Taken::Join => drop(cluster.start("q")),
            Taken::Leave => cluster.leave("p-11"),
        }
        let are_reached = |_: &Cluster| taken.lock().expect("one thread").len() == 2;
        assert!(cluster.run_until(SECOND, are_reached), "{what:?}");
        cluster.run_for(3 * MS);
        for dead in ["p-1", "p-2"] {
            cluster.unwant(dead);
            cluster.lose_machine(dead);
        }
        cluster.intercept_nothing();
        // Before anybody accuses the dead, whom every way goes through.
        cluster.run_for(SECOND);
        let times = |it: &Cluster, number| -> usize {
            let told = told_since(it, &pod(number), since);
            told.iter().map(|notice| times_told(notice, what)).sum()
        };
        for number in 3..11 {
            assert_eq!(times(&cluster, number), 1, "{what:?} at p-{number}");
        }
        wait(&mut cluster, "the dead are gone", |it| {
            let members = it.members_at("p-3");
            !members.contains(&pod(1)) && !members.contains(&pod(2))
        });
        cluster.run_for(SECOND);
        sound(&cluster);
        for number in 3..11 {
            assert_eq!(times(&cluster, number), 1, "{what:?} at p-{number}");
        }
    }
}

fn times_told(notice: &Notice, what: Taken) -> usize {
    match (notice, what) {
        (Notice::Message(_), Taken::Message) => 1,
        (Notice::Changed(event), Taken::Join) => event.joined.len(),
        (Notice::Changed(event), Taken::Leave) => event.left.len(),
        _ => 0,
    }
}

/// Whether the ring in a pod accuses the one in another.
fn accuses(cluster: &Cluster, observer: &str, subject: &str) -> bool {
    let (by, of) = (cluster.node_of(observer), cluster.node_of(subject));
    let suspicions = cluster
        .ring_of(observer)
        .map(|ring| ring.status().suspicions);
    let is_it = |it: &Suspicion| Some(it.observer) == by && Some(it.subject) == of;
    suspicions.is_some_and(|held| held.iter().any(is_it))
}

// Clauses: CUT-3
#[test]
fn one_that_suspects_wrongly_during_a_join_removes_nobody() {
    // p-1 loses its links to a neighbour, to the coordinator, and to both, while others join.
    for lost in [&["p-2"][..], &["p-0"], &["p-0", "p-2"]] {
        let mut cluster = members(None, 5);
        let since = cluster.now();
        for other in lost {
            cluster.partition(&[&["p-1"], &[other]]);
        }
        cluster.run_for(SECOND);
        cluster.start("q");
        let suspects = |it: &Cluster| lost.iter().all(|other| accuses(it, "p-1", other));
        wait(&mut cluster, "p-1 suspects them", suspects);
        cluster.run_for(20 * SECOND);
        sound(&cluster);
        assert!(
            cluster.members_at("p-3").contains(&"q".to_owned()),
            "{lost:?}"
        );
        for witness in ["p-0", "p-2", "p-3", "p-4"] {
            let failed = failed_since(&cluster, witness, since);
            assert_eq!(failed, Vec::<String>::new(), "{lost:?} at {witness}");
        }
        cluster.open_all_ways();
        together(&mut cluster);
    }
}

// Clauses: RECOVER-3, STAND-2
#[test]
fn a_suspect_of_two_alone_is_not_removed_by_the_other() {
    let mut cluster = members(None, 2);
    let since = cluster.now();
    cluster.partition(&[&["p-0"], &["p-1"]]);
    cluster.run_for(30 * SECOND);
    sound(&cluster);
    for pod in ["p-0", "p-1"] {
        assert_eq!(
            failed_since(&cluster, pod, since),
            Vec::<String>::new(),
            "{pod}"
        );
    }
    cluster.open_all_ways();
    together(&mut cluster);
}

// Clauses: CUT-5
#[test]
fn a_suspicion_whose_author_dies_before_telling_is_made_again() {
    let mut cluster = members(None, 6);
    let (by, of) = (cluster.node_of("p-0"), cluster.node_of("p-4"));
    cluster.lose_machine("p-4");
    lose(&mut cluster, |passing, message| {
        passing.from.label().starts_with("p-0.") && matches!(message, Message::Propose(_))
    });
    wait(&mut cluster, "p-0 accuses p-4", |it| {
        let suspicions = it.ring_of("p-0").map(|ring| ring.status().suspicions);
        let is_it = |it: &Suspicion| Some(it.observer) == by && Some(it.subject) == of;
        suspicions.is_some_and(|held| held.iter().any(is_it))
    });
    assert_eq!(cluster.members_at("p-1").len(), 6, "nobody is removed yet");
    cluster.crash("p-0");
    cluster.intercept_nothing();
    wait_for(&mut cluster, &["p-1", "p-2", "p-3", "p-5"]);
}

// Clauses: SPREAD-1, SPREAD-2
#[test]
fn one_failure_costs_each_member_few_messages() {
    let mut cluster = members(None, 10);
    let counts: Rc<Mutex<BTreeMap<(String, &str), usize>>> = Rc::default();
    let counted = Rc::clone(&counts);
    cluster.intercept(move |passing| {
        let is_removal = |entry: &Decision| match entry {
            Decision::Change(change) => !change.failures.is_empty(),
            _ => false,
        };
        let kind = match passing.message {
            Message::Propose(it) if it.entries.iter().any(|entry| is_removal(entry)) => "proposal",
            Message::Decided(it) if it.entries.iter().any(|one| is_removal(&one.decision)) => {
                "decision"
            }
            Message::Alert(_) => "alert",
            _ => return discovery_tcp::sim::Fate::Pass,
        };
        let mut counts = counted.lock().expect("one thread");
        let to = passing.to.label().to_owned();
        *counts.entry((to, kind)).or_default() += 1;
        discovery_tcp::sim::Fate::Pass
    });
    cluster.crash("p-9");
    wait(&mut cluster, "nine remain", |it| {
        it.members_at("p-5").len() == 9
    });
    cluster.run_for(SECOND);

    let counts = counts.lock().expect("one thread");
    let of = |to: &str, kind| counts.get(&(format!("{to}.1"), kind)).copied().unwrap_or(0);
    for number in 0..9 {
        let to = pod(number);
        // The coordinator proposes, and the four eldest are told by the eight observers.
        let (proposals, alerts) = (usize::from(number > 0), if number < 4 { 8 } else { 0 });
        assert_eq!(of(&to, "proposal"), proposals, "{to}: {counts:?}");
        assert!(of(&to, "alert") <= alerts, "{to}: {counts:?}");
        assert!(of(&to, "decision") <= 1, "{to}: {counts:?}");
    }
    assert!(of("p-0", "alert") > 0, "{counts:?}");
}

// Clauses: CUT-7
#[test]
fn dials_that_nobody_answers_find_the_dead_before_their_silence_does() {
    // Its cable is out and no socket says so; what a dial meets is all that can tell.
    let mut own = world(None);
    own.config.silence_limit = 20 * SECOND;
    let mut cluster = crate::stage::members_of(own, 4);
    let since = cluster.now();
    cluster.isolate("p-3");
    cluster.run_for(SECOND);
    assert_eq!(cluster.members_at("p-1").len(), 4, "nobody has dialled it");
    for observer in ["p-0", "p-1", "p-2"] {
        cluster.break_links(observer, "p-3", true);
    }
    let is_told = cluster.run_until(7 * SECOND, |it| it.members_at("p-1").len() == 3);
    sound(&cluster);
    assert!(is_told, "{:?}", cluster.standings());
    let told = told_since(&cluster, "p-1", since);
    let kinds: Vec<AccusationKind> = told.iter().flat_map(kinds_of).collect();
    assert!(!kinds.is_empty() && kinds.iter().all(|kind| *kind == AccusationKind::Closed));
}

/// Of what those were accused who were removed.
fn kinds_of(notice: &Notice) -> Vec<AccusationKind> {
    let Notice::Changed(event) = notice else {
        return Vec::new();
    };
    let accusations = event.failed.iter().flat_map(|(_, why)| match why {
        Evidence::Accused(accusations) => &accusations[..],
        _ => &[],
    });
    accusations.map(|it| it.kind).collect()
}

// Clauses: CUT-7, LEAVE-3
#[test]
fn a_dial_of_a_member_that_goes_meanwhile_ends_with_it_and_accuses_nobody() {
    for leaves in [true, false] {
        let mut cluster = members(None, 5);
        let since = cluster.now();
        // p-1 dials p-4 and hears nothing for as long as a dial may take.
        cluster.partition(&[&["p-1"], &["p-4"]]);
        cluster.break_links("p-1", "p-4", true);
        cluster.run_for(MS);
        if leaves {
            cluster.leave("p-4");
        } else {
            cluster.crash("p-4");
        }
        cluster.unwant("p-4");
        cluster.run_for(10 * SECOND);
        sound(&cluster);
        wait_for(&mut cluster, &["p-0", "p-1", "p-2", "p-3"]);
        let suspicions = cluster.ring_of("p-1").map(|ring| ring.status().suspicions);
        assert_eq!(suspicions.map(|it| it.len()), Some(0));
        let failed = failed_since(&cluster, "p-1", since);
        let expected: &[&str] = if leaves { &[] } else { &["p-4"] };
        assert_eq!(failed, expected);
        assert_eq!(
            cluster.ring_of("p-1").map(|ring| ring.status().links),
            Some(3)
        );
    }
}

// Clauses: STAND-1, CUT-3
#[test]
fn a_dangling_node_says_so_and_the_others_keep_a_clean_list() {
    let mut cluster = members(None, 5);
    cluster.isolate("p-2");
    let limit = cluster.config().silence_limit;
    let others = ["p-0", "p-1", "p-3", "p-4"];
    let is_clean = cluster.run_until(limit + SECOND, |it| it.are_one_cluster(&others));
    sound(&cluster);
    assert!(is_clean, "{:?}", cluster.standings());
    let knows = |it: &Cluster| it.standing_of("p-2").starts_with("without quorum");
    wait(&mut cluster, "it knows", knows);
}

// Clauses: CUT-7
#[test]
fn one_that_falls_silent_is_removed_within_its_limit_and_the_doubt_whatever_the_limit_is() {
    for limit in [500, 1_000, 2_000, 5_000] {
        let mut own = world(None);
        own.config.silence_limit = limit * MS;
        let doubt = own.config.doubt_wait_silence;
        let mut cluster = crate::stage::members_of(own, 5);
        cluster.lose_machine("p-3");
        let others = ["p-0", "p-1", "p-2", "p-4"];
        let within = limit * MS + doubt + 100 * MS;
        let is_removed = cluster.run_until(within, |it| it.are_one_cluster(&others));
        sound(&cluster);
        assert!(is_removed, "{limit} ms: {:?}", cluster.standings());
    }
}

// Clauses: CUT-3, CUT-4
#[test]
fn two_that_fail_together_or_in_sequence_take_nobody_along() {
    for pause in [0, 1, 30, 2_500] {
        let mut cluster = members(None, 7);
        let since = cluster.now();
        cluster.crash("p-5");
        cluster.run_for(pause * MS);
        cluster.lose_machine("p-6");
        wait_for(&mut cluster, &["p-0", "p-1", "p-2", "p-3", "p-4"]);
        let mut failed = failed_since(&cluster, "p-0", since);
        failed.sort();
        assert_eq!(failed, ["p-5", "p-6"], "{pause} ms");
    }
}

// Clauses: STAND-1
#[test]
fn a_lost_quorum_is_told_to_the_application() {
    let mut cluster = members(None, 3);
    cluster.isolate("p-2");
    cluster.run_for(10 * SECOND);
    let told = cluster.told_at("p-2").any(|told| {
        matches!(
            &told.notice,
            Notice::Standing(discovery_core::Standing::WithoutQuorum { .. })
        )
    });
    sound(&cluster);
    assert!(told);
}

// Clauses: CUT-3
#[test]
fn one_that_loses_many_links_fails_nobody() {
    let mut cluster = members(None, 10);
    let since = cluster.now();
    for number in 0..9 {
        cluster.partition(&[&["p-9"], &[&pod(number)]]);
    }
    cluster.run_for(20 * SECOND);
    sound(&cluster);
    assert_eq!(failed_since(&cluster, "p-0", since), ["p-9"]);
    cluster.open_all_ways();
    together(&mut cluster);
}
