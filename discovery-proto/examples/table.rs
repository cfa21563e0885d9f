//! A table of the cluster, kept by whoever is outside of it: every change of the topology and every
//! message, from whichever node answers.
//! `cargo run -p discovery-proto --features client --example table -- 127.0.0.1:47510`
#![allow(clippy::print_stdout, reason = "an example prints what it sees")]

use std::error::Error;
use std::time::Duration;

use discovery_proto::client::{Followed, Retry, TopologyClient, TopologyClientConfig, Update};
use discovery_proto::discovery::v1;
use discovery_proto::discovery::v1::discovery_client::DiscoveryClient;
use discovery_proto::discovery::v1::subscribe_response::Kind;
use tonic::Status;
use tonic::transport::Channel;

/// How long to wait for the first topology.
const FIRST: Duration = Duration::from_secs(30);

/// How long to wait before the messages are asked for at another node.
const PAUSE: Duration = Duration::from_millis(250);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let addresses = std::env::args().skip(1);
    let client = TopologyClient::follow(addresses, TopologyClientConfig::default())?;
    client.ready(FIRST).await?;
    let mut updates = client.updates();
    let table = async {
        while let Some(update) = updates.next().await {
            show(&update);
        }
        Ok(())
    };
    tokio::select! {
        ended = table => ended,
        ended = messages(client.channel()) => ended,
    }
}

fn show(update: &Update) {
    match update {
        Update::Changed { topology, .. } => rows(topology),
        Update::Snapshot { topology, gap } => {
            if let Some(gap) = gap {
                println!("begin anew: {gap}");
            }
            rows(topology);
        }
        Update::Followed(Followed::Node { address }) => println!("told by {address}"),
        Update::Followed(Followed::Nobody { why }) => println!("may be stale: {why}"),
        _ => {}
    }
}

fn rows(topology: &v1::Topology) {
    let id = topology.id.clone().unwrap_or_default();
    println!("epoch {} version {}", id.epoch, id.version);
    for member in &topology.members {
        let node = member.node.clone().unwrap_or_default();
        let served = node.grpc_addresses.first();
        let served = served.map_or("-", String::as_str);
        println!("  {:>4} {:20} {served}", member.order, node.name);
    }
}

/// Prints all messages. A stream that ends goes on at another member behind the last cursor.
async fn messages(channel: Channel) -> Result<(), Box<dyn Error>> {
    let node = DiscoveryClient::new(channel);
    let retry = Retry::default();
    let mut from = None;
    loop {
        let request = v1::SubscribeRequest {
            topic: String::new(),
            from: from.clone(),
        };
        let asked = retry.call(|| {
            let (mut node, request) = (node.clone(), request.clone());
            async move { node.subscribe(request).await }
        });
        let mut told = asked.await?.into_inner();
        let ended = loop {
            match told.message().await {
                Ok(Some(answer)) => from = print(answer).or(from),
                Ok(None) => break Status::unavailable("the stream ended"),
                Err(status) => break status,
            }
        };
        println!("messages go on elsewhere: {}", ended.message());
        tokio::time::sleep(PAUSE).await;
    }
}

/// Prints a message; where the stream is behind it.
fn print(answer: v1::SubscribeResponse) -> Option<v1::Cursor> {
    match answer.kind? {
        Kind::Message(message) => {
            let said = String::from_utf8_lossy(&message.payload);
            println!("{}: {said}", message.topic);
            message.cursor
        }
        Kind::Checkpoint(checkpoint) => checkpoint.cursor,
        Kind::Gap(gap) => {
            println!("messages may be missing: {:?}", gap.cause());
            gap.resumed
        }
    }
}
