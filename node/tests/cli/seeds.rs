//! `seeds` with finders that need nothing around them.

use serde_json::{Value, json};

use crate::configuration::file;
use crate::program::{Running, run};

#[tokio::test]
async fn known_seeds_are_a_table_and_the_code_is_0() {
    let ended = run(&["seeds", "--seed", "127.0.0.1:47500..47501"]).await;
    let expected = "\
known: 2 seeds  (static list, a hint, not authoritative)
  NAME  ADDRESS          ZONE  HOST NODE  CONDITION
  -     127.0.0.1:47500  -     -          -
  -     127.0.0.1:47501  -     -          -
";
    assert_eq!((ended.code, ended.out.as_str()), (0, expected));
    assert_eq!(ended.err, "");
}

#[tokio::test]
async fn json_names_every_field_and_null_where_nothing_is_known() {
    let ended = run(&["seeds", "--json", "--seed", "[::1]:1"]).await;
    let mut lines = ended.json();
    let at = lines[0]["at_us"].take();
    assert!(
        at.as_i64().is_some_and(|at| at > 1_700_000_000_000_000),
        "{at}"
    );
    let expected = json!({
        "at_us": null,
        "state": "known",
        "seeds": [{
            "name": null, "addresses": ["[::1]:1"], "pod_uid": null, "zone": null,
            "host_node": null, "hostname": null, "ready": null, "serving": null,
            "terminating": null,
        }],
        "last_good": null,
        "gaps": [],
        "error": null,
        "provenance": "static list",
        "authoritative": false,
    });
    assert_eq!(lines, [expected]);
}

#[tokio::test]
async fn a_name_that_cannot_be_looked_up_is_unknown_with_what_to_do_and_the_code_is_4() {
    let ended = run(&[
        "seeds",
        "--wait",
        "200ms",
        "--seed",
        "no-such-host.invalid:1",
    ])
    .await;
    assert_eq!(ended.code, 4, "{ended:?}");
    assert!(ended.out.starts_with("unknown: "), "{}", ended.out);
}

#[tokio::test]
async fn a_watch_writes_each_line_at_once_and_ends_by_sigterm_with_0() {
    let mut running = Running::start(&["seeds", "--watch", "--json", "--seed", "127.0.0.1:1"]);
    let first = running.json_where(|_| true).await;
    assert_eq!(first["state"], "known");
    assert_eq!(running.terminate().await.code, 0);
}

#[tokio::test]
async fn a_watch_that_nobody_reads_ends_although_nothing_changes() {
    let mut running = Running::start(&["seeds", "--watch", "--seed", "127.0.0.1:1"]);
    running.line().await;
    assert_eq!(running.stop_reading().await, 0);
}

#[tokio::test]
async fn several_finders_are_one_and_a_part_that_does_not_know_is_told() {
    let path = file("seeds-of-two", "127.0.0.1:1 # the first\n127.0.0.1:2\n");
    let path = path.to_str().expect("the path is text");
    let both = ["--seed", "127.0.0.1:3", "--seed-file", path, "--json"];
    let line = &run(&[&["seeds"], &both[..]].concat()).await.json()[0];
    assert_eq!(line["seeds"].as_array().map(Vec::len), Some(3), "{line}");
    assert_eq!(line["authoritative"], false);

    let both = [
        "--seed",
        "127.0.0.1:3",
        "--seed-file",
        "/no/such/file",
        "--json",
        "--wait",
        "1s",
    ];
    let line = &run(&[&["seeds"], &both[..]].concat()).await.json()[0];
    assert_eq!(line["seeds"].as_array().map(Vec::len), Some(1), "{line}");
    assert_eq!(line["gaps"][0]["cause"], "not_found", "{line}");
}

#[tokio::test]
async fn seeds_come_and_go_with_the_lines_of_a_file() {
    let path = file("seeds-that-change", "127.0.0.1:1\n");
    let shown = path.to_str().expect("the path is text");
    let mut running = Running::start(&["seeds", "--watch", "--json", "--seed-file", shown]);
    running.json_where(|line| line["state"] == "known").await;
    let next = file("seeds-that-change.next", "127.0.0.1:1\n127.0.0.1:2\n");
    std::fs::rename(next, &path).expect("the file can be replaced");
    let has_two = |line: &Value| line["seeds"].as_array().map(Vec::len) == Some(2);
    running.json_where(has_two).await;
    let next = file("seeds-that-change.next", "127.0.0.1:x\n");
    std::fs::rename(next, &path).expect("the file can be replaced");
    let line = running.json_where(|line| line["state"] == "unknown").await;
    assert_eq!(
        line["last_good"]["seeds"].as_array().map(Vec::len),
        Some(2),
        "{line}"
    );
    assert_eq!(running.terminate().await.code, 0);
}
