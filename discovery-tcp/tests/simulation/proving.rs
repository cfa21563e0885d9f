//! Death and what proves it: what is gone, what is silent, who has the address now (RECOVER-3).

use discovery_core::ProofRule;
use discovery_tcp::ring::Bug;
use discovery_tcp::sim::Cluster;

use crate::stage::{SECOND, members, members_of, sound, wait_for, waits_for, world};

// Clauses: RECOVER-1, RECOVER-3
#[test]
fn two_members_survive_a_restart_in_place() {
    // R2.
    let mut cluster = members(None, 2);
    let cluster_id = cluster
        .topology_of("p-0")
        .map(discovery_core::Topology::cluster_id);
    cluster.crash("p-1");
    cluster.run_for(SECOND);
    cluster.start_container("p-1");

    wait_for(&mut cluster, &["p-0", "p-1"]);

    assert_eq!(
        cluster
            .topology_of("p-1")
            .map(discovery_core::Topology::cluster_id),
        cluster_id
    );
}

// Clauses: RECOVER-3, RECOVER-4
#[test]
fn a_pod_object_that_is_gone_proves_a_death() {
    // R3.
    let mut cluster = members(None, 2);
    cluster.unwant("p-1");
    cluster.force_delete("p-1");
    wait_for(&mut cluster, &["p-0"]);
}

// Clauses: RECOVER-1, RECOVER-3
#[test]
fn without_proof_nothing_is_recovered() {
    // `proof = off`.
    let mut own = world(None);
    own.config.proof = ProofRule::Off;
    let mut cluster = members_of(own, 2);
    cluster.unwant("p-1");
    cluster.force_delete("p-1");
    cluster.run_for(120 * SECOND);
    sound(&cluster);
    assert!(cluster.standing_of("p-0").starts_with("without quorum"));
    let waits = waits_for(&cluster, "p-0");
    let why = "p-1; a majority, or an operator to force a recovery (no proof of a death counts)";
    assert_eq!(waits, why);
}

/// All members but one fall silent, alive. RECOVER-3.
pub(crate) fn the_silent_are_not_dead(bug: Option<Bug>) -> Cluster {
    let mut cluster = members(bug, 4);
    cluster.partition(&[&["p-0"], &["p-1", "p-2", "p-3"]]);
    cluster.run_for(60 * SECOND);
    cluster
}

// Clauses: RECOVER-3
#[test]
fn silence_proves_no_death() {
    let cluster = the_silent_are_not_dead(None);
    sound(&cluster);
    assert!(cluster.are_one_cluster(&["p-1", "p-2", "p-3"]));
    assert!(cluster.standing_of("p-0").starts_with("without quorum"));
}

/// Another pod answers at the address of a living member that cannot be reached. R5.
pub(crate) fn another_pod_at_the_address(bug: Option<Bug>) -> Cluster {
    let mut own = world(bug);
    own.climate.reuses_addresses = true;
    let mut cluster = members_of(own, 2);
    cluster.isolate("p-1");
    cluster.run_for(3 * SECOND);
    cluster.give_address_of("p-1", "x");
    cluster.run_for(12 * SECOND);
    cluster
}

// Clauses: RECOVER-3
#[test]
fn another_pod_at_the_address_of_a_member_is_not_its_successor() {
    // R5.
    let cluster = another_pod_at_the_address(None);
    sound(&cluster);
    assert!(cluster.standing_of("p-0").starts_with("without quorum"));
}

/// p-1 lives, cannot be reached, and is not listed any more: somebody edited its labels.
pub(crate) fn a_silent_member_is_listed_no_more(bug: Option<Bug>) -> Cluster {
    let mut cluster = members(bug, 2);
    cluster.isolate("p-1");
    if let Some(pod) = cluster.pod_of("p-1") {
        cluster.drop_entry(pod);
    }
    cluster.run_for(30 * SECOND);
    cluster
}

// Clauses: RECOVER-3
#[test]
fn who_is_listed_no_more_is_not_dead() {
    let cluster = a_silent_member_is_listed_no_more(None);
    sound(&cluster);
    assert!(cluster.standing_of("p-0").starts_with("without quorum"));
    let waits = waits_for(&cluster, "p-0");
    assert!(waits.starts_with("p-1; "), "{waits}");
}

/// The same, and another pod has its address.
pub(crate) fn another_pod_answers_for_one_listed_no_more(bug: Option<Bug>) -> Cluster {
    let mut own = world(bug);
    own.climate.reuses_addresses = true;
    let mut cluster = members_of(own, 2);
    cluster.isolate("p-1");
    let gone = cluster.pod_of("p-1");
    cluster.run_for(3 * SECOND);
    cluster.give_address_of("p-1", "x");
    if let Some(pod) = gone {
        cluster.drop_entry(pod);
    }
    cluster.run_for(20 * SECOND);
    cluster
}

// Clauses: RECOVER-3
#[test]
fn another_pod_at_the_address_of_one_listed_no_more_proves_nothing() {
    let cluster = another_pod_answers_for_one_listed_no_more(None);
    sound(&cluster);
    assert!(cluster.standing_of("p-0").starts_with("without quorum"));
}
