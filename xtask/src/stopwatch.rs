//! Measures how long a piece of work took; the one place here that reads the clock for it.

use std::fmt;
use std::time::{Duration, Instant};

/// Runs from its making.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "durations shown to people; nothing is decided by them"
    )]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A duration as people read it: `0.4 s`, `37.2 s`, `11 min 05 s`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Took(pub(crate) Duration);

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let text = if seconds < 60 {
            format!("{:.1} s", self.0.as_secs_f64())
        } else {
            format!("{} min {:02} s", seconds / 60, seconds % 60)
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_reads_well_at_every_size() {
        let show = |millis| Took(Duration::from_millis(millis)).to_string();
        assert_eq!(show(412), "0.4 s");
        assert_eq!(show(37_160), "37.2 s");
        assert_eq!(show(665_000), "11 min 05 s");
    }
}
