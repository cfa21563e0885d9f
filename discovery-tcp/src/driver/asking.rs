//! Asking the finder: its watch and each question run on tasks of their own, so that nothing of it
//! runs on the protocol's task, and every question is answered whatever the finder does.

use std::sync::Arc;
use std::time::Duration;

use discovery_core::{
    Finder, FinderCause, FinderError, Finding, PodFact, PodRef, Provenance, SeedReport,
};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::inbox::Happening;
use super::links::Links;

/// How long one question may take; a finder's own limits are well below.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// How long after it went wrong a watch is begun anew.
const WATCH_PAUSE: Duration = Duration::from_secs(1);

/// Asks the finder for one driver.
#[derive(Debug)]
pub(super) struct Asking {
    finder: Option<Arc<dyn Finder>>,
    links: Arc<Links>,
    watch: Option<AbortHandle>,
    watches: u64,
}

impl Asking {
    pub(super) fn new(finder: Option<Arc<dyn Finder>>, links: Arc<Links>) -> Self {
        Self {
            finder,
            links,
            watch: None,
            watches: 0,
        }
    }

    /// Starts the watch, if it is not kept already.
    pub(super) fn watch(&mut self) {
        let (Some(finder), None) = (&self.finder, &self.watch) else {
            return;
        };
        self.watches += 1;
        let (finder, watch) = (Arc::clone(finder), self.watches);
        let links = Arc::clone(&self.links);
        let task = tokio::spawn(watch_on(finder, links, watch));
        self.watch = Some(task.abort_handle());
    }

    /// Drops the watch.
    pub(super) fn unwatch(&mut self) {
        if let Some(watch) = self.watch.take() {
            watch.abort();
        }
    }

    /// Whether a report is of the watch that is kept now.
    pub(super) fn is_current(&self, watch: u64) -> bool {
        self.watch.is_some() && watch == self.watches
    }

    /// Asks for one listing; its answer comes through the inbox.
    pub(super) fn list(&self, round: u64) {
        let owed = self.owed(move |error| Happening::Listing {
            round,
            result: Err(error),
        });
        let Some(finder) = self.finder.clone() else {
            return owed.fail(no_finder());
        };
        tokio::spawn(async move {
            match timeout(ANSWER_LIMIT, finder.census()).await {
                Ok(result) => owed.pay(Happening::Listing { round, result }),
                Err(_) => owed.fail(too_late()),
            }
        });
    }

    /// Asks for one pod; its answer comes through the inbox.
    pub(super) fn read_pod(&self, question: u64, pod: PodRef) {
        let owed = self.owed(move |error| Happening::PodFact {
            question,
            fact: PodFact::Unknown(error),
        });
        let Some(finder) = self.finder.clone() else {
            return owed.fail(no_finder());
        };
        tokio::spawn(async move {
            match timeout(ANSWER_LIMIT, finder.pod_fact(&pod)).await {
                Ok(fact) => owed.pay(Happening::PodFact { question, fact }),
                Err(_) => owed.fail(too_late()),
            }
        });
    }

    fn owed(&self, failed: impl FnOnce(FinderError) -> Happening + Send + 'static) -> Owed {
        Owed {
            links: Arc::clone(&self.links),
            failed: Some(Box::new(failed)),
        }
    }
}

/// Keeps the watch up: one that goes wrong is told of, and begun anew. Ends when it is aborted.
async fn watch_on(finder: Arc<dyn Finder>, links: Arc<Links>, watch: u64) {
    loop {
        // Dropping the set ends what runs in it.
        let mut watching = JoinSet::new();
        watching.spawn(pass_reports_on(
            Arc::clone(&finder),
            Arc::clone(&links),
            watch,
        ));
        watching.join_next().await;
        let report = SeedReport::new(
            Finding::Unknown(went_wrong()),
            None,
            Provenance::new("the finder"),
            false,
        );
        links.inbox.push(Happening::Seeds { watch, report });
        sleep(WATCH_PAUSE).await;
    }
}

async fn pass_reports_on(finder: Arc<dyn Finder>, links: Arc<Links>, watch: u64) {
    let mut seeds = finder.watch();
    loop {
        let report = seeds.changed().await;
        links.inbox.push(Happening::Seeds { watch, report });
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.unwatch();
    }
}

fn no_finder() -> FinderError {
    FinderError::new(FinderCause::Unsupported, "the node has no finder")
}

fn went_wrong() -> FinderError {
    let detail = "the finder panicked, or its task was ended";
    FinderError::new(FinderCause::Failed, detail)
}

fn too_late() -> FinderError {
    let detail = format!("the finder has not answered within {ANSWER_LIMIT:?}");
    FinderError::new(FinderCause::Timeout, detail)
}

/// An answer that is given even if the finder panics.
struct Owed {
    links: Arc<Links>,
    failed: Option<Box<dyn FnOnce(FinderError) -> Happening + Send>>,
}

impl Owed {
    fn pay(mut self, answer: Happening) {
        self.failed = None;
        self.links.inbox.push(answer);
    }

    fn fail(mut self, error: FinderError) {
        self.give(error);
    }

    fn give(&mut self, error: FinderError) {
        if let Some(failed) = self.failed.take() {
            self.links.inbox.push(failed(error));
        }
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        self.give(went_wrong());
    }
}

#[cfg(test)]
#[path = "asking_tests.rs"]
mod tests;
