//! What is seen while a listing is under way was not seen before it (FORM-7).

use discovery_tcp::sim::{Cluster, WatchFault};

use crate::stage::{MS, SECOND, sound, wait_for, world};

// Clauses: FORM-7
#[test]
fn who_turned_foreign_while_the_listing_was_under_way_may_have_founded_before() {
    let mut own = world(None);
    own.climate.api_delay = (50 * MS, 50 * MS);
    let mut cluster = Cluster::new(own);
    cluster.restart_containers(false, (MS, MS));
    cluster.start("b");
    wait_for(&mut cluster, &["b"]);
    cluster.make_by_hand("a");
    cluster.list("a");
    // It dials B in vain, and lists all the same.
    cluster.partition(&[&["a"], &["b"]]);
    cluster.start_container("a");
    cluster.run_for(300 * MS);
    cluster.write();
    cluster.hold_answers("a", true);
    cluster.watch("a", WatchFault::Silent);
    cluster.run_for(3 * SECOND);
    // A's listing is made, and on its way. C is not in it, and joins B, which ends.
    cluster.start("c");
    cluster.partition(&[&["a"], &["c"]]);
    cluster.run_until(2 * SECOND, |it| it.are_one_cluster(&["b", "c"]));
    cluster.crash("b");
    cluster.turn_foreign("b");
    cluster.start_container("b");
    cluster.way("a", "b", None);
    cluster.way("b", "a", None);
    cluster.run_for(2 * SECOND);
    cluster.hold_answers("a", false);
    cluster.run_for(5 * SECOND);

    sound(&cluster);
    // B's next process is a cluster of another name.
    assert_eq!(cluster.standing_of("a"), "newcomer");
}
