//! Two clusters of one name: what each is told, and which of them gives way (MEET).

use discovery_tcp::message::Message;
use discovery_tcp::ring::Notice;
use discovery_tcp::sim::{Cluster, Fate};
use discovery_tcp::{Merge, Recovery};

use crate::stage::{MS, SECOND, is_between, members, members_of, sound, told_since, wait, world};

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

/// p-3 and p-4 hear nobody else, who hear them, and are forced into a cluster of their own. While
/// p-4 is slow to accept that, p-3 is linked to p-1 and p-2 again; p-0 may have decided something
/// that p-3 has not heard.
fn a_split_meets_its_parent_before_it_is_decided(is_behind: bool) -> Cluster {
    let mut own = world(None);
    own.config.silence_limit = 4 * SECOND;
    own.config.recovery = Recovery::Manual;
    let mut cluster = members_of(own, 5);
    for other in ["p-0", "p-1", "p-2"] {
        cluster.cut(other, "p-3");
        cluster.cut(other, "p-4");
    }
    let is_without = |it: &Cluster| it.standing_of("p-3").starts_with("without quorum");
    assert!(cluster.run_until(10 * SECOND, is_without));
    if is_behind {
        cluster.publish("p-0", b"decided without them");
    }
    cluster.run_for(100 * MS);
    cluster.intercept(move |passing| match passing.message {
        Message::Accepted(_) if is_between(passing, "p-4", "p-3") => Fate::Late(700 * MS),
        _ => Fate::Pass,
    });
    cluster.force_recovery("p-3");
    cluster.run_for(50 * MS);
    for other in ["p-1", "p-2"] {
        cluster.way(other, "p-3", None);
        cluster.way(other, "p-4", None);
    }
    cluster.run_for(3 * SECOND);
    sound(&cluster);
    cluster
}

// Clauses: STAND-2, MEET-4, RECOVER-8
#[test]
fn who_has_a_quorum_stays_though_it_is_told_that_others_split_off() {
    let cluster = a_split_meets_its_parent_before_it_is_decided(false);
    for pod in ["p-1", "p-2"] {
        let told = told_since(&cluster, pod, discovery_tcp::Moment::START);
        let is_removed = |notice: &Notice| {
            matches!(
                notice,
                Notice::Standing(discovery_core::Standing::Removed { .. })
            )
        };
        assert!(!told.iter().any(is_removed), "{pod}");
    }
    for pod in ["p-0", "p-1", "p-2"] {
        let term = cluster.ring_of(pod).and_then(|ring| ring.status().term);
        assert_eq!(term, Some(discovery_core::Term::FIRST), "{pod}");
    }
    assert!(
        cluster.are_one_cluster(&["p-3", "p-4"]),
        "{:?}",
        cluster.standings()
    );
}

// Clauses: RECOVER-6, RECOVER-8
#[test]
fn who_learns_more_while_it_splits_off_tells_nobody_that_the_split_is_decided() {
    let cluster = a_split_meets_its_parent_before_it_is_decided(true);
    let told = told_since(&cluster, "p-4", discovery_tcp::Moment::START);
    let splits_off = |notice: &Notice| match notice {
        Notice::Changed(event) => event.previous.cluster_id != event.topology.cluster_id(),
        _ => false,
    };
    assert!(!told.iter().any(splits_off), "{:?}", cluster.standings());
}
