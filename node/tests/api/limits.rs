//! What a node grants to its callers: so many streams, so much time, so large a request.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use discovery_node::config::{ApiLimits, NodeConfig};
use discovery_node::grpc::REQUEST_BYTES_MAX;
use discovery_proto::discovery::v1;
use discovery_proto::discovery::v1::discovery_client::DiscoveryClient;
use discovery_proto::discovery::v1::subscribe_response::Kind;
use futures_util::stream::pending;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use prost::Message as _;
use tokio::time::{Instant, timeout};
use tonic::codegen::http;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status, Streaming};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::apart::Apart;
use crate::stage::{LIMIT, Running, Stage, is_member_of, next, reason};

/// Silence that the ring bears: no node is found dead while a test holds one still.
const PATIENCE: Duration = Duration::from_secs(30);

/// What "soon" may take on a busy machine, well below [`PATIENCE`] and the limits by default.
const SOON: Duration = Duration::from_secs(15);

fn message(text: &str) -> v1::PublishRequest {
    v1::PublishRequest {
        topic: "t".to_owned(),
        payload: text.into(),
        idempotency_key: format!("key-of-{text}"),
    }
}

/// A node that founds alone, changed so.
async fn alone(change: impl FnOnce(&mut NodeConfig)) -> Running {
    let stage = Stage::new();
    let (mut config, listeners) = stage.config("ring-0");
    change(&mut config);
    let node = stage.run((config, listeners)).await;
    node.stands(|standing| is_member_of(standing, 1)).await;
    node
}

/// One node of two with these limits, and the other one, without which nothing is decided.
async fn pair(limits: impl FnOnce(&mut ApiLimits)) -> (Running, Apart) {
    let stage = Stage::new();
    let (mut near, mut far) = (stage.config("ring-0"), stage.config("ring-1"));
    near.0.ring.silence_limit = PATIENCE;
    far.0.ring.silence_limit = PATIENCE;
    limits(&mut near.0.api);
    let far = Apart::start(&stage, far);
    let near = stage.run(near).await;
    near.stands(|standing| is_member_of(standing, 2)).await;
    (near, far)
}

/// A link that leaves deadlines to the node; that of `tonic` keeps them itself.
fn bare<B>() -> Client<HttpConnector, B>
where
    B: tonic::codegen::Body<Data: Send> + Send,
{
    Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http()
}

async fn subscribe(
    client: &mut DiscoveryClient<Channel>,
) -> Result<Streaming<v1::SubscribeResponse>, Status> {
    let asked = client.subscribe(v1::SubscribeRequest::default());
    Ok(timeout(LIMIT, asked).await.unwrap()?.into_inner())
}

/// The text of the next message.
async fn text(answers: &mut Streaming<v1::SubscribeResponse>) -> String {
    loop {
        match next(answers).await.kind.unwrap() {
            Kind::Message(message) => return String::from_utf8(message.payload).unwrap(),
            Kind::Checkpoint(_) => {}
            Kind::Gap(gap) => panic!("{gap:?}"),
        }
    }
}

#[tokio::test]
async fn one_stream_more_than_the_limit_is_refused_until_another_ends() {
    let node = alone(|config| config.streams_max = 2).await;
    let mut client = node.client().await;
    let mut first = subscribe(&mut client).await.unwrap();
    let second = subscribe(&mut node.client().await).await.unwrap();
    let watch = || v1::WatchTopologyRequest { from: None };

    let of_messages = subscribe(&mut client).await.unwrap_err();
    let of_changes = client.watch_topology(watch()).await.unwrap_err();

    for status in [of_messages, of_changes] {
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::ResourceExhausted, "TOO_MANY_STREAMS")
        );
    }
    client.publish(message("still here")).await.unwrap();
    assert_eq!(text(&mut first).await, "still here");
    drop(second);
    // The node hears of it in its own time.
    let admitted = async {
        loop {
            match client.watch_topology(watch()).await {
                Ok(answers) => return answers.into_inner(),
                Err(status) => assert_eq!(reason(&status), "TOO_MANY_STREAMS"),
            }
        }
    };
    let mut third = timeout(LIMIT, admitted).await.unwrap();
    next(&mut third).await;
    let fourth = subscribe(&mut client).await.unwrap_err();
    assert_eq!(reason(&fourth), "TOO_MANY_STREAMS", "one place was free");
    client.publish(message("and here")).await.unwrap();
    assert_eq!(text(&mut first).await, "and here");
    let (_, told) = node.get("/metrics").await;
    let value = |name: &str| {
        let line = told.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {told}"))
            .trim()
            .parse::<u32>()
            .unwrap()
    };
    assert_eq!(value("discovery_api_streams"), 2);
    // That of the second client may not be over yet.
    assert!((1..=2).contains(&value("discovery_api_connections{listener=\"grpc\"}")));
    assert_eq!(value("discovery_api_connections{listener=\"http\"}"), 1);
    assert!(value("discovery_api_refused_total{reason=\"too_many_streams\"}") >= 3);
}

#[tokio::test]
async fn a_callers_deadline_is_kept_and_a_retry_after_it_publishes_once() {
    let (node, other) = pair(|_| {}).await;
    let mut answers = subscribe(&mut node.client().await).await.unwrap();
    let origin = format!("http://{}", node.grpc).parse().unwrap();
    let mut client = DiscoveryClient::with_origin(bare(), origin);
    let held = other.hold().await;
    let (asked, mut request) = (Duration::from_millis(500), Request::new(message("once")));
    request.set_timeout(asked);
    let start = Instant::now();

    let answer = timeout(LIMIT, client.publish(request)).await.unwrap();

    let (status, took) = (answer.unwrap_err(), start.elapsed());
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::DeadlineExceeded, "DEADLINE"),
        "{status}"
    );
    assert_eq!(status.message(), "not done within 500ms");
    assert!((asked / 2..SOON).contains(&took), "it took {took:?}");
    drop(held);
    for text in ["once", "last"] {
        let published = client.publish(message(text));
        timeout(LIMIT, published).await.unwrap().unwrap();
    }
    let told = [text(&mut answers).await, text(&mut answers).await];
    assert_eq!(told, ["once", "last"]);
}

#[tokio::test]
async fn a_call_that_waits_for_a_decision_ends_at_the_nodes_own_limit() {
    let limit = Duration::from_millis(400);
    let (node, other) = pair(|limits| limits.decision = limit).await;
    let origin = format!("http://{}", node.grpc).parse().unwrap();
    let mut client = DiscoveryClient::with_origin(bare(), origin);
    let _held = other.hold().await;
    for asked in [None, Some(Duration::from_hours(1))] {
        let mut request = Request::new(message("never"));
        if let Some(asked) = asked {
            request.set_timeout(asked);
        }
        let start = Instant::now();

        let answer = timeout(LIMIT, client.publish(request)).await.unwrap();

        let (status, took) = (answer.unwrap_err(), start.elapsed());
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::DeadlineExceeded, "DEADLINE"),
            "{status}"
        );
        assert_eq!(status.message(), "not done within 400ms");
        assert!((limit / 2..SOON).contains(&took), "it took {took:?}");
    }
    let topology = client.get_topology(v1::GetTopologyRequest {}).await;
    assert!(topology.unwrap().into_inner().topology.is_some());
}

#[tokio::test]
async fn a_request_that_never_ends_is_over_at_the_limit_too() {
    let limit = Duration::from_millis(400);
    let node = alone(|config| config.api.decision = limit).await;
    let method = "discovery.v1.Discovery/Publish";
    let request = http::Request::post(format!("http://{}/{method}", node.grpc))
        .header("content-type", "application/grpc")
        .header("te", "trailers");

    let unfinished = Body::from_stream(pending::<Result<Vec<u8>, Infallible>>());

    let answer = bare().request(request.body(unfinished).unwrap());

    let answer = timeout(SOON, answer).await.unwrap().unwrap();
    let status = Status::from_header_map(answer.headers()).unwrap();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::DeadlineExceeded, "DEADLINE")
    );
}

#[tokio::test]
async fn a_message_as_long_as_was_configured_is_taken_and_one_byte_more_is_refused_as_a_message() {
    let longest = 512 * 1024;
    let node = alone(|config| config.ring.payload_bytes_max = longest).await;
    let mut client = node.client().await;
    let mut answers = subscribe(&mut client).await.unwrap();
    let mut request = v1::PublishRequest {
        topic: "t".to_owned(),
        payload: vec![b'x'; longest],
        idempotency_key: String::new(),
    };
    client.publish(request.clone()).await.unwrap();
    assert_eq!(text(&mut answers).await.len(), longest);
    request.payload.push(b'x');
    let over = client.publish(request).await.unwrap_err();
    assert_eq!(reason(&over), "TOO_LARGE", "{over}");
}

#[tokio::test]
async fn a_request_over_the_limit_is_refused_with_both_sizes_and_nothing_else_is_hurt() {
    let node = alone(|_| {}).await;
    let mut client = node.client().await;
    let mut answers = subscribe(&mut client).await.unwrap();
    let mut request = message("");
    let more = REQUEST_BYTES_MAX - request.encoded_len();
    request.payload = vec![0; more];
    request.payload = vec![0; more - (request.encoded_len() - REQUEST_BYTES_MAX)];
    assert_eq!(request.encoded_len(), REQUEST_BYTES_MAX);
    let just = client.publish(request.clone()).await.unwrap_err();
    assert_eq!(reason(&just), "TOO_LARGE", "it was read, as a message");
    request.payload.push(0);

    let over = client.publish(request).await.unwrap_err();
    let service = "x".repeat(REQUEST_BYTES_MAX);
    let endpoint = Endpoint::from_shared(format!("http://{}", node.grpc)).unwrap();
    let mut health = HealthClient::new(endpoint.connect().await.unwrap());
    let too_long = health
        .check(HealthCheckRequest { service })
        .await
        .unwrap_err();

    for (status, bytes) in [(over, 1), (too_long, 4)] {
        assert_eq!(status.code(), Code::OutOfRange, "{status}");
        for size in [REQUEST_BYTES_MAX + bytes, REQUEST_BYTES_MAX] {
            let size = size.to_string();
            assert!(status.message().contains(&size), "{status}");
        }
    }
    client.publish(message("goes on")).await.unwrap();
    assert_eq!(text(&mut answers).await, "goes on");
}
