//! `events`: what happens in the cluster, one line each.

use std::fmt::Write as _;

use std::pin::pin;

use clap::Args;
use discovery_proto::discovery::v1;
use discovery_proto::discovery::v1::watch_topology_response::Kind;

use super::super::Failure;
use super::forms::{self, Output, time_words};
use super::link::Asked;
use crate::exit;
use crate::terminal::{self, Stop};

/// Show what happens: every change, in order, until SIGTERM or SIGINT.
///
/// It begins with a snapshot or, with --from, behind the topology named there: the node tells what
/// happened since if it still knows, else it begins with a snapshot that says why.
#[derive(Debug, Args)]
pub(in crate::cli) struct EventsArgs {
    /// Begin behind this topology: its version, or CLUSTER-ID/EPOCH/VERSION
    #[arg(long, value_name = "V")]
    from: Option<String>,

    /// How it is written; json is one object a line
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,

    #[command(flatten)]
    asked: Asked,
}

pub(in crate::cli) async fn run(args: &EventsArgs, stop: &mut Stop) -> Result<u8, Failure> {
    let connected = async {
        let mut node = args.asked.connect().await?;
        let from = match &args.from {
            None => None,
            Some(text) => Some(place(text, &mut node).await?),
        };
        let request = v1::WatchTopologyRequest { from: from.clone() };
        let answers = node.watch_topology(request).await?.into_inner();
        Ok::<_, Failure>((answers, from))
    };
    let (mut answers, mut from) = tokio::select! {
        answers = connected => answers?,
        code = stop.asked() => return Ok(code),
    };
    let mut unread = pin!(terminal::reader_gone());
    loop {
        // No limit: events are followed until either side ends.
        let answer = tokio::select! {
            answer = answers.message() => answer?,
            _ = stop.asked() => return Ok(exit::DONE),
            () = &mut unread => return Ok(exit::DONE),
        };
        let Some(answer) = answer else {
            return Ok(exit::DONE);
        };
        // Where the node stands is told first of all.
        if let Some(words) = from.take().and_then(|from| awaited(&from, &answer)) {
            terminal::complain(&words);
        }
        terminal::say(&match args.output {
            Output::Table | Output::Wide => line(&answer),
            Output::Json => format!("{}\n", forms::event(&answer)),
            Output::Yaml => format!("---\n{}", forms::yaml(&forms::event(&answer))),
        })?;
    }
}

/// The topology that is named, in the cluster that the node is in unless it is named whole.
async fn place(text: &str, node: &mut super::link::Client) -> Result<v1::TopologyRef, Failure> {
    let unusable = || {
        let what = format!("--from '{text}': give a version, or CLUSTER-ID/EPOCH/VERSION");
        Failure::Usage(what)
    };
    let parts: Vec<&str> = text.split('/').collect();
    match parts.as_slice() {
        [version] => {
            let version = version.parse().map_err(|_| unusable())?;
            let answer = node.get_topology(v1::GetTopologyRequest {}).await?;
            let topology = answer.into_inner().topology;
            let now = topology.and_then(|topology| topology.id);
            let now = now.ok_or_else(|| {
                Failure::Usage("the node knows no topology yet; leave --from out".to_owned())
            })?;
            Ok(v1::TopologyRef { version, ..now })
        }
        [cluster_id, epoch, version] => Ok(v1::TopologyRef {
            cluster_id: (*cluster_id).to_owned(),
            epoch: epoch.parse().map_err(|_| unusable())?,
            version: version.parse().map_err(|_| unusable())?,
        }),
        _ => Err(unusable()),
    }
}

/// What is said if the node is not as far as the topology that it was asked to begin behind: nothing
/// comes before it is.
fn awaited(from: &v1::TopologyRef, first: &v1::WatchTopologyResponse) -> Option<String> {
    let Some(Kind::Standing(standing)) = &first.kind else {
        return None;
    };
    let now = standing.topology.as_ref()?;
    let place = |id: &v1::TopologyRef| (id.epoch, id.version);
    let is_ahead = from.cluster_id == now.cluster_id && place(from) > place(now);
    is_ahead.then(|| {
        let (epoch, version) = place(from);
        format!(
            "discovery-node: the node is at epoch {} version {}; what comes after epoch {epoch} \
             version {version} is shown once it is decided\n",
            now.epoch, now.version
        )
    })
}

/// One line for people; removals have a line each below it.
fn line(answer: &v1::WatchTopologyResponse) -> String {
    let at = answer.at.as_ref().map(time_words).unwrap_or_default();
    let words = match &answer.kind {
        Some(Kind::Standing(standing)) => {
            let word = forms::standing_word(standing).replace('_', " ");
            match standing.waiting_for.as_str() {
                "" => format!("this node: {word}"),
                what => format!("this node: {word}; it waits for {what}"),
            }
        }
        Some(Kind::Snapshot(snapshot)) => snapshot_words(snapshot),
        Some(Kind::Change(change)) => change_words(change),
        None => "something that this program does not know".to_owned(),
    };
    format!("{at}  {words}\n")
}

fn snapshot_words(snapshot: &v1::Snapshot) -> String {
    let topology = snapshot.topology.clone().unwrap_or_default();
    let id = topology.id.unwrap_or_default();
    let cause = forms::lower(snapshot.cause().as_str_name(), "SNAPSHOT_CAUSE_");
    format!(
        "snapshot ({}) epoch {} version {}: {}",
        cause.replace('_', " "),
        id.epoch,
        id.version,
        names(&topology.members)
    )
}

fn change_words(change: &v1::TopologyChange) -> String {
    let id = change.id.clone().unwrap_or_default();
    let mut words = format!("version {}, {} members:", id.version, change.member_count);
    if change.epoch_changed {
        words = format!("NEW EPOCH {} {words}", id.epoch);
    }
    for (members, what) in [(&change.joined, "joined"), (&change.left, "left")] {
        if !members.is_empty() {
            let _ = write!(words, " {what} {};", names(members));
        }
    }
    for removal in &change.removed {
        let name = names(removal.member.as_slice());
        let evidence = removal.evidence.clone().unwrap_or_default().summary;
        let _ = write!(words, " removed {name}: {evidence};");
    }
    words.trim_end_matches(';').to_owned()
}

fn names(members: &[v1::Member]) -> String {
    let names = members.iter().filter_map(|member| member.node.as_ref());
    let names: Vec<&str> = names.map(|node| node.name.as_str()).collect();
    names.join(", ")
}
