//! Whom the application is told of, and why: accused for long and not removed (CUT-4).

use std::collections::BTreeMap;

use discovery_tcp::ring::Notice;
use discovery_tcp::sim::Cluster;

use crate::stage::{
    SECOND, failed_since, members, pod, sound,
};

/// How often the application in a pod was told that each member is contested.
fn contested_at(cluster: &Cluster, pod: &str) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for told in cluster.told_at(pod) {
        if let Notice::Contested(node) = &told.notice {
            *times.entry(node.name().to_string()).or_default() += 1;
        }
    }
    times
}

// Clauses: CUT-4
#[test]
fn half_and_half_is_told_once_and_removes_nobody() {
    // Two of its four observers do not hear p-4, and it does not hear them.
    let mut cluster = members(None, 5);
    let since = cluster.now();
    cluster.partition(&[&["p-4"], &["p-2", "p-3"]]);
    let limit = cluster.config().silence_limit;
    cluster.run_for(limit + 9 * SECOND);
    assert_eq!(contested_at(&cluster, "p-0"), BTreeMap::new(), "too early");
    cluster.run_for(2 * SECOND);
    let each_once = ["p-2", "p-3", "p-4"].map(|pod| (pod.to_owned(), 1));
    assert_eq!(contested_at(&cluster, "p-0"), BTreeMap::from(each_once));
    cluster.run_for(60 * SECOND);

    sound(&cluster);
    let each_once = ["p-2", "p-3", "p-4"].map(|pod| (pod.to_owned(), 1));
    assert_eq!(contested_at(&cluster, "p-0"), BTreeMap::from(each_once));
    for number in 1..5 {
        let pod = pod(number);
        assert_eq!(contested_at(&cluster, &pod), BTreeMap::new(), "{pod}");
        let failed = failed_since(&cluster, &pod, since);
        assert_eq!(failed, Vec::<String>::new(), "{pod}");
    }
}
