//! For tests, examples and measurements without a platform (feature `testing`): a listing in
//! memory, shared by all nodes of one process, that may feed a census.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use discovery_core::finders::{SeedFeed, feed};
use discovery_core::{
    BoxFuture, Census, Finder, FinderCause, FinderError, PodFact, PodRef, PodUid, ProcessIdentity,
    Provenance, ResourceVersion, Seed, SeedSet, SeedWatch,
};
use tokio::time::{Instant, sleep};

/// How long an answer takes unless told otherwise.
const ANSWER_DELAY: Duration = Duration::from_millis(1);

/// How often something else is written unless told otherwise: a resource version counts the writes
/// of a whole store, and where a deployment starts there are many.
const WRITE_PAUSE: Duration = Duration::from_millis(5);

/// An authoritative finder over a list in memory. Clones share the list.
///
/// Its resource version grows with everything that is entered or removed, and with time, as that of
/// a platform's store does.
///
/// ```
/// use discovery_core::{Finder, Seed};
/// use discovery_tcp::testing::SharedListing;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listing = SharedListing::new();
/// listing.enter([Seed::at("127.0.0.1:47500".parse()?)]);
/// assert_eq!(listing.census().await?.entries.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SharedListing {
    shared: Arc<Shared>,
    delay: Duration,
}

#[derive(Debug)]
struct Shared {
    provenance: Provenance,
    feed: SeedFeed,
    start: Instant,
    listed: Mutex<Listed>,
}

#[derive(Debug)]
struct Listed {
    seeds: BTreeMap<ProcessIdentity, Seed>,
    pods: BTreeMap<PodUid, PodFact>,
    writes: u64,
    censuses: u64,
    failure: Option<FinderError>,
}

impl SharedListing {
    /// A listing of nobody, that answers after a millisecond.
    pub fn new() -> Self {
        let provenance = Provenance::new("a listing in memory");
        let (feed, _) = feed(provenance.clone(), true);
        let listed = Listed {
            seeds: BTreeMap::new(),
            pods: BTreeMap::new(),
            writes: 1,
            censuses: 0,
            failure: None,
        };
        Self {
            shared: Arc::new(Shared {
                provenance,
                feed,
                start: Instant::now(),
                listed: Mutex::new(listed),
            }),
            delay: ANSWER_DELAY,
        }
    }

    /// A clone whose answers take so long.
    #[must_use]
    pub fn answering_after(&self, delay: Duration) -> Self {
        let shared = Arc::clone(&self.shared);
        Self { shared, delay }
    }

    /// Lists these, in place of what was listed of the same processes.
    pub fn enter(&self, seeds: impl IntoIterator<Item = Seed>) {
        self.change(|listed| {
            for seed in seeds {
                listed.writes += 1;
                listed.seeds.insert(seed.identity(), seed);
            }
        });
    }

    /// Lists this process no more.
    pub fn remove(&self, process: &ProcessIdentity) {
        self.change(|listed| {
            listed.writes += 1;
            listed.seeds.remove(process);
        });
    }

    /// From now on this is what is said of that pod. Of others nothing is known.
    pub fn answer_pod(&self, pod: PodUid, fact: PodFact) {
        self.lock().pods.insert(pod, fact);
    }

    /// From now on nothing can be asked: every answer is this error, until something is entered or
    /// removed.
    pub fn fail(&self, error: FinderError) {
        let mut listed = self.lock();
        listed.failure = Some(error.clone());
        // Fed under the lock, as lists are.
        self.shared.feed.unknown(error);
    }

    /// How many censuses were asked for.
    pub fn censuses(&self) -> u64 {
        self.lock().censuses
    }

    fn change(&self, change: impl FnOnce(&mut Listed)) {
        let mut listed = self.lock();
        listed.failure = None;
        change(&mut listed);
        let seeds = SeedSet::new(listed.seeds.values().cloned());
        // Fed under the lock, so that an older list never replaces a newer one.
        self.shared.feed.known(seeds, Instant::now());
    }

    fn list(&self) -> Result<Census, FinderError> {
        let mut listed = self.lock();
        listed.censuses += 1;
        if let Some(error) = &listed.failure {
            return Err(error.clone());
        }
        let passed = self.shared.start.elapsed().as_millis() / WRITE_PAUSE.as_millis();
        let writes = listed.writes + u64::try_from(passed).unwrap_or(0);
        let version = ResourceVersion::new(writes)
            .ok_or_else(|| FinderError::new(FinderCause::Failed, "nothing was ever written"))?;
        let entries = listed.seeds.values().cloned().collect();
        Ok(Census::new(
            entries,
            version,
            self.shared.provenance.clone(),
        ))
    }

    fn lock(&self) -> MutexGuard<'_, Listed> {
        // A test that panicked while it held the list has failed already.
        self.shared
            .listed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for SharedListing {
    fn default() -> Self {
        Self::new()
    }
}

impl Finder for SharedListing {
    fn provenance(&self) -> Provenance {
        self.shared.provenance.clone()
    }

    fn authoritative(&self) -> bool {
        true
    }

    fn watch(&self) -> Box<dyn SeedWatch> {
        Box::new(self.shared.feed.watch())
    }

    fn census(&self) -> BoxFuture<'_, Result<Census, FinderError>> {
        Box::pin(async move {
            sleep(self.delay).await;
            self.list()
        })
    }

    fn pod_fact<'a>(&'a self, pod: &'a PodRef) -> BoxFuture<'a, PodFact> {
        Box::pin(async move {
            sleep(self.delay).await;
            let listed = self.lock();
            if let Some(error) = &listed.failure {
                return PodFact::Unknown(error.clone());
            }
            let told = listed.pods.get(&pod.uid).cloned();
            told.unwrap_or_else(|| {
                let detail = format!("nothing was said of {pod}");
                PodFact::Unknown(FinderError::new(FinderCause::Failed, detail))
            })
        })
    }
}
