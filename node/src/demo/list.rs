//! Who is listed in the demo. The list is the finder of every member; whoever is started is entered
//! first and stays, as a pod does whose container ends and is started anew.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use discovery_core::finders::{SeedFeed, feed};
use discovery_core::{
    BoxFuture, Census, Finder, FinderCause, FinderError, NodeName, PodUid, Provenance,
    ResourceVersion, Seed, SeedSet, SeedWatch,
};
use jiff::Timestamp;
use tokio::time::Instant;

/// The list; clones are the same.
#[derive(Clone, Debug)]
pub(super) struct DemoList(Arc<Listed>);

#[derive(Debug)]
struct Listed {
    feed: SeedFeed,
    seeds: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    seeds: BTreeMap<NodeName, Seed>,
    version: u64,
}

impl DemoList {
    pub(super) fn new() -> Self {
        let (feed, _) = feed(provenance(), true);
        Self(Arc::new(Listed {
            feed,
            seeds: Mutex::default(),
        }))
    }

    /// Lists the member of this name and uid there, in that zone.
    pub(super) fn enter(&self, name: NodeName, uid: PodUid, address: SocketAddr, zone: &str) {
        let mut seed = Seed::at(address);
        seed.name = Some(name.clone());
        seed.pod_uid = Some(uid);
        seed.zone = Some(Arc::from(zone));
        self.change(|seeds| {
            seeds.insert(name, seed);
        });
    }

    /// Lists the member of this name no more.
    pub(super) fn remove(&self, name: &NodeName) {
        self.change(|seeds| {
            seeds.remove(name);
        });
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<NodeName, Seed>)) {
        let mut entries = self.0.seeds.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut entries.seeds);
        let seeds = SeedSet::new(entries.seeds.values().cloned());
        // Fed under the lock, so that an older list never replaces a newer one.
        self.0.feed.known(seeds, Instant::now());
    }

    fn list(&self) -> Result<Census, FinderError> {
        let mut entries = self.0.seeds.lock().unwrap_or_else(PoisonError::into_inner);
        // Grows with time as well, as that of a store does that others write to.
        let clock = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0);
        entries.version = clock.max(entries.version + 1);
        let version = ResourceVersion::new(entries.version)
            .ok_or_else(|| FinderError::new(FinderCause::Failed, "the clock stands at 0"))?;
        let seeds = entries.seeds.values().cloned().collect();
        Ok(Census::new(seeds, version, provenance()))
    }
}

fn provenance() -> Provenance {
    Provenance::new("the demo's list")
}

impl Finder for DemoList {
    fn provenance(&self) -> Provenance {
        provenance()
    }

    fn authoritative(&self) -> bool {
        true
    }

    fn watch(&self) -> Box<dyn SeedWatch> {
        Box::new(self.0.feed.watch())
    }

    fn census(&self) -> BoxFuture<'_, Result<Census, FinderError>> {
        Box::pin(std::future::ready(self.list()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_listing_is_newer_than_the_one_before() {
        let list = DemoList::new();
        list.enter(
            "ring-1".parse().unwrap(),
            "place-1".parse().unwrap(),
            "127.0.0.1:1".parse().unwrap(),
            "a",
        );
        let first = list.census().await.unwrap();
        let second = list.census().await.unwrap();
        assert_eq!(first.entries.len(), 1);
        assert!(second.resource_version.get() > first.resource_version.get());
    }
}
