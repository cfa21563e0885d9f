//! Readers at different places of the changes.

use discovery_core::{
    ClusterId, Epoch, NodeId, NodeInfo, NodeName, Term, TopologyChange, UnixMillis,
};

use super::*;
use crate::config::ServiceLimits;

fn node(bits: u128) -> NodeInfo {
    let name = NodeName::new(format!("n{bits}")).unwrap();
    let address = "10.0.0.1:1".parse().unwrap();
    NodeInfo::new(NodeId::from_u128(bits), name, [address], UnixMillis(0)).unwrap()
}

fn alone(cluster: u128) -> Topology {
    Topology::founded(
        ClusterId::from_u128(cluster),
        Epoch(5),
        Term::FIRST,
        node(1),
    )
    .unwrap()
}

fn joined(before: &Topology) -> TopologyEvent {
    let newcomer = node(u128::from(before.version().get()) + 1);
    let change = TopologyChange::of(before).join(newcomer).build().unwrap();
    TopologyEvent::decided(before, &change, Term::FIRST).unwrap()
}

/// The changes of a node that founded and admitted so many, and all its topologies.
fn grown(kept_max: usize, joins: usize) -> (Changes, Vec<Topology>) {
    let mut changes = Changes::new(kept_max);
    let topology = alone(7);
    changes.add(&Delivery::Snapshot {
        topology: topology.clone(),
        cause: SnapshotCause::Start,
    });
    let standing = Standing::Member {
        topology: topology.clone(),
    };
    changes.add(&Delivery::Standing(standing));
    let mut topologies = vec![topology];
    for _ in 0..joins {
        let event = joined(topologies.last().unwrap());
        topologies.push(event.topology.clone());
        changes.add(&Delivery::Changed(event));
    }
    (changes, topologies)
}

/// Everything that a reader is told now: versions of changes, or what else it is.
fn told(changes: &Changes, place: &mut Place) -> Vec<String> {
    let mut all = Vec::new();
    while let Some((_, told)) = changes.next(place) {
        all.push(match told {
            Told::Snapshot(topology, cause) => format!("{cause:?} {}", topology.version()),
            Told::Changed(event) => event.topology.version().to_string(),
            Told::Standing(standing) => standing.to_string(),
        });
    }
    all
}

#[test]
fn a_reader_without_a_place_gets_a_snapshot_and_what_follows() {
    let (mut changes, topologies) = grown(10, 2);
    let mut place = changes.begin(None);
    assert_eq!(told(&changes, &mut place), ["member", "Start 3"]);
    changes.add(&Delivery::Changed(joined(&topologies[2])));
    assert_eq!(told(&changes, &mut place), ["4"]);
}

#[test]
fn a_reader_who_returns_is_told_what_happened_since_and_no_old_standing() {
    let (changes, topologies) = grown(10, 3);
    let mut place = changes.begin(Some(topologies[0].id()));
    assert_eq!(told(&changes, &mut place), ["member", "2", "3", "4"]);
    let mut place = changes.begin(Some(topologies[3].id()));
    assert_eq!(told(&changes, &mut place), ["member"]);
}

#[test]
fn a_reader_who_comes_back_too_late_or_reads_too_slowly_gets_a_snapshot() {
    let (mut changes, mut topologies) = grown(3, 5);
    let mut late = changes.begin(Some(topologies[0].id()));
    assert_eq!(told(&changes, &mut late), ["member", "Behind 6"]);
    let mut slow = changes.begin(Some(topologies[5].id()));
    for _ in 0..4 {
        let event = joined(topologies.last().unwrap());
        topologies.push(event.topology.clone());
        changes.add(&Delivery::Changed(event));
    }
    assert_eq!(told(&changes, &mut slow), ["member", "Behind 10"]);
    assert_eq!(changes.kept.len(), 3);
}

#[test]
fn a_reader_from_a_node_that_is_further_waits_for_what_it_has_not_heard() {
    let (mut changes, mut topologies) = grown(10, 1);
    let ahead = joined(&joined(&topologies[1]).topology).topology.id();
    let mut place = changes.begin(Some(ahead));
    assert_eq!(told(&changes, &mut place), ["member"]);
    for _ in 0..3 {
        let event = joined(topologies.last().unwrap());
        topologies.push(event.topology.clone());
        changes.add(&Delivery::Changed(event));
    }
    assert_eq!(told(&changes, &mut place), ["5"]);
}

#[test]
fn a_reader_from_another_cluster_gets_a_snapshot_that_says_so() {
    let (changes, _) = grown(10, 1);
    let mut place = changes.begin(Some(alone(8).id()));
    assert_eq!(told(&changes, &mut place), ["member", "OtherCluster 2"]);
}

#[test]
fn a_thousand_readers_of_ten_thousand_changes_see_no_gap_and_keep_nothing_of_their_own() {
    // Given as many readers, each a few changes behind another.
    let kept_max = ServiceLimits::default().history_max;
    let (mut changes, topologies) = grown(kept_max, 0);
    let mut places: Vec<_> = (0..1_000).map(|_| changes.begin(None)).collect();
    let mut seen = vec![0; places.len()];
    let mut topology = topologies[0].clone();
    for version in 2..=10_001 {
        // Joins and leaves in turn, so that topologies stay small.
        let change = match topology.len() {
            1 => TopologyChange::of(&topology).join(node(u128::from(version))),
            _ => TopologyChange::of(&topology).leave(topology.members()[1].id()),
        };
        let event = TopologyEvent::decided(&topology, &change.build().unwrap(), Term::FIRST);
        let event = event.unwrap();
        topology = event.topology.clone();
        changes.add(&Delivery::Changed(event));
        // When a tenth of them reads at each change, the slowest is ten behind.
        for reader in (0..places.len()).filter(|reader| (*reader as u64) % 10 == version % 10) {
            while let Some((_, told)) = changes.next(&mut places[reader]) {
                seen[reader] = match told {
                    Told::Snapshot(topology, cause) => {
                        assert_eq!(cause, SnapshotCause::Start);
                        topology.version().get()
                    }
                    Told::Changed(event) => {
                        assert_eq!(event.previous.version.get(), seen[reader]);
                        event.topology.version().get()
                    }
                    Told::Standing(_) => seen[reader],
                };
            }
        }
    }
    // Then each has seen all but the last few, and what is kept is kept once.
    assert!(seen.iter().all(|version| *version > 9_990));
    assert_eq!(changes.kept.len(), kept_max);
}

#[test]
fn nobody_resumes_across_a_snapshot() {
    let (mut changes, topologies) = grown(10, 2);
    let event = joined(&topologies[2]);
    changes.add(&Delivery::Snapshot {
        topology: event.topology.clone(),
        cause: SnapshotCause::Behind,
    });
    changes.add(&Delivery::Changed(joined(&event.topology)));
    let mut place = changes.begin(Some(topologies[0].id()));
    assert_eq!(told(&changes, &mut place), ["member", "Behind 5"]);
    let mut place = changes.begin(Some(event.topology.id()));
    assert_eq!(told(&changes, &mut place), ["member", "5"]);
}

#[test]
fn who_has_failed_has_not_left() {
    let ended = |last: Option<Standing>| {
        let (mut changes, _) = grown(10, 0);
        let mut place = changes.begin(None);
        if let Some(standing) = last {
            changes.add(&Delivery::Standing(standing));
        }
        changes.end_as(Standing::Left);
        told(&changes, &mut place).pop()
    };
    assert_eq!(ended(None).as_deref(), Some("left"));
    assert_eq!(ended(Some(Standing::Failed)).as_deref(), Some("failed"));
}
