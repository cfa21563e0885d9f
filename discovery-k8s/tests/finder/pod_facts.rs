//! Pod facts: what the API says of one pod when asked, by name and uid together.

use std::time::Duration;

use discovery_core::{
    ContainerState, Finder, FinderCause, NodeName, PodFact, PodReading, PodRef, PodUid,
};
use discovery_k8s::testing::{
    ContainerScript, Fault, NAMESPACE, On, PodScript, Resource, SERVICE, ScriptedApi, pod, service,
};
use discovery_k8s::{ApiAccess, ApiEndpoint, KubeFinder};
use serde_json::json;

use crate::scene::{Scene, quick};

const PODS: Resource = Resource::Pods;

fn web(uid: &str) -> PodRef {
    PodRef {
        uid: PodUid::new(uid).expect("a uid"),
        name: NodeName::new("web-1").expect("a name"),
    }
}

fn running(uid: &str) -> PodScript {
    pod("web-1", uid)
        .container(ContainerScript::running("node", "2026-11-22T10:00:00Z"))
        .condition("Ready", true)
}

async fn unwatched() -> (ScriptedApi, KubeFinder) {
    let api = ScriptedApi::start().await.expect("a scripted server");
    let access = ApiAccess::Endpoint(ApiEndpoint::new(api.url()));
    let mut config = quick();
    config.request_deadline = Duration::from_secs(1);
    let finder = KubeFinder::new(config, access).expect("a configuration without faults");
    (api, finder)
}

/// The reading of a pod that is there; none otherwise.
fn present(fact: PodFact) -> Option<PodReading> {
    match fact {
        PodFact::Present(reading) => Some(reading),
        PodFact::Gone { .. } | PodFact::Unknown(_) => None,
    }
}

#[tokio::test]
async fn a_pod_that_is_there_is_read_field_by_field() {
    let (api, finder) = unwatched().await;
    let container = ContainerScript::running("node", "2026-11-22T10:00:00Z")
        .restarts(2)
        .last_run("2026-11-22T09:00:00Z", "2026-11-22T09:59:00Z", 137);
    api.put(
        pod("web-1", "uid-1")
            .container(container)
            .condition("Ready", true)
            .condition_because("DisruptionTarget", true, "TaintManagerEviction")
            .deleting_since("2026-11-22T10:05:00Z"),
    );

    let reading = present(finder.pod_fact(&web("uid-1")).await).unwrap();

    assert_eq!(reading.pod, web("uid-1"));
    assert!(matches!(reading.container, ContainerState::Running { .. }));
    assert_eq!(reading.restart_count, 2);
    let last = reading.last_termination.unwrap();
    assert_eq!(last.exit_code, 137);
    assert_eq!(last.finished_at.0 - last.started_at.0, 59 * 60);
    assert_eq!(reading.ready, Some(true));
    assert!(reading.all_containers_ready && !reading.all_containers_terminated);
    assert_eq!(reading.disruption.as_deref(), Some("TaintManagerEviction"));
    assert!(reading.deletion_requested);
}

#[tokio::test]
async fn states_that_are_not_running_are_told_apart() {
    let (api, finder) = unwatched().await;
    let start = "2026-11-22T09:00:00Z";
    for (container, expected) in [
        (
            ContainerScript::waiting("node", "CrashLoopBackOff"),
            "Waiting",
        ),
        (
            ContainerScript::terminated("node", start, "2026-11-22T09:59:00Z", 1),
            "Terminated",
        ),
        (ContainerScript::unreported("node"), "Unreported"),
    ] {
        api.put(pod("web-1", "uid-1").container(container));
        let reading = present(finder.pod_fact(&web("uid-1")).await).unwrap();
        let said = format!("{:?}", reading.container);
        assert!(said.starts_with(expected), "{said}");
        assert_eq!(reading.all_containers_terminated, expected == "Terminated");
    }
}

#[tokio::test]
async fn a_pod_that_was_deleted_is_gone_with_what_was_read_of_it_last() {
    let (api, finder) = unwatched().await;
    api.put(running("uid-1"));
    let reading = present(finder.pod_fact(&web("uid-1")).await).unwrap();

    api.delete_pod("web-1");
    let fact = finder.pod_fact(&web("uid-1")).await;

    let expected = PodFact::Gone {
        replaced_by: None,
        last_seen: Some(Box::new(reading)),
    };
    assert_eq!(fact, expected);
}

#[tokio::test]
async fn a_name_that_another_uid_has_is_gone_and_replaced() {
    let (api, finder) = unwatched().await;
    api.put(running("uid-2"));
    let fact = finder.pod_fact(&web("uid-1")).await;
    let expected = PodFact::Gone {
        replaced_by: Some(PodUid::new("uid-2").unwrap()),
        last_seen: None,
    };
    assert_eq!(
        fact, expected,
        "never the successor's reading as the predecessor's"
    );
}

#[tokio::test]
async fn a_pod_that_nobody_ever_read_is_gone_without_a_last_reading() {
    let (_api, finder) = unwatched().await;
    let fact = finder.pod_fact(&web("uid-1")).await;
    let expected = PodFact::Gone {
        replaced_by: None,
        last_seen: None,
    };
    assert_eq!(fact, expected);
}

#[tokio::test]
async fn what_the_api_does_not_say_is_unknown_and_never_gone() {
    for (fault, cause) in [
        (Fault::unauthorised(), FinderCause::Unauthorised),
        (Fault::forbidden(), FinderCause::Forbidden),
        (Fault::throttled(1), FinderCause::Throttled),
        (Fault::internal(), FinderCause::Failed),
        (Fault::HangUp, FinderCause::Unreachable),
        (Fault::CutMidLine, FinderCause::Unreachable),
        (Fault::HalfOpen, FinderCause::Timeout),
        (Fault::MalformedJson, FinderCause::Malformed),
        (
            Fault::HugeObject { bytes: 100_000_000 },
            FinderCause::TooLarge,
        ),
    ] {
        let (api, finder) = unwatched().await;
        api.put(running("uid-1"));
        present(finder.pod_fact(&web("uid-1")).await).unwrap();
        let said = format!("{fault:?}");
        let _outage = api.fault(On::get(PODS), fault);
        let PodFact::Unknown(error) = finder.pod_fact(&web("uid-1")).await else {
            unreachable!("{said} was taken for a fact");
        };
        assert_eq!(error.cause(), cause, "{said}: {error}");
    }
}

#[tokio::test]
async fn a_missing_permission_on_pods_names_the_rule() {
    let (api, finder) = unwatched().await;
    api.deny("get", PODS);
    let PodFact::Unknown(error) = finder.pod_fact(&web("uid-1")).await else {
        unreachable!("a refusal was taken for a fact");
    };
    assert_eq!(error.cause(), FinderCause::Forbidden);
    let remedy = error.remedy().unwrap();
    assert!(
        remedy.contains("resources: [\"pods\"], verbs: [\"get\"]"),
        "{remedy}"
    );
}

/// A 404 that does not come from a pod's absence must not make a pod gone.
#[tokio::test]
async fn a_path_that_does_not_exist_does_not_make_a_pod_gone() {
    let (api, finder) = unwatched().await;
    api.put(running("uid-1"));
    let _outage = api.fault(On::get(PODS), Fault::not_found());
    let fact = finder.pod_fact(&web("uid-1")).await;
    assert!(matches!(fact, PodFact::Unknown(_)), "{fact:?}");
}

#[tokio::test]
async fn a_pod_of_several_containers_needs_the_name_of_ours() {
    let (api, finder) = unwatched().await;
    let second = ContainerScript::running("sidecar", "2026-11-22T10:00:00Z");
    api.put(running("uid-1").container(second));
    let PodFact::Unknown(error) = finder.pod_fact(&web("uid-1")).await else {
        unreachable!("one of two containers was guessed");
    };
    assert!(error.detail().contains("node, sidecar"), "{error}");
}

#[tokio::test]
async fn an_audit_remembers_the_pods_of_the_service() {
    let api = ScriptedApi::start().await.unwrap();
    api.put(service(SERVICE));
    let labelled = Resource::Pods;
    let mut json = running("uid-1").json();
    json["metadata"]["labels"] = json!({"app": SERVICE});
    api.put_json(labelled, NAMESPACE, "web-1", json);
    let scene = Scene::on(api, quick());
    scene
        .api
        .requested(2, discovery_k8s::testing::Verb::List, PODS)
        .await
        .unwrap();

    scene.api.delete_pod("web-1");
    let fact = scene.finder.pod_fact(&web("uid-1")).await;

    let PodFact::Gone { last_seen, .. } = fact else {
        unreachable!("the pod was deleted: {fact:?}");
    };
    assert_eq!(last_seen.unwrap().ready, Some(true));
}

#[tokio::test]
async fn the_access_report_prints_what_is_missing() {
    let (api, finder) = unwatched().await;
    api.deny("watch", Resource::EndpointSlices);
    api.deny("list", PODS);
    let report = finder.access_report().await.unwrap();
    assert!(!report.suffices_to_find());
    assert_eq!(report.missing().len(), 2);
    let said = report.to_string();
    assert!(
        said.contains("resources: [\"pods\"], verbs: [\"list\"]"),
        "{said}"
    );
    api.allow("watch", Resource::EndpointSlices);
    assert!(finder.access_report().await.unwrap().suffices_to_find());
}
