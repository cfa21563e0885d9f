//! `cargo xtask test`: runs the steps in order, goes on after a failing one, and sums them up.

mod steps;
mod tally;

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use self::steps::{Step, Work};
use self::tally::Tally;
use crate::cargo::CargoCall;
use crate::stopwatch::{Stopwatch, Took};
use crate::tidy;
use crate::workspace::Workspace;

/// Checks everything that needs no root and no cluster.
///
/// Runs its steps in order, goes on after a failing one, and ends with a table and a line that
/// counts what passed, failed and was skipped, tests and steps together. It changes no file of the
/// checkout. `--list` tells each step and why it exists.
///
/// Needs: git and the toolchain; the step `deny` is skipped where cargo-deny is not installed.
///        With CI=true in the environment only the Python client is skipped; what else is missing
///        fails.
/// Takes: about ten minutes from nothing on two cores, one when little has changed.
///
/// Examples: cargo xtask test
///           cargo xtask test --only fmt --only tidy
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Options {
    /// Run this step only; may be given several times.
    #[arg(long, value_name = "STEP", value_enum)]
    only: Vec<Step>,
    /// List the steps with their reasons and commands, and do nothing else.
    #[arg(long)]
    list: bool,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ending {
    Passed,
    Failed(String),
    Skipped(String),
}

/// A step that has run.
#[derive(Debug)]
struct Run {
    step: Step,
    ending: Ending,
    tests: Tally,
    took: Duration,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::load()?;
    if options.list {
        list(&workspace);
        return Ok(ExitCode::SUCCESS);
    }
    let in_ci = env::var_os("CI").is_some_and(|value| value == "true");
    let is_chosen = |step: &Step| options.only.is_empty() || options.only.contains(step);
    let mut runs = Vec::new();
    for step in Step::all().iter().copied().filter(is_chosen) {
        println!("==> {}", step.name());
        let run = run_step(step, &workspace, in_ci);
        println!("<== {}", line(&run));
        runs.push(run);
    }
    println!();
    for run in &runs {
        println!("{}", line(run));
    }
    let sum = sum(&runs);
    println!("{sum}");
    Ok(if sum.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn list(workspace: &Workspace) {
    for step in Step::all() {
        println!("{:<9} {}", step.name(), step.purpose());
        match step.work(workspace) {
            Work::Tidy => println!("          $ cargo xtask tidy"),
            Work::Apart { call, .. } => println!("          $ {call}"),
            Work::Calls(calls) | Work::Installed { calls, .. } => {
                for call in calls {
                    println!("          $ {call}");
                }
            }
        }
    }
}

fn run_step(step: Step, workspace: &Workspace, in_ci: bool) -> Run {
    let watch = Stopwatch::start();
    let mut tests = Tally::default();
    let ending = match step.work(workspace) {
        Work::Tidy => match tidy::all_is_well(workspace) {
            Ok(true) => Ending::Passed,
            Ok(false) => Ending::Failed("faults above".into()),
            Err(error) => Ending::Failed(format!("{error:#}")),
        },
        Work::Calls(calls) => run_calls(&calls, workspace, &mut tests),
        Work::Apart { call, folder } => {
            let ending = run_calls(&[call], workspace, &mut tests);
            // What is left of it is only disk, which `cargo clean` frees as well.
            let _ = std::fs::remove_dir_all(folder);
            ending
        }
        Work::Installed {
            probe,
            install,
            calls,
        } => match probe.capture(&workspace.root) {
            Ok(_) => run_calls(&calls, workspace, &mut tests),
            Err(_) => missing(&probe, install, in_ci),
        },
    };
    Run {
        step,
        ending,
        tests,
        took: watch.elapsed(),
    }
}

/// What cannot be checked on a developer's machine is skipped aloud; CI has no such excuse.
fn missing(probe: &CargoCall, install: &str, in_ci: bool) -> Ending {
    let why = format!("'{probe}' does not run; install it with '{install}'");
    if in_ci {
        Ending::Failed(why)
    } else {
        Ending::Skipped(why)
    }
}

fn run_calls(calls: &[CargoCall], workspace: &Workspace, tests: &mut Tally) -> Ending {
    for call in calls {
        println!("$ {call}");
        let status = call.stream(&workspace.root, |line| {
            *tests += Tally::of_summary(line).unwrap_or_default();
        });
        match status {
            Ok(status) if status.success() => {}
            Ok(status) => return Ending::Failed(format!("'{call}': {status}")),
            Err(error) => return Ending::Failed(format!("{error:#}")),
        }
    }
    Ending::Passed
}

/// One line of the table.
fn line(run: &Run) -> String {
    let (verdict, remark) = match &run.ending {
        Ending::Passed if run.tests.is_empty() => ("passed", String::new()),
        Ending::Passed => ("passed", format!("tests: {}", run.tests)),
        Ending::Failed(why) if run.tests.is_empty() => ("FAILED", why.clone()),
        Ending::Failed(why) => ("FAILED", format!("tests: {}; {why}", run.tests)),
        Ending::Skipped(why) => ("skipped", why.clone()),
    };
    let text = format!(
        "{:<9} {verdict:<8} {:>12}  {remark}",
        run.step.name(),
        Took(run.took)
    );
    text.trim_end().to_owned()
}

/// Steps and the tests in them, counted together.
fn sum(runs: &[Run]) -> Tally {
    let mut sum = Tally::default();
    for run in runs {
        sum += run.tests;
        match run.ending {
            Ending::Passed => sum.passed += 1,
            Ending::Failed(_) => sum.failed += 1,
            Ending::Skipped(_) => sum.skipped += 1,
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(step: Step, ending: Ending, passed: u64) -> Run {
        Run {
            step,
            ending,
            tests: Tally {
                passed,
                ..Tally::default()
            },
            took: Duration::from_millis(1500),
        }
    }

    #[test]
    fn steps_and_tests_are_counted_together() {
        let runs = [
            run(Step::Fmt, Ending::Passed, 0),
            run(Step::Deny, Ending::Skipped("no".into()), 0),
            run(Step::Tests, Ending::Failed("exit status: 101".into()), 7),
        ];
        assert_eq!(sum(&runs).to_string(), "8 passed, 1 failed, 1 skipped");
    }

    #[test]
    fn a_line_of_the_table_tells_verdict_time_and_tests() {
        let run = run(Step::Tests, Ending::Passed, 7);
        assert_eq!(
            line(&run),
            "tests     passed          1.5 s  tests: 7 passed, 0 failed, 0 skipped"
        );
    }

    #[test]
    fn what_is_missing_is_skipped_on_a_desk_and_fails_in_ci() {
        let probe = CargoCall::new("deny --version");
        assert!(matches!(missing(&probe, "x", false), Ending::Skipped(_)));
        assert!(matches!(missing(&probe, "x", true), Ending::Failed(_)));
    }

    #[test]
    fn a_call_that_fails_ends_its_step_with_what_was_run() {
        let workspace = Workspace::from_json(r#"{"workspace_root": ".", "packages": []}"#).unwrap();
        let calls = [CargoCall::new("no-such-command")];
        let ending = run_calls(&calls, &workspace, &mut Tally::default());
        assert!(matches!(ending, Ending::Failed(why) if why.contains("no-such-command")));
    }
}
