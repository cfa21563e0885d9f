//! Counts what passed, failed and was skipped; reads the summary lines of the test runner.

use std::fmt;
use std::ops::AddAssign;

/// How many of something passed, failed or were skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) skipped: u64,
}

impl Tally {
    /// Reads a summary line of the test runner, such as
    /// `test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; …`.
    ///
    /// Tests that were filtered out were not asked for, so they do not count.
    pub(super) fn of_summary(line: &str) -> Option<Self> {
        let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let mut tally = Self::default();
        for count in counts.split(';') {
            let mut words = count.split_whitespace();
            let (Some(number), Some(what)) = (words.next(), words.next()) else {
                continue;
            };
            match (number.parse::<u64>(), what) {
                (Ok(number), "passed") => tally.passed += number,
                (Ok(number), "failed") => tally.failed += number,
                (Ok(number), "ignored") => tally.skipped += number,
                _ => {}
            }
        }
        Some(tally)
    }

    pub(super) fn is_empty(self) -> bool {
        self == Self::default()
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_line_is_read_whatever_its_verdict() {
        let ok = "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; \
                  finished in 0.12s";
        let bad = "test result: FAILED. 4 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; \
                   finished in 1.00s";
        assert_eq!(
            Tally::of_summary(ok).unwrap().to_string(),
            "5 passed, 0 failed, 1 skipped"
        );
        assert_eq!(
            Tally::of_summary(bad).unwrap().to_string(),
            "4 passed, 3 failed, 0 skipped"
        );
    }

    #[test]
    fn other_lines_are_no_summary() {
        for line in ["", "running 5 tests", "test a::b ... ok", "test result: "] {
            assert_eq!(Tally::of_summary(line), None, "{line:?}");
        }
    }

    #[test]
    fn tallies_add_up() {
        let mut sum = Tally {
            passed: 1,
            failed: 2,
            skipped: 3,
        };
        sum += Tally {
            passed: 10,
            failed: 20,
            skipped: 30,
        };
        assert_eq!(
            sum,
            Tally {
                passed: 11,
                failed: 22,
                skipped: 33
            }
        );
        assert!(!sum.is_empty());
    }
}
