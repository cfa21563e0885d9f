//! How a node ends whatever its clients do: those that never read, never answer, never stop.

use std::time::Duration;

use discovery_core::Standing;
use discovery_node::app::End;
use discovery_proto::discovery::v1;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::stage::{LIMIT, Running, Stage, next};

/// The preface of HTTP/2 with settings that let the node send nothing in answer to a call.
const DEAF: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x06\x04\x00\x00\x00\x00\x00\
                      \x00\x04\x00\x00\x00\x00";

/// Follows the topology and never hears a word of it.
fn deaf_call() -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    for (name, value) in [
        (":path", "/discovery.v1.Discovery/WatchTopology"),
        (":authority", "x"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        block.push(0x00);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.as_bytes());
        }
    }
    let length = u8::try_from(block.len()).unwrap();
    let headers = [&[0, 0, length, 1, 0x4, 0, 0, 0, 1][..], &block].concat();
    // An empty message, and the end of the request.
    let data = [0, 0, 5, 0, 0x1, 0, 0, 0, 1, 0, 0, 0, 0, 0];
    [DEAF, &headers, &data].concat()
}

/// A connection over which the node has begun to answer a client that hears nothing.
async fn deaf(node: &Running) -> TcpStream {
    let mut link = TcpStream::connect(node.grpc).await.unwrap();
    link.write_all(&deaf_call()).await.unwrap();
    // The node's headers of the answer: it is a frame of kind 1 on stream 1.
    let begun = async {
        loop {
            let mut head = [0; 9];
            link.read_exact(&mut head).await.unwrap();
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut body = vec![0; usize::try_from(length).unwrap()];
            link.read_exact(&mut body).await.unwrap();
            if head[3] == 1 && head[8] == 1 {
                return;
            }
        }
    };
    timeout(LIMIT, begun).await.unwrap();
    link
}

/// A watch of the health service, which ends when the node has it end.
async fn health(node: &Running) -> tonic::Streaming<tonic_health::pb::HealthCheckResponse> {
    let endpoint = Endpoint::from_shared(format!("http://{}", node.grpc)).unwrap();
    let mut health = HealthClient::new(endpoint.connect().await.unwrap());
    let service = "readiness".to_owned();
    let watch = health.watch(HealthCheckRequest { service }).await.unwrap();
    let mut watch = watch.into_inner();
    next(&mut watch).await;
    watch
}

/// Waits until the other side of a connection has closed it.
async fn closed(mut link: TcpStream) {
    let mut rest = Vec::new();
    // A reset is an end as well.
    let _ = timeout(LIMIT, link.read_to_end(&mut rest)).await.unwrap();
}

/// Waits until a stream is over, in whatever way.
async fn over<T>(mut answers: tonic::Streaming<T>) {
    let ended = async { while let Ok(Some(_)) = answers.message().await {} };
    timeout(LIMIT, ended).await.expect("the stream goes on");
}

#[tokio::test]
async fn a_node_that_is_dropped_ends_although_somebody_streams() {
    let node = Stage::new().cluster(1).await.remove(0);
    let mut client = node.client().await;
    let request = v1::WatchTopologyRequest { from: None };
    let mut answers = client.watch_topology(request).await.unwrap().into_inner();
    next(&mut answers).await;
    let mut standings = node.discovery.standings();
    node.kill().await;
    over(answers).await;
    let left = standings.wait_for(|standing| *standing == Standing::Left);
    timeout(LIMIT, left)
        .await
        .expect("the ring goes on")
        .unwrap();
}

#[tokio::test]
async fn clients_that_never_read_and_never_end_do_not_hold_a_node() {
    let node = Stage::new().cluster(1).await.remove(0);
    let (deaf, watch) = (deaf(&node).await, health(&node).await);
    let asked = Instant::now();
    node.signal.notify_one();
    assert_eq!(node.ended().await, End::Left);
    // Half of the limit of an orderly end: there is one member to ask, and what remains is cut.
    assert!(
        asked.elapsed() < Duration::from_secs(8),
        "{:?}",
        asked.elapsed()
    );
    closed(deaf).await;
    over(watch).await;
}

#[tokio::test]
async fn a_watch_of_the_health_ends_in_order_with_the_node() {
    let node = Stage::new().cluster(1).await.remove(0);
    let mut watch = health(&node).await;
    node.signal.notify_one();
    let ended = async {
        loop {
            match watch.message().await {
                Ok(Some(_)) => {}
                ended => return ended,
            }
        }
    };
    let ended = timeout(LIMIT, ended).await.unwrap();
    assert!(matches!(ended, Ok(None)), "it was cut: {ended:?}");
    assert_eq!(node.ended().await, End::Left);
}
