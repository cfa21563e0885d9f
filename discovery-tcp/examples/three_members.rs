//! Three members in one process: they find each other by a listing in memory, agree on who is
//! there, and see one of them fail and one of them leave.
//! `cargo run -p discovery-tcp --example three_members`
#![allow(clippy::print_stdout, reason = "an example prints what it sees")]

use std::error::Error;
use std::sync::Arc;

use discovery_core::{Delivery, Discovery, Seed, Subscription, Topology};
use discovery_tcp::TcpDiscovery;
use discovery_tcp::testing::SharedListing;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listing = SharedListing::new();
    let mut members = Vec::new();
    for name in ["ring-0", "ring-1", "ring-2"] {
        members.push(start(name, &listing).await?);
    }
    let [first, second, third] = members.try_into().map_err(|_| "three were started")?;

    let mut events = first.subscribe(None);
    until(&mut *events, |topology| topology.len() == 3).await?;

    // As if its process had been killed: nobody is told, the others notice.
    drop(third);
    until(&mut *events, |topology| topology.len() == 2).await?;

    // Of two members neither may go on without the other, unless that one leaves by its own word.
    second.leave().await?;
    until(&mut *events, |topology| topology.len() == 1).await?;
    Ok(())
}

/// Starts a node at a free port, and lists it as a platform would.
async fn start(name: &str, listing: &SharedListing) -> Result<TcpDiscovery, Box<dyn Error>> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let mut seed = Seed::at(listener.local_addr()?);
    seed.name = Some(name.parse()?);
    seed.pod_uid = Some(format!("uid-of-{name}").parse()?);
    listing.enter([seed]);
    let node = TcpDiscovery::builder()
        .name(name)
        .pod_uid(format!("uid-of-{name}"))
        .listener(listener)
        .finder(Arc::new(listing.clone()));
    Ok(node.start().await?)
}

/// Prints what is decided until a topology is as wanted.
async fn until(
    events: &mut dyn Subscription,
    wanted: impl Fn(&Topology) -> bool,
) -> Result<(), &'static str> {
    loop {
        let topology = match events.next().await.ok_or("the node has stopped")? {
            Delivery::Snapshot { topology, .. } => topology,
            Delivery::Changed(event) => {
                for (member, evidence) in &event.failed {
                    println!("{} failed: {evidence}", member.name());
                }
                event.topology
            }
            _ => continue,
        };
        let names: Vec<_> = topology
            .members()
            .iter()
            .map(|m| m.name().as_str())
            .collect();
        println!("version {}: {}", topology.version(), names.join(", "));
        if wanted(&topology) {
            return Ok(());
        }
    }
}
