//! A leader elected from the topology, and what its fencing token is for: the eldest member leads,
//! and whatever it writes carries the token, so that a store can refuse a leader of yesterday.
//! `cargo run -p discovery-tcp --example elected_leader`
#![allow(clippy::print_stdout, reason = "an example prints what it sees")]

use std::error::Error;
use std::sync::Arc;

use discovery_core::{Discovery, FencingToken, Seed, Standing};
use discovery_tcp::TcpDiscovery;
use discovery_tcp::testing::SharedListing;

/// What the leader writes to. It knows nothing of clusters but the highest token it has seen.
#[derive(Default)]
struct Store {
    fence: Option<FencingToken>,
}

impl Store {
    fn write(&mut self, what: &str, token: FencingToken) -> Result<(), String> {
        if let Some(fence) = self.fence.filter(|fence| token < *fence) {
            return Err(format!("'{what}' under {token} is refused: seen {fence}"));
        }
        self.fence = Some(token);
        println!("stored '{what}' under {token}");
        Ok(())
    }
}

/// The token to lead by: the local node is the eldest of a topology that has its quorum.
///
/// Who is without quorum must stop by itself; the token covers the time until it has noticed.
fn lead(node: &TcpDiscovery) -> Option<FencingToken> {
    let local = node.local_node().id();
    match node.standing() {
        Standing::Member { topology } if topology.eldest().id() == local => {
            Some(topology.fencing_token())
        }
        _ => None,
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (listing, mut store) = (SharedListing::new(), Store::default());
    let mut nodes = Vec::new();
    for name in ["ring-0", "ring-1", "ring-2"] {
        nodes.push(start(name, &listing).await?);
    }
    for node in &nodes {
        wait_for(node, |standing| members(standing) == 3).await?;
    }

    let place = nodes.iter().position(|node| lead(node).is_some());
    let leader = nodes.remove(place.ok_or("nobody leads")?);
    let yesterday = lead(&leader).ok_or("it led a moment ago")?;
    println!("{} leads", leader.local_node().name());
    store.write("one", yesterday)?;

    drop(leader);
    for node in &nodes {
        wait_for(node, |standing| members(standing) == 2).await?;
    }
    let successor = nodes.iter().find(|node| lead(node).is_some());
    let successor = successor.ok_or("nobody leads")?;
    println!("{} leads", successor.local_node().name());
    store.write("two", lead(successor).ok_or("it led a moment ago")?)?;

    // What the old leader had under way arrives now.
    match store.write("one, late", yesterday) {
        Ok(()) => Err("a leader of yesterday has written".into()),
        Err(refused) => {
            println!("{refused}");
            Ok(())
        }
    }
}

fn members(standing: &Standing) -> usize {
    match standing {
        Standing::Member { topology } => topology.len(),
        _ => 0,
    }
}

async fn wait_for(
    node: &TcpDiscovery,
    wanted: impl FnMut(&Standing) -> bool,
) -> Result<(), Box<dyn Error>> {
    node.standings().wait_for(wanted).await?;
    Ok(())
}

/// Starts a node at a free port, and lists it as a platform would.
async fn start(name: &str, listing: &SharedListing) -> Result<TcpDiscovery, Box<dyn Error>> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let mut seed = Seed::at(listener.local_addr()?);
    seed.pod_uid = Some(format!("uid-of-{name}").parse()?);
    listing.enter([seed]);
    let node = TcpDiscovery::builder()
        .name(name)
        .pod_uid(format!("uid-of-{name}"))
        .listener(listener)
        .finder(Arc::new(listing.clone()));
    Ok(node.start().await?)
}
