//! `seeds`: asks the finder once, or follows it.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use discovery_core::{Finding, SeedReport, SeedWatch};
use discovery_k8s::{KubeFinder, KubeFinderStats};
use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::report_json::{JSON_HELP, json_line, report_line};
use super::report_text::{Shown, report_block};
use super::{Failure, FinderFlags};
use crate::compose::{Composed, compose};
use crate::config::Surroundings;
use crate::exit;
use crate::terminal::{self, Stop};

/// Show the seeds that a finder knows, once or as they come and go.
///
/// Without --watch it waits until the finder knows, or fails in a way that does not pass by itself,
/// or --wait is over; the exit code says which. With --watch every change is shown at once until
/// SIGTERM or SIGINT.
#[derive(Debug, Args)]
#[command(after_long_help = JSON_HELP)]
pub(super) struct SeedsArgs {
    /// Follow the finder and show every change
    #[arg(long)]
    watch: bool,

    /// One JSON object a line instead of text; see the end of --help
    #[arg(long)]
    json: bool,

    /// Longest wait for a first answer, without --watch
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    wait: Duration,

    /// When ending, write the finder's counters to standard error, as JSON
    #[arg(long)]
    stats: bool,

    /// With --watch: write the counters this often as well
    #[arg(long, value_name = "TIME", value_parser = time, requires = "watch")]
    stats_every: Option<Duration>,

    #[command(flatten)]
    finder: FinderFlags,
}

fn time(text: &str) -> Result<Duration, String> {
    let time = crate::config::time(text)?;
    if time.is_zero() {
        return Err("give a time of more than zero".to_owned());
    }
    Ok(time)
}

pub(super) async fn run(
    args: &SeedsArgs,
    surroundings: &Surroundings,
    stop: &mut Stop,
) -> Result<u8, Failure> {
    let composed = compose(&args.finder.plan(surroundings)?)?;
    let watch = composed.finder.watch();
    let done = if args.watch {
        follow(args, &composed, watch, stop).await
    } else {
        once(args, watch, stop).await
    };
    if args.stats || args.stats_every.is_some() {
        terminal::complain(&stats_line(&composed.kubernetes));
    }
    done
}

async fn follow(
    args: &SeedsArgs,
    composed: &Composed,
    mut watch: Box<dyn SeedWatch>,
    stop: &mut Stop,
) -> Result<u8, Failure> {
    let mut shown = Shown::default();
    let mut ticks = args.stats_every.map(|every| {
        let mut ticks = interval_at(Instant::now() + every, every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    });
    let mut tick = async || match &mut ticks {
        Some(ticks) => ticks.tick().await,
        None => std::future::pending().await,
    };
    loop {
        // No limit: a watch is followed until somebody ends it.
        tokio::select! {
            report = watch.changed() => show(args, &report, &mut shown)?,
            _ = tick() => terminal::complain(&stats_line(&composed.kubernetes)),
            _ = stop.asked() => return Ok(exit::DONE),
        }
    }
}

async fn once(
    args: &SeedsArgs,
    mut watch: Box<dyn SeedWatch>,
    stop: &mut Stop,
) -> Result<u8, Failure> {
    let report = tokio::select! {
        answered = timeout(args.wait, settled(&mut *watch)) => {
            answered.unwrap_or_else(|_| watch.latest())
        }
        code = stop.asked() => return Ok(code),
    };
    show(args, &report, &mut Shown::default())?;
    Ok(match report.finding {
        Finding::Known(_) => exit::DONE,
        Finding::KnownEmpty => exit::KNOWN_EMPTY,
        Finding::Unknown(_) => exit::UNKNOWN,
    })
}

/// The first report that will not change by waiting a little.
async fn settled(watch: &mut dyn SeedWatch) -> SeedReport {
    loop {
        let report = watch.changed().await;
        match &report.finding {
            Finding::Unknown(error) if error.cause().may_pass() => {
                tracing::warn!("not yet known, waiting: {error}");
            }
            Finding::Known(_) | Finding::KnownEmpty | Finding::Unknown(_) => return report,
        }
    }
}

fn show(args: &SeedsArgs, report: &SeedReport, shown: &mut Shown) -> Result<(), Failure> {
    let at = terminal::now();
    let text = if args.json {
        report_line(report, at)
    } else {
        let block = report_block(report, shown, Instant::now(), terminal::width());
        if args.watch {
            format!("{}  {block}\n", terminal::clock_words(at))
        } else {
            block
        }
    };
    Ok(terminal::say(&text)?)
}

#[derive(Serialize)]
struct StatsLine {
    at_us: i64,
    stats: Vec<KubeStatsFields>,
}

#[derive(Serialize)]
struct KubeStatsFields {
    finder: String,
    last_confirmed_ms: Option<u64>,
    requests: u64,
    watch_restarts: u64,
    audits: u64,
    divergences: u64,
    client_rebuilds: u64,
    slice_events: u64,
    censuses: u64,
    errors: std::collections::BTreeMap<&'static str, u64>,
    seeds: usize,
}

fn stats_line(finders: &[Arc<KubeFinder>]) -> String {
    let stats = finders.iter().map(|finder| {
        let place = format!("kubernetes {}", finder.config().place());
        kube_fields(place, finder.stats())
    });
    json_line(&StatsLine {
        at_us: terminal::now().as_microsecond(),
        stats: stats.collect(),
    })
}

fn kube_fields(finder: String, stats: KubeFinderStats) -> KubeStatsFields {
    let millis = |age: Duration| u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    KubeStatsFields {
        finder,
        last_confirmed_ms: stats.last_confirmed.map(millis),
        requests: stats.requests,
        watch_restarts: stats.watch_restarts,
        audits: stats.audits,
        divergences: stats.divergences,
        client_rebuilds: stats.client_rebuilds,
        slice_events: stats.slice_events,
        censuses: stats.censuses,
        errors: stats.errors.into_iter().map(|(cause, count)| (cause.as_str(), count)).collect(),
        seeds: stats.seeds,
    }
}
