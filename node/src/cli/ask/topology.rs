//! `topology`: who is in the cluster, once or as it changes.

use std::pin::pin;

use clap::Args;
use discovery_proto::discovery::v1;
use discovery_proto::discovery::v1::watch_topology_response::Kind;
use serde_json::{Value, json};

use super::super::Failure;
use super::forms::{self, Output, time_words};
use super::link::Asked;
use crate::exit;
use crate::terminal::{self, Stop};
use crate::wrap::columns;

/// Show who is in the cluster, as a node knows it.
///
/// Exit code 0 if the node is a member with a quorum, so that what is shown is in force; else 5.
#[derive(Debug, Args)]
pub(in crate::cli) struct TopologyArgs {
    /// Follow it and show every topology, until SIGTERM or SIGINT
    #[arg(long)]
    watch: bool,

    /// How it is written
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,

    #[command(flatten)]
    asked: Asked,
}

pub(in crate::cli) async fn run(args: &TopologyArgs, stop: &mut Stop) -> Result<u8, Failure> {
    if args.watch {
        return follow(args, stop).await;
    }
    let answer = async {
        let mut node = args.asked.connect().await?;
        let answer = node.get_topology(v1::GetTopologyRequest {}).await?;
        Ok::<_, Failure>(answer.into_inner())
    };
    let answer = tokio::select! {
        answer = answer => answer?,
        code = stop.asked() => return Ok(code),
    };
    let standing = answer.standing.unwrap_or_default();
    let is_in_force = standing.kind() == v1::StandingKind::Member;
    let shown = Shown {
        standing: &standing,
        topology: answer.topology.as_ref(),
    };
    terminal::say(&shown.once(args.output))?;
    Ok(if is_in_force {
        exit::DONE
    } else {
        exit::NOT_IN_FORCE
    })
}

async fn follow(args: &TopologyArgs, stop: &mut Stop) -> Result<u8, Failure> {
    let request = v1::WatchTopologyRequest { from: None };
    let connected = async {
        let mut node = args.asked.connect().await?;
        Ok::<_, Failure>(node.watch_topology(request).await?.into_inner())
    };
    let mut answers = tokio::select! {
        answers = connected => answers?,
        code = stop.asked() => return Ok(code),
    };
    let mut unread = pin!(terminal::reader_gone());
    let (mut standing, mut topology) = (v1::Standing::default(), None);
    loop {
        // No limit: a watch is followed until either side ends it.
        let answer = tokio::select! {
            answer = answers.message() => answer?,
            _ = stop.asked() => return Ok(exit::DONE),
            () = &mut unread => return Ok(exit::DONE),
        };
        let Some(answer) = answer else {
            return Ok(exit::DONE);
        };
        let Some(kind) = answer.kind else { continue };
        take(kind, &mut standing, &mut topology);
        let shown = Shown {
            standing: &standing,
            topology: topology.as_ref(),
        };
        terminal::say(&shown.at(args.output, answer.at.as_ref()))?;
    }
}

/// Applies one answer to what is known.
fn take(kind: Kind, standing: &mut v1::Standing, topology: &mut Option<v1::Topology>) {
    match kind {
        Kind::Standing(now) => *standing = now,
        Kind::Snapshot(snapshot) => *topology = snapshot.topology,
        Kind::Change(change) => {
            if let Some(topology) = topology {
                apply(topology, change);
            }
        }
    }
}

/// Applies a change to the topology before it.
fn apply(topology: &mut v1::Topology, change: v1::TopologyChange) {
    let id = |member: &v1::Member| member.node.as_ref().map(|node| node.id.clone());
    let removed = change.removed.iter().filter_map(|one| one.member.as_ref());
    let gone: Vec<_> = change.left.iter().chain(removed).map(id).collect();
    topology
        .members
        .retain(|member| !gone.contains(&id(member)));
    topology.members.extend(change.joined);
    topology.id = change.id;
    topology.term = change.term;
    topology.content_hash = change.content_hash;
    topology.next_order = change.next_order;
}

/// What is known, to be shown.
#[derive(Clone, Copy, Debug)]
struct Shown<'a> {
    standing: &'a v1::Standing,
    topology: Option<&'a v1::Topology>,
}

impl Shown<'_> {
    /// As the only answer.
    fn once(&self, output: Output) -> String {
        match output {
            Output::Table => table(self.standing, self.topology, false),
            Output::Wide => table(self.standing, self.topology, true),
            Output::Json => format!("{:#}\n", self.value()),
            Output::Yaml => forms::yaml(&self.value()),
        }
    }

    /// As one answer of a watch, with the time at which it was learned: beside a table, and inside
    /// of what programs read. A YAML stream has one document an answer, each behind its `---`.
    fn at(&self, output: Output, at: Option<&prost_types::Timestamp>) -> String {
        let mut value = self.value();
        if let Value::Object(form) = &mut value {
            form.insert("at".to_owned(), forms::time(at));
        }
        match output {
            Output::Table | Output::Wide => {
                let time = at.map(time_words).unwrap_or_default();
                format!("{time}\n{}", self.once(output))
            }
            Output::Json => format!("{value}\n"),
            Output::Yaml => format!("---\n{}", forms::yaml(&value)),
        }
    }

    fn value(&self) -> Value {
        let mut form = self.topology.map_or_else(|| json!({}), forms::topology);
        if let Value::Object(form) = &mut form {
            let word = forms::standing_word(self.standing);
            form.insert("standing".to_owned(), json!(word));
            let waiting_for = &self.standing.waiting_for;
            form.insert("waiting_for".to_owned(), json!(waiting_for));
        }
        form
    }
}

fn table(standing: &v1::Standing, topology: Option<&v1::Topology>, is_wide: bool) -> String {
    let mut out = heading(standing, topology);
    let Some(topology) = topology else {
        return out;
    };
    let mut rows = vec![titles(is_wide)];
    rows.extend(topology.members.iter().map(|member| row(member, is_wide)));
    out.push_str(&columns(&rows, 0));
    out
}

fn heading(standing: &v1::Standing, topology: Option<&v1::Topology>) -> String {
    let word = forms::standing_word(standing).replace('_', " ");
    let Some(id) = topology.and_then(|topology| topology.id.as_ref()) else {
        let waits = match standing.waiting_for.as_str() {
            "" => String::new(),
            what => format!("; it waits for {what}"),
        };
        return format!("this node: {word}{waits}\n");
    };
    let hash = topology.map_or("", |topology| topology.content_hash.as_str());
    // What is not in force is said before anything else.
    let stale = if standing.kind() == v1::StandingKind::Member {
        ""
    } else {
        "NOT IN FORCE, it may be stale: "
    };
    format!(
        "{stale}cluster {} epoch {} version {} hash {hash}; this node: {word}\n",
        id.cluster_id, id.epoch, id.version
    )
}

fn titles(is_wide: bool) -> Vec<String> {
    let mut titles = vec!["ORDER", "NAME", "ADDRESS", "ZONE", "HOST", "JOINED"];
    if is_wide {
        titles.extend(["ID", "POD UID", "STARTED", "ADDRESSES", "API", "ATTRIBUTES"]);
    }
    titles.into_iter().map(ToOwned::to_owned).collect()
}

fn row(member: &v1::Member, is_wide: bool) -> Vec<String> {
    let node = member.node.clone().unwrap_or_default();
    let text = |text: &str| if text.is_empty() { "-" } else { text }.to_owned();
    let mut row = vec![
        member.order.to_string(),
        text(&node.name),
        text(node.addresses.first().map_or("", String::as_str)),
        text(&node.zone),
        text(&node.host_node),
        format!("v{}", member.joined_version),
    ];
    if is_wide {
        let pairs = node
            .attributes
            .iter()
            .map(|(key, value)| format!("{key}={value}"));
        row.extend([
            node.id.clone(),
            text(&node.pod_uid),
            text(&node.started_at.as_ref().map(time_words).unwrap_or_default()),
            text(&node.addresses.join(",")),
            text(&node.grpc_addresses.join(",")),
            text(&pairs.collect::<Vec<_>>().join(",")),
        ]);
    }
    row
}
