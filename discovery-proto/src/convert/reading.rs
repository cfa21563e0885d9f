//! Messages of `discovery.v1` read back as values of `discovery-core`.

use discovery_core::{
    Attributes, ClusterId, Epoch, HostNode, Member, NodeId, NodeInfo, NodeName, NodeOrder, PodUid,
    Role, Term, Topology, TopologyId, TopologyParts, TopologyVersion, UnixMillis, WireVersion,
    Zone,
};

use super::GRPC_ATTRIBUTE;
use crate::discovery::v1;

/// Why a message cannot be read. Nothing was changed; the same message fails again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {what}")]
#[non_exhaustive]
pub struct ReadError {
    /// The field.
    pub field: &'static str,
    /// What is wrong with it.
    pub what: String,
}

/// Names the field that an error is about.
fn at<T, E: std::fmt::Display>(field: &'static str, read: Result<T, E>) -> Result<T, ReadError> {
    read.map_err(|error| ReadError {
        field,
        what: error.to_string(),
    })
}

fn there<T>(field: &'static str, value: Option<T>) -> Result<T, ReadError> {
    value.ok_or(ReadError {
        field,
        what: "must not be absent or 0".to_owned(),
    })
}

impl TryFrom<&v1::TopologyRef> for TopologyId {
    type Error = ReadError;

    fn try_from(id: &v1::TopologyRef) -> Result<Self, ReadError> {
        Ok(Self {
            cluster_id: at("cluster_id", id.cluster_id.parse::<ClusterId>())?,
            epoch: Epoch(id.epoch),
            version: there("version", TopologyVersion::new(id.version))?,
        })
    }
}

impl TryFrom<&v1::Term> for Term {
    type Error = ReadError;

    fn try_from(term: &v1::Term) -> Result<Self, ReadError> {
        Ok(Self {
            counter: term.counter,
            order: there("term.order", NodeOrder::new(term.order))?,
        })
    }
}

impl TryFrom<&v1::Node> for NodeInfo {
    type Error = ReadError;

    fn try_from(node: &v1::Node) -> Result<Self, ReadError> {
        let addresses = node.addresses.iter().map(|text| text.parse());
        let addresses = at("addresses", addresses.collect::<Result<Vec<_>, _>>())?;
        let started = there("started_at", node.started_at)?;
        let millis = started.seconds.saturating_mul(1000);
        let started_at = UnixMillis(millis.saturating_add(i64::from(started.nanos) / 1_000_000));
        let id = at("id", node.id.parse::<NodeId>())?;
        let name = at("name", NodeName::new(&node.name))?;
        let wire_version = at("wire_version", u16::try_from(node.wire_version))?;
        let info = at("node", Self::new(id, name, addresses, started_at))?;
        let mut info = info
            .with_attributes(attributes(node)?)
            .with_role(role(node.role()))
            .with_wire_version(WireVersion(wire_version));
        if !node.pod_uid.is_empty() {
            info = info.with_pod_uid(at("pod_uid", PodUid::new(&node.pod_uid))?);
        }
        if !node.zone.is_empty() {
            info = info.with_zone(at("zone", Zone::new(&node.zone))?);
        }
        if !node.host_node.is_empty() {
            info = info.with_host_node(at("host_node", HostNode::new(&node.host_node))?);
        }
        Ok(info)
    }
}

fn attributes(node: &v1::Node) -> Result<Attributes, ReadError> {
    let mut attributes = at("attributes", Attributes::new(&node.attributes))?;
    if !node.grpc_addresses.is_empty() {
        let told = attributes.insert(GRPC_ATTRIBUTE, node.grpc_addresses.join(","));
        at("grpc_addresses", told)?;
    }
    Ok(attributes)
}

fn role(role: v1::Role) -> Role {
    match role {
        v1::Role::Follower => Role::Follower,
        v1::Role::Member | v1::Role::Unspecified => Role::Member,
    }
}

impl TryFrom<&v1::Member> for Member {
    type Error = ReadError;

    fn try_from(member: &v1::Member) -> Result<Self, ReadError> {
        Ok(Self {
            order: there("order", NodeOrder::new(member.order))?,
            joined_at: there(
                "joined_version",
                TopologyVersion::new(member.joined_version),
            )?,
            info: there("node", member.node.as_ref())?.try_into()?,
        })
    }
}

/// Its content hash need not be the one that is told: a node's addresses for its users are written
/// in more than one way.
impl TryFrom<&v1::Topology> for Topology {
    type Error = ReadError;

    fn try_from(topology: &v1::Topology) -> Result<Self, ReadError> {
        let id: TopologyId = there("id", topology.id.as_ref())?.try_into()?;
        let members = topology.members.iter().map(TryInto::try_into);
        let parts = TopologyParts {
            cluster_id: id.cluster_id,
            epoch: id.epoch,
            version: id.version,
            term: there("term", topology.term.as_ref())?.try_into()?,
            next_order: there("next_order", NodeOrder::new(topology.next_order))?,
            members: members.collect::<Result<_, _>>()?,
        };
        at("topology", Self::from_parts(parts))
    }
}
