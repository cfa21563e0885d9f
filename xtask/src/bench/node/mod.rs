//! `cargo xtask bench node`: what one node costs and how fast it tells, measured on processes.
//!
//! | module | what it holds |
//! |---|---|
//! | `process` | a node as a process: started, asked whether it is ready, ended |
//! | `gauges` | what the kernel counts for a process |
//! | `watching` | the measuring client, run as a program |
//! | `sheet` | the table |

mod gauges;
mod process;
mod sheet;
mod watching;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};

use self::gauges::Gauges;
use self::process::{Founding, Node, NodeProgram, RingAddresses};
use self::sheet::{Row, Sheet};
use self::watching::{Measured, Plan, WatchingProgram};
use super::limits;
use crate::cluster::deadline::Deadline;
use crate::stopwatch::Stopwatch;
use crate::workspace::Workspace;

/// Members of the cluster that idles.
const MEMBERS: usize = 50;

/// Starts that are timed.
const STARTS: usize = 10;

/// How long the cluster rests before it is measured, and how long it is measured.
const REST: Duration = Duration::from_secs(10);
const SPAN: Duration = Duration::from_mins(1);
const QUICK_SPAN: Duration = Duration::from_secs(10);

/// Longest time for a cluster of any size to be ready.
const READY_LIMIT: Duration = Duration::from_mins(2);

/// Watchers of one node, and over how many connections.
const WATCHERS: usize = 1_000;
const CONNECTIONS: usize = 10;

/// Events to all of them, as fast as the slowest of them lets it.
const EVENTS: usize = 10_000;
const QUICK_EVENTS: usize = 2_000;

/// Events at a pace that leaves the machine idle half of the time or more, and that pace.
const PACED_EVENTS: usize = 500;
const PACED_RATE: u32 = 20;

/// Events of the cluster of three that is watched by one, and their pace.
const LATENCY_EVENTS: usize = 2_000;
const LATENCY_RATE: u32 = 100;

/// Starts nodes of a release build as processes on loopback, and measures what they cost.
///
/// Start: a node that founds alone, from `exec` to the line that says where it listens, and to the
/// first 200 of /readyz. Idle: 50 nodes with the static finder form one ring and rest; memory and
/// processor time of each over a span. Latency: three nodes, one publishes through gRPC, a client
/// watches that node, then another one. Watchers: 1,000 gRPC streams on one node, 10,000 events of
/// 256 bytes; the publisher never runs more than 500 events ahead of the slowest, so that a gap
/// would be the node's fault; then 20 events a second. A gap fails the command.
///
/// A client cannot see the decision itself, so that the way from it to a watcher is told twice:
/// from the call of Publish (an upper bound: the deciding is in it), and from its answer, which
/// leaves the node when the decision is known there (below 0: the watcher was told first).
///
/// The client shares the machine with the nodes: run nothing else. Every node is ended with the
/// command, by its process id.
///
/// Needs: the toolchain, about 1 GB of memory, 4,096 open files.
/// Takes: about five minutes after a release build; `--quick` about two.
///
/// Examples: cargo xtask bench node --quick
///           cargo xtask bench node --members 10 --json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct NodeOptions {
    /// A shorter span, fewer events and starts.
    #[arg(long)]
    quick: bool,
    /// How many members idle.
    #[arg(long, default_value_t = MEMBERS)]
    members: usize,
    /// Print JSON in place of the table.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &NodeOptions) -> anyhow::Result<ExitCode> {
    if options.members == 0 {
        bail!("--members is 0; a cluster has one or more");
    }
    let root = Workspace::load()?.root;
    let node = NodeProgram::build(&root)?;
    let watching = WatchingProgram::build(&root)?;
    limits::raise_open_files()?;
    let mut sheet = Sheet::default();
    sheet.add(Row::new(
        "binary",
        binary_mib(node.path())?,
        "MiB, stripped",
    ));
    starts(&node, options, &mut sheet)?;
    idle(&node, options, &mut sheet)?;
    latency(&node, &watching, options, &mut sheet)?;
    let gaps = crowd(&node, &watching, options, &mut sheet)?;
    if options.json {
        println!("{}", sheet.to_json());
    } else {
        println!("{sheet}");
    }
    if gaps > 0 {
        eprintln!("{gaps} gaps: the node lost events of watchers that kept up");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn binary_mib(path: &Path) -> anyhow::Result<f64> {
    let facts = path.metadata().context("the node was not built")?;
    Ok(sheet::decimal(facts.len()) / 1024.0 / 1024.0)
}

/// Times the start of nodes that found alone.
fn starts(program: &NodeProgram, options: &NodeOptions, sheet: &mut Sheet) -> anyhow::Result<()> {
    let (mut listening, mut ready) = (Vec::new(), Vec::new());
    for _ in 0..if options.quick { 3 } else { STARTS } {
        let watch = Stopwatch::start();
        let node = Node::start(program, "solo", &Founding::Alone)?;
        listening.push(sheet::millis(watch.elapsed()));
        node.until_ready(&Deadline::after(READY_LIMIT))?;
        ready.push(sheet::millis(watch.elapsed()));
    }
    sheet.add(Row::spread(
        "start: exec to listening",
        &mut listening,
        "ms",
    ));
    sheet.add(Row::spread("start: exec to ready", &mut ready, "ms"));
    Ok(())
}

/// So many nodes that are members of one topology.
fn cluster(program: &NodeProgram, count: usize) -> anyhow::Result<Vec<Node>> {
    let mut ring = RingAddresses::hold(count)?;
    let mut nodes = Vec::new();
    while let Some(name) = ring.free_one() {
        nodes.push(Node::start(program, &name, &ring.founding)?);
    }
    let deadline = Deadline::after(READY_LIMIT);
    for node in &nodes {
        node.until_member_of(count, &deadline)?;
    }
    Ok(nodes)
}

/// Measures members that have nothing to do.
fn idle(program: &NodeProgram, options: &NodeOptions, sheet: &mut Sheet) -> anyhow::Result<()> {
    let watch = Stopwatch::start();
    let nodes = cluster(program, options.members)?;
    eprintln!(
        "{} nodes are one ring after {:?}",
        nodes.len(),
        watch.elapsed()
    );
    let read = || -> Vec<Gauges> { nodes.iter().map(|node| Gauges::read(node.id())).collect() };
    rest(REST);
    let (before, watch) = (read(), Stopwatch::start());
    rest(if options.quick { QUICK_SPAN } else { SPAN });
    let (after, span) = (read(), watch.elapsed());
    let busy = |(after, before): (&Gauges, &Gauges)| {
        let busy = after.processor.saturating_sub(before.processor);
        busy.as_secs_f64() / span.as_secs_f64() * 100.0
    };
    let mut busy: Vec<f64> = after.iter().zip(&before).map(busy).collect();
    let mib = |kib: u64| sheet::decimal(kib) / 1024.0;
    let mut anon: Vec<f64> = after.iter().map(|node| mib(node.anon_kib)).collect();
    let mut whole: Vec<f64> = after.iter().map(|node| mib(node.resident_kib)).collect();
    let of = format!("idle member of {}", options.members);
    sheet.add(Row::spread(
        &format!("{of}: memory, RssAnon"),
        &mut anon,
        "MiB",
    ));
    sheet.add(Row::spread(
        &format!("{of}: memory, VmRSS"),
        &mut whole,
        "MiB",
    ));
    sheet.add(Row::spread(
        &format!("{of}: processor"),
        &mut busy,
        "% of a core",
    ));
    Ok(())
}

/// Waits without asking anything.
fn rest(span: Duration) {
    let deadline = Deadline::after(span);
    while deadline.pause() {}
}

/// Measures how long it takes to tell one watcher.
fn latency(
    program: &NodeProgram,
    watching: &WatchingProgram,
    options: &NodeOptions,
    sheet: &mut Sheet,
) -> anyhow::Result<()> {
    let nodes = cluster(program, 3)?;
    let events = if options.quick {
        LATENCY_EVENTS / 4
    } else {
        LATENCY_EVENTS
    };
    for (of, watched) in [("same node", &nodes[0]), ("another node", &nodes[1])] {
        let measured = watching.run(&Plan {
            publish: &nodes[0],
            watch: watched,
            watchers: 1,
            connections: 1,
            events,
            rate: LATENCY_RATE,
        })?;
        let head = format!("3 nodes, 1 watcher at the {of}").replace("the another", "another");
        if of == "same node" {
            sheet.add(measured.row("answer_us", &format!("{head}: Publish to answer")));
        }
        sheet.add(measured.row("watcher_us", &format!("{head}: Publish to watcher")));
        sheet.add(measured.row("after_answer_us", &format!("{head}: answer to watcher")));
    }
    Ok(())
}

/// Measures a thousand watchers of one node; says how many gaps there were.
fn crowd(
    program: &NodeProgram,
    watching: &WatchingProgram,
    options: &NodeOptions,
    sheet: &mut Sheet,
) -> anyhow::Result<u64> {
    let events = if options.quick { QUICK_EVENTS } else { EVENTS };
    let paced = if options.quick {
        PACED_EVENTS / 5
    } else {
        PACED_EVENTS
    };
    let mut gaps = 0;
    for (how, events, rate) in [("saturated", events, 0), ("paced", paced, PACED_RATE)] {
        let node = Node::start(program, "solo", &Founding::Alone)?;
        node.until_ready(&Deadline::after(READY_LIMIT))?;
        let measured = watching.run(&Plan {
            publish: &node,
            watch: &node,
            watchers: WATCHERS,
            connections: CONNECTIONS,
            events,
            rate,
        })?;
        let at = if rate == 0 {
            String::new()
        } else {
            format!(" at {rate}/s")
        };
        let head = format!("{WATCHERS} watchers, {events} events{at}");
        gaps += measured.number("gaps")?;
        crowd_rows(sheet, &measured, &head, how)?;
    }
    Ok(gaps)
}

fn crowd_rows(sheet: &mut Sheet, measured: &Measured, head: &str, how: &str) -> anyhow::Result<()> {
    let number = |what| anyhow::Ok(sheet::decimal(measured.number(what)?));
    let (deliveries, took) = (number("deliveries")?, number("took_ms")?);
    let before = number("before_kib")?;
    let grown = |to| anyhow::Ok((number(to)? - before) / 1024.0);
    sheet.add(Row::new(format!("{head}: gaps"), number("gaps")?, ""));
    let a_second = deliveries * 1000.0 / took.max(1.0);
    sheet.add(Row::new(format!("{head}: deliveries"), a_second, "/s"));
    let each = number("node_processor_ms")? * 1000.0 / deliveries.max(1.0);
    sheet.add(Row::new(
        format!("{head}: node's processor"),
        each,
        "us a delivery",
    ));
    sheet.add(Row::new(
        format!("{head}: growth, watching"),
        grown("watching_kib")?,
        "MiB",
    ));
    sheet.add(Row::new(
        format!("{head}: growth, at the end"),
        grown("after_kib")?,
        "MiB",
    ));
    sheet.add(measured.row("watcher_us", &format!("{head}: Publish to watcher, {how}")));
    Ok(())
}
