//! Counters and timings of one finder as plain numbers; exporting them is left to the user.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use discovery_core::FinderCause;
use tokio::time::Instant;

/// What one finder has done so far, over all its watches; a snapshot, not a live view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KubeFinderStats {
    /// How long ago the API server last confirmed the set of a watch; `None` before the first time.
    pub last_confirmed: Option<Duration>,
    /// Requests sent to the API server, of every kind.
    pub requests: u64,
    /// How often a watch request was renewed, on time or after a fault (the first is not counted).
    pub watch_restarts: u64,
    /// Audits that were answered.
    pub audits: u64,
    /// Audits that found the watch to have missed something; the stream was then recreated.
    pub divergences: u64,
    /// Clients built in place of one that was given up, to read credentials and CA again. The
    /// first client of each watch and of the finder's own requests is not counted, nor is an
    /// attempt whose credentials could not be read.
    pub client_rebuilds: u64,
    /// Events about slices that were folded, those of listings included.
    pub slice_events: u64,
    /// Census listings that were answered.
    pub censuses: u64,
    /// Errors by cause; a cause that never occurred is absent.
    pub errors: BTreeMap<FinderCause, u64>,
    /// Seeds in the newest known set.
    pub seeds: usize,
}

/// The live numbers behind [`KubeFinderStats`].
#[derive(Debug, Default)]
pub(crate) struct Counters(Mutex<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    stats: KubeFinderStats,
    confirmed_at: Option<Instant>,
}

impl Counters {
    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        // Plain numbers stay usable whatever panicked while holding them.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn request(&self) {
        self.numbers().stats.requests += 1;
    }

    pub(crate) fn watch_restart(&self) {
        self.numbers().stats.watch_restarts += 1;
    }

    pub(crate) fn audit(&self) {
        self.numbers().stats.audits += 1;
    }

    pub(crate) fn divergence(&self) {
        self.numbers().stats.divergences += 1;
    }

    /// A client was built in place of an earlier one.
    pub(crate) fn client_rebuild(&self) {
        self.numbers().stats.client_rebuilds += 1;
    }

    pub(crate) fn slice_event(&self) {
        self.numbers().stats.slice_events += 1;
    }

    pub(crate) fn census(&self) {
        self.numbers().stats.censuses += 1;
    }

    pub(crate) fn error(&self, cause: FinderCause) {
        *self.numbers().stats.errors.entry(cause).or_default() += 1;
    }

    pub(crate) fn confirmed(&self, seeds: usize, now: Instant) {
        let mut numbers = self.numbers();
        numbers.stats.seeds = seeds;
        numbers.confirmed_at = Some(now);
    }

    pub(crate) fn snapshot(&self, now: Instant) -> KubeFinderStats {
        let numbers = self.numbers();
        let last_confirmed = numbers
            .confirmed_at
            .map(|at| now.saturating_duration_since(at));
        KubeFinderStats {
            last_confirmed,
            ..numbers.stats.clone()
        }
    }
}
