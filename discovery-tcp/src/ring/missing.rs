//! Members that a survivor misses (RECOVER-3): each is dialled and its pod is read until its death
//! is proven, or it is linked again.

use std::time::Duration;

use discovery_core::{
    Answerer, Asked, ContainerState, DeathFacts, NodeInfo, PodFact, PodReading, PodRef,
    ProofOfDeath, Timed, prove_death,
};

use super::output::Output;
use super::planted::Bug;
use super::{Life, Ring};
use crate::moment::Moment;

/// Least time between two dials of a missing member.
const REDIAL: Duration = Duration::from_millis(500);
/// How old a fact about a pod may be before it is asked for again.
const FACT_AGE: Duration = Duration::from_secs(1);

/// What is known of the pod of a missing member.
#[derive(Debug, Default)]
pub(super) struct PodWatch {
    /// When the member's own address was dialled last.
    dialled_at: Option<Moment>,
    question: Option<u64>,
    asked_at: Moment,
    fact: Option<Timed<PodFact>>,
    earlier: Option<Timed<PodReading>>,
}

impl PodWatch {
    /// A fact that was asked for after the loss; the first reading of a run is kept beside it.
    fn take(&mut self, fact: &PodFact) {
        let asked = Asked::AfterLoss;
        self.question = None;
        if let PodFact::Present(reading) = fact
            && matches!(reading.container, ContainerState::Running { .. })
            && self.earlier.is_none()
        {
            let fact = reading.clone();
            self.earlier = Some(Timed { fact, asked });
        }
        let fact = fact.clone();
        self.fact = Some(Timed { fact, asked });
    }
}

impl Ring {
    /// Whether every other member is linked, or was asked after and is proven dead; asks after
    /// those that are neither.
    pub(super) fn members_are_settled(&mut self) -> bool {
        let Life::Member(m) = &self.life else {
            return false;
        };
        let others: Vec<NodeInfo> = m.others().map(|(_, node)| node.clone()).collect();
        let mut settled = true;
        for node in others {
            if self.fx.links.is_linked(node.id()) {
                continue;
            }
            if self.proof_against(&node).is_none() {
                self.ask_after(&node);
                settled = false;
            }
        }
        settled
    }

    /// What is known of a missing member's end.
    pub(super) fn proof_against(&self, node: &NodeInfo) -> Option<ProofOfDeath> {
        let Life::Member(m) = &self.life else {
            return None;
        };
        if self.fx.bug(Bug::ProvenBySilence) && !self.fx.links.is_linked(node.id()) {
            return Some(ProofOfDeath::Replaced {
                address: node.addresses()[0],
                pod_uid: None,
                successor: node.id(),
            });
        }
        let answers: Vec<Timed<Answerer>> = self
            .fx
            .links
            .iter()
            .filter_map(|(_, link)| {
                let dialled = link.dialled?;
                let end = link.other_end()?;
                let pod_uid = if self.fx.bug(Bug::ProofByOtherPod) {
                    node.pod_uid().cloned()
                } else {
                    end.node.pod_uid().cloned()
                };
                let fact = Answerer {
                    dialled,
                    pod_uid,
                    node_id: end.node.id(),
                };
                Some(Timed {
                    fact,
                    asked: Asked::AfterLoss,
                })
            })
            .filter(|answer| node.addresses().contains(&answer.fact.dialled))
            .collect();
        let watch = m.survivor.pods.get(&node.id());
        let facts = DeathFacts {
            answers: &answers,
            pod: watch.and_then(|watch| watch.fact.as_ref()),
            earlier: watch.and_then(|watch| watch.earlier.as_ref()),
        };
        prove_death(self.config.proof, node, facts).ok()
    }

    /// Dials a missing member and reads its pod, by the pod's name.
    pub(super) fn ask_after(&mut self, node: &NodeInfo) {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let watch = m.survivor.pods.entry(node.id()).or_default();
        // Somebody else may answer there, and will answer again.
        if watch.dialled_at.is_none_or(|at| now.since(at) >= REDIAL) {
            watch.dialled_at = Some(now);
            self.fx.ensure_link(node, 0);
        }
        let Some(uid) = node.pod_uid().cloned() else {
            return;
        };
        let named = self.finder.as_ref().and_then(|report| {
            let seeds = report.seeds();
            let seed = seeds
                .iter()
                .find(|seed| seed.pod_uid.as_ref() == Some(&uid))?;
            seed.name.clone()
        });
        let name = named.unwrap_or_else(|| node.name().clone());
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let watch = m.survivor.pods.entry(node.id()).or_default();
        let fresh = watch.fact.is_some() || watch.question.is_some();
        if fresh && now.since(watch.asked_at) < FACT_AGE {
            return;
        }
        let question = u64::try_from(self.fx.draw_u128() >> 65).unwrap_or(0);
        watch.question = Some(question);
        watch.asked_at = now;
        self.fx.output(Output::AskPod {
            question,
            pod: PodRef { uid, name },
        });
    }

    /// The platform's word on a pod, for whoever asked here.
    pub(super) fn on_pod_fact(&mut self, question: u64, fact: &PodFact) {
        let round = self.life.round_mut();
        let mut taken = round.is_some_and(|round| round.contacts.take_fact(question, fact));
        if let Life::Member(m) = &mut self.life {
            for watch in m.survivor.pods.values_mut() {
                if watch.question == Some(question) {
                    watch.take(fact);
                }
            }
            taken |= !m.survivor.pods.is_empty();
        }
        if taken {
            self.look_after_round();
        }
    }
}
