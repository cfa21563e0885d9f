//! Calls spread over all members, whoever comes and goes: restart all nodes one after another while
//! it runs, and no call fails after its retries. One that does ends the program.
//! `cargo run -p discovery-proto --features client --example balanced -- 127.0.0.1:47510`
#![allow(clippy::print_stdout, reason = "an example prints what it sees")]

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use discovery_proto::client::{Retry, TopologyClient, TopologyClientConfig};
use discovery_proto::discovery::v1::GetTopologyRequest;
use discovery_proto::discovery::v1::discovery_client::DiscoveryClient;
use tonic::Status;
use tonic::transport::Channel;

/// How long to wait for the first topology.
const FIRST: Duration = Duration::from_secs(30);

/// How many calls there are to a line of output.
const ROUND: u32 = 100;

/// The pause between two calls.
const PAUSE: Duration = Duration::from_millis(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let addresses = std::env::args().skip(1);
    let client = TopologyClient::follow(addresses, TopologyClientConfig::default())?;
    client.ready(FIRST).await?;
    // A service of your own that stands beside each node is called over such a channel as well.
    let node = DiscoveryClient::new(client.channel());
    let retry = Retry::default();
    loop {
        let mut answers: BTreeMap<String, u32> = BTreeMap::new();
        for _ in 0..ROUND {
            let who = retry.call(|| ask(node.clone())).await?;
            *answers.entry(who).or_default() += 1;
            tokio::time::sleep(PAUSE).await;
        }
        println!("{answers:?}");
    }
}

/// Whoever answers says its name.
async fn ask(mut node: DiscoveryClient<Channel>) -> Result<String, Status> {
    let answer = node.get_topology(GetTopologyRequest {}).await?;
    Ok(answer.into_inner().node.unwrap_or_default().name)
}
