//! The last events, for subscribers who come back with the version they have seen. What is no
//! longer kept, or was cut by a new epoch, is a gap that a fresh snapshot fills.

use std::collections::VecDeque;

use crate::event::TopologyEvent;
use crate::version::{Epoch, TopologyId, TopologyVersion};

/// How many events a history keeps unless told otherwise.
pub const HISTORY_MAX: usize = 1000;

/// Why the events since some topology cannot be told one by one: take the present topology instead
/// and go on from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryGap {
    /// It is a topology of another cluster.
    #[error("{since} is of another cluster than {latest}")]
    OtherCluster {
        /// What was asked for.
        since: TopologyId,
        /// Where the history is.
        latest: TopologyId,
    },
    /// It is of another epoch; what was decided in the old one may have been taken back (RECOVER).
    #[error("epoch {since} is not epoch {latest}, the one in force")]
    OtherEpoch {
        /// The epoch asked for.
        since: Epoch,
        /// The epoch in force.
        latest: Epoch,
    },
    /// The events that follow it are no longer kept.
    #[error("the events since version {since} are gone; the oldest kept starts at {oldest}")]
    TooOld {
        /// The version asked for.
        since: TopologyVersion,
        /// The oldest version that can be resumed from.
        oldest: TopologyVersion,
    },
    /// It has not been reached here.
    #[error("version {since} is ahead of version {latest}")]
    Ahead {
        /// The version asked for.
        since: TopologyVersion,
        /// The version reached.
        latest: TopologyVersion,
    },
}

/// The event does not follow the last one. Nothing was changed; start the history over where the
/// event leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the event follows {previous}, but the history is at {latest}")]
pub struct NotNext {
    /// What the event follows.
    pub previous: TopologyId,
    /// Where the history is.
    pub latest: TopologyId,
}

/// The newest events of one epoch of one cluster, at most as many as its limit.
#[derive(Clone, Debug)]
pub struct History {
    latest: TopologyId,
    events: VecDeque<TopologyEvent>,
    events_max: usize,
}

impl History {
    /// A history that starts at this topology and keeps up to [`HISTORY_MAX`] events.
    pub fn starting_at(latest: TopologyId) -> Self {
        Self::keeping(HISTORY_MAX, latest)
    }

    /// A history that starts at this topology and keeps up to `events_max` events; with zero,
    /// nobody can resume but from the latest topology.
    pub fn keeping(events_max: usize, latest: TopologyId) -> Self {
        Self {
            latest,
            events: VecDeque::new(),
            events_max,
        }
    }

    /// The topology after the newest event.
    pub fn latest(&self) -> TopologyId {
        self.latest
    }

    /// Adds the next event; the oldest goes if there are too many. An event that opens an epoch
    /// drops all, itself included, since nobody may resume across it.
    ///
    /// # Errors
    ///
    /// If the event does not follow the latest topology.
    pub fn push(&mut self, event: TopologyEvent) -> Result<(), NotNext> {
        if event.previous != self.latest {
            let (previous, latest) = (event.previous, self.latest);
            return Err(NotNext { previous, latest });
        }
        self.latest = event.topology.id();
        if event.epoch_changed {
            self.events.clear();
            return Ok(());
        }
        self.events.push_back(event);
        if self.events.len() > self.events_max {
            self.events.pop_front();
        }
        Ok(())
    }

    /// The events after this topology, the oldest first; none if it is the latest.
    ///
    /// # Errors
    ///
    /// If they cannot be told one by one.
    pub fn since(
        &self,
        since: TopologyId,
    ) -> Result<impl ExactSizeIterator<Item = &TopologyEvent>, HistoryGap> {
        let latest = self.latest;
        if since.cluster_id != latest.cluster_id {
            return Err(HistoryGap::OtherCluster { since, latest });
        }
        if since.epoch != latest.epoch {
            let (since, latest) = (since.epoch, latest.epoch);
            return Err(HistoryGap::OtherEpoch { since, latest });
        }
        let (since, latest) = (since.version, latest.version);
        if since > latest {
            return Err(HistoryGap::Ahead { since, latest });
        }
        // Versions have no holes, so the events to tell are the last `missed` ones.
        let missed = latest.get() - since.get();
        match usize::try_from(missed)
            .ok()
            .and_then(|missed| self.events.len().checked_sub(missed))
        {
            Some(skip) => Ok(self.events.range(skip..)),
            None => Err(HistoryGap::TooOld {
                since,
                oldest: self.oldest(),
            }),
        }
    }

    /// The oldest version that can be resumed from.
    fn oldest(&self) -> TopologyVersion {
        self.events
            .front()
            .map_or(self.latest, |event| event.previous)
            .version
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
