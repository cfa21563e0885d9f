//! `Publish` and `Subscribe`: one order everywhere, retries that are safe, places to go on from.

use discovery_core::Discovery as _;
use discovery_proto::discovery::v1;
use discovery_proto::discovery::v1::subscribe_response::Kind;
use tonic::Code;

use crate::stage::{Running, Stage, is_member_of, next, reason};

async fn publish(node: &Running, text: &str, key: &str) -> v1::PublishResponse {
    let request = v1::PublishRequest {
        topic: "t".to_owned(),
        payload: text.into(),
        idempotency_key: key.to_owned(),
    };
    node.client()
        .await
        .publish(request)
        .await
        .unwrap()
        .into_inner()
}

async fn subscribe(
    node: &Running,
    from: Option<v1::Cursor>,
) -> tonic::Streaming<v1::SubscribeResponse> {
    let topic = "t".to_owned();
    let request = v1::SubscribeRequest { topic, from };
    let mut answers = node
        .client()
        .await
        .subscribe(request)
        .await
        .unwrap()
        .into_inner();
    let first = next(&mut answers).await.kind.unwrap();
    assert!(matches!(first, Kind::Checkpoint(_)), "{first:?}");
    answers
}

/// The next message, checkpoints aside; a gap fails the test.
async fn message(answers: &mut tonic::Streaming<v1::SubscribeResponse>) -> v1::PublishedMessage {
    loop {
        match next(answers).await.kind.unwrap() {
            Kind::Message(message) => return message,
            Kind::Checkpoint(_) => {}
            Kind::Gap(gap) => panic!("{gap:?}"),
        }
    }
}

#[tokio::test]
async fn messages_come_in_one_order_everywhere_and_a_subscriber_goes_on_elsewhere() {
    let nodes = Stage::new().cluster(3).await;
    let mut readers = Vec::new();
    for node in &nodes {
        readers.push(subscribe(node, None).await);
    }
    for (number, node) in nodes.iter().enumerate() {
        publish(node, &format!("from {number}"), "").await;
    }
    let mut orders = Vec::new();
    for reader in &mut readers {
        let mut order = Vec::new();
        for _ in 0..3 {
            order.push(message(reader).await);
        }
        orders.push(order);
    }
    assert_eq!((&orders[1], &orders[2]), (&orders[0], &orders[0]));
    let mut again = subscribe(&nodes[1], orders[0][0].cursor.clone()).await;
    assert_eq!(message(&mut again).await, orders[0][1]);
}

#[tokio::test]
async fn a_reader_of_a_quiet_topic_keeps_its_place_while_others_are_loud() {
    let stage = Stage::new();
    let (mut config, listeners) = stage.config("ring-0");
    config.services.history_max = 300;
    let node = stage.run((config, listeners)).await;
    node.stands(|standing| is_member_of(standing, 1)).await;
    let mut quiet = subscribe(&node, None).await;
    publish(&node, "before", "").await;
    let before = message(&mut quiet).await.cursor;
    let loud = async || {
        for _ in 0..256 {
            let published = node
                .discovery
                .publish("loud".parse().unwrap(), [0; 8][..].into());
            published.await.unwrap();
        }
    };
    loud().await;
    let told = next(&mut quiet).await.kind.unwrap();
    let Kind::Checkpoint(checkpoint) = told else {
        panic!("{told:?}");
    };
    loud().await;

    let mut again = subscribe(&node, checkpoint.cursor).await;

    publish(&node, "after", "").await;
    assert_eq!(message(&mut again).await.payload, b"after");
    assert_eq!(message(&mut quiet).await.payload, b"after");
    let request = v1::SubscribeRequest {
        topic: "t".to_owned(),
        from: before,
    };
    let lost = node.client().await.subscribe(request).await.unwrap();
    let told = next(&mut lost.into_inner()).await.kind.unwrap();
    assert!(matches!(told, Kind::Gap(_)), "without it: {told:?}");
}

#[tokio::test]
async fn a_retry_through_another_node_is_delivered_once_and_answered_with_the_first() {
    let nodes = Stage::new().cluster(3).await;
    let mut reader = subscribe(&nodes[2], None).await;
    let first = publish(&nodes[0], "once", "k-1").await;
    assert!(!first.was_repeated);
    let second = publish(&nodes[1], "once", "k-1").await;
    assert!(second.was_repeated);
    assert_eq!(second.cursor, first.cursor);
    // Both at a time, through two nodes that know of neither.
    let (left, right) = tokio::join!(
        publish(&nodes[0], "both", "k-2"),
        publish(&nodes[1], "both", "k-2"),
    );
    assert_eq!(left.cursor, right.cursor);
    assert_ne!(left.was_repeated, right.was_repeated);
    publish(&nodes[0], "last", "").await;
    let mut texts = Vec::new();
    for _ in 0..3 {
        let told = message(&mut reader).await;
        texts.push((
            String::from_utf8(told.payload).unwrap(),
            told.idempotency_key,
        ));
    }
    let expected = [("once", "k-1"), ("both", "k-2"), ("last", "")];
    assert_eq!(
        texts,
        expected.map(|(text, key)| (text.to_owned(), key.to_owned()))
    );
}

#[tokio::test]
async fn what_cannot_be_published_is_refused_with_its_reason() {
    let stage = Stage::new();
    let nodes = stage.cluster(1).await;
    let mut client = nodes[0].client().await;
    let request = |topic: &str, bytes: usize, key: usize| v1::PublishRequest {
        topic: topic.to_owned(),
        payload: vec![0; bytes],
        idempotency_key: "k".repeat(key),
    };
    for (request, code, why) in [
        (request("", 1, 0), Code::InvalidArgument, "INVALID"),
        (request("t", 1, 129), Code::InvalidArgument, "INVALID"),
        (request("t", 65_537, 0), Code::InvalidArgument, "TOO_LARGE"),
        (request("t", 65_536, 1), Code::InvalidArgument, "TOO_LARGE"),
        (request("t", 200_000, 0), Code::OutOfRange, ""),
    ] {
        let status = client.publish(request).await.unwrap_err();
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (code, why),
            "{status}"
        );
    }
    client.publish(request("t", 65_536, 0)).await.unwrap();
    // A pod that is listed and never answers holds formation up.
    let alone = Stage::new();
    let (_, _held) = alone.config("held");
    let newcomer = alone.start("ring-0").await;
    let status = newcomer
        .client()
        .await
        .publish(request("t", 1, 0))
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "NOT_A_MEMBER");
}
