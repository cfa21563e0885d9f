//! Clusters of hundreds and thousands in simulated time: a mass start, a steady time, a mass kill.
//! `cargo xtask sim --large` calls it and draws what it prints.
//!
//! Of each phase it prints `figure PHASE NODES VERSIONS MILLIS MESSAGES DIALS`: what it cost until
//! all agreed, with messages and dials for each node; other lines tell how far a long one has come.
//! Up to `CHECKED_MAX` nodes the promises are checked at every step as well.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a tool speaks on its standard output"
)]

use std::env;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use discovery_tcp::sim::{Cluster, Coverage, World};

/// Beyond that the checkers cost more than the nodes.
const CHECKED_MAX: usize = 100;

/// How finely the moment of agreement is known.
const LOOK: Duration = Duration::from_millis(1);

/// How often it tells how far it has come.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Longest wait for agreement.
const LONG: Duration = Duration::from_mins(5);

/// So many stand for an hour, all others for a minute, unless it is given.
const HOUR_AT: usize = 1_000;

/// The limits are raised for more.
const USUAL_MAX: usize = 1_024;

/// Of so many nodes one is killed.
const SHARE: usize = 10;

/// What was counted at one moment.
struct Mark {
    version: u64,
    at: discovery_tcp::Moment,
    coverage: Coverage,
}

fn mark(cluster: &Cluster) -> Mark {
    let version = cluster.agreed().map_or(0, |it| it.version().get());
    Mark {
        version,
        at: cluster.now(),
        coverage: cluster.coverage(),
    }
}

fn tell(phase: &str, nodes: usize, before: &Mark, cluster: &Cluster) -> Mark {
    let now = mark(cluster);
    let versions = now.version.saturating_sub(before.version);
    let took = now.at.since(before.at);
    let nodes_now = u64::try_from(nodes).unwrap_or(u64::MAX).max(1);
    let each = |now: u64, before: u64| (now - before) / nodes_now;
    let messages = each(now.coverage.messages, before.coverage.messages);
    let dials = each(now.coverage.dials, before.coverage.dials);
    println!(
        "figure {phase} {nodes} {versions} {} {messages} {dials}",
        took.as_millis()
    );
    now
}

/// Runs until all agree; false if they do not, or something is broken. Tells now and then how far
/// it has come.
fn agree(cluster: &mut Cluster) -> bool {
    let (began, mut told) = (cluster.now(), Instant::now());
    while cluster.agreed().is_none() {
        if cluster.now() >= began + LONG || cluster.violation().is_some() {
            return false;
        }
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            let members = cluster.members_at("p-0").len();
            let Coverage { messages, .. } = cluster.coverage();
            println!(
                "{:?} simulated, {members} members, {messages} messages",
                cluster.now().since(began)
            );
        }
        cluster.run_for(LOOK);
    }
    true
}

fn measure(nodes: usize, steady: Duration) -> Result<(), String> {
    let mut world = World::of_seed(1);
    world.is_traced = false;
    world.is_checked = nodes <= CHECKED_MAX;
    // Everybody is listed when the first one looks, and the store is written to all the time (FORM-9):
    // the delays of the platform are not measured.
    world.climate.write_interval = LOOK * 20;
    world.climate.listing_lag = (LOOK, LOOK * 2);
    world.climate.start_lag = (LOOK * 3, LOOK * 4);
    if nodes > USUAL_MAX {
        world.config.members_max = nodes;
        world.config.links_max = nodes * 2;
        world.config.frame_bytes_max *= 4;
        world.config.history_bytes_max = world.config.frame_bytes_max;
    }
    let mut cluster = Cluster::new(world);
    cluster.restart_containers(false, (LOOK, LOOK));
    let name = |number: usize| format!("p-{number}");
    for number in 0..nodes {
        cluster.start(&name(number));
    }
    let said = |cluster: &Cluster, what: &str| {
        let broken = cluster.violation().map(ToString::to_string);
        format!("{nodes} nodes {what}: {}", broken.unwrap_or_default())
    };
    let start = mark(&cluster);
    if !agree(&mut cluster) {
        return Err(said(&cluster, "do not come together"));
    }
    tell("start", nodes, &start, &cluster);
    cluster.run_for(Duration::from_secs(10));
    let before = mark(&cluster);
    cluster.run_for(steady);
    let before = tell("steady", nodes, &before, &cluster);
    for number in (0..nodes).filter(|number| number % SHARE == SHARE / 2) {
        cluster.unwant(&name(number));
        cluster.crash(&name(number));
    }
    if !agree(&mut cluster) {
        return Err(said(&cluster, "do not agree on a tenth that is gone"));
    }
    tell("kill", nodes, &before, &cluster);
    if cluster.clusters() == 1 {
        Ok(())
    } else {
        Err(said(&cluster, "are several clusters"))
    }
}

fn main() -> ExitCode {
    let mut sizes: Vec<usize> = Vec::new();
    let mut steady = None;
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        match (word.as_str(), words.next().and_then(|it| it.parse().ok())) {
            ("--nodes", Some(nodes)) => sizes.push(nodes),
            ("--minutes", Some(minutes)) => {
                steady = Some(Duration::from_mins(u64::try_from(minutes).unwrap_or(1)));
            }
            _ => {
                println!("large: {word}: give --nodes N (several times) or --minutes M");
                return ExitCode::from(2);
            }
        }
    }
    for nodes in sizes {
        let usual = if nodes == HOUR_AT { 60 } else { 1 };
        let steady = steady.unwrap_or(Duration::from_mins(usual));
        if let Err(what) = measure(nodes, steady) {
            println!("{what}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
