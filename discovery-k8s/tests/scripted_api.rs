//! The scripted API server, seen through a plain Kubernetes client: it must behave like the real
//! one before anything that rests on it proves anything.

#![cfg(feature = "testing")]

use std::time::Duration;

use discovery_k8s::testing::{
    Endpoint, Fault, On, Resource, ScriptedApi, TestAuthority, Verb, pod, service, slice,
};
use futures_util::{Stream, StreamExt};
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Api, ListParams, PostParams, WatchEvent, WatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, Error, ResourceExt};
use serde_json::json;

const SLICES: Resource = Resource::EndpointSlices;

fn client(config: Config) -> Client {
    let mut config = config;
    config.default_retry = false;
    Client::try_from(config).expect("a client for the scripted server")
}

fn slices(api: &ScriptedApi) -> Api<EndpointSlice> {
    Api::default_namespaced(client(api.config()))
}

fn of_ring() -> ListParams {
    ListParams::default().labels("kubernetes.io/service-name=ring")
}

/// The status that the API answered; `None` if it did not answer.
fn code(error: &Error) -> Option<u16> {
    match error {
        Error::Api(status) => Some(status.code),
        _ => None,
    }
}

/// The next event, as one word with the object's name.
async fn next(
    events: &mut (impl Stream<Item = kube::Result<WatchEvent<EndpointSlice>>> + Unpin),
) -> String {
    let event = tokio::time::timeout(Duration::from_secs(20), events.next());
    match event.await.expect("an event within 20 s") {
        Some(Ok(WatchEvent::Added(slice))) => format!("added {}", slice.name_any()),
        Some(Ok(WatchEvent::Modified(slice))) => format!("modified {}", slice.name_any()),
        Some(Ok(WatchEvent::Deleted(slice))) => format!("deleted {}", slice.name_any()),
        Some(Ok(WatchEvent::Bookmark(mark))) => format!("at {}", mark.metadata.resource_version),
        Some(Ok(WatchEvent::Error(status))) => format!("error {}", status.code),
        Some(Err(error)) => format!("broken {error:?}"),
        None => "end".to_owned(),
    }
}

async fn watch(
    api: &ScriptedApi,
    seconds: u32,
    version: u64,
) -> impl Stream<Item = kube::Result<WatchEvent<EndpointSlice>>> + Unpin + use<> {
    let params = WatchParams::default()
        .labels("kubernetes.io/service-name=ring")
        .timeout(seconds);
    let events = slices(api).watch(&params, &version.to_string()).await;
    events.expect("a watch that starts").boxed()
}

#[tokio::test]
async fn a_list_holds_the_slices_of_the_service_alone() {
    let api = ScriptedApi::start().await.unwrap();
    api.put(slice("ring-a").v4().port("ring", 47500));
    api.put(slice("other-a").service("other"));
    api.put(slice("ring-b").namespace("elsewhere"));

    let list = slices(&api).list(&of_ring()).await.unwrap();

    let names: Vec<String> = list.items.iter().map(ResourceExt::name_any).collect();
    assert_eq!(names, ["ring-a"]);
    let version = list.metadata.resource_version.unwrap();
    assert_eq!(version, api.revision().to_string());
}

#[tokio::test]
async fn pages_are_one_listing_and_expire() {
    let api = ScriptedApi::start().await.unwrap();
    for name in ["ring-a", "ring-b", "ring-c"] {
        api.put(slice(name));
    }
    let slices = slices(&api);
    let first = slices.list(&of_ring().limit(2)).await.unwrap();
    api.delete_slice("ring-c");
    let token = first.metadata.continue_.unwrap();
    assert_eq!(first.metadata.remaining_item_count, Some(1));

    let next_page = of_ring().limit(2).continue_token(&token);
    let second = slices.list(&next_page).await.unwrap();
    assert_eq!(second.items[0].name_any(), "ring-c");
    assert_eq!(
        second.metadata.resource_version,
        first.metadata.resource_version
    );

    api.compact();
    let refused = slices.list(&next_page).await.unwrap_err();
    assert_eq!(code(&refused), Some(410));
    assert_eq!(api.requests_of(Verb::ListMore, SLICES).len(), 2);
}

#[tokio::test]
async fn a_watch_tells_every_change_after_its_version_and_ends_on_time() {
    let api = ScriptedApi::start().await.unwrap();
    api.put(slice("ring-a"));
    let mut events = watch(&api, 1, api.revision()).await;

    api.put(slice("ring-b"));
    api.put(slice("ring-a").v6());
    api.put(slice("other").service("other"));
    api.delete_slice("ring-b");
    api.delete_untold(SLICES, "default", "ring-a");
    for expected in ["added ring-b", "modified ring-a", "deleted ring-b"] {
        assert_eq!(next(&mut events).await, expected);
    }
    api.send_bookmarks();
    let now = format!("at {}", api.revision());
    assert_eq!(next(&mut events).await, now);
    assert_eq!(next(&mut events).await, now, "the bookmark before the end");
    assert_eq!(next(&mut events).await, "end");
    api.watched(SLICES, 0).await.unwrap();
}

#[tokio::test]
async fn a_watch_from_any_version_begins_with_what_there_is() {
    let api = ScriptedApi::start().await.unwrap();
    api.put(slice("ring-a"));
    let mut events = watch(&api, 20, 0).await;
    assert_eq!(next(&mut events).await, "added ring-a");
}

#[tokio::test]
async fn a_watch_from_a_forgotten_version_is_gone() {
    let api = ScriptedApi::start().await.unwrap();
    let version = api.put(slice("ring-a"));
    api.put(slice("ring-b"));
    api.compact();
    let mut events = watch(&api, 20, version).await;
    assert_eq!(next(&mut events).await, "error 410");
    assert_eq!(next(&mut events).await, "end");
}

#[tokio::test]
async fn faults_strike_a_running_watch() {
    let api = ScriptedApi::start().await.unwrap();
    for (fault, expected) in [
        (Fault::gone(), "error 410"),
        (Fault::MalformedJson, "broken SerdeError"),
        // kube takes an unfinished last line for the end of the stream.
        (Fault::CutMidLine, "end"),
        (Fault::HangUp, "end"),
    ] {
        let mut events = watch(&api, 20, api.revision()).await;
        api.watched(SLICES, 1).await.unwrap();
        let said = format!("{fault:?}");
        let guard = api.fault_times(1, On::stream(SLICES), fault);
        guard.met_times(1).await.unwrap();
        let seen = next(&mut events).await;
        assert!(seen.starts_with(expected), "{said}: {seen}");
        drop(events);
        api.watched(SLICES, 0).await.unwrap();
    }
}

#[tokio::test]
async fn a_silent_watch_tells_everything_once_the_silence_is_lifted() {
    let api = ScriptedApi::start().await.unwrap();
    let mut events = watch(&api, 20, api.revision()).await;
    let silence = api.fault(On::stream(SLICES), Fault::Silent);
    api.put(slice("ring-a"));
    silence.lift();
    assert_eq!(next(&mut events).await, "added ring-a");
}

#[tokio::test]
async fn faults_strike_requests_and_are_lifted() {
    let api = ScriptedApi::start().await.unwrap();
    let slices = slices(&api);
    for (fault, status) in [
        (Fault::unauthorised(), 401),
        (Fault::forbidden(), 403),
        (Fault::not_found(), 404),
        (Fault::gone(), 410),
        (Fault::throttled(1), 429),
        (Fault::internal(), 500),
        (Fault::unavailable(), 503),
    ] {
        let guard = api.fault(On::list(SLICES), fault);
        assert_eq!(
            code(&slices.list(&of_ring()).await.unwrap_err()),
            Some(status)
        );
        assert_eq!(guard.met(), 1);
    }
    for fault in [Fault::HangUp, Fault::CutMidLine, Fault::MalformedJson] {
        let _guard = api.fault(On::list(SLICES), fault);
        slices.list(&of_ring()).await.unwrap_err();
    }
    slices.list(&of_ring()).await.unwrap();
}

#[tokio::test]
async fn a_half_open_server_says_nothing_and_knows_when_the_client_left() {
    let api = ScriptedApi::start().await.unwrap();
    let guard = api.fault(On::list(SLICES), Fault::HalfOpen);
    let slices = slices(&api);
    let params = of_ring();
    let list = slices.list(&params);
    tokio::select! {
        answer = list => panic!("half-open, yet there was {answer:?}"),
        met = guard.met_times(1) => met.unwrap(),
    }
}

#[tokio::test]
async fn a_stale_list_goes_back_in_time_for_any_version_alone() {
    let api = ScriptedApi::start().await.unwrap();
    let before = api.moment();
    api.put(slice("ring-a"));
    let _stale = api.fault(On::list(SLICES), Fault::StaleList(before.clone()));
    let slices = slices(&api);

    let any = slices.list(&of_ring().at("0")).await.unwrap();
    let newest = slices.list(&of_ring()).await.unwrap();

    assert_eq!(any.items.len(), 0);
    assert_eq!(
        any.metadata.resource_version,
        Some(before.revision().to_string())
    );
    assert_eq!(newest.items.len(), 1);
}

#[tokio::test]
async fn a_huge_object_is_whole_and_counted() {
    const BYTES: u64 = 3_000_000;
    let api = ScriptedApi::start().await.unwrap();
    let _huge = api.fault(On::list(SLICES), Fault::HugeObject { bytes: BYTES });

    let list = slices(&api).list(&of_ring()).await.unwrap();

    let padding = &list.items[0].annotations()["padding"];
    assert_eq!(padding.len() as u64, BYTES);
    assert!(api.requests()[0].body_bytes_sent() > BYTES);
}

#[tokio::test]
async fn tokens_and_rules_decide_who_may_do_what() {
    let api = ScriptedApi::start().await.unwrap();
    api.put(pod("web-0", "uid-0"));
    api.put(service("ring"));
    api.accept_tokens(["first"]);
    let stranger = Api::<Pod>::default_namespaced(client(api.config_with_token("other")));
    let known = client(api.config());
    let (pods, services) = (
        Api::<Pod>::default_namespaced(known.clone()),
        Api::<Service>::default_namespaced(known.clone()),
    );
    api.deny("get", Resource::Pods);

    assert_eq!(code(&stranger.get("web-0").await.unwrap_err()), Some(401));
    let forbidden = pods.get("web-0").await.unwrap_err().to_string();
    assert!(
        forbidden.contains("cannot get resource \"pods\""),
        "{forbidden}"
    );
    assert_eq!(code(&services.get("none").await.unwrap_err()), Some(404));
    services.get("ring").await.unwrap();
    pods.list(&ListParams::default().fields("metadata.name=web-0"))
        .await
        .unwrap();

    let reviews = Api::<SelfSubjectAccessReview>::all(known);
    for (verb, allowed) in [("get", false), ("list", true)] {
        let asked = json!({
            "spec": {"resourceAttributes": {"verb": verb, "resource": "pods", "namespace": "default"}},
        });
        let asked: SelfSubjectAccessReview = serde_json::from_value(asked).unwrap();
        let review = reviews
            .create(&PostParams::default(), &asked)
            .await
            .unwrap();
        assert_eq!(review.status.unwrap().allowed, allowed, "{verb}");
    }
    api.allow("get", Resource::Pods);
    pods.get("web-0").await.unwrap();
}

#[tokio::test]
async fn another_authority_is_refused_and_a_swapped_one_serves_new_connections() {
    let api = ScriptedApi::start_tls().await.unwrap();
    api.put(slice("ring-a").endpoint(Endpoint::pod("web-0", "uid-0").at("10.0.0.1")));
    let other = TestAuthority::new("another").unwrap();
    slices(&api).list(&of_ring()).await.unwrap();

    let mut config = api.config();
    config.root_cert = Some(vec![other.der()]);
    let stranger: Api<EndpointSlice> = Api::default_namespaced(client(config.clone()));
    stranger.list(&of_ring()).await.unwrap_err();
    api.serve_certificate_of(&other).unwrap();
    stranger.list(&of_ring()).await.unwrap();

    let kubeconfig = Kubeconfig::from_yaml(&api.kubeconfig(Some("t"))).unwrap();
    let own = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let own: Api<EndpointSlice> = Api::default_namespaced(client(own.unwrap()));
    own.list(&of_ring()).await.unwrap_err();
}

#[tokio::test]
async fn dropping_the_server_ends_its_connections() {
    let api = ScriptedApi::start().await.unwrap();
    let slices = slices(&api);
    let mut events = watch(&api, 20, api.revision()).await;
    drop(api);
    let seen = next(&mut events).await;
    assert!(seen == "end" || seen.starts_with("broken"), "{seen}");
    slices.list(&of_ring()).await.unwrap_err();
}
