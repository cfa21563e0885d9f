//! Census rounds, founding by majority, and recovery rounds.

use discovery_core::{Epoch, ResourceVersion};
use discovery_proto::ring::v1::{self, found, recover_answer};

use super::Wire;
use super::values::{
    checked, cluster_form, cluster_id, id_form, node_id, optional, order, required,
    resource_version,
};
use crate::message::{
    Defer, Found, FoundMessage, FoundTerm, FoundValue, Granted, IsMember, Position, RecoverAnswer,
    RecoverAsk, RecoverVerdict, Wait,
};
use crate::wire::error::DecodeError;

impl Wire for Defer {
    type Form = v1::Defer;

    fn form(&self) -> v1::Defer {
        v1::Defer {
            round: self.round,
            resource_version: self.resource_version.get(),
            rank: Some(self.rank.form()),
        }
    }

    fn read(form: v1::Defer) -> Result<Self, DecodeError> {
        Ok(Self {
            round: form.round,
            resource_version: resource_version("defer.resource_version", form.resource_version)?,
            rank: required("defer.rank", form.rank)?,
        })
    }
}

impl Wire for Granted {
    type Form = v1::Granted;

    fn form(&self) -> v1::Granted {
        v1::Granted {
            round: self.round,
            node: id_form(self.node),
        }
    }

    fn read(form: v1::Granted) -> Result<Self, DecodeError> {
        Ok(Self {
            round: form.round,
            node: node_id("granted.node", &form.node)?,
        })
    }
}

impl Wire for Wait {
    type Form = v1::Wait;

    fn form(&self) -> v1::Wait {
        v1::Wait {
            round: self.round,
            better: self.better.as_ref().map(Wire::form),
            newer: self.newer.map(ResourceVersion::get),
        }
    }

    fn read(form: v1::Wait) -> Result<Self, DecodeError> {
        let newer = form.newer.map(|it| resource_version("wait.newer", it));
        Ok(Self {
            round: form.round,
            better: optional(form.better)?,
            newer: newer.transpose()?,
        })
    }
}

impl Wire for IsMember {
    type Form = v1::IsMember;

    fn form(&self) -> v1::IsMember {
        v1::IsMember {
            round: self.round,
            member: Some(self.member.form()),
        }
    }

    fn read(form: v1::IsMember) -> Result<Self, DecodeError> {
        Ok(Self {
            round: form.round,
            member: required("is_member.member", form.member)?,
        })
    }
}

impl Wire for FoundTerm {
    type Form = v1::FoundTerm;

    fn form(&self) -> v1::FoundTerm {
        v1::FoundTerm {
            counter: self.counter,
            name: self.name.to_string(),
        }
    }

    fn read(form: v1::FoundTerm) -> Result<Self, DecodeError> {
        Ok(Self {
            counter: form.counter,
            name: checked("found_term.name", &form.name)?,
        })
    }
}

impl Wire for FoundValue {
    type Form = v1::FoundValue;

    fn form(&self) -> v1::FoundValue {
        v1::FoundValue {
            founder: id_form(self.founder),
            cluster_id: cluster_form(self.cluster_id),
            epoch: self.epoch.0,
        }
    }

    fn read(form: v1::FoundValue) -> Result<Self, DecodeError> {
        Ok(Self {
            founder: node_id("found_value.founder", &form.founder)?,
            cluster_id: cluster_id("found_value.cluster_id", &form.cluster_id)?,
            epoch: Epoch(form.epoch),
        })
    }
}

/// What was accepted before, and under which term.
impl Wire for (FoundTerm, FoundValue) {
    type Form = found::Before;

    fn form(&self) -> found::Before {
        found::Before {
            term: Some(self.0.form()),
            value: Some(self.1.form()),
        }
    }

    fn read(form: found::Before) -> Result<Self, DecodeError> {
        Ok((
            required("found.before.term", form.term)?,
            required("found.before.value", form.value)?,
        ))
    }
}

impl Wire for Found {
    type Form = v1::Found;

    fn form(&self) -> v1::Found {
        v1::Found {
            attempt: self.attempt,
            kind: Some(self.message.form()),
        }
    }

    fn read(form: v1::Found) -> Result<Self, DecodeError> {
        Ok(Self {
            attempt: form.attempt,
            message: required("found.kind", form.kind)?,
        })
    }
}

impl Wire for FoundMessage {
    type Form = found::Kind;

    fn form(&self) -> found::Kind {
        use found::Kind;
        match self {
            Self::Ask { term } => Kind::Ask(found::Ask {
                term: Some(term.form()),
            }),
            Self::Promise { term, accepted } => Kind::Promise(found::Promise {
                term: Some(term.form()),
                accepted: accepted.as_ref().map(Wire::form),
            }),
            Self::Refuse { promised } => Kind::Refuse(found::Refuse {
                promised: Some(promised.form()),
            }),
            Self::Accept { term, value } => Kind::Accept(found::Accept {
                term: Some(term.form()),
                value: Some(value.form()),
            }),
            Self::Accepted { term } => Kind::Accepted(found::Accepted {
                term: Some(term.form()),
            }),
            Self::Decided { value } => Kind::Decided(found::Decided {
                value: Some(value.form()),
            }),
            Self::Reopen { round } => Kind::Reopen(found::Reopen { round: *round }),
            Self::Reopened { round } => Kind::Reopened(found::Reopened { round: *round }),
        }
    }

    fn read(form: found::Kind) -> Result<Self, DecodeError> {
        use found::Kind;
        Ok(match form {
            Kind::Ask(it) => Self::Ask {
                term: required("found.ask.term", it.term)?,
            },
            Kind::Promise(it) => Self::Promise {
                term: required("found.promise.term", it.term)?,
                accepted: optional(it.accepted)?,
            },
            Kind::Refuse(it) => Self::Refuse {
                promised: required("found.refuse.promised", it.promised)?,
            },
            Kind::Accept(it) => Self::Accept {
                term: required("found.accept.term", it.term)?,
                value: required("found.accept.value", it.value)?,
            },
            Kind::Accepted(it) => Self::Accepted {
                term: required("found.accepted.term", it.term)?,
            },
            Kind::Decided(it) => Self::Decided {
                value: required("found.decided.value", it.value)?,
            },
            Kind::Reopen(it) => Self::Reopen { round: it.round },
            Kind::Reopened(it) => Self::Reopened { round: it.round },
        })
    }
}

impl Wire for RecoverAsk {
    type Form = v1::RecoverAsk;

    fn form(&self) -> v1::RecoverAsk {
        v1::RecoverAsk {
            round: self.round,
            resource_version: self.resource_version.map(ResourceVersion::get),
            topology: Some(self.topology.form()),
            decided: self.decided.0,
            order: self.order.get(),
            term: Some(self.term.form()),
            forced: self.forced.map(cluster_form),
        }
    }

    fn read(form: v1::RecoverAsk) -> Result<Self, DecodeError> {
        let listing = form
            .resource_version
            .map(|it| resource_version("recover_ask.resource_version", it));
        let forced = form
            .forced
            .map(|bytes| cluster_id("recover_ask.forced", &bytes));
        Ok(Self {
            round: form.round,
            resource_version: listing.transpose()?,
            topology: required("recover_ask.topology", form.topology)?,
            decided: Position(form.decided),
            order: order("recover_ask.order", form.order)?,
            term: required("recover_ask.term", form.term)?,
            forced: forced.transpose()?,
        })
    }
}

impl Wire for RecoverAnswer {
    type Form = v1::RecoverAnswer;

    fn form(&self) -> v1::RecoverAnswer {
        v1::RecoverAnswer {
            round: self.round,
            node: id_form(self.node),
            verdict: Some(verdict_form(&self.verdict)),
        }
    }

    fn read(form: v1::RecoverAnswer) -> Result<Self, DecodeError> {
        let field = "recover_answer.verdict";
        Ok(Self {
            round: form.round,
            node: node_id("recover_answer.node", &form.node)?,
            verdict: verdict(form.verdict.ok_or(DecodeError::Missing { field })?)?,
        })
    }
}

fn verdict_form(verdict: &RecoverVerdict) -> recover_answer::Verdict {
    use recover_answer::Verdict;
    match verdict {
        RecoverVerdict::Granted => Verdict::Granted(recover_answer::Granted {}),
        RecoverVerdict::Promised { tail } => Verdict::Promised(recover_answer::Promised {
            tail: Some(tail.form()),
        }),
        RecoverVerdict::QuorumHere { tick } => Verdict::QuorumHere(recover_answer::QuorumHere {
            tick: Some(tick.form()),
        }),
        RecoverVerdict::Newer { decided } => Verdict::Newer(recover_answer::Newer {
            decided: Some(decided.form()),
        }),
        RecoverVerdict::NewerTopology { topology } => {
            Verdict::NewerTopology(recover_answer::NewerTopology {
                topology: Some(topology.form()),
            })
        }
        RecoverVerdict::OtherCluster { topology } => {
            Verdict::OtherCluster(recover_answer::OtherCluster {
                topology: Some(topology.form()),
            })
        }
        RecoverVerdict::Refused { newer, promised } => Verdict::Refused(recover_answer::Refused {
            newer: newer.map(ResourceVersion::get),
            promised: promised.as_ref().map(Wire::form),
        }),
    }
}

fn verdict(form: recover_answer::Verdict) -> Result<RecoverVerdict, DecodeError> {
    use recover_answer::Verdict;
    Ok(match form {
        Verdict::Granted(recover_answer::Granted {}) => RecoverVerdict::Granted,
        Verdict::Promised(it) => RecoverVerdict::Promised {
            tail: required("recover_answer.promised.tail", it.tail)?,
        },
        Verdict::QuorumHere(it) => RecoverVerdict::QuorumHere {
            tick: required("recover_answer.quorum_here.tick", it.tick)?,
        },
        Verdict::Newer(it) => RecoverVerdict::Newer {
            decided: required("recover_answer.newer.decided", it.decided)?,
        },
        Verdict::NewerTopology(it) => RecoverVerdict::NewerTopology {
            topology: required("recover_answer.newer_topology.topology", it.topology)?,
        },
        Verdict::OtherCluster(it) => RecoverVerdict::OtherCluster {
            topology: required("recover_answer.other_cluster.topology", it.topology)?,
        },
        Verdict::Refused(it) => RecoverVerdict::Refused {
            newer: it
                .newer
                .map(|it| resource_version("recover_answer.refused.newer", it))
                .transpose()?,
            promised: optional(it.promised)?,
        },
    })
}
