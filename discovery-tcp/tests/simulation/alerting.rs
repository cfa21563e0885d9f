//! Alerts: whom they reach, and how a coordinator is missed that is deaf or dead (CUT-5, TAKE-9).

use std::time::Duration;

use discovery_tcp::message::Message;
use discovery_tcp::ring::{Notice, Ring, Suspicion, observers_of};
use discovery_tcp::sim::{Cluster, Fate};

use crate::stage::{
    MS, SECOND, failed_since, lose, members, members_of, pod, sound, wait, wait_for, world,
};

// Clauses: TAKE-1, TAKE-9
#[test]
fn a_deaf_coordinator_is_replaced() {
    // D6: it sends heartbeats and hears nobody.
    let mut cluster = members(None, 5);
    for other in 1..5 {
        cluster.cut(&pod(other), "p-0");
    }
    wait_for(&mut cluster, &["p-1", "p-2", "p-3", "p-4"]);
}

// Clauses: TAKE-1, TAKE-9
#[test]
fn a_coordinator_without_a_majority_loses_its_tick() {
    // B1: twenty members; the coordinator is linked to its observers alone.
    let cluster = &mut members_of(
        {
            let mut own = world(None);
            own.config.settle = Duration::ZERO;
            own
        },
        20,
    );
    let topology = cluster.topology_of("p-0").expect("it is a member").clone();
    let id = cluster.node_of("p-0").expect("it runs");
    let observers = observers_of(&topology, id);
    for number in 1..20 {
        let name = pod(number);
        let node = cluster.node_of(&name).expect("it runs");
        if !observers.contains(&node) {
            cluster.partition(&[&["p-0"], &[name.as_str()]]);
        }
    }
    let before = cluster
        .topology_of("p-19")
        .map(discovery_core::Topology::id);
    cluster.publish("p-19", b"does it go on?");
    wait(cluster, "something is decided", |it| {
        let answered = it
            .told_at("p-19")
            .any(|told| matches!(&told.notice, Notice::Published { result: Ok(_), .. }));
        answered || it.topology_of("p-19").map(discovery_core::Topology::id) != before
    });
}

// Clauses: CUT-5
#[test]
fn alerts_go_to_the_eldest_that_the_sender_can_reach() {
    // D7: the three eldest of twelve die at once; few of the others observe one of them.
    let mut cluster = members(None, 12);
    for dead in ["p-0", "p-1", "p-2"] {
        cluster.lose_machine(dead);
    }
    let limit = cluster.config().silence_limit;
    let are_gone = cluster.run_until(4 * limit, |it| it.members_at("p-11").len() == 9);
    sound(&cluster);
    assert!(are_gone, "{:?}", cluster.standings());
}

/// How many silence limits pass until so many of the eldest, lost at once, are removed.
fn limits_without_the_eldest(members: usize, lost: usize) -> u32 {
    let mut cluster = members_of(world(None), members);
    for number in 0..lost {
        let dead = pod(number);
        cluster.unwant(&dead);
        cluster.lose_machine(&dead);
    }
    let (start, limit) = (cluster.now(), cluster.config().silence_limit);
    let is_over = cluster.run_until(20 * limit, |it| it.agreed().is_some());
    sound(&cluster);
    assert!(is_over, "{:?}", cluster.standings());
    let limits = cluster
        .now()
        .since(start)
        .as_nanos()
        .div_ceil(limit.as_nanos());
    u32::try_from(limits).unwrap_or(u32::MAX)
}

// Clauses: TAKE-2, CUT-5
#[test]
fn a_majority_goes_on_though_all_its_elders_are_lost_at_once() {
    // C35: a zone that started first fails. Nobody left observes all of the dead, and the first of
    // the living has nine elders that nobody accuses enough.
    for (members, lost) in [(21, 10), (30, 10), (41, 20)] {
        let limits = limits_without_the_eldest(members, lost);
        assert!(limits <= 10, "{lost} of {members}: {limits} silence limits");
    }
}

// Clauses: CUT-5
#[test]
fn alerts_reach_a_coordinator_that_is_not_among_the_eldest() {
    // C15: p-0, p-1 and p-2 get neither acceptances nor promises, so that
    // somebody newer coordinates.
    let mut cluster = members(None, 9);
    lose(&mut cluster, |passing, message| {
        let is_answer = matches!(message, Message::Accepted(_) | Message::Promise(_));
        let elders = ["p-0.1", "p-1.1", "p-2.1"];
        is_answer && elders.contains(&passing.to.label())
    });
    let leads = |it: &Cluster, number: usize| {
        let ring = it.ring_of(&pod(number));
        ring.and_then(Ring::coordinates).is_some()
    };
    let is_newer = |it: &Cluster| (3..9).any(|number| leads(it, number));
    assert!(cluster.run_until(10 * SECOND, is_newer));
    cluster.intercept_nothing();
    // All are linked again, and nobody is out of reach.
    cluster.run_for(20 * SECOND);
    let all: Vec<String> = (0..9).map(pod).collect();
    assert_eq!(cluster.members_at("p-3"), all, "none was removed");
    assert!(is_newer(&cluster), "{:?}", cluster.standings());
    cluster.crash("p-8");
    let goes = |it: &Cluster| !it.members_at("p-5").contains(&"p-8".to_owned());
    let goes = cluster.run_until(SECOND, goes);
    sound(&cluster);
    assert!(goes, "{:?}", cluster.standings());
}

// Clauses: CUT-3, CUT-5
#[test]
fn an_accusation_that_is_not_repeated_expires() {
    // C17: p-1 takes its accusation of p-2 back, and the word is lost. With that of p-0 it would do.
    let mut cluster = members(None, 3);
    let before = cluster.now();
    // What p-0 has heard.
    let accuses = |cluster: &Cluster, observer: &str| {
        let status = cluster.ring_of("p-0").map(Ring::status);
        let suspicions = status.map(|it| it.suspicions).unwrap_or_default();
        let (by, whom) = (cluster.node_of(observer), cluster.node_of("p-2"));
        let is_it = |one: &Suspicion| (Some(one.observer), Some(one.subject)) == (by, whom);
        suspicions.iter().any(is_it)
    };
    cluster.partition(&[&["p-1"], &["p-2"]]);
    wait(&mut cluster, "p-1 accuses p-2", |it| accuses(it, "p-1"));
    lose(&mut cluster, |passing, message| {
        let withdraws = matches!(message, Message::Alert(alert) if alert.accusations.is_empty());
        withdraws && passing.from.label() == "p-1.1"
    });
    cluster.open_all_ways();
    cluster.run_for(10 * SECOND);
    cluster.intercept_nothing();
    cluster.partition(&[&["p-0"], &["p-2"]]);
    cluster.run_for(20 * SECOND);

    sound(&cluster);
    assert!(accuses(&cluster, "p-0"), "p-0 hears p-2");
    assert_eq!(failed_since(&cluster, "p-0", before), Vec::<String>::new());
}

// Clauses: CUT-5
#[test]
fn an_alert_that_comes_after_its_removal_accuses_nobody() {
    let mut cluster = members(None, 5);
    cluster.restart_containers(false, (MS, MS));
    cluster.intercept(|passing| match passing.message {
        Message::Alert(_) if passing.from.label() == "p-3.1" => Fate::Late(500 * MS),
        _ => Fate::Pass,
    });
    cluster.unwant("p-4");
    cluster.crash("p-4");
    wait_for(&mut cluster, &["p-0", "p-1", "p-2", "p-3"]);
    cluster.run_for(2 * SECOND);
    sound(&cluster);
    for pod in ["p-0", "p-1", "p-2", "p-3"] {
        let status = cluster.ring_of(pod).map(Ring::status);
        let suspicions = status.map(|it| it.suspicions);
        assert!(
            suspicions.as_ref().is_some_and(Vec::is_empty),
            "{pod}: {suspicions:?}"
        );
    }
}
