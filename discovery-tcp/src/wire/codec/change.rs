//! Changes and published messages, as the log holds them. Whether a change fits a topology is
//! checked where it is applied.

use discovery_core::{Epoch, Evidence, MEMBERS_MAX, NodeId, NodeInfo, NodeOrder, TopologyChange};
use discovery_proto::ring::v1::{self, decision};

use super::Wire;
use super::values::{
    checked, cluster_form, cluster_id, forms, id_form, id_forms, list, node_id, node_ids, order,
    required,
};
use crate::message::{DecidedEntry, Decision, PublishedMessage};
use crate::wire::error::DecodeError;

/// A joiner and the order it gets.
impl Wire for (NodeOrder, NodeInfo) {
    type Form = v1::Joiner;

    fn form(&self) -> v1::Joiner {
        v1::Joiner {
            order: self.0.get(),
            node: Some(Box::new(self.1.form())),
        }
    }

    fn read(form: v1::Joiner) -> Result<Self, DecodeError> {
        Ok((
            order("joiner.order", form.order)?,
            required("joiner.node", form.node.map(|node| *node))?,
        ))
    }
}

/// A removed member, and why.
impl Wire for (NodeId, Evidence) {
    type Form = v1::Failure;

    fn form(&self) -> v1::Failure {
        v1::Failure {
            node: id_form(self.0),
            evidence: Some(Box::new(self.1.form())),
        }
    }

    fn read(form: v1::Failure) -> Result<Self, DecodeError> {
        Ok((
            node_id("failure.node", &form.node)?,
            required("failure.evidence", form.evidence.map(|evidence| *evidence))?,
        ))
    }
}

impl Wire for TopologyChange {
    type Form = v1::TopologyChange;

    fn form(&self) -> v1::TopologyChange {
        v1::TopologyChange {
            base: Some(self.base.form()),
            epoch: self.epoch.map(|epoch| epoch.0),
            joins: forms(&self.joins),
            leaves: id_forms(&self.leaves),
            failures: forms(&self.failures),
            cluster_id: self.cluster.map(cluster_form),
            term: Some(self.term.form()),
        }
    }

    fn read(form: v1::TopologyChange) -> Result<Self, DecodeError> {
        let cluster = form
            .cluster_id
            .map(|bytes| cluster_id("topology_change.cluster_id", &bytes));
        Ok(Self {
            base: required("topology_change.base", form.base)?,
            epoch: form.epoch.map(Epoch),
            cluster: cluster.transpose()?,
            term: required("topology_change.term", form.term)?,
            joins: list("topology_change.joins", MEMBERS_MAX, form.joins)?,
            leaves: node_ids("topology_change.leaves", MEMBERS_MAX, &form.leaves)?,
            failures: list("topology_change.failures", MEMBERS_MAX, form.failures)?,
        })
    }
}

impl Wire for PublishedMessage {
    type Form = v1::PublishedMessage;

    fn form(&self) -> v1::PublishedMessage {
        v1::PublishedMessage {
            publisher: id_form(self.publisher),
            sequence: self.sequence,
            topic: self.topic.to_string(),
            payload: self.payload.to_vec(),
        }
    }

    fn read(form: v1::PublishedMessage) -> Result<Self, DecodeError> {
        Ok(Self {
            publisher: node_id("published_message.publisher", &form.publisher)?,
            sequence: form.sequence,
            topic: checked("published_message.topic", &form.topic)?,
            payload: form.payload.into(),
        })
    }
}

impl Wire for Decision {
    type Form = v1::Decision;

    fn form(&self) -> v1::Decision {
        let kind = match self {
            Self::Change(change) => decision::Kind::Change(Box::new(change.form())),
            Self::Message(message) => decision::Kind::Message(Box::new(message.form())),
        };
        v1::Decision { kind: Some(kind) }
    }

    fn read(form: v1::Decision) -> Result<Self, DecodeError> {
        let field = "decision.kind";
        match form.kind.ok_or(DecodeError::Missing { field })? {
            decision::Kind::Change(change) => Wire::read(*change).map(Self::Change),
            decision::Kind::Message(message) => Wire::read(*message).map(Self::Message),
        }
    }
}

impl Wire for DecidedEntry {
    type Form = v1::DecidedEntry;

    fn form(&self) -> v1::DecidedEntry {
        v1::DecidedEntry {
            term: Some(self.term.form()),
            decision: Some(self.decision.form()),
        }
    }

    fn read(form: v1::DecidedEntry) -> Result<Self, DecodeError> {
        Ok(Self {
            term: required("decided_entry.term", form.term)?,
            decision: required("decided_entry.decision", form.decision)?,
        })
    }
}
