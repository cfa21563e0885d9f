//! Answers to a candidate: what granting binds, and whose grant and which listing count (FORM-3,
//! FORM-4, FORM-5).

use std::cell::Cell;
use std::rc::Rc;

use discovery_tcp::message::Message;
use discovery_tcp::ring::Bug;
use discovery_tcp::sim::{Cluster, Fate, WatchFault};

use crate::stage::{MS, SECOND, is_between, sound, world};

/// B reads {B, X} and asks X, whose answer is slow; then it grants to A, which founds. F2.
pub(crate) fn a_granter_keeps_its_own_census(bug: Option<Bug>) -> Cluster {
    let mut cluster = Cluster::new(world(bug));
    cluster.restart_containers(false, (MS, MS));
    // A started first, so it outranks the others; it is listed last, and held until then.
    for pod in ["a", "b", "x"] {
        cluster.make_by_hand(pod);
        cluster.start_container(pod);
        cluster.run_for(2 * MS);
        if pod == "a" {
            cluster.pause("a");
        }
    }
    let has_asked = Rc::new(Cell::new(false));
    let seen = Rc::clone(&has_asked);
    cluster.intercept(move |passing| {
        let from = passing.from.label();
        match passing.message {
            Message::Defer(_) if is_between(passing, "b", "x") => {
                seen.set(true);
                Fate::Pass
            }
            Message::Granted(_) if is_between(passing, "x", "b") => Fate::Late(900 * MS),
            // Nobody hears of the cluster before B has X's answer.
            Message::Hello(_) | Message::HelloAnswer(_) | Message::Defer(_) => Fate::Pass,
            _ if from.starts_with("a.") && passing.now.as_nanos() < 3_000_000_000 => Fate::Lose,
            _ => Fate::Pass,
        }
    });
    cluster.list("x");
    cluster.list("b");
    cluster.run_until(2 * SECOND, |_| has_asked.get());
    cluster.watch("b", WatchFault::Silent);
    cluster.list("a");
    cluster.resume("a");
    cluster.run_for(20 * SECOND);
    cluster
}

// Clauses: FORM-4
#[test]
fn granting_voids_ones_own_census() {
    // F2.
    let cluster = a_granter_keeps_its_own_census(None);
    sound(&cluster);
    assert_eq!(cluster.clusters(), 1);
}

/// What A makes of the successor of B.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Met {
    /// A met nobody before its listing.
    After,
    /// A met the successor in a later round than that of the listing.
    Later,
}

/// A's listing is read and held back from it. B founds and admits C, and its successor alone reaches
/// A: what B said itself does not arrive.
fn succeed_behind_a_listing(cluster: &mut Cluster) {
    cluster.intercept(|passing| {
        let is_first_run = passing.from.label() == "b.1" && passing.to.label().starts_with("a.");
        if is_first_run { Fate::Lose } else { Fate::Pass }
    });
    cluster.partition(&[&["a"], &["b"]]);
    cluster.hold_answers("b", false);
    cluster.run_until(SECOND, |it| it.clusters() == 1);
    cluster.start("c");
    cluster.partition(&[&["a"], &["c"]]);
    cluster.run_until(2 * SECOND, |it| it.are_one_cluster(&["b", "c"]));
    cluster.crash("b");
    cluster.start_container("b");
    cluster.open_all_ways();
    cluster.partition(&[&["c"], &["a", "b"]]);
}

/// B founds and admits C, which A's listing does not hold yet; B's successor grants to A. F3.
fn a_successor_answers(bug: Option<Bug>, met: Met) -> Cluster {
    let mut own = world(bug);
    own.climate.write_interval = 3_600 * SECOND;
    let mut cluster = Cluster::new(own);
    cluster.restart_containers(false, (MS, MS));
    // B outranks A, and lists until something is written, which is held back from it.
    cluster.make_by_hand("b");
    cluster.list("b");
    cluster.start_container("b");
    cluster.run_for(2 * SECOND);
    cluster.watch("b", WatchFault::Silent);
    cluster.hold_answers("b", true);
    cluster.write();
    cluster.run_for(2 * SECOND);
    cluster.make_by_hand("a");
    cluster.start_container("a");
    // B counts itself last for a while, as it founds nothing, and A waits no more; then it is a
    // candidate again.
    let mut waits = (SECOND, 1350 * MS);
    if met == Met::After {
        cluster.watch("a", WatchFault::Silent);
        cluster.partition(&[&["a"], &["b"]]);
        waits = (200 * MS, 300 * MS);
    }
    cluster.run_for(waits.0);
    cluster.list("a");
    cluster.hold_answers("a", true);
    cluster.run_for(waits.1);
    succeed_behind_a_listing(&mut cluster);
    cluster.run_for(match met {
        Met::After => 300 * MS,
        Met::Later => 11 * SECOND,
    });
    cluster.hold_answers("a", false);
    cluster.run_for(5 * SECOND);
    cluster
}

/// B founds and admits C, which A's listing does not hold yet. A met both B, before that listing, and
/// its successor, which grants. F3.
pub(crate) fn a_successor_grants(bug: Option<Bug>) -> Cluster {
    let mut cluster = Cluster::new(world(bug));
    cluster.restart_containers(false, (MS, MS));
    // Z is the best for both, and is not listed; of the others B is the better, and is.
    for pod in ["z", "b", "a"] {
        cluster.make_by_hand(pod);
        if pod == "b" {
            cluster.list(pod);
        }
        cluster.start_container(pod);
        cluster.run_for(50 * MS);
    }
    cluster.run_for(2 * SECOND);
    // B becomes a candidate, and its listing is read before A is listed.
    cluster.hold_answers("b", true);
    cluster.crash("z");
    cluster.write();
    cluster.run_for(650 * MS);
    // A has waited for B for as long as it may, and lists as well.
    cluster.list("a");
    cluster.hold_answers("a", true);
    cluster.run_for(500 * MS);
    succeed_behind_a_listing(&mut cluster);
    cluster.run_for(300 * MS);
    cluster.hold_answers("a", false);
    cluster.run_for(5 * SECOND);
    cluster
}

/// A contacts nobody before it lists.
pub(crate) fn a_successor_is_met_after_the_listing(bug: Option<Bug>) -> Cluster {
    a_successor_answers(bug, Met::After)
}

/// A's listing comes when a later round is under way.
pub(crate) fn a_listing_comes_a_round_late(bug: Option<Bug>) -> Cluster {
    a_successor_answers(bug, Met::Later)
}

// Clauses: FORM-3, FORM-5
#[test]
fn a_grant_counts_only_from_the_node_id_contacted_before_the_listing() {
    // F3.
    sound(&a_successor_grants(None));
}

// Clauses: FORM-3
#[test]
fn who_was_not_contacted_before_the_listing_is_contacted_and_listed_anew() {
    // F3.
    sound(&a_successor_is_met_after_the_listing(None));
}

// Clauses: FORM-3
#[test]
fn a_listing_of_another_round_is_dropped() {
    // F5.
    sound(&a_listing_comes_a_round_late(None));
}
