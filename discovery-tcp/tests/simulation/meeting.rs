//! Two clusters of one name: what each is told, and which of them gives way (MEET).

use discovery_tcp::Merge;
use discovery_tcp::ring::Notice;
use discovery_tcp::sim::Cluster;

use crate::stage::{SECOND, members, members_of, sound, told_since, wait, world};

// Clauses: MEET-1, MEET-3
#[test]
fn two_clusters_of_one_name_report_each_other() {
    // P4.
    let mut cluster = members(None, 2);
    cluster.partition(&[&["p-0"], &["p-1"]]);
    cluster.run_for(5 * SECOND);
    cluster.force_recovery("p-0");
    cluster.force_recovery("p-1");
    wait(&mut cluster, "two clusters", |it| it.clusters() == 2);
    let since = cluster.now();
    cluster.open_all_ways();

    wait(&mut cluster, "they report each other", |it| {
        ["p-0", "p-1"].iter().all(|pod| {
            let told = told_since(it, pod, since);
            told.iter()
                .any(|notice| matches!(notice, Notice::MetOtherCluster { .. }))
        })
    });
}

// Clauses: MEET-3, MEET-4, RECOVER-8
#[test]
fn a_quorum_is_never_dissolved_by_meeting_another_cluster() {
    // R8: an operator forces a minority into a cluster of its own.
    let mut cluster = members(None, 5);
    let cluster_id = cluster
        .topology_of("p-2")
        .map(discovery_core::Topology::cluster_id);
    cluster.partition(&[&["p-0"], &["p-1", "p-2", "p-3", "p-4"]]);
    wait(&mut cluster, "four go on", |it| {
        it.are_one_cluster(&["p-1", "p-2", "p-3", "p-4"])
    });
    let is_without = |it: &Cluster| it.standing_of("p-0").starts_with("without quorum");
    wait(&mut cluster, "p-0 knows that it is cut off", is_without);
    let since = cluster.now();
    cluster.force_recovery("p-0");
    wait(&mut cluster, "one stands alone", |it| {
        it.are_one_cluster(&["p-0"])
    });

    cluster.open_all_ways();
    cluster.run_for(60 * SECOND);

    sound(&cluster);
    assert!(cluster.are_one_cluster(&["p-1", "p-2", "p-3", "p-4"]));
    assert_eq!(
        cluster
            .topology_of("p-2")
            .map(discovery_core::Topology::cluster_id),
        cluster_id
    );
    let met = told_since(&cluster, "p-1", since);
    assert!(
        met.iter()
            .any(|notice| matches!(notice, Notice::MetOtherCluster { .. }))
    );
}

/// An operator splits p-0 and p-1 off, which meet the others and then lose each other: p-0 can never
/// recover, as somebody listed is of another cluster.
fn one_of_two_that_were_split_off(merge: Merge) -> Cluster {
    let mut own = world(None);
    own.config.merge = merge;
    let mut cluster = members_of(own, 5);
    cluster.partition(&[&["p-0", "p-1"], &["p-2", "p-3", "p-4"]]);
    cluster.run_for(10 * SECOND);
    cluster.force_recovery("p-0");
    wait(&mut cluster, "two stand alone", |it| {
        it.are_one_cluster(&["p-0", "p-1"]) && it.are_one_cluster(&["p-2", "p-3", "p-4"])
    });
    cluster.open_all_ways();
    cluster.run_for(30 * SECOND);
    assert!(cluster.are_one_cluster(&["p-0", "p-1"]), "a quorum stays");
    cluster.unwant("p-1");
    cluster.force_delete("p-1");
    cluster.run_for(60 * SECOND);
    sound(&cluster);
    cluster
}

// Clauses: MEET-3, MEET-4
#[test]
fn who_cannot_recover_for_another_cluster_joins_it_if_told_to() {
    let cluster = one_of_two_that_were_split_off(Merge::Auto);
    let names = cluster.members_at("p-2");
    assert_eq!(names, ["p-2", "p-3", "p-4", "p-0"]);
    assert_eq!(cluster.members_at("p-0"), names);

    let cluster = one_of_two_that_were_split_off(Merge::Never);
    assert!(cluster.standing_of("p-0").starts_with("without quorum"));
    assert_eq!(cluster.members_at("p-2").len(), 3);
}
