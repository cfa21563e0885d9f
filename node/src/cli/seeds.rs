//! `seeds`: asks the finder once, or follows it.

use std::pin::pin;
use std::time::Duration;

use clap::Args;
use discovery_core::{FinderCause, FinderError, Finding, SeedReport, SeedWatch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::json::{JSON_HELP, report_line};
use super::report_text::{Shown, report_block};
use super::stats_json::stats_line;
use super::{Failure, FinderFlags};
use crate::compose::{Composed, compose};
use crate::config::{Surroundings, positive_time};
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
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = positive_time)]
    wait: Duration,

    /// When ending, write the finder's counters to standard error, as JSON
    #[arg(long)]
    stats: bool,

    /// With --watch: write the counters this often as well
    #[arg(long, value_name = "TIME", value_parser = positive_time, requires = "watch")]
    stats_every: Option<Duration>,

    #[command(flatten)]
    finder: FinderFlags,
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
        terminal::complain(&stats_line(&composed.parts, terminal::now()));
    }
    done
}

async fn follow(
    args: &SeedsArgs,
    composed: &Composed,
    mut watch: Box<dyn SeedWatch>,
    stop: &mut Stop,
) -> Result<u8, Failure> {
    let mut shown = Some(Shown::default());
    let mut ticks = args.stats_every.map(|every| {
        let mut ticks = interval_at(Instant::now() + every, every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    });
    let mut tick = async || match &mut ticks {
        Some(ticks) => ticks.tick().await,
        None => std::future::pending().await,
    };
    let mut unread = pin!(terminal::reader_gone());
    loop {
        // No limit: a watch is followed until somebody ends it.
        tokio::select! {
            report = watch.changed() => show(args, &report, &mut shown)?,
            _ = tick() => terminal::complain(&stats_line(&composed.parts, terminal::now())),
            _ = stop.asked() => return Ok(exit::DONE),
            () = &mut unread => return Ok(exit::DONE),
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
    show(args, &report, &mut None)?;
    Ok(match report.finding {
        Finding::Known(_) => exit::DONE,
        Finding::KnownEmpty => exit::KNOWN_EMPTY,
        Finding::Unknown(_) => exit::UNKNOWN,
    })
}

/// The first report that will not change by waiting a little; its caller limits the wait.
pub(super) async fn settled(watch: &mut dyn SeedWatch) -> SeedReport {
    loop {
        let report = watch.changed().await;
        match &report.finding {
            Finding::Unknown(error) if error.cause().may_pass() => {
                tracing::warn!("not yet known, waiting: {error}");
            }
            // A part of a combined finder has not been heard yet.
            Finding::Known(_) if report.gaps.iter().any(is_starting) => {}
            Finding::Known(_) | Finding::KnownEmpty | Finding::Unknown(_) => return report,
        }
    }
}

fn is_starting(gap: &FinderError) -> bool {
    gap.cause() == FinderCause::Starting
}

fn show(args: &SeedsArgs, report: &SeedReport, shown: &mut Option<Shown>) -> Result<(), Failure> {
    let at = terminal::now();
    let text = if args.json {
        report_line(report, at)
    } else {
        let block = report_block(report, shown.as_mut(), Instant::now(), terminal::width());
        if args.watch {
            format!("{}  {block}\n", terminal::clock_words(at))
        } else {
            block
        }
    };
    Ok(terminal::say(&text)?)
}
