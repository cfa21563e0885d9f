//! The examples of `discovery-proto`, run as the programs they are, against nodes that come and go.

use std::path::Path;
use std::time::{Duration, SystemTime};

use discovery_core::Discovery as _;
use discovery_node::app::End;
use discovery_proto::discovery::v1;
use tokio::process::Command;
use tokio::time::{interval, timeout};

use crate::program::{Program, root, skipped};
use crate::stage::{LIMIT, Running, Stage, is_member_of};

/// The example as it was built together with this test, told where these nodes are.
///
/// Cargo names no test the examples of another package: it is none, said in one line, where it was
/// not built or not from this source; in CI it must be.
fn example(name: &str, nodes: &[Running]) -> Option<Program> {
    let own = std::env::current_exe().unwrap();
    let built = own.ancestors().nth(2).unwrap().join("examples").join(name);
    let source = root().join(format!("discovery-proto/examples/{name}.rs"));
    let is_of_this_source = modified(&built).is_some_and(|at| Some(at) >= modified(&source));
    if !is_of_this_source {
        let missing = format!(
            "the example {name} was not run, {} is not built from this source; cargo build \
             --workspace --all-features --examples",
            built.display()
        );
        let is_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
        assert!(!is_ci, "{missing}");
        skipped(&missing);
        return None;
    }
    let addresses = nodes.iter().map(|node| node.grpc.to_string());
    Some(Program::start(Command::new(built).args(addresses)))
}

fn modified(file: &Path) -> Option<SystemTime> {
    file.metadata().and_then(|facts| facts.modified()).ok()
}

/// Has a node leave, and waits until it has ended.
async fn end(stage: &Stage, node: Running) {
    let name = node.discovery.local_node().name().to_string();
    node.signal.notify_one();
    assert_eq!(node.ended().await, End::Left);
    stage.unlist(&name);
}

#[tokio::test]
async fn the_table_shows_changes_and_messages_from_whoever_answers() {
    let stage = Stage::new();
    let mut nodes = stage.cluster(2).await;
    let Some(mut table) = example("table", &nodes) else {
        return;
    };
    assert_eq!(table.members_at(2, 2).await.len(), 2);
    let mut publisher = nodes[1].client().await;
    let mut pace = interval(Duration::from_millis(20));
    // Until one comes after its subscription has begun.
    let publish = async {
        loop {
            pace.tick().await;
            let request = v1::PublishRequest {
                topic: "news".to_owned(),
                payload: b"hello".to_vec(),
                ..v1::PublishRequest::default()
            };
            timeout(LIMIT, publisher.publish(request))
                .await
                .unwrap()
                .unwrap();
        }
    };
    tokio::select! {
        () = publish => {}
        () = table.until(&["news: hello"]) => {}
    }

    end(&stage, nodes.remove(0)).await;
    nodes.push(stage.start("ring-2").await);

    assert_eq!(table.members_at(4, 2).await, ["ring-1", "ring-2"]);
}

/// A call that fails ends the example, and then the test: it must go on to the last line.
#[tokio::test]
async fn balanced_calls_go_on_while_all_nodes_are_replaced_one_after_another() {
    let stage = Stage::new();
    let mut nodes = stage.cluster(3).await;
    let Some(mut balanced) = example("balanced", &nodes) else {
        return;
    };
    balanced.until(&["ring-0", "ring-1", "ring-2"]).await;

    for number in 0..3 {
        end(&stage, nodes.remove(0)).await;
        let name = format!("ring-{}", 3 + number);
        nodes.push(stage.start(&name).await);
        for node in &nodes {
            node.stands(|standing| is_member_of(standing, 3)).await;
        }
        balanced.until(&[&name]).await;
    }

    balanced.until(&["ring-3", "ring-4", "ring-5"]).await;
    assert!(!balanced.line().await.contains("ring-2"));
}

#[tokio::test]
async fn leadership_goes_to_the_next_eldest_and_a_late_write_of_the_last_leader_is_refused() {
    let stage = Stage::new();
    let mut nodes = stage.cluster(2).await;
    let topology = nodes[0].discovery.topology().unwrap();
    let eldest = topology.members()[0].id();
    nodes.sort_by_key(|node| node.discovery.local_node().id() != eldest);
    let Some(mut first) = example("leader", &nodes[..1]) else {
        return;
    };
    let mut second = example("leader", &nodes[1..]).expect("it is built");
    first.until(&["stored 'a word of the leader'"]).await;
    second.until(&["this is ring-"]).await;

    end(&stage, nodes.remove(0)).await;
    nodes[0].stands(|standing| is_member_of(standing, 1)).await;

    first.until(&["leads no more"]).await;
    first.until(&["'one, late' under", "is refused"]).await;
    second.until(&["stored 'a word of the leader'"]).await;
}
