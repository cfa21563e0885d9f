//! What users follow and what operators do to a node of two, over its Unix socket.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::hosted::{Node, socket};
use crate::program::Running;

fn names(form: &Value) -> Vec<&str> {
    let members = form["members"].as_array().expect("members");
    members
        .iter()
        .filter_map(|member| member["name"].as_str())
        .collect()
}

#[tokio::test]
async fn the_topology_is_shown_wide_and_followed_and_events_go_on_behind_a_version() {
    let node = Node::start().await;
    let at = socket(&node.folder);
    let wide = node.ask(&["topology", "-o", "wide"]).await;
    assert_eq!(wide.code, 0, "{wide:?}");
    for part in ["POD UID", "ATTRIBUTES", "build=7", "127.0.0.1:"] {
        assert!(wide.out.contains(part), "{part}: {}", wide.out);
    }
    let mut followed = Running::start(&["topology", "--watch", "-o", "json", "--node", &at]);
    let first = followed
        .json_where(|form| form["version"] == json!(1))
        .await;
    assert_eq!(names(&first), ["solo"]);

    let other = node.joined_by("other").await;

    let second = followed
        .json_where(|form| form["version"] == json!(2))
        .await;
    assert_eq!(names(&second), ["solo", "other"]);
    assert_eq!(second["standing"], json!("member"));
    assert_eq!(followed.terminate().await.code, 0);
    let from = ["events", "--from", "1", "-o", "json", "--node", &at];
    let mut events = Running::start(&from);
    let told = events
        .json_where(|event| event["event"] != json!("standing"))
        .await;
    assert_eq!(
        (&told["event"], &told["version"]),
        (&json!("change"), &json!(2))
    );
    assert_eq!(told["joined"][0]["name"], json!("other"));
    assert_eq!(events.terminate().await.code, 0);
    assert_eq!(node.ask(&["events", "--from", "x"]).await.code, 64);
    drop(other);
}

#[tokio::test]
async fn the_coordinator_removes_a_member_and_its_reason_is_told() {
    let node = Node::start().await;
    let other = node.joined_by("other").await;
    let refused = other.ask(&["remove", "solo", "--reason", "a test"]).await;
    assert_eq!(refused.code, 7, "{refused:?}");
    assert!(
        refused.err.contains("solo"),
        "who coordinates: {}",
        refused.err
    );

    let removed = node
        .ask(&["remove", "other", "--reason", "its disk is broken"])
        .await;

    assert_eq!(removed.code, 0, "{removed:?}");
    assert!(removed.out.starts_with("removed "), "{removed:?}");
    assert!(removed.out.ends_with(" version 3\n"), "{removed:?}");
    let at = socket(&node.folder);
    let mut events = Running::start(&["events", "--from", "2", "-o", "json", "--node", &at]);
    let told = events
        .json_where(|event| event["version"] == json!(3))
        .await;
    let evidence = told["removed"][0]["evidence"].as_str().expect("evidence");
    assert!(evidence.contains("its disk is broken"), "{told}");
}

#[tokio::test]
async fn a_lost_quorum_is_recovered_by_who_confirms_the_epoch() {
    let node = Node::start().await;
    let other = node.joined_by("other").await;
    drop(other);
    node.until_it_exits("topology", 5).await;
    let told = node.ask(&["recover"]).await;
    assert_eq!(told.code, 0, "{told:?}");
    assert!(told.out.contains("other"), "what is given up: {}", told.out);
    let epoch = told
        .out
        .trim()
        .rsplit(' ')
        .next()
        .expect("an epoch")
        .to_owned();
    let stale = node.ask(&["recover", "--confirm-epoch", "1"]).await;
    assert_eq!(stale.code, 7, "{stale:?}");
    assert!(stale.err.contains("STALE"), "{}", stale.err);

    let done = node.ask(&["recover", "--confirm-epoch", &epoch]).await;

    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.out.contains("\nstarted; "), "{}", done.out);
    node.until_it_exits("topology", 0).await;
    let form = node.ask(&["topology", "-o", "json"]).await;
    let form: Value = serde_json::from_str(&form.out).expect("one object");
    assert_eq!(names(&form), ["solo"]);
    let later = form["epoch"].as_u64().expect("an epoch");
    assert!(later > epoch.parse().expect("a number"), "{form}");
}

#[tokio::test]
async fn a_drain_with_a_pause_lets_streams_go_on_until_it_is_over() {
    let pause = Duration::from_secs(1);
    let node = Node::start().await;
    let at = socket(&node.folder);
    let mut events = Running::start(&["events", "-o", "json", "--node", &at]);
    events
        .json_where(|event| event["event"] == json!("snapshot"))
        .await;
    let asked = Instant::now();

    let drained = node.ask(&["drain", "--pause", "1s"]).await;

    assert!(asked.elapsed() >= pause, "{:?}", asked.elapsed());
    assert_eq!(
        drained.out, "the leave is decided; the node ends\n",
        "{drained:?}"
    );
    assert_eq!(node.program.ended().await.code, 0);
    let told = events.ended().await;
    assert!(asked.elapsed() >= pause, "the stream went on: {told:?}");
}
