//! Forming and joining, as the predecessor's tests pin it down.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use discovery_core::Standing;
use discovery_tcp::message::{JoinVerdict, Message};
use discovery_tcp::ring::Notice;
use discovery_tcp::sim::{ApiFaults, Cluster, Fate, World};

use super::{joined, started_at_once, together};
use crate::stage::{
    MS, SECOND, failed_since, is_between, members, pod, sound, told_since, versions_since, wait,
    wait_for, world,
};

// Clauses: LEAVE-1, LEAVE-4, LEAVE-5
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

// Clauses: JOIN-9
#[test]
fn the_first_node_sees_each_later_one_join() {
    let cluster = members(None, 6);
    let expected: Vec<String> = (1..6).map(pod).collect();
    assert_eq!(joined(&cluster, "p-0"), expected);
}

// Clauses: LINK-2
#[test]
fn a_second_node_with_a_living_id_is_refused() {
    let mut cluster = members(None, 2);
    let (id, before) = (cluster.node_of("p-1"), cluster.now());
    cluster.start_twin("twin", "p-1");
    cluster.run_for(20 * SECOND);

    sound(&cluster);
    assert_eq!((cluster.node_of("p-1"), cluster.node_of("twin")), (id, id));
    for pod in ["p-1", "twin"] {
        let counters = cluster.ring_of(pod).map(|ring| ring.counters().clone());
        let refused = counters.and_then(|it| it.greetings_refused.get("oneself").copied());
        assert!(refused.is_some_and(|refused| refused > 0), "{pod}");
    }
    assert_eq!(cluster.standing_of("twin"), "newcomer");
    assert!(cluster.are_one_cluster(&["p-0", "p-1"]));
    assert_eq!(versions_since(&cluster, "p-0", before), 0);
}

// Clauses: FORM-5, SNAP-1
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

// Clauses: FORM-6, FORM-13
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

// Clauses: FORM-13
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

// Clauses: FORM-1, MEET-1
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

// Clauses: FORM-10, FORM-13, JOIN-9
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

// Clauses: FORM-2, FORM-4, FORM-5, JOIN-7
#[test]
fn nodes_that_start_at_once_form_one_cluster() {
    for seed in 0..10 {
        let mut cluster = started_at_once(3, seed);
        together(&mut cluster);
        assert_eq!(cluster.clusters(), 1, "seed {seed}");
    }
    let mut cluster = started_at_once(60, 1);
    together(&mut cluster);
    assert_eq!(cluster.clusters(), 1);
}

// Clauses: FORM-6, RECOVER-3
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

// Clauses: JOIN-3
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

// Clauses: JOIN-1, JOIN-4
#[test]
fn a_node_that_cannot_be_reached_back_is_not_admitted_and_harms_nobody() {
    // It can dial the members. Where it says that it listens their dials are refused, for p-3 was
    // there and is gone, or meet nobody.
    for is_refused in [true, false] {
        let mut cluster = members(None, 4);
        let topology = cluster.topology_of("p-0").expect("it is a member");
        let p_3 = topology.named(&"p-3".parse().expect("a name"));
        let mut address = p_3.expect("it is a member").info.addresses()[0];
        cluster.unwant("p-3");
        cluster.leave("p-3");
        wait_for(&mut cluster, &["p-0", "p-1", "p-2"]);
        if !is_refused {
            address.set_port(1);
        }
        let since = cluster.now();
        let told: Rc<RefCell<Vec<JoinVerdict>>> = Rc::default();
        let heard = Rc::clone(&told);
        cluster.intercept(move |passing| {
            if let Message::JoinAnswer(answer) = passing.message
                && passing.to.label() == "q.1"
            {
                heard.borrow_mut().push(answer.verdict.clone());
            }
            Fate::Pass
        });
        cluster.start_advertising("q", address);
        cluster.run_for(30 * SECOND);

        sound(&cluster);
        assert_eq!(cluster.standing_of("q"), "newcomer");
        assert!(cluster.are_one_cluster(&["p-0", "p-1", "p-2"]));
        assert_eq!(failed_since(&cluster, "p-0", since), Vec::<String>::new());
        let by = cluster.node_of("p-0").expect("it runs");
        let unreachable = JoinVerdict::Unreachable { by };
        let told = told.borrow();
        assert!(told.contains(&unreachable), "{is_refused}: {told:?}");
        let why = format!("{by} to be able to dial it back");
        let is_why = |standing: &Standing| match standing {
            Standing::NotYetMember { waiting_for } => **waiting_for == *why,
            _ => false,
        };
        let mut told = cluster.told_at("q");
        let says = told.any(|it| matches!(&it.notice, Notice::Standing(it) if is_why(it)));
        assert!(says, "{is_refused}: it is not told why");
    }
}

// Clauses: JOIN-1, JOIN-5
#[test]
fn a_joiner_joins_although_the_coordinator_dies_meanwhile() {
    // When it first answers the joiner, and when it sends it the snapshot.
    for (others, is_late) in [(0, false), (1, false), (0, true), (1, true)] {
        let mut cluster = members(None, 3);
        let is_met = Rc::new(Cell::new(false));
        let seen = Rc::clone(&is_met);
        cluster.intercept(move |passing| {
            let is_it = match passing.message {
                Message::JoinAnswer(_) => !is_late,
                Message::Snapshot(_) => is_late,
                _ => false,
            };
            seen.set(seen.get() || is_it && is_between(passing, "p-0", "q"));
            Fate::Pass
        });
        cluster.start("q");
        for number in 0..others {
            cluster.start(&format!("r-{number}"));
        }
        wait(&mut cluster, "q is joining", |_| is_met.get());
        assert_eq!(cluster.members_at("p-0").len(), 3, "{others} {is_late}");
        cluster.crash("p-0");
        cluster.unwant("p-0");
        cluster.delete("p-0");

        together(&mut cluster);
        assert!(cluster.members_at("p-1").contains(&"q".to_owned()));
    }
}

// Clauses: FORM-6, JOIN-9
#[test]
fn a_cluster_that_dies_during_a_join_is_followed_by_one_of_orders_one_and_two() {
    for joined_for in [0, 1, 2] {
        let mut cluster = members(None, 2);
        let before = cluster
            .topology_of("p-0")
            .map(discovery_core::Topology::cluster_id);
        cluster.start("q");
        wait(&mut cluster, "q runs", |it| it.process_of("q").is_some());
        cluster.run_for(joined_for * MS);
        assert_eq!(cluster.standing_of("q"), "newcomer", "{joined_for} ms");
        for dead in ["p-0", "p-1"] {
            cluster.unwant(dead);
            cluster.force_delete(dead);
        }
        cluster.start("r");
        wait_for(&mut cluster, &["q", "r"]);

        let topology = cluster.topology_of("q").expect("it is a member");
        assert_ne!(Some(topology.cluster_id()), before);
        let orders = topology.members().iter().map(|member| member.order.get());
        assert_eq!(orders.collect::<Vec<u64>>(), [1, 2], "{joined_for} ms");
    }
}

// Clauses: FORM-1, LINK-1, LINK-2
#[test]
fn silent_closing_and_foreign_services_are_no_hindrance_to_a_join() {
    let mut cluster = members(None, 1);
    cluster.start_hung("x");
    cluster.start_closing("y");
    cluster.start_foreign("z");
    cluster.start("q");
    wait_for(&mut cluster, &["p-0", "q"]);
}

// Clauses: JOIN-5, JOIN-6
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

// Clauses: MEET-1
#[test]
fn the_addresses_of_removed_members_are_dialled_no_more() {
    let mut cluster = members(None, 4);
    let address_of = |it: &Cluster, pod: &str| {
        let topology = it.topology_of(pod)?;
        let member = topology.named(&pod.parse().ok()?)?;
        member.info.addresses().first().copied()
    };
    let address = address_of(&cluster, "p-3");
    let lives_on = address_of(&cluster, "p-2");
    cluster.unwant("p-3");
    cluster.force_delete("p-3");
    wait_for(&mut cluster, &["p-0", "p-1", "p-2"]);
    cluster.run_for(5 * SECOND);
    let dials = |it: &Cluster, to: Option<std::net::SocketAddr>| {
        let needle = format!("to {}", to.expect("it had one"));
        let trace = it.trace().to_string();
        trace
            .lines()
            .filter(|line| line.contains("-> link") && line.ends_with(&needle))
            .count()
    };
    let before = dials(&cluster, address);
    assert!(before > 0, "it was dialled while it lived");
    // Those who live on are dialled meanwhile: their links break.
    let before_of_living = dials(&cluster, lives_on);
    for _ in 0..6 {
        cluster.run_for(10 * SECOND);
        cluster.break_links("p-0", "p-2", true);
    }
    cluster.run_for(SECOND);
    sound(&cluster);
    assert!(dials(&cluster, lives_on) > before_of_living);
    assert_eq!(dials(&cluster, address), before);
}

// Clauses: FORM-13, STAND-2
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

// Clauses: FORM-3, FORM-13
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

// Clauses: JOIN-7, DECIDE-10
#[test]
fn sixty_at_once_are_one_cluster_in_few_versions() {
    let mut cluster = started_at_once(60, 1);
    together(&mut cluster);
    let versions = cluster.agreed().map(|it| it.version().get());
    assert!(
        versions.is_some_and(|versions| versions <= 12),
        "{versions:?}"
    );
}

// Clauses: JOIN-4
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

// Clauses: JOIN-1, LINK-2
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
