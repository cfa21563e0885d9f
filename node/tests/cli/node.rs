//! `run`, and the commands that ask a running node, over its Unix socket.

use serde_json::{Value, json};

use crate::hosted::{Node, socket};
use crate::program::{Running, run, run_in};

#[tokio::test]
async fn a_node_is_run_asked_and_terminated() {
    let node = Node::start().await;
    let table = node.ask(&["topology"]).await;
    assert_eq!(table.code, 0, "{table:?}");
    assert!(
        table.out.contains("this node: member\nORDER  NAME"),
        "{}",
        table.out
    );
    let form = node.ask(&["topology", "-o", "json"]).await;
    let form: Value = serde_json::from_str(&form.out).expect("one object");
    assert_eq!(form["version"], json!(1));
    assert_eq!(form["standing"], json!("member"));
    assert_eq!(form["members"][0]["name"], json!("solo"));
    assert_eq!(form["members"][0]["attributes"], json!({ "build": "7" }));
    let yaml = node.ask(&["topology", "-o", "yaml"]).await;
    let yaml: Value = serde_saphyr::from_str(&yaml.out).expect("one document");
    assert_eq!(yaml, form);
    let status = node.ask(&["status", "-o", "json"]).await;
    let status: Value = serde_json::from_str(&status.out).expect("one object");
    assert_eq!(status["has_quorum"], json!(true));
    assert_eq!(status["cluster_name"], json!("default"));
    assert_eq!(status["shared_settings"]["formation"], json!("single"));
    assert_eq!(status["shared_settings"]["silence_limit_ms"], json!(2000));
    assert_eq!(status["observers"], json!([]));
    let ended = node.program.terminate().await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.err.contains("not secured"), "{}", ended.err);
}

#[tokio::test]
async fn what_happens_and_what_is_published_is_followed() {
    let node = Node::start().await;
    let at = socket(&node.folder);
    let mut events = Running::start(&["events", "-o", "json", "--node", &at]);
    let snapshot = events
        .json_where(|event| event["event"] == json!("snapshot"))
        .await;
    assert_eq!(snapshot["version"], json!(1));
    let mut messages = Running::start(&["subscribe", "t", "--json", "--node", &at]);
    messages
        .json_where(|event| event["event"] == json!("checkpoint"))
        .await;
    let first = node.ask(&["publish", "t", "hello", "--key", "k"]).await;
    assert!(first.out.starts_with("decided: epoch "), "{first:?}");
    let again = node.ask(&["publish", "t", "hello", "--key", "k"]).await;
    assert!(again.out.contains("published before"), "{again:?}");
    node.ask(&["publish", "t", "bye"]).await;
    let payload = |event: Value| event["payload"].clone();
    let is_message = |event: &Value| event["event"] == json!("message");
    assert_eq!(
        payload(messages.json_where(is_message).await),
        json!("hello")
    );
    assert_eq!(payload(messages.json_where(is_message).await), json!("bye"));
    assert_eq!(events.terminate().await.code, 0);
}

#[tokio::test]
async fn a_watched_topology_says_when_inside_of_what_programs_read() {
    let node = Node::start().await;
    let at = socket(&node.folder);
    let watch = ["topology", "--watch", "--node", &at, "-o"];
    let mut json = Running::start(&[&watch[..], &["json"]].concat());
    let told = json.json_where(|told| told["version"] == json!(1)).await;
    assert!(told["at"].is_string(), "{told}");
    let mut yaml = Running::start(&[&watch[..], &["yaml"]].concat());
    let (mut stream, mut documents) = (String::new(), Vec::<Value>::new());
    // Its keys are in order, and this is the last.
    let is_whole = |one: &Value| one["version"] == json!(1) && one.get("waiting_for").is_some();
    while !documents.last().is_some_and(is_whole) {
        stream += &yaml.line().await;
        stream.push('\n');
        documents = serde_saphyr::from_multiple(&stream).expect(&stream);
    }
    assert_eq!(documents.len(), 2, "where it stands, then what holds");
    assert!(documents.iter().all(|one| one["at"].is_string()));
    assert_eq!(documents[1]["members"], told["members"]);
}

#[tokio::test]
async fn who_asks_for_events_that_are_still_to_come_is_told_that_they_are() {
    let node = Node::start().await;
    let at = socket(&node.folder);
    for (from, is_told) in [("999", true), ("1", false)] {
        let mut events = Running::start(&["events", "-o", "yaml", "--from", from, "--node", &at]);
        assert_eq!(events.line().await, "---");
        let ended = events.terminate().await;
        let words = "version 999 is shown once it is decided";
        assert_eq!(ended.err.contains(words), is_told, "{}", ended.err);
    }
}

#[tokio::test]
async fn operators_are_served_on_the_socket() {
    let node = Node::start().await;
    let unknown = node.ask(&["remove", "nobody", "--reason", "a test"]).await;
    assert_eq!(unknown.code, 7, "{unknown:?}");
    assert!(unknown.err.contains("NOT_FOUND"), "{}", unknown.err);
    let told = node.ask(&["recover"]).await;
    assert!(
        told.out
            .contains("nothing was done; to do it: --confirm-epoch"),
        "{told:?}"
    );
    let log = node.ask(&["admin", "log", "debug"]).await;
    assert!(log.out.starts_with("it was: info"), "{log:?}");
    let dump = node.ask(&["admin", "dump"]).await;
    assert!(dump.out.contains("solo"), "{dump:?}");
    let drained = node.ask(&["drain"]).await;
    assert_eq!(drained.out, "the leave is decided; the node ends\n");
}

#[tokio::test]
async fn operators_at_an_address_are_told_of_and_warned_of_unless_it_is_loopback() {
    for (admin, is_warned) in [("127.0.0.1:0", false), ("0.0.0.0:0", true)] {
        let mut node = Running::start(&[
            "run",
            "--formation=single",
            "--node-name=a",
            "--advertise=127.0.0.1",
            "--ring-listen=127.0.0.1:0",
            "--grpc-listen=off",
            "--http-listen=off",
            "--admin-listen",
            admin,
        ]);
        let log = node.log_until("the node runs").await;
        let place = format!("admin=\"{}", admin.trim_end_matches('0'));
        assert!(log.contains(&place), "{log}");
        let words = "an address that others may reach";
        assert_eq!(log.contains(words), is_warned, "{log}");
    }
}

#[tokio::test]
async fn doctor_lays_the_views_side_by_side() {
    let node = Node::start().await;
    let diff = node.ask(&["doctor", "--diff"]).await;
    assert_eq!(diff.code, 0, "{diff:?}");
    assert!(diff.out.starts_with("NODE  STANDING"), "{}", diff.out);
    assert!(
        diff.out.contains("1 nodes see the same topology"),
        "{}",
        diff.out
    );
    let unaided = node.ask(&["doctor"]).await;
    assert_eq!(unaided.code, 0, "{unaided:?}");
    assert!(unaided.out.contains("ok    finder"), "{}", unaided.out);
    let checked = node.ask(&["doctor", "--seed", "127.0.0.1:1"]).await;
    for check in ["node", "clock", "settings", "agreement"] {
        assert!(
            checked.out.contains(&format!("ok    {check}")),
            "{}",
            checked.out
        );
    }
}

#[tokio::test]
async fn doctor_is_no_use_where_there_is_neither_a_finder_nor_a_node() {
    let ended = run_in(&["doctor"], &[("DISCOVERY_ADMIN", "127.0.0.1:1")]).await;
    assert_eq!(ended.code, 64, "{ended:?}");
    assert!(ended.err.contains("say whom to ask"), "{}", ended.err);
    let folder = tempfile::tempdir().expect("a folder");
    let ended = run_in(&["doctor"], &[("DISCOVERY_NODE", &socket(&folder))]).await;
    assert_eq!(ended.code, 6, "{ended:?}");
}

#[tokio::test]
async fn doctor_says_whom_it_could_not_ask_and_that_this_is_no_agreement() {
    let node = Node::start().await;
    let told = node.ask(&["topology", "-o", "json"]).await;
    let told: Value = serde_json::from_str(&told.out).expect("one object");
    let ring = told["members"][0]["addresses"][0].as_str().expect("a ring");
    // It serves no API, so that nobody can ask it.
    let mute = Running::start(&[
        "run",
        "--formation=majority",
        "--founding-name=solo",
        "--founding-name=mute",
        "--seed",
        ring,
        "--node-name=mute",
        "--advertise=127.0.0.1",
        "--ring-listen=127.0.0.1:0",
        "--grpc-listen=off",
        "--http-listen=off",
        "--admin-listen=off",
    ]);
    let at = socket(&node.folder);
    let mut topologies = Running::start(&["topology", "--watch", "-o", "json", "--node", &at]);
    topologies
        .json_where(|event| {
            event["members"]
                .as_array()
                .is_some_and(|all| all.len() == 2)
        })
        .await;
    let diff = node.ask(&["doctor", "--diff"]).await;
    assert_eq!(diff.code, 1, "{diff:?}");
    let words = "could not be asked: mute";
    assert!(diff.out.contains(words), "{}", diff.out);
    mute.terminate().await;
}

#[tokio::test]
async fn a_node_that_is_refused_for_good_says_why_in_one_line_and_has_the_code_77() {
    let node = Node::start().await;
    let told = node.ask(&["topology", "-o", "json"]).await;
    let told: Value = serde_json::from_str(&told.out).expect("one object");
    let ring = told["members"][0]["addresses"][0].as_str();
    let ring = ring.expect("it says where its ring is").to_owned();
    let refused = run(&[
        "run",
        "--exit-on-refusal",
        "--shared-settings=partitions=7",
        "--formation=majority",
        "--founding-name=solo",
        "--founding-name=other",
        "--seed",
        &ring,
        "--node-name=other",
        "--advertise=127.0.0.1",
        "--ring-listen=127.0.0.1:0",
        "--grpc-listen=off",
        "--http-listen=off",
        "--admin-listen=off",
    ])
    .await;
    assert_eq!(refused.code, 77, "{refused:?}");
    let start = "discovery-node: this node is refused for good: solo refuses other shared settings";
    let mut lines = refused
        .err
        .lines()
        .filter(|line| line.starts_with("discovery-node: "));
    let line = lines.next().expect("one line");
    assert!(line.starts_with(start), "{line}");
    assert_eq!(lines.next(), None);
}

#[tokio::test]
async fn nobody_there_and_a_taken_address_have_codes_of_their_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let nobody = run(&["status", "--node", &socket(&folder)]).await;
    assert_eq!(nobody.code, 6, "{nobody:?}");
    assert!(
        nobody.err.contains("--node or DISCOVERY_NODE"),
        "{nobody:?}"
    );
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let flags = [
        "--ring-listen",
        "--grpc-listen",
        "--http-listen",
        "--admin-listen",
    ];
    for taken in flags {
        let mut args = vec!["run", "--formation=single", "--node-name=a"];
        args.push("--advertise=127.0.0.1");
        for flag in flags {
            let free = if flag == "--ring-listen" {
                "127.0.0.1:0"
            } else {
                "off"
            };
            args.extend([flag, if flag == taken { &*address } else { free }]);
        }
        let ended = run(&args).await;
        assert_eq!(ended.code, 69, "{ended:?}");
        assert!(ended.err.contains(&address), "{}", ended.err);
        let hint = format!("choose another place: {taken}");
        assert!(ended.err.contains(&hint), "{}", ended.err);
    }
}

#[tokio::test]
async fn the_configuration_is_printed_with_where_each_value_comes_from() {
    let flags = [
        "--formation=single",
        "--node-name=a",
        "--advertise=10.0.0.1",
    ];
    let args = |command| [&["config", command][..], &flags].concat();
    let printed = run_in(&args("print"), &[("NODE_NAME", "worker-3")]).await;
    let line = |key: &str| printed.out.lines().find(|line| line.starts_with(key));
    let words = |key: &str| line(key).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let expected = ["node.host_node", "worker-3", "NODE_NAME"];
    assert_eq!(words("node.host_node").as_deref(), Some(&expected[..]));
    let expected = ["ring.formation", "single", "--formation"];
    assert_eq!(words("ring.formation").as_deref(), Some(&expected[..]));
    let expected = ["ring.recovery", "manual", "default"];
    assert_eq!(words("ring.recovery").as_deref(), Some(&expected[..]));
    let expected = ["http.listen", "0.0.0.0:47520", "default"];
    assert_eq!(words("http.listen").as_deref(), Some(&expected[..]));
    let expected = ["node.zone", "-", "not", "set"];
    assert_eq!(words("node.zone").as_deref(), Some(&expected[..]));
    assert!(
        printed.out.contains("node a of cluster default"),
        "{}",
        printed.out
    );
    assert_eq!(
        run(&args("check")).await.out,
        "ok: node a of cluster default\n"
    );
    assert_eq!(run(&["config", "check"]).await.code, 64);
    let schema = run(&["config", "schema"]).await.out;
    let schema: Value = serde_json::from_str(&schema).expect("a schema");
    assert_eq!(schema["properties"]["ring"]["type"], json!("object"));
}
