//! Publishing on real sockets: one order everywhere.

use std::sync::Arc;

use discovery_core::{Delivery, Discovery, Message, PublishError, Subscription};
use discovery_tcp::{Formation, TcpDiscovery};
use tokio::time::timeout;

use crate::stage::{LIMIT, Stage, agreed};

const MEMBERS: usize = 10;
const MESSAGES_EACH: usize = 100;

/// The next so many messages that a subscriber is told.
async fn messages(mut deliveries: Box<dyn Subscription>, count: usize) -> Vec<Message> {
    let mut messages = Vec::new();
    while messages.len() < count {
        match deliveries.next().await {
            Some(Delivery::Message(message)) => messages.push(message),
            Some(_) => {}
            None => panic!("ended after {} messages", messages.len()),
        }
    }
    messages
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_messages_of_ten_members_come_in_one_order_everywhere() {
    let stage = Stage::new();
    let nodes = stage.start_all(MEMBERS).await;
    let topology = agreed(&nodes, MEMBERS).await;
    let count = MEMBERS * MESSAGES_EACH;
    let subscribed: Vec<_> = nodes
        .iter()
        .map(|node| tokio::spawn(messages(node.subscribe(Some(topology.id())), count)))
        .collect();
    let publishing: Vec<_> = nodes
        .iter()
        .cloned()
        .map(|node| tokio::spawn(publish(node)))
        .collect();

    let mut positions = Vec::new();
    for published in publishing {
        positions.extend(timeout(LIMIT, published).await.unwrap().unwrap());
    }
    let mut told = Vec::new();
    for messages in subscribed {
        told.push(timeout(LIMIT, messages).await.unwrap().unwrap());
    }
    for messages in &told {
        assert_eq!(*messages, told[0]);
    }
    assert!(told[0].is_sorted_by(|a, b| a.position < b.position));
    // Each publisher was told the positions that its messages have.
    positions.sort_unstable();
    let seen: Vec<u64> = told[0].iter().map(|message| message.position).collect();
    assert_eq!(positions, seen);
    // What one member published one after the other keeps its order.
    for node in &nodes {
        let id = node.local_node().id();
        let own = told[0].iter().filter(|message| message.publisher == id);
        let own: Vec<_> = own.map(|message| message.payload.to_vec()).collect();
        let sent: Vec<_> = (0..MESSAGES_EACH)
            .map(|turn| turn.to_string().into_bytes())
            .collect();
        assert_eq!(own, sent);
    }
}

async fn publish(node: TcpDiscovery) -> Vec<u64> {
    let mut positions = Vec::new();
    for turn in 0..MESSAGES_EACH {
        let payload: Arc<[u8]> = turn.to_string().into_bytes().into();
        let published = node.publish("t".parse().unwrap(), payload).await.unwrap();
        positions.push(published.position);
    }
    positions
}

#[tokio::test]
async fn what_cannot_be_published_is_refused_at_once() {
    let stage = Stage::new();
    let hung = stage.listed("ring-9");
    let waiting = stage.start("ring-0").await;
    let topic = || "t".parse().unwrap();
    let publish = |node: TcpDiscovery, bytes: usize| async move {
        let publishing = node.publish(topic(), vec![0; bytes].into());
        timeout(LIMIT, publishing).await.unwrap().unwrap_err()
    };
    assert_eq!(publish(waiting.clone(), 1).await, PublishError::NotAMember);
    let bytes_max = stage.config.payload_bytes_max;
    let too_large = publish(waiting.clone(), bytes_max + 1).await;
    assert!(matches!(too_large, PublishError::TooLarge { .. }));
    drop(hung);

    let alone = Stage::new();
    let settings = alone.settings("ring-0").listener(alone.listed("ring-0"));
    let alone = settings.formation(Formation::Single).start().await.unwrap();
    agreed(std::slice::from_ref(&alone), 1).await;
    timeout(LIMIT, alone.leave()).await.unwrap().unwrap();
    let refused = publish(alone, 1).await;
    assert!(
        matches!(refused, PublishError::NotAMember | PublishError::Leaving),
        "{refused}"
    );
}
