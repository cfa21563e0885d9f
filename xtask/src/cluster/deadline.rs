//! The only reader of the clock and the only sleeper of the tools: waits that end.

#![allow(
    clippy::disallowed_methods,
    reason = "a tool without a runtime has to read the clock and sleep somewhere; here is where"
)]

use std::time::{Duration, Instant};

use crate::cluster::constants::POLL_PAUSE;

/// A moment by which something has to have happened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    started: Instant,
    limit: Duration,
}

impl Deadline {
    pub(crate) fn after(limit: Duration) -> Self {
        Self {
            started: Instant::now(),
            limit,
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    pub(crate) fn is_over(&self) -> bool {
        self.elapsed() >= self.limit
    }

    /// Sleeps for one pause; false when the deadline is over and there is nothing left to wait for.
    pub(crate) fn pause(&self) -> bool {
        self.pause_for(POLL_PAUSE)
    }

    /// Like [`Deadline::pause`] with a pause of the caller's.
    pub(crate) fn pause_for(&self, pause: Duration) -> bool {
        if self.is_over() {
            return false;
        }
        std::thread::sleep(pause.min(self.limit.saturating_sub(self.elapsed())));
        true
    }
}
