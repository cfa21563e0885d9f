//! Everything a person would ask of a node, as `GetStatus` tells it.

use std::collections::BTreeMap;

use discovery_core::{
    Accusation, FinderError, Finding, Member, NodeId, Seed, SeedReport, Topology,
};
use discovery_proto::convert::{duration, timestamp};
use discovery_proto::discovery::v1;
use discovery_tcp::message::PhaseKind;
use discovery_tcp::ring::{
    LastingCause, LastingRefusal, Status as RingStatus, TurnedAway, TurnedAwayCause, observers_of,
};
use tokio::time::Instant;
use tonic::Status;

use super::Api;
use super::refusals::Refusal;
use crate::feed::SeenRemoval;

impl Api {
    pub(super) async fn tell_status(&self) -> Result<v1::GetStatusResponse, Status> {
        let status = self.discovery.status().await;
        let status = status.map_err(|_| Refusal::ShuttingDown)?;
        let topology = status.topology.as_ref().or(status.standing.topology());
        let report = self.view.heard().latest(Instant::now());
        Ok(v1::GetStatusResponse {
            node: Some((&status.node).into()),
            cluster_name: self.cluster_name.to_string(),
            phase: phase(status.phase).into(),
            standing: Some(standing(&status)),
            topology: topology.map(Into::into),
            term: status.term.map(Into::into),
            coordinator: status
                .coordinator
                .as_ref()
                .map_or_else(String::new, |node| node.id().to_string()),
            has_quorum: status.quorum,
            decided_position: status.decided,
            suspicions: suspicions(&status, topology),
            finder: report.map(|report| finder(&report, topology)),
            links: u32::try_from(status.links).unwrap_or(u32::MAX),
            epoch_source: status.epoch_source.to_owned(),
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
            security: "plaintext".to_owned(),
            recent_removals: self.feed.removals().iter().map(removal).collect(),
            settings_digest: self.settings_digest,
            now: Some(timestamp(crate::feed::now())),
            shared_settings: Some(self.shared_settings.clone()),
            observers: observers(&status),
            refused: status.refused.as_ref().map(refused),
            turned_away: status.turned_away.iter().map(turned_away).collect(),
        })
    }
}

/// Who observes the node that answers.
fn observers(status: &RingStatus) -> Vec<String> {
    let observers = status
        .topology
        .as_ref()
        .map(|topology| observers_of(topology, status.node.id()));
    let observers = observers.unwrap_or_default().into_iter();
    observers.map(|observer| observer.to_string()).collect()
}

/// Who refuses the node that answers.
fn refused(refusal: &LastingRefusal) -> v1::Refusal {
    v1::Refusal {
        node: Some((&refusal.by).into()),
        detail: refusal.to_string(),
        ..lasting(&refusal.cause)
    }
}

/// Whom it turned away.
fn turned_away(one: &TurnedAway) -> v1::Refusal {
    let typed = match &one.cause {
        TurnedAwayCause::Lasting(cause) => lasting(cause),
        TurnedAwayCause::ClusterName { .. } => v1::Refusal {
            kind: v1::RefusalKind::ClusterName.into(),
            ..v1::Refusal::default()
        },
        // What may yet be added has its words.
        _ => v1::Refusal::default(),
    };
    v1::Refusal {
        node: Some((&one.node).into()),
        detail: one.cause.to_string(),
        ..typed
    }
}

fn lasting(cause: &LastingCause) -> v1::Refusal {
    let (kind, here, there) = match cause {
        LastingCause::Settings { ours, theirs } => (v1::RefusalKind::Settings, *ours, *theirs),
        LastingCause::WireVersion { .. } => (v1::RefusalKind::WireVersion, 0, 0),
        LastingCause::Full => (v1::RefusalKind::Full, 0, 0),
        // What may yet be added has its words.
        _ => (v1::RefusalKind::Unspecified, 0, 0),
    };
    v1::Refusal {
        kind: kind.into(),
        settings_here: here,
        settings_there: there,
        ..v1::Refusal::default()
    }
}

fn phase(phase: PhaseKind) -> v1::Phase {
    match phase {
        PhaseKind::Newcomer => v1::Phase::Newcomer,
        PhaseKind::Member => v1::Phase::Member,
        PhaseKind::Leaving => v1::Phase::Leaving,
    }
}

fn standing(status: &RingStatus) -> v1::Standing {
    v1::Standing {
        waiting_for: status.waiting_for.clone().unwrap_or_default(),
        without_quorum_for: status.without_quorum_for.map(duration),
        ..(&status.standing).into()
    }
}

/// Who is accused, each with all who accuse it.
fn suspicions(status: &RingStatus, topology: Option<&Topology>) -> Vec<v1::Suspicion> {
    let mut by_subject: BTreeMap<NodeId, Vec<Accusation>> = BTreeMap::new();
    for one in &status.suspicions {
        let accusation = Accusation {
            observer: one.observer,
            kind: one.kind,
            at: one.since,
        };
        by_subject.entry(one.subject).or_default().push(accusation);
    }
    let name = |id: NodeId| topology.and_then(|topology| Some(topology.member(id)?.name()));
    by_subject
        .into_iter()
        .map(|(subject, accusations)| v1::Suspicion {
            subject: subject.to_string(),
            subject_name: name(subject).map_or_else(String::new, ToString::to_string),
            accusations: accusations
                .iter()
                .map(|accusation| v1::Accusation::named_by(accusation, topology))
                .collect(),
        })
        .collect()
}

fn removal(seen: &SeenRemoval) -> v1::SeenRemoval {
    v1::SeenRemoval {
        removal: Some(v1::Removal::of(
            &seen.member,
            &seen.evidence,
            &seen.topology,
        )),
        topology: Some(seen.topology.id().into()),
        at: Some(timestamp(seen.at)),
    }
}

fn finder(report: &SeedReport, topology: Option<&Topology>) -> v1::FinderStatus {
    let error = match &report.finding {
        Finding::Unknown(error) => Some(error),
        Finding::Known(_) | Finding::KnownEmpty => None,
    };
    let words =
        |of: fn(&FinderError) -> Option<&str>| error.and_then(of).unwrap_or_default().to_owned();
    v1::FinderStatus {
        provenance: report.provenance.to_string(),
        authoritative: report.authoritative,
        state: report.finding.state().to_owned(),
        cause: words(|error| Some(error.cause().as_str())),
        detail: words(|error| Some(error.detail())),
        remedy: words(FinderError::remedy),
        age: report.last_good.as_ref().map(|good| duration(good.age)),
        seeds: report
            .seeds()
            .iter()
            .map(|one| seed(one, topology))
            .collect(),
        gaps: report.gaps.iter().map(ToString::to_string).collect(),
    }
}

fn seed(seed: &Seed, topology: Option<&Topology>) -> v1::Seed {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let mut members = topology.map(Topology::members).unwrap_or_default().iter();
    let member = members.find(|member| is_same(seed, member));
    v1::Seed {
        name: seed
            .name
            .as_ref()
            .map_or_else(String::new, ToString::to_string),
        addresses: seed.addresses().iter().map(ToString::to_string).collect(),
        pod_uid: seed
            .pod_uid
            .as_ref()
            .map_or_else(String::new, ToString::to_string),
        zone: text(seed.zone.as_deref()),
        host_node: text(seed.host_node.as_deref()),
        member: member.map_or_else(String::new, |member| member.id().to_string()),
        ready: seed.condition.ready,
        terminating: seed.condition.terminating,
    }
}

/// Whether a seed is this member: by pod where both say it, else by address.
fn is_same(seed: &Seed, member: &Member) -> bool {
    match (&seed.pod_uid, member.info.pod_uid()) {
        (Some(listed), Some(own)) => listed == own,
        _ => seed
            .addresses()
            .iter()
            .any(|address| member.info.addresses().contains(address)),
    }
}
