//! `seeds` against a scripted API server.

use discovery_k8s::testing::{Endpoint, Resource, ScriptedApi, SliceScript, service, slice};
use serde_json::{Value, json};

use crate::configuration::file;
use crate::program::{Ended, Running, run};

fn pod(number: u8) -> Endpoint {
    Endpoint::pod(&format!("ring-{number}"), &format!("uid-{number}"))
        .at(&format!("10.0.0.{number}"))
        .ready(true)
        .serving(false)
        .terminating(false)
        .zone("zone-a")
        .node("node1")
        .hostname(&format!("ring-{number}"))
}

fn ring() -> SliceScript {
    slice("ring-abc").v4().port("ring", 47500)
}

async fn server() -> ScriptedApi {
    let api = ScriptedApi::start().await.expect("a port is free");
    api.put(service("ring").port("ring", 47500));
    api
}

fn seeds<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let args = [
        "seeds",
        "--namespace",
        "default",
        "--service",
        "ring",
        "--api-url",
        url,
    ];
    [&args[..], more].concat()
}

async fn ask(api: &ScriptedApi, more: &[&str]) -> Ended {
    run(&seeds(&api.url(), more)).await
}

#[tokio::test]
async fn json_tells_all_that_the_slice_says() {
    let api = server().await;
    api.put(ring().endpoint(pod(1)));
    let ended = ask(&api, &["--json"]).await;
    assert_eq!(ended.code, 0, "{}", ended.err);
    let line = &ended.json()[0];
    let expected = json!([{
        "name": "ring-1", "addresses": ["10.0.0.1:47500"], "pod_uid": "uid-1", "zone": "zone-a",
        "host_node": "node1", "hostname": "ring-1", "ready": true, "serving": false,
        "terminating": false,
    }]);
    assert_eq!(line["seeds"], expected);
    assert_eq!(line["provenance"], "kubernetes default/ring");
    assert_eq!(line["authoritative"], true);
}

#[tokio::test]
async fn a_service_that_lists_nobody_has_the_code_3_and_one_that_is_missing_4() {
    let api = server().await;
    let empty = ask(&api, &[]).await;
    assert_eq!(empty.code, 3, "{empty:?}");
    assert!(empty.out.starts_with("known to be empty"), "{}", empty.out);
    api.delete(Resource::Services, "default", "ring");
    let missing = ask(&api, &[]).await;
    assert_eq!(missing.code, 4);
    assert!(
        missing.out.starts_with("unknown: not_found"),
        "{}",
        missing.out
    );
    assert!(
        missing.out.contains("create Service ring"),
        "{}",
        missing.out
    );
}

#[tokio::test]
async fn a_missing_permission_is_printed_with_the_rule_to_add() {
    let api = server().await;
    api.deny("list", Resource::EndpointSlices);
    let ended = ask(&api, &[]).await;
    assert_eq!(ended.code, 4);
    assert!(ended.out.starts_with("unknown: forbidden"), "{}", ended.out);
    let rule = "          - {apiGroups: [\"discovery.k8s.io\"], resources: [\"endpointslices\"], \
                verbs: [\"list\"]}\n";
    assert!(ended.out.contains(rule), "{}", ended.out);
    assert!(
        ended.out.lines().all(|line| line.chars().count() <= 100),
        "{}",
        ended.out
    );
}

#[tokio::test]
async fn a_watch_keeps_the_last_good_set_through_a_lost_permission() {
    let api = server().await;
    api.put(ring().endpoint(pod(1)));
    let url = api.url();
    let mut running = Running::start(&seeds(&url, &["--watch", "--json", "--stats"]));
    running.json_where(|line| line["state"] == "known").await;
    api.put(ring().endpoint(pod(1)).endpoint(pod(2)));
    let names = |line: &Value| line["seeds"].as_array().map(Vec::len);
    running.json_where(|line| names(line) == Some(2)).await;

    api.deny("list", Resource::EndpointSlices);
    api.deny("watch", Resource::EndpointSlices);
    api.cut_connections();
    let line = running
        .json_where(|line| line["error"]["cause"] == "forbidden")
        .await;
    assert_eq!(line["state"], "unknown");
    assert_eq!(line["seeds"], json!([]));
    assert_eq!(line["last_good"]["seeds"].as_array().map(Vec::len), Some(2));
    assert!(line["last_good"]["age_ms"].is_u64(), "{line}");
    assert!(
        line["error"]["remedy"]
            .as_str()
            .is_some_and(|text| text.contains("verbs:")),
        "{line}"
    );

    api.allow("list", Resource::EndpointSlices);
    api.allow("watch", Resource::EndpointSlices);
    running.json_where(|line| line["state"] == "known").await;
    let ended = running.terminate().await;
    assert_eq!(ended.code, 0);
    let stats = ended
        .err
        .lines()
        .last()
        .expect("counters are written at the end");
    let stats: Value = serde_json::from_str(stats).expect(stats);
    let stats = &stats["stats"][0];
    assert_eq!(stats["finder"], "kubernetes default/ring");
    assert!(stats["requests"].as_u64() > Some(2), "{stats}");
    assert!(stats["errors"]["forbidden"].as_u64() > Some(0), "{stats}");
}

#[tokio::test]
async fn a_refused_token_is_never_printed() {
    let api = server().await;
    api.accept_tokens(["the-right-one"]);
    let token = file("refused-token", "sesame-open");
    let token = token.to_str().expect("the path is text");
    let ended = ask(&api, &["--token-file", token, "--log", "trace"]).await;
    assert_eq!(ended.code, 4);
    assert!(
        ended.out.starts_with("unknown: unauthorised"),
        "{}",
        ended.out
    );
    assert!(!ended.out.contains("sesame-open"), "{}", ended.out);
    assert!(!ended.err.contains("sesame-open"), "{}", ended.err);
}

#[tokio::test]
async fn an_empty_token_file_is_named() {
    let api = server().await;
    let token = file("empty-token", "");
    let token = token.to_str().expect("the path is text");
    let ended = ask(&api, &["--token-file", token]).await;
    assert_eq!(ended.code, 4);
    assert!(
        ended.out.starts_with("unknown: configuration"),
        "{}",
        ended.out
    );
    assert!(ended.out.contains("is empty"), "{}", ended.out);
}
