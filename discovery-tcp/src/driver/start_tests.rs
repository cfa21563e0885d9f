//! Tests of `start.rs`: faults are told together, and what is not given is filled in.

use std::time::Duration;

use discovery_core::Discovery;
use tokio::time::timeout;

use super::super::handle::TcpDiscovery;
use super::*;

fn any_port() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

fn alone() -> TcpDiscoveryBuilder {
    TcpDiscovery::builder()
        .name("ring-0")
        .formation(Formation::Single)
}

#[tokio::test]
async fn all_faults_are_told_together() {
    let config = RingConfig {
        silence_limit: Duration::ZERO,
        ..RingConfig::default()
    };
    let settings = TcpDiscovery::builder()
        .zone("a zone")
        .pod_uid("")
        .config(config);
    let error = settings.start().await.unwrap_err();
    let told = error.to_string();
    for fault in [
        "no name",
        "zone",
        "pod_uid",
        "silence_limit",
        "listen",
        "finder",
    ] {
        assert!(told.contains(fault), "{fault}: {told}");
    }
}

#[tokio::test]
async fn an_address_that_another_listens_at_is_a_fault() {
    let first = alone().listen(any_port()).start().await.unwrap();
    let taken = first.local_node().addresses()[0];
    let error = alone().listen(taken).start().await.unwrap_err();
    assert!(
        matches!(&error.faults[..], [StartFault::Listen { address, .. }] if *address == taken),
        "{error}"
    );
}

#[tokio::test]
async fn a_start_that_fails_frees_the_address_again() {
    let listener = std::net::TcpListener::bind(any_port()).unwrap();
    let address = listener.local_addr().unwrap();
    let settings = TcpDiscovery::builder().formation(Formation::Single);
    let error = settings.listener(listener).start().await.unwrap_err();
    assert!(matches!(&error.faults[..], [StartFault::NoName]));
    std::net::TcpListener::bind(address).unwrap();
}

#[tokio::test]
async fn a_node_that_listens_everywhere_must_say_where_it_is_reached() {
    let everywhere: SocketAddr = ([0, 0, 0, 0], 0).into();
    let error = alone().listen(everywhere).start().await.unwrap_err();
    assert!(matches!(
        &error.faults[..],
        [StartFault::NoAdvertisedAddress]
    ));
    let settings = alone().listen(everywhere).advertise([any_port()]);
    let node = settings.start().await.unwrap();
    let address = node.local_node().addresses()[0];
    assert!(address.ip().is_loopback() && address.port() != 0);
}

#[tokio::test]
async fn a_listener_that_is_bound_already_is_used() {
    let listener = std::net::TcpListener::bind(any_port()).unwrap();
    let address = listener.local_addr().unwrap();
    let node = alone().listener(listener).start().await.unwrap();
    assert_eq!(node.local_node().addresses(), [address]);
}

#[tokio::test]
async fn a_node_that_is_shut_down_frees_its_address_and_ends_its_subscriptions() {
    let node = alone().listen(any_port()).start().await.unwrap();
    let address = node.local_node().addresses()[0];
    let mut subscription = node.subscribe(None);
    node.shutdown().await;
    std::net::TcpListener::bind(address).unwrap();
    let ended = async { while subscription.next().await.is_some() {} };
    timeout(Duration::from_secs(20), ended).await.unwrap();
}

#[tokio::test]
async fn a_node_whose_handles_are_dropped_frees_its_address() {
    let node = alone().listen(any_port()).start().await.unwrap();
    let address = node.local_node().addresses()[0];
    let mut standings = node.standings();
    drop((node.clone(), node));
    // The standing is the last thing to be dropped.
    let ended = async { while standings.changed().await.is_ok() {} };
    timeout(Duration::from_secs(20), ended).await.unwrap();
    std::net::TcpListener::bind(address).unwrap();
}
