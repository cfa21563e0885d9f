//! What a run has seen of the protocol, so that one sees that the faults bite.

use std::fmt;
use std::ops::AddAssign;

use super::seen::Observation;
use crate::ring::Notice;

/// Plain counts of one run, or of many added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Runs added up.
    pub runs: u64,
    /// Events taken from the schedule.
    pub events: u64,
    /// Messages that reached their process.
    pub messages: u64,
    /// Dials.
    pub dials: u64,
    /// Listings asked for.
    pub listings: u64,
    /// Processes started.
    pub processes: u64,
    /// Clusters founded.
    pub formations: u64,
    /// Topology changes told to applications.
    pub changes: u64,
    /// Members that joined, counted once at each member that was told.
    pub joins: u64,
    /// Members removed, counted likewise.
    pub failures: u64,
    /// Changes that opened an epoch, counted likewise.
    pub epochs: u64,
    /// Terms that somebody led.
    pub terms: u64,
    /// Of those, recoveries.
    pub recoveries: u64,
    /// Recoveries that an operator forced.
    pub forced: u64,
    /// Messages published.
    pub publications: u64,
    /// Of those, reported decided.
    pub published: u64,
    /// Nodes that learned of their removal.
    pub removed: u64,
    /// Faults done.
    pub faults: u64,
    /// Runs that ended, rightly, without one cluster of all.
    pub stuck: u64,
}

impl Coverage {
    pub(crate) fn observed(&mut self, observation: &Observation) {
        match observation {
            Observation::Founded { .. } => self.formations += 1,
            Observation::Leads { recovery, .. } => {
                self.terms += 1;
                self.recoveries += u64::from(*recovery);
            }
            Observation::Promised { .. }
            | Observation::Accepted { .. }
            | Observation::Decided { .. }
            | Observation::ProvenDead { .. }
            | Observation::Exempted { .. } => {}
        }
    }

    pub(crate) fn noticed(&mut self, notice: &Notice) {
        match notice {
            Notice::Changed(event) => {
                self.changes += 1;
                self.joins += count(event.joined.len());
                self.failures += count(event.failed.len());
                self.epochs += u64::from(event.epoch_changed);
            }
            Notice::Published { result, .. } => self.published += u64::from(result.is_ok()),
            Notice::Standing(discovery_core::Standing::Removed { .. }) => self.removed += 1,
            Notice::Standing(_)
            | Notice::Identity(_)
            | Notice::Installed { .. }
            | Notice::Message(_)
            | Notice::Left(_)
            | Notice::MetOtherCluster { .. }
            | Notice::NotListed
            | Notice::Contested(_)
            | Notice::Refused { .. } => {}
        }
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

impl AddAssign for Coverage {
    fn add_assign(&mut self, other: Self) {
        self.runs += other.runs;
        self.events += other.events;
        self.messages += other.messages;
        self.dials += other.dials;
        self.listings += other.listings;
        self.processes += other.processes;
        self.formations += other.formations;
        self.changes += other.changes;
        self.joins += other.joins;
        self.failures += other.failures;
        self.epochs += other.epochs;
        self.terms += other.terms;
        self.recoveries += other.recoveries;
        self.forced += other.forced;
        self.publications += other.publications;
        self.published += other.published;
        self.removed += other.removed;
        self.faults += other.faults;
        self.stuck += other.stuck;
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} runs, {} faults, {} processes, {} formations, {} changes told ({} joins, {} \
             failures, {} epochs), {} removed, {} terms led ({} recoveries, {} forced), {} of {} \
             messages decided, {} rightly stuck; {} events, {} messages, {} dials, {} listings",
            self.runs,
            self.faults,
            self.processes,
            self.formations,
            self.changes,
            self.joins,
            self.failures,
            self.epochs,
            self.removed,
            self.terms,
            self.recoveries,
            self.forced,
            self.published,
            self.publications,
            self.stuck,
            self.events,
            self.messages,
            self.dials,
            self.listings
        )
    }
}
