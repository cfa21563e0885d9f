//! `doctor`: looks at everything that finding rests on, one thing after the other, and says what to
//! do about what is wrong; and, where a node runs, at the cluster that it sees. The questions are
//! asked in `kubernetes.rs`, `cluster.rs` and here, the answers judged in `judge.rs`, `views.rs`
//! and `listed.rs`.

mod check;
mod cluster;
mod judge;
mod kubernetes;
mod listed;
mod views;

use std::time::Duration;

use clap::Args;
use discovery_core::{Finder, SeedReport};
use tokio::time::timeout;

use super::ask::NodeAddress;
use super::json::json_line;
use super::seeds::settled;
use super::{Failure, FinderFlags};
use crate::compose::{ComposedPart, compose};
use crate::config::{GRPC_PORT, Part, Surroundings, positive_time};
use crate::exit;
use crate::terminal::{self, Stop};

use check::{Checks, Verdict, tally};
use listed::Listed;
use views::{Peer, View};

/// Check what finding rests on: credentials, permissions, the Service, its slices, a census; and,
/// where a node runs, the cluster that it sees: peers in both directions, who is listed and no
/// member, clocks, settings.
///
/// Every line is ok, ? (it cannot be told from here), warn (something is lost) or FAIL (seeds are
/// not found, or a cluster could not form on them), with what to do. Exit code 0 if nothing failed,
/// else 1; with --diff 0 only if all members were asked and see the same. Where nobody says whom to
/// ask for seeds, the node's own finder is looked at.
#[derive(Debug, Args)]
#[command(after_long_help = DOCTOR_JSON_HELP)]
pub(super) struct DoctorArgs {
    /// One JSON object a line instead of text
    #[arg(long)]
    json: bool,

    /// Longest wait for the first seeds of one finder
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = positive_time)]
    wait: Duration,

    /// The node whose cluster is checked too [default: one on this host, if it answers]
    #[arg(long, value_name = "ADDRESS", env = "DISCOVERY_NODE")]
    node: Option<NodeAddress>,

    /// Compare the views of all members, side by side, and check nothing else
    #[arg(long)]
    diff: bool,

    #[command(flatten)]
    finder: FinderFlags,
}

const DOCTOR_JSON_HELP: &str = "\
With --json each check is one line on standard output, one JSON object:
  finder   which finder; there is one for each Service
  check    configuration | credentials | API server | permissions | Service | ports | selector |
           seeds | census | this pod | node | finder | peer | listed | clock | settings |
           agreement
  verdict  ok | unknown | warn | fail
  found    what was found
  remedy   what to do; null if nothing is known or needed";

pub(super) async fn run(
    args: &DoctorArgs,
    surroundings: &Surroundings,
    stop: &mut Stop,
) -> Result<u8, Failure> {
    if args.diff {
        return tokio::select! {
            done = compare(args) => done,
            code = stop.asked() => Ok(code),
        };
    }
    let plan = match args.finder.plan(surroundings) {
        Ok(plan) => Ok(plan),
        Err(faults) if faults.are_for_want_of_a_finder() => Err(faults),
        Err(faults) => return Err(faults.into()),
    };
    let mut all = Vec::new();
    if let Ok(plan) = &plan {
        let composed = compose(plan)?;
        for (part, planned) in composed.parts.iter().zip(&plan.parts) {
            // Every request has the finder's own deadline, and the first seeds have --wait.
            let checks = tokio::select! {
                checks = check_part(part, planned, surroundings, args.wait) => checks,
                code = stop.asked() => return Ok(code),
            };
            show(args, &checks)?;
            all.extend(checks.list);
        }
    }
    let checks = tokio::select! {
        checks = check_cluster(args, plan.is_err()) => checks?,
        code = stop.asked() => return Ok(code),
    };
    match (checks, plan) {
        (Some(checks), _) => {
            show(args, &checks)?;
            all.extend(checks.list);
        }
        (None, Ok(_)) => {}
        // Neither a finder nor a node: there is nothing to look at.
        (None, Err(faults)) => return Err(faults.into()),
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

fn show(args: &DoctorArgs, checks: &Checks) -> Result<(), Failure> {
    let text = if args.json {
        checks.list.iter().map(json_line).collect()
    } else {
        checks.text(terminal::width())
    };
    Ok(terminal::say(&text)?)
}

/// Where a node answers unless another one is named.
fn node_address(args: &DoctorArgs) -> NodeAddress {
    let default = || NodeAddress::Tcp(format!("127.0.0.1:{GRPC_PORT}"));
    args.node.clone().unwrap_or_else(default)
}

/// The cluster that a node sees, with its finder on demand; nothing if nobody named a node and none
/// answers here.
async fn check_cluster(args: &DoctorArgs, with_finder: bool) -> Result<Option<Checks>, Failure> {
    let address = node_address(args);
    let own = match cluster::ask(&address).await {
        Ok(own) => own,
        Err(_) if args.node.is_none() => return Ok(None),
        Err(why) => return Err(unreachable(&address, why)),
    };
    let (strangers, beyond) = listed::strangers(&own);
    let (peers, others) = tokio::join!(
        cluster::ask_peers(&own),
        cluster::ask_listed(&own, &strangers)
    );
    let views = all_views(&own, &peers);
    let known: Vec<_> = views.iter().copied().chain(their_views(&others)).collect();
    let mut checks = Checks::of(format!("cluster {}", own.status.cluster_name));
    views::node(&own, &mut checks);
    if with_finder {
        views::finder(&own, &mut checks);
    }
    views::peers(&own, &peers, &mut checks);
    listed::listed(&views, &others, beyond, &mut checks);
    views::clocks(&known, &mut checks);
    views::settings(&known, &mut checks);
    views::agreement(&views, &unasked(&peers), &mut checks);
    Ok(Some(checks))
}

/// The views of all members, side by side.
async fn compare(args: &DoctorArgs) -> Result<u8, Failure> {
    let address = node_address(args);
    let own = cluster::ask(&address).await;
    let own = own.map_err(|why| unreachable(&address, why))?;
    let peers = cluster::ask_peers(&own).await;
    let mut checks = Checks::of(format!("cluster {}", own.status.cluster_name));
    views::agreement(&all_views(&own, &peers), &unasked(&peers), &mut checks);
    if !args.json {
        terminal::say(&views::diff((own_name(&own), &own), &peers))?;
    }
    show(args, &checks)?;
    let agree = checks.list.iter().all(|check| check.verdict == Verdict::Ok);
    Ok(if agree {
        exit::DONE
    } else {
        exit::CHECK_FAILED
    })
}

fn unreachable(node: &NodeAddress, why: String) -> Failure {
    let node = node.to_string();
    Failure::Unreachable { node, why }
}

fn own_name(own: &View) -> &str {
    own.status
        .node
        .as_ref()
        .map_or("", |node| node.name.as_str())
}

/// The views that could be had, with the names of those whose they are.
fn all_views<'a>(own: &'a View, peers: &'a [Peer]) -> Vec<(&'a str, &'a View)> {
    let others = peers
        .iter()
        .filter_map(|peer| Some((peer.node.name.as_str(), peer.view.as_ref().ok()?)));
    [(own_name(own), own)].into_iter().chain(others).collect()
}

/// The views of those who are listed and no members.
fn their_views(listed: &[Listed]) -> impl Iterator<Item = (&str, &View)> {
    listed
        .iter()
        .filter_map(|one| Some((one.name(), one.view.as_ref().ok()?)))
}

/// Whose views could not be had.
fn unasked(peers: &[Peer]) -> Vec<&str> {
    let unasked = peers.iter().filter(|peer| peer.view.is_err());
    unasked.map(|peer| peer.node.name.as_str()).collect()
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
