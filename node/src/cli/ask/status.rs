//! `status`: everything a person would ask of a node.

use clap::Args;
use discovery_proto::discovery::v1;
use serde_json::{Value, json};

use super::super::Failure;
use super::forms::{self, Output, time_words};
use super::link::Asked;
use crate::exit;
use crate::terminal::{self, Stop};
use crate::wrap::titled;

/// Show where a node stands: phase, term, coordinator, quorum, suspicions, finder, who is awaited.
///
/// Exit code 0 if the node is a member with a quorum; else 5.
#[derive(Debug, Args)]
pub(in crate::cli) struct StatusArgs {
    /// How it is written
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,

    #[command(flatten)]
    asked: Asked,
}

pub(in crate::cli) async fn run(args: &StatusArgs, stop: &mut Stop) -> Result<u8, Failure> {
    let asked = async {
        let mut node = args.asked.connect().await?;
        let answer = node.get_status(v1::GetStatusRequest {}).await?;
        Ok::<_, Failure>(answer.into_inner())
    };
    let status = tokio::select! {
        status = asked => status?,
        code = stop.asked() => return Ok(code),
    };
    terminal::say(&match args.output {
        Output::Table | Output::Wide => text(&status, terminal::width()),
        Output::Json => format!("{:#}\n", value(&status)),
        Output::Yaml => forms::yaml(&value(&status)),
    })?;
    let standing = status.standing.unwrap_or_default();
    Ok(if standing.kind() == v1::StandingKind::Member {
        exit::DONE
    } else {
        exit::NOT_IN_FORCE
    })
}

fn value(status: &v1::GetStatusResponse) -> Value {
    let standing = status.standing.clone().unwrap_or_default();
    let accusations =
        |one: &v1::Suspicion| -> Vec<Value> { one.accusations.iter().map(accusation).collect() };
    let suspicions: Vec<Value> = status
        .suspicions
        .iter()
        .map(|one| {
            json!({
                "subject": one.subject,
                "subject_name": one.subject_name,
                "accusations": accusations(one),
            })
        })
        .collect();
    let removals: Vec<Value> = status
        .recent_removals
        .iter()
        .map(|seen| {
            json!({
                "removal": seen.removal.as_ref().map(forms::removal),
                "topology": forms::topology_ref(seen.topology.as_ref()),
                "at": forms::time(seen.at.as_ref()),
            })
        })
        .collect();
    json!({
        "node": status.node.as_ref().map(forms::node),
        "cluster_name": status.cluster_name,
        "phase": forms::lower(status.phase().as_str_name(), "PHASE_"),
        "standing": forms::standing_word(&standing),
        "waiting_for": standing.waiting_for,
        "topology": status.topology.as_ref().map(forms::topology),
        "term": forms::term(status.term.as_ref()),
        "coordinator": status.coordinator,
        "has_quorum": status.has_quorum,
        "without_quorum_for_ms": standing.without_quorum_for.as_ref().map(millis),
        "decided_position": status.decided_position,
        "suspicions": suspicions,
        "finder": status.finder.as_ref().map(finder_value),
        "links": status.links,
        "epoch_source": status.epoch_source,
        "program_version": status.program_version,
        "security": status.security,
        "recent_removals": removals,
        "settings_digest": status.settings_digest,
        "refused": status.refused.as_ref().map(refusal),
        "turned_away": status.turned_away.iter().map(refusal).collect::<Vec<_>>(),
        "shared_settings": status.shared_settings.as_ref().map(shared_settings),
        "observers": status.observers,
        "now": forms::time(status.now.as_ref()),
    })
}

fn shared_settings(shared: &v1::SharedSettings) -> Value {
    json!({
        "formation": shared.formation,
        "recovery": shared.recovery,
        "quorum": shared.quorum,
        "proof": shared.proof,
        "merge": shared.merge,
        "silence_limit_ms": shared.silence_limit.as_ref().map(millis),
        "frame_bytes_max": shared.frame_bytes_max,
    })
}

fn accusation(one: &v1::Accusation) -> Value {
    json!({
        "observer": one.observer,
        "observer_name": one.observer_name,
        "kind": forms::lower(one.kind().as_str_name(), "ACCUSATION_KIND_"),
        "since": forms::time(one.since.as_ref()),
    })
}

fn refusal(one: &v1::Refusal) -> Value {
    json!({
        "node": one.node.as_ref().map(forms::node),
        "kind": forms::lower(one.kind().as_str_name(), "REFUSAL_KIND_"),
        "detail": one.detail,
        "settings_here": one.settings_here,
        "settings_there": one.settings_there,
    })
}

fn millis(length: &prost_types::Duration) -> i64 {
    length.seconds * 1000 + i64::from(length.nanos) / 1_000_000
}

fn finder_value(finder: &v1::FinderStatus) -> Value {
    let seeds: Vec<Value> = finder
        .seeds
        .iter()
        .map(|seed| {
            json!({
                "name": seed.name,
                "addresses": seed.addresses,
                "pod_uid": seed.pod_uid,
                "zone": seed.zone,
                "host_node": seed.host_node,
                "member": seed.member,
                "ready": seed.ready,
                "terminating": seed.terminating,
            })
        })
        .collect();
    json!({
        "provenance": finder.provenance,
        "authoritative": finder.authoritative,
        "state": finder.state,
        "cause": finder.cause,
        "detail": finder.detail,
        "remedy": finder.remedy,
        "age_ms": finder.age.as_ref().map(millis),
        "seeds": seeds,
        "gaps": finder.gaps,
    })
}

/// The status for people, what matters most first.
fn text(status: &v1::GetStatusResponse, width: usize) -> String {
    let mut out = String::new();
    let mut line = |title: &str, words: String| {
        if !words.is_empty() {
            out.push_str(&titled(&format!("{title:TITLE_WIDTH$}"), &words, 0, width));
        }
    };
    let standing = status.standing.clone().unwrap_or_default();
    let node = status.node.clone().unwrap_or_default();
    let topology = status.topology.clone().unwrap_or_default();
    line(
        "standing",
        forms::standing_word(&standing).replace('_', " "),
    );
    line("waits for", standing.waiting_for.clone());
    if let Some(refused) = &status.refused {
        line("refused", refused.detail.clone());
    }
    line("quorum", quorum_words(status, &standing));
    line(
        "node",
        format!(
            "{} ({}) at {}",
            node.name,
            node.id,
            node.addresses.join(", ")
        ),
    );
    line("cluster", status.cluster_name.clone());
    if let Some(id) = &topology.id {
        let (members, hash) = (topology.members.len(), &topology.content_hash);
        let (epoch, version) = (id.epoch, id.version);
        let cluster = &id.cluster_id;
        line(
            "topology",
            format!(
                "version {version} of epoch {epoch}, {members} members, hash {hash}; \
                 cluster {cluster}"
            ),
        );
    }
    line("coordinator", coordinator_words(status, &topology));
    for one in &status.suspicions {
        line("accused", suspicion_words(one));
    }
    for one in &status.turned_away {
        line("turned away", turned_away_words(one));
    }
    for seen in &status.recent_removals {
        line("removed", removal_words(seen));
    }
    if let Some(finder) = &status.finder {
        line("finder", finder_words(finder));
        line("remedy", finder.remedy.clone());
    }
    line("links", status.links.to_string());
    line(
        "program",
        format!("{}, links {}", status.program_version, status.security),
    );
    out
}

/// Width of the longest title.
const TITLE_WIDTH: usize = 11;

fn quorum_words(status: &v1::GetStatusResponse, standing: &v1::Standing) -> String {
    match (&standing.without_quorum_for, status.has_quorum) {
        (_, true) => "a majority is heard".to_owned(),
        (Some(lost), false) => format!(
            "NO majority is heard for {} ms; nothing is decided here",
            millis(lost)
        ),
        (None, false) => "none".to_owned(),
    }
}

fn coordinator_words(status: &v1::GetStatusResponse, topology: &v1::Topology) -> String {
    let mut nodes = topology
        .members
        .iter()
        .filter_map(|member| member.node.as_ref());
    let name = nodes.find(|node| node.id == status.coordinator);
    let Some(node) = name else {
        return status.coordinator.clone();
    };
    let term = status.term.as_ref();
    let term = term.map_or_else(String::new, |term| {
        format!(", term {}.{}", term.counter, term.order)
    });
    format!("{}{term}", node.name)
}

fn suspicion_words(one: &v1::Suspicion) -> String {
    let subject = match one.subject_name.as_str() {
        "" => &one.subject,
        name => name,
    };
    let words = one.accusations.iter().map(|accusation| {
        let observer = match accusation.observer_name.as_str() {
            "" => &accusation.observer,
            name => name,
        };
        let kind = forms::lower(accusation.kind().as_str_name(), "ACCUSATION_KIND_");
        let since = accusation
            .since
            .as_ref()
            .map(time_words)
            .unwrap_or_default();
        format!("{observer} of {kind} since {since}")
    });
    format!("{subject} by {}", words.collect::<Vec<_>>().join(", "))
}

fn turned_away_words(one: &v1::Refusal) -> String {
    let node = one.node.clone().unwrap_or_default();
    let addresses = node.addresses.join(", ");
    format!("{} at {addresses}: {}", node.name, one.detail)
}

fn removal_words(seen: &v1::SeenRemoval) -> String {
    let removal = seen.removal.clone().unwrap_or_default();
    let node = removal
        .member
        .and_then(|member| member.node)
        .unwrap_or_default();
    let at = seen.at.as_ref().map(time_words).unwrap_or_default();
    let why = removal.evidence.unwrap_or_default().summary;
    format!("{} at {at}: {why}", node.name)
}

fn finder_words(finder: &v1::FinderStatus) -> String {
    let age = finder.age.as_ref().map_or_else(String::new, |age| {
        format!(", confirmed {} ms ago", millis(age))
    });
    let strangers = finder.seeds.iter().filter(|seed| seed.member.is_empty());
    let names: Vec<&str> = strangers
        .map(|seed| match seed.name.as_str() {
            "" => seed.addresses.first().map_or("?", String::as_str),
            name => name,
        })
        .collect();
    let strangers = match names.as_slice() {
        [] => String::new(),
        names => format!("; listed and no member: {}", names.join(", ")),
    };
    let trouble = match finder.cause.as_str() {
        "" => String::new(),
        cause => format!(" ({cause}: {})", finder.detail),
    };
    format!(
        "{}: {}{trouble}, {} seeds{age}{strangers}",
        finder.provenance,
        finder.state,
        finder.seeds.len()
    )
}
