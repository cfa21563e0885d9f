//! Happenings from what a node delivers: who is named how. Pure.

use std::collections::BTreeMap;

use discovery_core::{
    AccusationKind, Evidence, Finding, Member, SeedReport, SnapshotCause, Standing, Topology,
    TopologyEvent,
};

use super::happening::{Removed, What};

/// A topology is told whole.
pub(super) fn snapshot(topology: &Topology, cause: SnapshotCause) -> What {
    What::Snapshot {
        epoch: topology.epoch().to_string(),
        version: topology.version().get(),
        members: names(topology.members()),
        why: match cause {
            SnapshotCause::Start => "it became a member",
            SnapshotCause::Behind => "it was told too late",
            SnapshotCause::NewEpoch => "a recovery opened a new epoch",
            SnapshotCause::OtherCluster => "it is another cluster",
            // What may yet be added.
            _ => "it could not be told change by change",
        },
    }
}

/// A change that was decided, and the topology before it.
pub(super) fn decided(event: &TopologyEvent, before: Option<&Topology>) -> What {
    What::Decided {
        epoch: event.topology.epoch().to_string(),
        version: event.topology.version().get(),
        members: event.topology.len(),
        joined: names(&event.joined),
        left: names(&event.left),
        failed: event
            .failed
            .iter()
            .map(|(member, evidence)| Removed {
                name: member.name().to_string(),
                brief: brief(evidence, before),
                evidence: match before {
                    Some(before) => evidence.in_words_of(before).to_string(),
                    None => evidence.to_string(),
                },
            })
            .collect(),
        epoch_changed: event.epoch_changed,
    }
}

/// Evidence in few words: who accused of what, without the times.
fn brief(evidence: &Evidence, before: Option<&Topology>) -> String {
    let Evidence::Accused(accusations) = evidence else {
        return match before {
            Some(before) => evidence.in_words_of(before).to_string(),
            None => evidence.to_string(),
        };
    };
    let mut observers: BTreeMap<AccusationKind, Vec<String>> = BTreeMap::new();
    for accusation in accusations {
        let id = accusation.observer;
        let member = before.and_then(|before| before.member(id));
        let name = member.map_or_else(|| id.to_string(), |member| member.name().to_string());
        observers.entry(accusation.kind).or_default().push(name);
    }
    let parts: Vec<String> = observers
        .into_iter()
        .map(|(kind, names)| format!("{} ({})", accusation_words(kind), names.join(", ")))
        .collect();
    format!("accused: {}", parts.join("; "))
}

/// What a member is accused of, in words.
fn accusation_words(kind: AccusationKind) -> &'static str {
    match kind {
        AccusationKind::Replaced => "another node answers in its place",
        AccusationKind::Refused => "connection refused",
        AccusationKind::Closed => "link closed, no answer since",
        AccusationKind::Silence => "silence",
        // What may yet be added.
        _ => "something that this version has no word for",
    }
}

fn names(members: &[Member]) -> Vec<String> {
    members
        .iter()
        .map(|member| member.name().to_string())
        .collect()
}

/// The node stands otherwise.
pub(super) fn stands(standing: &Standing) -> What {
    let detail = match standing {
        Standing::NotYetMember { waiting_for } => Some(waiting_for.to_string()),
        Standing::Member { topology } => Some(topology.id().to_string()),
        Standing::WithoutQuorum { stale } => Some(format!("the last known is {}", stale.id())),
        Standing::Removed { last } => Some(format!("the last one with it was {}", last.id())),
        _ => None,
    };
    What::Standing {
        standing: standing.as_str(),
        detail,
    }
}

/// The finder says something else.
pub(super) fn finder_says(report: &SeedReport) -> What {
    let detail = match &report.finding {
        Finding::Known(seeds) => format!("{} lists {}", report.provenance, seeds.len()),
        Finding::KnownEmpty => format!("{} lists nobody", report.provenance),
        Finding::Unknown(error) => error.to_string(),
    };
    What::Finder {
        state: report.finding.state(),
        detail,
    }
}
