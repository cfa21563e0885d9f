//! The command line: which commands there are, and how each ends. What a command does is in its own
//! file.

mod completions;
mod config;
mod demo;
mod doctor;
mod flags;
mod json;
mod rbac;
mod report_text;
mod seeds;
mod stats_json;

use std::io;

use clap::{Parser, Subcommand};

use crate::compose::ComposeError;
use crate::config::{ConfigFaults, Surroundings};
use crate::exit::{self, EXIT_CODES_HELP};
use crate::terminal::{self, Stop};
use crate::wrap::titled;

pub use flags::FinderFlags;

/// Finds the processes of a clustered application, and shows what it finds.
///
/// Today the node finds and explains; agreeing on who is in the cluster comes later.
#[derive(Debug, Parser)]
#[command(name = "discovery-node", version, after_help = EXAMPLES, after_long_help = long_help())]
pub struct Cli {
    #[arg(long, global = true, value_name = "FILTER", help = LOG_HELP)]
    log: Option<String>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Seeds(seeds::SeedsArgs),
    Doctor(doctor::DoctorArgs),
    Rbac(rbac::RbacArgs),
    Demo(demo::DemoArgs),
    Config(config::ConfigArgs),
    Completions(completions::CompletionsArgs),
}

const LOG_HELP: &str = "\
What to log to standard error: error, warn, info, debug, trace, or a filter such as \
discovery_k8s=debug [env: DISCOVERY_LOG, else RUST_LOG]";

const EXAMPLES: &str = "\
Examples:
  discovery-node demo                                five members on this machine, nothing needed
  discovery-node seeds --watch --service ring        in a pod: the peers of Service ring
  discovery-node seeds --namespace prod --service ring --context staging
  discovery-node seeds --seed 10.0.0.7:47500 --seed '[fd00::7]:47500..47502' --json
  discovery-node doctor --service ring               what is wrong, and what to do about it
  discovery-node rbac print --namespace prod --service ring | kubectl apply -f -";

const SETTINGS_HELP: &str = "\
Settings come from a TOML file (--config FILE), then the environment, then flags; a later one beats
an earlier one, and an unknown name is a fault in each of them. The setting behind --watch-timeout
is DISCOVERY_WATCH_TIMEOUT in the environment; help names every one. Lists have commas there.";

fn long_help() -> String {
    format!("{EXAMPLES}\n\n{SETTINGS_HELP}\n\n{EXIT_CODES_HELP}")
}

/// Why a command ended without doing what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The configuration cannot be used.
    #[error(transparent)]
    Configuration(#[from] ConfigFaults),
    /// A finder refuses its configuration.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// Something on the command line cannot be used.
    #[error("{0}")]
    Usage(String),
    /// Standard output cannot be written.
    #[error("standard output cannot be written: {0}")]
    Output(#[from] io::Error),
    /// The system refused what every run needs.
    #[error("{what}: {source}")]
    System {
        /// What was asked of it.
        what: &'static str,
        /// Its answer.
        source: io::Error,
    },
}

impl Failure {
    /// The exit code of it.
    pub fn code(&self) -> u8 {
        match self {
            Self::Configuration(_) | Self::Compose(_) | Self::Usage(_) => exit::USAGE,
            // Whoever reads us has read enough, as `head` does.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => exit::DONE,
            Self::Output(_) => exit::OUTPUT,
            Self::System { .. } => exit::SYSTEM,
        }
    }
}

impl Failure {
    /// The failure for people, each fault on lines of its own.
    fn words(&self, width: usize) -> String {
        match self {
            Self::Configuration(ConfigFaults { faults }) => {
                let lines = faults
                    .iter()
                    .map(|fault| titled("-", &fault.to_string(), 2, width));
                let lines: String = lines.collect();
                format!("discovery-node: the configuration cannot be used\n{lines}")
            }
            Self::Compose(_) | Self::Usage(_) | Self::Output(_) | Self::System { .. } => {
                format!("discovery-node: {self}\n")
            }
        }
    }
}

impl Cli {
    /// Does what the command line says and returns the exit code; failures were told.
    pub fn run(self, surroundings: &Surroundings) -> u8 {
        let code = self.try_run(surroundings);
        code.unwrap_or_else(|failure| {
            let code = failure.code();
            if code != exit::DONE {
                terminal::complain(&failure.words(terminal::width()));
            }
            code
        })
    }

    fn try_run(self, surroundings: &Surroundings) -> Result<u8, Failure> {
        let env = |name: &str| surroundings.env.get(name).cloned();
        let filter = self
            .log
            .or_else(|| env("DISCOVERY_LOG"))
            .or_else(|| env("RUST_LOG"));
        let filter = filter.as_deref().unwrap_or(self.command.log_default());
        terminal::start_logs(filter).map_err(Failure::Usage)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .enable_all()
            .build()
            .map_err(|source| Failure::System {
                what: "no runtime can be started",
                source,
            })?;
        let done = runtime.block_on(self.command.run(surroundings));
        // A name that is still being looked up must not hold the process up.
        runtime.shutdown_background();
        done
    }
}

/// The client's own words about failures are ours too, told better.
const LOG_DEFAULT: &str = "warn,kube_client=off,kube_runtime=off";

/// Threads of the runtime: finders wait far more than they compute.
const WORKERS: usize = 2;

/// What goes wrong in the demo is what it shows.
const LOG_DEMO: &str = "error";

impl Command {
    fn log_default(&self) -> &'static str {
        match self {
            Self::Demo(_) => LOG_DEMO,
            Self::Seeds(_)
            | Self::Doctor(_)
            | Self::Rbac(_)
            | Self::Config(_)
            | Self::Completions(_) => LOG_DEFAULT,
        }
    }

    async fn run(self, surroundings: &Surroundings) -> Result<u8, Failure> {
        let mut stop = Stop::listen().map_err(|source| Failure::System {
            what: "signals cannot be heard",
            source,
        })?;
        match self {
            Self::Seeds(args) => seeds::run(&args, surroundings, &mut stop).await,
            Self::Doctor(args) => doctor::run(&args, surroundings, &mut stop).await,
            Self::Rbac(args) => rbac::run(&args, surroundings),
            Self::Demo(args) => demo::run(&args, &mut stop).await,
            Self::Config(args) => config::run(&args),
            Self::Completions(args) => completions::run(&args),
        }
    }
}
