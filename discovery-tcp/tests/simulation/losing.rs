//! Losing the majority: what changes, what does not, and meeting it again (STAND).

use crate::stage::{SECOND, members, sound, versions_since, wait};

// Clauses: TAKE-2, STAND-2
#[test]
fn a_majority_that_meets_again_need_not_finish_a_recovery() {
    // Each began a recovery while it was alone, and none can finish it: p-3 is neither seen nor
    // proven dead. Three of four are a majority all the same.
    let mut cluster = members(None, 4);
    cluster.partition(&[&["p-0"], &["p-1"], &["p-2"], &["p-3"]]);
    cluster.run_for(20 * SECOND);
    cluster.open_all_ways();
    cluster.isolate("p-3");

    let goes_on = cluster.run_until(SECOND, |it| it.are_one_cluster(&["p-0", "p-1", "p-2"]));

    sound(&cluster);
    assert!(goes_on, "{}", cluster.standings().join("\n"));
}

// Clauses: STAND-1, STAND-2
#[test]
fn a_lost_quorum_changes_the_status_and_nothing_else() {
    // R4: all ways are cut for a minute.
    let pods = ["p-0", "p-1", "p-2", "p-3", "p-4"];
    let mut cluster = members(None, 5);
    let before = (
        cluster.agreed().map(discovery_core::Topology::id),
        cluster.now(),
    );
    let ids: Vec<_> = pods.iter().map(|pod| cluster.node_of(pod)).collect();
    cluster.partition(&[&["p-0"], &["p-1"], &["p-2"], &["p-3"], &["p-4"]]);
    cluster.run_for(60 * SECOND);
    for pod in pods {
        assert!(
            cluster.standing_of(pod).starts_with("without quorum"),
            "{pod}"
        );
        assert_eq!(versions_since(&cluster, pod, before.1), 0);
    }

    cluster.open_all_ways();
    wait(&mut cluster, "one cluster", |it| it.agreed().is_some());

    let cluster_id = cluster.agreed().map(discovery_core::Topology::cluster_id);
    assert_eq!(cluster_id, before.0.map(|it| it.cluster_id));
    let kept = pods
        .iter()
        .zip(ids)
        .filter(|(pod, id)| cluster.node_of(pod) == *id);
    assert!(kept.count() >= 3, "most keep their node id");
}

// Clauses: DECIDE-5, RECOVER-6
#[test]
fn a_minority_never_decides_however_long_it_waits() {
    // R6.
    let mut cluster = members(None, 5);
    cluster.partition(&[&["p-0", "p-1"], &["p-2", "p-3", "p-4"]]);
    let since = cluster.now();
    cluster.run_for(120 * SECOND);

    sound(&cluster);
    assert_eq!(versions_since(&cluster, "p-0", since), 0);
    assert!(cluster.are_one_cluster(&["p-2", "p-3", "p-4"]));
}
