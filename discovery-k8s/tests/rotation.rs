//! Credentials rotated ahead of time, as the kubelet does: no request ever fails. The client reads
//! its files again once a minute by the real clock, so these two take that minute, side by side.

#![cfg(feature = "testing")]

use std::time::Duration;

use discovery_core::{Finder, FinderCause, SeedWatch};
use discovery_k8s::testing::{
    Endpoint, NAMESPACE, Resource, SERVICE, ScriptedApi, TestAuthority, service, slice,
};
use discovery_k8s::{ApiAccess, ApiEndpoint, KubeFinder, KubeFinderConfig};
use tempfile::TempDir;

/// Longest until a file is read again, with time to spare for a slow machine.
const REREAD_MAX: Duration = Duration::from_secs(100);

fn quick() -> KubeFinderConfig {
    let mut config = KubeFinderConfig::new(NAMESPACE, SERVICE);
    config.watch_timeout = Duration::from_secs(1);
    config.audit_interval = Duration::from_secs(1);
    config
}

fn put_pod(api: &ScriptedApi, name: &str, address: &str) {
    let endpoint = Endpoint::pod(name, name).at(address);
    api.put(slice(name).port("ring", 47500).endpoint(endpoint));
}

/// Waits until so many are known.
async fn known(watch: &mut dyn SeedWatch, count: usize) {
    let waiting = async {
        let mut report = watch.latest();
        while report.finding.state() != "known" || report.seeds().len() != count {
            report = watch.changed().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    waited.expect("the seeds to be known within 30 s");
}

#[tokio::test]
async fn a_token_rotated_before_the_old_one_expires_is_never_refused() {
    let api = ScriptedApi::start().await.unwrap();
    api.put(service(SERVICE));
    put_pod(&api, "web-1", "10.0.0.1");
    api.accept_tokens(["first", "second"]);
    let files = TempDir::new().unwrap();
    let path = files.path().join("token");
    std::fs::write(&path, "first").unwrap();
    let mut endpoint = ApiEndpoint::new(api.url());
    endpoint.token_file = Some(path.clone());
    let finder = KubeFinder::new(quick(), ApiAccess::Endpoint(endpoint)).unwrap();
    let mut watch = finder.watch();
    known(watch.as_mut(), 1).await;

    std::fs::write(&path, "second").unwrap();
    let with = |token: &'static str| {
        move |request: &discovery_k8s::testing::Recorded| request.token.as_deref() == Some(token)
    };
    api.until("a request with the new token", REREAD_MAX, |requests| {
        requests.iter().any(with("second"))
    })
    .await
    .unwrap();
    api.accept_tokens(["second"]);
    put_pod(&api, "web-2", "10.0.0.2");
    known(watch.as_mut(), 2).await;

    assert!(finder.stats().errors.is_empty(), "{:?}", finder.stats());
}

#[tokio::test]
async fn an_authority_added_to_its_file_before_it_is_used_is_never_refused() {
    let api = ScriptedApi::start_tls().await.unwrap();
    put_pod(&api, "web-1", "10.0.0.1");
    let (old, new) = (
        api.authority_pem().unwrap(),
        TestAuthority::new("new").unwrap(),
    );
    let files = TempDir::new().unwrap();
    let path = files.path().join("ca.crt");
    std::fs::write(&path, &old).unwrap();
    let mut endpoint = ApiEndpoint::new(api.url());
    endpoint.ca_file = Some(path.clone());
    let finder = KubeFinder::new(quick(), ApiAccess::Endpoint(endpoint)).unwrap();
    let mut watch = finder.watch();
    known(watch.as_mut(), 1).await;
    let begun = tokio::time::Instant::now();

    std::fs::write(&path, [old, new.pem()].concat()).unwrap();
    // The file is read at the first handshake that is a minute later than the first one of all.
    api.until("a minute to pass", REREAD_MAX, |_| {
        begun.elapsed() > Duration::from_secs(61)
    })
    .await
    .unwrap();
    api.serve_certificate_of(&new).unwrap();
    api.cut_connections();
    put_pod(&api, "web-2", "10.0.0.2");
    api.watched(Resource::EndpointSlices, 1).await.unwrap();
    known(watch.as_mut(), 2).await;

    // Connections that were cut may have had a request under way, but no handshake failed.
    let errors = finder.stats().errors;
    assert_eq!(errors.get(&FinderCause::Tls), None, "{errors:?}");
    assert_eq!(finder.stats().client_rebuilds, 0);
}
