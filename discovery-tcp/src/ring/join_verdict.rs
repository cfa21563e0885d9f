//! What the coordinator answers to a request to be admitted (JOIN): taken, sent elsewhere, told to
//! ask again, or refused. What becomes of whom it takes is in `admission.rs`.

use std::time::Duration;

use discovery_core::{
    Answerer, Asked, DeathFacts, Evidence, NodeId, NodeInfo, SeedReport, Timed, prove_death,
};

use super::member::Membership;
use super::planted::Bug;
use super::{Life, Ring};
use crate::config::{Formation, RingConfig};
use crate::message::{Join, JoinAnswer, JoinVerdict, MemberHint, Message, RefusalReason};

/// When a joiner that cannot be taken yet asks again.
const SOON: Duration = Duration::from_millis(200);

/// What a joiner is told that it waits for where nobody can be admitted.
const NO_QUORUM: &str = "a coordinator with a quorum";

impl Ring {
    pub(super) fn on_join(&mut self, from: NodeId, join: &Join) {
        let verdict = self.judge_join(from, join);
        if let Some(verdict) = verdict {
            self.answer_join(from, verdict);
        }
    }

    pub(super) fn answer_join(&mut self, to: NodeId, verdict: JoinVerdict) {
        self.fx
            .send_to(to, Message::JoinAnswer(JoinAnswer { verdict }));
    }

    /// Takes the joiner in, or says why not; nothing if it is a member already and has to catch up.
    fn judge_join(&mut self, from: NodeId, join: &Join) -> Option<JoinVerdict> {
        let is_listed = self.is_listed(join) || self.fx.bug(Bug::JoinerNotListed);
        let Life::Member(m) = &mut self.life else {
            return Some(not_now("the member asked is none any more"));
        };
        if join.node.id() != from {
            return Some(refused(RefusalReason::NodeId));
        }
        if m.topology().member(from).is_some() {
            self.tell_newer(from);
            return None;
        }
        let Some(lead) = &mut m.lead else {
            return Some(redirect(m));
        };
        if !m.quorum {
            // It can admit nobody, and others may: the newcomer is to ask around.
            return Some(not_now(NO_QUORUM));
        }
        if lead.admission.asks_again(from) {
            let ahead = u32::try_from(lead.admission.len()).unwrap_or(u32::MAX);
            self.look_after_joiner(from);
            return Some(JoinVerdict::Queued { ahead });
        }
        if m.removed.contains(&from) && !self.fx.bug(Bug::RemovedIdReadmitted) {
            return Some(refused(RefusalReason::NodeId));
        }
        if lead.admission.is_crowded() {
            return Some(not_now("others who join before it"));
        }
        if !is_listed {
            // The last member waits for it (W6).
            m.knocked_at = Some(self.fx.now);
            return Some(not_now("its pod to be listed"));
        }
        Some(match whom_it_replaces(&self.config, m, &join.node) {
            Err(verdict) => verdict,
            Ok(replaces) if !self.has_room_for(&join.node, replaces) => {
                self.note_no_room(&join.node);
                refused(RefusalReason::Limit)
            }
            Ok(replaces) => {
                self.take_in(join.node.clone(), replaces);
                JoinVerdict::Queued { ahead: 0 }
            }
        })
    }

    /// Whether the topology has room for one more; `replaces` gives its own.
    fn has_room_for(&mut self, node: &NodeInfo, replaces: Option<NodeId>) -> bool {
        let Life::Member(m) = &mut self.life else {
            return false;
        };
        let topology = m.log.topology();
        let replaced = replaces.and_then(|id| topology.member(id));
        let replaced = replaced.map(|member| &member.info);
        m.lead.as_mut().is_some_and(|lead| {
            lead.admission
                .has_room_for(node, replaced, topology, &self.config)
        })
    }

    fn is_listed(&self, join: &Join) -> bool {
        match self.config.formation {
            Formation::Census => {}
            Formation::Majority(_) | Formation::Single => return true,
        }
        let seen = |report: &SeedReport| {
            let seeds = report.seeds();
            seeds.iter().any(|seed| match join.node.pod_uid() {
                Some(uid) => seed.pod_uid.as_ref() == Some(uid),
                None => join.node.addresses().contains(&seed.address()),
            })
        };
        join.listed || self.finder.as_ref().is_some_and(seen)
    }
}

fn refused(reason: RefusalReason) -> JoinVerdict {
    JoinVerdict::Refused { reason }
}

pub(super) fn not_now(waiting_for: &str) -> JoinVerdict {
    JoinVerdict::NotNow {
        waiting_for: waiting_for.to_owned(),
        retry_after: SOON,
    }
}

/// What joiners are told when their coordinator stops.
pub(super) fn again() -> JoinVerdict {
    not_now("another coordinator")
}

/// Who does not coordinate names whoever does.
fn redirect(m: &Membership) -> JoinVerdict {
    match m.coordinator().filter(|_| m.quorum) {
        Some(node) => JoinVerdict::Redirect {
            coordinator: MemberHint {
                node: node.id(),
                addresses: node.addresses().to_vec(),
                topology: m.id(),
            },
        },
        None => not_now(NO_QUORUM),
    }
}

/// The member of the joiner's name, if there is one that may be dead; else what the joiner is told.
fn whom_it_replaces(
    config: &RingConfig,
    m: &Membership,
    joiner: &NodeInfo,
) -> Result<Option<NodeId>, JoinVerdict> {
    let Some(member) = m.topology().named(joiner.name()).map(|member| &member.info) else {
        return Ok(None);
    };
    let id = member.id();
    if replacement(config, member, joiner).is_some() {
        return Ok(Some(id));
    }
    let leaves = m
        .lead
        .as_ref()
        .is_some_and(|lead| lead.leaves.contains(&id));
    if leaves || !m.alerts_against(id).is_empty() {
        return Err(not_now("the member of its name to be removed"));
    }
    Err(JoinVerdict::NameTaken { by: id })
}

/// The evidence that a joiner which was reached at its address replaces this member (D12).
pub(super) fn replacement(
    config: &RingConfig,
    member: &NodeInfo,
    joiner: &NodeInfo,
) -> Option<Evidence> {
    let answer = Timed {
        fact: Answerer {
            dialled: joiner.addresses()[0],
            pod_uid: joiner.pod_uid().cloned(),
            node_id: joiner.id(),
        },
        asked: Asked::AfterLoss,
    };
    let facts = DeathFacts {
        answers: &[answer],
        pod: None,
        earlier: None,
    };
    prove_death(config.proof, member, facts)
        .ok()
        .map(Evidence::Dead)
}
