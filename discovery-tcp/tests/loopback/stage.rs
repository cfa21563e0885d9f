//! What the tests stand on: a listing, nodes that are listed in it, and bounded waits.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use discovery_core::{Delivery, Discovery, Seed, Standing, Subscription, Topology, TopologyEvent};
use discovery_tcp::testing::SharedListing;
use discovery_tcp::{RingConfig, TcpDiscovery, TcpDiscoveryBuilder};
use tokio::time::timeout;

/// Longer than anything here takes, on a busy machine too; only a failure waits for it.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

/// A cluster to be, and what all its nodes share.
pub(crate) struct Stage {
    pub(crate) listing: SharedListing,
    pub(crate) config: RingConfig,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self {
            listing: SharedListing::new(),
            config: RingConfig::default(),
        }
    }

    /// A listener at a free port, listed as that of the pod of this name.
    pub(crate) fn listed(&self, name: &str) -> TcpListener {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        self.list(name, listener.local_addr().unwrap());
        listener
    }

    /// Lists the pod of this name at that address.
    pub(crate) fn list(&self, name: &str, address: SocketAddr) {
        let mut seed = Seed::at(address);
        seed.name = Some(name.parse().unwrap());
        seed.pod_uid = Some(uid(name).parse().unwrap());
        self.listing.enter([seed]);
    }

    /// Settings of the node of this name.
    pub(crate) fn settings(&self, name: &str) -> TcpDiscoveryBuilder {
        TcpDiscovery::builder()
            .name(name)
            .pod_uid(uid(name))
            .finder(Arc::new(self.listing.clone()))
            .config(self.config.clone())
    }

    /// Lists and starts the node of this name.
    pub(crate) async fn start(&self, name: &str) -> TcpDiscovery {
        let settings = self.settings(name).listener(self.listed(name));
        settings.start().await.unwrap()
    }

    /// So many nodes, started one right after the other.
    pub(crate) async fn start_all(&self, count: usize) -> Vec<TcpDiscovery> {
        let mut nodes = Vec::new();
        for number in 0..count {
            nodes.push(self.start(&format!("ring-{number:02}")).await);
        }
        nodes
    }
}

fn uid(name: &str) -> String {
    format!("uid-of-{name}")
}

/// Waits until the node stands as wanted.
pub(crate) async fn stands(node: &TcpDiscovery, wanted: impl FnMut(&Standing) -> bool) -> Standing {
    let mut standings = node.standings();
    let Ok(stood) = timeout(LIMIT, standings.wait_for(wanted)).await else {
        panic!(
            "{} still stands as {:?}",
            node.local_node(),
            node.standing()
        );
    };
    stood.unwrap().clone()
}

/// Waits until all of them are members of one topology of so many.
pub(crate) async fn agreed(nodes: &[TcpDiscovery], members: usize) -> Topology {
    let mut newest: Option<Topology> = None;
    loop {
        let mut topologies = Vec::new();
        for node in nodes {
            // One of as many members may have been in force before, and still be where it is slow.
            let standing = stands(node, |standing| match standing {
                Standing::Member { topology } => {
                    let is_old = newest.as_ref().is_some_and(|it| topology.id() < it.id());
                    topology.len() == members && !is_old
                }
                _ => false,
            })
            .await;
            topologies.push(standing.topology().unwrap().clone());
        }
        let last = topologies
            .iter()
            .max_by_key(|it| (it.epoch(), it.version()));
        let last = last.unwrap().clone();
        if topologies.iter().all(|topology| *topology == last) {
            return last;
        }
        let is_newer = newest.as_ref().is_none_or(|it| it.id() < last.id());
        assert!(is_newer, "two topologies under one version: {topologies:?}");
        newest = Some(last);
    }
}

/// The next change that a subscriber is told of.
pub(crate) async fn next_change(deliveries: &mut dyn Subscription) -> TopologyEvent {
    let change = async {
        loop {
            match deliveries.next().await {
                Some(Delivery::Changed(event)) => return event,
                Some(_) => {}
                None => panic!("the subscription has ended"),
            }
        }
    };
    timeout(LIMIT, change).await.unwrap()
}
