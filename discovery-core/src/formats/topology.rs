//! Nodes and topologies in text formats. A topology is written with its content hash; one that is
//! read back with another hash than its content has is refused.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::identity::{NodeId, NodeName, PodUid};
use crate::node::{Attributes, HostNode, NodeInfo, NodeInfoError, Role, WireVersion, Zone};
use crate::time::UnixMillis;
use crate::topology::{Topology, TopologyParts};

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pairs = BTreeMap::<String, String>::deserialize(deserializer)?;
        Self::new(pairs).map_err(D::Error::custom)
    }
}

/// A node as it is written; read back, it is not checked yet.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeForm {
    id: NodeId,
    name: NodeName,
    addresses: Vec<SocketAddr>,
    started_at: UnixMillis,
    pod_uid: Option<PodUid>,
    zone: Option<Zone>,
    host_node: Option<HostNode>,
    role: Role,
    attributes: Attributes,
    wire_version: WireVersion,
}

impl From<NodeInfo> for NodeForm {
    fn from(node: NodeInfo) -> Self {
        Self {
            id: node.id(),
            name: node.name().clone(),
            addresses: node.addresses().to_vec(),
            started_at: node.started_at(),
            pod_uid: node.pod_uid().cloned(),
            zone: node.zone().cloned(),
            host_node: node.host_node().cloned(),
            role: node.role(),
            attributes: node.attributes().clone(),
            wire_version: node.wire_version(),
        }
    }
}

impl TryFrom<NodeForm> for NodeInfo {
    type Error = NodeInfoError;

    fn try_from(form: NodeForm) -> Result<Self, Self::Error> {
        let mut node = Self::new(form.id, form.name, form.addresses, form.started_at)?
            .with_role(form.role)
            .with_attributes(form.attributes)
            .with_wire_version(form.wire_version);
        if let Some(uid) = form.pod_uid {
            node = node.with_pod_uid(uid);
        }
        if let Some(zone) = form.zone {
            node = node.with_zone(zone);
        }
        if let Some(host_node) = form.host_node {
            node = node.with_host_node(host_node);
        }
        Ok(node)
    }
}

#[derive(Serialize, Deserialize)]
struct TopologyForm<'a> {
    content_hash: String,
    #[serde(flatten)]
    parts: Cow<'a, TopologyParts>,
}

fn hash_text(topology: &Topology) -> String {
    format!("{:016x}", topology.content_hash())
}

impl Serialize for Topology {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        TopologyForm {
            content_hash: hash_text(self),
            parts: Cow::Borrowed(self.parts()),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Topology {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = TopologyForm::deserialize(deserializer)?;
        let topology = Self::from_parts(form.parts.into_owned()).map_err(D::Error::custom)?;
        let found = hash_text(&topology);
        if found == form.content_hash {
            Ok(topology)
        } else {
            Err(D::Error::custom(format_args!(
                "content hash {} was written, but the content has {found}",
                form.content_hash
            )))
        }
    }
}

#[cfg(test)]
#[path = "topology_tests.rs"]
mod tests;
