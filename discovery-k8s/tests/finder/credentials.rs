//! Credentials that cannot be used: what is said of them, how long they may take, and that nothing
//! of their content is ever said.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use discovery_core::{Finder, FinderCause};
use discovery_k8s::testing::ScriptedApi;
use discovery_k8s::{ApiAccess, ApiEndpoint, ApiError, KubeFinder};
use serde_json::json;
use tempfile::TempDir;

use crate::scene::{Scene, pods_at, quick};

fn by_kubeconfig(path: PathBuf) -> ApiAccess {
    ApiAccess::Kubeconfig {
        path: Some(path),
        context: None,
    }
}

/// A kubeconfig in JSON, which is YAML too.
fn kubeconfig(cluster: &serde_json::Value, user: &serde_json::Value) -> String {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "clusters": [{"name": "it", "cluster": cluster}],
        "users": [{"name": "it", "user": user}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
    })
    .to_string()
}

/// A user whose token a shell script prints.
fn plugin(script: &str) -> serde_json::Value {
    json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "/bin/sh",
        "args": ["-c", script, "--client-secret=SECRET"],
        "env": [{"name": "CLIENT_PASSWORD", "value": "SECRET"}],
        "interactiveMode": "IfAvailable",
    }})
}

fn user_of_yaml(user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: it\nclusters:\n- name: it\n  cluster:\n    \
         server: https://127.0.0.1:1\ncontexts:\n- name: it\n  context: {{cluster: it, user: it}}\n\
         users:\n- name: it\n  user:\n{user}\n"
    )
}

/// What is broken, a kubeconfig that holds SECRET, and what must be said of it.
type Broken = (&'static str, String, &'static str);

fn broken_texts() -> Vec<Broken> {
    vec![
        (
            "a token twice",
            user_of_yaml("    token: SECRET-1\n    token: SECRET-2"),
            "line 15",
        ),
        (
            "a wrong type",
            user_of_yaml("    token: [SECRET]"),
            "(line ",
        ),
        (
            "a wrong type of a whole user",
            user_of_yaml("    SECRET"),
            "(line ",
        ),
        (
            "a wrong type of a mode",
            user_of_yaml("    exec: {command: sh, interactiveMode: SECRET}"),
            "(line ",
        ),
        (
            "an unclosed quote",
            user_of_yaml("    token: \"SECRET"),
            "(line ",
        ),
        (
            "a colon in a value",
            user_of_yaml("    token: SECRET: SECRET"),
            "line 14",
        ),
        (
            "a key that is not base64",
            user_of_yaml("    client-key-data: SECRET-\n    client-certificate-data: SECRET-"),
            "not base64",
        ),
        (
            "a token that cannot be sent",
            user_of_yaml("    token: \"SECRET\\n\""),
            "no line end",
        ),
    ]
}

fn broken_plugins() -> Vec<Broken> {
    let loopback = json!({"server": "https://127.0.0.1:1"});
    let plugin = |script: &str| kubeconfig(&loopback, &plugin(script));
    vec![
        (
            "a plugin that fails",
            plugin("echo SECRET; echo SECRET >&2; exit 3"),
            "'sh' failed: exit status: 3",
        ),
        (
            "a plugin that prints nonsense",
            plugin("echo 'status: {token: SECRET: SECRET'"),
            "'sh' printed no ExecCredential",
        ),
        (
            "a plugin with a wrong expiry",
            plugin(
                "echo '{\"status\": {\"token\": \"SECRET\", \"expirationTimestamp\": \"SECRET\"}}'",
            ),
            "expiry",
        ),
        (
            "a plugin that does not exist",
            kubeconfig(
                &loopback,
                &json!({"exec": {"command": "/SECRET/no-such-plugin --token=SECRET"}}),
            ),
            "'no-such-plugin' cannot be started",
        ),
        (
            "a plugin of the older kind",
            kubeconfig(
                &loopback,
                &json!({"auth-provider": {"name": "gcp", "config": {
                    "cmd-path": "/bin/false", "cmd-args": "--token=SECRET"}}}),
            ),
            "'false' failed: exit status: 1",
        ),
    ]
}

fn broken_urls() -> Vec<Broken> {
    vec![
        (
            "a server with a password",
            kubeconfig(
                &json!({"server": "https://me:SECRET@127.0.0.1:1"}),
                &json!({}),
            ),
            "https://127.0.0.1:1",
        ),
        (
            "a proxy that is not supported",
            kubeconfig(
                &json!({"server": "https://127.0.0.1:1",
                    "proxy-url": "http://me:SECRET@127.0.0.1:2"}),
                &json!({}),
            ),
            "'http://127.0.0.1:2",
        ),
        (
            "a proxy of no known kind",
            kubeconfig(
                &json!({"server": "https://127.0.0.1:1",
                    "proxy-url": "gopher://me:SECRET@127.0.0.1:2"}),
                &json!({}),
            ),
            "'gopher://127.0.0.1:2",
        ),
    ]
}

/// Everything that an error says anywhere in its chain.
fn whole(error: &(dyn Error + 'static)) -> String {
    let mut said = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let _ = writeln!(said, "{error}\n{error:?}");
        next = error.source();
    }
    said
}

fn finder(files: &Path, content: &str) -> KubeFinder {
    let path = files.join("kubeconfig");
    std::fs::write(&path, content).expect("a file in the test's directory");
    KubeFinder::new(quick(), by_kubeconfig(path)).expect("a configuration without faults")
}

#[tokio::test]
async fn nothing_secret_is_said_of_credentials_that_cannot_be_used() {
    let files = TempDir::new().unwrap();
    let broken = [broken_texts(), broken_plugins(), broken_urls()].concat();
    for (what, content, part) in broken {
        let finder = finder(files.path(), &content);
        let error = finder.service().await.unwrap_err();
        assert!(
            matches!(error, ApiError::Credentials { .. }),
            "{what}: {error:?}"
        );
        assert!(
            error.to_string().contains(part),
            "{what}: '{part}' in {error}"
        );
        let census = finder.census().await.unwrap_err();
        assert_eq!(census.cause(), FinderCause::Configuration, "{what}");
        let said = whole(&error) + &whole(&census);
        assert!(!said.contains("SECRET"), "{what}: {said}");
        let remedy = error.remedy(finder.config()).unwrap_or_default();
        assert!(!remedy.contains("SECRET"), "{what}: {remedy}");
    }
}

/// A kubeconfig whose plugin runs for as long as a file exists.
fn hanging(files: &Path) -> String {
    std::fs::write(files.join("hold"), "").expect("a file in the test's directory");
    let script = format!(
        "while [ -e '{}' ]; do sleep 0.05; done",
        files.join("hold").display()
    );
    kubeconfig(&json!({"server": "https://127.0.0.1:1"}), &plugin(&script))
}

#[test]
fn a_plugin_that_hangs_neither_blocks_the_runtime_nor_keeps_it_from_ending() {
    let files = TempDir::new().unwrap();
    let path = files.path().join("kubeconfig");
    std::fs::write(&path, hanging(files.path())).unwrap();
    let mut config = quick();
    config.request_deadline = Duration::from_millis(300);
    let finder = KubeFinder::new(config, by_kubeconfig(path)).unwrap();

    let (done, is_done) = std::sync::mpsc::channel();
    let running = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        let error = runtime.block_on(async { finder.service().await.unwrap_err() });
        drop(runtime);
        done.send(error).unwrap();
    });
    let error = is_done.recv_timeout(Duration::from_secs(20));
    std::fs::remove_file(files.path().join("hold")).unwrap();
    running.join().unwrap();

    let error = error.expect("the runtime ended while the plugin was hanging");
    assert!(matches!(error, ApiError::Timeout { .. }), "{error:?}");
    assert!(
        error.to_string().contains("reading the credentials"),
        "{error}"
    );
}

#[tokio::test]
async fn a_plugin_is_told_that_nobody_can_be_asked_and_its_token_is_used() {
    let api = ScriptedApi::start_tls().await.unwrap();
    api.put(pods_at("ring-a", &["10.0.0.1"]));
    api.accept_tokens(["printed"]);
    let script = r#"read -r line; [ -z "$line" ] || exit 4
        case "$KUBERNETES_EXEC_INFO" in *'"interactive":false'*) ;; *) exit 5 ;; esac
        echo '{"kind": "ExecCredential", "status": {"token": "printed"}}'"#;
    let files = TempDir::new().unwrap();
    let path = files.path().join("kubeconfig");
    let mut content: serde_json::Value =
        serde_json::from_str(&api.kubeconfig(None)).expect("the server's kubeconfig is JSON");
    content["users"][0]["user"] = plugin(script);
    std::fs::write(&path, content.to_string()).unwrap();
    let mut scene = Scene::with(api, quick(), by_kubeconfig(path), files);
    scene.knows(&["10.0.0.1"]).await;
}

#[tokio::test]
async fn a_file_without_end_is_refused_unread() {
    let device = PathBuf::from("/dev/zero");
    let mut token = ApiEndpoint::new("https://127.0.0.1:1");
    token.token_file = Some(device.clone());
    let mut ca = ApiEndpoint::new("https://127.0.0.1:1");
    ca.ca_file = Some(device.clone());
    for access in [
        ApiAccess::Endpoint(token),
        ApiAccess::Endpoint(ca),
        by_kubeconfig(device),
    ] {
        let finder = KubeFinder::new(quick(), access).unwrap();
        let error = finder.service().await.unwrap_err();
        assert!(error.to_string().contains("no regular file"), "{error}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_supported_is_a_matter_of_configuration_with_a_remedy() {
    let files = TempDir::new().unwrap();
    let cluster = json!({"server": "https://127.0.0.1:1", "proxy-url": "http://127.0.0.1:2"});
    let finder = finder(files.path(), &kubeconfig(&cluster, &json!({})));
    let error = finder.census().await.unwrap_err();
    assert_eq!(error.cause(), FinderCause::Configuration);
    for part in ["proxy-url", "remove it", "kube/http-proxy"] {
        assert!(error.detail().contains(part), "'{part}' in {error}");
    }
}
