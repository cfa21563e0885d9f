//! The measuring client: a program that watches one node with many streams and prints figures.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

use super::process::{Node, built};
use super::sheet::Row;
use crate::cluster::program;

/// The program's name among the examples of `discovery-proto`.
const EXAMPLE: &str = "watching";

/// Longest time of a run.
const RUN_MAX: Duration = Duration::from_mins(20);

/// The built program.
#[derive(Debug)]
pub(super) struct WatchingProgram(PathBuf);

/// One run to be made.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) publish: &'a Node,
    pub(super) watch: &'a Node,
    pub(super) watchers: usize,
    pub(super) connections: usize,
    pub(super) events: usize,
    /// Events a second; 0 for as many as go.
    pub(super) rate: u32,
}

/// What a run measured.
#[derive(Debug)]
pub(super) struct Measured(Value);

impl WatchingProgram {
    pub(super) fn build(root: &Path) -> anyhow::Result<Self> {
        let call = format!(
            "build --release --locked --package discovery-proto --features client --example \
             {EXAMPLE}"
        );
        built(root, &call, EXAMPLE).map(Self)
    }

    pub(super) fn run(&self, plan: &Plan<'_>) -> anyhow::Result<Measured> {
        let mut command = Command::new(&self.0);
        for (flag, value) in [
            ("--publish", plan.publish.grpc.to_string()),
            ("--watch", plan.watch.grpc.to_string()),
            ("--pid", plan.watch.id().to_string()),
            ("--watchers", plan.watchers.to_string()),
            ("--connections", plan.connections.to_string()),
            ("--events", plan.events.to_string()),
            ("--rate", plan.rate.to_string()),
        ] {
            command.args([flag, &value]);
        }
        let printed = program::output(&mut command, RUN_MAX)?;
        let figures: Value = serde_json::from_str(&printed)
            .with_context(|| format!("{EXAMPLE} printed no figures: {printed}"))?;
        if !figures.is_object() {
            bail!("{EXAMPLE} printed no figures: {printed}");
        }
        eprintln!("{}", printed.trim());
        Ok(Measured(figures))
    }
}

impl Measured {
    /// A number, which must have been measured: one that is missing is not 0.
    pub(super) fn number(&self, what: &str) -> anyhow::Result<u64> {
        let number = self.0[what].as_u64();
        number.with_context(|| format!("{EXAMPLE} printed no number '{what}': {}", self.0))
    }

    /// A latency as a row.
    pub(super) fn row(&self, what: &str, called: &str) -> Row {
        let millis = |share: &str| self.0[what][share].as_f64().map(|us| us / 1000.0);
        let (p50, p99, worst) = (millis("p50"), millis("p99"), millis("worst"));
        Row::latency(called, p50, p99, worst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_measured_is_an_error_and_not_0() {
        let measured = Measured(serde_json::json!({ "gaps": 0 }));
        assert_eq!(measured.number("gaps").unwrap(), 0);
        let error = measured.number("deliveries").unwrap_err().to_string();
        assert!(error.contains("no number 'deliveries'"), "{error}");
    }
}
