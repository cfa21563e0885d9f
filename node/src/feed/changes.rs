//! The last topologies, changes and standings of a node, for readers at different places.

use std::collections::VecDeque;
use std::sync::Arc;

use discovery_core::{
    Delivery, SnapshotCause, Standing, Topology, TopologyEvent, TopologyId, UnixMillis,
};
use tokio::sync::watch;

use super::{Inner, now};

/// What a reader is told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Told {
    /// Go on from here; what was told before does not count.
    Snapshot(Topology, SnapshotCause),
    /// The next change.
    Changed(Arc<TopologyEvent>),
    /// The node stands otherwise.
    Standing(Standing),
}

/// What is kept, numbered without holes.
#[derive(Debug)]
pub(super) struct Changes {
    kept: VecDeque<(UnixMillis, Told)>,
    /// The number of the first that is kept.
    first: u64,
    kept_max: usize,
    topology: Option<Topology>,
    standing: Standing,
}

/// Where a reader is.
#[derive(Debug)]
pub(super) struct Place {
    /// What it is told before anything that is kept.
    begin: VecDeque<Told>,
    /// The number of the next one.
    next: u64,
    /// Standings below this number are old news.
    stands_from: u64,
    /// What it has heard elsewhere: another node may be further than this one.
    heard: Option<TopologyId>,
}

impl Changes {
    pub(super) fn new(kept_max: usize) -> Self {
        Self {
            kept: VecDeque::new(),
            first: 0,
            kept_max,
            topology: None,
            standing: Standing::NotYetMember {
                waiting_for: Arc::from("its start"),
            },
        }
    }

    fn end(&self) -> u64 {
        self.first + u64::try_from(self.kept.len()).unwrap_or(u64::MAX)
    }

    /// Adds what was delivered.
    pub(super) fn add(&mut self, delivery: &Delivery) {
        let told = match delivery {
            Delivery::Snapshot { topology, cause } => {
                self.topology = Some(topology.clone());
                Told::Snapshot(topology.clone(), *cause)
            }
            Delivery::Changed(event) => {
                self.topology = Some(event.topology.clone());
                Told::Changed(Arc::new(event.clone()))
            }
            Delivery::Standing(standing) => {
                let is_told = standing.as_str() == self.standing.as_str();
                self.standing = standing.clone();
                if is_told {
                    return;
                }
                Told::Standing(standing.clone())
            }
            // Messages are kept apart, and what may yet be added is not told.
            _ => return,
        };
        self.kept.push_back((now(), told));
        if self.kept.len() > self.kept_max {
            self.kept.pop_front();
            self.first += 1;
        }
    }

    /// Nothing follows; it stands so from now on, unless it has said already how it ended.
    pub(super) fn end_as(&mut self, standing: Standing) {
        if !self.standing.is_over() {
            self.add(&Delivery::Standing(standing));
        }
    }

    /// Where a reader begins who was told this topology last, or nothing.
    pub(super) fn begin(&self, from: Option<TopologyId>) -> Place {
        let mut begin = VecDeque::from([Told::Standing(self.standing.clone())]);
        let (mut next, mut heard) = (self.end(), None);
        match (&self.topology, from) {
            (None, from) => heard = from,
            (Some(topology), None) => {
                begin.push_back(Told::Snapshot(topology.clone(), SnapshotCause::Start));
            }
            (Some(topology), Some(from)) if from >= topology.id() => heard = Some(from),
            (Some(topology), Some(from)) => {
                if let Some(found) = self.after(from) {
                    next = found;
                } else {
                    let cause = gap(from, topology.id());
                    begin.push_back(Told::Snapshot(topology.clone(), cause));
                }
            }
        }
        Place {
            begin,
            next,
            stands_from: self.end(),
            heard,
        }
    }

    /// The number of the change that follows this topology, if all since are kept as changes.
    fn after(&self, from: TopologyId) -> Option<u64> {
        let mut found = None;
        for (number, (_, told)) in (self.first..).zip(&self.kept) {
            match told {
                // Nobody may resume across it.
                Told::Snapshot(..) => found = None,
                Told::Changed(event) if event.epoch_changed => found = None,
                Told::Changed(event) if event.previous == from => found = Some(number),
                Told::Changed(_) | Told::Standing(_) => {}
            }
        }
        found
    }

    /// The next thing to tell to a reader, if there is any.
    fn next(&self, place: &mut Place) -> Option<(UnixMillis, Told)> {
        if place.next < self.first {
            let topology = self.topology.clone();
            place.begin = VecDeque::from([Told::Standing(self.standing.clone())]);
            let snapshot = topology.map(|topology| Told::Snapshot(topology, SnapshotCause::Behind));
            place.begin.extend(snapshot);
            place.next = self.end();
            place.stands_from = self.end();
            place.heard = None;
        }
        if let Some(told) = place.begin.pop_front() {
            return Some((now(), told));
        }
        while place.next < self.end() {
            let number = place.next;
            place.next += 1;
            let index = usize::try_from(number - self.first).ok()?;
            let (at, told) = self.kept.get(index)?;
            if place.wants(number, told) {
                return Some((*at, told.clone()));
            }
        }
        None
    }
}

impl Place {
    /// Whether a reader has not heard this yet.
    fn wants(&mut self, number: u64, told: &Told) -> bool {
        let told = match told {
            Told::Standing(_) => return number >= self.stands_from,
            Told::Changed(event) => event.topology.id(),
            Told::Snapshot(topology, _) => topology.id(),
        };
        if self.heard.is_some_and(|heard| told <= heard) {
            return false;
        }
        self.heard = None;
        true
    }
}

/// Why a reader who was told `from` cannot be told what happened since.
fn gap(from: TopologyId, latest: TopologyId) -> SnapshotCause {
    if from.cluster_id != latest.cluster_id {
        SnapshotCause::OtherCluster
    } else if from.epoch != latest.epoch {
        SnapshotCause::NewEpoch
    } else {
        SnapshotCause::Behind
    }
}

/// Reads changes.
#[derive(Debug)]
pub(crate) struct ChangeReader {
    inner: Arc<Inner>,
    news: watch::Receiver<u64>,
    place: Place,
}

impl ChangeReader {
    pub(super) fn new(inner: Arc<Inner>, news: watch::Receiver<u64>, place: Place) -> Self {
        Self { inner, news, place }
    }

    /// Waits for the next thing to tell, and says when it was learned; none once the node has
    /// ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: the next call returns it.
    pub(crate) async fn next(&mut self) -> Option<(UnixMillis, Told)> {
        loop {
            self.news.borrow_and_update();
            {
                let state = self.inner.lock();
                if let Some(told) = state.changes.next(&mut self.place) {
                    return Some(told);
                }
                if state.is_over {
                    return None;
                }
            }
            self.news.changed().await.ok()?;
        }
    }
}

#[cfg(test)]
#[path = "changes_tests.rs"]
mod tests;
