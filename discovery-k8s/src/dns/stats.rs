//! What a DNS finder counts, and the plain snapshot of it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use discovery_core::FinderCause;
use tokio::time::Instant;

/// What a [`DnsFinder`](crate::DnsFinder) has done so far, over all its watches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DnsStats {
    /// Time since DNS last gave a whole set; none yet if absent.
    pub last_confirmed: Option<Duration>,
    /// Questions sent to name servers, retries at another server or in another attempt included.
    pub queries: u64,
    /// Rounds that gave no set, by cause; causes that never happened are absent.
    pub errors: BTreeMap<FinderCause, u64>,
    /// How many seeds the last whole set held.
    pub seeds: usize,
}

#[derive(Debug, Default)]
struct Tally {
    confirmed_at: Option<Instant>,
    queries: u64,
    errors: BTreeMap<FinderCause, u64>,
    seeds: usize,
}

#[derive(Debug, Default)]
pub(super) struct Counters(Mutex<Tally>);

impl Counters {
    pub(super) fn on_query(&self) {
        self.tally().queries += 1;
    }

    pub(super) fn on_confirmed(&self, seeds: usize, now: Instant) {
        let mut tally = self.tally();
        tally.confirmed_at = Some(now);
        tally.seeds = seeds;
    }

    pub(super) fn on_error(&self, cause: FinderCause) {
        *self.tally().errors.entry(cause).or_default() += 1;
    }

    pub(super) fn snapshot(&self, now: Instant) -> DnsStats {
        let tally = self.tally();
        let since = |at: Instant| now.saturating_duration_since(at);
        DnsStats {
            last_confirmed: tally.confirmed_at.map(since),
            queries: tally.queries,
            errors: tally.errors.clone(),
            seeds: tally.seeds,
        }
    }

    /// Numbers stay usable even if a thread died while it held them.
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
