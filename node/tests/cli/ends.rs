//! Exit codes of commands and nodes that are ended before they are done.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::hosted::{Node, socket};
use crate::program::Running;

/// Longest wait for a command to connect.
const LIMIT: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_command_that_is_ended_says_by_which_signal() {
    // Somebody who never answers.
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = nobody.local_addr().expect("an address").to_string();
    for (signal, code) in [("-TERM", 143), ("-INT", 130)] {
        let command = Running::start(&["status", "--node", &address]);
        // Its connection says that it runs and listens to signals.
        let link = timeout(LIMIT, nobody.accept()).await.expect("in time");
        command.signal(signal).await;
        let ended = command.ended().await;
        assert_eq!(ended.code, code, "{signal}: {ended:?}");
        drop(link);
    }
}

#[tokio::test]
async fn who_follows_a_node_that_is_killed_is_told_that_it_is_not_reached() {
    let node = Node::start().await;
    let at = socket(&node.folder);
    let mut followers = Vec::new();
    for args in [
        ["events", "-o", "json", "--node", &at],
        ["topology", "--watch", "-o=json", "--node", &at],
    ] {
        let mut follower = Running::start(&args);
        // What it is told first says that it follows.
        follower.line().await;
        followers.push(follower);
    }
    node.program.signal("-KILL").await;
    for follower in followers {
        let ended = follower.ended().await;
        assert_eq!(ended.code, 6, "{ended:?}");
        assert!(ended.err.contains("the node went away"), "{}", ended.err);
    }
}

#[tokio::test]
async fn a_node_that_waits_for_others_is_not_in_force() {
    let node = Node::waiting().await;
    let told = node.ask(&["topology"]).await;
    assert_eq!(told.code, 5, "{told:?}");
    assert!(told.out.contains("it waits for"), "{}", told.out);
    // It is a member of nothing that it could leave.
    assert_eq!(node.program.terminate().await.code, 0);
}

#[tokio::test]
async fn a_second_signal_ends_a_node_at_once() {
    for (signal, code) in [("-TERM", 143), ("-INT", 130)] {
        let node = Node::start().await;
        let other = node.joined_by("other").await;
        // One of two decides nothing, and so not its own leave either.
        drop(other);
        node.until_it_exits("status", 5).await;
        let mut program = node.program;
        // Signals that come together count as one: send them until it has heard two.
        for _ in 0..200 {
            program.signal(signal).await;
            if program.has_ended().await {
                break;
            }
        }
        assert_eq!(program.ended().await.code, code, "{signal}");
    }
}
