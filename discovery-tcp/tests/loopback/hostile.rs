//! Whoever else knocks: scanners, other protocols, broken frames, clusters of other names.

use std::net::SocketAddr;
use std::time::Duration;

use discovery_core::{Discovery, Standing, Topology};
use discovery_tcp::ring::LastingCause;
use discovery_tcp::{Formation, TcpDiscovery};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::stage::{LIMIT, Stage, agreed, stands};

/// Three members, and where one of them listens.
async fn cluster(stage: &Stage) -> (Vec<TcpDiscovery>, Topology, SocketAddr) {
    let nodes = stage.start_all(3).await;
    let topology = agreed(&nodes, 3).await;
    let address = nodes[0].local_node().addresses()[0];
    (nodes, topology, address)
}

/// Waits until the other side has closed the connection, however it does.
async fn closed(mut stream: TcpStream) {
    let read = async {
        let mut bytes = [0; 1024];
        while let Ok(1..) = stream.read(&mut bytes).await {}
    };
    timeout(LIMIT, read).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_is_closed_and_changes_nothing() {
    let stage = Stage::new();
    let (nodes, topology, address) = cluster(&stage).await;
    let hello_timeout = stage.config.hello_timeout;
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: ring\r\n\r\n"[..],
        // A frame of four gigabytes.
        &[0xff, 0xff, 0xff, 0xff, 1, 2, 3],
        // No frame at all.
        &[0, 0, 0, 0],
        // A frame of one mebibyte is no greeting.
        &[0, 16, 0, 0],
        // A whole frame that is no message.
        &[0, 0, 0, 3, 0xff, 0xff, 0xff],
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let start = tokio::time::Instant::now();
        closed(stream).await;
        assert!(start.elapsed() < hello_timeout, "{bytes:?} was waited for");
    }
    // Half a frame, and nothing at all: closed when no greeting has come in time.
    for bytes in [&[0, 0][..], &[0, 0, 1, 0, 8], &[]] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        closed(stream).await;
    }
    let counters = nodes[0].counters();
    assert_eq!(counters.links_undecodable, 5);
    assert_eq!(agreed(&nodes, 3).await, topology);
}

// Clauses: LINK-6
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_gets_in_past_a_crowd_that_says_nothing() {
    let stage = Stage::new();
    let (mut nodes, _, address) = cluster(&stage).await;
    let mut crowd = Vec::new();
    for _ in 0..200 {
        crowd.push(TcpStream::connect(address).await.unwrap());
    }
    nodes.push(stage.start("ring-late").await);
    agreed(&nodes, 4).await;
    for silent in crowd {
        closed(silent).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_scanner_is_counted() {
    let stage = Stage::new();
    let (nodes, topology, address) = cluster(&stage).await;
    let before = nodes[0].counters().links_without_greeting;
    for _ in 0..20 {
        drop(TcpStream::connect(address).await.unwrap());
    }
    // Links are taken one after the other, so one that is answered comes after all of those.
    let mut last = TcpStream::connect(address).await.unwrap();
    last.write_all(&[0, 0, 0, 0]).await.unwrap();
    closed(last).await;
    let counted = nodes[0].counters().links_without_greeting - before;
    assert!(counted >= 20, "{counted}");
    assert_eq!(agreed(&nodes, 3).await, topology);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_another_cluster_name_stays_outside() {
    let stage = Stage::new();
    let (nodes, topology, _) = cluster(&stage).await;
    let listener = stage.listed("ring-other");
    let other = stage
        .settings("ring-other")
        .cluster_name("other")
        .listener(listener);
    let other = other.start().await.unwrap();
    // Everybody else is of another name, so it is alone, and founds a cluster of its own (FORM-7).
    let standing = stands(&other, |standing| standing.topology().is_some()).await;
    let own = standing.topology().unwrap();
    assert_eq!(own.len(), 1);
    assert_ne!(own.cluster_id(), topology.cluster_id());
    let mut turned = Vec::new();
    for node in &nodes {
        turned.extend(node.status().await.unwrap().turned_away);
    }
    let turned = turned
        .iter()
        .find(|it| it.node.name().as_str() == "ring-other");
    let cause = turned
        .expect("somebody knows why it is none of them")
        .cause
        .to_string();
    assert!(
        cause.starts_with("it belongs to cluster 'other'"),
        "{cause}"
    );
    assert_eq!(agreed(&nodes, 3).await, topology);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_other_settings_is_told_who_refuses_it_and_both_digests() {
    let mut stage = Stage::new();
    let (nodes, _, _) = cluster(&stage).await;
    stage.config.settings = 7;
    let other = stage.start("ring-other").await;
    let refused = async {
        loop {
            if let Some(refused) = other.status().await.unwrap().refused {
                return refused;
            }
        }
    };
    let refused = timeout(LIMIT, refused).await.unwrap();
    let differs = LastingCause::Settings { ours: 7, theirs: 0 };
    assert_eq!(refused.cause, differs, "{refused}");
    let names = |node: &TcpDiscovery| node.local_node().id() == refused.by.id();
    assert!(nodes.iter().any(names), "{refused}");
    for node in &nodes {
        assert_eq!(node.status().await.unwrap().refused, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_clusters_of_one_name_that_meet_stay_two() {
    let mut stages = [Stage::new(), Stage::new()];
    let mut clusters = Vec::new();
    for (number, stage) in stages.iter_mut().enumerate() {
        stage.config.probe_interval = Duration::from_millis(200);
        let eldest = format!("ring-{number}-0");
        let settings = stage.settings(&eldest).listener(stage.listed(&eldest));
        let eldest = settings.formation(Formation::Single).start().await.unwrap();
        stands(&eldest, |standing| standing.topology().is_some()).await;
        let second = stage.start(&format!("ring-{number}-1")).await;
        let nodes = vec![eldest, second];
        let topology = agreed(&nodes, 2).await;
        clusters.push((nodes, topology));
    }
    // Each learns of the other's nodes.
    for (stage, other) in [(0, 1), (1, 0)] {
        for node in &clusters[other].0 {
            let node = node.local_node();
            stages[stage].list(node.name().as_str(), node.addresses()[0]);
        }
    }
    for (nodes, _) in &clusters {
        timeout(LIMIT, has_met_another(nodes)).await.unwrap();
    }
    for (nodes, topology) in &clusters {
        assert!(matches!(nodes[0].standing(), Standing::Member { .. }));
        assert_eq!(agreed(nodes, 2).await, *topology);
    }
}

/// Waits until one of them has met another cluster.
async fn has_met_another(nodes: &[TcpDiscovery]) {
    let mut look = tokio::time::interval(Duration::from_millis(10));
    while nodes.iter().all(|node| node.counters().clusters_met == 0) {
        look.tick().await;
    }
}
