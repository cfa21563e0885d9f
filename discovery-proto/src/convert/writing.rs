//! Values of `discovery-core` as messages of `discovery.v1`.

use discovery_core::{
    Accusation, AccusationKind, Evidence, FencingToken, HostNode, Member, NodeInfo, PodUid, Role,
    SnapshotCause, Standing, Term, Topology, TopologyEvent, TopologyId, Zone,
};

use super::{OWN_ATTRIBUTES, grpc_addresses, timestamp};
use crate::discovery::v1;

impl From<TopologyId> for v1::TopologyRef {
    fn from(id: TopologyId) -> Self {
        Self {
            cluster_id: id.cluster_id.to_string(),
            epoch: id.epoch.0,
            version: id.version.get(),
        }
    }
}

impl From<Term> for v1::Term {
    fn from(term: Term) -> Self {
        Self {
            counter: term.counter,
            order: term.order.get(),
        }
    }
}

impl From<FencingToken> for v1::FencingToken {
    fn from(token: FencingToken) -> Self {
        Self {
            epoch: token.epoch.0,
            version: token.version.get(),
            term: Some(token.term.into()),
        }
    }
}

impl From<&NodeInfo> for v1::Node {
    fn from(node: &NodeInfo) -> Self {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let attributes = node.attributes().iter();
        Self {
            id: node.id().to_string(),
            name: node.name().to_string(),
            addresses: node.addresses().iter().map(ToString::to_string).collect(),
            started_at: Some(timestamp(node.started_at())),
            pod_uid: text(node.pod_uid().map(PodUid::as_str)),
            zone: text(node.zone().map(Zone::as_str)),
            host_node: text(node.host_node().map(HostNode::as_str)),
            role: role(node.role()).into(),
            attributes: attributes
                .filter(|(key, _)| !key.starts_with(OWN_ATTRIBUTES))
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
            wire_version: node.wire_version().0.into(),
            grpc_addresses: grpc_addresses(node)
                .iter()
                .map(ToString::to_string)
                .collect(),
        }
    }
}

fn role(role: Role) -> v1::Role {
    match role {
        Role::Member => v1::Role::Member,
        Role::Follower => v1::Role::Follower,
        _ => v1::Role::Unspecified,
    }
}

impl From<&Member> for v1::Member {
    fn from(member: &Member) -> Self {
        Self {
            order: member.order.get(),
            joined_version: member.joined_at.get(),
            node: Some((&member.info).into()),
        }
    }
}

impl From<&Topology> for v1::Topology {
    fn from(topology: &Topology) -> Self {
        Self {
            id: Some(topology.id().into()),
            term: Some(topology.term().into()),
            members: topology.members().iter().map(Into::into).collect(),
            content_hash: hash(topology),
            next_order: topology.next_order().get(),
        }
    }
}

fn hash(topology: &Topology) -> String {
    format!("{:016x}", topology.content_hash())
}

impl From<&TopologyEvent> for v1::TopologyChange {
    fn from(event: &TopologyEvent) -> Self {
        let topology = &event.topology;
        let removed = event.failed.iter();
        Self {
            previous: Some(event.previous.into()),
            id: Some(topology.id().into()),
            term: Some(topology.term().into()),
            content_hash: hash(topology),
            member_count: u32::try_from(topology.len()).unwrap_or(u32::MAX),
            joined: event.joined.iter().map(Into::into).collect(),
            left: event.left.iter().map(Into::into).collect(),
            removed: removed
                .map(|(member, evidence)| v1::Removal::of(member, evidence, topology))
                .collect(),
            epoch_changed: event.epoch_changed,
            next_order: topology.next_order().get(),
        }
    }
}

impl v1::Removal {
    /// Who was removed and why, with observers named as this topology names them.
    pub fn of(member: &Member, evidence: &Evidence, topology: &Topology) -> Self {
        let accusations = match evidence {
            Evidence::Accused(accusations) => accusations
                .iter()
                .map(|accusation| v1::Accusation::named_by(accusation, Some(topology)))
                .collect(),
            _ => Vec::new(),
        };
        Self {
            member: Some(member.into()),
            evidence: Some(v1::Evidence {
                summary: evidence.in_words_of(topology).to_string(),
                kind: evidence_kind(evidence).into(),
                accusations,
            }),
        }
    }
}

impl v1::Accusation {
    /// An observer's word, with the name that this topology has for the observer.
    pub fn named_by(accusation: &Accusation, topology: Option<&Topology>) -> Self {
        let observer = topology.and_then(|topology| topology.member(accusation.observer));
        Self {
            observer: accusation.observer.to_string(),
            observer_name: observer.map_or_else(String::new, |member| member.name().to_string()),
            kind: accusation_kind(accusation.kind).into(),
            since: Some(timestamp(accusation.at)),
        }
    }
}

fn evidence_kind(evidence: &Evidence) -> v1::EvidenceKind {
    match evidence {
        Evidence::Accused(_) => v1::EvidenceKind::Accused,
        Evidence::NeverConfirmed { .. } => v1::EvidenceKind::NeverConfirmed,
        Evidence::Lag { .. } => v1::EvidenceKind::Lag,
        Evidence::Dead(_) => v1::EvidenceKind::Dead,
        Evidence::Operator { .. } => v1::EvidenceKind::Operator,
        Evidence::AbsentFromRecovery => v1::EvidenceKind::AbsentFromRecovery,
        _ => v1::EvidenceKind::Unspecified,
    }
}

fn accusation_kind(kind: AccusationKind) -> v1::AccusationKind {
    match kind {
        AccusationKind::Replaced => v1::AccusationKind::Replaced,
        AccusationKind::Refused => v1::AccusationKind::Refused,
        AccusationKind::Closed => v1::AccusationKind::Closed,
        AccusationKind::Silence => v1::AccusationKind::Silence,
        _ => v1::AccusationKind::Unspecified,
    }
}

impl From<SnapshotCause> for v1::SnapshotCause {
    fn from(cause: SnapshotCause) -> Self {
        match cause {
            SnapshotCause::Start => Self::Start,
            SnapshotCause::Behind => Self::Behind,
            SnapshotCause::NewEpoch => Self::NewEpoch,
            SnapshotCause::OtherCluster => Self::OtherCluster,
            _ => Self::Unspecified,
        }
    }
}

impl From<&Standing> for v1::Standing {
    fn from(standing: &Standing) -> Self {
        let waiting_for = match standing {
            Standing::NotYetMember { waiting_for } => waiting_for.to_string(),
            _ => String::new(),
        };
        Self {
            kind: standing_kind(standing).into(),
            waiting_for,
            topology: standing.topology().map(|topology| topology.id().into()),
            without_quorum_for: None,
        }
    }
}

fn standing_kind(standing: &Standing) -> v1::StandingKind {
    match standing {
        Standing::NotYetMember { .. } => v1::StandingKind::NotYetMember,
        Standing::Member { .. } => v1::StandingKind::Member,
        Standing::WithoutQuorum { .. } => v1::StandingKind::WithoutQuorum,
        Standing::Removed { .. } => v1::StandingKind::Removed,
        Standing::Left => v1::StandingKind::Left,
        Standing::Failed => v1::StandingKind::Failed,
        _ => v1::StandingKind::Unspecified,
    }
}
