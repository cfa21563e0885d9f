//! Proof (iii), the object that is gone, and its look-alikes: R5 (c), F7 (a) to (c).

use super::*;

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
    let replaced = replaced_by("v", gone_after(Some(seen_running())));
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
fn an_object_never_seen_is_no_proof_even_under_any_object() {
    // A pod of another namespace, or of another name, is denied in the same words.
    for rule in [ProofRule::Object, ProofRule::Kubelet, ProofRule::AnyObject] {
        doubts(by_pod(rule, &gone_after(None), None), &Doubt::NeverSeen);
        let taken = replaced_by("v", gone_after(None));
        doubts(by_pod(rule, &taken, None), &Doubt::NeverSeen);
    }
}

#[test]
fn under_any_object_no_mark_and_no_age_hinders() {
    let mut marked = seen_running();
    marked.disruption = Some("DeletionByPodGC".into());
    let long_ago = gone_as("ring-0", Some(marked), Duration::from_hours(1));
    assert!(matches!(
        by_pod(ProofRule::AnyObject, &long_ago, None),
        Ok(ProofOfDeath::Gone {
            because: GoneCounts::AnyObject,
            ..
        })
    ));
}

#[test]
fn a_pod_asked_for_under_another_name_than_it_was_seen_under_is_no_proof() {
    // The member's own name need not be its pod's: the API denies it, and the pod lives.
    let mut seen = seen_running();
    seen.all_containers_terminated = true;
    let pod = gone_as("member-0", Some(seen), Duration::ZERO);
    for rule in [ProofRule::Object, ProofRule::Kubelet, ProofRule::AnyObject] {
        doubts(
            by_pod(rule, &pod, None),
            &Doubt::AskedByOtherName {
                asked: NodeName::new("member-0").unwrap(),
                seen: NodeName::new("ring-0").unwrap(),
            },
        );
    }
}

#[test]
fn a_question_for_another_pod_is_no_proof() {
    let mut pod = gone_after(Some(seen_running()));
    if let PodFact::Gone { asked, .. } = &mut pod.fact {
        asked.uid = uid("v");
    }
    doubts(
        by_pod(ProofRule::AnyObject, &pod, None),
        &Doubt::ReadOtherPod { pod_uid: uid("v") },
    );
}

#[test]
fn an_object_seen_too_long_before_it_was_gone_is_no_proof() {
    let mut seen = seen_running();
    seen.all_containers_terminated = true;
    for rule in [ProofRule::Object, ProofRule::Kubelet] {
        let just = gone_as("ring-0", Some(seen.clone()), LAST_SEEN_AGE_MAX);
        assert!(by_pod(rule, &just, None).is_ok(), "{rule}");
        let ago = LAST_SEEN_AGE_MAX + Duration::from_millis(1);
        let too_long = gone_as("ring-0", Some(seen.clone()), ago);
        doubts(
            by_pod(rule, &too_long, None),
            &Doubt::SeenTooLongAgo { ago },
        );
    }
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
    let pod = replaced_by("u", gone_after(Some(seen_running())));
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
