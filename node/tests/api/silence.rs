//! Connections whose other end has gone silent: the node asks, waits, closes, and gives their
//! places to others.

use std::net::SocketAddr;
use std::time::Duration;

use discovery_node::config::ApiLimits;
use discovery_proto::discovery::v1;
use discovery_proto::discovery::v1::discovery_client::DiscoveryClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::Streaming;
use tonic::transport::Channel;

use crate::stage::{LIMIT, Running, Stage, is_member_of, next, reason};

const INTERVAL: Duration = Duration::from_millis(200);

/// Time for a living client's answer, on a busy machine too.
const ANSWER: Duration = Duration::from_secs(2);

/// What closing may take besides: together well below the 30 s that hold by default.
const BESIDE: Duration = Duration::from_secs(15);

/// A node that founds alone, grants so many streams, and finds silence soon.
async fn node(streams_max: usize) -> Running {
    let stage = Stage::new();
    let (mut config, listeners) = stage.config("ring-0");
    config.streams_max = streams_max;
    let mut limits = ApiLimits::default();
    limits.keepalive_interval = INTERVAL;
    limits.keepalive_timeout = ANSWER;
    config.api = limits;
    let node = stage.run((config, listeners)).await;
    node.stands(|standing| is_member_of(standing, 1)).await;
    node
}

/// A way to a node on which the client's words can be held back; the node's own are always taken.
struct Way {
    address: SocketAddr,
    hush: oneshot::Sender<()>,
    /// Ends when the node has closed its side.
    closed: JoinHandle<()>,
}

impl Way {
    async fn to(node: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (hush, hushed) = oneshot::channel::<()>();
        let closed = tokio::spawn(async move {
            let (client, _) = listener.accept().await.unwrap();
            let (mut from_client, mut to_client) = client.into_split();
            let served = TcpStream::connect(node).await.unwrap();
            let (mut from_node, mut to_node) = served.into_split();
            tokio::select! {
                _ = copy(&mut from_client, &mut to_node) => panic!("the client has gone"),
                _ = copy(&mut from_node, &mut to_client) => panic!("closed before it was silent"),
                _ = hushed => {}
            }
            // A reset is an end too.
            let _ = copy(&mut from_node, &mut sink()).await;
        });
        Self {
            address,
            hush,
            closed,
        }
    }
}

async fn watch(
    client: &mut DiscoveryClient<Channel>,
) -> Result<Streaming<v1::WatchTopologyResponse>, tonic::Status> {
    let asked = client.watch_topology(v1::WatchTopologyRequest { from: None });
    Ok(timeout(LIMIT, asked).await.unwrap()?.into_inner())
}

async fn client(address: SocketAddr) -> DiscoveryClient<Channel> {
    let connected = DiscoveryClient::connect(format!("http://{address}"));
    timeout(LIMIT, connected).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_client_that_goes_silent_is_closed_and_its_place_given_to_another() {
    let node = node(2).await;
    let (living, silent) = (Way::to(node.grpc).await, Way::to(node.grpc).await);
    let mut living_client = client(living.address).await;
    let mut silent_client = client(silent.address).await;
    let mut lived = watch(&mut living_client).await.unwrap();
    let mut held = watch(&mut silent_client).await.unwrap();
    next(&mut held).await;
    let mut third = client(node.grpc).await;
    let refused = watch(&mut third).await.unwrap_err();
    assert_eq!(reason(&refused), "TOO_MANY_STREAMS");

    silent.hush.send(()).unwrap();

    let closed = timeout(INTERVAL + ANSWER + BESIDE, silent.closed).await;
    closed.expect("it is still open").unwrap();
    let admitted = async {
        loop {
            match watch(&mut third).await {
                Ok(answers) => return answers,
                Err(status) => assert_eq!(reason(&status), "TOO_MANY_STREAMS"),
            }
        }
    };
    next(&mut timeout(LIMIT, admitted).await.unwrap()).await;
    // Who answered was asked as well, and is served on the same connection.
    next(&mut lived).await;
    let topology = living_client.get_topology(v1::GetTopologyRequest {});
    timeout(LIMIT, topology).await.unwrap().unwrap();
    assert!(!living.closed.is_finished());
}

/// What a client of HTTP/2 begins with: the preface, and settings that change nothing.
const OPENING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// The kind of frame that asks whether the other end lives.
const PING: u8 = 6;

/// The kinds of the frames in these bytes.
fn frames(mut bytes: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let [a, b, c, kind, _, _, _, _, _, rest @ ..] = bytes {
        kinds.push(*kind);
        let length = u32::from_be_bytes([0, *a, *b, *c]);
        let length = usize::try_from(length).unwrap();
        bytes = rest.get(length..).unwrap_or_default();
    }
    kinds
}

#[tokio::test]
async fn a_connection_that_only_opens_is_asked_and_closed() {
    let node = node(1).await;
    let mut link = TcpStream::connect(node.grpc).await.unwrap();
    link.write_all(OPENING).await.unwrap();
    let mut heard = Vec::new();

    let closed = timeout(INTERVAL + ANSWER + BESIDE, link.read_to_end(&mut heard)).await;

    // A reset is an end too.
    let _ = closed.expect("it is still open");
    let kinds = frames(&heard);
    assert!(
        kinds.contains(&PING),
        "closed without being asked: {kinds:?}"
    );
}

#[tokio::test]
async fn a_connection_that_never_begins_is_closed() {
    let node = node(1).await;
    let mut links = Vec::new();
    for said in [0, 1, OPENING.len() / 2] {
        let mut link = TcpStream::connect(node.grpc).await.unwrap();
        link.write_all(&OPENING[..said]).await.unwrap();
        links.push(link);
    }
    for mut link in links {
        let closed = timeout(ANSWER + BESIDE, link.read_to_end(&mut Vec::new())).await;
        // A reset is an end too.
        let _ = closed.expect("it is still open");
    }
    let mut client = client(node.grpc).await;
    let topology = client.get_topology(v1::GetTopologyRequest {});
    timeout(LIMIT, topology).await.unwrap().unwrap();
}
