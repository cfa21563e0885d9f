//! `demo`: a finder at work on this machine, with nothing around it. It shows finding only; nodes
//! that agree on who is in the cluster will take its place.

use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use clap::Args;
use discovery_core::finders::{FileFinder, FileFinderConfig};
use discovery_core::{Finder, Finding, SeedReport, SeedSet, SeedWatch};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until, timeout};

use super::Failure;
use super::report_text::{Shown, report_block};
use crate::exit;
use crate::terminal::{self, Stop};
use crate::wrap::wrapped;

/// Show a finder at work on this machine; nothing is needed, and it ends by itself.
#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// How long it lasts
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = SECONDS)]
    seconds: i64,
}

/// How long the demo may be asked to last.
const SECONDS: RangeInclusive<i64> = 1..=600;

const INTRODUCTION: &str = "\
This shows a finder at work, on this machine alone. A few listeners on 127.0.0.1 stand for the \
processes of an application; a file lists them, as an operator would; a file finder watches the \
file and says whom a newcomer could dial. On Kubernetes the finder asks the API instead, and says \
it the same way. What comes later: the processes agreeing on who is in the cluster (the ring). \
Today nobody forms a cluster here.";

/// Into how many parts its time is cut.
const STEPS: u8 = 5;

/// How often the demo's finder looks at its file.
const POLL: Duration = Duration::from_millis(50);

/// Longest wait for one listener of the demo to answer.
const DIAL_LIMIT: Duration = Duration::from_secs(1);

/// What happens, in order, each for an equal part of the time.
#[derive(Clone, Copy, Debug)]
enum Step {
    Begin,
    StartOneMore,
    EndOne,
    BreakTheFile,
    MendTheFile,
}

impl Step {
    const ALL: [Self; STEPS as usize] = [
        Self::Begin,
        Self::StartOneMore,
        Self::EndOne,
        Self::BreakTheFile,
        Self::MendTheFile,
    ];

    fn words(self) -> &'static str {
        match self {
            Self::Begin => "three processes have started and are listed",
            Self::StartOneMore => "a fourth starts and is listed",
            Self::EndOne => "the first ends and is taken off the list",
            Self::BreakTheFile => {
                "somebody breaks the file: unknown is not empty, and the last good set stays"
            }
            Self::MendTheFile => "the file is mended",
        }
    }
}

pub(super) async fn run(args: &DemoArgs, stop: &mut Stop) -> Result<u8, Failure> {
    let system = |source| Failure::System {
        what: "the demo cannot be set up",
        source,
    };
    let mut stage = Stage::new().await.map_err(system)?;
    let introduction = wrapped(INTRODUCTION, terminal::width()).join("\n");
    terminal::say(&format!("{introduction}\n\n"))?;
    let step_time = Duration::from_secs(args.seconds.unsigned_abs()) / u32::from(STEPS);
    let start = Instant::now();
    for (number, step) in (1..).zip(Step::ALL) {
        stage.act(step).await.map_err(system)?;
        terminal::say(&format!("{number}. {}\n", step.words()))?;
        let until = start + step_time * number;
        tokio::select! {
            shown = stage.show_until(until) => shown?,
            code = stop.asked() => return Ok(code),
        }
    }
    terminal::say("The demo is over; nothing is left behind.\n")?;
    Ok(exit::DONE)
}

/// The processes, the file that lists them, and the watch of the file.
#[derive(Debug)]
struct Stage {
    folder: TempDir,
    listeners: Vec<TcpListener>,
    watch: Box<dyn SeedWatch>,
    shown: Shown,
    written_at: Instant,
}

impl Stage {
    /// Three processes, listed in the file, and the finder that watches it.
    async fn new() -> io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("discovery-demo-")
            .tempdir()?;
        let finder = FileFinder::new(FileFinderConfig {
            path: folder.path().join(LIST),
            poll: POLL,
            // The demo replaces the file whole, so there are no halves to wait for.
            settle: Duration::ZERO,
            ..FileFinderConfig::default()
        });
        let finder = finder.map_err(io::Error::other)?;
        let mut listeners = Vec::new();
        for _ in 0..3 {
            listeners.push(listener().await?);
        }
        write(&folder, &list(&listeners)?).await?;
        Ok(Self {
            folder,
            listeners,
            watch: finder.watch(),
            shown: Shown::default(),
            written_at: Instant::now(),
        })
    }

    async fn act(&mut self, step: Step) -> io::Result<()> {
        match step {
            Step::Begin => return Ok(()),
            Step::StartOneMore => self.listeners.push(listener().await?),
            Step::EndOne => drop(self.listeners.remove(0)),
            Step::BreakTheFile | Step::MendTheFile => {}
        }
        let text = match step {
            Step::BreakTheFile => "127.0.0.1:none\n".to_owned(),
            Step::Begin | Step::StartOneMore | Step::EndOne | Step::MendTheFile => {
                list(&self.listeners)?
            }
        };
        write(&self.folder, &text).await?;
        self.written_at = Instant::now();
        Ok(())
    }

    /// Shows what the finder says until then.
    async fn show_until(&mut self, until: Instant) -> Result<(), Failure> {
        loop {
            tokio::select! {
                report = self.watch.changed() => self.show(&report).await?,
                () = sleep_until(until) => return Ok(()),
            }
        }
    }

    async fn show(&mut self, report: &SeedReport) -> Result<(), Failure> {
        let now = Instant::now();
        let noticed = now.saturating_duration_since(self.written_at).as_millis();
        let block = report_block(report, Some(&mut self.shown), now, terminal::width());
        let answers = match &report.finding {
            Finding::Known(seeds) => dial(seeds).await,
            Finding::KnownEmpty | Finding::Unknown(_) => String::new(),
        };
        terminal::say(&format!("   after {noticed} ms  {block}{answers}\n"))?;
        Ok(())
    }
}

async fn listener() -> io::Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", 0)).await
}

/// The processes as they stand in the file.
fn list(listeners: &[TcpListener]) -> io::Result<String> {
    let addresses = listeners.iter().map(TcpListener::local_addr);
    addresses
        .map(|address| address.map(|address| format!("{address}\n")))
        .collect()
}

/// Replaces the file as a whole.
async fn write(folder: &TempDir, text: &str) -> io::Result<()> {
    let (draft, path) = (folder.path().join("draft"), folder.path().join(LIST));
    tokio::fs::write(&draft, text).await?;
    tokio::fs::rename(&draft, &path).await
}

/// The file's name in the demo's folder.
const LIST: &str = "seeds";

/// Dials every seed, as a newcomer would.
async fn dial(seeds: &SeedSet) -> String {
    let mut answered = 0;
    for seed in seeds {
        answered += usize::from(answers(seed.address()).await);
    }
    format!("  dialled: {answered} of {} answer\n", seeds.len())
}

async fn answers(address: SocketAddr) -> bool {
    matches!(
        timeout(DIAL_LIMIT, TcpStream::connect(address)).await,
        Ok(Ok(_))
    )
}
