//! Proof (ii), the ended run of a container, and its look-alikes: R5 (d) to (f), A7.

use super::*;

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
fn a_member_that_started_on_a_full_second_is_in_the_run_that_started_in_it() {
    let name = NodeName::new("ring-0").unwrap();
    let address = "10.0.0.1:47500".parse().unwrap();
    let member = NodeInfo::new(id(1), name, [address], UnixMillis(100_000));
    let member = member.unwrap().with_pod_uid(uid("u"));
    for (started_at, finished_at, proven) in [(100, 101, true), (99, 100, false)] {
        let run = run(started_at, finished_at);
        let pod = present(reading("u", ContainerState::Terminated(run)));
        let facts = DeathFacts {
            answers: &[],
            pod: Some(&pod),
            earlier: None,
        };
        let verdict = prove_death(ProofRule::Object, &member, facts);
        assert_eq!(verdict.is_ok(), proven, "{verdict:?}");
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
    // R5 (f): the finder reads our container alone; a sidecar's restart leaves no ended run here.
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
