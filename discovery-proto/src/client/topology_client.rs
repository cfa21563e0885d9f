//! The client: started from addresses or a finder, read by any number of readers.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use discovery_core::Finder;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::address::{Address, AddressError, Source};
use super::config::TopologyClientConfig;
use super::follow::{Follower, Shared, State};
use super::update::{Followed, Gap, LinkEnd, Update};
use crate::discovery::v1;

/// The most that `updates_max` may be.
const UPDATES_MAX: usize = 65_536;

/// Follows the topology through any node, and through another one when that goes or loses its
/// quorum; for as long as a clone of it, or a channel made by it, is kept.
///
/// It goes on looking by itself whatever happens, so there is nothing to restart.
///
/// ```no_run
/// use discovery_proto::client::{TopologyClient, TopologyClientConfig, Update};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = TopologyClient::follow(["ring:47510"], TopologyClientConfig::default())?;
/// let mut updates = client.updates();
/// while let Some(update) = updates.next().await {
///     match update {
///         Update::Changed { topology, .. } => println!("{} members", topology.members.len()),
///         Update::Snapshot { gap: Some(gap), .. } => println!("begin anew: {gap}"),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TopologyClient(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    config: TopologyClientConfig,
    task: JoinHandle<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// No topology was told in time. The client goes on looking: waiting again may help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no topology within {limit:?}: {followed:?}")]
pub struct NoTopologyYet {
    /// How long it was waited for.
    pub limit: Duration,
    /// Through whom it is followed, or why through nobody.
    pub followed: Followed,
}

impl TopologyClient {
    /// Follows it from these addresses on, each a `host:port` where a node serves `discovery.v1`, in
    /// plaintext; names are looked up at each try. Members that they tell of are asked first later
    /// on.
    ///
    /// Must be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// If an address cannot be used, or there is none, or there are too many.
    pub fn follow<A: AsRef<str>>(
        addresses: impl IntoIterator<Item = A>,
        config: TopologyClientConfig,
    ) -> Result<Self, AddressError> {
        let addresses = Address::list(addresses)?;
        Ok(Self::start(Source::Given(addresses), config))
    }

    /// Follows it from whatever this finder finds. A finder that finds the ports of the ring needs
    /// [`found_port`](TopologyClientConfig::found_port).
    ///
    /// Must be called inside a tokio runtime.
    pub fn found_by(finder: &dyn Finder, config: TopologyClientConfig) -> Self {
        let source = Source::Found(finder.watch(), config.found_port);
        Self::start(source, config)
    }

    fn start(source: Source, config: TopologyClientConfig) -> Self {
        let updates_max = config.updates_max.clamp(1, UPDATES_MAX);
        let shared = Arc::new(Shared::new(source.addresses(), updates_max));
        let follower = Follower {
            source,
            config: config.clone(),
            shared: Arc::clone(&shared),
        };
        let task = tokio::spawn(follower.run());
        Self(Arc::new(Inner {
            shared,
            config,
            task,
        }))
    }

    /// The topology that was told last; none before the first. Whether it is in force is what
    /// [`followed`](Self::followed) says.
    pub fn topology(&self) -> Option<Arc<v1::Topology>> {
        self.state().topology
    }

    /// Through whom it is followed now.
    pub fn followed(&self) -> Followed {
        self.state().followed
    }

    /// What it learns, from now on: first what it knows, then every update in order.
    pub fn updates(&self) -> Updates {
        Updates::of(&self.0.shared)
    }

    /// The topology, as soon as there is one.
    ///
    /// # Errors
    ///
    /// If there is none within the limit.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn ready(&self, limit: Duration) -> Result<Arc<v1::Topology>, NoTopologyYet> {
        let mut updates = self.updates();
        let first = async {
            while let Some(update) = updates.next().await {
                match update {
                    Update::Changed { topology, .. } | Update::Snapshot { topology, .. } => {
                        return Some(topology);
                    }
                    Update::Followed(_) => {}
                }
            }
            None
        };
        let found = timeout(limit, first).await.ok().flatten();
        found.ok_or_else(|| NoTopologyYet {
            limit,
            followed: self.followed(),
        })
    }

    pub(super) fn state(&self) -> State {
        self.0.shared.state()
    }

    pub(super) fn config(&self) -> &TopologyClientConfig {
        &self.0.config
    }
}

/// A reader of what a client learns. It does not keep the client.
#[derive(Debug)]
pub struct Updates {
    shared: Weak<Shared>,
    receiver: broadcast::Receiver<Update>,
    begin: VecDeque<Update>,
}

impl Updates {
    fn of(shared: &Arc<Shared>) -> Self {
        let (state, receiver) = shared.subscribe();
        Self {
            shared: Arc::downgrade(shared),
            receiver,
            begin: beginning(state, None),
        }
    }

    /// Waits for the next update, without a limit; none once the client is gone.
    ///
    /// A reader that is too slow is told the topology of the moment, with [`Gap::SlowReader`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: the next call returns it.
    pub async fn next(&mut self) -> Option<Update> {
        loop {
            if let Some(update) = self.begin.pop_front() {
                return Some(update);
            }
            match self.receiver.recv().await {
                Ok(update) => return Some(update),
                Err(RecvError::Closed) => return None,
                Err(RecvError::Lagged(_)) => {
                    let shared = self.shared.upgrade()?;
                    let (state, receiver) = shared.subscribe();
                    self.receiver = receiver;
                    self.begin = beginning(state, Some(Gap::SlowReader));
                }
            }
        }
    }
}

/// What a reader is told first.
fn beginning(state: State, gap: Option<Gap>) -> VecDeque<Update> {
    let snapshot = state
        .topology
        .map(|topology| Update::Snapshot { topology, gap });
    let nobody_yet = Followed::Nobody {
        why: LinkEnd::NoAddress,
    };
    let followed = Some(state.followed).filter(|it| *it != nobody_yet);
    followed
        .map(Update::Followed)
        .into_iter()
        .chain(snapshot)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(version: u64) -> Update {
        let id = v1::TopologyRef {
            version,
            ..v1::TopologyRef::default()
        };
        let topology = Arc::new(v1::Topology {
            id: Some(id),
            ..v1::Topology::default()
        });
        Update::Snapshot {
            topology,
            gap: None,
        }
    }

    #[tokio::test]
    async fn a_slow_reader_is_told_the_topology_of_the_moment_and_that_there_is_a_gap() {
        let shared = Arc::new(Shared::new(Vec::new(), 2));
        let mut updates = Updates::of(&shared);
        for version in 1..=9 {
            shared.tell(snapshot(version));
        }
        let Some(Update::Snapshot { topology, gap }) = updates.next().await else {
            panic!("the topology comes first");
        };
        assert_eq!(topology.id.as_ref().unwrap().version, 9);
        assert_eq!(gap, Some(Gap::SlowReader));
        shared.tell(snapshot(10));
        assert_eq!(updates.next().await, Some(snapshot(10)));
        drop(shared);
        assert_eq!(updates.next().await, None);
    }
}
