//! Whom the application is told of, and why: removed for other reasons than an accusation, or
//! accused for long and not removed (CUT-4, CUT-9, SNAP-3).

use std::cell::Cell;
use std::collections::BTreeMap;

use discovery_core::Evidence;
use discovery_tcp::message::Message;
use discovery_tcp::ring::{Notice, Ring};
use discovery_tcp::sim::{Cluster, Fate};

use crate::stage::{
    MS, SECOND, failed_since, is_between, lose, members, members_of, pod, sound, told_since, wait,
    wait_for, world,
};

/// How often the application in a pod was told that each member is contested.
fn contested_at(cluster: &Cluster, pod: &str) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for told in cluster.told_at(pod) {
        if let Notice::Contested(node) = &told.notice {
            *times.entry(node.name().to_string()).or_default() += 1;
        }
    }
    times
}

// Clauses: CUT-4
#[test]
fn half_and_half_is_told_once_and_removes_nobody() {
    // Two of its four observers do not hear p-4, and it does not hear them.
    let mut cluster = members(None, 5);
    let since = cluster.now();
    cluster.partition(&[&["p-4"], &["p-2", "p-3"]]);
    let limit = cluster.config().silence_limit;
    cluster.run_for(limit + 9 * SECOND);
    assert_eq!(contested_at(&cluster, "p-0"), BTreeMap::new(), "too early");
    cluster.run_for(2 * SECOND);
    let each_once = ["p-2", "p-3", "p-4"].map(|pod| (pod.to_owned(), 1));
    assert_eq!(contested_at(&cluster, "p-0"), BTreeMap::from(each_once));
    cluster.run_for(60 * SECOND);

    sound(&cluster);
    let each_once = ["p-2", "p-3", "p-4"].map(|pod| (pod.to_owned(), 1));
    assert_eq!(contested_at(&cluster, "p-0"), BTreeMap::from(each_once));
    for number in 1..5 {
        let pod = pod(number);
        assert_eq!(contested_at(&cluster, &pod), BTreeMap::new(), "{pod}");
        let failed = failed_since(&cluster, &pod, since);
        assert_eq!(failed, Vec::<String>::new(), "{pod}");
    }
}

// Clauses: SNAP-3, CUT-9
#[test]
fn who_lags_behind_the_history_is_removed_for_it() {
    // p-4 lacks more than the history holds, and asks the coordinator for it.
    let mut own = world(None);
    own.config.history_max = 8;
    let mut cluster = members_of(own, 5);
    let since = cluster.now();
    lose(&mut cluster, move |passing, message| {
        let is_early = passing.now < since + 400 * MS;
        let is_news = matches!(message, Message::Propose(_) | Message::Decided(_));
        let asks = matches!(message, Message::Fetch(_)) && passing.from.label() == "p-4.1";
        let is_for_it = passing.to.label() == "p-4.1";
        is_for_it && is_news && is_early || asks && passing.to.label() != "p-0.1"
    });
    for number in 0_u64..40 {
        cluster.publish("p-1", &number.to_be_bytes());
        cluster.run_for(10 * MS);
    }
    wait(&mut cluster, "it is removed", |it| {
        !failed_since(it, "p-0", since).is_empty()
    });

    let told = told_since(&cluster, "p-0", since);
    let failed = told.iter().find_map(|notice| match notice {
        Notice::Changed(event) => event.failed.first(),
        _ => None,
    });
    let (member, evidence) = failed.expect("it is removed");
    assert_eq!(member.name().as_str(), "p-4");
    let lags = matches!(evidence, Evidence::Lag { versions_behind } if *versions_behind > 0);
    assert!(lags, "{evidence}");
}

// Clauses: SNAP-3, STAND-2
#[test]
fn a_member_that_is_a_little_behind_keeps_its_id_when_it_asks_who_has_just_joined() {
    // C59. The way from the coordinator to p-4 is cut for a second while q joins. p-4 lacks a few
    // entries, which everybody has but q, whose history begins with its snapshot.
    for seed in 0..20 {
        let mut own = world(None);
        own.seed = seed;
        let mut cluster = members_of(own, 5);
        let id = cluster.node_of("p-4");
        let since = cluster.now();
        cluster.start("q");
        cluster.cut("p-0", "p-4");
        for number in 0_u64..100 {
            cluster.publish("p-1", &number.to_be_bytes());
            cluster.run_for(10 * MS);
        }

        sound(&cluster);
        assert_eq!(cluster.node_of("p-4"), id, "seed {seed}");
        assert_eq!(failed_since(&cluster, "p-0", since), Vec::<String>::new());
    }
}

/// Four messages are decided, of which this pod misses the first. It asks p-0 for it, and the ask
/// takes two seconds; a third tells it soon. Then more is decided than a history holds.
fn an_ask_takes_long(count: usize, asker: &'static str) -> Cluster {
    let mut own = world(None);
    own.config.history_max = 8;
    own.config.silence_limit = 4 * SECOND;
    let mut cluster = members_of(own, count);
    let (missed, late) = (Cell::new(false), Cell::new(false));
    cluster.intercept(move |passing| {
        let is_entry = matches!(passing.message, Message::Propose(it) if !it.entries.is_empty());
        let is_ask = matches!(passing.message, Message::Fetch(_));
        if is_between(passing, "p-0", asker) && is_entry && !missed.replace(true) {
            return Fate::Lose;
        }
        if is_between(passing, asker, "p-0") && is_ask && !late.replace(true) {
            return Fate::Late(2 * SECOND);
        }
        Fate::Pass
    });
    for number in 0_u64..4 {
        cluster.publish("p-1", &number.to_be_bytes());
        cluster.run_for(10 * MS);
    }
    cluster.run_for(1200 * MS);
    for number in 4_u64..44 {
        cluster.publish("p-1", &number.to_be_bytes());
        cluster.run_for(10 * MS);
    }
    sound(&cluster);
    let decided = |pod| cluster.ring_of(pod).map(Ring::decided);
    assert_eq!(decided(asker), decided("p-0"));
    cluster
}

// Clauses: SNAP-3
#[test]
fn an_ask_that_took_long_removes_nobody() {
    // C68.
    let mut cluster = an_ask_takes_long(5, "p-4");
    let since = cluster.now();
    cluster.run_for(5 * SECOND);

    sound(&cluster);
    assert_eq!(failed_since(&cluster, "p-0", since), Vec::<String>::new());
}

// Clauses: SNAP-3, STAND-2
#[test]
fn who_lacks_nothing_keeps_its_id_though_its_ask_took_long() {
    // C67: p-2 is the only one left to accept when its ask arrives.
    let mut cluster = an_ask_takes_long(3, "p-2");
    let id = cluster.node_of("p-2");
    cluster.unwant("p-1");
    cluster.crash("p-1");
    cluster.run_for(3 * SECOND);

    sound(&cluster);
    assert_eq!(cluster.node_of("p-2"), id);
}

// Clauses: SNAP-3, STAND-2
#[test]
fn a_laggard_keeps_its_id_while_another_than_a_new_candidate_can_serve_it() {
    // C71: p-4 joined while p-3 was cut off. p-0 and p-1 are lost; p-4 recovers when p-3 is back, and
    // is the first that it hears.
    let mut cluster = members(None, 4);
    lose(&mut cluster, |passing, message| {
        let is_news = matches!(message, Message::Propose(_) | Message::Decided(_));
        is_news && passing.to.label().starts_with("p-3.")
    });
    cluster.publish("p-1", b"missed");
    cluster.run_for(100 * MS);
    cluster.start("p-4");
    let id = cluster.node_of("p-3");
    let has_joined = cluster.run_until(5 * SECOND, |it| {
        ["p-0", "p-1", "p-2", "p-4"]
            .iter()
            .all(|pod| it.members_at(pod).len() == 5)
    });
    assert!(has_joined, "{:?}", cluster.standings());
    cluster.isolate("p-3");
    cluster.intercept_nothing();
    for gone in ["p-0", "p-1"] {
        cluster.unwant(gone);
        cluster.lose_machine(gone);
    }
    cluster.run_for(10 * SECOND);
    assert_eq!(cluster.node_of("p-3"), id);
    assert_eq!(cluster.members_at("p-2").len(), 5);
    cluster.open_all_ways();
    cluster.partition(&[&["p-2"], &["p-3"]]);
    cluster.run_for(SECOND);
    cluster.open_all_ways();

    wait_for(&mut cluster, &["p-2", "p-3", "p-4"]);
    assert_eq!(cluster.node_of("p-3"), id);
}
