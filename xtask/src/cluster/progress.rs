//! One line that says what is being done and for how long; redrawn on a terminal, seldom repeated
//! elsewhere.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use super::constants::PROGRESS_PAUSE;
use crate::stopwatch::{Stopwatch, Took};

/// The line of one task. It shows nothing before the first [`Progress::show`].
#[derive(Debug)]
pub(crate) struct Progress {
    task: String,
    watch: Stopwatch,
    shown_at: Option<Duration>,
    redraws: bool,
}

impl Progress {
    pub(crate) fn start(task: impl Into<String>) -> Self {
        Self {
            task: task.into(),
            watch: Stopwatch::start(),
            shown_at: None,
            redraws: io::stderr().is_terminal(),
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.watch.elapsed()
    }

    /// Says what the task is at now.
    pub(crate) fn show(&mut self, detail: &str) {
        let elapsed = self.watch.elapsed();
        let pause = if self.redraws {
            Duration::from_millis(100)
        } else {
            PROGRESS_PAUSE
        };
        if self.shown_at.is_some_and(|at| elapsed < at + pause) {
            return;
        }
        self.shown_at = Some(elapsed);
        let line = format!("{}: {detail} ({})", self.task, Took(elapsed));
        if self.redraws {
            let short: String = line.chars().take(TERMINAL_COLUMNS).collect();
            write(&format!("\r\x1b[K{short}"));
        } else {
            write(&format!("{line}\n"));
        }
    }

    /// Ends the line with the time the whole task took.
    pub(crate) fn done(self, outcome: &str) {
        let start = if self.redraws { "\r\x1b[K" } else { "" };
        write(&format!(
            "{start}{}: {outcome} ({})\n",
            self.task,
            Took(self.watch.elapsed())
        ));
    }
}

/// Prints one line of its own to standard error.
pub(crate) fn note(line: &str) {
    write(&format!("{line}\n"));
}

/// Prints a result to standard output; a reader that has read enough may close it.
pub(crate) fn say(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes());
    let _ = stdout.flush();
}

/// Longer lines would wrap and could not be redrawn.
const TERMINAL_COLUMNS: usize = 100;

fn write(text: &str) {
    let mut stderr = io::stderr().lock();
    // Nobody is left to tell when standard error itself is closed.
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
}
