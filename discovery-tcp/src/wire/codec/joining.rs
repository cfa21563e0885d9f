//! Joining, dial-back, snapshots, leaving.

use std::time::Duration;

use discovery_core::{MEMBERS_MAX, NodeId};
use discovery_proto::ring::v1::{self, join_answer};

use super::Wire;
use super::values::{
    address_forms, addresses, forms, id_form, list, node_id, required, text, text_form,
};
use crate::message::{
    DialBack, DialBackResult, Join, JoinAnswer, JoinVerdict, Leave, Position, Snapshot, SnapshotAck,
};
use crate::wire::error::DecodeError;

impl Wire for Join {
    type Form = v1::Join;

    fn form(&self) -> v1::Join {
        v1::Join {
            node: Some(self.node.form()),
            listed: self.listed,
        }
    }

    fn read(form: v1::Join) -> Result<Self, DecodeError> {
        Ok(Self {
            node: required("join.node", form.node)?,
            listed: form.listed,
        })
    }
}

impl Wire for JoinAnswer {
    type Form = v1::JoinAnswer;

    fn form(&self) -> v1::JoinAnswer {
        use join_answer::Verdict;
        let verdict = match &self.verdict {
            JoinVerdict::Queued { ahead } => Verdict::Queued(join_answer::Queued { ahead: *ahead }),
            JoinVerdict::Redirect { coordinator } => Verdict::Redirect(join_answer::Redirect {
                coordinator: Some(coordinator.form()),
            }),
            JoinVerdict::NotNow {
                waiting_for,
                retry_after,
            } => Verdict::NotNow(join_answer::NotNow {
                waiting_for: text_form(waiting_for),
                retry_after_nanos: u64::try_from(retry_after.as_nanos()).unwrap_or(u64::MAX),
            }),
            JoinVerdict::Refused { reason } => Verdict::Refused(join_answer::Refused {
                reason: Some(reason.form()),
            }),
            JoinVerdict::NameTaken { by } => {
                Verdict::NameTaken(join_answer::NameTaken { by: id_form(*by) })
            }
            JoinVerdict::Unreachable { by } => {
                Verdict::Unreachable(join_answer::Unreachable { by: id_form(*by) })
            }
        };
        v1::JoinAnswer {
            verdict: Some(verdict),
        }
    }

    fn read(form: v1::JoinAnswer) -> Result<Self, DecodeError> {
        use join_answer::Verdict;
        let field = "join_answer.verdict";
        let verdict = match form.verdict.ok_or(DecodeError::Missing { field })? {
            Verdict::Queued(it) => JoinVerdict::Queued { ahead: it.ahead },
            Verdict::Redirect(it) => JoinVerdict::Redirect {
                coordinator: required("join_answer.redirect.coordinator", it.coordinator)?,
            },
            Verdict::NotNow(it) => JoinVerdict::NotNow {
                waiting_for: text("join_answer.not_now.waiting_for", it.waiting_for)?,
                retry_after: Duration::from_nanos(it.retry_after_nanos),
            },
            Verdict::Refused(it) => JoinVerdict::Refused {
                reason: required("join_answer.refused.reason", it.reason)?,
            },
            Verdict::NameTaken(it) => JoinVerdict::NameTaken {
                by: node_id("join_answer.name_taken.by", &it.by)?,
            },
            Verdict::Unreachable(it) => JoinVerdict::Unreachable {
                by: node_id("join_answer.unreachable.by", &it.by)?,
            },
        };
        Ok(Self { verdict })
    }
}

impl Wire for DialBack {
    type Form = v1::DialBack;

    fn form(&self) -> v1::DialBack {
        v1::DialBack {
            request: self.request,
            node: id_form(self.node),
            addresses: address_forms(&self.addresses),
        }
    }

    fn read(form: v1::DialBack) -> Result<Self, DecodeError> {
        Ok(Self {
            request: form.request,
            node: node_id("dial_back.node", &form.node)?,
            addresses: addresses("dial_back.addresses", &form.addresses)?,
        })
    }
}

impl Wire for DialBackResult {
    type Form = v1::DialBackResult;

    fn form(&self) -> v1::DialBackResult {
        v1::DialBackResult {
            request: self.request,
            reached: self.reached,
        }
    }

    fn read(form: v1::DialBackResult) -> Result<Self, DecodeError> {
        Ok(Self {
            request: form.request,
            reached: form.reached,
        })
    }
}

/// A publisher and its last sequence.
impl Wire for (NodeId, u64) {
    type Form = v1::Sequence;

    fn form(&self) -> v1::Sequence {
        v1::Sequence {
            publisher: id_form(self.0),
            last: self.1,
        }
    }

    fn read(form: v1::Sequence) -> Result<Self, DecodeError> {
        Ok((node_id("sequence.publisher", &form.publisher)?, form.last))
    }
}

impl Wire for Snapshot {
    type Form = v1::Snapshot;

    fn form(&self) -> v1::Snapshot {
        v1::Snapshot {
            topology: Some(self.topology.form()),
            position: self.position.0,
            promised: Some(self.promised.form()),
            sequences: forms(&self.sequences),
        }
    }

    fn read(form: v1::Snapshot) -> Result<Self, DecodeError> {
        Ok(Self {
            topology: required("snapshot.topology", form.topology)?,
            position: Position(form.position),
            promised: required("snapshot.promised", form.promised)?,
            sequences: list("snapshot.sequences", MEMBERS_MAX, form.sequences)?,
        })
    }
}

impl Wire for SnapshotAck {
    type Form = v1::SnapshotAck;

    fn form(&self) -> v1::SnapshotAck {
        v1::SnapshotAck {
            topology: Some(self.topology.form()),
            position: self.position.0,
        }
    }

    fn read(form: v1::SnapshotAck) -> Result<Self, DecodeError> {
        Ok(Self {
            topology: required("snapshot_ack.topology", form.topology)?,
            position: Position(form.position),
        })
    }
}

impl Wire for Leave {
    type Form = v1::Leave;

    fn form(&self) -> v1::Leave {
        v1::Leave {
            node: id_form(self.node),
        }
    }

    fn read(form: v1::Leave) -> Result<Self, DecodeError> {
        Ok(Self {
            node: node_id("leave.node", &form.node)?,
        })
    }
}
