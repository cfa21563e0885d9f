//! How nodes end: by a signal, by two, by a call, by a refusal.

use std::io;
use std::time::Duration;

use discovery_core::Standing;
use discovery_node::app::End;
use discovery_proto::discovery::v1;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::Code;

use crate::stage::{LIMIT, Running, Stage, is_member_of, next, reason};

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

/// Waits until a node has taken the request to end.
async fn draining(node: &Running) {
    let draining = async { while node.get("/readyz").await.0 == 200 {} };
    timeout(LIMIT, draining).await.unwrap();
}

#[tokio::test]
async fn a_first_signal_ends_the_pause_of_a_drain_and_the_node_leaves() {
    let mut nodes = Stage::new().cluster(2).await;
    let node = nodes.pop().unwrap();
    let control = node.control.clone();
    let drained = tokio::spawn(async move { control.end(Duration::from_hours(1)).await });
    draining(&node).await;
    let mut client = node.client().await;
    assert!(
        client.get_topology(v1::GetTopologyRequest {}).await.is_ok(),
        "it still answers"
    );
    node.signal.notify_one();
    assert_eq!(node.ended().await, End::Left);
    assert_eq!(drained.await.unwrap(), Ok(()));
    nodes[0].stands(|standing| is_member_of(standing, 1)).await;
}

#[tokio::test]
async fn a_second_signal_ends_a_node_at_once() {
    let mut nodes = Stage::new().cluster(2).await;
    let node = nodes.pop().unwrap();
    // The one that is left alone of two hears no majority, so that nothing can be decided.
    nodes.pop().unwrap().kill().await;
    node.stands(|standing| matches!(standing, Standing::WithoutQuorum { .. }))
        .await;
    node.signal.notify_one();
    draining(&node).await;
    assert!(
        node.is_running(),
        "a first signal is no reason to go at once"
    );
    node.signal.notify_one();
    assert_eq!(node.ended().await, End::AtOnce);
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

/// A member of a cluster, and a node that it refuses for good.
async fn refused(exit_on_refusal: bool) -> (Running, Running) {
    let stage = Stage::new();
    let member = stage.cluster(1).await.remove(0);
    let (mut config, listeners) = stage.config("other");
    config.ring.settings = 7;
    config.exit_on_refusal = exit_on_refusal;
    let refused = stage.run((config, listeners)).await;
    (member, refused)
}

const WHY: &str = "ring-0 refuses other shared settings: their digest is 0000000000000007 here, \
                   0000000000000000 there; give all nodes the same";

#[tokio::test]
async fn a_node_that_is_refused_for_good_ends_if_it_was_told_to() {
    let (member, refused) = refused(true).await;
    let End::Refused(why) = refused.ended().await else {
        panic!("it was not refused");
    };
    assert_eq!(why, WHY);
    member.stands(|standing| is_member_of(standing, 1)).await;
}

/// What a log is written to.
struct Log(mpsc::Sender<String>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Who reads it may have read enough.
        let _ = self.0.try_send(String::from_utf8_lossy(bytes).into_owned());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How often it says so is tested with `app/refusal.rs`.
#[tokio::test]
async fn a_node_that_is_refused_for_good_says_so_and_waits_unless_told_otherwise() {
    let (log, mut lines) = mpsc::channel(1024);
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::ERROR);
    let subscriber = subscriber.with_writer(move || Log(log.clone())).finish();
    // For this thread, on which everything here runs.
    let _guard = tracing::subscriber::set_default(subscriber);

    let (_member, refused) = refused(false).await;

    let said = async {
        loop {
            let line = lines.recv().await.expect("it goes on");
            if line.contains("the cluster refuses this node; it goes on asking") {
                return line;
            }
        }
    };
    let line = timeout(LIMIT, said).await.expect("it is said in time");
    assert!(line.contains(WHY), "{line}");
    assert!(refused.is_running());
    refused.signal.notify_one();
    assert_eq!(refused.ended().await, End::Left);
}

#[tokio::test]
async fn a_node_whose_protocol_stops_ends_by_itself() {
    let node = Stage::new().cluster(1).await.remove(0);
    node.discovery.shutdown().await;
    assert_eq!(node.ended().await, End::ByItself);
}
