//! Suite `figures`: how fast the finder is and how little it asks, measured on a real API server by
//! the program `discovery-k8s/examples/figures.rs`, in one run beside a finder that polls.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::stage::{NAMESPACE, Stage};
use super::steps::Steps;
use crate::cluster::program;

/// The program's name.
const EXAMPLE: &str = "figures";
/// How long it may take: three minutes of idling and some hundred writes.
const FIGURES_MAX: Duration = Duration::from_mins(12);

/// Builds the program, runs it beside the cluster and prints what it measured.
pub(super) fn run(stage: &Stage<'_>, steps: &mut Steps) -> anyhow::Result<()> {
    let program = steps.prepare("program that measures", build)?;
    steps.step("figures", || {
        let mut command = stage.target.enter(&program);
        command.arg(NAMESPACE).arg(stage.target.kubeconfig());
        let printed = program::output(&mut command, FIGURES_MAX)?;
        crate::cluster::progress::say(&printed);
        Ok("printed above".to_owned())
    });
    Ok(())
}

fn build() -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // No limit of time: how long a build takes is the machine's affair, and Ctrl-C reaches it.
    let built = Command::new(cargo)
        .args([
            "build",
            "--release",
            "--locked",
            "--package",
            "discovery-k8s",
        ])
        .args([
            "--example",
            EXAMPLE,
            "--message-format=json-render-diagnostics",
        ])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cargo cannot be started")?;
    ensure!(
        built.status.success(),
        "{EXAMPLE} cannot be built ({})",
        built.status
    );
    let messages = String::from_utf8_lossy(&built.stdout);
    let executable = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == EXAMPLE)
        .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)));
    executable.with_context(|| format!("cargo has built no program called {EXAMPLE}"))
}
