//! A leader elected over gRPC, and what its fencing token is for: the application beside the eldest
//! member leads, and whatever it writes carries the token, so that a store can refuse a leader of
//! yesterday. Run one beside each node, with the address of that node alone.
//! `cargo run -p discovery-proto --features client --example leader -- 127.0.0.1:47510`
#![allow(clippy::print_stdout, reason = "an example prints what it sees")]

use std::error::Error;

use discovery_proto::client::{Followed, TopologyClient, TopologyClientConfig};
use discovery_proto::discovery::v1;
use discovery_proto::discovery::v1::discovery_client::DiscoveryClient;

/// Compared in this order; the greater was decided later.
type Token = (u64, u64, u64, u64);

/// What the leader writes to. It knows nothing of clusters but the highest token it has seen.
#[derive(Default)]
struct Store {
    fence: Token,
}

impl Store {
    fn write(&mut self, what: &str, token: Token) -> Result<(), String> {
        if token < self.fence {
            let fence = self.fence;
            return Err(format!(
                "'{what}' under {token:?} is refused: seen {fence:?}"
            ));
        }
        self.fence = token;
        println!("stored '{what}' under {token:?}");
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).ok_or("give the node's HOST:PORT")?;
    let local = local_node(&address).await?;
    let client = TopologyClient::follow([&address], TopologyClientConfig::default())?;
    let (mut updates, mut store, mut led) = (client.updates(), Store::default(), None);
    let mut under_way = None;
    println!("this is {} ({})", local.name, local.id);
    while updates.next().await.is_some() {
        let now = lead(&client, &local.id);
        match (led, now) {
            (_, Some(token)) if led != now => store.write("a word of the leader", token)?,
            (Some(yesterday), None) => {
                println!("leads no more");
                under_way = Some(yesterday);
            }
            _ => {}
        }
        led = now;
        // The topology after it may become known later than that it leads no more.
        let after = client.topology().and_then(|topology| token(&topology));
        if let (Some(yesterday), Some(after)) = (under_way, after)
            && after > yesterday
        {
            late(&mut store, yesterday, after);
            under_way = None;
        }
    }
    Ok(())
}

/// What a leader of yesterday had under way arrives after the first word of its successor, which
/// this program speaks for it: a real store is one for all.
fn late(store: &mut Store, yesterday: Token, after: Token) {
    for (what, token) in [("a word of the successor", after), ("one, late", yesterday)] {
        if let Err(refused) = store.write(what, token) {
            println!("{refused}");
        }
    }
}

/// The node that the application stands beside.
async fn local_node(address: &str) -> Result<v1::Node, Box<dyn Error>> {
    let mut node = DiscoveryClient::connect(format!("http://{address}")).await?;
    let answer = node.get_topology(v1::GetTopologyRequest {}).await?;
    Ok(answer
        .into_inner()
        .node
        .ok_or("it does not say who it is")?)
}

/// The token to lead by: the local node is the eldest of a topology that is in force.
///
/// Who follows nobody must stop by itself; the token covers the time until it has noticed.
fn lead(client: &TopologyClient, local: &str) -> Option<Token> {
    let Followed::Node { .. } = client.followed() else {
        return None;
    };
    let topology = client.topology()?;
    let eldest = topology.members.first()?.node.as_ref()?;
    token(&topology).filter(|_| eldest.id == local)
}

fn token(topology: &v1::Topology) -> Option<Token> {
    let (id, term) = (topology.id.as_ref()?, topology.term.as_ref()?);
    Some((id.epoch, id.version, term.counter, term.order))
}
