//! What a history still tells, and where it says that there is a gap.

use super::*;
use crate::change::TopologyChange;
use crate::samples::{alone, node};
use crate::topology::Topology;
use crate::version::{ClusterId, Epoch, Term};

/// The next event: one more node joins, in a new epoch if one is given.
fn next(topology: &Topology, epoch: Option<Epoch>) -> TopologyEvent {
    let mut change = TopologyChange::of(topology).join(node(topology.next_order().get().into()));
    if let Some(epoch) = epoch {
        change = change.in_epoch(epoch);
    }
    TopologyEvent::decided(topology, &change.build().unwrap(), Term::FIRST).unwrap()
}

/// A history of at most three events after this many, and the topologies from the first on.
fn after(count: usize) -> (History, Vec<Topology>) {
    let mut topologies = vec![alone()];
    let mut history = History::keeping(3, alone().id());
    for _ in 0..count {
        let event = next(topologies.last().unwrap(), None);
        topologies.push(event.topology.clone());
        history.push(event).unwrap();
    }
    (history, topologies)
}

fn versions(history: &History, since: &Topology) -> Result<Vec<u64>, HistoryGap> {
    let events = history.since(since.id())?;
    Ok(events.map(|event| event.topology.version().get()).collect())
}

#[test]
fn the_latest_has_nothing_after_it() {
    let (history, topologies) = after(2);
    assert_eq!(versions(&history, &topologies[2]), Ok(vec![]));
}

#[test]
fn all_events_after_a_version_are_told_in_order() {
    let (history, topologies) = after(3);
    assert_eq!(versions(&history, &topologies[0]), Ok(vec![2, 3, 4]));
    assert_eq!(versions(&history, &topologies[2]), Ok(vec![4]));
}

#[test]
fn what_is_no_longer_kept_is_a_gap_that_names_the_oldest() {
    let (history, topologies) = after(5);
    assert_eq!(versions(&history, &topologies[2]), Ok(vec![4, 5, 6]));
    assert_eq!(
        versions(&history, &topologies[1]),
        Err(HistoryGap::TooOld {
            since: topologies[1].version(),
            oldest: topologies[2].version(),
        })
    );
}

#[test]
fn a_history_that_keeps_nothing_resumes_from_the_latest_alone() {
    let mut history = History::keeping(0, alone().id());
    let event = next(&alone(), None);
    let latest = event.topology.clone();
    history.push(event).unwrap();
    assert_eq!(versions(&history, &latest), Ok(vec![]));
    assert!(matches!(
        versions(&history, &alone()),
        Err(HistoryGap::TooOld { .. })
    ));
}

#[test]
fn another_cluster_is_a_gap_whatever_its_version() {
    let (history, _) = after(2);
    let other = Topology::founded(ClusterId::from_u128(8), Epoch(10), Term::FIRST, node(1));
    assert!(matches!(
        versions(&history, &other.unwrap()),
        Err(HistoryGap::OtherCluster { .. })
    ));
}

#[test]
fn a_new_epoch_is_a_gap_even_for_who_saw_the_version_before_it() {
    let (mut history, topologies) = after(2);
    let event = next(&topologies[2], Some(Epoch(11)));
    let recovered = event.topology.clone();
    history.push(event).unwrap();
    assert_eq!(
        versions(&history, &topologies[2]),
        Err(HistoryGap::OtherEpoch {
            since: Epoch(10),
            latest: Epoch(11)
        })
    );
    let event = next(&recovered, None);
    history.push(event).unwrap();
    assert_eq!(versions(&history, &recovered), Ok(vec![5]));
}

#[test]
fn a_version_that_the_new_epoch_never_had_is_a_gap() {
    let (mut history, topologies) = after(2);
    history.push(next(&topologies[2], Some(Epoch(11)))).unwrap();
    let never = TopologyId {
        epoch: Epoch(11),
        ..topologies[1].id()
    };
    assert!(matches!(
        history.since(never).map(|_| ()),
        Err(HistoryGap::TooOld { .. })
    ));
}

#[test]
fn a_version_not_reached_here_is_a_gap() {
    let (history, topologies) = after(2);
    let ahead = next(&topologies[2], None).topology;
    assert!(matches!(
        versions(&history, &ahead),
        Err(HistoryGap::Ahead { .. })
    ));
}

#[test]
fn an_event_that_does_not_follow_is_refused_and_changes_nothing() {
    let (mut history, topologies) = after(2);
    let stray = next(&topologies[1], None);
    assert_eq!(
        history.push(stray),
        Err(NotNext {
            previous: topologies[1].id(),
            latest: topologies[2].id()
        })
    );
    assert_eq!(versions(&history, &topologies[0]), Ok(vec![2, 3]));
}
