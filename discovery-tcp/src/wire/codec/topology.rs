//! Nodes, terms and topologies. Whether a topology can be is checked by `discovery_core`.

use discovery_core::{
    ATTRIBUTES_MAX, Attributes, Epoch, MEMBERS_MAX, Member, NodeInfo, Role, Term, Topology,
    TopologyId, TopologyParts, UnixMillis, WireVersion,
};
use discovery_proto::ring::v1;

use super::Wire;
use super::values::{
    address_forms, addresses, checked, checked_if_any, cluster_form, cluster_id, forms, id_form,
    known, list, node_id, order, required, small, unspecified, version, within,
};
use crate::wire::error::DecodeError;

impl Wire for NodeInfo {
    type Form = v1::Node;

    fn form(&self) -> v1::Node {
        let attributes = self.attributes().iter().map(|(key, value)| v1::Attribute {
            key: key.to_owned(),
            value: value.to_owned(),
        });
        v1::Node {
            id: id_form(self.id()),
            name: self.name().to_string(),
            addresses: address_forms(self.addresses()),
            started_at: self.started_at().0,
            pod_uid: self.pod_uid().map(ToString::to_string),
            zone: self.zone().map(ToString::to_string),
            host_node: self.host_node().map(ToString::to_string),
            role: role_form(self.role()).into(),
            attributes: attributes.collect(),
            wire_version: self.wire_version().0.into(),
        }
    }

    fn read(form: v1::Node) -> Result<Self, DecodeError> {
        within("node.attributes", ATTRIBUTES_MAX, form.attributes.len())?;
        let attributes = form.attributes.into_iter().map(|it| (it.key, it.value));
        let mut node = Self::new(
            node_id("node.id", &form.id)?,
            checked("node.name", &form.name)?,
            addresses("node.addresses", &form.addresses)?,
            UnixMillis(form.started_at),
        )?
        .with_role(role("node.role", form.role)?)
        .with_attributes(Attributes::new(attributes)?)
        .with_wire_version(WireVersion(small("node.wire_version", form.wire_version)?));
        if let Some(uid) = checked_if_any("node.pod_uid", form.pod_uid.as_ref())? {
            node = node.with_pod_uid(uid);
        }
        if let Some(zone) = checked_if_any("node.zone", form.zone.as_ref())? {
            node = node.with_zone(zone);
        }
        if let Some(host_node) = checked_if_any("node.host_node", form.host_node.as_ref())? {
            node = node.with_host_node(host_node);
        }
        Ok(node)
    }
}

fn role_form(role: Role) -> v1::Role {
    match role {
        Role::Member => v1::Role::Member,
        Role::Follower => v1::Role::Follower,
        // A role that this wire version has no word for; whoever reads it refuses it.
        _ => v1::Role::Unspecified,
    }
}

fn role(field: &'static str, value: i32) -> Result<Role, DecodeError> {
    match known(field, value)? {
        v1::Role::Member => Ok(Role::Member),
        v1::Role::Follower => Ok(Role::Follower),
        v1::Role::Unspecified => Err(unspecified(field)),
    }
}

impl Wire for Term {
    type Form = v1::Term;

    fn form(&self) -> v1::Term {
        v1::Term {
            counter: self.counter,
            order: self.order.get(),
        }
    }

    fn read(form: v1::Term) -> Result<Self, DecodeError> {
        Ok(Self {
            counter: form.counter,
            order: order("term.order", form.order)?,
        })
    }
}

impl Wire for TopologyId {
    type Form = v1::TopologyId;

    fn form(&self) -> v1::TopologyId {
        v1::TopologyId {
            cluster_id: cluster_form(self.cluster_id),
            epoch: self.epoch.0,
            version: self.version.get(),
        }
    }

    fn read(form: v1::TopologyId) -> Result<Self, DecodeError> {
        Ok(Self {
            cluster_id: cluster_id("topology_id.cluster_id", &form.cluster_id)?,
            epoch: Epoch(form.epoch),
            version: version("topology_id.version", form.version)?,
        })
    }
}

impl Wire for Member {
    type Form = v1::Member;

    fn form(&self) -> v1::Member {
        v1::Member {
            order: self.order.get(),
            joined_at: self.joined_at.get(),
            node: Some(Box::new(self.info.form())),
        }
    }

    fn read(form: v1::Member) -> Result<Self, DecodeError> {
        Ok(Self {
            order: order("member.order", form.order)?,
            joined_at: version("member.joined_at", form.joined_at)?,
            info: required("member.node", form.node.map(|node| *node))?,
        })
    }
}

impl Wire for Topology {
    type Form = v1::Topology;

    fn form(&self) -> v1::Topology {
        v1::Topology {
            id: Some(self.id().form()),
            term: Some(self.term().form()),
            next_order: self.next_order().get(),
            members: forms(self.members()),
        }
    }

    fn read(form: v1::Topology) -> Result<Self, DecodeError> {
        let id: TopologyId = required("topology.id", form.id)?;
        let topology = Self::from_parts(TopologyParts {
            cluster_id: id.cluster_id,
            epoch: id.epoch,
            version: id.version,
            term: required("topology.term", form.term)?,
            next_order: order("topology.next_order", form.next_order)?,
            members: list("topology.members", MEMBERS_MAX, form.members)?,
        })?;
        Ok(topology)
    }
}
