//! Counter-examples of the reviews that belong to no one chapter: who may take over, what a term and
//! an epoch are, who is kept out.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use discovery_core::{Term, Topology};
use discovery_tcp::Moment;
use discovery_tcp::message::Message;
use discovery_tcp::ring::{Notice, Ring};
use discovery_tcp::sim::{Cluster, Passage, Passing};

use crate::borders;
use crate::stage::{
    LONG, MS, SECOND, failed_since, is_between, leads, lose, members, members_of, pod, sound, wait,
    wait_for, world,
};

fn term_of(cluster: &Cluster, pod: &str) -> Option<Term> {
    cluster.ring_of(pod).and_then(Ring::coordinates)
}

// Clauses: MEET-1
#[test]
fn a_member_missing_from_a_fresh_listing_raises_an_alarm() {
    // F7.
    let mut own = world(None);
    own.config.audit_interval = 5 * SECOND;
    own.config.probe_interval = SECOND;
    let mut cluster = members_of(own, 3);
    if let Some(pod) = cluster.pod_of("p-2") {
        cluster.drop_entry(pod);
    }
    wait(&mut cluster, "p-2 says that it is not listed", |it| {
        it.told_at("p-2")
            .any(|told| matches!(told.notice, Notice::NotListed))
    });
}

// Clauses: TAKE-3, CUT-3
#[test]
fn a_member_that_hears_the_coordinator_promises_on_sufficient_accusations() {
    // D8: p-4 alone still hears p-0, which the other three cannot reach.
    let mut cluster = members(None, 5);
    for pod in ["p-1", "p-2", "p-3"] {
        cluster.way(pod, "p-0", Some(Passage::Refusing));
        cluster.way("p-0", pod, Some(Passage::Refusing));
        cluster.break_links(pod, "p-0", true);
    }
    let promised = Rc::new(Cell::new(false));
    let seen = Rc::clone(&promised);
    lose(&mut cluster, move |passing, message| {
        let is_promise = matches!(message, Message::Promise(_));
        seen.set(seen.get() || is_promise && is_between(passing, "p-4", "p-1"));
        // Without p-4 there is no majority.
        is_promise && is_between(passing, "p-3", "p-1")
    });

    let has_led = cluster.run_until(SECOND, |it| leads(it, "p-1"));

    sound(&cluster);
    assert!(promised.get() && has_led, "{:?}", cluster.standings());
}

// Clauses: LEAVE-3, DECIDE-1
#[test]
fn a_successor_uses_a_term_of_its_own() {
    // A6.
    let mut cluster = members(None, 3);
    let before = term_of(&cluster, "p-0");
    cluster.unwant("p-0");
    cluster.leave("p-0");
    wait(&mut cluster, "p-1 leads", |it| leads(it, "p-1"));

    let term = term_of(&cluster, "p-1");
    let order = cluster
        .topology_of("p-1")
        .zip(cluster.node_of("p-1"))
        .and_then(|(topology, id)| topology.member(id).map(|member| member.order));
    assert!(term > before, "{term:?} after {before:?}");
    assert_eq!(term.map(|term| term.order), order);
}

// Clauses: ANSWER-2, ANSWER-3
#[test]
fn a_grant_that_came_to_nothing_keeps_nobody_out() {
    // C7: x grants to a, which is gone before it hears that; others come.
    let mut cluster = Cluster::new(world(None));
    lose(&mut cluster, |_, message| {
        matches!(message, Message::Granted(_))
    });
    cluster.start("a");
    cluster.run_for(10 * MS);
    cluster.start("x");
    cluster.run_for(2 * SECOND);
    cluster.unwant("a");
    cluster.force_delete("a");
    cluster.intercept_nothing();
    cluster.start("b");
    cluster.start("c");

    wait_for(&mut cluster, &["x", "b", "c"]);
}

// Clauses: TAKE-2, TAKE-8
#[test]
fn a_candidate_without_a_majority_is_passed_over() {
    // C12: nobody's promise reaches p-1, which everybody hears.
    let mut cluster = members(None, 5);
    cluster.restart_containers(false, (MS, MS));
    lose(&mut cluster, |passing, message| {
        matches!(message, Message::Promise(_)) && passing.to.label().starts_with("p-1.")
    });
    cluster.crash("p-0");

    let pods = ["p-2", "p-3", "p-4"];
    wait(&mut cluster, "another takes over", |it| {
        pods.iter().any(|pod| leads(it, pod))
    });
}

// Clauses: TAKE-3, TAKE-8
#[test]
fn a_promise_that_was_lost_is_given_again() {
    // C36: the one other member left is leaving, so nobody but p-1 can stand; its first promise
    // never arrives.
    let mut cluster = members(None, 3);
    cluster.restart_containers(false, (MS, MS));
    let is_lost = Cell::new(false);
    lose(&mut cluster, move |_, message| {
        matches!(message, Message::Promise(_)) && !is_lost.replace(true)
    });
    let before = cluster.now();
    cluster.unwant("p-2");
    cluster.leave("p-2");
    cluster.crash("p-0");

    let has_left = |notice: &Notice| matches!(notice, Notice::Left(Ok(())));
    wait(&mut cluster, "the leave is decided", |it| {
        it.told().iter().any(|told| has_left(&told.notice))
    });
    let limit = cluster.config().leave_limit;
    assert!(cluster.now().since(before) < limit);
}

// Clauses: TAKE-2
#[test]
fn a_topology_that_nobody_offers_stops_no_candidate() {
    // C13: of p-0's change the others hear that it is in force, and never what it is.
    let mut cluster = members(None, 5);
    cluster.restart_containers(false, (MS, MS));
    let before = cluster.topology_of("p-1").map(Topology::id);
    lose(&mut cluster, move |passing, message| {
        let is_untold = ["p-1.", "p-2.", "p-3."]
            .iter()
            .any(|pod| passing.to.label().starts_with(pod));
        match message {
            Message::Decided(_) => is_untold,
            Message::Propose(it) => is_untold && Some(it.topology) != before,
            _ => false,
        }
    });
    cluster.start("p-5");
    cluster.run_until(SECOND, |it| it.members_at("p-4").len() == 6);
    cluster.run_for(600 * MS);
    for gone in ["p-0", "p-4", "p-5"] {
        cluster.unwant(gone);
        cluster.crash(gone);
    }
    cluster.intercept_nothing();

    let pods = ["p-1", "p-2", "p-3"];
    wait(&mut cluster, "one of them takes over", |it| {
        pods.iter().any(|pod| leads(it, pod))
    });
}

// Clauses: DECIDE-7
#[test]
fn a_reproposed_change_keeps_its_term() {
    // C14: decided under p-0's first term, and again under p-1's.
    let cluster = borders::a_change_is_decided_by_two(None);
    sound(&cluster);
    for pod in ["p-0", "p-1", "p-5"] {
        let topology = cluster.topology_of(pod);
        assert_eq!(topology.map(Topology::term), Some(Term::FIRST), "{pod}");
    }
}

// Clauses: RECOVER-8
#[test]
fn a_forced_epoch_stays_in_the_reach_of_listings() {
    // C18.
    let mut cluster = members(None, 3);
    let before = cluster.topology_of("p-0").map(|it| it.epoch().0);
    cluster.partition(&[&["p-0"], &["p-1", "p-2"]]);
    cluster.run_until(LONG, |it| {
        it.standing_of("p-0").starts_with("without quorum")
    });
    cluster.force_recovery("p-0");
    wait(&mut cluster, "one stands alone", |it| {
        it.are_one_cluster(&["p-0"])
    });

    let after = cluster.topology_of("p-0").map(|it| it.epoch().0);
    assert!(after > before);
    let version = cluster.platform().version();
    assert!(after < Some(version + 1000), "{after:?} at {version}");
}

/// Five members; p-1 hears nothing of p-0, promises itself a term, and hears p-0 again.
fn one_promised_more() -> Cluster {
    let mut cluster = members(None, 5);
    lose(&mut cluster, |passing, message| {
        let is_tick = matches!(message, Message::Propose(_) | Message::Heartbeat(_));
        let is_ask = matches!(message, Message::PromiseAsk(_) | Message::Alert(_));
        is_tick && passing.to.label().starts_with("p-1.")
            || is_ask && passing.from.label().starts_with("p-1.")
    });
    let has_promised = cluster.run_until(10 * SECOND, |it| {
        it.ring_of("p-1").and_then(Ring::promised) > Some(Term::FIRST)
    });
    assert!(has_promised, "{:?}", cluster.standings());
    cluster.intercept_nothing();
    cluster
}

// Clauses: DECIDE-3, TAKE-7, SPREAD-4
#[test]
fn a_coordinator_told_of_a_higher_promise_asks_again() {
    // C19.
    let mut cluster = one_promised_more();
    wait(&mut cluster, "p-0 leads under a higher term", |it| {
        term_of(it, "p-0") > Some(Term::FIRST)
    });
    assert_eq!(
        failed_since(&cluster, "p-2", Moment::START),
        Vec::<String>::new()
    );
}

// Clauses: TAKE-7, TAKE-8
#[test]
fn a_superseded_coordinator_waits_for_promises_that_take_long() {
    // C44: they come after it has asked for them again.
    let mut cluster = one_promised_more();
    for other in 1..5 {
        cluster.detour(&pod(other), "p-0", 400 * MS);
    }
    wait(&mut cluster, "p-0 is superseded", |it| !leads(it, "p-0"));
    let leads_again = cluster.run_until(SECOND, |it| leads(it, "p-0"));
    sound(&cluster);

    assert!(leads_again, "{:?}", cluster.standings());
}

// Clauses: RECOVER-6
#[test]
fn a_recovery_is_not_over_because_a_promiser_is_heard_once_more() {
    // C34: p-1 promises, is heard, never gets the change, and is another process then.
    let mut cluster = members(None, 2);
    cluster.partition(&[&["p-0"], &["p-1"]]);
    cluster.run_for(8 * SECOND);
    let proposed = Rc::new(Cell::new(false));
    let seen = Rc::clone(&proposed);
    lose(&mut cluster, move |_, message| {
        let is_recovery = matches!(message, Message::Propose(it) if it.recovery);
        seen.set(seen.get() || is_recovery);
        // Nor do they go on as the majority that they are.
        is_recovery || matches!(message, Message::PromiseAsk(_))
    });
    cluster.open_all_ways();
    wait(&mut cluster, "a recovery is proposed", |_| proposed.get());
    cluster.run_for(SECOND);
    cluster.crash("p-1");
    cluster.start_container("p-1");
    cluster.intercept_nothing();

    wait_for(&mut cluster, &["p-0", "p-1"]);
}

// Clauses: RECOVER-1, TAKE-2
#[test]
fn two_of_three_that_meet_again_take_a_term_while_their_listings_hang() {
    // C53.
    let mut cluster = members(None, 3);
    cluster.unwant("p-0");
    cluster.lose_machine("p-0");
    cluster.partition(&[&["p-1"], &["p-2"]]);
    cluster.run_for(3 * SECOND);
    for pod in ["p-1", "p-2"] {
        let standing = cluster.standing_of(pod);
        assert!(standing.starts_with("without quorum"), "{pod}: {standing}");
        cluster.hold_answers(pod, true);
    }
    // Both have asked for a listing, or ask before they meet.
    cluster.run_for(10 * SECOND);
    let trace = cluster.trace().to_string();
    for asks in ["p-1.1 -> ask for listing", "p-2.1 -> ask for listing"] {
        assert!(trace.contains(asks), "{:?}", cluster.standings());
    }
    cluster.open_all_ways();
    let limit = cluster.config().silence_limit;
    let is_back = cluster.run_until(2 * limit, |it| it.are_one_cluster(&["p-1", "p-2"]));

    sound(&cluster);
    assert!(is_back, "{:?}", cluster.standings());
}

// Clauses: SNAP-3, STAND-2
#[test]
fn a_laggard_that_nobody_can_remove_gives_its_id_up() {
    // C21: p-2 lacks more than the history holds when p-0 dies.
    let mut own = world(None);
    own.config.history_max = 8;
    let mut cluster = members_of(own, 3);
    let id = cluster.node_of("p-2");
    lose(&mut cluster, |passing, message| {
        let is_news = matches!(message, Message::Propose(_) | Message::Decided(_));
        let is_fetch = matches!(message, Message::Fetch(_));
        is_news && passing.to.label().starts_with("p-2.")
            || is_fetch && passing.from.label().starts_with("p-2.")
    });
    for number in 0_u64..40 {
        cluster.publish("p-1", &number.to_be_bytes());
        cluster.run_for(10 * MS);
    }
    cluster.restart_containers(false, (MS, MS));
    cluster.crash("p-0");
    cluster.intercept_nothing();
    wait(&mut cluster, "p-2 gives its id up", |it| {
        it.node_of("p-2") != id
    });
    cluster.start_container("p-0");
    wait_for(&mut cluster, &["p-0", "p-1", "p-2"]);
}

// Clauses: DECIDE-6
#[test]
fn nobody_passes_on_a_watermark_it_could_not_use() {
    // C2, C24: what is said to be decided was decided, and delivered, by whoever says so.
    for seed in 0..5 {
        let said = Rc::new(Cell::new(0_u64));
        let seen = Rc::clone(&said);
        let mut cluster = members(None, 5);
        lose(&mut cluster, move |passing, message| {
            let from = passing.from.label();
            let decided = passing.from.live_ring().map(Ring::decided);
            if let (Message::Heartbeat(it), Some(decided)) = (message, decided) {
                assert!(
                    it.watermark.position <= decided,
                    "{from}: {it:?} at {decided:?}"
                );
                seen.set(seen.get() + 1);
            }
            is_stormy(seed, passing)
        });
        for number in 0_u64..200 {
            let publisher = pod(usize::try_from(number % 5).unwrap_or(0));
            cluster.publish(&publisher, &number.to_be_bytes());
            cluster.run_for(10 * MS);
        }
        sound(&cluster);
        assert!(said.get() > 0);
    }
}

// Clauses: SPREAD-3
#[test]
fn an_inner_node_passes_on_only_what_it_takes() {
    // C6: whoever passes a proposal on has promised nothing higher.
    for seed in 0..5 {
        let passed = Rc::new(Cell::new(0_u64));
        let seen = Rc::clone(&passed);
        let mut own = world(None);
        own.config.fan_out = 2;
        own.config.settle = Duration::ZERO;
        let mut cluster = members_of(own, 7);
        lose(&mut cluster, move |passing, message| {
            let ring = passing.from.live_ring();
            if let (Message::Propose(it), Some(ring)) = (message, ring)
                && it.relay
                && ring.coordinates() != Some(it.term)
            {
                assert!(
                    ring.promised() <= Some(it.term),
                    "{:?}",
                    passing.from.label()
                );
                seen.set(seen.get() + 1);
            }
            is_stormy(seed, passing)
        });
        for number in 0_u64..200 {
            let publisher = pod(usize::try_from(number % 7).unwrap_or(0));
            cluster.publish(&publisher, &number.to_be_bytes());
            cluster.run_for(10 * MS);
        }
        sound(&cluster);
        assert!(passed.get() > 0);
    }
}

/// Whether the way that a message goes loses everything just now, by chance.
fn is_stormy(seed: u64, passing: &Passing<'_>) -> bool {
    let spell = passing.now.as_nanos() / 300_000_000;
    let way = format!("{}{}{spell}", passing.from.label(), passing.to.label());
    let bits = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed + 1);
    let sum = way.bytes().fold(bits, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (sum >> 32).is_multiple_of(3)
}
