//! What every node was told, and when: the one judge of all measurements.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use discovery_core::{Delivery, Subscription, Topology};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

/// Sees the deliveries of all nodes.
#[derive(Clone, Default)]
pub(crate) struct Witness(Arc<Shared>);

#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
    met: Notify,
}

#[derive(Default)]
struct Seen {
    latest: BTreeMap<usize, Topology>,
    /// Topologies that were seen and not hashed yet: that would take the nodes' own time while they
    /// are measured.
    unhashed: Vec<Topology>,
    /// For each cluster, epoch and version: the memberships that were seen under it.
    memberships: BTreeMap<(u128, u64, u64), BTreeSet<u64>>,
    /// Names of those who were meant to go.
    victims: BTreeSet<String>,
    false_removals: BTreeSet<String>,
    expectation: Option<Expectation>,
}

/// What is waited for at some nodes.
struct Expectation {
    pending: BTreeSet<usize>,
    is_met: Box<dyn Fn(&Topology) -> bool + Send>,
    last_met: Option<Instant>,
}

/// What did not happen.
#[derive(Debug, thiserror::Error)]
#[error("after {limit:?} {missing} nodes still wait for {what}; {example}")]
pub(crate) struct NotMet {
    what: &'static str,
    limit: Duration,
    missing: usize,
    example: String,
}

impl Witness {
    /// Follows a node until it ends.
    pub(crate) async fn follow(self, node: usize, mut deliveries: Box<dyn Subscription>) {
        while let Some(delivery) = deliveries.next().await {
            let now = Instant::now();
            match delivery {
                Delivery::Snapshot { topology, .. } => self.see(node, topology, now),
                Delivery::Changed(event) => {
                    let failed = event.failed.iter().map(|(member, _)| member.name());
                    self.judge(failed.map(ToString::to_string));
                    self.see(node, event.topology, now);
                }
                _ => {}
            }
        }
    }

    /// These are meant to go from now on.
    pub(crate) fn condemn(&self, names: impl IntoIterator<Item = String>) {
        self.lock().victims.extend(names);
    }

    /// Waits until a topology as wanted is the latest at each of these nodes; returns when the last
    /// of them had it.
    pub(crate) async fn until(
        &self,
        what: &'static str,
        nodes: impl IntoIterator<Item = usize>,
        is_met: impl Fn(&Topology) -> bool + Send + 'static,
        limit: Duration,
    ) -> Result<Instant, NotMet> {
        {
            let mut seen = self.lock();
            let now = Instant::now();
            let pending: BTreeSet<usize> = nodes
                .into_iter()
                .filter(|node| !seen.latest.get(node).is_some_and(&is_met))
                .collect();
            if pending.is_empty() {
                return Ok(now);
            }
            seen.expectation = Some(Expectation {
                pending,
                is_met: Box::new(is_met),
                last_met: None,
            });
        }
        let all_met = async {
            loop {
                self.0.met.notified().await;
                if let Some(at) = self.met_at() {
                    return at;
                }
            }
        };
        let met = timeout(limit, all_met).await;
        let mut seen = self.lock();
        seen.hash();
        let expectation = seen.expectation.take();
        met.map_err(|_| {
            let pending = expectation.map(|expectation| expectation.pending);
            let pending = pending.unwrap_or_default();
            let of = |node: &usize| match seen.latest.get(node) {
                Some(topology) => format!(
                    "node {node} has {} with {} members",
                    topology.id(),
                    topology.len()
                ),
                None => format!("node {node} has none"),
            };
            NotMet {
                what,
                limit,
                missing: pending.len(),
                example: pending.first().map(of).unwrap_or_default(),
            }
        })
    }

    /// The latest topology of a node.
    pub(crate) fn latest(&self, node: usize) -> Option<Topology> {
        self.lock().latest.get(&node).cloned()
    }

    /// How many different memberships were seen, and how many under one version at most.
    pub(crate) fn memberships(&self) -> (usize, usize) {
        let mut seen = self.lock();
        seen.hash();
        let distinct: BTreeSet<_> = seen.memberships.values().flatten().collect();
        let most = seen.memberships.values().map(BTreeSet::len).max();
        (distinct.len(), most.unwrap_or(0))
    }

    /// How many were removed that lived.
    pub(crate) fn false_removals(&self) -> usize {
        self.lock().false_removals.len()
    }

    fn judge(&self, failed: impl Iterator<Item = String>) {
        let mut seen = self.lock();
        let false_removals: Vec<_> = failed.filter(|name| !seen.victims.contains(name)).collect();
        seen.false_removals.extend(false_removals);
    }

    fn see(&self, node: usize, topology: Topology, now: Instant) {
        let mut seen = self.lock();
        seen.unhashed.push(topology.clone());
        let is_last = seen
            .expectation
            .as_mut()
            .is_some_and(|expectation| expectation.see(node, &topology, now));
        seen.latest.insert(node, topology);
        if is_last {
            self.0.met.notify_one();
        }
    }

    fn met_at(&self) -> Option<Instant> {
        let seen = self.lock();
        let expectation = seen.expectation.as_ref()?;
        expectation
            .last_met
            .filter(|_| expectation.pending.is_empty())
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn hash(&mut self) {
        for topology in std::mem::take(&mut self.unhashed) {
            let id = topology.id();
            let key = (id.cluster_id.as_u128(), id.epoch.0, id.version.get());
            let hash = topology.content_hash();
            self.memberships.entry(key).or_default().insert(hash);
        }
    }
}

impl Expectation {
    /// Whether this was the last one that was waited for.
    fn see(&mut self, node: usize, topology: &Topology, now: Instant) -> bool {
        if self.pending.contains(&node) && (self.is_met)(topology) {
            self.pending.remove(&node);
            self.last_met = Some(now);
            return self.pending.is_empty();
        }
        false
    }
}
