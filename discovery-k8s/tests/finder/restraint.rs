//! A finder in lasting trouble: it says so, asks ever more seldom, keeps its deadlines, and holds
//! no more than its limits. The configuration is the default one wherever the pace is what is tested.

use std::time::Duration;

use discovery_core::{Finder, FinderCause};
use discovery_k8s::testing::{Fault, NAMESPACE, On, SERVICE, ScriptedApi, Verb, service};
use discovery_k8s::{ApiAccess, ApiEndpoint, KubeFinder, KubeFinderConfig, SLICES_MAX};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::scene::{SLICES, Scene, caused, pods_at, quick, unaudited};

/// How long a finder in trouble is watched.
const TROUBLED: Duration = Duration::from_secs(12);

/// Requests about slices that it may send meanwhile: attempts after 0.2, 0.4, 0.8 … s, each with
/// a listing, a watch and an audit.
const REQUESTS_MAX: usize = 40;

async fn one_slice() -> ScriptedApi {
    let api = ScriptedApi::start().await.expect("a scripted server");
    api.put(service(SERVICE).port("ring", 47500));
    api.put(pods_at("ring-a", &["10.0.0.1"]));
    api
}

async fn requests_under(fault: Option<(On, Fault)>) -> usize {
    let api = one_slice().await;
    let strikes = fault.map(|(on, fault)| api.fault(on, fault));
    if strikes.is_none() {
        api.deny("watch", SLICES);
    }
    let scene = Scene::on(api, KubeFinderConfig::new(NAMESPACE, SERVICE));
    // No event is waited for: what is measured is how little happens meanwhile.
    tokio::time::sleep(TROUBLED).await;
    drop(strikes);
    let watches = scene.api.requests_of(Verb::Watch, SLICES).len();
    scene.api.requests_of(Verb::List, SLICES).len() + watches
}

#[tokio::test]
async fn lasting_trouble_with_the_watch_is_met_ever_more_seldom() {
    let (denied, failing, garbled, gone, reset) = tokio::join!(
        requests_under(None),
        requests_under(Some((On::stream(SLICES), Fault::internal()))),
        requests_under(Some((On::stream(SLICES), Fault::MalformedJson))),
        requests_under(Some((On::watch(SLICES), Fault::gone()))),
        requests_under(Some((On::stream(SLICES), Fault::HangUp))),
    );
    for (trouble, requests) in [
        ("watching is denied", denied),
        ("every stream holds an error", failing),
        ("every stream is garbage", garbled),
        ("every version is gone", gone),
        ("every stream breaks at once", reset),
    ] {
        assert!(requests > 2, "{trouble}: it gave up after {requests}");
        assert!(requests <= REQUESTS_MAX, "{trouble}: {requests} requests");
    }
}

#[tokio::test]
async fn an_outage_after_quiet_times_is_met_ever_more_seldom() {
    let scene = Scene::of_two(KubeFinderConfig::new(NAMESPACE, SERVICE)).await;
    // Long enough for the watch to count as one that lasted.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let before = scene.api.request_count();
    let _outage = scene.api.fault(On::any_request(), Fault::unavailable());
    scene.api.cut_connections();
    tokio::time::sleep(TROUBLED).await;
    let requests = scene.api.request_count() - before;
    assert!(requests > 2, "it gave up after {requests}");
    assert!(requests <= REQUESTS_MAX as u64, "{requests} requests");
}

#[tokio::test]
async fn a_watch_that_is_gone_for_ever_is_not_kept_quiet() {
    let api = one_slice().await;
    let _gone = api.fault(On::watch(SLICES), Fault::gone());
    let mut scene = Scene::on(api, quick());
    scene.unknown(FinderCause::Failed, &["10.0.0.1"]).await;
}

#[tokio::test]
async fn a_listing_that_is_gone_for_ever_is_not_kept_quiet() {
    let api = one_slice().await;
    let _gone = api.fault(On::list(SLICES), Fault::gone());
    let mut scene = Scene::on(api, unaudited());
    scene.unknown(FinderCause::Failed, &[]).await;
}

#[tokio::test]
async fn more_slices_than_the_limit_are_an_error_and_are_not_gathered() {
    let api = one_slice().await;
    for at in 0..2 * SLICES_MAX {
        api.put(pods_at(&format!("ring-{at}"), &["10.0.0.1"]));
    }
    let mut scene = Scene::on(api, unaudited());
    scene.unknown(FinderCause::TooLarge, &[]).await;
    let gathered = scene.finder.stats().slice_events;
    assert!(
        gathered <= SLICES_MAX as u64 + 1,
        "{gathered} slices were read"
    );
}

#[tokio::test]
async fn credentials_that_cannot_be_read_are_no_client_built_anew() {
    let mut scene = Scene::with_token(one_slice().await, quick(), "");
    scene.unknown(FinderCause::Configuration, &[]).await;
    let refused = scene.finder.census().await.expect_err("an empty token");
    assert_eq!(refused.cause(), FinderCause::Configuration);
    assert_eq!(scene.finder.stats().client_rebuilds, 0);
}

/// A server that answers listing after listing with these bodies, the last one again and again, and
/// no watch; in place of a body that is missing it sends the head and then nothing.
async fn listing_server(bodies: Vec<Option<String>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    tokio::spawn(async move {
        let mut listings = 0;
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut head = vec![0; 8192];
            let count = connection.read(&mut head).await.unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..count]).into_owned();
            if !head.contains("/endpointslices") || head.contains("watch=true") {
                // Kept open in a task of its own, silent for ever.
                tokio::spawn(async move {
                    std::future::pending::<()>().await;
                    drop(connection);
                });
                continue;
            }
            let body = bodies.get(listings).or(bodies.last()).cloned().flatten();
            listings += 1;
            tokio::spawn(async move { answer(&mut connection, body).await });
        }
    });
    url
}

async fn answer(connection: &mut TcpStream, body: Option<String>) {
    let length = body.as_ref().map_or(5000, String::len);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    let _ = connection.write_all(head.as_bytes()).await;
    match body {
        Some(body) => drop(connection.write_all(body.as_bytes()).await),
        None => std::future::pending().await,
    }
}

/// A listing at this version with one slice that was written at the other.
fn listing(version: u64, written: u64) -> String {
    let slice = serde_json::json!({
        "metadata": {"name": "ring-a", "resourceVersion": written.to_string()},
        "addressType": "IPv4", "ports": [{"name": "ring", "port": 47500}],
        "endpoints": [{"addresses": ["10.0.0.1"]}],
    });
    let list = serde_json::json!({
        "kind": "EndpointSliceList", "apiVersion": "discovery.k8s.io/v1",
        "metadata": {"resourceVersion": version.to_string()}, "items": [slice],
    });
    list.to_string()
}

fn finder_on(url: String) -> KubeFinder {
    let mut config = quick();
    config.request_deadline = Duration::from_secs(3);
    KubeFinder::new(config, ApiAccess::Endpoint(ApiEndpoint::new(url)))
        .expect("a configuration without faults")
}

#[tokio::test]
async fn a_store_that_went_back_is_followed_anew() {
    let url = listing_server(vec![Some(listing(1000, 990)), Some(listing(600, 500))]).await;
    let finder = finder_on(url);
    let _watch = finder.watch();
    let diverged = async {
        while finder.stats().divergences == 0 {
            tokio::task::yield_now().await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(15), diverged).await;
    assert_eq!(found, Ok(()), "{:?}", finder.stats());
}

#[tokio::test]
async fn a_listing_that_stalls_is_given_up_although_audits_are_answered() {
    let finder = finder_on(listing_server(vec![None, Some(listing(100, 90))]).await);
    let mut watch = finder.watch();
    let given_up = async {
        loop {
            let report = watch.changed().await;
            let cause = caused(&report).map(discovery_core::FinderError::cause);
            if cause == Some(FinderCause::Timeout) {
                return;
            }
        }
    };
    let given_up = tokio::time::timeout(Duration::from_secs(15), given_up).await;
    assert_eq!(given_up, Ok(()), "still {:?}", watch.latest().finding);
}
