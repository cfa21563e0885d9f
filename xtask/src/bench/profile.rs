//! Where the processor's time goes when an aim is missed, as `perf` sees it.

use std::process::Command;
use std::time::Duration;

use super::aims::Missed;
use super::runs::{Plan, Program};
use crate::cluster::program;

/// How long recording and reporting may take together.
const PROFILE_MAX: Duration = Duration::from_mins(3);

/// Lines of the report that are shown.
const LINES: usize = 25;

/// The top entries of a run like those that missed the aim; or why there are none.
pub(super) fn of(measured: &Program, miss: &Missed) -> String {
    recorded(measured, miss).unwrap_or_else(|error| format!("no profile: {error:#}"))
}

fn recorded(measured: &Program, miss: &Missed) -> anyhow::Result<String> {
    let file = std::env::temp_dir().join(format!("membership-{}.perf", std::process::id()));
    let mut record = Command::new("perf");
    record.args(["record", "-q", "-F", "997", "-o"]).arg(&file);
    record.arg("--").arg(measured.path());
    record.args(Plan::full(miss.nodes, 0).arguments());
    record.args(["--steps", miss.steps(), "--idle-seconds", "20"]);
    let run = program::output(&mut record, PROFILE_MAX);
    let report = run.and_then(|_| {
        let mut report = Command::new("perf");
        report.args(["report", "--stdio", "-q", "--no-children", "-i"]);
        report.arg(&file);
        program::output(&mut report, PROFILE_MAX)
    });
    // It may not have come into being.
    let _ = std::fs::remove_file(&file);
    let report = report?;
    let top = report.lines().filter(|line| !line.trim().is_empty());
    let mut text = format!("profile of {} at {} members:\n", miss.what, miss.nodes);
    for line in top.take(LINES) {
        text += line.trim_end();
        text.push('\n');
    }
    Ok(text)
}
