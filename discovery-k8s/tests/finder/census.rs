//! The census: one fresh, consistent listing of everybody, never the watch's store.

use discovery_core::{Census, Finder, FinderCause};
use discovery_k8s::FamilyPolicy;
use discovery_k8s::testing::{Endpoint, Fault, On, SERVICE, ScriptedApi, Verb, service, slice};

use crate::scene::{SLICES, Scene, pods_at, quick, unaudited};

fn names(census: &Census) -> Vec<&str> {
    let entries = census.entries.iter();
    entries
        .filter_map(|entry| entry.name.as_ref())
        .map(discovery_core::NodeName::as_str)
        .collect()
}

#[tokio::test]
async fn a_census_asks_for_the_newest_state_and_returns_its_version() {
    let scene = Scene::of_two(unaudited()).await;
    let before = scene.api.requests_of(Verb::List, SLICES).len();

    let census = scene.finder.census().await.unwrap();

    let lists = scene.api.requests_of(Verb::List, SLICES);
    assert_eq!(lists.len(), before + 1);
    let list = &lists[before];
    assert_eq!(list.query("resourceVersion"), None);
    assert_eq!(list.query("resourceVersionMatch"), None);
    assert_eq!(
        list.query("labelSelector"),
        Some("kubernetes.io/service-name=ring")
    );
    assert_eq!(census.resource_version.get(), scene.api.revision());
    assert_eq!(names(&census), ["web-1", "web-2"]);
}

#[tokio::test]
async fn a_census_lists_everybody_whatever_the_watch_leaves_out() {
    let api = ScriptedApi::start().await.unwrap();
    api.put(
        slice("ring-v4").port("ring", 47500).endpoints([
            Endpoint::pod("web-1", "uid-1").at("10.0.0.1"),
            Endpoint::pod("web-2", "uid-2")
                .at("10.0.0.2")
                .ready(false)
                .serving(false),
            Endpoint::pod("web-3", "uid-3")
                .at("10.0.0.3")
                .terminating(true),
            Endpoint::bare().at("10.0.0.9"),
        ]),
    );
    api.put(slice("ring-v6").v6().port("ring", 47500).endpoints([
        Endpoint::pod("web-1", "uid-1").at("fd00::1"),
        Endpoint::pod("web-4", "uid-4").at("fd00::4"),
    ]));
    let mut config = unaudited();
    config.families = FamilyPolicy::V4;
    config.include_not_ready = false;
    config.include_terminating = false;
    let mut scene = Scene::on(api, config);
    scene.knows(&["10.0.0.9", "10.0.0.1"]).await;

    let census = scene.finder.census().await.unwrap();

    assert_eq!(names(&census), ["web-1", "web-2", "web-3", "web-4"]);
    assert_eq!(census.entries.len(), 5, "and the one without a pod");
    let first = census.entries.iter().find(|entry| {
        entry
            .pod_uid
            .as_ref()
            .is_some_and(|uid| uid.as_str() == "uid-1")
    });
    assert_eq!(first.unwrap().addresses().len(), 2, "in both families");
}

#[tokio::test]
async fn a_census_is_ahead_of_a_watch_that_hangs() {
    let scene = Scene::of_two(unaudited()).await;
    let frozen = scene.api.fault(On::stream(SLICES), Fault::Silent);
    frozen.met_times(1).await.unwrap();
    scene.api.put(pods_at("ring-c", &["10.0.0.3"]));
    scene.api.delete_slice("ring-a");

    let census = scene.finder.census().await.unwrap();

    assert_eq!(names(&census), ["web-2", "web-3"]);
    assert_eq!(
        crate::scene::ips(&scene.watch.latest()),
        ["10.0.0.1", "10.0.0.2"]
    );
}

#[tokio::test]
async fn a_census_that_cannot_be_listed_is_not_answered_from_the_watch() {
    let mut config = unaudited();
    config.request_deadline = std::time::Duration::from_secs(1);
    for (fault, cause) in [
        (Fault::unauthorised(), FinderCause::Unauthorised),
        (Fault::forbidden(), FinderCause::Forbidden),
        (Fault::throttled(1), FinderCause::Throttled),
        (Fault::internal(), FinderCause::Failed),
        (Fault::HangUp, FinderCause::Unreachable),
        (Fault::CutMidLine, FinderCause::Unreachable),
        (Fault::HalfOpen, FinderCause::Timeout),
        (Fault::MalformedJson, FinderCause::Malformed),
        (Fault::gone(), FinderCause::Failed),
    ] {
        let scene = Scene::of_two(config.clone()).await;
        let said = format!("{fault:?}");
        let outage = scene.api.fault(On::list(SLICES), fault);
        let error = scene.finder.census().await.unwrap_err();
        assert_eq!(error.cause(), cause, "{said}: {error}");
        outage.lift();
        scene.finder.census().await.unwrap();
    }
}

async fn crowd() -> ScriptedApi {
    let api = ScriptedApi::start().await.expect("a scripted server");
    for number in 0..600 {
        let name = format!("web-{number}");
        let address = format!("10.0.{}.{}", number / 250, number % 250);
        api.put(
            slice(&format!("ring-{number:03}"))
                .port("ring", 47500)
                .endpoint(Endpoint::pod(&name, &format!("uid-{name}")).at(&address)),
        );
    }
    api
}

#[tokio::test]
async fn a_census_of_many_slices_is_read_in_pages_of_one_version() {
    let scene = Scene::on(crowd().await, unaudited());
    scene.api.watched(SLICES, 1).await.unwrap();
    let pages = scene.api.requests_of(Verb::ListMore, SLICES).len();

    let census = scene.finder.census().await.unwrap();

    assert_eq!(census.entries.len(), 600);
    assert_eq!(
        scene.api.requests_of(Verb::ListMore, SLICES).len(),
        pages + 1
    );
}

#[tokio::test]
async fn a_census_whose_page_expired_starts_again() {
    let scene = Scene::on(crowd().await, unaudited());
    scene.api.watched(SLICES, 1).await.unwrap();
    let firsts = scene.api.requests_of(Verb::List, SLICES).len();
    let expired = scene
        .api
        .fault_times(1, On::next_page(SLICES), Fault::gone());

    let census = scene.finder.census().await.unwrap();

    assert_eq!(expired.met(), 1);
    assert_eq!(census.entries.len(), 600);
    assert_eq!(scene.api.requests_of(Verb::List, SLICES).len(), firsts + 2);
}

#[tokio::test]
async fn a_census_whose_pages_expire_for_ever_fails() {
    let scene = Scene::on(crowd().await, unaudited());
    scene.api.watched(SLICES, 1).await.unwrap();
    let _expired = scene.api.fault(On::next_page(SLICES), Fault::gone());
    let error = scene.finder.census().await.unwrap_err();
    assert!(
        matches!(error.cause(), FinderCause::Failed | FinderCause::Timeout),
        "{error}"
    );
}

#[tokio::test]
async fn a_census_of_a_service_without_slices_needs_the_service() {
    let scene = Scene::on(ScriptedApi::start().await.unwrap(), quick());
    let error = scene.finder.census().await.unwrap_err();
    assert_eq!(error.cause(), FinderCause::NotFound);
    scene.api.put(service(SERVICE));
    assert!(scene.finder.census().await.unwrap().entries.is_empty());
}

#[tokio::test]
async fn a_census_reads_a_rotated_token_at_once() {
    let api = ScriptedApi::start().await.unwrap();
    api.put(pods_at("ring-a", &["10.0.0.1"]));
    api.accept_tokens(["first"]);
    let scene = Scene::with_token(api, quick(), "first");
    scene.finder.census().await.unwrap();
    scene.api.accept_tokens(["second"]);
    scene.replace("token", "second");
    assert_eq!(names(&scene.finder.census().await.unwrap()), ["web-1"]);
}
