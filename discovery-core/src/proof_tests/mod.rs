//! One test for each proof that is accepted and for each look-alike that is not: counter-examples
//! R5 a–f, A7 and F6, reused addresses, and every field a proof rests on, perturbed.

mod gone;
mod replaced;
mod terminated;

use std::time::Duration;

use super::*;
use crate::census::{LastSeen, PodRef};
use crate::finder::{FinderCause, FinderError};
use crate::identity::NodeName;
use crate::samples::{id, uid};

const RULES: [ProofRule; 5] = [
    ProofRule::Object,
    ProofRule::Kubelet,
    ProofRule::AnyObject,
    ProofRule::Address,
    ProofRule::Off,
];

/// The member: node 1 in pod `u`, started at 100.500 s.
fn member() -> NodeInfo {
    nowhere().with_pod_uid(uid("u"))
}

/// The same without a pod.
fn nowhere() -> NodeInfo {
    let name = NodeName::new("ring-0").unwrap();
    let addresses = ["10.0.0.1:47500", "[fd00::1]:47500"].map(|text| text.parse().unwrap());
    NodeInfo::new(id(1), name, addresses, UnixMillis(100_500)).unwrap()
}

fn answer(dialled: &str, pod_uid: Option<&str>, node_id: u128) -> Timed<Answerer> {
    Timed {
        fact: Answerer {
            dialled: dialled.parse().unwrap(),
            pod_uid: pod_uid.map(uid),
            node_id: id(node_id),
        },
        asked: Asked::AfterLoss,
    }
}

fn successor() -> Timed<Answerer> {
    answer("10.0.0.1:47500", Some("u"), 2)
}

fn run(started_at: i64, finished_at: i64) -> Termination {
    Termination {
        started_at: UnixSeconds(started_at),
        finished_at: UnixSeconds(finished_at),
        exit_code: 137,
    }
}

fn reading(pod_uid: &str, container: ContainerState) -> PodReading {
    let name = NodeName::new("ring-0").unwrap();
    PodReading::new(
        PodRef {
            uid: uid(pod_uid),
            name,
        },
        container,
    )
}

fn ended() -> PodReading {
    reading("u", ContainerState::Terminated(run(100, 200)))
}

/// The container runs again after the member's run ended, restarted once.
fn restarted() -> PodReading {
    let mut reading = reading(
        "u",
        ContainerState::Running {
            started_at: UnixSeconds(201),
        },
    );
    reading.last_termination = Some(run(100, 200));
    reading.restart_count = 1;
    reading
}

fn running_before() -> Timed<PodReading> {
    Timed {
        fact: reading(
            "u",
            ContainerState::Running {
                started_at: UnixSeconds(100),
            },
        ),
        asked: Asked::WhileMember,
    }
}

fn read(fact: PodFact) -> Timed<PodFact> {
    Timed {
        fact,
        asked: Asked::AfterLoss,
    }
}

fn present(reading: PodReading) -> Timed<PodFact> {
    read(PodFact::Present(reading))
}

fn gone_after(last_seen: Option<PodReading>) -> Timed<PodFact> {
    gone_as("ring-0", last_seen, Duration::ZERO)
}

/// The member's pod is gone, asked for under this name and last seen so long before.
fn gone_as(name: &str, last_seen: Option<PodReading>, ago: Duration) -> Timed<PodFact> {
    read(PodFact::Gone {
        asked: PodRef {
            uid: uid("u"),
            name: NodeName::new(name).unwrap(),
        },
        replaced_by: None,
        last_seen: last_seen.map(|reading| Box::new(LastSeen { reading, ago })),
    })
}

/// The same fact with the name taken by another uid.
fn replaced_by(pod_uid: &str, pod: Timed<PodFact>) -> Timed<PodFact> {
    let PodFact::Gone {
        asked, last_seen, ..
    } = pod.fact
    else {
        return pod;
    };
    read(PodFact::Gone {
        asked,
        replaced_by: Some(uid(pod_uid)),
        last_seen,
    })
}

fn seen_running() -> PodReading {
    reading(
        "u",
        ContainerState::Running {
            started_at: UnixSeconds(100),
        },
    )
}

fn by_answer(
    rule: ProofRule,
    member: &NodeInfo,
    answer: Timed<Answerer>,
) -> Result<ProofOfDeath, NotProven> {
    let facts = DeathFacts {
        answers: &[answer],
        pod: None,
        earlier: None,
    };
    prove_death(rule, member, facts)
}

fn by_pod(
    rule: ProofRule,
    pod: &Timed<PodFact>,
    earlier: Option<&Timed<PodReading>>,
) -> Result<ProofOfDeath, NotProven> {
    prove_death(
        rule,
        &member(),
        DeathFacts {
            answers: &[],
            pod: Some(pod),
            earlier,
        },
    )
}

#[track_caller]
fn doubts(verdict: Result<ProofOfDeath, NotProven>, expected: &Doubt) {
    let refused = verdict.unwrap_err();
    assert!(refused.doubts().contains(expected), "{refused}");
}

#[test]
fn under_address_the_pod_and_under_off_nothing_counts() {
    for pod in [present(ended()), gone_after(Some(seen_running()))] {
        doubts(by_pod(ProofRule::Address, &pod, None), &Doubt::NoAnswer);
        doubts(by_pod(ProofRule::Off, &pod, None), &Doubt::RuleOff);
    }
    doubts(
        by_answer(ProofRule::Off, &member(), successor()),
        &Doubt::RuleOff,
    );
}

#[test]
fn no_facts_are_no_proof_and_the_doubts_say_so() {
    let facts = DeathFacts {
        answers: &[],
        pod: None,
        earlier: None,
    };
    assert_eq!(
        prove_death(ProofRule::Object, &member(), facts)
            .unwrap_err()
            .to_string(),
        "not proven dead: nobody else answers at its addresses; its pod was not read"
    );
}

#[test]
fn a_proof_prints_the_fields_it_rests_on() {
    let proof = by_pod(
        ProofRule::Object,
        &present(restarted()),
        Some(&running_before()),
    )
    .unwrap();
    assert_eq!(
        proof.to_string(),
        "the container of pod u ended its run of 1970-01-01T00:01:40Z to 1970-01-01T00:03:20Z; \
         its restart count went from 0 to 1"
    );
    let proof = by_answer(ProofRule::Object, &member(), successor()).unwrap();
    assert_eq!(
        proof.to_string(),
        "10.0.0.1:47500 answers as node 00000000000000000000000000000002 of the same pod u"
    );
}
