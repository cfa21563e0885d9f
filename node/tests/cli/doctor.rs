//! `doctor` against a scripted API server.

use discovery_k8s::testing::{Endpoint, Resource, ScriptedApi, service, slice};
use serde_json::Value;

use crate::program::{Ended, run, run_in};

/// A server that is as it should be.
async fn healthy() -> ScriptedApi {
    let api = ScriptedApi::start().await.expect("a port is free");
    api.put(service("ring").port("ring", 47500));
    let endpoint = Endpoint::pod("ring-0", "uid-0").at("10.0.0.1");
    api.put(
        slice("ring-abc")
            .v4()
            .port("ring", 47500)
            .endpoint(endpoint),
    );
    api
}

async fn examine(api: &ScriptedApi, more: &[&str], env: &[(&str, &str)]) -> Ended {
    let url = api.url();
    let args = [
        "doctor",
        "--namespace",
        "default",
        "--service",
        "ring",
        "--api-url",
        &url,
    ];
    run_in(&[&args[..], more].concat(), env).await
}

/// Each check with its verdict, and the lines as they are.
async fn verdicts(api: &ScriptedApi, env: &[(&str, &str)]) -> (i32, Vec<String>, Vec<Value>) {
    let ended = examine(api, &["--json"], env).await;
    let lines = ended.json();
    let words = |line: &Value| {
        let text = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
        format!("{} {}", text("verdict"), text("check"))
    };
    (ended.code, lines.iter().map(words).collect(), lines)
}

const ALL_WELL: [&str; 8] = [
    "ok configuration",
    "ok credentials",
    "ok API server",
    "ok permissions",
    "ok Service",
    "ok ports",
    "ok selector",
    "ok seeds",
];

#[tokio::test]
async fn where_all_is_well_every_line_is_ok_and_the_code_0() {
    let api = healthy().await;
    let (code, words, _) = verdicts(&api, &[("POD_UID", "uid-0")]).await;
    assert_eq!(code, 0);
    assert_eq!(
        words,
        [&ALL_WELL[..], &["ok census", "ok this pod"]].concat()
    );
}

#[tokio::test]
async fn a_permission_without_which_nothing_is_found_fails_with_the_rule() {
    let api = healthy().await;
    api.deny("watch", Resource::EndpointSlices);
    let (code, words, lines) = verdicts(&api, &[]).await;
    assert_eq!(code, 1);
    assert_eq!(words[3], "fail permissions");
    let remedy = lines[3]["remedy"].as_str().expect("a remedy is told");
    assert!(remedy.contains("verbs: [\"watch\"]"), "{remedy}");
}

#[tokio::test]
async fn a_permission_whose_loss_can_be_borne_is_a_warning() {
    let api = healthy().await;
    api.deny("list", Resource::Pods);
    let (code, words, lines) = verdicts(&api, &[]).await;
    assert_eq!((code, words[3].as_str()), (0, "warn permissions"));
    let found = lines[3]["found"].as_str().unwrap_or_default();
    assert!(
        found.contains("list pods (a pod that is gone proves nothing"),
        "{found}"
    );
}

#[tokio::test]
async fn a_service_that_hides_unready_pods_fails() {
    let api = healthy().await;
    api.put(service("ring").port("ring", 47500).publish_not_ready(false));
    let ended = examine(&api, &[], &[]).await;
    assert_eq!(ended.code, 1);
    assert!(
        ended.out.contains("publishNotReadyAddresses: true\n"),
        "{}",
        ended.out
    );
    assert!(ended.out.ends_with("1 FAIL\n"), "{}", ended.out);
    assert!(
        ended.out.lines().all(|line| line.chars().count() <= 100),
        "{}",
        ended.out
    );
}

#[tokio::test]
async fn a_port_that_nothing_carries_is_told_by_service_and_seeds() {
    let api = healthy().await;
    api.put(service("ring").port("http", 80));
    api.put(
        slice("ring-abc")
            .v4()
            .port("http", 80)
            .endpoint(Endpoint::bare().at("10.0.0.1")),
    );
    let (code, words, _) = verdicts(&api, &[]).await;
    assert_eq!(code, 1);
    assert!(words.contains(&"fail ports".to_owned()), "{words:?}");
    assert!(words.contains(&"fail seeds".to_owned()), "{words:?}");
}

#[tokio::test]
async fn a_pod_that_is_not_listed_fails_and_one_that_cannot_tell_is_warned() {
    let api = healthy().await;
    let (code, words, _) = verdicts(&api, &[("POD_UID", "uid-9")]).await;
    assert_eq!((code, words[9].as_str()), (1, "fail this pod"));
    let (code, words, lines) = verdicts(&api, &[("KUBERNETES_SERVICE_HOST", "10.96.0.1")]).await;
    assert_eq!((code, words[9].as_str()), (0, "warn this pod"));
    let remedy = lines[9]["remedy"].as_str().unwrap_or_default();
    assert!(remedy.contains("fieldPath: metadata.uid"), "{remedy}");
}

#[tokio::test]
async fn a_refused_token_is_about_credentials_and_ends_the_examination() {
    let api = healthy().await;
    api.accept_tokens(["another"]);
    let (code, words, _) = verdicts(&api, &[]).await;
    assert_eq!(
        (code, words),
        (
            1,
            vec!["ok configuration".to_owned(), "fail credentials".to_owned()]
        )
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_about_the_server() {
    let api = healthy().await;
    let url = api.url();
    drop(api);
    let ended = run(&["doctor", "--service", "prod/ring", "--api-url", &url]).await;
    assert_eq!(ended.code, 1);
    assert!(ended.out.contains("FAIL  API server"), "{}", ended.out);
}

#[tokio::test]
async fn a_static_list_is_examined_too() {
    let ended = run(&["doctor", "--seed", "127.0.0.1:1"]).await;
    assert_eq!(ended.code, 0, "{}", ended.out);
    assert!(
        ended.out.ends_with("1 ok, 0 warn, 0 FAIL\n"),
        "{}",
        ended.out
    );
}
