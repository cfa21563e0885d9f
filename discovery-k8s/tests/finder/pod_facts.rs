//! Pod facts: what the API says of one pod when asked, by name and uid together.

use std::time::Duration;

use discovery_core::{
    ContainerState, Finder, FinderCause, LastSeen, NodeName, PodFact, PodReading, PodRef, PodUid,
    SEEDS_MAX,
};
use discovery_k8s::testing::{
    ContainerScript, Fault, NAMESPACE, On, PodScript, Resource, SERVICE, ScriptedApi, Verb, pod,
    service,
};
use discovery_k8s::{ApiAccess, ApiEndpoint, KubeFinder};
use serde_json::json;

use crate::scene::{Scene, quick};

const PODS: Resource = Resource::Pods;

/// Longer than any scenario takes.
const PATIENCE: Duration = Duration::from_mins(2);

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

/// What was last seen of a pod that is gone.
fn last_seen(fact: PodFact) -> LastSeen {
    let PodFact::Gone { last_seen, .. } = fact else {
        unreachable!("the pod was deleted: {fact:?}");
    };
    *last_seen.expect("a last reading")
}

/// Waits until the pods were listed twice, so that the answer to the first was remembered.
async fn remembered(scene: &Scene) {
    let listed = scene.api.requested(2, Verb::List, PODS);
    listed.await.expect("a second listing of pods");
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

    let seen = last_seen(fact);
    assert_eq!(seen.reading, reading);
    assert!(seen.ago < PATIENCE, "{:?}", seen.ago);
}

#[tokio::test]
async fn a_name_that_another_uid_has_is_gone_and_replaced() {
    let (api, finder) = unwatched().await;
    api.put(running("uid-2"));
    let fact = finder.pod_fact(&web("uid-1")).await;
    let expected = PodFact::Gone {
        asked: web("uid-1"),
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
        asked: web("uid-1"),
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
    assert_eq!(
        error.cause(),
        FinderCause::Configuration,
        "an operator must mend it"
    );
}

#[tokio::test]
async fn a_pod_replaced_by_one_of_other_containers_is_gone_all_the_same() {
    let (api, finder) = unwatched().await;
    let second = ContainerScript::running("sidecar", "2026-11-22T10:00:00Z");
    api.put(running("uid-2").container(second));
    let fact = finder.pod_fact(&web("uid-1")).await;
    let expected = PodFact::Gone {
        asked: web("uid-1"),
        replaced_by: Some(PodUid::new("uid-2").unwrap()),
        last_seen: None,
    };
    assert_eq!(fact, expected);
}

/// The API denies a wrong name as it denies a pod that is gone; the pod lives.
#[tokio::test]
async fn a_living_pod_asked_for_under_another_name_is_unknown_and_never_gone() {
    let (api, finder) = unwatched().await;
    api.put(running("uid-1"));
    present(finder.pod_fact(&web("uid-1")).await).unwrap();
    let misnamed = PodRef {
        name: NodeName::new("member-1").unwrap(),
        ..web("uid-1")
    };

    // The name is free, and then another pod's.
    for _ in 0..2 {
        let PodFact::Unknown(error) = finder.pod_fact(&misnamed).await else {
            unreachable!("a wrong name was taken for a fact about the pod");
        };
        assert_eq!(error.cause(), FinderCause::Configuration);
        assert!(
            error
                .detail()
                .contains("pod uid uid-1 was last seen under name web-1"),
            "{error}"
        );
        api.put(pod("member-1", "uid-9").container(ContainerScript::unreported("node")));
    }
}

/// The pod of the Service's selector, as it runs.
fn put_labelled(api: &ScriptedApi, pod: PodScript) {
    let mut json = pod.json();
    json["metadata"]["labels"] = json!({"app": SERVICE});
    api.put_json(PODS, NAMESPACE, "web-1", json);
}

#[tokio::test]
async fn an_audit_remembers_the_pods_of_the_service() {
    let api = ScriptedApi::start().await.unwrap();
    api.put(service(SERVICE));
    put_labelled(&api, running("uid-1"));
    let scene = Scene::on(api, quick());
    remembered(&scene).await;

    scene.api.delete_pod("web-1");
    let fact = scene.finder.pod_fact(&web("uid-1")).await;

    assert_eq!(last_seen(fact).reading.ready, Some(true));
    let lists = scene.api.requests_of(Verb::List, PODS);
    assert_eq!(
        lists[0].query("labelSelector"),
        Some(format!("app={SERVICE}").as_str())
    );
}

#[tokio::test]
async fn where_the_service_names_no_pods_those_of_the_namespace_are_remembered() {
    let forbidden = ScriptedApi::start().await.unwrap();
    forbidden.put(service(SERVICE));
    forbidden.deny("get", Resource::Services);
    let without_selector = ScriptedApi::start().await.unwrap();
    let mut json = service(SERVICE).json();
    json["spec"]["selector"] = json!({});
    without_selector.put_json(Resource::Services, NAMESPACE, SERVICE, json);
    let nowhere = ScriptedApi::start().await.unwrap();

    for api in [forbidden, without_selector, nowhere] {
        api.put(running("uid-1"));
        let second = ContainerScript::running("sidecar", "2026-11-22T10:00:00Z");
        api.put(
            pod("stranger", "uid-9")
                .container(second.clone())
                .container(second),
        );
        let scene = Scene::on(api, quick());
        remembered(&scene).await;

        scene.api.delete_pod("web-1");
        let fact = scene.finder.pod_fact(&web("uid-1")).await;

        assert_eq!(last_seen(fact).reading.ready, Some(true));
        let errors = scene.finder.stats().errors;
        assert_eq!(errors.get(&FinderCause::Forbidden), None);
        assert_eq!(errors.get(&FinderCause::Configuration), None, "a stranger");
    }
}

#[tokio::test]
async fn a_namespace_of_too_many_pods_is_remembered_up_to_the_limit_without_an_error() {
    let api = ScriptedApi::start().await.unwrap();
    let (pages, page) = (SEEDS_MAX.div_ceil(500), 500);
    api.put(running("uid-1"));
    for number in 0..=pages * page {
        let stranger = pod(&format!("x-{number}"), &format!("x-{number}"));
        api.put(stranger.container(ContainerScript::unreported("x")));
    }
    let mut config = quick();
    config.request_deadline = PATIENCE;
    let scene = Scene::on(api, config);
    remembered(&scene).await;

    let requests = scene.api.requests();
    let of_pods = requests.iter().filter(|request| request.resource == PODS);
    let verbs: Vec<Verb> = of_pods.map(|request| request.verb).collect();
    let more = verbs[1..].iter().take_while(|verb| **verb != Verb::List);
    assert_eq!(more.count(), pages - 1, "the last page is not asked for");
    assert_eq!(
        scene.finder.stats().errors.get(&FinderCause::TooLarge),
        None
    );
    scene.api.delete_pod("web-1");
    let fact = scene.finder.pod_fact(&web("uid-1")).await;
    assert_eq!(
        last_seen(fact).reading.ready,
        Some(true),
        "the first by name"
    );
}

#[tokio::test]
async fn pods_that_cannot_be_read_are_counted_once_a_listing() {
    let api = ScriptedApi::start().await.unwrap();
    api.put(service(SERVICE));
    for name in ["web-1", "web-2", "web-3"] {
        let mut json = pod(name, name).json();
        json["metadata"]["labels"] = json!({"app": SERVICE});
        api.put_json(PODS, NAMESPACE, name, json);
    }
    let scene = Scene::on(api, quick());
    remembered(&scene).await;

    let errors = scene.finder.stats().errors;
    let lists = scene.api.requests_of(Verb::List, PODS).len() as u64;
    let counted = errors.get(&FinderCause::Configuration).copied();
    let counted = counted.unwrap_or_default();
    assert!(
        (1..=lists).contains(&counted),
        "{counted} in {lists} listings"
    );
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
