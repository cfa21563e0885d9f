//! The one place that reads clocks: the monotonic one all the time, the wall clock once.

use std::time::SystemTime;

use discovery_core::UnixMillis;
use tokio::time::Instant;

use crate::moment::Moment;

/// Counts the moments of one ring from when it was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that stands at [`Moment::START`] now.
    pub(super) fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// The moment that it is.
    pub(super) fn now(self) -> Moment {
        Moment::START + self.start.elapsed()
    }

    /// The moment on the runtime's scale.
    pub(super) fn instant(self, moment: Moment) -> Instant {
        // A deadline beyond what the scale holds never comes; a day off is as good.
        let span = moment.since(Moment::START);
        self.start
            .checked_add(span)
            .unwrap_or_else(|| Instant::now() + std::time::Duration::from_hours(24))
    }
}

/// The wall time now; zero before 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the driver reads the wall clock, once for each ring"
)]
pub(super) fn wall_time() -> UnixMillis {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
