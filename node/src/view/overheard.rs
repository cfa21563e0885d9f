//! A finder that remembers what it told the node, so that metrics and page can say it too without
//! asking the source once more.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use discovery_core::{
    BoxFuture, Census, Finder, FinderError, Finding, LastGood, PodFact, PodRef, Provenance,
    SeedReport, SeedSet, SeedWatch,
};
use tokio::time::Instant;

/// What a finder said last, and when; clones hear the same.
#[derive(Clone, Debug, Default)]
pub struct Heard(Arc<Mutex<Option<(SeedReport, Instant)>>>);

impl Heard {
    /// The last report, aged to now; none if nothing was said yet.
    pub fn latest(&self, now: Instant) -> Option<SeedReport> {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut report, at) = heard.clone()?;
        if let Some(last_good) = &mut report.last_good {
            last_good.age += now.saturating_duration_since(at);
        }
        Some(report)
    }

    fn note(&self, report: &SeedReport) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *heard = Some((report.clone(), Instant::now()));
    }
}

/// A finder that remembers what it said.
#[derive(Clone, Debug)]
pub struct Overheard {
    finder: Arc<dyn Finder>,
    heard: Heard,
}

impl Overheard {
    /// Listens to this finder from now on.
    pub fn new(finder: Arc<dyn Finder>) -> Self {
        Self {
            finder,
            heard: Heard::default(),
        }
    }

    /// What it said last.
    pub fn heard(&self) -> Heard {
        self.heard.clone()
    }

    /// The finder itself.
    pub fn finder(&self) -> &Arc<dyn Finder> {
        &self.finder
    }
}

impl Finder for Overheard {
    fn provenance(&self) -> Provenance {
        self.finder.provenance()
    }

    fn authoritative(&self) -> bool {
        self.finder.authoritative()
    }

    fn watch(&self) -> Box<dyn SeedWatch> {
        Box::new(OverheardWatch {
            watch: self.finder.watch(),
            heard: self.heard.clone(),
        })
    }

    fn census(&self) -> BoxFuture<'_, Result<Census, FinderError>> {
        Box::pin(async move {
            let census = self.finder.census().await?;
            let seeds = SeedSet::new(census.entries.iter().cloned());
            let last_good = LastGood {
                seeds: seeds.clone(),
                age: Duration::ZERO,
            };
            self.heard.note(&SeedReport::new(
                Finding::from_seeds(seeds),
                Some(last_good),
                self.provenance(),
                self.authoritative(),
            ));
            Ok(census)
        })
    }

    fn pod_fact<'a>(&'a self, pod: &'a PodRef) -> BoxFuture<'a, PodFact> {
        self.finder.pod_fact(pod)
    }
}

#[derive(Debug)]
struct OverheardWatch {
    watch: Box<dyn SeedWatch>,
    heard: Heard,
}

impl SeedWatch for OverheardWatch {
    fn latest(&self) -> SeedReport {
        let report = self.watch.latest();
        self.heard.note(&report);
        report
    }

    fn changed(&mut self) -> BoxFuture<'_, SeedReport> {
        Box::pin(async move {
            let report = self.watch.changed().await;
            self.heard.note(&report);
            report
        })
    }
}
