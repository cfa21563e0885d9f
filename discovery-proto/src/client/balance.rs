//! A channel over all members: calls go to whoever serves, whoever comes and goes.

use std::collections::BTreeSet;

use tokio::sync::mpsc::Sender;
use tonic::transport::channel::Change;
use tonic::transport::{Channel, Endpoint};

use super::address::{Address, members};
use super::config::TopologyClientConfig;
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
    ///
    /// Must be called inside a tokio runtime.
    ///
    /// A member that leaves answers until its sockets close: who calls `GetTopology` looks at the
    /// standing in the answer, or reads [`topology`](Self::topology), which knows it.
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
            for change in steps(&present, &wanted, client.config()) {
                if changes.send(change).await.is_err() {
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

/// What leads from the targets there are to those that are wanted: who comes first, so that there
/// is somebody to call at any time.
fn steps(
    present: &BTreeSet<Target>,
    wanted: &BTreeSet<Target>,
    config: &TopologyClientConfig,
) -> Vec<Change<Target, Endpoint>> {
    let come = wanted.difference(present).filter_map(|target| {
        let endpoint = target.1.endpoint(config)?;
        Some(Change::Insert(target.clone(), endpoint))
    });
    let go = present.difference(wanted).cloned().map(Change::Remove);
    come.chain(go).collect()
}

fn targets(state: &State) -> BTreeSet<Target> {
    let known = state.topology.as_deref().map(members).unwrap_or_default();
    if known.is_empty() {
        let sources = state.sources.iter().cloned();
        return sources.map(|address| (String::new(), address)).collect();
    }
    known.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<Target> {
        let target = |name: &&str| (String::new(), Address::new(name).unwrap());
        names.iter().map(target).collect()
    }

    #[test]
    fn who_comes_is_told_before_who_goes() {
        let config = TopologyClientConfig::default();
        let steps = steps(&set(&["a:1", "b:1"]), &set(&["b:1", "c:1"]), &config);
        let [Change::Insert(came, _), Change::Remove(gone)] = steps.as_slice() else {
            panic!("{steps:?}");
        };
        assert_eq!(
            (came.1.to_string(), gone.1.to_string()),
            ("c:1".into(), "a:1".into())
        );
    }

    #[test]
    fn the_given_addresses_are_called_until_a_member_serves() {
        let state = State {
            topology: None,
            followed: crate::client::Followed::Node {
                address: "a:1".into(),
            },
            sources: vec![Address::new("a:1").unwrap()],
        };
        assert_eq!(targets(&state), set(&["a:1"]));
    }
}
