//! Introductions, refusals, rumours, and the last words on a link.

use discovery_core::UnixMillis;
use discovery_proto::ring::v1::{self, refusal_reason};

use super::Wire;
use super::values::{
    address_forms, addresses, id_form, known, node_id, optional, required, small, unspecified,
    within,
};
use crate::message::{
    Best, CloseReason, Goodbye, Introduction, MemberHint, PhaseKind, Rank, Refusal, RefusalReason,
    Rumour, WireRange,
};
use crate::wire::error::DecodeError;
use crate::wire::limits::CLUSTER_NAME_BYTES_MAX;

impl Wire for WireRange {
    type Form = v1::WireRange;

    fn form(&self) -> v1::WireRange {
        v1::WireRange {
            min: self.min.into(),
            max: self.max.into(),
        }
    }

    fn read(form: v1::WireRange) -> Result<Self, DecodeError> {
        Ok(Self {
            min: small("wire_range.min", form.min)?,
            max: small("wire_range.max", form.max)?,
        })
    }
}

impl Wire for Rank {
    type Form = v1::Rank;

    fn form(&self) -> v1::Rank {
        v1::Rank {
            unanswered: self.unanswered,
            started_at: self.started_at.0,
            node: id_form(self.node),
        }
    }

    fn read(form: v1::Rank) -> Result<Self, DecodeError> {
        Ok(Self {
            unanswered: form.unanswered,
            started_at: UnixMillis(form.started_at),
            node: node_id("rank.node", &form.node)?,
        })
    }
}

impl Wire for Best {
    type Form = v1::Best;

    fn form(&self) -> v1::Best {
        v1::Best {
            rank: Some(self.rank.form()),
            addresses: address_forms(&self.addresses),
        }
    }

    fn read(form: v1::Best) -> Result<Self, DecodeError> {
        Ok(Self {
            rank: required("best.rank", form.rank)?,
            addresses: addresses("best.addresses", &form.addresses)?,
        })
    }
}

impl Wire for MemberHint {
    type Form = v1::MemberHint;

    fn form(&self) -> v1::MemberHint {
        v1::MemberHint {
            node: id_form(self.node),
            addresses: address_forms(&self.addresses),
            topology: Some(self.topology.form()),
        }
    }

    fn read(form: v1::MemberHint) -> Result<Self, DecodeError> {
        Ok(Self {
            node: node_id("member_hint.node", &form.node)?,
            addresses: addresses("member_hint.addresses", &form.addresses)?,
            topology: required("member_hint.topology", form.topology)?,
        })
    }
}

impl Wire for Introduction {
    type Form = v1::Introduction;

    fn form(&self) -> v1::Introduction {
        v1::Introduction {
            wire: Some(self.wire.form()),
            cluster_name: self.cluster_name.to_string(),
            settings: self.settings,
            node: Some(self.node.form()),
            phase: phase_form(self.phase).into(),
            rank: self.rank.as_ref().map(Wire::form),
            best: self.best.as_ref().map(Wire::form),
            member: self.member.as_ref().map(Wire::form),
            topology: self.topology.as_ref().map(Wire::form),
            quorum: self.quorum,
        }
    }

    fn read(form: v1::Introduction) -> Result<Self, DecodeError> {
        Ok(Self {
            wire: required("introduction.wire", form.wire)?,
            cluster_name: cluster_name("introduction.cluster_name", &form.cluster_name)?.into(),
            settings: form.settings,
            node: required("introduction.node", form.node)?,
            phase: phase("introduction.phase", form.phase)?,
            rank: optional(form.rank)?,
            best: optional(form.best)?,
            member: optional(form.member)?,
            topology: optional(form.topology)?,
            quorum: form.quorum,
        })
    }
}

fn cluster_name<'a>(field: &'static str, name: &'a str) -> Result<&'a str, DecodeError> {
    within(field, CLUSTER_NAME_BYTES_MAX, name.len())?;
    Some(name)
        .filter(|name| !name.is_empty())
        .ok_or(DecodeError::Missing { field })
}

fn phase_form(phase: PhaseKind) -> v1::Phase {
    match phase {
        PhaseKind::Newcomer => v1::Phase::Newcomer,
        PhaseKind::Member => v1::Phase::Member,
        PhaseKind::Leaving => v1::Phase::Leaving,
    }
}

fn phase(field: &'static str, value: i32) -> Result<PhaseKind, DecodeError> {
    match known(field, value)? {
        v1::Phase::Newcomer => Ok(PhaseKind::Newcomer),
        v1::Phase::Member => Ok(PhaseKind::Member),
        v1::Phase::Leaving => Ok(PhaseKind::Leaving),
        v1::Phase::Unspecified => Err(unspecified(field)),
    }
}

impl Wire for Rumour {
    type Form = v1::Rumour;

    fn form(&self) -> v1::Rumour {
        v1::Rumour {
            rank: self.rank.as_ref().map(Wire::form),
            best: self.best.as_ref().map(Wire::form),
            member: self.member.as_ref().map(Wire::form),
        }
    }

    fn read(form: v1::Rumour) -> Result<Self, DecodeError> {
        Ok(Self {
            rank: optional(form.rank)?,
            best: optional(form.best)?,
            member: optional(form.member)?,
        })
    }
}

impl Wire for RefusalReason {
    type Form = v1::RefusalReason;

    fn form(&self) -> v1::RefusalReason {
        use refusal_reason::Kind;
        let kind = match self {
            Self::ClusterName { ours } => Kind::ClusterName(refusal_reason::ClusterName {
                ours: ours.to_string(),
            }),
            Self::WireVersion { ours } => Kind::WireVersion(refusal_reason::WireVersion {
                ours: Some(ours.form()),
            }),
            Self::Settings { ours } => Kind::Settings(refusal_reason::Settings { ours: *ours }),
            Self::NodeId => Kind::NodeId(refusal_reason::NodeId {}),
            Self::Oneself => Kind::Oneself(refusal_reason::Oneself {}),
            Self::Limit => Kind::Limit(refusal_reason::Limit {}),
        };
        v1::RefusalReason { kind: Some(kind) }
    }

    fn read(form: v1::RefusalReason) -> Result<Self, DecodeError> {
        use refusal_reason::Kind;
        let field = "refusal_reason.kind";
        Ok(match form.kind.ok_or(DecodeError::Missing { field })? {
            Kind::ClusterName(it) => Self::ClusterName {
                ours: cluster_name("refusal_reason.cluster_name.ours", &it.ours)?.into(),
            },
            Kind::WireVersion(it) => Self::WireVersion {
                ours: required("refusal_reason.wire_version.ours", it.ours)?,
            },
            Kind::Settings(it) => Self::Settings { ours: it.ours },
            Kind::NodeId(refusal_reason::NodeId {}) => Self::NodeId,
            Kind::Oneself(refusal_reason::Oneself {}) => Self::Oneself,
            Kind::Limit(refusal_reason::Limit {}) => Self::Limit,
        })
    }
}

impl Wire for Refusal {
    type Form = v1::Refusal;

    fn form(&self) -> v1::Refusal {
        v1::Refusal {
            node: Some(self.node.form()),
            reason: Some(self.reason.form()),
        }
    }

    fn read(form: v1::Refusal) -> Result<Self, DecodeError> {
        Ok(Self {
            node: required("refusal.node", form.node)?,
            reason: required("refusal.reason", form.reason)?,
        })
    }
}

impl Wire for Goodbye {
    type Form = v1::Goodbye;

    fn form(&self) -> v1::Goodbye {
        v1::Goodbye {
            reason: close_reason_form(self.reason).into(),
        }
    }

    fn read(form: v1::Goodbye) -> Result<Self, DecodeError> {
        Ok(Self {
            reason: close_reason("goodbye.reason", form.reason)?,
        })
    }
}

fn close_reason_form(reason: CloseReason) -> v1::CloseReason {
    match reason {
        CloseReason::Idle => v1::CloseReason::Idle,
        CloseReason::NoGreeting => v1::CloseReason::NoGreeting,
        CloseReason::Refused => v1::CloseReason::Refused,
        CloseReason::WasRefused => v1::CloseReason::WasRefused,
        CloseReason::Nonsense => v1::CloseReason::Nonsense,
        CloseReason::Undecodable => v1::CloseReason::Undecodable,
        CloseReason::Goodbye => v1::CloseReason::Goodbye,
        CloseReason::Over => v1::CloseReason::Over,
        CloseReason::Limit => v1::CloseReason::Limit,
        CloseReason::Replaced => v1::CloseReason::Replaced,
    }
}

fn close_reason(field: &'static str, value: i32) -> Result<CloseReason, DecodeError> {
    match known(field, value)? {
        v1::CloseReason::Idle => Ok(CloseReason::Idle),
        v1::CloseReason::NoGreeting => Ok(CloseReason::NoGreeting),
        v1::CloseReason::Refused => Ok(CloseReason::Refused),
        v1::CloseReason::WasRefused => Ok(CloseReason::WasRefused),
        v1::CloseReason::Nonsense => Ok(CloseReason::Nonsense),
        v1::CloseReason::Undecodable => Ok(CloseReason::Undecodable),
        v1::CloseReason::Goodbye => Ok(CloseReason::Goodbye),
        v1::CloseReason::Over => Ok(CloseReason::Over),
        v1::CloseReason::Limit => Ok(CloseReason::Limit),
        v1::CloseReason::Replaced => Ok(CloseReason::Replaced),
        v1::CloseReason::Unspecified => Err(unspecified(field)),
    }
}
