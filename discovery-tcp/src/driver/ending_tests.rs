//! Tests of `ending.rs`: a mistake in the protocol ends a node for everybody to see, at once.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use discovery_core::{
    AccusationKind, Delivery, Discovery, Evidence, Seed, Standing, Subscription, Topology,
    TopologyEvent,
};
use tokio::time::timeout;

use super::super::handle::{Stopped, TcpDiscovery};
use super::super::start_error::StartError;
use crate::testing::SharedListing;

/// Longer than anything here takes; only a failure waits for it.
const LONG: Duration = Duration::from_secs(20);

async fn start(listing: &SharedListing, name: &str) -> Result<TcpDiscovery, StartError> {
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    let mut seed = Seed::at(listener.local_addr().unwrap());
    seed.pod_uid = Some(name.parse().unwrap());
    listing.enter([seed]);
    let settings = TcpDiscovery::builder()
        .name(name)
        .pod_uid(name)
        .finder(Arc::new(listing.clone()))
        .listener(listener);
    settings.start().await
}

async fn three() -> Vec<TcpDiscovery> {
    let listing = SharedListing::new();
    let mut nodes = Vec::new();
    for name in ["ring-0", "ring-1", "ring-2"] {
        nodes.push(start(&listing, name).await.unwrap());
    }
    for node in &nodes {
        stands(node, |it| it.topology().is_some_and(|it| it.len() == 3)).await;
    }
    nodes
}

async fn stands(node: &TcpDiscovery, wanted: impl FnMut(&Standing) -> bool) {
    let mut standings = node.standings();
    let stood = timeout(LONG, standings.wait_for(wanted)).await;
    assert!(stood.is_ok(), "still {:?}", node.standing());
}

async fn next_change(deliveries: &mut dyn Subscription) -> TopologyEvent {
    loop {
        match timeout(LONG, deliveries.next()).await.unwrap() {
            Some(Delivery::Changed(event)) => return event,
            Some(_) => {}
            None => panic!("the subscription has ended"),
        }
    }
}

// Clauses: LEAVE-5, CUT-7
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mistake_in_the_protocol_stops_the_node_and_the_cluster_goes_on_at_once() {
    let nodes = three().await;
    let [failing, others @ ..] = &nodes[..] else {
        panic!("three were started");
    };
    let last = failing.standing().topology().unwrap().id();
    let mut own = failing.subscribe(Some(last));
    let mut deliveries = others[0].subscribe(Some(last));

    failing.go_wrong().await;

    let event = next_change(&mut *deliveries).await;
    let [(removed, Evidence::Accused(accusations))] = &event.failed[..] else {
        panic!("{event:?}");
    };
    assert_eq!(removed.id(), failing.local_node().id());
    let kinds = accusations.iter().map(|accusation| accusation.kind);
    // Its sockets told on it: nobody waited for the silence limit.
    let at_once = [AccusationKind::Closed, AccusationKind::Refused];
    assert!(
        kinds.clone().all(|kind| at_once.contains(&kind)),
        "{accusations:?}"
    );
    for other in others {
        stands(other, |it| {
            it.topology().map(Topology::id) == Some(event.topology.id())
        })
        .await;
    }

    stands(failing, |it| *it == Standing::Failed).await;
    let ended = async { while own.next().await.is_some() {} };
    timeout(LONG, ended).await.unwrap();
    assert_eq!(failing.status().await.unwrap_err(), Stopped);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_went_wrong_closes_its_links_and_then_its_listener() {
    let nodes = three().await;
    let address: SocketAddr = nodes[0].local_node().addresses()[0];
    nodes[0].go_wrong().await;
    timeout(LONG, nodes[0].shutdown()).await.unwrap();
    assert!(nodes[0].has_no_links());
    StdListener::bind(address).unwrap();
}
