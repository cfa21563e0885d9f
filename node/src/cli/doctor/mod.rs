//! `doctor`: looks at everything that finding rests on, one thing after the other, and says what to
//! do about what is wrong. The questions are asked in `kubernetes.rs` and here, the answers judged
//! in `judge.rs`.

mod check;
mod judge;
mod kubernetes;

use std::time::Duration;

use clap::Args;
use discovery_core::{Finder, SeedReport};
use tokio::time::timeout;

use super::json::json_line;
use super::seeds::settled;
use super::{Failure, FinderFlags};
use crate::compose::{ComposedPart, compose};
use crate::config::{Part, Surroundings, positive_time};
use crate::exit;
use crate::terminal::{self, Stop};

use check::{Checks, Verdict, tally};

/// Check what finding rests on: credentials, permissions, the Service, its slices, a census.
///
/// Every line is ok, warn (something is lost) or FAIL (seeds are not found, or a cluster could not
/// form on them), with what to do. Exit code 0 if nothing failed, else 1.
#[derive(Debug, Args)]
#[command(after_long_help = DOCTOR_JSON_HELP)]
pub(super) struct DoctorArgs {
    /// One JSON object a line instead of text
    #[arg(long)]
    json: bool,

    /// Longest wait for the first seeds of one finder
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = positive_time)]
    wait: Duration,

    #[command(flatten)]
    finder: FinderFlags,
}

const DOCTOR_JSON_HELP: &str = "\
With --json each check is one line on standard output, one JSON object:
  finder   which finder; there is one for each Service
  check    configuration | credentials | API server | permissions | Service | ports | selector |
           seeds | census | this pod | name
  verdict  ok | warn | fail
  found    what was found
  remedy   what to do; null if nothing is known or needed";

pub(super) async fn run(
    args: &DoctorArgs,
    surroundings: &Surroundings,
    stop: &mut Stop,
) -> Result<u8, Failure> {
    let plan = args.finder.plan(surroundings)?;
    let composed = compose(&plan)?;
    let mut all = Vec::new();
    for (part, planned) in composed.parts.iter().zip(&plan.parts) {
        // Every request has the finder's own deadline, and the first seeds have --wait.
        let checks = tokio::select! {
            checks = check_part(part, planned, surroundings, args.wait) => checks,
            code = stop.asked() => return Ok(code),
        };
        let text = if args.json {
            checks.list.iter().map(json_line).collect()
        } else {
            checks.text(terminal::width())
        };
        terminal::say(&text)?;
        all.extend(checks.list);
    }
    if !args.json {
        terminal::say(&tally(&all))?;
    }
    let failed = all.iter().any(|check| check.verdict == Verdict::Fail);
    Ok(if failed {
        exit::CHECK_FAILED
    } else {
        exit::DONE
    })
}

async fn check_part(
    part: &ComposedPart,
    planned: &Part,
    surroundings: &Surroundings,
    wait: Duration,
) -> Checks {
    match part {
        ComposedPart::Kubernetes(finder) => {
            kubernetes::check(finder, planned, surroundings, wait).await
        }
        ComposedPart::Dns(finder) => of_any(&**finder, wait).await,
        ComposedPart::Static(finder) => of_any(&**finder, wait).await,
        ComposedPart::File(finder) => of_any(&**finder, wait).await,
    }
}

/// What can be asked of any finder: its seeds.
async fn of_any(finder: &dyn Finder, wait: Duration) -> Checks {
    let mut checks = Checks::of(finder.provenance().as_str());
    judge::seeds(&first_report(finder, wait).await, &mut checks);
    checks
}

async fn first_report(finder: &dyn Finder, wait: Duration) -> SeedReport {
    let mut watch = finder.watch();
    match timeout(wait, settled(&mut *watch)).await {
        Ok(report) => report,
        Err(_) => watch.latest(),
    }
}
