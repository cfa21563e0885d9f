//! How nodes end: by a signal, by two, by a call, by a refusal.

use std::time::Duration;

use discovery_node::app::End;
use discovery_proto::discovery::v1;
use tokio::time::timeout;
use tonic::Code;

use crate::stage::{LIMIT, Stage, is_member_of, next, reason};

#[tokio::test]
async fn a_signal_lets_a_node_leave_and_ends_its_streams_as_unavailable() {
    let mut nodes = Stage::new().cluster(3).await;
    let leaver = nodes.pop().unwrap();
    let mut client = leaver.client().await;
    let request = v1::WatchTopologyRequest { from: None };
    let mut answers = client.watch_topology(request).await.unwrap().into_inner();
    next(&mut answers).await;
    leaver.signal.notify_one();
    let ended = async {
        loop {
            match answers.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the stream ended without a word"),
                Err(status) => return status,
            }
        }
    };
    let status = timeout(LIMIT, ended).await.unwrap();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Unavailable, "SHUTTING_DOWN")
    );
    assert_eq!(leaver.ended().await, End::Left);
    for node in &nodes {
        node.stands(|standing| is_member_of(standing, 2)).await;
    }
}

#[tokio::test]
async fn a_second_signal_ends_a_node_at_once() {
    let nodes = Stage::new().cluster(1).await;
    let node = nodes.into_iter().next().unwrap();
    let control = node.control.clone();
    let pause = tokio::spawn(async move { control.end(Duration::from_hours(1)).await });
    node.stands(|standing| is_member_of(standing, 1)).await;
    let mut client = node.client().await;
    let draining = async {
        loop {
            // It is not ready once it has taken the request to end.
            if node.get("/readyz").await.0 != 200 {
                return;
            }
        }
    };
    timeout(LIMIT, draining).await.unwrap();
    assert!(
        client.get_topology(v1::GetTopologyRequest {}).await.is_ok(),
        "it still answers"
    );
    node.signal.notify_one();
    assert_eq!(node.ended().await, End::AtOnce);
    assert!(pause.await.unwrap().is_err());
}

#[tokio::test]
async fn the_application_beside_a_node_may_have_it_leave() {
    let mut nodes = Stage::new().cluster(2).await;
    let leaver = nodes.pop().unwrap();
    let left = leaver.client().await.leave(v1::LeaveRequest {}).await;
    assert!(left.unwrap().into_inner().decided);
    assert_eq!(leaver.ended().await, End::Left);
    nodes[0].stands(|standing| is_member_of(standing, 1)).await;
}

#[tokio::test]
async fn a_node_that_is_refused_for_good_waits_or_ends_as_it_was_told() {
    let stage = Stage::new();
    let members = stage.cluster(1).await;
    let (mut config, listeners) = stage.config("other");
    config.ring.settings = 7;
    config.exit_on_refusal = true;
    let refused = stage.run((config, listeners)).await;
    let End::Refused(why) = refused.ended().await else {
        panic!("it was not refused");
    };
    let wanted = "ring-0 refuses other shared settings: their digest is 0000000000000007 here, \
                  0000000000000000 there; give all nodes the same";
    assert_eq!(why, wanted);
    members[0]
        .stands(|standing| is_member_of(standing, 1))
        .await;
}
