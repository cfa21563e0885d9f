//! Published messages, as the predecessor's tests pin them down.

use discovery_tcp::message::Message;

use super::{messages, together};
use crate::stage::{
    LONG, MS, SECOND, failed_since, is_between, lose, members, pod, sound, versions_since, wait,
    wait_for, world,
};

// Clauses: PUB-1, PUB-2, PUB-3, PUB-4, PUB-5
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

// Clauses: PUB-4, SNAP-1
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

// Clauses: PUB-1, TAKE-5, LINK-5
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

// Clauses: PUB-4
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

// Clauses: LEAVE-3, PUB-1
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

// Clauses: JOIN-1, JOIN-6
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

// Clauses: LINK-7, CUT-7
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

// Clauses: PUB-4, CUT-7, LINK-5
#[test]
fn what_was_missed_comes_once_and_in_order_when_a_broken_link_is_back_and_tells_of_no_change() {
    let mut cluster = members(None, 4);
    let since = cluster.now();
    for number in 0_u64..100 {
        cluster.publish("p-1", &number.to_be_bytes());
        if number % 10 == 0 {
            // What is on its way to p-3 goes with the links, by which it hears of everything.
            for other in ["p-0", "p-1", "p-2"] {
                cluster.break_links(other, "p-3", true);
            }
        }
        cluster.run_for(5 * MS);
    }
    cluster.run_for(2 * SECOND);
    sound(&cluster);
    let expected: Vec<Vec<u8>> = (0_u64..100).map(|it| it.to_be_bytes().to_vec()).collect();
    for pod in ["p-0", "p-1", "p-2", "p-3"] {
        assert_eq!(messages(&cluster, pod), expected, "{pod}");
        assert_eq!(versions_since(&cluster, pod, since), 0, "{pod}");
    }
}
