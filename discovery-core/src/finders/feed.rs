//! The plumbing between a finder's task and its watch: what the task learns goes in at one end,
//! whole reports come out at the other. What to ask whom, and when, is left to each finder.

use std::future::pending;

use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::Instant;

use crate::finder::{
    BoxFuture, FinderCause, FinderError, Finding, LastGood, Provenance, SeedReport, SeedWatch,
};
use crate::seed::{SEEDS_MAX, SeedSet};

/// What the feed knows; the age of the last good set is counted from its moment.
#[derive(Clone, Debug)]
struct Knowledge {
    finding: Finding,
    gaps: Vec<FinderError>,
    last_good: Option<(SeedSet, Instant)>,
}

impl Knowledge {
    /// What a watch says before anything was heard.
    fn starting(provenance: &Provenance) -> Self {
        let detail = format!("{provenance} was not heard yet");
        Self {
            finding: Finding::Unknown(FinderError::new(FinderCause::Starting, detail)),
            gaps: Vec::new(),
            last_good: None,
        }
    }

    fn says_the_same_as(&self, other: &Self) -> bool {
        let seeds = |knowledge: &Self| knowledge.last_good.as_ref().map(|(seeds, _)| seeds.clone());
        self.finding == other.finding && self.gaps == other.gaps && seeds(self) == seeds(other)
    }
}

/// Makes the two ends of one watch: a finder's task writes into the first, its user reads the
/// second.
///
/// Until something is fed, the watch says *unknown* with [`FinderCause::Starting`].
///
/// ```
/// use discovery_core::finders::feed;
/// use discovery_core::{Finding, Provenance, Seed, SeedSet, SeedWatch};
/// use tokio::time::Instant;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (feed, mut watch) = feed(Provenance::new("an example"), false);
/// let seeds = SeedSet::new([Seed::at("10.88.0.7:47500".parse().unwrap())]);
/// feed.known(seeds.clone(), Instant::now());
/// assert_eq!(watch.changed().await.finding, Finding::Known(seeds));
/// # }
/// ```
pub fn feed(provenance: Provenance, authoritative: bool) -> (SeedFeed, FedWatch) {
    let (sender, receiver) = watch::channel(Knowledge::starting(&provenance));
    let feed = SeedFeed {
        provenance: provenance.clone(),
        authoritative,
        sender,
    };
    let watch = FedWatch::reading(receiver, provenance, authoritative);
    (feed, watch)
}

/// The writing end of a [`feed`]: says what the source was found to hold.
///
/// Dropping it makes the watch say *unknown* with [`FinderCause::Failed`], since whoever fed it is
/// no longer trying; an error that does not pass by itself stays instead.
#[derive(Debug)]
pub struct SeedFeed {
    provenance: Provenance,
    authoritative: bool,
    sender: watch::Sender<Knowledge>,
}

impl SeedFeed {
    /// The source was asked and lists exactly these; an empty set is *known to be empty*.
    ///
    /// A set of more than [`SEEDS_MAX`] is *unknown* with [`FinderCause::TooLarge`], and the last
    /// good set stays.
    pub fn known(&self, seeds: SeedSet, now: Instant) {
        self.known_in_part(seeds, Vec::new(), now);
    }

    /// As [`known`](Self::known), where parts of the source could not be asked.
    ///
    /// An empty set with gaps is not *known to be empty* but *unknown*, with the first gap.
    pub fn known_in_part(&self, seeds: SeedSet, mut gaps: Vec<FinderError>, now: Instant) {
        if seeds.is_empty() && !gaps.is_empty() {
            self.unknown(gaps.swap_remove(0));
            return;
        }
        if seeds.len() > SEEDS_MAX {
            self.unknown(FinderError::new(
                FinderCause::TooLarge,
                format!(
                    "{} lists {} seeds; the limit is {SEEDS_MAX}",
                    self.provenance,
                    seeds.len()
                ),
            ));
            return;
        }
        self.replace(|_| Knowledge {
            finding: Finding::from_seeds(seeds.clone()),
            gaps,
            last_good: Some((seeds, now)),
        });
    }

    /// The source could not be asked, or its answer cannot be used; the last good set stays.
    pub fn unknown(&self, error: FinderError) {
        self.replace(|before| Knowledge {
            finding: Finding::Unknown(error),
            gaps: Vec::new(),
            last_good: before.last_good.clone(),
        });
    }

    /// The source listed exactly these just now, but cannot be followed any further: *unknown* with
    /// this set as the last good one.
    pub fn unknown_after(&self, seeds: SeedSet, now: Instant, error: FinderError) {
        self.replace(|_| Knowledge {
            finding: Finding::Unknown(error),
            gaps: Vec::new(),
            last_good: Some((seeds, now)),
        });
    }

    /// The source confirmed what was fed as known last, without repeating it; its age starts over.
    ///
    /// While *unknown* this changes nothing: which set was confirmed must be said by
    /// [`known`](Self::known).
    pub fn confirmed(&self, now: Instant) {
        self.sender.send_if_modified(|knowledge| {
            match &knowledge.finding {
                Finding::Known(_) | Finding::KnownEmpty => {
                    if let Some((_, confirmed_at)) = &mut knowledge.last_good {
                        *confirmed_at = now;
                    }
                }
                Finding::Unknown(_) => {}
            }
            false
        });
    }

    /// Another watch of what is fed; its first report is whatever is known by then.
    pub fn watch(&self) -> FedWatch {
        let receiver = self.sender.subscribe();
        FedWatch::reading(receiver, self.provenance.clone(), self.authoritative)
    }

    /// Waits until every watch is dropped, so that a task can end with it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn unwatched(&self) {
        self.sender.closed().await;
    }

    fn replace(&self, next: impl FnOnce(&Knowledge) -> Knowledge) {
        self.sender
            .send_modify(|knowledge| *knowledge = next(knowledge));
    }
}

impl Drop for SeedFeed {
    fn drop(&mut self) {
        // An error that does not pass by itself says more than that nobody asks any longer.
        let is_final = matches!(
            &self.sender.borrow().finding,
            Finding::Unknown(error) if !error.cause().may_pass()
        );
        if is_final {
            return;
        }
        self.unknown(FinderError::new(
            FinderCause::Failed,
            format!("{} is no longer asked: its task has ended", self.provenance),
        ));
    }
}

/// The reading end of a [`feed`].
#[derive(Debug)]
pub struct FedWatch {
    provenance: Provenance,
    authoritative: bool,
    receiver: watch::Receiver<Knowledge>,
    /// What `changed` returned last; at first what a watch says before anything was heard.
    returned: Knowledge,
    task: Option<AbortHandle>,
}

impl FedWatch {
    fn reading(
        receiver: watch::Receiver<Knowledge>,
        provenance: Provenance,
        authoritative: bool,
    ) -> Self {
        let returned = Knowledge::starting(&provenance);
        Self {
            provenance,
            authoritative,
            receiver,
            returned,
            task: None,
        }
    }

    /// Ties a task to the watch: dropping the watch aborts it.
    ///
    /// The task is cut at its next await, so it must hold nothing that needs an orderly end.
    #[must_use]
    pub fn driven_by(mut self, task: &JoinHandle<()>) -> Self {
        self.task = Some(task.abort_handle());
        self
    }

    fn report(&self, knowledge: Knowledge) -> SeedReport {
        let now = Instant::now();
        let last_good = knowledge.last_good.map(|(seeds, at)| LastGood {
            seeds,
            age: now.saturating_duration_since(at),
        });
        let provenance = self.provenance.clone();
        SeedReport::new(knowledge.finding, last_good, provenance, self.authoritative)
            .with_gaps(knowledge.gaps)
    }
}

impl SeedWatch for FedWatch {
    fn latest(&self) -> SeedReport {
        let knowledge = self.receiver.borrow().clone();
        self.report(knowledge)
    }

    fn changed(&mut self) -> BoxFuture<'_, SeedReport> {
        Box::pin(async move {
            loop {
                let knowledge = self.receiver.borrow_and_update().clone();
                if !knowledge.says_the_same_as(&self.returned) {
                    self.returned = knowledge.clone();
                    return self.report(knowledge);
                }
                if self.receiver.changed().await.is_err() {
                    // The feed is gone and its last word was returned: nothing will ever change.
                    pending::<()>().await;
                }
            }
        })
    }
}

impl Drop for FedWatch {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
