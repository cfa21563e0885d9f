//! Why members are removed, and what proves a death.

use discovery_core::{
    Accusation, AccusationKind, Evidence, GoneCounts, PodUid, ProofOfDeath, RunEnded, UnixMillis,
    UnixSeconds,
};
use discovery_proto::ring::v1::proof_of_death::{
    Gone, NotRunning, Replaced, Restarted, Terminated,
};
use discovery_proto::ring::v1::{self, evidence, proof_of_death};

use super::Wire;
use super::values::{
    address, address_form, checked, checked_if_any, forms, id_form, known, list, node_id, text,
    text_form, unspecified,
};
use crate::wire::error::DecodeError;
use crate::wire::limits::ACCUSATIONS_MAX;

pub(super) fn accusation_form(kind: AccusationKind) -> i32 {
    let form = match kind {
        AccusationKind::Replaced => v1::AccusationKind::Replaced,
        AccusationKind::Refused => v1::AccusationKind::Refused,
        AccusationKind::Closed => v1::AccusationKind::Closed,
        AccusationKind::Silence => v1::AccusationKind::Silence,
        // A kind that this wire version has no word for; whoever reads it refuses it.
        _ => v1::AccusationKind::Unspecified,
    };
    form.into()
}

pub(super) fn accusation_kind(
    field: &'static str,
    value: i32,
) -> Result<AccusationKind, DecodeError> {
    match known(field, value)? {
        v1::AccusationKind::Replaced => Ok(AccusationKind::Replaced),
        v1::AccusationKind::Refused => Ok(AccusationKind::Refused),
        v1::AccusationKind::Closed => Ok(AccusationKind::Closed),
        v1::AccusationKind::Silence => Ok(AccusationKind::Silence),
        v1::AccusationKind::Unspecified => Err(unspecified(field)),
    }
}

impl Wire for Accusation {
    type Form = v1::Accusation;

    fn form(&self) -> v1::Accusation {
        v1::Accusation {
            observer: id_form(self.observer),
            kind: accusation_form(self.kind),
            at: self.at.0,
        }
    }

    fn read(form: v1::Accusation) -> Result<Self, DecodeError> {
        Ok(Self {
            observer: node_id("accusation.observer", &form.observer)?,
            kind: accusation_kind("accusation.kind", form.kind)?,
            at: UnixMillis(form.at),
        })
    }
}

impl Wire for Evidence {
    type Form = v1::Evidence;

    fn form(&self) -> v1::Evidence {
        use evidence::Kind;
        let kind = match self {
            Self::Accused(accusations) => Some(Kind::Accused(evidence::Accused {
                accusations: forms(accusations),
            })),
            Self::NeverConfirmed { admitted_at } => {
                Some(Kind::NeverConfirmed(evidence::NeverConfirmed {
                    admitted_at: admitted_at.0,
                }))
            }
            Self::Lag { versions_behind } => Some(Kind::Lag(evidence::Lag {
                versions_behind: *versions_behind,
            })),
            Self::Dead(proof) => Some(Kind::Dead(proof.form())),
            Self::Operator { reason } => Some(Kind::Operator(evidence::Operator {
                reason: text_form(reason),
            })),
            Self::AbsentFromRecovery => {
                Some(Kind::AbsentFromRecovery(evidence::AbsentFromRecovery {}))
            }
            // Evidence that this wire version has no word for; whoever reads it refuses it.
            _ => None,
        };
        v1::Evidence { kind }
    }

    fn read(form: v1::Evidence) -> Result<Self, DecodeError> {
        use evidence::Kind;
        let field = "evidence.kind";
        Ok(match form.kind.ok_or(DecodeError::Missing { field })? {
            Kind::Accused(it) => Self::Accused(list(
                "evidence.accused.accusations",
                ACCUSATIONS_MAX,
                it.accusations,
            )?),
            Kind::NeverConfirmed(it) => Self::NeverConfirmed {
                admitted_at: UnixMillis(it.admitted_at),
            },
            Kind::Lag(it) => Self::Lag {
                versions_behind: it.versions_behind,
            },
            Kind::Dead(it) => Self::Dead(Wire::read(it)?),
            Kind::Operator(it) => Self::Operator {
                reason: text("evidence.operator.reason", it.reason)?,
            },
            Kind::AbsentFromRecovery(evidence::AbsentFromRecovery {}) => Self::AbsentFromRecovery,
        })
    }
}

impl Wire for ProofOfDeath {
    type Form = v1::ProofOfDeath;

    fn form(&self) -> v1::ProofOfDeath {
        use proof_of_death::Kind;
        let kind = match self {
            Self::Replaced {
                address,
                pod_uid,
                successor,
            } => Some(Kind::Replaced(Replaced {
                address: address_form(*address),
                pod_uid: pod_uid.as_ref().map(ToString::to_string),
                successor: id_form(*successor),
            })),
            Self::Terminated {
                pod_uid,
                started_at,
                finished_at,
                because,
            } => Some(Kind::Terminated(Terminated {
                pod_uid: pod_uid.to_string(),
                started_at_seconds: started_at.0,
                finished_at_seconds: finished_at.0,
                because: run_ended_form(*because),
            })),
            Self::Gone {
                pod_uid,
                replaced_by,
                because,
            } => Some(Kind::Gone(Gone {
                pod_uid: pod_uid.to_string(),
                replaced_by: replaced_by.as_ref().map(ToString::to_string),
                because: gone_counts_form(*because).into(),
            })),
            // A proof that this wire version has no word for; whoever reads it refuses it.
            _ => None,
        };
        v1::ProofOfDeath { kind }
    }

    fn read(form: v1::ProofOfDeath) -> Result<Self, DecodeError> {
        use proof_of_death::Kind;
        let field = "proof_of_death.kind";
        let uid = |text: &str| checked::<PodUid>("proof_of_death.pod_uid", text);
        Ok(match form.kind.ok_or(DecodeError::Missing { field })? {
            Kind::Replaced(it) => Self::Replaced {
                address: address("proof_of_death.replaced.address", &it.address)?,
                pod_uid: it.pod_uid.as_deref().map(uid).transpose()?,
                successor: node_id("proof_of_death.replaced.successor", &it.successor)?,
            },
            Kind::Terminated(it) => Self::Terminated {
                pod_uid: uid(&it.pod_uid)?,
                started_at: UnixSeconds(it.started_at_seconds),
                finished_at: UnixSeconds(it.finished_at_seconds),
                because: run_ended(it.because)?,
            },
            Kind::Gone(it) => Self::Gone {
                pod_uid: uid(&it.pod_uid)?,
                replaced_by: checked_if_any(
                    "proof_of_death.gone.replaced_by",
                    it.replaced_by.as_ref(),
                )?,
                because: gone_counts(it.because)?,
            },
        })
    }
}

fn run_ended_form(because: RunEnded) -> Option<proof_of_death::terminated::Because> {
    use proof_of_death::terminated::Because;
    match because {
        RunEnded::NotRunning => Some(Because::NotRunning(NotRunning {})),
        RunEnded::Restarted { from, to } => Some(Because::Restarted(Restarted { from, to })),
        // A reason that this wire version has no word for; whoever reads it refuses it.
        _ => None,
    }
}

fn run_ended(form: Option<proof_of_death::terminated::Because>) -> Result<RunEnded, DecodeError> {
    use proof_of_death::terminated::Because;
    let field = "proof_of_death.terminated.because";
    Ok(match form.ok_or(DecodeError::Missing { field })? {
        Because::NotRunning(NotRunning {}) => RunEnded::NotRunning,
        Because::Restarted(Restarted { from, to }) => RunEnded::Restarted { from, to },
    })
}

fn gone_counts_form(because: GoneCounts) -> v1::GoneCounts {
    match because {
        GoneCounts::Unmarked => v1::GoneCounts::Unmarked,
        GoneCounts::AllTerminated => v1::GoneCounts::AllTerminated,
        GoneCounts::AnyObject => v1::GoneCounts::AnyObject,
        // A reason that this wire version has no word for; whoever reads it refuses it.
        _ => v1::GoneCounts::Unspecified,
    }
}

fn gone_counts(value: i32) -> Result<GoneCounts, DecodeError> {
    let field = "proof_of_death.gone.because";
    match known(field, value)? {
        v1::GoneCounts::Unmarked => Ok(GoneCounts::Unmarked),
        v1::GoneCounts::AllTerminated => Ok(GoneCounts::AllTerminated),
        v1::GoneCounts::AnyObject => Ok(GoneCounts::AnyObject),
        v1::GoneCounts::Unspecified => Err(unspecified(field)),
    }
}
