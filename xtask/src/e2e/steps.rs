//! Runs the steps of a suite one after the other, keeps what became of each and how long it took.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use crate::cluster::Skipped;
use crate::cluster::progress::say;
use crate::stopwatch::{Stopwatch, Took};

pub(super) use crate::cluster::progress::note;

/// What became of a step.
#[derive(Debug)]
enum Outcome {
    Passed(String),
    Failed(String),
    Skipped(String),
}

/// The steps so far.
#[derive(Debug, Default)]
pub(super) struct Steps {
    rows: Vec<(String, Outcome, Duration)>,
}

impl Steps {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Something without which no step can run; its failure ends the run.
    pub(super) fn prepare<T>(
        &mut self,
        name: &str,
        work: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        note(&format!("… {name}"));
        let watch = Stopwatch::start();
        let made = work();
        let outcome = match &made {
            Ok(_) => Outcome::Passed(String::new()),
            Err(error) => Outcome::Failed(format!("{error:#}")),
        };
        self.add(name, outcome, watch.elapsed());
        made
    }

    /// One step, which says in a word or two what it saw; those after it run whatever became of it.
    pub(super) fn step(&mut self, name: &str, work: impl FnOnce() -> anyhow::Result<String>) {
        note(&format!("… {name}"));
        let watch = Stopwatch::start();
        let outcome = match work() {
            Ok(seen) => Outcome::Passed(seen),
            Err(error) if Skipped::is(&error) => Outcome::Skipped(format!("{error:#}")),
            Err(error) => Outcome::Failed(format!("{error:#}")),
        };
        self.add(name, outcome, watch.elapsed());
    }

    fn add(&mut self, name: &str, outcome: Outcome, took: Duration) {
        if let Outcome::Failed(why) = &outcome {
            note(&format!("FAILED {name}: {why}"));
        }
        self.rows.push((name.to_owned(), outcome, took));
    }

    /// Prints the table and the closing line; a step that failed makes the code one of failure, and
    /// so does a skipped one where nothing may be missing (`CI=true`).
    pub(super) fn print(&self, took: Duration) -> ExitCode {
        say(&self.table(took));
        let is_strict = std::env::var_os("CI").is_some_and(|value| value == "true");
        let (_, failed, skipped) = self.count();
        if failed > 0 || (is_strict && skipped > 0) {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }

    fn table(&self, took: Duration) -> String {
        let mut text = String::from("\n");
        for (name, outcome, took) in &self.rows {
            let (verdict, seen) = match outcome {
                Outcome::Passed(seen) => ("ok", seen),
                Outcome::Failed(why) => ("FAILED", why),
                Outcome::Skipped(why) => ("skipped", why),
            };
            let first_line = seen.lines().next().unwrap_or_default();
            let row = format!("{verdict:<8}{:>12}  {name:<38}{first_line}", Took(*took));
            text.push_str(row.trim_end());
            text.push('\n');
        }
        let (passed, failed, skipped) = self.count();
        let took = Took(took);
        let _ = writeln!(
            text,
            "steps: {passed} passed, {failed} failed, {skipped} skipped in {took}"
        );
        text
    }

    fn count(&self) -> (usize, usize, usize) {
        let mut count = (0, 0, 0);
        for (_, outcome, _) in &self.rows {
            match outcome {
                Outcome::Passed(_) => count.0 += 1,
                Outcome::Failed(_) => count.1 += 1,
                Outcome::Skipped(_) => count.2 += 1,
            }
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_is_counted_and_those_after_it_run() {
        let mut steps = Steps::new();
        steps.step("first", || anyhow::bail!("it broke\nin two lines"));
        steps.step("second", || Ok("3 pods".to_owned()));
        let table = steps.table(Duration::from_secs(2));
        assert_eq!(steps.count(), (1, 1, 0));
        assert!(
            table.contains("FAILED") && table.contains("it broke"),
            "{table}"
        );
        assert!(
            table.ends_with("steps: 1 passed, 1 failed, 0 skipped in 2.0 s\n"),
            "{table}"
        );
    }
}
