//! A sight from what the node and its finder say. Pure: who asks them is in `lookout.rs`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use discovery_core::{
    FinderError, Finding, Member, NodeId, NodeInfo, NodeName, Seed, SeedCondition, SeedReport,
    Standing, Topology,
};
use discovery_tcp::message::PhaseKind;
use discovery_tcp::ring::{self, Status};

use super::happening::Happenings;
use super::knocking::Knock;
use super::sight::{FinderSight, MemberSight, SeedSight, Sight, SuspicionSight, TopologySight};

/// What a sight is drawn from, besides the status.
#[derive(Debug)]
pub(super) struct Surroundings<'a> {
    /// The topology, as drawn when it or what is listed changed last.
    pub(super) topology: Option<Arc<TopologySight>>,
    /// What the finder said last.
    pub(super) report: Option<&'a SeedReport>,
    /// When its source last confirmed it, milliseconds since 1970.
    pub(super) confirmed_at: Option<i64>,
    /// What happened so far.
    pub(super) happenings: &'a Happenings,
    /// What came of knocking at seeds that are no members.
    pub(super) knocks: &'a BTreeMap<SocketAddr, Knock>,
    /// Now, milliseconds since 1970.
    pub(super) now: i64,
}

/// Draws a node.
pub(super) fn draw(status: &Status, around: &Surroundings<'_>) -> Sight {
    let lost_for = status.without_quorum_for;
    let lost_since = lost_for.map(|lost| {
        let lost = i64::try_from(lost.as_millis()).unwrap_or(i64::MAX);
        around.now.saturating_sub(lost)
    });
    let mut suspicions: Vec<SuspicionSight> = status
        .suspicions
        .iter()
        .map(|one| SuspicionSight {
            subject: one.subject.to_string(),
            observer: one.observer.to_string(),
            kind: one.kind.to_string(),
            since: one.since.0,
        })
        .collect();
    suspicions.sort();
    suspicions.dedup();
    Sight {
        node_id: status.node.id().to_string(),
        name: status.node.name().to_string(),
        addresses: texts(status.node.addresses()),
        phase: phase_name(status.phase),
        standing: status.standing.as_str(),
        is_draining: status.phase == PhaseKind::Leaving,
        quorum: status.quorum,
        without_quorum_since: lost_since,
        waiting_for: status.waiting_for.clone(),
        refused: status.refused.as_ref().map(ToString::to_string),
        term: status.term.map(|term| term.to_string()),
        coordinator: status
            .coordinator
            .as_ref()
            .map(|node| node.id().to_string()),
        decided: status.decided,
        epoch_source: status.epoch_source,
        links: status.links,
        topology: around.topology.clone(),
        suspicions,
        finder: finder_sight(status, around),
    }
}

/// The topology in force, else the last one known.
pub(super) fn last_topology(status: &Status) -> Option<&Topology> {
    status
        .topology
        .as_ref()
        .or_else(|| status.standing.topology())
}

/// The stable name of a phase.
pub(crate) const fn phase_name(phase: PhaseKind) -> &'static str {
    match phase {
        PhaseKind::Newcomer => "newcomer",
        PhaseKind::Member => "member",
        PhaseKind::Leaving => "leaving",
    }
}

/// Draws a topology beside what is listed; costs as much as all its members have to say.
pub(super) fn topology_sight(topology: &Topology, report: Option<&SeedReport>) -> TopologySight {
    let listed = report.and_then(|report| match &report.finding {
        Finding::Known(seeds) => Some(seeds.clone()),
        Finding::KnownEmpty | Finding::Unknown(_) => None,
    });
    let order = |id: NodeId| topology.member(id).map(|member| member.order.get());
    let member = |(member, observers): (&Member, Vec<NodeId>)| MemberSight {
        id: member.id().to_string(),
        name: member.name().to_string(),
        order: member.order.get(),
        joined_at: member.joined_at.get(),
        started_at: member.info.started_at().0,
        addresses: texts(member.info.addresses()),
        zone: member.info.zone().map(ToString::to_string),
        host_node: member.info.host_node().map(ToString::to_string),
        role: member.info.role().to_string(),
        attributes: member
            .info
            .attributes()
            .iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
        observers: observers.into_iter().filter_map(order).collect(),
        is_listed: listed
            .as_ref()
            .map(|seeds| seeds.iter().any(|seed| is_same(seed, member))),
    };
    let members = topology.members().iter();
    TopologySight {
        cluster_id: topology.cluster_id().to_string(),
        epoch: topology.epoch().to_string(),
        version: topology.version().get(),
        term: topology.term().to_string(),
        content_hash: format!("{:016x}", topology.content_hash()),
        majority: topology.voters().count() / 2 + 1,
        members: members.zip(ring::observers(topology)).map(member).collect(),
    }
}

/// Whether a seed is this member.
fn is_same(seed: &Seed, member: &Member) -> bool {
    is_at(seed, &member.info)
}

/// Whether a seed is this node: by pod where both say it, else by address.
fn is_at(seed: &Seed, node: &NodeInfo) -> bool {
    match (&seed.pod_uid, node.pod_uid()) {
        (Some(listed), Some(own)) => listed == own,
        _ => seed
            .addresses()
            .iter()
            .any(|address| node.addresses().contains(address)),
    }
}

fn finder_sight(status: &Status, around: &Surroundings<'_>) -> FinderSight {
    let Some(report) = around.report else {
        return FinderSight {
            state: "silent",
            ..FinderSight::default()
        };
    };
    let trouble = match &report.finding {
        Finding::Unknown(error) => Some(error),
        Finding::Known(_) | Finding::KnownEmpty => None,
    };
    FinderSight {
        provenance: Some(report.provenance.to_string()),
        authoritative: report.authoritative,
        state: report.finding.state(),
        trouble: trouble.map(ToString::to_string),
        remedy: trouble
            .and_then(FinderError::remedy)
            .map(ToString::to_string),
        confirmed_at: around.confirmed_at,
        gaps: report.gaps.iter().map(ToString::to_string).collect(),
        seeds: report
            .seeds()
            .iter()
            .map(|seed| seed_sight(seed, status, around))
            .collect(),
    }
}

/// The seeds of a report that are no members, by what is known of the topology here.
pub(super) fn strangers(status: &Status, report: &SeedReport) -> Vec<Seed> {
    let topology = last_topology(status);
    let is_member = |seed: &Seed| {
        topology.is_some_and(|topology| topology.members().iter().any(|m| is_same(seed, m)))
    };
    let seeds = report.seeds();
    seeds
        .iter()
        .filter(|seed| !is_member(seed))
        .cloned()
        .collect()
}

fn seed_sight(seed: &Seed, status: &Status, around: &Surroundings<'_>) -> SeedSight {
    let topology = last_topology(status);
    let member = topology.and_then(|topology| {
        let mut members = topology.members().iter();
        members.find(|member| is_same(seed, member))
    });
    SeedSight {
        name: seed.name.as_ref().map(ToString::to_string),
        addresses: texts(seed.addresses()),
        pod_uid: seed.pod_uid.as_ref().map(ToString::to_string),
        zone: seed.zone.as_ref().map(ToString::to_string),
        condition: condition(seed.condition),
        member: member.map(|member| member.id().to_string()),
        why_not: match member {
            Some(_) => None,
            None => Some(why_not(seed, status, around)),
        },
    }
}

fn condition(condition: SeedCondition) -> Option<&'static str> {
    match (condition.terminating, condition.ready, condition.serving) {
        (Some(true), _, Some(true)) => Some("terminating, still serving"),
        (Some(true), _, _) => Some("terminating"),
        (_, Some(true), _) => Some("ready"),
        (_, Some(false), _) => Some("not ready"),
        (_, None, Some(true)) => Some("serving"),
        (_, None, Some(false)) => Some("not serving"),
        (_, None, None) => None,
    }
}

/// Why a seed is no member, as far as this node can tell.
fn why_not(seed: &Seed, status: &Status, around: &Surroundings<'_>) -> String {
    let mut reasons = Vec::new();
    let own = status.node.addresses();
    if seed.addresses().iter().any(|address| own.contains(address)) {
        let waits = status.waiting_for.as_deref().unwrap_or("its admission");
        reasons.push(format!("it is this node, which waits for {waits}"));
        return reasons.join("; ");
    }
    if !matches!(status.standing, Standing::Member { .. }) {
        reasons.push("this node has no topology in force, so it cannot tell".to_owned());
    }
    if seed.condition.terminating == Some(true) {
        reasons.push("it is on its way out".to_owned());
    }
    let name = seed.name.as_ref().map(NodeName::as_str);
    if let Some((version, why)) = name.and_then(|name| around.happenings.removal_of(name)) {
        reasons.push(format!("gone since version {version}: {why}"));
    }
    // Who was talked to is known better than by knocking.
    let mut turned_away = status.turned_away.iter().rev();
    if let Some(it) = turned_away.find(|it| is_at(seed, &it.node)) {
        reasons.push(format!("turned away: {}", it.cause));
    } else if let Some(knock) = around.knocks.get(&seed.address()) {
        reasons.push(knock.words().to_owned());
    }
    if reasons.is_empty() {
        reasons.push("not asked yet".to_owned());
    }
    reasons.join("; ")
}

fn texts<T: ToString>(things: &[T]) -> Vec<String> {
    things.iter().map(ToString::to_string).collect()
}
