//! The command line: which commands there are, and how each ends. What a command does is in its own
//! file.

mod ask;
mod completions;
mod config;
mod demo;
mod doctor;
mod flags;
mod json;
mod rbac;
mod report_text;
mod run;
mod seeds;
mod stats_json;

use std::io;

use clap::{Parser, Subcommand};

use crate::app::SpawnError;
use crate::compose::ComposeError;
use crate::config::{ConfigFaults, Surroundings};
use crate::exit::{self, EXIT_CODES_HELP};
use crate::terminal::{self, Stop};
use crate::wrap::titled;

pub use flags::{FinderFlags, NodeFlags};

/// Finds the processes of a clustered application, agrees with them on who is in the cluster, and
/// tells everybody who asks.
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
    Run(run::RunArgs),
    Topology(ask::TopologyArgs),
    Events(ask::EventsArgs),
    Status(ask::StatusArgs),
    Publish(ask::PublishArgs),
    Subscribe(ask::SubscribeArgs),
    Drain(ask::DrainArgs),
    Remove(ask::RemoveArgs),
    Recover(ask::RecoverArgs),
    Admin(ask::AdminArgs),
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
  discovery-node run --service ring                  in a pod: a node of the cluster
  discovery-node seeds --watch --service ring        in a pod: the peers of Service ring
  discovery-node seeds --namespace prod --service ring --context staging
  discovery-node seeds --seed 10.0.0.7:47500 --seed '[fd00::7]:47500..47502' --json
  discovery-node topology --watch                    who is in the cluster, as it changes
  discovery-node events --from 7 -o json             what happened since version 7
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
    /// The node cannot be started.
    #[error("the node cannot be started: {0}")]
    Start(#[from] SpawnError),
    /// The node that was to be asked cannot be reached.
    #[error(
        "no node answers at {node}: {why}; to ask another one: --node or DISCOVERY_NODE, for \
         operators' commands --admin or DISCOVERY_ADMIN"
    )]
    Unreachable {
        /// Where.
        node: String,
        /// Why.
        why: String,
    },
    /// The node that was asked went away before it had answered, or while it was followed.
    #[error("the node went away, or cannot be reached any more: {why}")]
    BrokenOff {
        /// What broke.
        why: String,
    },
    /// The node that was asked refuses.
    #[error("{message} ({reason})")]
    Refused {
        /// The reason for programs.
        reason: String,
        /// The reason for people.
        message: String,
    },
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
            Self::Start(_) => exit::NOT_STARTED,
            Self::Unreachable { .. } | Self::BrokenOff { .. } => exit::UNREACHABLE,
            Self::Refused { .. } => exit::CALL_REFUSED,
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
            Self::Compose(_)
            | Self::Start(_)
            | Self::Unreachable { .. }
            | Self::BrokenOff { .. }
            | Self::Refused { .. }
            | Self::Usage(_)
            | Self::Output(_)
            | Self::System { .. } => format!("discovery-node: {self}\n"),
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
        let plan = match &self.command {
            Command::Run(args) => Some(args.plan(surroundings)?),
            _ => None,
        };
        let filter = filter.as_deref().unwrap_or(self.command.log_default());
        let is_json = plan.as_ref().is_some_and(run::logs_json);
        terminal::start_logs(filter, is_json).map_err(Failure::Usage)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .enable_all()
            .build()
            .map_err(|source| Failure::System {
                what: "no runtime can be started",
                source,
            })?;
        let done = runtime.block_on(async {
            let mut stop = Stop::listen().map_err(|source| Failure::System {
                what: "signals cannot be heard",
                source,
            })?;
            match plan {
                Some(plan) => run::run(plan, &mut stop).await,
                None => self.command.run(surroundings, &mut stop).await,
            }
        });
        // A name that is still being looked up must not hold the process up.
        runtime.shutdown_background();
        done
    }
}

/// What a node logs: one line for each decision, and trouble.
const LOG_RUN: &str = "info,kube_client=off,kube_runtime=off";

/// The client's own words about failures are ours too, told better.
const LOG_DEFAULT: &str = "warn,kube_client=off,kube_runtime=off";

/// Threads of the runtime: finders wait far more than they compute.
const WORKERS: usize = 2;

/// What goes wrong in the demo is what it shows.
const LOG_DEMO: &str = "error";

impl Command {
    fn log_default(&self) -> &'static str {
        match self {
            Self::Run(_) => LOG_RUN,
            Self::Demo(_) => LOG_DEMO,
            Self::Topology(_)
            | Self::Events(_)
            | Self::Status(_)
            | Self::Publish(_)
            | Self::Subscribe(_)
            | Self::Drain(_)
            | Self::Remove(_)
            | Self::Recover(_)
            | Self::Admin(_)
            | Self::Seeds(_)
            | Self::Doctor(_)
            | Self::Rbac(_)
            | Self::Config(_)
            | Self::Completions(_) => LOG_DEFAULT,
        }
    }

    async fn run(self, surroundings: &Surroundings, stop: &mut Stop) -> Result<u8, Failure> {
        match self {
            Self::Run(_) => Err(Failure::Usage("run was not planned".to_owned())),
            Self::Topology(args) => ask::topology(&args, stop).await,
            Self::Events(args) => ask::events(&args, stop).await,
            Self::Status(args) => ask::status(&args, stop).await,
            Self::Publish(args) => ask::publish(&args, stop).await,
            Self::Subscribe(args) => ask::subscribe(&args, stop).await,
            Self::Drain(args) => ask::drain(&args, surroundings).await,
            Self::Remove(args) => ask::remove(&args, surroundings).await,
            Self::Recover(args) => ask::recover(&args, surroundings).await,
            Self::Admin(args) => ask::admin(&args, surroundings).await,
            Self::Seeds(args) => seeds::run(&args, surroundings, stop).await,
            Self::Doctor(args) => doctor::run(&args, surroundings, stop).await,
            Self::Rbac(args) => rbac::run(&args, surroundings),
            Self::Demo(args) => demo::run(&args, stop).await,
            Self::Config(args) => config::run(&args, surroundings),
            Self::Completions(args) => completions::run(&args),
        }
    }
}
