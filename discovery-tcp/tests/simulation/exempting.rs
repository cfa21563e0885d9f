//! Who is listed and does not answer: when it is exempt, and who speaks for its address (FORM-7,
//! FORM-8, LINK-3).

use discovery_tcp::ring::Bug;
use discovery_tcp::sim::{Cluster, Passage, WatchFault};

use crate::stage::{MS, SECOND, sound, wait, wait_for, world};

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
    cluster.run_for(SECOND);
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
