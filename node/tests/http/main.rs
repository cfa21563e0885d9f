//! The HTTP side of nodes on real sockets: probes, metrics, the page and what keeps it up to date.
#![allow(
    clippy::unwrap_used,
    reason = "what a test stands on fails like a test"
)]

mod stage;

use serde_json::Value;

use stage::{Stage, within};

#[tokio::test]
async fn a_member_is_alive_started_and_ready() {
    let stage = Stage::alone().await;
    for path in ["/livez", "/startupz", "/readyz"] {
        let answer = stage.get(path).await;
        assert_eq!(answer.code, 200, "{path}: {}", answer.body);
    }
    let answer = stage.get("/readyz").await;
    assert!(
        answer.body.starts_with("ready: member of "),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn a_newcomer_is_alive_and_says_why_it_is_not_ready() {
    let stage = Stage::one_of_three().await;
    assert_eq!(stage.get("/livez").await.code, 200);
    assert_eq!(stage.get("/startupz").await.code, 200);
    let answer = stage.get("/readyz").await;
    assert_eq!(answer.code, 503);
    let why = "not ready: not a member yet; it waits for ";
    assert!(answer.body.starts_with(why), "{}", answer.body);
}

#[tokio::test]
async fn a_node_that_drains_is_not_ready_and_stays_alive() {
    let stage = Stage::alone().await;
    stage.view.drain();
    let answer = stage.get("/readyz").await;
    assert_eq!(
        (answer.code, answer.body.as_str()),
        (503, "not ready: it is leaving\n")
    );
    stage.view.discovery().shutdown().await;
    assert_eq!(stage.get("/livez").await.code, 200);
}

#[tokio::test]
async fn a_node_whose_loop_has_ended_is_not_alive() {
    let stage = Stage::alone().await;
    stage.view.discovery().shutdown().await;
    let answer = stage.get("/livez").await;
    assert_eq!(answer.code, 503);
    assert!(answer.body.starts_with("not alive: "), "{}", answer.body);
    let metrics = stage.get("/metrics").await.body;
    assert!(
        metrics.lines().any(|line| line == "discovery_up 0"),
        "{metrics}"
    );
}

#[tokio::test]
async fn metrics_come_with_the_type_that_their_readers_expect() {
    let stage = Stage::alone().await;
    let answer = stage.get("/metrics").await;
    assert_eq!(answer.code, 200);
    let media_type = answer.header("content-type");
    assert!(
        media_type.starts_with("application/openmetrics-text"),
        "{media_type}"
    );
    assert!(answer.body.ends_with("# EOF\n"), "{}", answer.body);
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere() {
    let stage = Stage::alone().await;
    let answer = stage.get("/").await;
    assert_eq!(answer.code, 200);
    assert!(
        answer
            .header("content-security-policy")
            .contains("default-src 'none'")
    );
    for outside in ["src=\"http", "href=\"http", "@import", "url(http", "//cdn"] {
        assert!(
            !answer.body.contains(outside),
            "the page asks for {outside}"
        );
    }
}

#[tokio::test]
async fn a_page_is_told_the_sight_and_what_happened() {
    let stage = Stage::alone().await;
    let mut live = stage.follow(None).await;
    let telling: Value = serde_json::from_str(&live.next().await.data).unwrap();
    let sight = &telling["sight"];
    assert_eq!(sight["name"], "ring-0");
    assert_eq!(sight["standing"], "member");
    assert_eq!(sight["topology"]["members"][0]["name"], "ring-0");
    assert_eq!(sight["coordinator"], sight["node_id"]);
    assert_eq!(sight["finder"]["seeds"][0]["member"], sight["node_id"]);
    let happenings = telling["happenings"].as_array().unwrap();
    assert!(
        happenings.iter().any(|one| one["what"] == "snapshot"),
        "{telling}"
    );
}

#[tokio::test]
async fn a_page_that_comes_back_is_not_told_the_same_again() {
    let stage = Stage::alone().await;
    let first = stage.follow(None).await.next().await;
    let again = stage.follow(Some(&first.id)).await.next().await;
    let telling: Value = serde_json::from_str(&again.data).unwrap();
    assert_eq!(telling["happenings"], serde_json::json!([]));
}

#[tokio::test]
async fn a_page_is_told_that_the_protocol_does_not_answer_and_that_it_does_again() {
    let (stage, holds) = Stage::alone_elsewhere().await;
    let mut live = stage.follow(None).await;
    live.telling(|told| told["unanswered_since"].is_null())
        .await;

    let hold = holds.hold().await;

    let told = live.telling(|told| told["unanswered_since"].is_i64()).await;
    assert_eq!(told["sight"]["standing"], "member", "what it said last");
    assert_eq!(stage.get("/livez").await.code, 503);

    drop(hold);

    live.telling(|told| told["unanswered_since"].is_null())
        .await;
    assert_eq!(stage.get("/livez").await.code, 200);
}

#[tokio::test]
async fn a_page_is_told_that_the_protocol_has_ended() {
    let stage = Stage::alone().await;
    let mut live = stage.follow(None).await;
    live.next().await;
    stage.view.discovery().shutdown().await;
    live.telling(|told| told["unanswered_since"].is_i64()).await;
}

#[tokio::test]
async fn open_pages_do_not_hold_up_the_end() {
    let stage = Stage::alone().await;
    let mut live = stage.follow(None).await;
    live.next().await;
    stage.stop.cancel();
    within(stage.serving).await.unwrap();
}
