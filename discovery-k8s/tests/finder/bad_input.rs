//! Wrong input: each names the place, the value and what to do, and the last good set stays.

use std::path::Path;

use discovery_core::{Finder, FinderCause, PodRef};
use discovery_k8s::testing::{ScriptedApi, SliceScript};
use discovery_k8s::{ApiAccess, ApiEndpoint, KubeFinder, KubeFinderConfig};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::scene::{SLICES, Scene, pods_at, quick, unaudited};

const BOTH: [&str; 2] = ["10.0.0.1", "10.0.0.2"];

fn wrong(pointer: &str, value: Value) -> SliceScript {
    pods_at("ring-b", &["10.0.0.2"]).set(pointer, value)
}

/// Slices that parse as the API's type and yet do not mean anything.
#[tokio::test]
async fn a_wrong_field_of_a_slice_is_named_with_its_value() {
    for (pointer, value, field, shown) in [
        ("/addressType", json!("FQDN"), "addressType", "FQDN"),
        ("/addressType", json!("IPv6"), "addresses", "10.0.0.2"),
        (
            "/endpoints/0/addresses/0",
            json!("10.0.0.256"),
            "endpoints[0].addresses",
            "10.0.0.256",
        ),
        (
            "/endpoints/0/addresses/0",
            json!("web-2.ring"),
            "endpoints[0].addresses",
            "web-2.ring",
        ),
        (
            "/endpoints/0/addresses",
            json!([]),
            "endpoints[0].addresses",
            "",
        ),
        ("/ports/0/port", json!(70000), "ports[0].port", "70000"),
        ("/ports/0/port", json!(0), "ports[0].port", "0"),
        ("/endpoints/0/targetRef/uid", json!(""), "targetRef.uid", ""),
    ] {
        let mut scene = Scene::of_two(unaudited()).await;
        scene.api.put(wrong(pointer, value));
        let error = scene.unknown(FinderCause::Malformed, &BOTH).await;
        for part in ["ring-b", field, shown] {
            assert!(
                error.detail().contains(part),
                "{pointer}: '{part}' in {error}"
            );
        }
        scene.api.put(pods_at("ring-b", &["10.0.0.3"]));
        scene.knows(&["10.0.0.1", "10.0.0.3"]).await;
    }
}

/// Slices that are not even of the API's type.
#[tokio::test]
async fn a_slice_of_the_wrong_shape_is_malformed_in_lists_and_watches() {
    for json in [
        json!({"endpoints": 7}),
        json!({"addressType": ["IPv4"], "endpoints": []}),
        json!({"addressType": "IPv4", "endpoints": [{"addresses": "10.0.0.1"}]}),
        json!({"addressType": "IPv4", "endpoints": [{"addresses": [1]}]}),
    ] {
        let mut scene = Scene::of_two(quick()).await;
        let mut json = json;
        json["metadata"] = json!({"labels": {"kubernetes.io/service-name": "ring"}});
        scene.api.put_json(SLICES, "default", "ring-c", json);
        scene.unknown(FinderCause::Malformed, &BOTH).await;
        scene.api.delete_slice("ring-c");
        scene.knows(&BOTH).await;
    }
}

#[tokio::test]
async fn an_empty_service_name_is_refused_before_anything_is_sent() {
    let access = ApiAccess::Endpoint(ApiEndpoint::new("http://127.0.0.1:1"));
    let config = KubeFinderConfig::new("default", "");
    let error = KubeFinder::new(config, access).unwrap_err();
    assert_eq!(error.faults.len(), 1);
    assert_eq!(error.faults[0].field, "service");
    assert!(!error.faults[0].remedy.is_empty());
}

/// Ways to reach the API server that cannot work, with what the error must name.
fn broken_accesses(files: &Path) -> Vec<(ApiAccess, Vec<String>)> {
    let write = |name: &str, content: &str| {
        let path = files.join(name);
        std::fs::write(&path, content).expect("a file in the test's directory");
        path
    };
    let kubeconfig = |path: std::path::PathBuf| ApiAccess::Kubeconfig {
        path: Some(path),
        context: None,
    };
    let shown = |path: &Path| path.display().to_string();
    let missing = files.join("missing");
    let (empty, no_yaml) = (write("empty", " \n"), write("no-yaml", "{clusters: ["));
    let no_context = write(
        "no-context",
        "{\"apiVersion\": \"v1\", \"kind\": \"Config\"}",
    );
    let no_certificate = write("no-certificate", "not PEM");
    let endpoint = |token: Option<&Path>, ca: Option<&Path>| {
        let mut endpoint = ApiEndpoint::new("https://127.0.0.1:1");
        endpoint.token_file = token.map(ToOwned::to_owned);
        endpoint.ca_file = ca.map(ToOwned::to_owned);
        ApiAccess::Endpoint(endpoint)
    };
    let at = |url: &str| ApiAccess::Endpoint(ApiEndpoint::new(url));
    vec![
        (kubeconfig(missing.clone()), vec![shown(&missing)]),
        (kubeconfig(no_yaml.clone()), vec![shown(&no_yaml)]),
        (
            kubeconfig(no_context.clone()),
            vec![shown(&no_context), "context".into()],
        ),
        (
            endpoint(Some(&empty), None),
            vec![shown(&empty), "empty".into()],
        ),
        (endpoint(Some(&missing), None), vec![shown(&missing)]),
        (endpoint(None, Some(&missing)), vec![shown(&missing)]),
        (
            endpoint(None, Some(&no_certificate)),
            vec![shown(&no_certificate), "certificate".into()],
        ),
        (at("10.96.0.1"), vec!["10.96.0.1".into(), "https://".into()]),
        (
            at("http://10.96.0.1"),
            vec!["http://10.96.0.1".into(), "https".into()],
        ),
    ]
}

#[tokio::test]
async fn credentials_that_cannot_be_read_are_a_configuration_error_that_names_them() {
    let files = TempDir::new().unwrap();
    for (access, parts) in broken_accesses(files.path()) {
        let said = format!("{access:?}");
        let own_files = TempDir::new().unwrap();
        let api = ScriptedApi::start().await.unwrap();
        let mut scene = Scene::with(api, quick(), access, own_files);
        let error = scene.unknown(FinderCause::Configuration, &[]).await;
        for part in &parts {
            assert!(error.detail().contains(part), "{said}: '{part}' in {error}");
        }
        let census = scene.finder.census().await.unwrap_err();
        assert_eq!(census.cause(), FinderCause::Configuration, "{census}");
    }
}

#[tokio::test]
async fn a_token_file_that_is_emptied_while_running_keeps_the_last_good_set() {
    let api = ScriptedApi::start().await.unwrap();
    api.put(pods_at("ring-a", &["10.0.0.1"]));
    api.accept_tokens(["first"]);
    let mut scene = Scene::with_token(api, quick(), "first");
    scene.knows(&["10.0.0.1"]).await;

    scene.replace("token", "");
    scene.api.accept_tokens(["second"]);
    scene
        .unknown(FinderCause::Configuration, &["10.0.0.1"])
        .await;
    scene.replace("token", "second");
    scene.knows(&["10.0.0.1"]).await;
}

#[tokio::test]
async fn a_kubeconfig_reaches_the_server_with_its_token_and_authority() {
    let api = ScriptedApi::start_tls().await.unwrap();
    api.put(pods_at("ring-a", &["10.0.0.1"]));
    api.accept_tokens(["first"]);
    let files = TempDir::new().unwrap();
    let path = files.path().join("kubeconfig");
    std::fs::write(&path, api.kubeconfig(Some("first"))).unwrap();
    let access = ApiAccess::Kubeconfig {
        path: Some(path),
        context: None,
    };
    let mut scene = Scene::with(api, quick(), access, files);
    scene.knows(&["10.0.0.1"]).await;
}

#[tokio::test]
async fn a_pod_that_is_no_pod_is_an_unknown_fact() {
    use discovery_core::{NodeName, PodFact, PodUid};
    let scene = Scene::of_two(quick()).await;
    scene.api.put_json(
        discovery_k8s::testing::Resource::Pods,
        "default",
        "web-1",
        json!({"status": {"containerStatuses": 7}}),
    );
    let pod = PodRef {
        uid: PodUid::new("uid-1").unwrap(),
        name: NodeName::new("web-1").unwrap(),
    };
    let PodFact::Unknown(error) = scene.finder.pod_fact(&pod).await else {
        unreachable!("a pod of the wrong shape was taken for a fact");
    };
    assert_eq!(error.cause(), FinderCause::Malformed);
}
