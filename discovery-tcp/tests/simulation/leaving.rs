//! Leaving: announced, decided, and nobody is suspected (LEAVE).

use std::cell::Cell;
use std::rc::Rc;

use discovery_tcp::message::{Decision, Message};
use discovery_tcp::ring::Notice;
use discovery_tcp::sim::Cluster;

use crate::stage::{
    MS, SECOND, failed_since, is_between, lose, members, members_of, sound, told_since, wait,
    wait_for, world,
};

/// Whether it proposes a change.
fn is_change(message: &Message) -> bool {
    let is_change = |entry: &std::sync::Arc<Decision>| matches!(&**entry, Decision::Change(_));
    matches!(message, Message::Propose(it) if it.entries.iter().any(is_change))
}

// Clauses: DECIDE-5, LEAVE-3
#[test]
fn the_one_who_stays_knows_of_the_leave_by_its_own_acceptance() {
    // B5: what p-0 says after its proposal is lost.
    let mut cluster = members(None, 2);
    let before = cluster.now();
    lose(&mut cluster, |passing, message| {
        let is_kept = is_change(message) || matches!(message, Message::Heartbeat(_));
        is_between(passing, "p-0", "p-1") && !is_kept
    });
    cluster.leave("p-0");

    wait_for(&mut cluster, &["p-1"]);
    assert_eq!(failed_since(&cluster, "p-1", before), Vec::<String>::new());
}

// Clauses: LEAVE-2, LEAVE-3, DECIDE-10
#[test]
fn all_leavers_that_are_known_go_in_one_change() {
    // Without the coordinator, and with it.
    for leavers in [["p-2", "p-3", "p-4"], ["p-0", "p-3", "p-4"]] {
        let mut cluster = members(None, 5);
        let since = cluster.now();
        // A join is not accepted yet; they become known while it is undecided.
        let is_proposed = Rc::new(Cell::new(false));
        let seen = Rc::clone(&is_proposed);
        lose(&mut cluster, move |_, message| {
            seen.set(seen.get() || is_change(message));
            seen.get() && matches!(message, Message::Accepted(_))
        });
        cluster.start("q");
        assert!(cluster.run_until(SECOND, |_| is_proposed.get()));
        for leaver in leavers {
            cluster.leave(leaver);
        }
        cluster.run_for(10 * MS);
        cluster.intercept_nothing();
        let stays = ["p-0", "p-1", "p-2", "q"].map(|pod| (pod, !leavers.contains(&pod)));
        let stays: Vec<&str> = stays.iter().filter(|it| it.1).map(|it| it.0).collect();
        wait_for(&mut cluster, &stays);

        let told = told_since(&cluster, "p-1", since);
        let left = told.iter().filter_map(|notice| match notice {
            Notice::Changed(event) => Some(event.left.len()),
            _ => None,
        });
        assert_eq!(left.collect::<Vec<usize>>(), [0, 3], "{leavers:?}");
        assert_eq!(failed_since(&cluster, "p-1", since), Vec::<String>::new());
    }
}

// Clauses: LEAVE-4
#[test]
fn the_last_member_admits_whoever_knocks_before_it_goes() {
    // W6: a rollout of one replica keeps its cluster.
    let mut cluster = members(None, 1);
    let epoch = cluster
        .topology_of("p-0")
        .map(discovery_core::Topology::epoch);
    // q knocks, and is not admitted because no slice names it yet.
    cluster.make_by_hand("q");
    cluster.start_container("q");
    cluster.run_for(SECOND);
    cluster.unwant("p-0");
    cluster.delete("p-0");
    cluster.list("q");

    wait_for(&mut cluster, &["q"]);

    assert_eq!(
        cluster
            .topology_of("q")
            .map(discovery_core::Topology::epoch),
        epoch
    );
}

// Clauses: LEAVE-1, LEAVE-3, LEAVE-5
#[test]
fn a_coordinator_that_leaves_is_suspected_by_nobody() {
    // A6.
    let mut cluster = members(None, 5);
    let before = cluster.now();
    cluster.leave("p-0");
    wait_for(&mut cluster, &["p-1", "p-2", "p-3", "p-4"]);
    assert_eq!(failed_since(&cluster, "p-1", before), Vec::<String>::new());
}

fn roll(cluster: &mut Cluster, pods: &[&str]) {
    for pod in pods {
        cluster.delete(pod);
        cluster.run_for(100 * MS);
        wait(cluster, "the new pod is in", |it| it.agreed().is_some());
    }
}

// Clauses: LEAVE-1, LEAVE-5
#[test]
fn a_rolling_restart_suspects_nobody_and_takes_two_versions_a_pod() {
    let pods = ["p-2", "p-1", "p-0"];
    let mut cluster = members(None, 3);
    let version = |it: &Cluster| it.agreed().map(|it| it.version().get()).unwrap_or_default();
    let (before, since) = (version(&cluster), cluster.now());

    roll(&mut cluster, &pods);

    sound(&cluster);
    let versions = version(&cluster) - before;
    assert!(versions <= 6, "{versions} versions");
    assert_eq!(failed_since(&cluster, "p-0", since), Vec::<String>::new());
}

// Clauses: LEAVE-1, STAND-2
#[test]
fn a_leave_ends_though_the_leaver_is_told_of_its_removal_by_a_whole_topology() {
    // C66: p-2 leaves, an operator removes it, and it hears of that when no history goes back as far.
    let mut own = world(None);
    own.config.history_max = 8;
    let mut cluster = members_of(own, 3);
    lose(&mut cluster, |passing, message| {
        let is_told = matches!(message, Message::Propose(_) | Message::Decided(_));
        let asks = matches!(message, Message::Leave(_) | Message::Fetch(_));
        is_told && passing.to.label() == "p-2.1" || asks && passing.from.label() == "p-2.1"
    });
    let id = cluster.node_of("p-2").expect("it runs");
    let process = cluster.process_of("p-2");
    cluster.unwant("p-2");
    cluster.leave("p-2");
    cluster.remove("p-0", id);
    for number in 0_u64..40 {
        cluster.publish("p-1", &number.to_be_bytes());
        cluster.run_for(10 * MS);
    }
    cluster.intercept_nothing();
    cluster.run_for(5 * SECOND);

    sound(&cluster);
    let told = cluster.told().iter();
    let mut told = told.filter(|told| Some(told.process) == process);
    assert!(
        told.any(|told| matches!(&told.notice, Notice::Left(Ok(())))),
        "{:?}",
        cluster.standings()
    );
}
