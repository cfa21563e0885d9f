//! Heartbeats and accusations.

use discovery_core::{AccusationKind, Epoch, NodeId, Term, TopologyId, UnixMillis};
use discovery_proto::ring::v1;

use super::Wire;
use super::evidence::{accusation_form, accusation_kind};
use super::values::{
    cluster_form, cluster_id, forms, id_form, list, node_id, optional, order, required, version,
};
use crate::message::{Alert, Heartbeat, Position, Tick, Watermark};
use crate::wire::error::DecodeError;
use crate::wire::limits::ACCUSATIONS_MAX;

impl Wire for Watermark {
    type Form = v1::Watermark;

    fn form(&self) -> v1::Watermark {
        v1::Watermark {
            term: Some(self.term.form()),
            position: self.position.0,
        }
    }

    fn read(form: v1::Watermark) -> Result<Self, DecodeError> {
        Ok(Self {
            term: required("watermark.term", form.term)?,
            position: Position(form.position),
        })
    }
}

impl Wire for Tick {
    type Form = v1::Tick;

    fn form(&self) -> v1::Tick {
        v1::Tick {
            term: Some(self.term.form()),
            count: self.count,
        }
    }

    fn read(form: v1::Tick) -> Result<Self, DecodeError> {
        Ok(Self {
            term: required("tick.term", form.term)?,
            count: form.count,
        })
    }
}

impl Wire for Heartbeat {
    type Form = v1::Heartbeat;

    fn form(&self) -> v1::Heartbeat {
        let (topology, watermark, tick) = (self.topology, self.watermark, self.tick);
        v1::Heartbeat {
            sequence: self.sequence,
            echo: self.echo,
            cluster_id: cluster_form(topology.cluster_id),
            epoch: topology.epoch.0,
            version: topology.version.get(),
            term_counter: watermark.term.counter,
            term_order: watermark.term.order.get(),
            position: watermark.position.0,
            tick: tick.count,
            tick_term: (tick.term != watermark.term).then(|| tick.term.form()),
        }
    }

    fn read(form: v1::Heartbeat) -> Result<Self, DecodeError> {
        let term = Term {
            counter: form.term_counter,
            order: order("heartbeat.term_order", form.term_order)?,
        };
        Ok(Self {
            sequence: form.sequence,
            echo: form.echo,
            topology: TopologyId {
                cluster_id: cluster_id("heartbeat.cluster_id", &form.cluster_id)?,
                epoch: Epoch(form.epoch),
                version: version("heartbeat.version", form.version)?,
            },
            watermark: Watermark {
                term,
                position: Position(form.position),
            },
            tick: Tick {
                term: optional(form.tick_term)?.unwrap_or(term),
                count: form.tick,
            },
        })
    }
}

/// An accusation of the sender's own.
impl Wire for (NodeId, AccusationKind, UnixMillis) {
    type Form = v1::OwnAccusation;

    fn form(&self) -> v1::OwnAccusation {
        v1::OwnAccusation {
            subject: id_form(self.0),
            kind: accusation_form(self.1),
            at: self.2.0,
        }
    }

    fn read(form: v1::OwnAccusation) -> Result<Self, DecodeError> {
        Ok((
            node_id("own_accusation.subject", &form.subject)?,
            accusation_kind("own_accusation.kind", form.kind)?,
            UnixMillis(form.at),
        ))
    }
}

impl Wire for Alert {
    type Form = v1::Alert;

    fn form(&self) -> v1::Alert {
        v1::Alert {
            topology: Some(self.topology.form()),
            accusations: forms(&self.accusations),
        }
    }

    fn read(form: v1::Alert) -> Result<Self, DecodeError> {
        Ok(Self {
            topology: required("alert.topology", form.topology)?,
            accusations: list("alert.accusations", ACCUSATIONS_MAX, form.accusations)?,
        })
    }
}
