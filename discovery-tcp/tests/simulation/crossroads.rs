//! Schedules at the crossroads of two coordinators, word by word: each is the counter-example that a
//! clause of DECIDE or TAKE was written for.

use std::cell::Cell;
use std::rc::Rc;

use discovery_tcp::message::Message;
use discovery_tcp::ring::Bug;
use discovery_tcp::sim::{Cluster, Fate};

use crate::stage::{MS, SECOND, is_between, members, sound};

/// Whether something goes between any of these pairs.
fn is_on(passing: &discovery_tcp::sim::Passing<'_>, ways: &[(&str, &str)]) -> bool {
    ways.iter().any(|(from, to)| is_between(passing, from, to))
}

fn fate(is_lost: bool) -> Fate {
    if is_lost { Fate::Lose } else { Fate::Pass }
}

/// p-2 promises p-1's term, and then hears a proposal of p-0's older one.
pub(crate) fn a_promiser_hears_an_older_term(bug: Option<Bug>) -> Cluster {
    let mut cluster = members(bug, 5);
    let promised = Rc::new(Cell::new(false));
    let seen = Rc::clone(&promised);
    cluster.intercept(move |passing| {
        if is_between(passing, "p-2", "p-1") && matches!(passing.message, Message::Promise(_)) {
            seen.set(true);
        }
        // p-0's words reach p-4 alone, and p-1's ask neither of them.
        let is_apart = match passing.message {
            Message::Propose(_) => {
                let is_early = !seen.get() && is_between(passing, "p-0", "p-2");
                is_early || is_on(passing, &[("p-0", "p-1"), ("p-0", "p-3"), ("p-1", "p-0")])
            }
            Message::Accepted(_) => is_on(passing, &[("p-1", "p-0"), ("p-3", "p-0")]),
            Message::PromiseAsk(_) => is_on(passing, &[("p-1", "p-0"), ("p-1", "p-4")]),
            _ => false,
        };
        let is_late = seen.get() && is_between(passing, "p-1", "p-2");
        fate(is_apart || is_late)
    });
    cluster.publish("p-0", b"of the older term");
    cluster.run_until(20 * SECOND, |_| promised.get());
    cluster.run_for(600 * MS);
    cluster.intercept_nothing();
    cluster.publish("p-1", b"of the newer term");
    cluster.run_for(10 * SECOND);
    cluster
}

// Clauses: DECIDE-3, TAKE-3, TAKE-7
#[test]
fn a_promiser_accepts_nothing_of_an_older_term() {
    sound(&a_promiser_hears_an_older_term(None));
}

/// p-0 decides three messages with p-2 and p-3; p-1 re-proposes them to those two, and dies.
pub(crate) fn a_tail_changes_hands_twice(bug: Option<Bug>) -> Cluster {
    let mut cluster = members(bug, 5);
    cluster.restart_containers(false, (MS, MS));
    cluster.intercept(|passing| {
        let is_proposal = match passing.message {
            Message::Propose(it) => it.entries.is_empty() || it.first < it.decided,
            Message::Heartbeat(_) | Message::Decided(_) => passing.from.label().starts_with("p-0."),
            _ => false,
        };
        let is_unheard = is_on(passing, &[("p-0", "p-1"), ("p-0", "p-4")]);
        fate(is_unheard || is_proposal && passing.from.label().starts_with("p-0."))
    });
    for payload in [b"one", b"two", b"six"] {
        cluster.publish("p-0", payload);
    }
    cluster.run_for(5 * MS);
    cluster.crash("p-0");
    let reproposed = Rc::new(Cell::new(0));
    let seen = Rc::clone(&reproposed);
    cluster.intercept(move |passing| {
        let is_new = passing.from.label().starts_with("p-1.");
        let is_tail = matches!(passing.message, Message::Propose(it) if !it.entries.is_empty());
        if is_new && is_tail && is_on(passing, &[("p-1", "p-2"), ("p-1", "p-3")]) {
            seen.set(seen.get() + 1);
            return fate(seen.get() > 2);
        }
        let is_of_promises = matches!(
            passing.message,
            Message::PromiseAsk(_) | Message::Promise(_)
        );
        fate(seen.get() > 0 && (is_new || is_between(passing, "p-2", "p-1")) && !is_of_promises)
    });
    cluster.run_until(20 * SECOND, |_| reproposed.get() >= 2);
    cluster.run_for(MS);
    cluster.crash("p-1");
    cluster.intercept_nothing();
    cluster.publish("p-4", b"of the third");
    cluster.run_for(10 * SECOND);
    cluster
}

// Clauses: DECIDE-2, TAKE-5
#[test]
fn what_was_decided_survives_two_coordinators() {
    sound(&a_tail_changes_hands_twice(None));
}

/// p-4 has a long tail of p-0's term, p-2 and p-3 a short one of p-1's, which p-1 decided.
pub(crate) fn a_long_tail_of_an_older_term(bug: Option<Bug>) -> Cluster {
    let mut cluster = members(bug, 5);
    cluster.restart_containers(false, (MS, MS));
    // Nobody acknowledges p-0's ticks, so it is lost to all although all hear it.
    let led = Rc::new(Cell::new(false));
    let seen = Rc::clone(&led);
    cluster.intercept(move |passing| {
        let is_old = passing.from.label().starts_with("p-0.");
        let is_new = passing.from.label().starts_with("p-1.");
        let to_four = is_between(passing, "p-0", "p-4");
        match passing.message {
            Message::Propose(it) if is_new && !it.entries.is_empty() && !seen.get() => {
                let is_third = is_between(passing, "p-1", "p-3");
                seen.set(is_third);
                fate(is_on(passing, &[("p-1", "p-0"), ("p-1", "p-4")]))
            }
            Message::Propose(_) if is_old => fate(!to_four),
            Message::Accepted(_) if passing.to.label().starts_with("p-0.") => Fate::Lose,
            Message::PromiseAsk(_) | Message::Propose(_) => {
                fate(is_on(passing, &[("p-1", "p-0"), ("p-1", "p-4")]) || seen.get())
            }
            _ => fate(seen.get() && is_new),
        }
    });
    for payload in [b"one", b"two", b"six"] {
        cluster.publish("p-0", payload);
    }
    cluster.run_until(10 * SECOND, |it| {
        it.ring_of("p-1")
            .is_some_and(|ring| ring.coordinates().is_some())
    });
    cluster.publish("p-1", b"of the newer term");
    cluster.run_until(10 * SECOND, |_| led.get());
    cluster.run_for(3 * MS);
    cluster.crash("p-1");
    cluster.crash("p-0");
    cluster.intercept_nothing();
    cluster.run_for(10 * SECOND);
    cluster
}

// Clauses: TAKE-5
#[test]
fn the_tail_of_the_highest_term_is_taken_and_not_the_longest() {
    sound(&a_long_tail_of_an_older_term(None));
}

/// p-4 lacks more than the history holds.
pub(crate) fn a_member_falls_behind_the_history(bug: Option<Bug>) -> Cluster {
    let mut own = crate::stage::world(bug);
    own.config.history_max = 8;
    let mut cluster = crate::stage::members_of(own, 5);
    cluster.intercept(|passing| {
        let is_news = matches!(passing.message, Message::Propose(_) | Message::Decided(_));
        fate(is_news && passing.to.label().starts_with("p-4."))
    });
    for number in 0_u64..40 {
        cluster.publish("p-1", &number.to_be_bytes());
        cluster.run_for(10 * MS);
    }
    cluster.intercept_nothing();
    cluster.run_for(15 * SECOND);
    cluster
}

// Clauses: SNAP-2, SNAP-3, SNAP-4
#[test]
fn a_member_that_falls_behind_the_history_is_removed_and_never_skipped() {
    let cluster = a_member_falls_behind_the_history(None);
    sound(&cluster);
    assert_eq!(cluster.members_at("p-0").len(), 5);
}

/// p-0 decides with p-3 and p-4 and dies; p-1 hears of p-2 alone.
pub(crate) fn a_candidate_hears_of_one_other(bug: Option<Bug>) -> Cluster {
    let mut cluster = members(bug, 5);
    cluster.restart_containers(false, (MS, MS));
    cluster.intercept(|passing| {
        let is_watermark = match passing.message {
            Message::Propose(it) => it.entries.is_empty(),
            Message::Heartbeat(_) | Message::Decided(_) => true,
            _ => false,
        };
        let is_unheard = is_on(passing, &[("p-0", "p-1"), ("p-0", "p-2")]);
        fate(is_unheard || is_watermark && passing.from.label().starts_with("p-0."))
    });
    cluster.publish("p-0", b"decided");
    cluster.run_for(5 * MS);
    cluster.crash("p-0");
    cluster.intercept(|passing| {
        let ways = [
            ("p-1", "p-3"),
            ("p-1", "p-4"),
            ("p-2", "p-3"),
            ("p-2", "p-4"),
        ];
        fate(matches!(passing.message, Message::PromiseAsk(_)) && is_on(passing, &ways))
    });
    cluster.publish("p-1", b"another");
    cluster.run_for(6 * SECOND);
    cluster.intercept_nothing();
    cluster.run_for(10 * SECOND);
    cluster
}

// Clauses: TAKE-2, TAKE-5, TAKE-8
#[test]
fn a_candidate_needs_promises_of_a_majority() {
    let cluster = a_candidate_hears_of_one_other(None);
    sound(&cluster);
    assert_eq!(cluster.members_at("p-1").len(), 4);
}

/// p-0 decides with p-1 and p-2, and dies. p-1 takes that over, tells nobody, and promises to p-3,
/// who hears neither of p-2.
pub(crate) fn a_coordinator_promises_behind_its_own_tail(bug: Option<Bug>) -> Cluster {
    let mut cluster = members(bug, 5);
    cluster.restart_containers(false, (MS, MS));
    cluster.intercept(|passing| {
        let is_watermark = match passing.message {
            Message::Propose(it) => it.entries.is_empty(),
            Message::Heartbeat(_) | Message::Decided(_) => true,
            _ => false,
        };
        let is_unheard = is_on(passing, &[("p-0", "p-3"), ("p-0", "p-4")]);
        fate(is_unheard || is_watermark && passing.from.label().starts_with("p-0."))
    });
    cluster.publish("p-0", b"decided");
    cluster.run_for(5 * MS);
    cluster.crash("p-0");
    cluster.intercept(|passing| {
        let (from, to) = (passing.from.label(), passing.to.label());
        let is_of_two = from.starts_with("p-2.") || to.starts_with("p-2.");
        fate(match passing.message {
            Message::Propose(_) => is_of_two || from.starts_with("p-1."),
            Message::PromiseAsk(_) | Message::Promise(_) => is_of_two,
            _ => false,
        })
    });
    let leads = |cluster: &Cluster, pod| {
        let ring = cluster.ring_of(pod);
        ring.is_some_and(|ring| ring.coordinates().is_some())
    };
    cluster.run_until(10 * SECOND, |it| leads(it, "p-1"));
    cluster.run_until(20 * SECOND, |it| leads(it, "p-3"));
    cluster.run_for(SECOND);
    cluster.intercept_nothing();
    cluster.run_for(10 * SECOND);
    cluster
}

// Clauses: DECIDE-4, TAKE-5
#[test]
fn a_coordinator_that_promises_hands_its_own_tail_on() {
    let cluster = a_coordinator_promises_behind_its_own_tail(None);
    sound(&cluster);
    assert_eq!(cluster.members_at("p-3").len(), 4);
}

// Clauses: DECIDE-4, TAKE-3, TAKE-7
#[test]
fn a_coordinator_that_promised_counts_no_more() {
    // D5: what accepts p-0's message comes when p-0 has promised to another.
    let mut cluster = members(None, 5);
    let promised = Rc::new(Cell::new(false));
    let seen = Rc::clone(&promised);
    cluster.intercept(move |passing| {
        if passing.from.label().starts_with("p-0.")
            && matches!(passing.message, Message::Promise(_))
        {
            seen.set(true);
        }
        match passing.message {
            Message::Accepted(_) if passing.to.label().starts_with("p-0.") => {
                Fate::Late(4 * SECOND)
            }
            _ => Fate::Pass,
        }
    });
    cluster.publish("p-0", b"accepted, and counted by another");
    let has_promised = cluster.run_until(20 * SECOND, |_| promised.get());
    assert!(has_promised, "{:?}", cluster.standings());
    let leads = |it: &Cluster| {
        it.ring_of("p-0")
            .is_some_and(|it| it.coordinates().is_some())
    };
    assert!(!leads(&cluster));
    cluster.intercept_nothing();
    cluster.run_for(10 * SECOND);
    sound(&cluster);
}
