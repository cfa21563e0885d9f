//! Leaving: announced, decided, and nobody is suspected (LEAVE).

use discovery_tcp::message::{Decision, Message};
use discovery_tcp::sim::Cluster;

use crate::stage::{MS, SECOND, failed_since, is_between, lose, members, sound, wait, wait_for};

// Clauses: DECIDE-5, LEAVE-3
#[test]
fn the_one_who_stays_knows_of_the_leave_by_its_own_acceptance() {
    // B5: what p-0 says after its proposal is lost.
    let mut cluster = members(None, 2);
    let before = cluster.now();
    lose(&mut cluster, |passing, message| {
        let is_leave = match message {
            Message::Propose(it) => it
                .entries
                .iter()
                .any(|entry| matches!(&**entry, Decision::Change(_))),
            _ => false,
        };
        is_between(passing, "p-0", "p-1") && !is_leave && !matches!(message, Message::Heartbeat(_))
    });
    cluster.leave("p-0");

    wait_for(&mut cluster, &["p-1"]);
    assert_eq!(failed_since(&cluster, "p-1", before), Vec::<String>::new());
}

// Clauses: LEAVE-2, LEAVE-4
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
