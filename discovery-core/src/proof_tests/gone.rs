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
