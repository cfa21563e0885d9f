//! `doctor` where somebody is listed and no member.

use serde_json::Value;

use crate::hosted::{Node, socket};
use crate::program::{Ended, Running, run};

/// What `doctor` says of a node once its finder was heard.
async fn doctor(node: &Node) -> Ended {
    let mut said = node.ask(&["doctor", "--json"]).await;
    // Bounded: each try takes its time, and a finder is heard within seconds.
    for _ in 0..600 {
        if said.out.contains("\"check\":\"listed\"") {
            break;
        }
        said = node.ask(&["doctor", "--json"]).await;
    }
    said
}

/// The check of this name.
fn check<'a>(lines: &'a [Value], name: &str) -> &'a Value {
    let found = lines.iter().find(|line| line["check"] == name);
    found.expect("it was checked")
}

/// What `status` says of the node that answers there, as soon as there is one.
async fn status(at: &str) -> Value {
    let mut status = None;
    // Bounded: each try takes its time, and a node needs few.
    for _ in 0..600 {
        let said = run(&["status", "-o", "json", "--node", at]).await;
        status = serde_json::from_str(&said.out).ok();
        if status.is_some() {
            break;
        }
    }
    status.expect("a node answers")
}

#[tokio::test]
async fn a_newcomer_whose_peer_is_not_reached_is_told_which() {
    let node = Node::waiting().await;
    let said = doctor(&node).await;
    assert_eq!(said.code, 1, "{said:?}");
    let lines = said.json();
    let listed = check(&lines, "listed");
    assert_eq!(listed["verdict"], "fail");
    let found = listed["found"].as_str().unwrap_or_default();
    let expected = "127.0.0.1:1: from here its ring port does not answer: 127.0.0.1:1: ";
    assert!(found.starts_with(expected), "{found}");
    let remedy = &check(&lines, "node")["remedy"];
    assert!(remedy.as_str().is_some_and(|it| it.contains("see below")));
}

#[tokio::test]
async fn a_listed_node_with_other_settings_is_told_with_the_side_to_change() {
    let folder = tempfile::tempdir().expect("a folder");
    let seeds = folder.path().join("seeds");
    std::fs::write(&seeds, "").expect("a file");
    let listed = format!("--seed-file={}", seeds.display());
    let node = Node::founder(&[&listed]).await;
    let own = status(&socket(&node.folder)).await;
    let api = own["node"]["grpc_addresses"][0].as_str().expect("an API");
    let port = api.rsplit_once(':').expect("a port").1;
    // Another machine, as far as addresses tell, where the API has the same port.
    let seed = format!(
        "--seed={}",
        own["node"]["addresses"][0].as_str().expect("a ring")
    );
    let api = format!("--grpc-listen=127.0.0.2:{port}");
    let at = folder.path().join("other.sock").display().to_string();
    let other = Running::start(&[
        "run",
        "--shared-settings=partitions=7",
        "--formation=majority",
        "--founding-name=solo",
        "--founding-name=other",
        &seed,
        "--node-name=other",
        "--advertise=127.0.0.2",
        "--ring-listen=127.0.0.2:0",
        &api,
        "--http-listen=off",
        "--admin-listen",
        &at,
    ]);
    let theirs = status(&at).await;
    let ring = theirs["node"]["addresses"][0].as_str().expect("a ring");
    std::fs::write(&seeds, ring).expect("a file");

    let said = doctor(&node).await;

    assert_eq!(said.code, 1, "{said:?}");
    let lines = said.json();
    let listed = check(&lines, "listed");
    assert_eq!(listed["verdict"], "fail", "{listed}");
    let found = listed["found"].as_str().unwrap_or_default();
    assert!(found.contains("its shared settings are others"), "{found}");
    let remedy = "change --shared-settings at other, as the members have it";
    assert_eq!(listed["remedy"], remedy);
    assert_eq!(check(&lines, "settings")["verdict"], "fail");

    let said = run(&["doctor", "--json", "--node", &at]).await;

    assert_eq!(said.code, 1, "{said:?}");
    let lines = said.json();
    let found = check(&lines, "node")["found"].as_str().unwrap_or_default();
    let expected = "not a member, and refused: solo refuses other shared settings";
    assert!(found.starts_with(expected), "{found}");
    let remedy = check(&lines, "listed")["remedy"].as_str();
    assert!(remedy.is_some_and(|it| it.contains("--shared-settings at this node")));
    other.terminate().await;
}
