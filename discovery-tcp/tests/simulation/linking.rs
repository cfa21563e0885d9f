//! Links and the limits on them, and the epoch that every ask carries (LINK, ANSWER).

use std::cell::RefCell;
use std::rc::Rc;

use discovery_core::{Epoch, ResourceVersion};
use discovery_tcp::message::{Message, WireRange};
use discovery_tcp::ring::{LastingCause, Ring, TurnedAwayCause};
use discovery_tcp::sim::{Cluster, Fate};

use crate::stage::{LONG, MS, SECOND, members, sound, versions_since, wait_for, world};

fn links(cluster: &Cluster, pod: &str) -> usize {
    cluster.ring_of(pod).map_or(0, |ring| ring.status().links)
}

// Clauses: LINK-4
#[test]
fn two_links_of_a_pair_become_one_and_losing_one_is_no_evidence() {
    let mut cluster = members(None, 2);
    let has_two = cluster.run_until(LONG, |it| links(it, "p-0") == 2);
    assert!(has_two, "both have dialled: {:?}", cluster.standings());
    let since = cluster.now();

    cluster.run_until(60 * SECOND, |it| links(it, "p-0") == 1);

    sound(&cluster);
    assert_eq!((links(&cluster, "p-0"), links(&cluster, "p-1")), (1, 1));
    assert_eq!(versions_since(&cluster, "p-0", since), 0);
    let suspicions = cluster.ring_of("p-0").map(|ring| ring.status().suspicions);
    assert!(suspicions.is_some_and(|it| it.is_empty()));
}

// Clauses: LINK-6
#[test]
fn at_the_limit_of_links_the_newest_is_refused_and_counted() {
    let mut cluster = Cluster::new(world(None));
    let mut config = cluster.config().clone();
    config.links_max = 2;
    cluster.start_with("p-0", config);
    for pod in ["p-1", "p-2", "p-3", "p-4"] {
        cluster.start(pod);
    }
    let end = cluster.now() + 10 * SECOND;
    while cluster.now() < end {
        cluster.run_for(10 * MS);
        let links = links(&cluster, "p-0");
        assert!(links <= 2, "{links} links");
    }

    let refused = cluster
        .ring_of("p-0")
        .map(|ring| ring.counters().links_refused);
    assert!(refused.is_some_and(|refused| refused > 0), "{refused:?}");
}

// Clauses: ANSWER-1, FORM-9
#[test]
fn an_epoch_is_the_listing_that_every_ask_carried() {
    let mut cluster = Cluster::new(world(None));
    let asked = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&asked);
    cluster.intercept(move |passing| {
        match passing.message {
            Message::Defer(it) => seen.borrow_mut().push(Some(it.resource_version)),
            Message::RecoverAsk(it) => seen.borrow_mut().push(it.resource_version),
            _ => {}
        }
        Fate::Pass
    });
    let is_of_an_ask = |cluster: &Cluster, asked: &[Option<ResourceVersion>]| {
        let epoch = cluster.agreed().map(discovery_core::Topology::epoch);
        assert!(!asked.is_empty());
        assert!(asked.iter().all(Option::is_some), "{asked:?}");
        asked
            .iter()
            .flatten()
            .any(|it| Some(Epoch::from(*it)) == epoch)
    };
    for pod in ["p-0", "p-1", "p-2", "p-3"] {
        cluster.start(pod);
    }
    wait_for(&mut cluster, &["p-0", "p-1", "p-2", "p-3"]);
    assert!(is_of_an_ask(&cluster, &asked.take()));

    for gone in ["p-2", "p-3"] {
        cluster.unwant(gone);
        cluster.force_delete(gone);
    }
    wait_for(&mut cluster, &["p-0", "p-1"]);
    assert!(is_of_an_ask(&cluster, &asked.take()));
}

// Clauses: CUT-6, CUT-7
#[test]
fn who_cannot_dial_for_want_of_sockets_accuses_nobody_and_dials_once_it_can() {
    let mut cluster = members(None, 5);
    let before = cluster.now();
    for pod in ["p-1", "p-2"] {
        cluster.starve_of_sockets(pod, true);
    }
    cluster.break_links("p-1", "p-2", true);
    let suspicions = |it: &Cluster| -> usize {
        let rings = ["p-1", "p-2"].map(|pod| it.ring_of(pod));
        let held = rings.map(|ring| ring.map_or(9, |it| it.status().suspicions.len()));
        held.iter().sum()
    };
    let is_any_held = cluster.run_until(30 * SECOND, |it| suspicions(it) > 0);
    sound(&cluster);
    assert!(!is_any_held);
    assert_eq!((links(&cluster, "p-1"), links(&cluster, "p-2")), (3, 3));

    for pod in ["p-1", "p-2"] {
        cluster.starve_of_sockets(pod, false);
    }
    let are_linked = cluster.run_until(SECOND, |it| links(it, "p-1") >= 4);
    sound(&cluster);
    assert!(are_linked);
    assert_eq!(versions_since(&cluster, "p-0", before), 0);
}

const fn speaks(min: u16, max: u16) -> WireRange {
    WireRange { min, max }
}

/// Why the ring in a pod is refused for good, and by whom.
fn refused(cluster: &Cluster, pod: &str) -> Option<(LastingCause, String)> {
    let refused = cluster.ring_of(pod)?.status().refused?;
    Some((refused.cause, refused.by.name().to_string()))
}

/// Whom the ring in a pod turned away lately for what lasts.
fn turned_away(cluster: &Cluster, pod: &str) -> Vec<(String, LastingCause)> {
    let status = cluster.ring_of(pod).map(Ring::status);
    let turned = status.into_iter().flat_map(|status| status.turned_away);
    let lasting = turned.filter_map(|it| match it.cause {
        TurnedAwayCause::Lasting(cause) => Some((it.node.name().to_string(), cause)),
        _ => None,
    });
    lasting.collect()
}

fn wire_refusals(cluster: &Cluster, pod: &str) -> u64 {
    let counters = cluster.ring_of(pod).map(|ring| ring.counters().clone());
    let refused = counters.and_then(|it| it.greetings_refused.get("wire_version").copied());
    refused.unwrap_or(0)
}

// Clauses: LINK-1
#[test]
fn builds_whose_wire_versions_overlap_are_one_cluster_old_and_new_side_by_side() {
    // An upgrade by one version and by two: each has one in common with each.
    let mut cluster = Cluster::new(world(None));
    for (pod, wire) in [("p-0", (1, 2)), ("p-1", (2, 2)), ("p-2", (2, 4))] {
        cluster.start_speaking(pod, speaks(wire.0, wire.1));
    }
    wait_for(&mut cluster, &["p-0", "p-1", "p-2"]);
    cluster.start_speaking("q", speaks(1, 3));
    wait_for(&mut cluster, &["p-0", "p-1", "p-2", "q"]);

    cluster.publish("q", b"from another build");
    let has_it = |it: &Cluster, pod: &str| {
        let told = |told: &discovery_tcp::sim::Told| {
            matches!(&told.notice, discovery_tcp::ring::Notice::Message(_))
        };
        it.told_at(pod).any(told)
    };
    let pods = ["p-0", "p-1", "p-2", "q"];
    let is_told = cluster.run_until(SECOND, |it| pods.iter().all(|pod| has_it(it, pod)));
    sound(&cluster);
    assert!(is_told);
    assert_eq!(pods.map(|pod| wire_refusals(&cluster, pod)), [0; 4]);
}

// Clauses: LINK-2
#[test]
fn newcomers_without_a_common_wire_version_tell_each_other_both_ranges_and_found_nothing() {
    let mut cluster = Cluster::new(world(None));
    let (old, new) = (speaks(1, 2), speaks(3, 4));
    cluster.start_speaking("old", old);
    cluster.start_speaking("new", new);
    cluster.run_for(20 * SECOND);

    sound(&cluster);
    assert_eq!(cluster.clusters(), 0);
    for (pod, other, ours, theirs) in [("old", "new", old, new), ("new", "old", new, old)] {
        let cause = LastingCause::WireVersion { ours, theirs };
        assert_eq!(refused(&cluster, pod), Some((cause, other.to_owned())));
        assert!(wire_refusals(&cluster, pod) > 0, "{pod}");
    }
}

// Clauses: LINK-2
#[test]
fn a_joiner_without_a_common_wire_version_is_refused_and_changes_nothing() {
    let mut cluster = members(None, 3);
    let before = cluster.now();
    let ours = speaks(2, 3);
    cluster.start_speaking("q", ours);
    cluster.run_for(20 * SECOND);

    sound(&cluster);
    let theirs = discovery_tcp::ring::WIRE;
    let (cause, by) = refused(&cluster, "q").expect("it knows why");
    assert_eq!(cause, LastingCause::WireVersion { ours, theirs });
    assert!(wire_refusals(&cluster, &by) > 0, "{by}");
    let turned = LastingCause::WireVersion {
        ours: theirs,
        theirs: ours,
    };
    assert_eq!(turned_away(&cluster, &by), [("q".to_owned(), turned)]);
    assert!(cluster.are_one_cluster(&["p-0", "p-1", "p-2"]));
    assert_eq!(versions_since(&cluster, "p-0", before), 0);
}
