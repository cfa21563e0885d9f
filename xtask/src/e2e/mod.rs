//! `cargo xtask e2e`: suites that deploy what users deploy, on a real Kubernetes, and check it.
//!
//! In reading order: `listing` says what the API holds, `sighting` what a finder says; `stage` is a
//! cluster with a namespace and an observer of our own; `finder`, `ring` and `figures` are the
//! suites; `follower` hears what each node tells, `history` checks it; `steps` runs the suites, keeps
//! the times and prints the table.

mod figures;
mod finder;
mod follower;
mod history;
mod listing;
mod observer;
mod ring;
mod sighting;
mod stage;
mod steps;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::cluster::{Cluster, ClusterOptions, Install, Target};
use crate::stopwatch::{Stopwatch, Took};
use stage::Stage;
use steps::Steps;

/// Run a suite on a real Kubernetes: a local one made for it, or one that exists.
///
/// The local cluster needs Linux and root; its programs are built once from Go modules (about a
/// quarter of an hour) and kept outside the checkout. Nothing of it is left when the run ends.
/// On a cluster of yours (--kubeconfig) everything happens in one namespace, which is removed;
/// steps that would stop its API server are skipped.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(after_help = "Examples:\n  \
    cargo xtask e2e                                  every step on a local cluster\n  \
    cargo xtask e2e --kubeconfig ~/.kube/config      the same on a cluster that exists\n  \
    cargo xtask e2e --suite ring                     nodes in pods, and everything done to them\n  \
    cargo xtask e2e --suite figures                  measure latency and load instead\n  \
    cargo xtask e2e --keep                           leave the cluster up to look at it")]
pub(crate) struct E2eArgs {
    /// Run on the cluster of this kubeconfig instead of a local one
    #[arg(long, value_name = "FILE", conflicts_with = "local")]
    kubeconfig: Option<PathBuf>,
    /// Run on a local cluster (the default)
    #[arg(long)]
    local: bool,
    /// Which suite to run
    #[arg(long, value_enum, default_value_t = Suite::Finder)]
    suite: Suite,
    /// Only the suite's short form
    #[arg(long)]
    short: bool,
    /// Leave cluster and namespace as they are at the end, and say how to look at them
    #[arg(long)]
    keep: bool,
    /// Do not build and load the image: the cluster's nodes have it
    #[arg(long)]
    no_image: bool,
    /// Install missing Debian packages (always done where CI=true)
    #[arg(long)]
    install: bool,
}

/// What can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// Pods of a StatefulSet find each other through everything that happens to them.
    Finder,
    /// Nodes in pods form one ring and keep it through everything that happens to them.
    Ring,
    /// How fast and how frugal the finder is, beside one that polls.
    Figures,
}

/// Runs one suite; fails if a step failed.
pub(crate) fn run(args: &E2eArgs) -> anyhow::Result<ExitCode> {
    let watch = Stopwatch::start();
    let mut steps = Steps::new();
    let target = if let Some(kubeconfig) = &args.kubeconfig {
        Target::existing(kubeconfig)?
    } else {
        let options = ClusterOptions::for_tests(Install::from_flag(args.install));
        steps.prepare("local cluster", || {
            Ok(Target::Local(Cluster::start(&options)?))
        })?
    };
    let done = run_on(&target, args, &mut steps);
    let code = steps.print(watch.elapsed());
    if args.keep {
        stage::keep(target)?;
    } else if let Err(error) = target.stop() {
        steps::note(&format!("the cluster did not end as it should: {error:#}"));
        return Ok(ExitCode::FAILURE);
    }
    steps::note(&format!("e2e took {} in all", Took(watch.elapsed())));
    done?;
    Ok(code)
}

fn run_on(target: &Target, args: &E2eArgs, steps: &mut Steps) -> anyhow::Result<()> {
    let stage = Stage::set(target, steps, !args.no_image)?;
    let done = match args.suite {
        Suite::Finder => finder::run(&stage, steps),
        Suite::Ring => {
            ring::run(&stage, steps, args.short);
            Ok(())
        }
        Suite::Figures => figures::run(&stage, steps),
    };
    if !args.keep {
        stage.clear();
    }
    done
}
