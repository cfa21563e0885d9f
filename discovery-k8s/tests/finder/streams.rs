//! Watches that break, freeze, forget or lie: the set is right in the end, and known meanwhile
//! unless the finder can tell that it is not.

use std::time::Duration;

use discovery_core::{FinderCause, Finding, SeedReport};
use discovery_k8s::testing::{Fault, On, Verb};

use crate::scene::{SLICES, Scene, caused, pods_at, quick, unaudited};

const BOTH: [&str; 2] = ["10.0.0.1", "10.0.0.2"];

#[tokio::test]
async fn changes_arrive_through_the_watch_alone() {
    let mut scene = Scene::of_two(unaudited()).await;
    scene.api.put(pods_at("ring-c", &["10.0.0.3"]));
    scene.knows(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]).await;
    scene.api.delete_slice("ring-a");
    scene.knows(&["10.0.0.2", "10.0.0.3"]).await;
    assert_eq!(scene.api.requests_of(Verb::List, SLICES).len(), 1);
    assert_eq!(scene.api.requests_of(Verb::Watch, SLICES).len(), 1);
}

/// Faults of a running stream after which kube, or the finder, carries on: no *unknown* in between.
#[tokio::test]
async fn a_stream_that_breaks_is_renewed_without_a_word() {
    for fault in [Fault::gone(), Fault::CutMidLine, Fault::HangUp] {
        let mut scene = Scene::of_two(unaudited()).await;
        let said = format!("{fault:?}");
        let breakage = scene.api.fault_times(1, On::stream(SLICES), fault);
        breakage.met_times(1).await.unwrap();
        scene.api.put(pods_at("ring-b", &["10.0.0.3"]));
        let seen = every_report_until(&mut scene, &["10.0.0.1", "10.0.0.3"]).await;
        let unknown: Vec<_> = seen.iter().filter_map(caused).collect();
        assert!(unknown.is_empty(), "{said}: {unknown:?}");
    }
}

async fn every_report_until(scene: &mut Scene, addresses: &[&str]) -> Vec<SeedReport> {
    let mut seen = vec![scene.watch.latest()];
    while !seen.last().is_some_and(|report| {
        matches!(report.finding, Finding::Known(_)) && crate::scene::ips(report) == addresses
    }) {
        let next = tokio::time::timeout(Duration::from_secs(30), scene.watch.changed()).await;
        let next = next.unwrap_or_else(|_| scene.watch.latest());
        assert!(seen.len() < 100, "no end in sight: {next:?}");
        seen.push(next);
    }
    seen
}

#[tokio::test]
async fn a_stream_that_is_no_json_is_malformed_and_begun_anew() {
    let mut scene = Scene::of_two(unaudited()).await;
    let broken = scene
        .api
        .fault_times(1, On::stream(SLICES), Fault::MalformedJson);
    broken.met_times(1).await.unwrap();
    scene.api.put(pods_at("ring-b", &["10.0.0.3"]));
    scene.knows(&["10.0.0.1", "10.0.0.3"]).await;
    assert_eq!(scene.finder.stats().errors[&FinderCause::Malformed], 1);
}

#[tokio::test]
async fn a_version_that_is_gone_at_the_start_of_a_watch_is_listed_anew() {
    let mut scene = Scene::of_two(quick()).await;
    let gone = scene.api.fault_times(1, On::watch(SLICES), Fault::gone());
    gone.met_times(1).await.unwrap();
    scene.api.put(pods_at("ring-b", &["10.0.0.3"]));
    scene.knows(&["10.0.0.1", "10.0.0.3"]).await;
}

#[tokio::test]
async fn deletes_during_a_gap_are_noticed_though_the_history_is_gone() {
    let mut scene = Scene::of_two(unaudited()).await;
    let outage = scene.api.fault(On::any_request(), Fault::HangUp);
    scene.api.cut_connections();
    scene.unknown(FinderCause::Unreachable, &BOTH).await;

    scene.api.delete_slice("ring-a");
    scene.api.compact();
    outage.lift();

    scene.knows(&["10.0.0.2"]).await;
}

#[tokio::test]
async fn a_delete_that_no_watch_was_told_of_is_found_by_the_audit() {
    let mut scene = Scene::of_two(quick()).await;
    scene.api.delete_untold(SLICES, "default", "ring-a");
    // Later news that is told moves the watch past the deletion for good.
    scene.api.put(pods_at("ring-b", &["10.0.0.2"]));
    scene.knows(&["10.0.0.2"]).await;
    assert!(scene.finder.stats().divergences > 0);
}

#[tokio::test]
async fn a_frozen_watch_is_found_by_the_audit() {
    for fault in [Fault::Silent, Fault::HalfOpen] {
        let mut config = quick();
        config.watch_timeout = Duration::from_mins(1);
        let mut scene = Scene::of_two(config).await;
        let frozen = scene.api.fault_times(1, On::stream(SLICES), fault);
        frozen.met_times(1).await.unwrap();
        scene.api.delete_slice("ring-a");

        scene.knows(&["10.0.0.2"]).await;
        assert!(scene.finder.stats().divergences > 0);
        drop(frozen);
        scene.api.put(pods_at("ring-a", &["10.0.0.3"]));
        scene.knows(&["10.0.0.2", "10.0.0.3"]).await;
    }
}

#[tokio::test]
async fn a_half_open_watch_without_changes_is_confirmed_by_the_audit() {
    let mut config = quick();
    config.watch_timeout = Duration::from_mins(1);
    let scene = Scene::of_two(config).await;
    let frozen = scene
        .api
        .fault_times(1, On::stream(SLICES), Fault::HalfOpen);
    frozen.met_times(1).await.unwrap();
    let lists = scene.api.requests_of(Verb::List, SLICES).len();
    scene
        .api
        .requested(lists + 3, Verb::List, SLICES)
        .await
        .unwrap();

    let report = scene.watch.latest();
    assert_eq!(crate::scene::ips(&report), BOTH);
    assert_eq!(report.finding.state(), "known");
    assert!(report.last_good.unwrap().age < Duration::from_secs(5));
}

#[tokio::test]
async fn no_list_asks_for_a_state_that_may_be_old() {
    let mut scene = Scene::of_two(quick()).await;
    let past = scene.api.moment();
    let _stale = scene.api.fault(On::list(SLICES), Fault::StaleList(past));
    scene.api.delete_slice("ring-a");
    scene.knows(&["10.0.0.2"]).await;
    let lists = scene.api.requests_of(Verb::List, SLICES).len();
    scene
        .api
        .requested(lists + 3, Verb::List, SLICES)
        .await
        .unwrap();
    assert_eq!(crate::scene::ips(&scene.watch.latest()), ["10.0.0.2"]);
    for list in scene.api.requests_of(Verb::List, SLICES) {
        assert_eq!(list.query("resourceVersion"), None, "{list:?}");
    }
}

#[tokio::test]
async fn a_watch_that_always_ends_at_once_is_not_asked_without_pause() {
    let mut config = quick();
    config.watch_timeout = Duration::from_mins(1);
    let mut scene = Scene::of_two(config).await;
    let _ending = scene.api.fault(On::stream(SLICES), Fault::HangUp);
    scene.api.requested(10, Verb::Watch, SLICES).await.unwrap();

    let watches = scene.api.requests_of(Verb::Watch, SLICES);
    let took = watches[9].received_at - watches[1].received_at;
    assert!(
        took > Duration::from_millis(500),
        "8 watches more in {took:?}"
    );
    scene.api.put(pods_at("ring-b", &["10.0.0.3"]));
    scene.knows(&["10.0.0.1", "10.0.0.3"]).await;
}

#[tokio::test]
async fn a_quiet_watch_asks_for_little() {
    let mut config = quick();
    config.watch_timeout = Duration::from_secs(2);
    config.audit_interval = Duration::from_secs(2);
    let scene = Scene::of_two(config).await;
    let before = scene.api.requests_of(Verb::Watch, SLICES).len();
    scene
        .api
        .requested(before + 3, Verb::Watch, SLICES)
        .await
        .unwrap();
    let requests = scene.api.requests();
    let elapsed = requests[requests.len() - 1].received_at - requests[0].received_at;
    // Each watch period: one watch, one audit list, and one pod memory (a Service, its pods).
    let periods = elapsed.as_secs_f64() / 2.0 + 2.0;
    #[expect(clippy::cast_precision_loss, reason = "a few dozen requests")]
    let asked = requests.len() as f64;
    assert!(
        asked <= periods * 5.0,
        "{asked} requests in {elapsed:?}: {requests:#?}"
    );
}

#[tokio::test]
async fn dropping_the_watch_ends_every_request() {
    let scene = Scene::of_two(unaudited()).await;
    drop(scene.watch);
    scene.api.watched(SLICES, 0).await.unwrap();
}
