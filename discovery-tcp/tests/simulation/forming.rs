//! Formation: who founds, by which listing, and who is admitted then (FORM, JOIN).

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use discovery_tcp::Moment;
use discovery_tcp::message::{Message, PhaseKind};
use discovery_tcp::ring::{Bug, Notice};
use discovery_tcp::sim::{ApiFaults, Cluster, Fate, World};

use crate::stage::{LONG, MS, SECOND, members, sound, wait, wait_for, world};

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

/// Whether this is a process of that pod, and not its first one.
fn is_later_run(label: &str, pod: &str) -> bool {
    let run = label.rsplit_once('.');
    run.is_some_and(|(name, run)| name == pod && run != "1")
}

// Clauses: FORM-2
#[test]
fn a_crash_looping_newcomer_ranks_last() {
    // F10: it starts again and again, and the others found all the same. Until it has, no grant
    // comes through.
    for seed in 0..5 {
        let mut own = world(None);
        own.seed = seed;
        let mut cluster = Cluster::new(own);
        cluster.restart_containers(true, (20 * MS, 30 * MS));
        let later_asks = Rc::new(Cell::new(0));
        let seen = Rc::clone(&later_asks);
        cluster.intercept(move |passing| match passing.message {
            Message::Defer(_) if is_later_run(passing.from.label(), "x") => {
                seen.set(seen.get() + 1);
                Fate::Pass
            }
            Message::Granted(_) if passing.now < Moment::START + 2 * SECOND => Fate::Lose,
            _ => Fate::Pass,
        });
        for pod in ["p-0", "p-1", "p-2", "x"] {
            cluster.start(pod);
        }
        let end = cluster.now() + LONG;
        let mut crashes = 0;
        while cluster.clusters() == 0 && cluster.now() < end {
            cluster.run_for(250 * MS);
            cluster.crash("x");
            crashes += 1;
        }
        sound(&cluster);
        assert_eq!(cluster.clusters(), 1, "seed {seed}");
        assert!(crashes >= 5, "seed {seed}: {crashes} crashes");
        let asks = later_asks.get();
        assert_eq!(asks, 0, "seed {seed}: a later run asked others to defer");
    }
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
    // F14: twenty at once; the store is listed again and again for one or two of them.
    let mut cluster = Cluster::new(world(None));
    for number in 0..20 {
        cluster.start(&format!("p-{number}"));
    }
    wait(&mut cluster, "one cluster", |it| it.agreed().is_some());

    // Everybody lists twice as it starts, before it has heard of anybody; members look for their own
    // entry in rounds of the last number.
    let look = format!("listing {}", u64::MAX);
    let trace = cluster.trace().to_string();
    let asks = trace
        .lines()
        .filter(|line| line.contains("-> ask for listing"));
    let mut listings: BTreeMap<&str, usize> = BTreeMap::new();
    for line in asks.filter(|line| !line.ends_with(&look)) {
        let label = line.split_whitespace().nth(1).expect("who asks");
        *listings.entry(label).or_default() += 1;
    }
    let candidates = listings.values().filter(|times| **times > 2).count();
    assert!((1..=2).contains(&candidates), "{listings:?}");
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
