//! Any facts whatever: a proof is given exactly where the clause, written out once more as plain
//! conditions, allows one. Small ranges make every field matter often.

use std::sync::Arc;
use std::time::Duration;

use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::census::{LastSeen, PodRef};
use crate::finder::{FinderCause, FinderError};
use crate::identity::NodeName;
use crate::samples::{id, uid};

fn pods() -> impl Strategy<Value = PodUid> {
    prop_oneof![4 => Just("u"), 1 => Just("v")].prop_map(uid)
}

fn names() -> impl Strategy<Value = NodeName> {
    prop_oneof![4 => Just("ring-0"), 1 => Just("ring-1")]
        .prop_map(|name| NodeName::new(name).unwrap())
}

fn pod_refs() -> impl Strategy<Value = PodRef> {
    (pods(), names()).prop_map(|(uid, name)| PodRef { uid, name })
}

fn last_seen() -> impl Strategy<Value = LastSeen> {
    let ago = prop_oneof![3 => 0u64..=180, 1 => 181u64..400].prop_map(Duration::from_secs);
    (reading(), ago).prop_map(|(reading, ago)| LastSeen { reading, ago })
}

fn asked() -> impl Strategy<Value = Asked> {
    prop_oneof![
        1 => Just(Asked::BeforeAdmission),
        1 => Just(Asked::WhileMember),
        4 => Just(Asked::AfterLoss),
    ]
}

fn timed<T: fmt::Debug>(fact: impl Strategy<Value = T>) -> impl Strategy<Value = Timed<T>> {
    (fact, asked()).prop_map(|(fact, asked)| Timed { fact, asked })
}

fn answerer() -> impl Strategy<Value = Answerer> {
    let dialled = prop_oneof![4 => Just("10.0.0.1:1"), 1 => Just("10.0.0.1:2")];
    let node_id = prop_oneof![1 => Just(1), 8 => Just(2)];
    (dialled, option::of(pods()), node_id).prop_map(|(dialled, pod_uid, node_id)| Answerer {
        dialled: dialled.parse().unwrap(),
        pod_uid,
        node_id: id(node_id),
    })
}

fn termination() -> impl Strategy<Value = Termination> {
    (0i64..5, 0i64..5).prop_map(|(started_at, finished_at)| Termination {
        started_at: UnixSeconds(started_at),
        finished_at: UnixSeconds(finished_at),
        exit_code: 1,
    })
}

fn container() -> impl Strategy<Value = ContainerState> {
    prop_oneof![
        (0i64..5).prop_map(|at| ContainerState::Running {
            started_at: UnixSeconds(at)
        }),
        Just(ContainerState::Waiting {
            reason: "CrashLoopBackOff".into()
        }),
        termination().prop_map(ContainerState::Terminated),
        Just(ContainerState::Unreported),
    ]
}

fn reading() -> impl Strategy<Value = PodReading> {
    let disruption = option::of(prop_oneof![
        Just("DeletionByPodGC"),
        Just("DeletionByTaintManager"),
        Just("EvictionByEvictionAPI"),
    ]);
    (
        pod_refs(),
        container(),
        option::of(termination()),
        0u32..3,
        any::<(bool, bool)>(),
        option::of(any::<bool>()),
        disruption,
        any::<bool>(),
    )
        .prop_map(
            |(pod, container, last, restarts, all, ready, disruption, deleted)| {
                let mut reading = PodReading::new(pod, container);
                reading.last_termination = last;
                reading.restart_count = restarts;
                (
                    reading.all_containers_terminated,
                    reading.all_containers_ready,
                ) = all;
                reading.ready = ready;
                reading.disruption = disruption.map(Arc::from);
                reading.deletion_requested = deleted;
                reading
            },
        )
}

fn pod_fact() -> impl Strategy<Value = PodFact> {
    let parts = (
        pod_refs(),
        option::of(pods()),
        option::weighted(0.8, last_seen()),
    );
    let gone = parts.prop_map(|(asked, replaced_by, last_seen)| PodFact::Gone {
        asked,
        replaced_by,
        last_seen: last_seen.map(Box::new),
    });
    let unknown = FinderError::new(FinderCause::Timeout, "get pod: no answer");
    prop_oneof![
        5 => reading().prop_map(PodFact::Present),
        5 => gone,
        1 => Just(PodFact::Unknown(unknown)),
    ]
}

fn rule() -> impl Strategy<Value = ProofRule> {
    prop_oneof![
        Just(ProofRule::Object),
        Just(ProofRule::Kubelet),
        Just(ProofRule::AnyObject),
        Just(ProofRule::Address),
        Just(ProofRule::Off),
    ]
}

/// RECOVER-3 (i), as a condition.
fn clause_one(rule: ProofRule, member: &NodeInfo, answer: &Timed<Answerer>) -> bool {
    answer.asked == Asked::AfterLoss
        && answer.fact.node_id != member.id()
        && member.addresses().contains(&answer.fact.dialled)
        && (rule == ProofRule::Address
            || (member.pod_uid().is_some() && member.pod_uid() == answer.fact.pod_uid.as_ref()))
}

/// RECOVER-3 (ii), as a condition.
fn clause_two(member: &NodeInfo, now: &PodReading, earlier: Option<&Timed<PodReading>>) -> bool {
    let start = member.started_at().0;
    let holds =
        |run: &Termination| run.started_at.0 * 1000 <= start && start < run.finished_at.0 * 1000;
    let current = match &now.container {
        ContainerState::Terminated(run) => holds(run),
        _ => false,
    };
    let stopped = matches!(
        now.container,
        ContainerState::Terminated(_) | ContainerState::Waiting { .. }
    );
    let restarted = earlier.is_some_and(|earlier| {
        earlier.asked != Asked::BeforeAdmission
            && earlier.fact.pod == now.pod
            && earlier.fact.restart_count < now.restart_count
            && matches!(
                earlier.fact.container,
                ContainerState::Running { started_at } if started_at.0 * 1000 <= start
            )
    });
    Some(&now.pod.uid) == member.pod_uid()
        && (current || now.last_termination.as_ref().is_some_and(holds))
        && (stopped || restarted)
}

/// RECOVER-3 (iii), as a condition.
fn clause_three(
    rule: ProofRule,
    member: &NodeInfo,
    asked: &PodRef,
    replaced_by: Option<&PodUid>,
    last_seen: Option<&LastSeen>,
) -> bool {
    let of_it = last_seen.filter(|seen| seen.reading.pod == *asked);
    let seen = of_it.filter(|seen| seen.ago <= Duration::from_mins(3));
    let seen = seen.map(|seen| &seen.reading);
    let marked = |seen: &PodReading| {
        matches!(
            seen.disruption.as_deref(),
            Some("DeletionByPodGC" | "DeletionByTaintManager")
        ) || (seen.ready == Some(false) && seen.all_containers_ready)
    };
    replaced_by != member.pod_uid()
        && Some(&asked.uid) == member.pod_uid()
        && match rule {
            ProofRule::Object => seen.is_some_and(|seen| !marked(seen)),
            ProofRule::Kubelet => seen.is_some_and(|seen| seen.all_containers_terminated),
            ProofRule::AnyObject => of_it.is_some(),
            ProofRule::Address | ProofRule::Off => false,
        }
}

fn allowed(rule: ProofRule, member: &NodeInfo, facts: DeathFacts<'_>) -> bool {
    let still_answers = facts
        .answers
        .iter()
        .any(|answer| answer.asked == Asked::AfterLoss && answer.fact.node_id == member.id());
    let answered = facts
        .answers
        .iter()
        .any(|answer| clause_one(rule, member, answer));
    let by_pod = member.pod_uid().is_some()
        && facts.pod.is_some_and(|pod| {
            pod.asked == Asked::AfterLoss
                && match &pod.fact {
                    PodFact::Present(now) => clause_two(member, now, facts.earlier),
                    PodFact::Gone {
                        asked,
                        replaced_by,
                        last_seen,
                    } => {
                        let (by, seen) = (replaced_by.as_ref(), last_seen.as_deref());
                        clause_three(rule, member, asked, by, seen)
                    }
                    PodFact::Unknown(_) => false,
                }
        });
    match rule {
        ProofRule::Off => false,
        ProofRule::Address => !still_answers && answered,
        ProofRule::Object | ProofRule::Kubelet | ProofRule::AnyObject => {
            !still_answers && (answered || by_pod)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn a_proof_is_given_exactly_where_the_clause_allows_one(
        rule in rule(),
        has_pod in prop_oneof![9 => Just(true), 1 => Just(false)],
        start in prop_oneof![0i64..5000, (0i64..5).prop_map(|second| second * 1000)],
        answers in proptest::collection::vec(timed(answerer()), 0..2),
        pod in option::weighted(0.9, timed(pod_fact())),
        earlier in option::of(timed(reading())),
    ) {
        let name = NodeName::new("ring-0").unwrap();
        let address = "10.0.0.1:1".parse().unwrap();
        let mut member = NodeInfo::new(id(1), name, [address], UnixMillis(start)).unwrap();
        if has_pod {
            member = member.with_pod_uid(uid("u"));
        }
        let facts = DeathFacts { answers: &answers, pod: pod.as_ref(), earlier: earlier.as_ref() };
        let verdict = prove_death(rule, &member, facts);
        prop_assert_eq!(verdict.is_ok(), allowed(rule, &member, facts), "{:?}", verdict);
    }
}
