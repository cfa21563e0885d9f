//! Keeps trouble that others can cause at will from filling the log.

use std::time::Duration;

use tokio::time::Instant;

/// Lets one line through in each span of time and counts the others.
#[derive(Debug)]
pub(super) struct Seldom {
    pause: Duration,
    told_at: Option<Instant>,
    untold: u64,
}

impl Seldom {
    /// At most one line in each span.
    pub(super) fn every(pause: Duration) -> Self {
        Self {
            pause,
            told_at: None,
            untold: 0,
        }
    }

    /// Whether to tell now; if so, how many were not told since the last one.
    pub(super) fn tell(&mut self) -> Option<u64> {
        let now = Instant::now();
        let is_too_soon = self
            .told_at
            .is_some_and(|told_at| now < told_at + self.pause);
        if is_too_soon {
            self.untold += 1;
            return None;
        }
        self.told_at = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_a_span_tells_how_many_were_left_out() {
        let mut seldom = Seldom::every(Duration::from_secs(10));
        assert_eq!(seldom.tell(), Some(0));
        assert_eq!(seldom.tell(), None);
        assert_eq!(seldom.tell(), None);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(seldom.tell(), Some(2));
    }
}
