//! A finder that says what its script tells it to, for tests of whoever uses finders.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use crate::census::{Census, PodFact, PodRef};
use crate::finder::{BoxFuture, Finder, FinderCause, FinderError, Provenance, SeedWatch};
use crate::finders::{SeedFeed, feed};
use crate::identity::PodUid;
use crate::seed::SeedSet;

/// A finder without a source: its script says what it knows. Clones share one script.
///
/// ```
/// use discovery_core::testing::ScriptedFinder;
/// use discovery_core::{Finder, Finding, Seed, SeedSet, SeedWatch};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let finder = ScriptedFinder::new("a script");
/// let mut watch = finder.watch();
/// let seeds = SeedSet::new([Seed::at("10.88.0.7:47500".parse().unwrap())]);
/// finder.know(seeds.clone());
/// assert_eq!(watch.changed().await.finding, Finding::Known(seeds));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ScriptedFinder {
    provenance: Provenance,
    authoritative: bool,
    feed: Arc<SeedFeed>,
    script: Arc<Mutex<Script>>,
}

#[derive(Debug)]
struct Script {
    census: Result<Census, FinderError>,
    censuses: usize,
    pods: BTreeMap<PodUid, PodFact>,
}

impl ScriptedFinder {
    /// A finder that is not authoritative and has heard nothing yet.
    pub fn new(provenance: &str) -> Self {
        Self::scripted(provenance, false)
    }

    /// A finder that can feed a census, and has heard nothing yet.
    pub fn authoritative(provenance: &str) -> Self {
        Self::scripted(provenance, true)
    }

    fn scripted(provenance: &str, authoritative: bool) -> Self {
        let provenance = Provenance::new(provenance);
        let (feed, _) = feed(provenance.clone(), authoritative);
        let unscripted = FinderError::new(FinderCause::Failed, "no census is scripted");
        let script = Script {
            census: Err(unscripted),
            censuses: 0,
            pods: BTreeMap::new(),
        };
        Self {
            provenance,
            authoritative,
            feed: Arc::new(feed),
            script: Arc::new(Mutex::new(script)),
        }
    }

    /// From now on it knows these seeds; none means *known to be empty*.
    pub fn know(&self, seeds: SeedSet) {
        self.feed.known(seeds, Instant::now());
    }

    /// From now on it does not know, for this reason; the last good set stays.
    pub fn fail(&self, error: FinderError) {
        self.feed.unknown(error);
    }

    /// From now on every census is answered like this.
    pub fn answer_census(&self, answer: Result<Census, FinderError>) {
        self.with_script(|script| script.census = answer);
    }

    /// From now on this is what the platform says of that pod.
    pub fn answer_pod(&self, pod: PodUid, fact: PodFact) {
        self.with_script(|script| script.pods.insert(pod, fact));
    }

    /// How many censuses were asked for.
    pub fn censuses(&self) -> usize {
        self.with_script(|script| script.censuses)
    }

    fn with_script<T>(&self, act: impl FnOnce(&mut Script) -> T) -> T {
        // A test that panicked while it held the script has failed already.
        act(&mut self.script.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Finder for ScriptedFinder {
    fn provenance(&self) -> Provenance {
        self.provenance.clone()
    }

    fn authoritative(&self) -> bool {
        self.authoritative
    }

    fn watch(&self) -> Box<dyn SeedWatch> {
        Box::new(self.feed.watch())
    }

    fn census(&self) -> BoxFuture<'_, Result<Census, FinderError>> {
        Box::pin(async {
            if !self.authoritative {
                let detail = format!("{} is not authoritative", self.provenance);
                return Err(FinderError::new(FinderCause::Unsupported, detail));
            }
            self.with_script(|script| {
                script.censuses += 1;
                script.census.clone()
            })
        })
    }

    fn pod_fact<'a>(&'a self, pod: &'a PodRef) -> BoxFuture<'a, PodFact> {
        Box::pin(async move {
            let scripted = self.with_script(|script| script.pods.get(&pod.uid).cloned());
            scripted.unwrap_or_else(|| {
                let detail = format!("nothing is scripted for {pod}");
                PodFact::Unknown(FinderError::new(FinderCause::Failed, detail))
            })
        })
    }
}
