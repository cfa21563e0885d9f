//! Forming and joining on real sockets.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use discovery_core::finders::{SeedFeed, feed};
use discovery_core::{
    Delivery, Discovery, Finder, FinderCause, FinderError, Provenance, Seed, SeedSet, SeedWatch,
    SnapshotCause, Standing, TopologyVersion,
};
use discovery_tcp::{Formation, Recovery, TcpDiscovery};
use tokio::time::{Instant, timeout};

use crate::stage::{LIMIT, Stage, agreed, stands};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_form_one_cluster_by_census() {
    let stage = Stage::new();
    let nodes = stage.start_all(3).await;
    let topology = agreed(&nodes, 3).await;
    assert!(stage.listing.censuses() > 0);
    for node in &nodes {
        assert!(topology.member(node.local_node().id()).is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_nodes_form_one_cluster_in_a_few_versions() {
    let stage = Stage::new();
    let nodes = stage.start_all(50).await;
    let topology = agreed(&nodes, 50).await;
    // 1, 2, 3, 5, 9, 17, 33, 50 if every batch is full; a busy machine may split some. One by one
    // would take 50.
    assert!(topology.version().get() <= 20, "{}", topology.version());
}

#[tokio::test]
async fn one_listed_node_founds_alone() {
    let stage = Stage::new();
    let nodes = stage.start_all(1).await;
    let topology = agreed(&nodes, 1).await;
    assert_eq!(topology.version(), TopologyVersion::FIRST);
}

#[tokio::test]
async fn a_listed_process_that_does_not_answer_holds_the_formation_up() {
    let stage = Stage::new();
    // It accepts and says nothing, as a process that hangs.
    let hung = stage.listed("ring-9");
    let node = stage.start("ring-0").await;
    let standing = stands(&node, |standing| match standing {
        Standing::NotYetMember { waiting_for } => waiting_for.contains("ring-9"),
        _ => false,
    })
    .await;
    assert!(standing.topology().is_none());
    drop(hung);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_comes_later_joins_and_is_told_where_things_are() {
    let stage = Stage::new();
    let mut nodes = stage.start_all(3).await;
    agreed(&nodes, 3).await;
    let late = stage.start("ring-late").await;
    let mut deliveries = late.subscribe(None);
    nodes.push(late);
    let topology = agreed(&nodes, 4).await;
    let first = async {
        loop {
            match deliveries.next().await {
                Some(Delivery::Standing(_)) => {}
                other => return other,
            }
        }
    };
    match timeout(LIMIT, first).await.unwrap() {
        Some(Delivery::Snapshot {
            topology: first,
            cause,
        }) => {
            assert_eq!(cause, SnapshotCause::Start);
            assert!(first.version() <= topology.version());
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn configured_names_form_one_cluster_by_majority() {
    let mut stage = Stage::new();
    let names = ["ring-00", "ring-01", "ring-02"].map(|name| name.parse().unwrap());
    stage.config.formation = Formation::Majority(names.to_vec());
    let nodes = stage.start_all(3).await;
    agreed(&nodes, 3).await;
    assert_eq!(stage.listing.censuses(), 0);
}

/// What a finder of a long list tells that nobody has cleaned.
#[derive(Debug)]
struct Dirty(SeedFeed);

impl Finder for Dirty {
    fn provenance(&self) -> Provenance {
        Provenance::new("a list that nobody has cleaned")
    }

    fn authoritative(&self) -> bool {
        false
    }

    fn watch(&self) -> Box<dyn SeedWatch> {
        Box::new(self.0.watch())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dozens_of_dead_and_unresolvable_addresses_delay_nodes_by_little() {
    let listener = || TcpListener::bind("127.0.0.1:0").unwrap();
    let at = |listener: &TcpListener| Seed::at(listener.local_addr().unwrap());
    let alive = [listener(), listener()];
    let mut dead: Vec<Seed> = (0..40).map(|_| at(&listener())).collect();
    dead.extend(alive.iter().map(at));
    let unresolvable = |number| {
        let what = format!("looking up 'gone-{number}': no such name");
        FinderError::new(FinderCause::NotFound, what)
    };
    let (list, _) = feed(Provenance::new("a list"), false);
    let gaps = (0..40).map(unresolvable).collect();
    list.known_in_part(SeedSet::new(dead), gaps, Instant::now());
    let finder = Arc::new(Dirty(list));

    let start = Instant::now();
    let mut nodes = Vec::new();
    for (name, listener) in ["ring-0", "ring-1"].into_iter().zip(alive) {
        let mut config = Stage::new().config;
        // The first alone may found, so the second has to find it.
        config.formation = Formation::Majority(vec!["ring-0".parse().unwrap()]);
        config.recovery = Recovery::Manual;
        let settings = TcpDiscovery::builder().name(name).config(config);
        let settings = settings.finder(Arc::<Dirty>::clone(&finder));
        nodes.push(settings.listener(listener).start().await.unwrap());
    }
    agreed(&nodes, 2).await;
    let took = start.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
}
