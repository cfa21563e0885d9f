//! A channel over all members: calls go to whoever serves, whoever comes and goes.

use std::collections::BTreeSet;

use tokio::sync::mpsc::Sender;
use tonic::transport::channel::Change;
use tonic::transport::{Channel, Endpoint};

use super::address::{Address, members};
use super::follow::State;
use super::topology_client::TopologyClient;

/// How many members may wait to be taken up by the channel, which does so with each call.
const CHANGES_MAX: usize = 1024;

/// A run of a node and where it serves; the name is empty while no topology is known.
type Target = (String, Address);

impl TopologyClient {
    /// A channel that spreads calls over the members, each at the first of its `grpc_addresses`;
    /// over the client's own addresses while no topology is known or nobody in it serves. Clones of
    /// it share everything, and it keeps the client.
    ///
    /// It is there before anybody is reached, and a call that finds nobody waits: give each call a
    /// limit. One that meets a member which has just gone fails as unavailable: make it again if it
    /// may be made twice. [`Retry`](super::Retry) does both.
    pub fn channel(&self) -> Channel {
        let (channel, changes) = Channel::balance_channel(CHANGES_MAX);
        tokio::spawn(feed(self.clone(), changes));
        channel
    }
}

/// Tells a channel who comes and goes, until it is dropped.
async fn feed(client: TopologyClient, changes: Sender<Change<Target, Endpoint>>) {
    let mut updates = client.updates();
    let mut present = BTreeSet::new();
    let fed = async {
        loop {
            let wanted = targets(&client.state());
            // Who comes first: there is somebody to call at any time.
            for target in wanted.difference(&present) {
                if let Some(endpoint) = target.1.endpoint(client.config()) {
                    let change = Change::Insert(target.clone(), endpoint);
                    if changes.send(change).await.is_err() {
                        return;
                    }
                }
            }
            for target in present.difference(&wanted) {
                if changes.send(Change::Remove(target.clone())).await.is_err() {
                    return;
                }
            }
            present = wanted;
            if updates.next().await.is_none() {
                return;
            }
        }
    };
    // No limit: it goes on for as long as the channel is kept.
    tokio::select! {
        () = changes.closed() => {}
        () = fed => {}
    }
}

fn targets(state: &State) -> BTreeSet<Target> {
    let known = state.topology.as_deref().map(members).unwrap_or_default();
    if known.is_empty() {
        let sources = state.sources.iter().cloned();
        return sources.map(|address| (String::new(), address)).collect();
    }
    known.into_iter().collect()
}
