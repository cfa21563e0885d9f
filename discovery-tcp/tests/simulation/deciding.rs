//! Deciding and taking over: terms, promises, tails, watermarks, publishing (DECIDE, TAKE, PUB).

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;

use discovery_core::PublishError;
use discovery_tcp::message::{Decision, Message};
use discovery_tcp::ring::{Bug, Notice};
use discovery_tcp::sim::{Cluster, Fate};

use crate::stage::{
    MS, SECOND, is_between, lose, members, members_of, pod, sound, told_since, wait, wait_for,
    world,
};

fn is_change(message: &Message) -> bool {
    match message {
        Message::Propose(it) => it
            .entries
            .iter()
            .any(|entry| matches!(&**entry, Decision::Change(_))),
        _ => false,
    }
}

fn is_proposal(message: &Message) -> bool {
    matches!(message, Message::Propose(it) if !it.entries.is_empty())
}

// Clauses: TAKE-5, TAKE-6
#[test]
fn a_takeover_starts_over_after_a_reproposed_change() {
    // B2: p-0's change reaches two of five, then p-0 dies.
    let mut cluster = members(None, 5);
    lose(&mut cluster, |passing, message| {
        let reaches = is_between(passing, "p-0", "p-1") || is_between(passing, "p-0", "p-2");
        is_change(message) && passing.from.label().starts_with("p-0.") && !reaches
    });
    cluster.start("p-5");
    cluster.run_for(100 * MS);
    cluster.crash("p-0");
    cluster.intercept_nothing();

    wait_for(&mut cluster, &["p-1", "p-2", "p-3", "p-4", "p-5"]);
}

// Clauses: DECIDE-1, TAKE-6
#[test]
fn a_coordinator_that_installs_anothers_change_stops() {
    // A2: p-0 is cut off, the others go on; p-0 comes back.
    let mut cluster = members(None, 5);
    cluster.isolate("p-0");
    wait(&mut cluster, "four go on", |it| {
        it.are_one_cluster(&["p-1", "p-2", "p-3", "p-4"])
    });
    cluster.publish("p-0", b"into the void");
    cluster.open_all_ways();
    wait(&mut cluster, "five again", |it| it.agreed().is_some());
    assert_eq!(
        cluster
            .ring_of("p-0")
            .and_then(discovery_tcp::ring::Ring::coordinates),
        None
    );
}

// Clauses: DECIDE-7
#[test]
fn installing_a_topology_raises_the_promise() {
    // D1: whoever joins has promised at least the term that admitted it.
    let mut cluster = members(None, 3);
    cluster.crash("p-0");
    wait_for(&mut cluster, &["p-1", "p-2"]);
    cluster.start("p-3");
    cluster.start("p-4");
    wait(&mut cluster, "four", |it| {
        it.are_one_cluster(&["p-1", "p-2", "p-3", "p-4"])
    });

    let leads = cluster
        .ring_of("p-1")
        .and_then(discovery_tcp::ring::Ring::coordinates);
    let promised = cluster
        .ring_of("p-4")
        .and_then(discovery_tcp::ring::Ring::promised);
    assert!(
        leads.is_some() && promised >= leads,
        "{promised:?} below {leads:?}"
    );
}

/// The tick stops again and again, so that everybody may stand at once. Gives how many terms were
/// led, and how many of them were not their leader's own. D3.
fn terms_led(bug: Option<Bug>) -> (usize, usize) {
    let mut cluster = members(bug, 5);
    let mut led = BTreeSet::new();
    let mut shared = BTreeSet::new();
    for step in 0..1_500 {
        match step % 300 {
            0 => cluster.isolate("p-0"),
            150 => cluster.open_all_ways(),
            _ => {}
        }
        cluster.run_for(20 * MS);
        for ring in (0..5).filter_map(|number| cluster.ring_of(&pod(number))) {
            let me = ring.topology().and_then(|it| it.member(ring.node().id()));
            if let (Some(me), Some(term)) = (me, ring.coordinates()) {
                led.insert(term);
                if term.order != me.order {
                    shared.insert(term);
                }
            }
        }
    }
    if bug.is_none() {
        sound(&cluster);
    }
    (led.len(), shared.len())
}

// Clauses: DECIDE-1
#[test]
fn a_term_is_its_candidates_own() {
    let (led, shared) = terms_led(None);
    assert!(led > 1 && shared == 0, "{shared} of {led}");

    let (led, shared) = terms_led(Some(Bug::SharedTerms));
    assert!(shared > 0, "none of {led}");
}

/// Acceptances of a change are late, and messages are published meanwhile. D4.
pub(crate) fn messages_come_while_a_change_is_slow(bug: Option<Bug>) -> Cluster {
    let mut cluster = members(bug, 5);
    cluster.intercept(|passing| {
        if matches!(passing.message, Message::Accepted(_)) {
            Fate::Late(200 * MS)
        } else {
            Fate::Pass
        }
    });
    cluster.start("p-5");
    for number in 0_u64..100 {
        cluster.run_for(10 * MS);
        cluster.publish("p-1", &number.to_be_bytes());
    }
    cluster.run_for(5 * SECOND);
    cluster
}

// Clauses: DECIDE-4, DECIDE-10
#[test]
fn nothing_is_proposed_behind_an_undecided_change() {
    // The core itself tells of anything that stands behind one.
    let cluster = messages_come_while_a_change_is_slow(None);
    sound(&cluster);
    assert_eq!(cluster.members_at("p-1").len(), 6);
    assert_eq!(cluster.unanswered(), Vec::<String>::new());
    let broken = messages_come_while_a_change_is_slow(Some(Bug::ProposesBehindChange));
    assert!(broken.violation().is_some());
}

// Clauses: DECIDE-6, TAKE-5
#[test]
fn what_was_decided_without_the_word_of_it_survives_its_coordinator() {
    let mut cluster = members(None, 5);
    // Watermarks of p-0 are lost: p-1 and p-2 hold what was decided and do not know it.
    cluster.partition(&[&["p-3", "p-4"], &["p-0", "p-1", "p-2"]]);
    lose(&mut cluster, |passing, message| {
        passing.from.label().starts_with("p-0.")
            && (matches!(message, Message::Heartbeat(_)) || !is_proposal(message))
            && matches!(message, Message::Heartbeat(_) | Message::Propose(_))
    });
    cluster.publish("p-0", b"four");
    cluster.publish("p-0", b"five");
    cluster.run_for(50 * MS);
    let decided = told_since(&cluster, "p-0", discovery_tcp::Moment::START);
    let decided = decided.iter().filter(|it| matches!(it, Notice::Message(_)));
    assert_eq!(decided.count(), 2, "p-0 has decided both");
    cluster.intercept_nothing();
    cluster.crash("p-0");
    cluster.open_all_ways();

    wait_for(&mut cluster, &["p-1", "p-2", "p-3", "p-4"]);
    for pod in ["p-1", "p-2", "p-3", "p-4"] {
        let told = told_since(&cluster, pod, discovery_tcp::Moment::START);
        let messages = told.iter().filter(|it| matches!(it, Notice::Message(_)));
        assert_eq!(messages.count(), 2, "{pod}");
    }
}

// Clauses: PUB-1, PUB-3
#[test]
fn a_message_in_the_tail_is_not_taken_again() {
    // C10: accepted, not decided when p-0 dies; its publisher sends it again.
    let mut cluster = members(None, 5);
    lose(&mut cluster, |passing, message| {
        passing.to.label().starts_with("p-0.") && matches!(message, Message::Accepted(_))
    });
    for number in 0_u64..5 {
        cluster.publish("p-3", &number.to_be_bytes());
    }
    cluster.run_for(50 * MS);
    cluster.crash("p-0");
    cluster.intercept_nothing();
    wait_for(&mut cluster, &["p-1", "p-2", "p-3", "p-4"]);
    cluster.run_for(2 * SECOND);

    sound(&cluster);
    assert_eq!(cluster.unanswered(), Vec::<String>::new());
    let told = told_since(&cluster, "p-4", discovery_tcp::Moment::START);
    let messages = told.iter().filter(|it| matches!(it, Notice::Message(_)));
    assert_eq!(messages.count(), 5);
}

#[test]
fn published_messages_have_one_order_everywhere() {
    // five publishers at once.
    let mut cluster = members(None, 5);
    for number in 0_u64..40 {
        let pod = format!("p-{}", number % 5);
        cluster.publish(&pod, &number.to_be_bytes());
    }
    cluster.run_for(2 * SECOND);
    sound(&cluster);
    assert_eq!(cluster.unanswered(), Vec::<String>::new());
    assert_eq!(cluster.coverage().published, 40);
}

// Clauses: LINK-6
#[test]
fn messages_that_are_not_decided_fit_a_frame_together_whatever_one_weighs() {
    let mut own = world(None);
    own.config.in_flight_bytes_max = 1_000;
    own.config.payload_bytes_max = 800;
    let mut cluster = members_of(own, 3);
    let most = Rc::new(Cell::new(0));
    let seen = Rc::clone(&most);
    cluster.intercept(move |passing| match passing.message {
        Message::Accepted(_) => Fate::Late(100 * MS),
        Message::Propose(proposal) => {
            seen.set(seen.get().max(proposal.entries.len()));
            Fate::Pass
        }
        _ => Fate::Pass,
    });
    for number in 0..5 {
        cluster.publish("p-0", &[number; 800]);
    }
    cluster.run_for(5 * SECOND);
    sound(&cluster);
    assert_eq!(cluster.unanswered(), Vec::<String>::new());
    assert_eq!(most.get(), 1, "two are heavier than what may be in flight");
}

/// A coordinator is replaced behind its back again and again while messages are under way.
pub(crate) fn takeovers_under_load(bug: Option<Bug>) -> Cluster {
    let mut own = world(bug);
    own.config.silence_limit = 400 * MS;
    own.config.redial_pause = 5 * MS;
    let mut cluster = members_of(own, 5);
    let mut payload = 0_u64;
    for round in 0..30 {
        let cut = format!("p-{}", round % 5);
        cluster.isolate(&cut);
        for _ in 0..10 {
            payload += 1;
            let by = format!("p-{}", payload % 5);
            cluster.publish(&by, &payload.to_be_bytes());
            cluster.run_for(70 * MS);
        }
        cluster.open_all_ways();
        cluster.run_for(400 * MS);
    }
    cluster.run_for(10 * SECOND);
    cluster
}

// Clauses: DECIDE-2, TAKE-5, PUB-3
#[test]
fn takeovers_lose_and_repeat_nothing() {
    sound(&takeovers_under_load(None));
}

/// What p-0 proposes reaches p-4 alone, which dies; its heartbeats reach everybody. B1.
pub(crate) fn a_coordinator_that_is_heard_and_not_followed(bug: Option<Bug>) -> Cluster {
    let mut cluster = members(bug, 5);
    lose(&mut cluster, |passing, message| {
        let is_proposal = matches!(message, Message::Propose(_));
        is_proposal
            && passing.from.label().starts_with("p-0.")
            && !passing.to.label().starts_with("p-4.")
    });
    cluster.crash("p-4");
    cluster.run_for(15 * SECOND);
    cluster
}

// Clauses: TAKE-1, TAKE-9
#[test]
fn a_tick_seen_on_a_heartbeat_acknowledges_nothing() {
    // B1, C11.
    let cluster = a_coordinator_that_is_heard_and_not_followed(None);
    sound(&cluster);
    let leads = cluster
        .ring_of("p-0")
        .and_then(discovery_tcp::ring::Ring::coordinates);
    assert_eq!(leads, None);
}

// Clauses: PUB-5
#[test]
fn a_publisher_is_told_when_too_many_of_its_messages_wait() {
    let mut own = world(None);
    own.config.publish_queue_max = 4;
    let mut cluster = members_of(own, 3);
    let since = cluster.now();
    cluster.intercept(|passing| match passing.message {
        Message::Publish(_) => Fate::Late(100 * MS),
        _ => Fate::Pass,
    });
    for number in 0_u64..6 {
        cluster.publish("p-2", &number.to_be_bytes());
    }
    let refused = |cluster: &Cluster| {
        let told = told_since(cluster, "p-2", since);
        let is_busy = |notice: &&Notice| match notice {
            Notice::Published { result, .. } => {
                *result == Err(PublishError::Busy { waiting_max: 4 })
            }
            _ => false,
        };
        told.iter().filter(is_busy).count()
    };
    assert_eq!(refused(&cluster), 2);

    // Once they are decided there is room again.
    cluster.run_for(SECOND);
    cluster.publish("p-2", b"another");
    cluster.run_for(SECOND);
    sound(&cluster);
    assert_eq!(refused(&cluster), 2);
    let told = told_since(&cluster, "p-0", since);
    let messages = told.iter().filter(|it| matches!(it, Notice::Message(_)));
    assert_eq!(messages.count(), 5);
}
