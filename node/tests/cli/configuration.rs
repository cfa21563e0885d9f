//! What cannot be used is told at once, all of it, with the place it came from.

use std::path::PathBuf;

use crate::program::{run, run_in};

/// A file of this test in the folder that cargo keeps for tests.
pub(crate) fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).expect("the test's folder can be written");
    path
}

#[tokio::test]
async fn every_fault_of_file_environment_and_flags_is_told_at_once() {
    let text = "[finder]\nkind = \"kubernetes\"\n\n[finder.kubernetes]\nwatch_timeout = \"10m\"\n";
    let path = file("faults.toml", text);
    let path = path.to_str().expect("the path is text");
    let args = [
        "seeds",
        "--config",
        path,
        "--service",
        "Ring",
        "--token-file",
        "/t",
    ];
    let env = [
        ("DISCOVERY_NAMESPACE", "prod"),
        ("DISCOVERY_FAMILIES", "v5"),
    ];
    let ended = run_in(&args, &env).await;
    assert_eq!((ended.code, ended.out.as_str()), (64, ""));
    let told = ended.err.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        &format!("finder.kind ({path}:2): there is no such setting; did you mean 'finder.kinds'?"),
        &format!("finder.kubernetes.watch_timeout = '600s' ({path}:5): give 1s to 290s"),
        "finder.families = 'v5' (DISCOVERY_FAMILIES): give v4, v6, prefer-v4, prefer-v6 or both",
        "finder.kubernetes.service = 'Ring' (--service): give 1 to 63 of a-z, 0-9 and inner '-'",
        "finder.kubernetes.token_file = '/t' (--token-file): it is for --api-url only",
    ] {
        assert!(told.contains(part), "{part}\nis missing in\n{told}");
    }
}

#[tokio::test]
async fn without_any_finder_it_says_how_to_choose_one() {
    let ended = run(&["seeds"]).await;
    assert_eq!(ended.code, 64);
    assert!(
        ended.err.contains("say whom to ask: --service NAME"),
        "{}",
        ended.err
    );
}

#[tokio::test]
async fn settings_of_a_finder_that_is_not_chosen_are_a_fault() {
    let ended = run(&[
        "seeds",
        "--finder",
        "static",
        "--seed",
        "127.0.0.1:1",
        "--service",
        "a",
    ])
    .await;
    assert_eq!(ended.code, 64);
    assert!(
        ended.err.contains("finder.kubernetes.service = 'a'"),
        "{}",
        ended.err
    );
}

#[tokio::test]
async fn flags_choose_another_finder_than_the_file_sets_up() {
    let path = file(
        "kubernetes.toml",
        "[finder.kubernetes]\nservice = \"ring\"\n",
    );
    let path = path.to_str().expect("the path is text");
    let args = [
        "seeds",
        "--config",
        path,
        "--finder",
        "static",
        "--seed",
        "127.0.0.1:1",
    ];
    let ended = run(&args).await;
    assert_eq!(ended.code, 0, "{}", ended.err);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_named() {
    let ended = run(&[
        "seeds",
        "--config",
        "/no/such/file",
        "--seed",
        "127.0.0.1:1",
    ])
    .await;
    assert_eq!(ended.code, 64);
    assert!(
        ended.err.contains("config = '/no/such/file'"),
        "{}",
        ended.err
    );
}

#[tokio::test]
async fn a_bad_command_line_has_the_code_of_a_bad_configuration() {
    for args in [
        &["seedz"][..],
        &["seeds", "--wait", "soon"],
        &["--log", "=", "seeds"],
    ] {
        let ended = run(args).await;
        assert_eq!((ended.code, ended.out.as_str()), (64, ""), "{args:?}");
    }
}

#[tokio::test]
async fn help_is_no_failure_and_teaches_environment_and_codes() {
    let ended = run(&["--help"]).await;
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    for part in [
        "DISCOVERY_WATCH_TIMEOUT",
        "Exit codes:",
        "discovery-node doctor",
    ] {
        assert!(ended.out.contains(part), "{part}");
    }
}

#[tokio::test]
async fn the_manifest_grants_what_each_service_needs() {
    let services = ["--service", "ring", "--service", "other/second"];
    let args = [
        "rbac",
        "print",
        "--namespace",
        "prod",
        "--with-service-account",
    ];
    let ended = run(&[&args[..], &services[..]].concat()).await;
    assert_eq!(ended.code, 0, "{}", ended.err);
    let kinds: Vec<_> = ended
        .out
        .lines()
        .filter(|line| line.starts_with("kind: "))
        .collect();
    let each = ["kind: ServiceAccount", "kind: Role", "kind: RoleBinding"];
    assert_eq!(kinds, [each, each].concat());
    assert!(ended.out.contains("namespace: other"));
    assert!(ended.out.contains("resourceNames: [\"second\"]"));
}
