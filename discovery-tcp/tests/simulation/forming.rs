//! Formation: who may found, when, and what must not be taken for it (FORM, ANSWER).

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use discovery_tcp::message::{Message, PhaseKind};
use discovery_tcp::ring::{Bug, Notice};
use discovery_tcp::sim::{ApiFaults, Cluster, Fate, Passage, WatchFault, World};

use crate::stage::{LONG, MS, SECOND, is_between, members, sound, wait, wait_for, world};

fn founds_nothing(cluster: &mut Cluster, pod: &str, span: Duration) {
    cluster.run_for(span);
    sound(cluster);
    assert_eq!(cluster.standing_of(pod), "newcomer", "{pod}");
}

// Clauses: FORM-4, FORM-5, FORM-6
#[test]
fn a_candidate_that_steps_back_leaves_nobody_waiting() {
    // F1: three pods that appear one after the other while they look around.
    for seed in 0..40 {
        let mut world = World::of_seed(seed);
        world.climate.listing_lag = (MS, 300 * MS);
        let mut cluster = Cluster::new(world);
        for pod in ["p-0", "p-1", "p-2"] {
            cluster.start(pod);
        }
        let came_together = cluster.run_until_agreed(15 * SECOND);
        sound(&cluster);
        assert!(came_together, "seed {seed}: {:?}", cluster.standings());
    }
}

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

/// M is in no slice, reaches A by its address and joins; A restarts and lists without it. F4.
pub(crate) fn an_unlisted_newcomer_joins(bug: Option<Bug>) -> Cluster {
    let mut cluster = members(bug, 1);
    cluster.make_by_hand("m");
    cluster.start_container("m");
    cluster.run_for(20 * SECOND);
    if cluster.violation().is_none() {
        cluster.crash("p-0");
        cluster.start_container("p-0");
        cluster.partition(&[&["m"], &["p-0"]]);
        cluster.run_for(20 * SECOND);
    }
    cluster
}

// Clauses: JOIN-2
#[test]
fn nobody_is_admitted_before_it_was_listed() {
    // F4.
    let mut cluster = members(None, 1);
    cluster.make_by_hand("m");
    cluster.start_container("m");
    founds_nothing(&mut cluster, "m", 20 * SECOND);

    cluster.list("m");
    wait_for(&mut cluster, &["p-0", "m"]);
    sound(&an_unlisted_newcomer_joins(None));
}

/// X is gone and its entry left behind; A has its address and is not listed yet. F6.
pub(crate) fn a_stale_entry_names_my_address(bug: Option<Bug>) -> Cluster {
    let mut own = world(bug);
    own.climate.reuses_addresses = true;
    let mut cluster = Cluster::new(own);
    cluster.restart_containers(false, (MS, MS));
    cluster.start_hung("x");
    cluster.run_for(SECOND);
    let Some(stale) = cluster.remove_but_list("x") else {
        return cluster;
    };
    cluster.make_by_hand("a");
    cluster.start_container("a");
    cluster.run_for(15 * SECOND);
    cluster.drop_entry(stale);
    cluster.make_by_hand("b");
    cluster.list("b");
    cluster.start_container("b");
    cluster.run_for(15 * SECOND);
    cluster
}

// Clauses: FORM-3, LINK-3
#[test]
fn a_stale_entry_with_the_own_address_is_another_process() {
    // F6.
    let mut cluster = a_stale_entry_names_my_address(None);
    sound(&cluster);
    assert_eq!(cluster.standing_of("a"), "newcomer");
    cluster.list("a");
    wait_for(&mut cluster, &["b", "a"]);
}

/// Every dial between the pods is refused on the way. F8.
pub(crate) fn a_policy_refuses_everywhere(bug: Option<Bug>) -> Cluster {
    let mut cluster = Cluster::new(world(bug));
    let pods = ["p-0", "p-1", "p-2"];
    for pod in pods {
        cluster.start(pod);
    }
    for (from, to) in pods
        .iter()
        .flat_map(|from| pods.iter().map(move |to| (from, to)))
    {
        if from != to {
            cluster.way(from, to, Some(Passage::Refusing));
        }
    }
    cluster.run_for(30 * SECOND);
    cluster
}

// Clauses: FORM-6, FORM-7
#[test]
fn who_runs_and_is_refused_on_the_way_is_waited_for() {
    // F8.
    let mut cluster = a_policy_refuses_everywhere(None);
    sound(&cluster);
    assert_eq!(cluster.clusters(), 0);
    cluster.open_all_ways();
    wait(&mut cluster, "one cluster", |it| it.agreed().is_some());
}

// Clauses: FORM-2
#[test]
fn a_candidate_without_success_counts_itself_last() {
    // F9: the first to start is the best for everybody, and its listing never comes.
    let mut cluster = Cluster::new(world(None));
    let yielded = Rc::new(Cell::new(false));
    let seen = Rc::clone(&yielded);
    cluster.intercept(move |passing| {
        if let Message::Rumour(rumour) = passing.message
            && passing.from.label() == "z.1"
            && rumour.rank.is_some_and(|rank| rank.unanswered == u32::MAX)
        {
            seen.set(true);
        }
        Fate::Pass
    });
    cluster.start("z");
    cluster.run_until(SECOND, |it| it.process_of("z").is_some());
    cluster.hold_answers("z", true);
    // The others have known it for half as long as they would wait for it.
    cluster.run_for(1500 * MS);
    cluster.start("y");
    cluster.start("x");
    cluster.run_for(SECOND);
    assert_eq!(cluster.clusters(), 0, "nobody goes before the best at once");

    let is_founded = cluster.run_until(1500 * MS, |it| it.clusters() == 1);
    sound(&cluster);
    assert!(is_founded, "{:?}", cluster.standings());
    assert!(yielded.get(), "z never said that it counts itself last");
}

// Clauses: FORM-2
#[test]
fn a_crash_looping_newcomer_ranks_last() {
    // F10: it starts again and again, and the others found all the same.
    let mut cluster = Cluster::new(world(None));
    cluster.restart_containers(true, (300 * MS, 500 * MS));
    for pod in ["p-0", "p-1", "p-2", "x"] {
        cluster.start(pod);
    }
    let end = cluster.now() + LONG;
    while cluster.clusters() == 0 && cluster.now() < end {
        cluster.run_for(250 * MS);
        cluster.crash("x");
    }
    sound(&cluster);
    assert_eq!(cluster.clusters(), 1);
}

// Clauses: FORM-5, JOIN-7
#[test]
fn a_founder_founds_alone_and_admits_the_others_in_changes() {
    // F11.
    let mut cluster = Cluster::new(world(None));
    for pod in ["p-0", "p-1", "p-2"] {
        cluster.start(pod);
    }
    wait(&mut cluster, "one cluster", |it| it.agreed().is_some());

    let first = cluster.told().iter().find_map(|told| match &told.notice {
        Notice::Installed { topology, .. } => Some(topology.clone()),
        _ => None,
    });
    let first = first.expect("somebody founded");
    assert_eq!((first.len(), first.version().get()), (1, 1));
}

// Clauses: FORM-3, FORM-13
#[test]
fn a_finder_without_authority_feeds_no_census() {
    // F13.
    let mut own = world(None);
    own.climate.authoritative = false;
    let mut cluster = Cluster::new(own);
    cluster.start("p-0");
    founds_nothing(&mut cluster, "p-0", 60 * SECOND);
}

// Clauses: FORM-1, FORM-2
#[test]
fn only_the_best_ranked_newcomer_lists() {
    // F14: twenty at once; the store is listed by few of them.
    let mut cluster = Cluster::new(world(None));
    for number in 0..20 {
        cluster.start(&format!("p-{number}"));
    }
    wait(&mut cluster, "one cluster", |it| it.agreed().is_some());

    let listings = cluster.coverage().listings;
    assert!(listings <= 50, "{listings} listings");
}

// Clauses: JOIN-1, LINK-2
#[test]
fn a_refused_newcomer_knocks_again() {
    // F15: its settings differ, until the old pods are gone.
    let mut cluster = members(None, 1);
    let mut config = cluster.config().clone();
    config.settings = 7;
    cluster.start_with("q", config);
    founds_nothing(&mut cluster, "q", 20 * SECOND);
    cluster.unwant("p-0");

    cluster.delete("p-0");

    wait_for(&mut cluster, &["q"]);
}

/// Nothing is written to the store after the first listing. F16, A5.
pub(crate) fn a_quiet_store(bug: Option<Bug>) -> Cluster {
    let mut own = world(bug);
    own.climate.write_interval = 3_600 * SECOND;
    own.climate.status_lag = 60 * SECOND;
    let mut cluster = Cluster::new(own);
    cluster.restart_containers(false, (MS, MS));
    cluster.make_by_hand("p-0");
    cluster.list("p-0");
    cluster.run_for(2 * SECOND);
    cluster.start_container("p-0");
    cluster.run_until(5 * SECOND, |it| it.clusters() > 0);
    // Its successor lists at the very version that its predecessor founded by.
    cluster.crash("p-0");
    cluster.start_container("p-0");
    cluster.run_for(5 * SECOND);
    cluster
}

// Clauses: FORM-9
#[test]
fn a_successor_does_not_found_by_the_version_that_its_predecessor_founded_by() {
    let mut cluster = a_quiet_store(None);
    sound(&cluster);
    assert_eq!(cluster.clusters(), 0);
    cluster.write();
    wait_for(&mut cluster, &["p-0"]);
}

// Clauses: FORM-9
#[test]
fn a_listing_at_the_first_resource_version_founds_nothing() {
    // F16.
    let mut own = world(None);
    own.climate.write_interval = 3_600 * SECOND;
    own.climate.start_lag = (SECOND, SECOND);
    let mut cluster = Cluster::new(own);
    cluster.start("p-0");
    founds_nothing(&mut cluster, "p-0", 30 * SECOND);

    cluster.write();

    wait_for(&mut cluster, &["p-0"]);
}

// Clauses: FORM-9, FORM-12
#[test]
fn the_fencing_token_rises_across_a_restart_of_everything() {
    // F20.
    let mut cluster = members(None, 3);
    let before = cluster
        .topology_of("p-0")
        .map(discovery_core::Topology::fencing_token);
    for pod in ["p-0", "p-1", "p-2"] {
        cluster.crash(pod);
        cluster.start_container(pod);
    }

    wait(&mut cluster, "one cluster", |it| it.agreed().is_some());

    let after = cluster
        .topology_of("p-0")
        .map(discovery_core::Topology::fencing_token);
    assert!(after > before, "{after:?} after {before:?}");
}

/// For the kubelet B's container still waits, and a policy refuses A's dials on the way; B founds and
/// admits C behind A's listing, and dies. C4.
pub(crate) fn an_exempt_pod_founds_meanwhile(bug: Option<Bug>) -> Cluster {
    let mut own = world(bug);
    own.climate.status_lag = 60 * SECOND;
    own.climate.api_delay = (100 * MS, 100 * MS);
    let mut cluster = Cluster::new(own);
    cluster.restart_containers(false, (MS, MS));
    cluster.make_by_hand("b");
    cluster.list("b");
    cluster.run_for(5 * SECOND);
    cluster.start_container("b");
    cluster.run_for(SECOND);
    cluster.write();
    cluster.run_until(SECOND, |it| it.are_one_cluster(&["b"]));
    cluster.make_by_hand("a");
    cluster.list("a");
    for (from, to) in [("a", "b"), ("b", "a")] {
        cluster.way(from, to, Some(Passage::Refusing));
    }
    cluster.start_container("a");
    // It has seen B refused and waiting, and its listing is read: C is not in it.
    cluster.run_for(350 * MS);
    cluster.hold_answers("a", true);
    cluster.watch("a", WatchFault::Silent);
    cluster.start("c");
    cluster.partition(&[&["a"], &["c"]]);
    cluster.run_until(2 * SECOND, |it| it.are_one_cluster(&["b", "c"]));
    cluster.crash("b");
    cluster.hold_answers("a", false);
    cluster.run_for(20 * SECOND);
    cluster
}

// Clauses: FORM-7, FORM-8
#[test]
fn an_exemption_asks_for_a_second_listing() {
    let cluster = an_exempt_pod_founds_meanwhile(None);
    sound(&cluster);
    assert_eq!(cluster.standing_of("a"), "newcomer");
    assert_eq!(cluster.clusters(), 1, "{:?}", cluster.standings());
}

// Clauses: FORM-3, FORM-13
#[test]
fn nobody_founds_while_the_store_cannot_be_listed() {
    let mut cluster = Cluster::new(world(None));
    cluster.api(ApiFaults {
        listing_fails_percent: 100,
        ..ApiFaults::default()
    });
    cluster.start("p-0");
    founds_nothing(&mut cluster, "p-0", 60 * SECOND);

    cluster.api(ApiFaults::default());

    wait_for(&mut cluster, &["p-0"]);
    assert_eq!(
        cluster.ring_of("p-0").map(discovery_tcp::ring::Ring::phase),
        Some(PhaseKind::Member)
    );
}

// Clauses: FORM-3, LINK-3
#[test]
fn a_foreign_process_speaks_for_no_pod_but_its_own() {
    // C48: the addresses of a machine are dealt anew, and A's listing holds the old one of B.
    let mut own = world(None);
    own.climate.reuses_addresses = true;
    let mut cluster = Cluster::new(own);
    cluster.start("b");
    wait_for(&mut cluster, &["b"]);
    cluster.give_address_to_foreign("b", "x");
    cluster.run_for(SECOND);
    cluster.start("a");
    cluster.run_for(20 * SECOND);

    sound(&cluster);
    assert_eq!(cluster.clusters(), 1, "{:?}", cluster.standings());
}

// Clauses: FORM-7, FORM-8
#[test]
fn what_was_seen_of_a_pod_before_it_ran_once_more_is_forgotten() {
    // C50: B crashes, and once more while A waits for X; by the first look it is never exempt again.
    let mut cluster = Cluster::new(world(None));
    cluster.restart_containers(false, (MS, MS));
    cluster.start("b");
    cluster.start_hung("x");
    cluster.run_for(MS);
    cluster.start("a");
    cluster.run_for(10 * MS);
    cluster.crash("b");
    cluster.run_for(2 * SECOND);
    for (from, to) in [("a", "b"), ("b", "a")] {
        cluster.way(from, to, Some(Passage::Refusing));
    }
    cluster.start_container("b");
    cluster.run_for(500 * MS);
    cluster.crash("b");
    cluster.unwant("x");
    cluster.force_delete("x");

    wait(&mut cluster, "A founds", |it| it.are_one_cluster(&["a"]));
}
