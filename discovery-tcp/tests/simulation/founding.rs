//! Founding by a majority of names: what becomes of it when its founder is gone (FORM-10, FORM-11).

use std::cell::Cell;
use std::rc::Rc;

use discovery_core::NodeName;
use discovery_tcp::Formation;
use discovery_tcp::message::{FoundMessage, Message};
use discovery_tcp::ring::Notice;
use discovery_tcp::sim::{Cluster, Fate, Passage};

use crate::stage::{SECOND, lose, pod, sound, told_since, wait, wait_for, world};

/// So many names that found by majority, `p-0` the best candidate, and nothing that proves a death.
fn names(count: usize) -> Cluster {
    let mut own = world(None);
    let of = |number| NodeName::new(pod(number)).expect("a pod's name is a node's");
    own.climate.authoritative = false;
    own.config.formation = Formation::Majority((0..count).map(of).collect());
    own.config.recovery = discovery_tcp::Recovery::Manual;
    let mut cluster = Cluster::new(own);
    cluster.restart_containers(false, (SECOND, SECOND));
    cluster
}

fn found(message: &Message) -> Option<(u64, &FoundMessage)> {
    match message {
        Message::Found(found) => Some((found.attempt, &found.message)),
        _ => None,
    }
}

/// Three decide on `p-0`, which hears nothing of it and dies.
fn a_founder_is_gone() -> Cluster {
    let mut cluster = names(3);
    lose(&mut cluster, |passing, message| match found(message) {
        Some((_, FoundMessage::Ask { .. })) => !passing.from.label().starts_with("p-0."),
        Some((_, FoundMessage::Accepted { .. })) => true,
        _ => false,
    });
    for number in 0..3 {
        cluster.start(&pod(number));
    }
    cluster.run_for(SECOND);
    cluster.crash("p-0");
    cluster.intercept_nothing();
    cluster
}

// Clauses: FORM-10, FORM-11
#[test]
fn a_founding_whose_founder_is_gone_is_opened_again_by_all_names() {
    // C22.
    let mut cluster = a_founder_is_gone();
    cluster.run_for(30 * SECOND);
    sound(&cluster);
    assert_eq!(cluster.clusters(), 0);
    let waits = cluster.standings().join("\n");
    assert!(waits.contains("the founder that a majority"), "{waits}");
    assert!(waits.contains("all 3 names to answer"), "{waits}");

    cluster.start_container("p-0");

    wait_for(&mut cluster, &["p-0", "p-1", "p-2"]);
    assert_eq!(cluster.clusters(), 1);
}

// Clauses: FORM-11
#[test]
fn an_attempt_that_all_names_answered_once_is_not_open() {
    // Whoever answered first may be a member by now, and whoever answered last one before.
    let mut cluster = a_founder_is_gone();
    cluster.start_container("p-0");
    let was_proposed = Rc::new(Cell::new(false));
    let proposed = Rc::clone(&was_proposed);
    cluster.intercept(move |passing| match found(passing.message) {
        Some((2.., FoundMessage::Reopened { round: 2.. })) => Fate::Lose,
        Some((2.., FoundMessage::Ask { .. })) => {
            proposed.set(true);
            Fate::Pass
        }
        _ => Fate::Pass,
    });
    cluster.run_for(20 * SECOND);
    sound(&cluster);
    let waits = cluster.standings().join("\n");
    assert!(!was_proposed.get(), "{waits}");
    assert!(waits.contains("(3 of 3)"), "{waits}");

    cluster.intercept_nothing();
    wait_for(&mut cluster, &["p-0", "p-1", "p-2"]);
}

// Clauses: FORM-11
#[test]
fn who_was_a_member_founds_again_once_all_names_are_newcomers() {
    // p-1 is removed by p-0, which dies.
    let mut cluster = names(2);
    cluster.start("p-0");
    cluster.start("p-1");
    wait_for(&mut cluster, &["p-0", "p-1"]);
    let removed = cluster
        .topology_of("p-0")
        .and_then(|it| it.members().iter().find(|it| it.name().as_str() == "p-1"))
        .expect("it is a member")
        .id();
    cluster.remove("p-0", removed);
    cluster.remove("p-1", removed);
    wait(&mut cluster, "p-1 is removed", |it| {
        it.standing_of("p-1") == "newcomer"
    });
    cluster.crash("p-0");
    cluster.run_for(20 * SECOND);
    assert_eq!(
        (cluster.clusters(), cluster.standing_of("p-1")),
        (0, "newcomer".into())
    );

    cluster.start_container("p-0");

    wait_for(&mut cluster, &["p-0", "p-1"]);
}

// Clauses: FORM-11
#[test]
fn a_member_beyond_the_names_keeps_those_who_know_of_it_from_another_attempt() {
    // q and r bear none of the names and live on, where nobody of the others sees them.
    let mut cluster = names(2);
    cluster.start("p-0");
    cluster.start("p-1");
    wait_for(&mut cluster, &["p-0", "p-1"]);
    cluster.start("q");
    cluster.start("r");
    wait_for(&mut cluster, &["p-0", "p-1", "q", "r"]);
    cluster.run_for(5 * SECOND);

    for name in ["p-1", "p-0"] {
        cluster.partition(&[&[name], &["q", "r"]]);
        cluster.way("p-0", "p-1", Some(Passage::Silent));
        cluster.way("p-1", "p-0", Some(Passage::Silent));
        cluster.run_for(10 * SECOND);
        // It hears that it is removed, and nothing more.
        cluster.way(name, "q", None);
        cluster.way("q", name, None);
        wait(&mut cluster, "it is removed", |it| {
            it.standing_of(name) == "newcomer"
        });
        cluster.partition(&[&[name], &["q"]]);
    }
    cluster.way("p-0", "p-1", None);
    cluster.way("p-1", "p-0", None);
    cluster.run_for(30 * SECOND);

    sound(&cluster);
    let standings = cluster.standings().join("\n");
    assert_eq!(cluster.clusters(), 1, "{standings}");
    assert!(
        standings.contains("beyond the configured names"),
        "{standings}"
    );
    cluster.open_all_ways();
    wait_for(&mut cluster, &["p-0", "p-1", "q", "r"]);
}

// Clauses: FORM-10, MEET-3
#[test]
fn a_restarted_name_may_found_again_and_the_two_report_each_other() {
    // C8: p-0 founds with p-1's acceptance; p-1 forgets it, and founds with p-2.
    let mut cluster = names(3);
    cluster.start("p-0");
    cluster.start("p-1");
    wait(&mut cluster, "a cluster", |it| it.clusters() == 1);
    cluster.crash("p-1");
    cluster.start("p-2");
    cluster.partition(&[&["p-0"], &["p-1", "p-2"]]);
    cluster.start_container("p-1");
    wait(&mut cluster, "two clusters", |it| it.clusters() == 2);
    let since = cluster.now();
    cluster.open_all_ways();

    wait(&mut cluster, "both report the other", |it| {
        ["p-0", "p-1"].iter().all(|pod| {
            let told = told_since(it, pod, since);
            let is_met = |notice: &Notice| matches!(notice, Notice::MetOtherCluster { .. });
            told.iter().any(is_met)
        })
    });
}

// Clauses: FORM-12
#[test]
fn after_a_restart_of_everything_the_token_is_higher_where_clocks_agree() {
    let mut cluster = names(3);
    cluster.restart_containers(true, (SECOND, 2 * SECOND));
    let pods = ["p-0", "p-1", "p-2"];
    for pod in pods {
        cluster.start(pod);
    }
    let mut tokens = Vec::new();
    for _ in 0..3 {
        wait(&mut cluster, "three are one", |it| {
            it.are_one_cluster(&pods)
        });
        let topology = cluster.topology_of("p-0").expect("a member");
        tokens.push((topology.cluster_id(), topology.fencing_token()));
        for pod in pods {
            cluster.crash(pod);
        }
    }
    sound(&cluster);
    assert!(
        tokens.is_sorted_by(|a, b| a.0 != b.0 && a.1 < b.1),
        "{tokens:?}"
    );
}
