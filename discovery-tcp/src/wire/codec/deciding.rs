//! Proposals, acceptances, promises, catching up, publishing.

use std::sync::Arc;

use discovery_core::{AccusationKind, MEMBERS_MAX, NodeId};
use discovery_proto::ring::v1::{self, promise_refused};

use super::Wire;
use super::evidence::{accusation_form, accusation_kind};
use super::values::{
    forms, id_form, id_forms, list, node_id, node_ids, optional, order, required, within,
};
use crate::message::{
    Accepted, AcceptedGroup, Decided, Decision, Fetch, Position, Promise, PromiseAsk,
    PromiseRefusal, PromiseRefused, Propose, Publish, PublishRefused, Superseded, Tail,
};
use crate::wire::error::DecodeError;
use crate::wire::limits::{ACCUSATIONS_MAX, BITMAP_BYTES_MAX, ENTRIES_MAX, GROUPS_MAX, SKIP_MAX};

impl Wire for Propose {
    type Form = v1::Propose;

    fn form(&self) -> v1::Propose {
        v1::Propose {
            topology: Some(self.topology.form()),
            term: Some(self.term.form()),
            start: self.start.0,
            reproposed_to: self.reproposed_to.0,
            first: self.first.0,
            entries: forms(&self.entries),
            decided: self.decided.0,
            tick: self.tick,
            relay: self.relay,
            skip: self.skip.iter().map(|order| order.get()).collect(),
            recovery: self.recovery,
        }
    }

    fn read(form: v1::Propose) -> Result<Self, DecodeError> {
        within("propose.skip", SKIP_MAX, form.skip.len())?;
        let skip = form.skip.into_iter().map(|it| order("propose.skip", it));
        Ok(Self {
            topology: required("propose.topology", form.topology)?,
            term: required("propose.term", form.term)?,
            start: Position(form.start),
            reproposed_to: Position(form.reproposed_to),
            first: Position(form.first),
            entries: list("propose.entries", ENTRIES_MAX, form.entries)?,
            decided: Position(form.decided),
            tick: form.tick,
            relay: form.relay,
            skip: skip.collect::<Result<_, _>>()?,
            recovery: form.recovery,
        })
    }
}

impl Wire for AcceptedGroup {
    type Form = v1::AcceptedGroup;

    fn form(&self) -> v1::AcceptedGroup {
        v1::AcceptedGroup {
            position: self.position.0,
            tick: self.tick,
            members: self.members.clone(),
        }
    }

    fn read(form: v1::AcceptedGroup) -> Result<Self, DecodeError> {
        within(
            "accepted_group.members",
            BITMAP_BYTES_MAX,
            form.members.len(),
        )?;
        Ok(Self {
            position: Position(form.position),
            tick: form.tick,
            members: form.members,
        })
    }
}

impl Wire for Accepted {
    type Form = v1::Accepted;

    fn form(&self) -> v1::Accepted {
        v1::Accepted {
            topology: Some(self.topology.form()),
            term: Some(self.term.form()),
            groups: forms(&self.groups),
        }
    }

    fn read(form: v1::Accepted) -> Result<Self, DecodeError> {
        Ok(Self {
            topology: required("accepted.topology", form.topology)?,
            term: required("accepted.term", form.term)?,
            groups: list("accepted.groups", GROUPS_MAX, form.groups)?,
        })
    }
}

impl Wire for Superseded {
    type Form = v1::Superseded;

    fn form(&self) -> v1::Superseded {
        v1::Superseded {
            term: Some(self.term.form()),
            promised: Some(self.promised.form()),
        }
    }

    fn read(form: v1::Superseded) -> Result<Self, DecodeError> {
        Ok(Self {
            term: required("superseded.term", form.term)?,
            promised: required("superseded.promised", form.promised)?,
        })
    }
}

impl Wire for Fetch {
    type Form = v1::Fetch;

    fn form(&self) -> v1::Fetch {
        v1::Fetch {
            topology: Some(self.topology.form()),
            decided: self.decided.0,
        }
    }

    fn read(form: v1::Fetch) -> Result<Self, DecodeError> {
        Ok(Self {
            topology: required("fetch.topology", form.topology)?,
            decided: Position(form.decided),
        })
    }
}

impl Wire for Decided {
    type Form = v1::Decided;

    fn form(&self) -> v1::Decided {
        v1::Decided {
            topology: Some(self.topology.form()),
            first: self.first.0,
            entries: forms(&self.entries),
            decided: self.decided.0,
        }
    }

    fn read(form: v1::Decided) -> Result<Self, DecodeError> {
        Ok(Self {
            topology: required("decided.topology", form.topology)?,
            first: Position(form.first),
            entries: list("decided.entries", ENTRIES_MAX, form.entries)?,
            decided: Position(form.decided),
        })
    }
}

impl Wire for Tail {
    type Form = v1::Tail;

    fn form(&self) -> v1::Tail {
        v1::Tail {
            term: self.term.as_ref().map(Wire::form),
            first: self.first.0,
            entries: forms(&self.entries),
        }
    }

    fn read(form: v1::Tail) -> Result<Self, DecodeError> {
        Ok(Self {
            term: optional(form.term)?,
            first: Position(form.first),
            entries: list("tail.entries", ENTRIES_MAX, form.entries)?,
        })
    }
}

/// An alert of somebody else, passed on.
impl Wire for (NodeId, AccusationKind) {
    type Form = v1::PassedAlert;

    fn form(&self) -> v1::PassedAlert {
        v1::PassedAlert {
            observer: id_form(self.0),
            kind: accusation_form(self.1),
        }
    }

    fn read(form: v1::PassedAlert) -> Result<Self, DecodeError> {
        Ok((
            node_id("passed_alert.observer", &form.observer)?,
            accusation_kind("passed_alert.kind", form.kind)?,
        ))
    }
}

impl Wire for PromiseAsk {
    type Form = v1::PromiseAsk;

    fn form(&self) -> v1::PromiseAsk {
        v1::PromiseAsk {
            topology: Some(self.topology.form()),
            term: Some(self.term.form()),
            decided: self.decided.0,
            alerts: forms(&self.alerts),
            accused: id_forms(&self.accused),
        }
    }

    fn read(form: v1::PromiseAsk) -> Result<Self, DecodeError> {
        Ok(Self {
            topology: required("promise_ask.topology", form.topology)?,
            term: required("promise_ask.term", form.term)?,
            decided: Position(form.decided),
            alerts: list("promise_ask.alerts", ACCUSATIONS_MAX, form.alerts)?,
            accused: node_ids("promise_ask.accused", MEMBERS_MAX, &form.accused)?,
        })
    }
}

impl Wire for Promise {
    type Form = v1::Promise;

    fn form(&self) -> v1::Promise {
        v1::Promise {
            topology: Some(self.topology.form()),
            term: Some(self.term.form()),
            tail: Some(self.tail.form()),
        }
    }

    fn read(form: v1::Promise) -> Result<Self, DecodeError> {
        Ok(Self {
            topology: required("promise.topology", form.topology)?,
            term: required("promise.term", form.term)?,
            tail: required("promise.tail", form.tail)?,
        })
    }
}

impl Wire for PromiseRefused {
    type Form = v1::PromiseRefused;

    fn form(&self) -> v1::PromiseRefused {
        use promise_refused::Why;
        let why = match &self.why {
            PromiseRefusal::Promised(term) => Why::Promised(promise_refused::Promised {
                term: Some(term.form()),
            }),
            PromiseRefusal::CoordinatorHeard(watermark) => {
                Why::CoordinatorHeard(promise_refused::CoordinatorHeard {
                    watermark: Some(watermark.form()),
                })
            }
            PromiseRefusal::Behind => Why::Behind(promise_refused::Behind {}),
        };
        v1::PromiseRefused {
            term: Some(self.term.form()),
            why: Some(why),
        }
    }

    fn read(form: v1::PromiseRefused) -> Result<Self, DecodeError> {
        use promise_refused::Why;
        let field = "promise_refused.why";
        let why = match form.why.ok_or(DecodeError::Missing { field })? {
            Why::Promised(it) => {
                PromiseRefusal::Promised(required("promise_refused.promised.term", it.term)?)
            }
            Why::CoordinatorHeard(it) => {
                let field = "promise_refused.coordinator_heard.watermark";
                PromiseRefusal::CoordinatorHeard(required(field, it.watermark)?)
            }
            Why::Behind(promise_refused::Behind {}) => PromiseRefusal::Behind,
        };
        Ok(Self {
            term: required("promise_refused.term", form.term)?,
            why,
        })
    }
}

impl Wire for Publish {
    type Form = v1::Publish;

    fn form(&self) -> v1::Publish {
        // A change is never published; the type is the log's so that entries need no copy.
        let messages = self.messages.iter().filter_map(|entry| match &**entry {
            Decision::Message(message) => Some(message.form()),
            Decision::Change(_) => None,
        });
        v1::Publish {
            topology: Some(self.topology.form()),
            first_pending: self.first_pending,
            messages: messages.collect(),
        }
    }

    fn read(form: v1::Publish) -> Result<Self, DecodeError> {
        let messages = list("publish.messages", ENTRIES_MAX, form.messages)?;
        Ok(Self {
            topology: required("publish.topology", form.topology)?,
            first_pending: form.first_pending,
            messages: messages
                .into_iter()
                .map(|message| Arc::new(Decision::Message(message)))
                .collect(),
        })
    }
}

impl Wire for PublishRefused {
    type Form = v1::PublishRefused;

    fn form(&self) -> v1::PublishRefused {
        v1::PublishRefused {
            sequence: self.sequence,
            coordinator: self.coordinator.map(id_form),
        }
    }

    fn read(form: v1::PublishRefused) -> Result<Self, DecodeError> {
        let coordinator = form
            .coordinator
            .map(|bytes| node_id("publish_refused.coordinator", &bytes));
        Ok(Self {
            sequence: form.sequence,
            coordinator: coordinator.transpose()?,
        })
    }
}
