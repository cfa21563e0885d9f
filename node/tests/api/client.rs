//! The client outside of the ring: it follows the topology from node to node, and its calls go on
//! while every server is restarted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use discovery_core::Discovery as _;
use discovery_node::app::End;
use discovery_proto::client::{Followed, Gap, Retry, TopologyClient, TopologyClientConfig, Update};
use discovery_proto::discovery::v1;
use discovery_proto::discovery::v1::discovery_client::DiscoveryClient;
use tokio::runtime::Builder;
use tokio::time::timeout;
use tonic::Status;
use tonic::transport::Channel;

use crate::stage::{LIMIT, Running, Stage, is_member_of};

fn follow(nodes: &[Running]) -> TopologyClient {
    let addresses = nodes.iter().map(|node| node.grpc.to_string());
    TopologyClient::follow(addresses, TopologyClientConfig::default()).unwrap()
}

/// What a client was told, held against its promise: each change follows the last one.
#[derive(Default)]
struct Heard {
    last: Option<v1::TopologyRef>,
    gaps: Vec<Gap>,
    nodes: Vec<String>,
}

impl Heard {
    fn take(&mut self, update: Update) {
        match update {
            Update::Changed { change, topology } => {
                assert_eq!(change.previous, self.last, "a change was left out");
                self.last.clone_from(&topology.id);
            }
            Update::Snapshot { topology, gap } => {
                assert_eq!(
                    self.last.is_some(),
                    gap.is_some(),
                    "a gap, and only that, is told"
                );
                self.gaps.extend(gap);
                self.last.clone_from(&topology.id);
            }
            Update::Followed(Followed::Node { address }) => self.nodes.push(address),
            _ => {}
        }
    }

    /// Hears until this is the topology.
    async fn until(&mut self, updates: &mut discovery_proto::client::Updates, node: &Running) {
        let wanted = node.discovery.topology().unwrap().id().into();
        while self.last.as_ref() != Some(&wanted) {
            let update = timeout(LIMIT, updates.next()).await.unwrap();
            self.take(update.expect("the client is kept"));
        }
    }
}

/// Calls one after another until it is told to stop: how many were answered. None may fail.
async fn keep_calling(channel: Channel, is_over: Arc<AtomicBool>, answered: Arc<AtomicU64>) {
    let node = DiscoveryClient::new(channel);
    let retry = Retry::default();
    while !is_over.load(Ordering::Relaxed) {
        let answer = retry.call(|| {
            let mut node = node.clone();
            async move {
                let answer = node.get_topology(v1::GetTopologyRequest {}).await?;
                // Who has left answers so until its sockets close: another one has to be asked.
                let has_left = || Status::unavailable("it has left");
                answer.into_inner().topology.ok_or_else(has_left)
            }
        });
        assert!(!answer.await.unwrap().members.is_empty());
        answered.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
    }
}

/// Waits until so many more calls were answered.
async fn answered_more(answered: &AtomicU64, more: u64) {
    let wanted = answered.load(Ordering::Relaxed) + more;
    let reached = async {
        while answered.load(Ordering::Relaxed) < wanted {
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, reached).await.expect("calls go on");
}

#[tokio::test]
async fn calls_go_on_and_no_change_is_missed_while_every_server_is_restarted() {
    let stage = Stage::new();
    let mut nodes = stage.cluster(3).await;
    let client = follow(&nodes);
    let (mut updates, mut heard) = (client.updates(), Heard::default());
    heard.until(&mut updates, &nodes[0]).await;
    let first = nodes.iter().map(|node| node.grpc.to_string());
    let first: Vec<String> = first.collect();
    let (is_over, answered) = (Arc::default(), Arc::new(AtomicU64::new(0)));
    let calls = keep_calling(
        client.channel(),
        Arc::clone(&is_over),
        Arc::clone(&answered),
    );
    let calls = tokio::spawn(calls);
    for name in ["ring-0", "ring-1", "ring-2"] {
        let leaver = nodes.remove(0);
        leaver.signal.notify_one();
        assert_eq!(leaver.ended().await, End::Left);
        stage.unlist(name);
        nodes.push(stage.start(name).await);
        for node in &nodes {
            node.stands(|standing| is_member_of(standing, 3)).await;
        }
        heard.until(&mut updates, &nodes[0]).await;
        answered_more(&answered, 20).await;
    }
    is_over.store(true, Ordering::Relaxed);
    timeout(LIMIT, calls)
        .await
        .unwrap()
        .expect("no call failed");
    assert_eq!(heard.gaps, [], "no change was missed");
    let last = client.followed();
    let Followed::Node { address } = last else {
        panic!("{last:?}");
    };
    assert!(
        !first.contains(&address),
        "every server it began with is gone"
    );
    assert!(heard.nodes.len() > 1, "it moved: {:?}", heard.nodes);
    println!(
        "{} calls answered, none failed; followed {:?}",
        answered.load(Ordering::Relaxed),
        heard.nodes
    );
}

#[tokio::test]
async fn a_client_leaves_a_node_that_is_killed_and_hears_of_its_removal_from_another() {
    let stage = Arc::new(Stage::new());
    // Its connections end with its threads, as they do with a process.
    let process = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let own = Arc::clone(&stage);
    let doomed = process.spawn(async move { own.start("ring-0").await });
    let doomed = timeout(LIMIT, doomed).await.unwrap().unwrap();
    let nodes = [stage.start("ring-1").await, stage.start("ring-2").await];
    for node in [&doomed, &nodes[0], &nodes[1]] {
        node.stands(|standing| is_member_of(standing, 3)).await;
    }
    // It was given one address, so it is this one that it follows.
    let client = follow(std::slice::from_ref(&doomed));
    let (mut updates, mut heard) = (client.updates(), Heard::default());
    heard.until(&mut updates, &doomed).await;
    process.shutdown_background();
    for node in &nodes {
        node.stands(|standing| is_member_of(standing, 2)).await;
    }
    heard.until(&mut updates, &nodes[0]).await;
    assert_eq!(heard.gaps, []);
    assert!(heard.nodes.len() > 1, "it moved: {:?}", heard.nodes);
}

#[tokio::test]
async fn a_node_that_loses_its_quorum_is_followed_no_more_and_the_client_says_so() {
    let mut nodes = Stage::new().cluster(3).await;
    let survivor = nodes.pop().unwrap();
    let client = follow(std::slice::from_ref(&survivor));
    let topology = client.ready(LIMIT).await.unwrap();
    let mut updates = client.updates();
    for node in nodes {
        node.kill().await;
    }
    let lost = async {
        loop {
            if let Some(Update::Followed(Followed::Nobody { why })) = updates.next().await
                && why.to_string().contains("WITHOUT_QUORUM")
            {
                return;
            }
        }
    };
    timeout(LIMIT, lost).await.unwrap();
    assert_eq!(
        client.topology(),
        Some(topology),
        "the stale one is still known"
    );
}

#[tokio::test]
async fn a_client_that_a_finder_leads_finds_the_port_that_is_served() {
    use discovery_core::finders::{StaticFinder, StaticFinderConfig};
    let nodes = Stage::new().cluster(1).await;
    let mut found = nodes[0].discovery.topology().unwrap().members()[0]
        .info
        .addresses()[0];
    let finder = StaticFinder::new(&StaticFinderConfig {
        seeds: vec![found.to_string()],
        ..StaticFinderConfig::default()
    });
    found.set_port(nodes[0].grpc.port());
    let config = TopologyClientConfig {
        found_port: Some(found.port()),
        ..TopologyClientConfig::default()
    };
    let client = TopologyClient::found_by(&finder.unwrap(), config);
    assert_eq!(client.ready(LIMIT).await.unwrap().members.len(), 1);
    let address = found.to_string();
    assert_eq!(client.followed(), Followed::Node { address });
}

#[tokio::test]
async fn a_client_that_reaches_nobody_says_why() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = listener.local_addr().unwrap();
    drop(listener);
    let config = TopologyClientConfig::default();
    let client = TopologyClient::follow([nowhere.to_string()], config).unwrap();
    let mut updates = client.updates();
    let update = timeout(LIMIT, updates.next()).await.unwrap();
    let Some(Update::Followed(Followed::Nobody { why })) = update else {
        panic!("{update:?}");
    };
    assert!(why.to_string().contains(&nowhere.to_string()), "{why}");
    let refused = client.ready(Duration::from_millis(1)).await.unwrap_err();
    assert!(refused.to_string().contains("no topology"), "{refused}");
    drop(client);
    assert_eq!(timeout(LIMIT, updates.next()).await.unwrap(), None);
}
