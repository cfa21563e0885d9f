//! `cargo xtask bench`: measures, prints a table, and says which aims were missed.

mod aims;
mod figures;
mod limits;
mod node;
mod profile;
mod runs;
mod table;

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;

use self::figures::Figures;
use self::runs::{Plan, Program};
use crate::workspace::Workspace;

/// Members of a cluster, as many as the machine's limit of open files allows.
const SIZES: [usize; 5] = [10, 50, 100, 200, 500];

/// Those of `--quick`.
const QUICK_SIZES: [usize; 2] = [10, 100];

/// Runs of each size.
const RUNS: usize = 10;

/// Those of `--quick`.
const QUICK_RUNS: usize = 3;

/// The size at which the cost of watching is measured against the silence limit.
const CURVE_SIZE: usize = 100;

/// Silence limits of that curve, in milliseconds.
const CURVE_MILLIS: [u32; 5] = [250, 500, 1000, 2000, 4000];

/// Measures this project.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Membership(Options),
    Node(node::NodeOptions),
}

/// Forms clusters in one process over loopback, and ends members of them.
///
/// A run is a process of its own: N members, one runtime on each core, a finder in memory that
/// answers a listing in one millisecond. It measures the simultaneous start to everyone at one
/// version with all N; the idle cluster; publishing; and from the end of members to the last
/// survivor's new version: one killed (sockets closed), the coordinator, a tenth, then one and a
/// tenth whose links carry nothing any more. Median and worst over all runs; a removal of a member
/// that lives, or a second membership under one version, fails the command, a missed aim does not.
///
/// Bytes are what the members hand to TCP, and 52 bytes for each segment that the kernel counted in
/// this network namespace, acknowledgements included: run nothing else that talks. Memory is the
/// growth of the process, subscribers and the measuring included.
///
/// Needs: the toolchain, about 40 open files for each member; `perf` to profile a missed aim.
/// Takes: about 16 minutes after a release build; `--quick` about three.
///
/// Examples: cargo xtask bench membership --quick
///           cargo xtask bench membership --sizes 100 --runs 3 --json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Options {
    /// Only 10 and 100 members, three runs each, and no curve.
    #[arg(long)]
    quick: bool,
    /// How many members.
    #[arg(long, value_delimiter = ',')]
    sizes: Vec<usize>,
    /// How many runs of each size.
    #[arg(long)]
    runs: Option<usize>,
    /// Print JSON in place of the tables.
    #[arg(long)]
    json: bool,
}

impl Options {
    fn sizes(&self) -> Vec<usize> {
        match (self.sizes.is_empty(), self.quick) {
            (false, _) => self.sizes.clone(),
            (true, false) => SIZES.to_vec(),
            (true, true) => QUICK_SIZES.to_vec(),
        }
    }

    fn runs(&self) -> usize {
        self.runs
            .unwrap_or(if self.quick { QUICK_RUNS } else { RUNS })
    }
}

pub(crate) fn run(arguments: &BenchArgs) -> anyhow::Result<ExitCode> {
    match &arguments.what {
        What::Membership(options) => membership(options),
        What::Node(options) => node::run(options),
    }
}

fn membership(options: &Options) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::load()?;
    let program = Program::build(&workspace.root)?;
    let files_max = limits::raise_open_files()?;
    let mut figures = Figures::default();
    for nodes in options.sizes() {
        if let Some(needed) = limits::beyond(nodes, files_max) {
            let why = format!("{nodes} members need {needed} open files; the limit is {files_max}");
            figures.skip(nodes, why);
            continue;
        }
        for run in 0..options.runs() {
            figures.take(&Plan::full(nodes, run), &program);
        }
        figures.take(&Plan::majority(nodes), &program);
    }
    let sizes = options.sizes();
    if sizes.contains(&CURVE_SIZE) {
        for run in 0..options.runs().min(QUICK_RUNS) {
            figures.take(&Plan::loaded(CURVE_SIZE, run), &program);
        }
    }
    if sizes.contains(&CURVE_SIZE) && !options.quick {
        for millis in CURVE_MILLIS {
            figures.take(&Plan::limit(CURVE_SIZE, millis), &program);
        }
    }
    if options.json {
        println!("{}", figures.to_json());
    } else {
        println!("{}", table::Tables(&figures));
    }
    let missed = aims::missed(&figures);
    for miss in &missed {
        eprintln!("missed: {miss}");
    }
    // One profile for each part of a run, of the smallest size that missed.
    let mut profiled = BTreeSet::new();
    for miss in missed.iter().filter(|miss| profiled.insert(miss.steps())) {
        eprintln!("{}", profile::of(&program, miss));
    }
    if figures.is_empty() {
        bail!("nothing was measured");
    }
    Ok(if figures.are_sound() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
