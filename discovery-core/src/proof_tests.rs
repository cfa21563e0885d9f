//! One test for each proof that is accepted and for each look-alike that is not: counter-examples
//! R5 a–f, A7 and F6, reused addresses, and every field a proof rests on, perturbed.

use super::*;
use crate::census::PodRef;
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
    read(PodFact::Gone {
        replaced_by: None,
        last_seen: last_seen.map(Box::new),
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

// Proof (i): a successor at the address.

#[test]
fn another_node_id_at_the_address_in_the_same_pod_is_a_proof() {
    for rule in [ProofRule::Object, ProofRule::Kubelet, ProofRule::AnyObject] {
        assert_eq!(
            by_answer(rule, &member(), successor()),
            Ok(ProofOfDeath::Replaced {
                address: "10.0.0.1:47500".parse().unwrap(),
                pod_uid: Some(uid("u")),
                successor: id(2),
            })
        );
    }
    let other_family = answer("[fd00::1]:47500", Some("u"), 2);
    assert!(matches!(
        by_answer(ProofRule::Object, &member(), other_family),
        Ok(ProofOfDeath::Replaced { .. })
    ));
}

#[test]
fn under_the_rule_address_the_address_alone_is_enough() {
    for (member, pod_uid) in [(member(), Some("v")), (member(), None), (nowhere(), None)] {
        assert_eq!(
            by_answer(
                ProofRule::Address,
                &member,
                answer("10.0.0.1:47500", pod_uid, 2)
            ),
            Ok(ProofOfDeath::Replaced {
                address: "10.0.0.1:47500".parse().unwrap(),
                pod_uid: None,
                successor: id(2),
            })
        );
    }
}

#[test]
fn another_pod_at_a_reused_address_is_no_proof() {
    // R5 (a): same address, another uid, whatever its name.
    let (address, pod_uid) = ("10.0.0.1:47500".parse().unwrap(), Some(uid("v")));
    doubts(
        by_answer(
            ProofRule::Object,
            &member(),
            answer("10.0.0.1:47500", Some("v"), 2),
        ),
        &Doubt::OtherPod { address, pod_uid },
    );
    doubts(
        by_answer(
            ProofRule::Object,
            &member(),
            answer("10.0.0.1:47500", None, 2),
        ),
        &Doubt::OtherPod {
            address,
            pod_uid: None,
        },
    );
}

#[test]
fn a_process_recognised_by_its_address_is_never_proven_dead_by_the_pod_rules() {
    // F6: without a uid the same address is another process as likely as not.
    for rule in [ProofRule::Object, ProofRule::Kubelet, ProofRule::AnyObject] {
        doubts(by_answer(rule, &nowhere(), successor()), &Doubt::NoPodUid);
    }
}

#[test]
fn another_port_or_address_of_the_same_pod_is_no_proof() {
    for dialled in ["10.0.0.1:47501", "10.0.0.2:47500"] {
        for rule in RULES {
            let verdict = by_answer(rule, &member(), answer(dialled, Some("u"), 2));
            assert!(matches!(verdict, Err(NotProven { .. })), "{rule} {dialled}");
        }
    }
}

#[test]
fn an_answer_from_before_the_loss_is_no_proof() {
    // It may be the process before the member.
    for asked in [Asked::BeforeAdmission, Asked::WhileMember] {
        let early = Timed {
            asked,
            ..successor()
        };
        doubts(
            by_answer(ProofRule::Object, &member(), early.clone()),
            &Doubt::AskedTooEarly {
                what: "its address",
            },
        );
        doubts(
            by_answer(ProofRule::Address, &member(), early),
            &Doubt::AskedTooEarly {
                what: "its address",
            },
        );
    }
}

#[test]
fn the_members_own_answer_outweighs_everything_else() {
    // R5 (b) is K3's: who shares the listener cannot be seen. Who still answers can.
    let still = answer("[fd00::1]:47500", Some("u"), 1);
    let address = still.fact.dialled;
    for rule in RULES {
        let answers = [successor(), still.clone()];
        let facts = DeathFacts {
            answers: &answers,
            pod: Some(&present(ended())),
            earlier: None,
        };
        doubts(
            prove_death(rule, &member(), facts),
            &Doubt::StillAnswers { address },
        );
    }
}

#[test]
fn the_members_own_answer_from_before_the_loss_is_no_hindrance() {
    let before = Timed {
        asked: Asked::WhileMember,
        ..answer("10.0.0.1:47500", Some("u"), 1)
    };
    let answers = [before, successor()];
    let facts = DeathFacts {
        answers: &answers,
        pod: None,
        earlier: None,
    };
    assert!(matches!(
        prove_death(ProofRule::Object, &member(), facts),
        Ok(ProofOfDeath::Replaced { .. })
    ));
}

// Proof (ii): the container's run has ended.

#[test]
fn an_ended_container_that_held_the_members_start_is_a_proof() {
    let expected = ProofOfDeath::Terminated {
        pod_uid: uid("u"),
        started_at: UnixSeconds(100),
        finished_at: UnixSeconds(200),
        because: RunEnded::NotRunning,
    };
    let mut waiting = reading(
        "u",
        ContainerState::Waiting {
            reason: "CrashLoopBackOff".into(),
        },
    );
    waiting.last_termination = Some(run(100, 200));
    for rule in [ProofRule::Object, ProofRule::Kubelet, ProofRule::AnyObject] {
        assert_eq!(by_pod(rule, &present(ended()), None), Ok(expected.clone()));
        assert_eq!(
            by_pod(rule, &present(waiting.clone()), None),
            Ok(expected.clone())
        );
    }
}

#[test]
fn a_restart_counted_since_the_member_was_seen_running_is_a_proof() {
    assert_eq!(
        by_pod(
            ProofRule::Object,
            &present(restarted()),
            Some(&running_before())
        ),
        Ok(ProofOfDeath::Terminated {
            pod_uid: uid("u"),
            started_at: UnixSeconds(100),
            finished_at: UnixSeconds(200),
            because: RunEnded::Restarted { from: 0, to: 1 },
        })
    );
}

#[test]
fn a_run_before_the_members_is_no_proof() {
    // R5 (e): the last run's end, not the member's.
    let mut reading = reading(
        "u",
        ContainerState::Running {
            started_at: UnixSeconds(100),
        },
    );
    reading.last_termination = Some(run(50, 99));
    doubts(
        by_pod(
            ProofRule::Object,
            &present(reading),
            Some(&running_before()),
        ),
        &Doubt::OtherRun {
            run_started_at: UnixSeconds(50),
            run_finished_at: UnixSeconds(99),
            member_started_at: UnixMillis(100_500),
        },
    );
}

#[test]
fn equal_seconds_prove_nothing() {
    // The API cuts its times: an end in the second 100 is 100.000, before the start at 100.500.
    for (started_at, finished_at) in [(99, 100), (100, 100), (101, 200)] {
        let pod = reading(
            "u",
            ContainerState::Terminated(run(started_at, finished_at)),
        );
        let verdict = by_pod(ProofRule::Object, &present(pod), None);
        assert!(
            verdict.is_err_and(|refused| matches!(refused.doubts()[1], Doubt::OtherRun { .. })),
            "{started_at}..{finished_at}"
        );
    }
}

#[test]
fn a_clock_that_stepped_back_does_not_prove_a_running_member_dead() {
    // A7: the old run finished at 200, the clock went back, the member started at 100.5 and runs.
    let mut reading = reading(
        "u",
        ContainerState::Running {
            started_at: UnixSeconds(100),
        },
    );
    reading.last_termination = Some(run(50, 200));
    reading.restart_count = 1;
    let seen_as = |restart_count, started_at, asked| Timed {
        fact: PodReading {
            restart_count,
            ..self::reading(
                "u",
                ContainerState::Running {
                    started_at: UnixSeconds(started_at),
                },
            )
        },
        asked,
    };
    let pod = present(reading);
    for earlier in [
        None,
        Some(seen_as(1, 100, Asked::WhileMember)),
        Some(seen_as(0, 50, Asked::BeforeAdmission)),
        Some(seen_as(0, 101, Asked::WhileMember)),
    ] {
        doubts(
            by_pod(ProofRule::Object, &pod, earlier.as_ref()),
            &Doubt::MayStillRun,
        );
    }
}

#[test]
fn a_container_that_is_not_reported_may_still_run() {
    let mut silent = reading("u", ContainerState::Unreported);
    silent.last_termination = Some(run(100, 200));
    doubts(
        by_pod(ProofRule::Object, &present(silent), None),
        &Doubt::MayStillRun,
    );
}

#[test]
fn an_earlier_look_at_another_pod_or_at_no_running_container_counts_for_nothing() {
    let mut other = running_before();
    other.fact.pod.uid = uid("v");
    let mut not_running = running_before();
    not_running.fact.container = ContainerState::Terminated(run(50, 90));
    for earlier in [other, not_running] {
        let verdict = by_pod(ProofRule::Object, &present(restarted()), Some(&earlier));
        doubts(verdict, &Doubt::MayStillRun);
    }
}

#[test]
fn an_ended_container_of_another_pod_is_no_proof() {
    let pod = reading("v", ContainerState::Terminated(run(100, 200)));
    doubts(
        by_pod(ProofRule::Object, &present(pod), None),
        &Doubt::ReadOtherPod { pod_uid: uid("v") },
    );
}

#[test]
fn a_restart_of_another_container_shows_nothing() {
    // R5 (f): the finder reads our container alone, so a sidecar's restart leaves no ended run here.
    let mut ours = seen_running();
    ours.restart_count = 0;
    doubts(
        by_pod(ProofRule::Object, &present(ours), Some(&running_before())),
        &Doubt::NoEndedRun,
    );
}

#[test]
fn a_pod_on_its_way_out_is_no_proof() {
    // R5 (d): its kubelet may be silent and its process alive.
    let mut terminating = seen_running();
    terminating.deletion_requested = true;
    terminating.ready = Some(false);
    for rule in RULES {
        let verdict = by_pod(rule, &present(terminating.clone()), None);
        assert!(matches!(verdict, Err(NotProven { .. })), "{rule}");
    }
}

#[test]
fn a_read_from_before_the_loss_is_no_proof() {
    for asked in [Asked::BeforeAdmission, Asked::WhileMember] {
        for pod in [present(ended()), gone_after(Some(seen_running()))] {
            let early = Timed { asked, ..pod };
            doubts(
                by_pod(ProofRule::AnyObject, &early, None),
                &Doubt::AskedTooEarly { what: "its pod" },
            );
        }
    }
}

// Proof (iii): the object is gone.

#[test]
fn an_object_gone_that_was_seen_unmarked_is_a_proof() {
    let gone = ProofOfDeath::Gone {
        pod_uid: uid("u"),
        replaced_by: None,
        because: GoneCounts::Unmarked,
    };
    assert_eq!(
        by_pod(ProofRule::Object, &gone_after(Some(seen_running())), None),
        Ok(gone)
    );
    let replaced = read(PodFact::Gone {
        replaced_by: Some(uid("v")),
        last_seen: Some(Box::new(seen_running())),
    });
    assert!(matches!(
        by_pod(ProofRule::Object, &replaced, None),
        Ok(ProofOfDeath::Gone {
            replaced_by: Some(_),
            ..
        })
    ));
}

#[test]
fn an_object_removed_from_a_lost_machine_is_no_proof() {
    // R5 (c), F7 (a) to (c): the marks of pod garbage collection, of a taint, of a silent kubelet.
    for reason in ["DeletionByPodGC", "DeletionByTaintManager"] {
        let mut marked = seen_running();
        marked.disruption = Some(reason.into());
        doubts(
            by_pod(ProofRule::Object, &gone_after(Some(marked)), None),
            &Doubt::Disrupted {
                reason: reason.into(),
            },
        );
    }
    let mut lost = seen_running();
    lost.ready = Some(false);
    lost.all_containers_ready = true;
    doubts(
        by_pod(ProofRule::Object, &gone_after(Some(lost)), None),
        &Doubt::MachineLost,
    );
}

#[test]
fn an_eviction_that_waits_for_the_kubelet_hinders_no_proof() {
    let mut evicted = seen_running();
    evicted.disruption = Some("EvictionByEvictionAPI".into());
    evicted.ready = Some(false);
    assert!(matches!(
        by_pod(ProofRule::Object, &gone_after(Some(evicted)), None),
        Ok(ProofOfDeath::Gone { .. })
    ));
}

#[test]
fn an_object_never_seen_is_no_proof_but_under_any_object() {
    for rule in [ProofRule::Object, ProofRule::Kubelet] {
        doubts(by_pod(rule, &gone_after(None), None), &Doubt::NeverSeen);
    }
    assert!(matches!(
        by_pod(ProofRule::AnyObject, &gone_after(None), None),
        Ok(ProofOfDeath::Gone {
            because: GoneCounts::AnyObject,
            ..
        })
    ));
}

#[test]
fn under_the_rule_kubelet_all_containers_must_have_ended() {
    let mut all_ended = ended();
    all_ended.container = ContainerState::Unreported;
    doubts(
        by_pod(
            ProofRule::Kubelet,
            &gone_after(Some(all_ended.clone())),
            None,
        ),
        &Doubt::ContainersNotEnded,
    );
    all_ended.all_containers_terminated = true;
    assert!(matches!(
        by_pod(ProofRule::Kubelet, &gone_after(Some(all_ended)), None),
        Ok(ProofOfDeath::Gone {
            because: GoneCounts::AllTerminated,
            ..
        })
    ));
}

#[test]
fn what_was_last_seen_must_be_the_members_pod() {
    let mut other = seen_running();
    other.pod.uid = uid("v");
    other.all_containers_terminated = true;
    for rule in [ProofRule::Object, ProofRule::Kubelet] {
        doubts(
            by_pod(rule, &gone_after(Some(other.clone())), None),
            &Doubt::ReadOtherPod { pod_uid: uid("v") },
        );
    }
}

#[test]
fn an_object_gone_and_replaced_by_itself_is_not_gone() {
    let pod = read(PodFact::Gone {
        replaced_by: Some(uid("u")),
        last_seen: Some(Box::new(seen_running())),
    });
    doubts(by_pod(ProofRule::AnyObject, &pod, None), &Doubt::PodExists);
}

#[test]
fn a_pod_that_cannot_be_read_is_no_proof() {
    let cause = FinderCause::Forbidden;
    let pod = read(PodFact::Unknown(FinderError::new(
        cause,
        "get pods: forbidden",
    )));
    for rule in [ProofRule::Object, ProofRule::Kubelet, ProofRule::AnyObject] {
        doubts(by_pod(rule, &pod, None), &Doubt::PodUnknown { cause });
    }
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
