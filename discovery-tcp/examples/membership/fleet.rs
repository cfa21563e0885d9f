//! The nodes of one run: started together, and ended one way or another.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use discovery_core::finders::feed;
use discovery_core::{Discovery, Finder, NodeName, Provenance, Seed, SeedSet, SeedWatch};
use discovery_tcp::testing::SharedListing;
use discovery_tcp::{Formation, RingConfig, TcpDiscovery};
use tokio::time::Instant;

use crate::arguments::Arguments;
use crate::hosts::Hosts;
use crate::severing::Severing;
use crate::witness::Witness;

/// All nodes that live.
pub(crate) struct Fleet {
    nodes: BTreeMap<usize, FleetNode>,
    /// What severed nodes had open, which must not close before the end.
    severed: Vec<(Severing, TcpListener)>,
    witness: Witness,
    /// Last, so that every node is gone before the threads are.
    _hosts: Hosts,
}

struct FleetNode {
    handle: TcpDiscovery,
    severing: Severing,
    /// The listening socket once more: while it is open, the kernel takes connections.
    ears: TcpListener,
}

/// The name of the node of this number.
pub(crate) fn name(node: usize) -> String {
    format!("ring-{node:03}")
}

impl Fleet {
    /// Binds and lists all nodes, then starts them at once; returns when the first was started.
    pub(crate) async fn start(
        arguments: &Arguments,
        witness: &Witness,
    ) -> Result<(Self, Instant), Box<dyn Error>> {
        let hosts = Hosts::start()?;
        let mut listeners = Vec::new();
        for _ in 0..arguments.nodes {
            listeners.push(TcpListener::bind("127.0.0.1:0")?);
        }
        let addresses: Result<Vec<SocketAddr>, _> =
            listeners.iter().map(TcpListener::local_addr).collect();
        let (formation, finder) = finding(arguments, &addresses?)?;
        let mut config = RingConfig::default();
        config.silence_limit = arguments.silence_limit;
        config.formation = formation;
        let start = Instant::now();
        let mut starting = Vec::new();
        for (node, listener) in listeners.into_iter().enumerate() {
            let severing = Severing::default();
            let ears = listener.try_clone()?;
            let builder = TcpDiscovery::builder()
                .name(name(node))
                .pod_uid(format!("uid-of-{}", name(node)))
                .listener(listener)
                .finder(Arc::clone(&finder))
                .config(config.clone())
                .security(Arc::new(severing.clone()));
            let witness = witness.clone();
            let started = hosts.of(node).spawn(async move {
                let handle = builder.start().await?;
                tokio::spawn(witness.follow(node, handle.subscribe(None)));
                Ok::<_, discovery_tcp::StartError>(FleetNode {
                    handle,
                    severing,
                    ears,
                })
            });
            starting.push((node, started));
        }
        let mut nodes = BTreeMap::new();
        for (node, started) in starting {
            nodes.insert(node, started.await??);
        }
        let fleet = Self {
            nodes,
            severed: Vec::new(),
            witness: witness.clone(),
            _hosts: hosts,
        };
        Ok((fleet, start))
    }

    /// The numbers of those that live.
    pub(crate) fn living(&self) -> Vec<usize> {
        self.nodes.keys().copied().collect()
    }

    /// The handle of a node that lives.
    pub(crate) fn handle(&self, node: usize) -> Option<&TcpDiscovery> {
        self.nodes.get(&node).map(|node| &node.handle)
    }

    /// Ends these as if their processes were killed; returns when that began.
    pub(crate) fn kill(&mut self, victims: &[usize]) -> Instant {
        self.witness.condemn(victims.iter().map(|node| name(*node)));
        let killed: Vec<_> = victims
            .iter()
            .filter_map(|node| self.nodes.remove(node))
            .collect();
        let start = Instant::now();
        drop(killed);
        start
    }

    /// Ends these and leaves all their sockets open, as those of processes that are frozen: their
    /// links carry nothing, and whoever dials them hears nothing. Returns when that began.
    pub(crate) fn sever(&mut self, victims: &[usize]) -> Instant {
        self.witness.condemn(victims.iter().map(|node| name(*node)));
        let severed: Vec<_> = victims
            .iter()
            .filter_map(|node| self.nodes.remove(node))
            .collect();
        let start = Instant::now();
        for node in &severed {
            node.severing.sever();
        }
        for node in severed {
            self.severed.push((node.severing, node.ears));
        }
        start
    }

    /// Sums a counter over all nodes that live, and says the highest.
    pub(crate) fn count(&self, of: impl Fn(&TcpDiscovery) -> u64) -> (u64, u64) {
        let counts: Vec<u64> = self.nodes.values().map(|node| of(&node.handle)).collect();
        (
            counts.iter().sum(),
            counts.iter().copied().max().unwrap_or(0),
        )
    }
}

/// How the cluster forms, and who finds the nodes at these addresses.
fn finding(
    arguments: &Arguments,
    addresses: &[SocketAddr],
) -> Result<(Formation, Arc<dyn Finder>), Box<dyn Error>> {
    let names: Result<Vec<NodeName>, _> = (0..addresses.len())
        .map(|node| NodeName::new(name(node)))
        .collect();
    let names = names?;
    let mut seeds = Vec::new();
    for (name, address) in names.iter().zip(addresses) {
        let mut seed = Seed::at(*address);
        seed.pod_uid = Some(format!("uid-of-{name}").parse()?);
        seed.name = Some(name.clone());
        seeds.push(seed);
    }
    if arguments.by_majority {
        let finder = Fixed(SeedSet::new(seeds));
        return Ok((Formation::Majority(names), Arc::new(finder)));
    }
    let listing = SharedListing::new().answering_after(Duration::from_millis(1));
    listing.enter(seeds);
    Ok((Formation::Census, Arc::new(listing)))
}

/// A finder that is not authoritative and knows everybody at once.
#[derive(Debug)]
struct Fixed(SeedSet);

impl Finder for Fixed {
    fn provenance(&self) -> Provenance {
        Provenance::new("a fixed list")
    }

    fn authoritative(&self) -> bool {
        false
    }

    fn watch(&self) -> Box<dyn SeedWatch> {
        let (feed, watch) = feed(self.provenance(), false);
        feed.known(self.0.clone(), Instant::now());
        // The feed must live as long as its watch.
        let task = tokio::spawn(async move { feed.unwatched().await });
        Box::new(watch.driven_by(&task))
    }
}
