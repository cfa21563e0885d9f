//! What the predecessor's tests pin down, in simulated time; those that pin "starts alone" are
//! inverted. The table is in `docs/conformance.md`.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Mutex;

use discovery_tcp::message::{Decision, Message};
use discovery_tcp::ring::Notice;
use discovery_tcp::sim::{ApiFaults, Cluster, World};

use crate::stage::{
    LONG, MS, SECOND, failed_since, is_between, lose, members, pod, sound, told_since, wait,
    wait_for, world,
};

fn started_at_once(count: usize, seed: u64) -> Cluster {
    let mut own = world(None);
    own.seed = seed;
    let mut cluster = Cluster::new(own);
    cluster.restart_containers(false, (MS, MS));
    for number in 0..count {
        cluster.start(&pod(number));
    }
    cluster
}

fn together(cluster: &mut Cluster) {
    wait(cluster, "one cluster of all", |it| it.agreed().is_some());
}

fn joined(cluster: &Cluster, at: &str) -> Vec<String> {
    let events = cluster.told_at(at).filter_map(|told| match &told.notice {
        Notice::Changed(event) => Some(&event.joined),
        _ => None,
    });
    let joined = events.flatten();
    joined.map(|member| member.name().to_string()).collect()
}

fn messages(cluster: &Cluster, at: &str) -> Vec<Vec<u8>> {
    let told = cluster.told_at(at);
    told.filter_map(|told| match &told.notice {
        Notice::Message(message) => Some(message.payload.to_vec()),
        _ => None,
    })
    .collect()
}

#[test]
fn one_node_starts_and_stops_and_so_do_three() {
    for count in [1, 3] {
        let mut cluster = started_at_once(count, 1);
        together(&mut cluster);
        for number in 0..count {
            cluster.leave(&pod(number));
            cluster.run_for(SECOND);
        }
        sound(&cluster);
        assert_eq!(cluster.living().count(), 0, "of {count}");
    }
}

#[test]
fn the_first_node_sees_each_later_one_join() {
    let cluster = members(None, 6);
    let expected: Vec<String> = (1..6).map(pod).collect();
    assert_eq!(joined(&cluster, "p-0"), expected);
}

#[test]
fn a_second_node_with_a_living_id_is_refused() {
    let mut cluster = members(None, 2);
    let id = cluster.node_of("p-1");
    cluster.start_twin("twin", "p-1");
    cluster.run_for(20 * SECOND);

    sound(&cluster);
    assert_eq!(cluster.node_of("p-1"), id);
    let named = cluster.members_at("p-0");
    assert!(named.contains(&"p-1".to_owned()), "{named:?}");
    let is_twin_member = named.contains(&"twin".to_owned());
    assert!(!is_twin_member || cluster.node_of("twin") != id);
}

#[test]
fn a_node_that_says_it_listens_on_loopback_is_not_admitted() {
    let mut cluster = members(None, 2);
    let loopback = "127.0.0.1:47500".parse().expect("an address");
    cluster.start_advertising("q", loopback);
    cluster.run_for(30 * SECOND);

    sound(&cluster);
    assert_eq!(cluster.standing_of("q"), "newcomer");
    assert!(cluster.are_one_cluster(&["p-0", "p-1"]));
}

#[test]
fn the_founding_is_agreed_by_all_and_survives_its_coordinator() {
    let mut cluster = members(None, 4);
    let of = |it: &Cluster, pod: &str| {
        let topology = it.topology_of(pod);
        topology.map(|it| (it.cluster_id(), it.epoch()))
    };
    let founding = of(&cluster, "p-0");
    cluster.crash("p-0");
    wait_for(&mut cluster, &["p-1", "p-2", "p-3"]);
    cluster.start("q");
    wait_for(&mut cluster, &["p-1", "p-2", "p-3", "q"]);

    for pod in ["p-1", "p-2", "p-3", "q"] {
        assert_eq!(of(&cluster, pod), founding, "{pod}");
    }
}

#[test]
fn a_node_that_reaches_nobody_waits_and_says_why() {
    // Inverted: the predecessor gives up after joinTimeout.
    let mut cluster = started_at_once(2, 1);
    cluster.partition(&[&["p-0"], &["p-1"]]);
    cluster.run_for(5 * 60 * SECOND);

    sound(&cluster);
    assert_eq!(cluster.clusters(), 0);
    for ring in ["p-0", "p-1"].map(|pod| cluster.ring_of(pod)) {
        let why = ring.and_then(|ring| ring.status().waiting_for);
        assert!(why.is_some_and(|why| !why.is_empty()));
    }
}

#[test]
fn a_node_whose_finder_fails_waits_and_says_why() {
    // Inverted: with joinTimeout the predecessor starts alone.
    let mut cluster = started_at_once(1, 1);
    cluster.api(ApiFaults {
        is_down: true,
        ..ApiFaults::default()
    });
    cluster.run_for(5 * 60 * SECOND);

    sound(&cluster);
    assert_eq!(cluster.standing_of("p-0"), "newcomer");
    let why = cluster
        .ring_of("p-0")
        .and_then(|it| it.status().waiting_for);
    assert!(why.is_some_and(|why| !why.is_empty()));
}

#[test]
fn dozens_of_dead_addresses_delay_a_join_by_little() {
    let mut cluster = members(None, 1);
    for number in 0..40 {
        let dead = format!("dead-{number}");
        cluster.start_hung(&dead);
    }
    cluster.run_for(SECOND);
    for number in 0..40 {
        cluster.lose_machine(&format!("dead-{number}"));
    }
    let before = cluster.now();
    cluster.start("q");
    wait_for(&mut cluster, &["p-0", "q"]);

    let took = cluster.now().since(before);
    assert!(took < 3 * SECOND, "{took:?}");
}

#[test]
fn a_node_that_may_not_found_waits_for_one_that_may_and_gets_order_two() {
    let mut own = world(None);
    own.climate.authoritative = false;
    let name = "p-0".parse().expect("a name");
    own.config.formation = discovery_tcp::Formation::Majority(vec![name]);
    own.config.recovery = discovery_tcp::Recovery::Manual;
    let mut cluster = Cluster::new(own);
    cluster.start("p-1");
    cluster.run_for(30 * SECOND);
    assert_eq!(cluster.standing_of("p-1"), "newcomer");

    cluster.start("p-0");
    wait_for(&mut cluster, &["p-0", "p-1"]);

    let topology = cluster.topology_of("p-0").expect("it is a member");
    assert_eq!(topology.members()[1].order.get(), 2);
    assert_eq!(topology.members()[1].name().as_str(), "p-1");
}

#[test]
fn nodes_that_start_at_once_form_one_cluster() {
    for seed in 0..10 {
        let mut cluster = started_at_once(3, seed);
        together(&mut cluster);
        assert_eq!(cluster.clusters(), 1, "seed {seed}");
    }
    let mut cluster = started_at_once(60, 1);
    together(&mut cluster);
    let versions = cluster.agreed().map(|it| it.version().get());
    assert!(
        versions.is_some_and(|versions| versions <= 12),
        "{versions:?}"
    );
}

#[test]
fn many_start_and_stop_at_once_and_one_cluster_remains() {
    let mut cluster = started_at_once(8, 1);
    for round in 0..12 {
        cluster.run_for(700 * MS);
        cluster.delete(&pod(round % 8));
        cluster.delete(&pod((round + 3) % 8));
    }
    together(&mut cluster);
    assert_eq!(cluster.clusters(), 1);
}

#[test]
fn events_tell_of_each_restart_once() {
    let mut cluster = members(None, 3);
    cluster.restart_containers(true, (200 * MS, 200 * MS));
    let before = cluster.now();
    for _ in 0..5 {
        cluster.crash("p-2");
        cluster.run_for(5 * SECOND);
        together(&mut cluster);
    }
    let told = told_since(&cluster, "p-0", before);
    let count = |of: fn(&discovery_core::TopologyEvent) -> usize| -> usize {
        let events = told.iter().filter_map(|notice| match notice {
            Notice::Changed(event) => Some(of(event)),
            _ => None,
        });
        events.sum()
    };
    assert_eq!(
        (count(|it| it.failed.len()), count(|it| it.joined.len())),
        (5, 5)
    );
}

#[test]
fn a_node_that_cannot_be_reached_back_is_not_admitted_and_harms_nobody() {
    let mut cluster = members(None, 3);
    let since = cluster.now();
    cluster.start("q");
    for member in ["p-0", "p-1", "p-2"] {
        // It can dial the members; their dials to it are refused on the way.
        cluster.way(member, "q", Some(discovery_tcp::sim::Passage::Refusing));
    }
    cluster.run_for(30 * SECOND);

    sound(&cluster);
    assert!(cluster.are_one_cluster(&["p-0", "p-1", "p-2"]));
    assert_eq!(failed_since(&cluster, "p-0", since), Vec::<String>::new());
}

#[test]
fn a_joiner_joins_although_the_coordinator_dies_meanwhile() {
    for others in [0, 1] {
        let mut cluster = members(None, 3);
        cluster.start("q");
        for number in 0..others {
            cluster.start(&format!("r-{number}"));
        }
        let is_asking = |it: &Cluster| it.process_of("q").is_some();
        wait(&mut cluster, "q runs", is_asking);
        cluster.run_for(2 * MS);
        cluster.crash("p-0");
        cluster.unwant("p-0");
        cluster.delete("p-0");

        together(&mut cluster);
        assert!(cluster.members_at("p-1").contains(&"q".to_owned()));
    }
}

#[test]
fn a_cluster_that_dies_during_a_join_is_followed_by_one_of_orders_one_and_two() {
    let mut cluster = members(None, 2);
    cluster.start("q");
    wait(&mut cluster, "q runs", |it| it.process_of("q").is_some());
    for dead in ["p-0", "p-1"] {
        cluster.unwant(dead);
        cluster.force_delete(dead);
    }
    cluster.start("r");
    wait_for(&mut cluster, &["q", "r"]);

    let topology = cluster.topology_of("q").expect("it is a member");
    let orders = topology.members().iter().map(|member| member.order.get());
    let orders: Vec<u64> = orders.collect();
    assert!(
        orders == [1, 2] || topology.version().get() > 2,
        "{orders:?}"
    );
}

#[test]
fn a_refused_join_is_repeated_slowly() {
    let mut cluster = members(None, 1);
    let mut config = cluster.config().clone();
    config.settings = 7;
    cluster.start_with("q", config);
    let dials = cluster.coverage().dials;
    cluster.run_for(60 * SECOND);

    let more = cluster.coverage().dials - dials;
    assert!((1..=30).contains(&more), "{more} dials in a minute");
}

#[test]
fn silent_closing_and_foreign_services_are_no_hindrance_to_a_join() {
    let mut cluster = members(None, 1);
    cluster.start_hung("x");
    cluster.start_closing("y");
    cluster.start_foreign("z");
    cluster.start("q");
    wait_for(&mut cluster, &["p-0", "q"]);
}

#[test]
fn a_slow_joiner_joins_while_the_topology_changes() {
    let mut cluster = members(None, 3);
    cluster.start("q");
    wait(&mut cluster, "q runs", |it| it.process_of("q").is_some());
    cluster.slow("q", 20 * MS);
    for number in 3..8 {
        cluster.start(&pod(number));
        cluster.run_for(100 * MS);
    }
    together(&mut cluster);
    assert_eq!(cluster.members_at("p-0").len(), 9);
}

#[test]
fn the_addresses_of_removed_members_are_dialled_no_more() {
    let mut cluster = members(None, 4);
    let address = cluster.topology_of("p-3").and_then(|topology| {
        let member = topology.named(&"p-3".parse().ok()?)?;
        member.info.addresses().first().copied()
    });
    cluster.unwant("p-3");
    cluster.force_delete("p-3");
    wait_for(&mut cluster, &["p-0", "p-1", "p-2"]);
    cluster.run_for(5 * SECOND);
    let needle = format!("to {}", address.expect("it had one"));
    let dials = |it: &Cluster| {
        let trace = it.trace().to_string();
        trace
            .lines()
            .filter(|line| line.contains("-> link") && line.ends_with(&needle))
            .count()
    };
    let before = dials(&cluster);
    cluster.run_for(60 * SECOND);
    assert_eq!(dials(&cluster), before);
}

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

#[test]
fn a_node_that_dies_before_it_passes_on_loses_nothing() {
    // Inner nodes of the tree take a change and die before any child has it.
    let mut own = world(None);
    own.config.fan_out = 2;
    own.config.settle = 10 * MS;
    let mut cluster = crate::stage::members_of(own, 12);
    lose(&mut cluster, |passing, message| {
        let is_inner = ["p-1.", "p-2."]
            .iter()
            .any(|it| passing.from.label().starts_with(it));
        is_inner && matches!(message, Message::Propose(_))
    });
    cluster.publish("p-0", b"passed on");
    cluster.run_for(5 * MS);
    cluster.crash("p-1");
    cluster.crash("p-2");
    cluster.intercept_nothing();
    wait(&mut cluster, "ten remain", |it| {
        it.members_at("p-11").len() == 10
    });
    cluster.run_for(SECOND);
    for number in 3..12 {
        assert_eq!(
            messages(&cluster, &pod(number)),
            [b"passed on".to_vec()],
            "p-{number}"
        );
    }
}

#[test]
fn one_that_suspects_wrongly_during_a_join_removes_nobody() {
    // p-1 loses its links to a neighbour, to the coordinator, and to both, while others join.
    for lost in [&["p-2"][..], &["p-0"], &["p-0", "p-2"]] {
        let mut cluster = members(None, 5);
        let since = cluster.now();
        cluster.start("q");
        for other in lost {
            cluster.partition(&[&["p-1"], &[other]]);
        }
        cluster.run_for(20 * SECOND);
        sound(&cluster);
        let failed = failed_since(&cluster, "p-3", since);
        assert!(
            failed.iter().all(|name| name == "p-1"),
            "{lost:?}: {failed:?}"
        );
        cluster.open_all_ways();
        together(&mut cluster);
    }
}

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

#[test]
fn a_suspicion_whose_author_dies_before_telling_is_made_again() {
    let mut cluster = members(None, 6);
    cluster.lose_machine("p-4");
    lose(&mut cluster, |passing, message| {
        passing.from.label().starts_with("p-0.") && matches!(message, Message::Propose(_))
    });
    cluster.run_for(2 * SECOND);
    cluster.crash("p-0");
    cluster.intercept_nothing();
    wait_for(&mut cluster, &["p-1", "p-2", "p-3", "p-5"]);
}

#[test]
fn one_failure_costs_each_member_few_messages() {
    let mut cluster = members(None, 10);
    let counts: Rc<Mutex<BTreeMap<String, usize>>> = Rc::default();
    let counted = Rc::clone(&counts);
    cluster.intercept(move |passing| {
        let is_removal = match passing.message {
            Message::Propose(it) => it.entries.iter().any(|entry| match &**entry {
                Decision::Change(change) => !change.failures.is_empty(),
                _ => false,
            }),
            _ => false,
        };
        if is_removal {
            let mut counts = counted.lock().expect("one thread");
            *counts.entry(passing.to.label().to_owned()).or_default() += 1;
        }
        discovery_tcp::sim::Fate::Pass
    });
    cluster.crash("p-9");
    wait(&mut cluster, "nine remain", |it| {
        it.members_at("p-5").len() == 9
    });
    cluster.run_for(SECOND);

    let counts = counts.lock().expect("one thread");
    assert!(counts.values().all(|count| *count <= 2), "{counts:?}");
}

#[test]
fn a_broken_link_is_dialled_at_once_and_finds_the_dead() {
    let mut cluster = members(None, 4);
    let before = cluster.now();
    cluster.crash("p-3");
    let is_told = cluster.run_until(7 * SECOND, |it| it.members_at("p-1").len() == 3);
    sound(&cluster);
    assert!(is_told && cluster.now().since(before) < SECOND);
}

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

#[test]
fn two_thousand_messages_survive_the_loss_of_two_members_in_order() {
    let mut own = world(None);
    own.config.publish_queue_max = 2_048;
    let mut cluster = crate::stage::members_of(own, 5);
    for number in 0_u64..2_000 {
        cluster.publish("p-2", &number.to_be_bytes());
        if number == 700 {
            cluster.crash("p-0");
        }
        if number == 1_400 {
            cluster.crash("p-4");
        }
        if number % 50 == 0 {
            cluster.run_for(MS);
        }
    }
    wait(&mut cluster, "all are answered", |it| {
        it.unanswered().is_empty()
    });
    cluster.run_for(SECOND);
    let expected: Vec<Vec<u8>> = (0_u64..2_000).map(|it| it.to_be_bytes().to_vec()).collect();
    for pod in ["p-1", "p-2", "p-3"] {
        assert_eq!(messages(&cluster, pod), expected, "{pod}");
    }
}

#[test]
fn messages_go_on_while_others_join() {
    let mut cluster = members(None, 3);
    for number in 0_u64..100 {
        cluster.publish("p-1", &number.to_be_bytes());
        if number % 20 == 0 {
            cluster.start(&format!("q-{}", number / 20));
        }
        cluster.run_for(5 * MS);
    }
    together(&mut cluster);
    cluster.run_for(SECOND);
    sound(&cluster);
    assert_eq!(cluster.unanswered(), Vec::<String>::new());
    assert_eq!(messages(&cluster, "p-2").len(), 100);
}

#[test]
fn a_message_survives_the_coordinator_that_dies_around_it() {
    for (from, to) in [("p-0", "p-1"), ("p-1", "p-0"), ("p-0", "p-2")] {
        let mut cluster = members(None, 3);
        lose(&mut cluster, move |passing, message| {
            let counts = matches!(
                message,
                Message::Propose(_) | Message::Accepted(_) | Message::Publish(_)
            );
            counts && is_between(passing, from, to)
        });
        cluster.publish("p-1", b"once");
        cluster.run_for(3 * MS);
        cluster.crash("p-0");
        cluster.intercept_nothing();
        wait_for(&mut cluster, &["p-1", "p-2"]);
        cluster.run_for(2 * SECOND);
        sound(&cluster);
        assert_eq!(
            messages(&cluster, "p-1"),
            [b"once".to_vec()],
            "{from} -> {to}"
        );
        assert_eq!(
            messages(&cluster, "p-2"),
            [b"once".to_vec()],
            "{from} -> {to}"
        );
    }
}

#[test]
fn what_was_delivered_is_not_delivered_again_after_members_change() {
    let mut cluster = members(None, 5);
    for number in 0_u64..20 {
        cluster.publish("p-3", &number.to_be_bytes());
    }
    cluster.run_for(SECOND);
    cluster.crash("p-0");
    cluster.crash("p-1");
    wait_for(&mut cluster, &["p-2", "p-3", "p-4"]);
    cluster.run_for(5 * SECOND);
    assert_eq!(messages(&cluster, "p-4").len(), 20);
}

#[test]
fn a_failure_while_messages_flow_and_members_stop_is_not_lost() {
    let mut cluster = members(None, 6);
    let since = cluster.now();
    for number in 0_u64..50 {
        cluster.publish("p-2", &number.to_be_bytes());
        match number {
            10 => cluster.leave("p-5"),
            20 => cluster.crash("p-4"),
            30 => cluster.leave("p-0"),
            _ => {}
        }
        cluster.run_for(2 * MS);
    }
    wait_for(&mut cluster, &["p-1", "p-2", "p-3"]);
    cluster.run_for(SECOND);
    assert_eq!(failed_since(&cluster, "p-1", since), ["p-4"]);
    assert_eq!(messages(&cluster, "p-3").len(), 50);
}

#[test]
fn a_newcomer_joins_while_others_come_and_go() {
    let mut cluster = members(None, 5);
    cluster.restart_containers(true, (50 * MS, 300 * MS));
    cluster.start("q");
    for round in 0..20 {
        cluster.crash(&pod(1 + round % 4));
        cluster.run_for(150 * MS);
    }
    let end = cluster.now() + LONG;
    while cluster.topology_of("q").is_none() && cluster.now() < end {
        cluster.run_for(100 * MS);
    }
    sound(&cluster);
    assert!(cluster.topology_of("q").is_some());
    together(&mut cluster);
}

#[test]
fn bytes_that_are_no_message_cost_a_link_and_no_member() {
    let mut cluster = members(None, 3);
    let since = cluster.now();
    for _ in 0..5 {
        cluster.garble("p-1", "p-2");
        cluster.run_for(SECOND);
    }
    sound(&cluster);
    assert_eq!(failed_since(&cluster, "p-0", since), Vec::<String>::new());
    assert!(cluster.are_one_cluster(&["p-0", "p-1", "p-2"]));
}

#[test]
fn members_survive_the_loss_of_their_finder() {
    let mut cluster = members(None, 3);
    cluster.api(ApiFaults {
        is_down: true,
        ..ApiFaults::default()
    });
    cluster.run_for(10 * 60 * SECOND);
    sound(&cluster);
    assert!(cluster.are_one_cluster(&["p-0", "p-1", "p-2"]));
    cluster.crash("p-2");
    wait_for(&mut cluster, &["p-0", "p-1"]);
}

#[test]
fn an_empty_list_founds_nothing() {
    // Inverted: with an empty shared list the predecessor starts alone.
    let mut own = World::of_seed(1);
    own.climate.listing_lag = (60 * 60 * SECOND, 60 * 60 * SECOND);
    let mut cluster = Cluster::new(own);
    cluster.start("p-0");
    cluster.run_for(5 * 60 * SECOND);
    sound(&cluster);
    assert_eq!(cluster.standing_of("p-0"), "newcomer");
}
