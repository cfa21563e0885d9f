//! A piece of work done beside a stream now and then: when it is due, and the one run of it that is
//! under way. What it does and when it is due again is its user's business.

use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep_until};

/// Work that runs at most once at a time.
pub(crate) struct Errand<T> {
    running: Option<BoxFuture<'static, T>>,
    at: Instant,
    /// When another run was asked for while one was under way: that one began too early for it.
    wanted: Option<Instant>,
}

impl<T> Errand<T> {
    /// Due then, for the first time.
    pub(crate) fn at(at: Instant) -> Self {
        Self {
            running: None,
            at,
            wanted: None,
        }
    }

    /// Asks for a run that begins no later than this, and not before now.
    pub(crate) fn want_by(&mut self, at: Instant) {
        if self.running.is_some() {
            self.wanted = Some(self.wanted.map_or(at, |wanted| wanted.min(at)));
        } else {
            self.at = self.at.min(at);
        }
    }

    /// Waits until a run is due (nothing), or until the one under way has ended (what it brought).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops nothing: the run goes on with the next call.
    pub(crate) async fn next(&mut self) -> Option<T> {
        let Some(running) = &mut self.running else {
            sleep_until(self.at).await;
            return None;
        };
        let brought = running.await;
        self.running = None;
        Some(brought)
    }

    /// Begins the run that is due.
    pub(crate) fn start(&mut self, run: BoxFuture<'static, T>) {
        self.running = Some(run);
    }

    /// After a run has ended: due again then, or sooner if that was asked for meanwhile.
    pub(crate) fn again_at(&mut self, at: Instant) {
        self.at = self.wanted.take().map_or(at, |wanted| wanted.min(at));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_run_wanted_while_one_is_under_way_comes_after_it() {
        let start = Instant::now();
        let minute = Duration::from_mins(1);
        let mut errand = Errand::at(start);
        assert_eq!(errand.next().await, None);
        errand.start(async { 1 }.boxed());
        errand.want_by(start);
        assert_eq!(errand.next().await, Some(1));
        errand.again_at(start + minute);
        assert_eq!(errand.next().await, None);
        assert_eq!(Instant::now(), start);

        errand.start(async { 2 }.boxed());
        assert_eq!(errand.next().await, Some(2));
        errand.again_at(start + minute);
        assert_eq!(errand.next().await, None);
        assert_eq!(Instant::now(), start + minute);
    }
}
