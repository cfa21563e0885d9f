//! How long to wait before the next attempt: doubling up to a limit, with jitter, so that pods that
//! failed together do not come back together.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// Longest time that a server's `Retry-After` is obeyed.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(1);

/// A pause that doubles with every attempt until it is reset.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    least: Duration,
    most: Duration,
    next: Duration,
}

impl Pace {
    pub(crate) fn new(least: Duration, most: Duration) -> Self {
        Self {
            least,
            most,
            next: least,
        }
    }

    /// Begins with the shortest pause again.
    pub(crate) fn reset(&mut self) {
        self.next = self.least;
    }

    /// The pause before the next attempt.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = pause.saturating_mul(2).min(self.most);
        jittered(pause)
    }

    /// Waits for the next pause.
    pub(crate) async fn pause(&mut self) {
        self.pause_at_least(Duration::ZERO).await;
    }

    /// Waits for the next pause, or for as long as a server asked, whichever is longer.
    pub(crate) async fn pause_at_least(&mut self, asked: Duration) {
        tokio::time::sleep(self.next().max(asked.min(RETRY_AFTER_MAX))).await;
    }
}

/// The duration, up to a fifth shorter or longer.
pub(crate) fn jittered(duration: Duration) -> Duration {
    // Each RandomState has keys of its own, which is all the chance that is needed here.
    let chance = RandomState::new().build_hasher().finish() % 401;
    let thousandths = u32::try_from(chance).map_or(1000, |chance| chance + 800);
    duration.saturating_mul(thousandths) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_up_to_its_limit_and_starts_over() {
        let second = Duration::from_secs(1);
        let mut pace = Pace::new(second, 4 * second);
        let within = |pause: Duration, mean: Duration| {
            pause >= mean * 800 / 1000 && pause <= mean * 1200 / 1000
        };
        for mean in [1, 2, 4, 4] {
            assert!(within(pace.next(), mean * second));
        }
        pace.reset();
        assert!(within(pace.next(), second));
    }
}
