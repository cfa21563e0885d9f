//! Pod objects as the API writes them, and what is read of each.

use std::time::Duration;

use super::*;

fn pod(status: &str) -> Pod {
    let text = format!(
        r#"{{"metadata": {{"name": "web-0", "uid": "u0"}},
             "spec": {{"containers": [{{"name": "node"}}]}},
             "status": {status}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn statuses(state: &str, more: &str) -> Pod {
    pod(&format!(
        r#"{{"containerStatuses": [{{"name": "node", "image": "i", "imageID": "", "ready": false,
             "restartCount": 2, "state": {state} {more}}}]}}"#
    ))
}

const ENDED: &str = r#"{"terminated": {"exitCode": 137, "startedAt": "1970-01-01T00:01:40Z",
                       "finishedAt": "1970-01-01T00:01:45Z"}}"#;

const ENDED_AS_READ: Termination = Termination {
    started_at: UnixSeconds(100),
    finished_at: UnixSeconds(105),
    exit_code: 137,
};

#[test]
fn each_state_of_our_container_is_told_apart() {
    let running = r#"{"running": {"startedAt": "1970-01-01T00:01:40Z"}}"#;
    let waiting = r#"{"waiting": {"reason": "CrashLoopBackOff"}}"#;
    let expected = [
        (
            running,
            ContainerState::Running {
                started_at: UnixSeconds(100),
            },
        ),
        (
            waiting,
            ContainerState::Waiting {
                reason: "CrashLoopBackOff".into(),
            },
        ),
        (ENDED, ContainerState::Terminated(ENDED_AS_READ)),
        ("{}", ContainerState::Unreported),
        (r#"{"running": {}}"#, ContainerState::Unreported),
        (
            r#"{"terminated": {"exitCode": 0}}"#,
            ContainerState::Unreported,
        ),
    ];
    for (state, expected) in expected {
        let reading = read_pod(&statuses(state, ""), None).unwrap();
        assert_eq!(reading.container, expected, "{state}");
        assert_eq!(reading.restart_count, 2);
    }
    assert_eq!(
        read_pod(&pod("{}"), None).unwrap().container,
        ContainerState::Unreported
    );
}

#[test]
fn the_run_before_is_read_beside_the_one_now() {
    let running = r#"{"running": {"startedAt": "1970-01-01T00:02:00Z"}}"#;
    let reading = read_pod(
        &statuses(running, &format!(", \"lastState\": {ENDED}")),
        None,
    )
    .unwrap();
    assert_eq!(
        reading.container,
        ContainerState::Running {
            started_at: UnixSeconds(120)
        }
    );
    assert_eq!(reading.last_termination, Some(ENDED_AS_READ));
}

fn two_containers() -> Pod {
    let mut object = statuses(ENDED, "");
    let spec = object.spec.as_mut().unwrap();
    let mut sidecar = spec.containers[0].clone();
    "mesh".clone_into(&mut sidecar.name);
    spec.containers.push(sidecar);
    let statuses = object
        .status
        .as_mut()
        .unwrap()
        .container_statuses
        .as_mut()
        .unwrap();
    let mut running = statuses[0].clone();
    "mesh".clone_into(&mut running.name);
    running.state.as_mut().unwrap().terminated = None;
    statuses.push(running);
    object
}

#[test]
fn a_sidecar_is_never_taken_for_our_container() {
    let error = read_pod(&two_containers(), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "pod web-0 has the containers node, mesh; set `container` to the one that runs the node"
    );
    assert_eq!(
        read_pod(&two_containers(), Some("gone")).unwrap_err(),
        error
    );
    let ours = read_pod(&two_containers(), Some("node")).unwrap();
    assert_eq!(ours.container, ContainerState::Terminated(ENDED_AS_READ));
    assert!(!ours.all_containers_terminated, "the sidecar still runs");
    let mesh = read_pod(&two_containers(), Some("mesh")).unwrap();
    assert_eq!(mesh.container, ContainerState::Unreported);
}

#[test]
fn all_terminated_needs_at_least_one_container() {
    assert!(
        read_pod(&statuses(ENDED, ""), None)
            .unwrap()
            .all_containers_terminated
    );
    let none = read_pod(&pod("{}"), None).unwrap();
    assert!(!none.all_containers_terminated && !none.all_containers_ready);
}

#[test]
fn the_marks_of_a_lost_node_are_read() {
    let object = pod(r#"{"conditions": [
              {"type": "Ready", "status": "False"},
              {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}],
            "containerStatuses": [{"name": "node", "image": "i", "imageID": "", "ready": true,
              "restartCount": 0, "state": {"running": {"startedAt": "1970-01-01T00:01:40Z"}}}]}"#);
    let reading = read_pod(&object, None).unwrap();
    assert_eq!(reading.ready, Some(false));
    assert!(reading.all_containers_ready);
    assert_eq!(
        reading.disruption.as_deref(),
        Some("DeletionByTaintManager")
    );
}

#[test]
fn a_disruption_that_is_not_true_is_none() {
    let object =
        pod(r#"{"conditions": [{"type": "DisruptionTarget", "status": "False", "reason": "X"}]}"#);
    assert_eq!(read_pod(&object, None).unwrap().disruption, None);
}

#[test]
fn a_pod_without_uid_is_refused() {
    let mut object = pod("{}");
    object.metadata.uid = None;
    assert!(matches!(
        read_pod(&object, None),
        Err(PodError::Malformed {
            field: "metadata.uid",
            ..
        })
    ));
}

fn reading(at: usize) -> PodReading {
    let pod = PodRef {
        uid: PodUid::new(format!("u{at}")).unwrap(),
        name: NodeName::new("web-0").unwrap(),
    };
    PodReading::new(pod, ContainerState::Unreported)
}

#[test]
fn the_memory_forgets_the_pod_read_longest_ago_and_never_grows() {
    let (mut memory, now) = (PodMemory::default(), Instant::now());
    for round in 0..3 {
        for at in 0..=PODS_REMEMBERED_MAX {
            let mut reading = reading(at);
            reading.restart_count = round;
            memory.remember(reading, None, now);
        }
    }
    assert_eq!(memory.readings.len(), PODS_REMEMBERED_MAX);
    assert!(memory.order.len() <= 2 * PODS_REMEMBERED_MAX);
    assert!(memory.last_seen(&reading(0).pod.uid).is_none());
    let newest = memory.last_seen(&reading(PODS_REMEMBERED_MAX).pod.uid);
    assert_eq!(newest.map(|kept| kept.reading.restart_count), Some(2));
}

/// Remembers reads of one pod, told apart by their restart counts; which one is kept, and its age.
fn kept_of(reads: &[(u32, Option<u64>, Instant)], now: Instant) -> (u32, Duration) {
    let mut memory = PodMemory::default();
    for (restarts, version, asked_at) in reads {
        let mut reading = reading(0);
        reading.restart_count = *restarts;
        memory.remember(reading, version.and_then(ResourceVersion::new), *asked_at);
    }
    let seen = memory.last_seen(&reading(0).pod.uid).unwrap().as_of(now);
    (seen.reading.restart_count, seen.ago)
}

#[test]
fn an_older_read_that_arrives_later_does_not_replace_a_newer_one() {
    let start = Instant::now();
    let later = start + Duration::from_secs(1);
    let now = start + Duration::from_secs(3);
    let (two, three) = (Duration::from_secs(2), Duration::from_secs(3));
    for (reads, expected) in [
        // By the version where both have one, as a number, whatever the order of the questions.
        ([(1, Some(10), start), (2, Some(9), later)], (1, three)),
        ([(1, Some(9), later), (2, Some(10), start)], (2, two)),
        // The same version read again: the object has not changed until then.
        ([(1, Some(9), start), (1, Some(9), later)], (1, two)),
        // By the time of the question where a version is missing.
        ([(1, Some(9), later), (2, None, start)], (1, two)),
        ([(1, None, start), (2, Some(9), later)], (2, two)),
    ] {
        assert_eq!(kept_of(&reads, now), expected, "{reads:?}");
    }
}

/// Our container beside a native sidecar, in these states, and an init container that ended.
fn beside_a_native_sidecar(ours: &str, sidecar: &str) -> Pod {
    let status = |name: &str, state: &str, ready: bool| {
        format!(
            r#"{{"name": "{name}", "image": "i", "imageID": "", "ready": {ready},
                 "restartCount": 0, "state": {state}}}"#
        )
    };
    let text = format!(
        r#"{{"metadata": {{"name": "web-0", "uid": "u0"}},
             "spec": {{"containers": [{{"name": "node"}}],
                       "initContainers": [{{"name": "setup"}},
                                          {{"name": "mesh", "restartPolicy": "Always"}}]}},
             "status": {{"containerStatuses": [{}], "initContainerStatuses": [{}, {}]}}}}"#,
        status("node", ours, ours == RUNNING),
        status("setup", ENDED, false),
        status("mesh", sidecar, sidecar == RUNNING),
    );
    serde_json::from_str(&text).unwrap()
}

const RUNNING: &str = r#"{"running": {"startedAt": "1970-01-01T00:01:40Z"}}"#;

#[test]
fn a_native_sidecar_counts_among_all_containers_and_a_mere_init_container_does_not() {
    for (ours, sidecar, all_ended, all_ready) in [
        (ENDED, RUNNING, false, false),
        (ENDED, ENDED, true, false),
        (RUNNING, RUNNING, false, true),
        (RUNNING, ENDED, false, false),
    ] {
        let reading = read_pod(&beside_a_native_sidecar(ours, sidecar), None).unwrap();
        assert_eq!(
            reading.all_containers_terminated, all_ended,
            "{ours} {sidecar}"
        );
        assert_eq!(reading.all_containers_ready, all_ready, "{ours} {sidecar}");
    }
}

#[test]
fn our_container_counts_wherever_it_is() {
    let mut object = beside_a_native_sidecar(ENDED, ENDED);
    let status = object.status.as_mut().unwrap();
    let setup = &mut status.init_container_statuses.as_mut().unwrap()[0];
    setup.state.as_mut().unwrap().terminated = None;
    assert!(
        read_pod(&object, Some("node"))
            .unwrap()
            .all_containers_terminated
    );
    assert!(
        !read_pod(&object, Some("setup"))
            .unwrap()
            .all_containers_terminated
    );
}

#[test]
fn a_container_without_a_status_has_not_ended() {
    let mut object = two_containers();
    let status = object.status.as_mut().unwrap();
    status.container_statuses.as_mut().unwrap().truncate(1);
    let reading = read_pod(&object, Some("node")).unwrap();
    assert_eq!(reading.container, ContainerState::Terminated(ENDED_AS_READ));
    assert!(!reading.all_containers_terminated);
}
