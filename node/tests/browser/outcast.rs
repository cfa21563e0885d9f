//! A node that its cluster removes and does not take back, since its pod is listed no more.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use discovery_core::{Discovery as _, NodeName, PodUid, ProcessIdentity, Seed, Standing};
use discovery_node::app::{App, Listeners, RunningApp};
use discovery_node::config::NodeConfig;
use discovery_tcp::testing::SharedListing;
use tokio::time::timeout;

/// Longer than anything here takes, on a busy machine too.
const LIMIT: Duration = Duration::from_mins(1);

/// Three nodes, the coordinator first; the last one is to be removed.
pub(crate) struct Outcast {
    listing: SharedListing,
    nodes: Vec<RunningApp>,
}

fn uid(name: &str) -> PodUid {
    PodUid::new(format!("uid-of-{name}")).unwrap()
}

impl Outcast {
    /// Starts all, and waits until they are members of one topology.
    pub(crate) async fn start() -> Self {
        let listing = SharedListing::new();
        let mut nodes = Vec::new();
        for number in 0..3 {
            let name = format!("ring-{number}");
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let mut seed = Seed::at(listener.local_addr().unwrap());
            seed.name = Some(name.parse().unwrap());
            seed.pod_uid = Some(uid(&name));
            listing.enter([seed]);
            let mut config = NodeConfig::on_loopback(NodeName::new(name.as_str()).unwrap());
            config.pod_uid = Some(uid(&name));
            let mut listeners = Listeners::default();
            listeners.ring = Some(listener);
            let app = App::build(config, Some(Arc::new(listing.clone())));
            nodes.push(app.with_listeners(listeners).spawn().await.unwrap());
        }
        for node in &nodes {
            stands(node, |standing| match standing {
                Standing::Member { topology } => topology.len() == 3,
                _ => false,
            })
            .await;
        }
        let status = nodes[0].discovery().status().await.unwrap();
        let leads = status.coordinator.unwrap().id();
        nodes.sort_by_key(|node| node.discovery().local_node().id() != leads);
        Self { listing, nodes }
    }

    /// Where the page of the last one is.
    pub(crate) fn page(&self) -> String {
        format!("http://{}/", self.nodes[2].http_address().unwrap())
    }

    /// Removes the last one.
    pub(crate) async fn remove(&self) {
        let outcast = self.nodes[2].discovery().local_node();
        let identity = ProcessIdentity::Pod(uid(outcast.name().as_str()));
        self.listing.remove(&identity);
        let removed = self.nodes[0].discovery().remove(outcast.id(), "a test");
        timeout(LIMIT, removed).await.unwrap().unwrap();
        stands(&self.nodes[2], |standing| {
            matches!(standing, Standing::Removed { .. })
        })
        .await;
    }
}

async fn stands(node: &RunningApp, wanted: impl FnMut(&Standing) -> bool) {
    let mut standings = node.discovery().standings();
    let stood = timeout(LIMIT, standings.wait_for(wanted)).await;
    stood.unwrap().unwrap();
}
