//! The conformance kit: holds any finder against the contract of `finder.rs`, clause by clause.
//! Whoever wrote the finder writes a small [`Subject`] that moves its source; the rest is here.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::finder::{Finder, FinderCause, Finding, SeedReport, SeedWatch};
use crate::seed::{Seed, SeedSet};

/// A finder under test and the source that it finds in.
///
/// Seeds are told by their addresses alone, all of one port; whatever else a finder knows of a seed
/// is its own business. Each method returns when the source has changed, whether or not the finder
/// has noticed.
pub trait Subject {
    /// The finder, on its source.
    fn finder(&self) -> Arc<dyn Finder>;

    /// Makes the source list exactly these; none only if [`may_be_empty`](Self::may_be_empty).
    fn set_seeds(&mut self, seeds: &[SocketAddr]) -> impl Future<Output = ()>;

    /// Makes the source impossible to ask.
    fn break_source(&mut self) -> impl Future<Output = ()>;

    /// Makes it answer again, with what it listed before or was set to since.
    fn mend_source(&mut self) -> impl Future<Output = ()>;

    /// Whether the source can say that it lists nobody. Default: it can.
    fn may_be_empty(&self) -> bool {
        true
    }
}

/// What the contract of a finder promises, as the kit checks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Clause {
    /// A report hangs together: known means seeds, which are the last good ones, only what is known
    /// has gaps, and the authority is the finder's.
    SoundReport,
    /// A source that cannot be asked is *unknown*, never *empty*.
    UnknownIsNotEmpty,
    /// The first wait of a watch returns as soon as something is known or has failed.
    FirstReport,
    /// A report holds every seed there is, and none that is gone.
    WholeSets,
    /// A source that lists nobody is *known to be empty*.
    KnownEmpty,
    /// The last good set survives an error, and its age grows.
    LastGood,
    /// No trouble ends a watch.
    TroubleEndsNothing,
    /// A wait that is dropped loses no report.
    CancelSafety,
    /// What was returned is what the watch says now, and is not returned twice.
    NoRepetition,
    /// Two watches of one finder do not disturb each other.
    Independence,
    /// A census is a listing of its own, made after it was asked for; who cannot, says so.
    FreshCensus,
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::SoundReport => "a report hangs together",
            Self::UnknownIsNotEmpty => "unknown is never empty",
            Self::FirstReport => "the first wait returns what is known or has failed",
            Self::WholeSets => "sets are whole",
            Self::KnownEmpty => "a source that lists nobody is known to be empty",
            Self::LastGood => "the last good set survives an error and its age grows",
            Self::TroubleEndsNothing => "trouble ends no watch",
            Self::CancelSafety => "a dropped wait loses no report",
            Self::NoRepetition => "a report is not returned twice",
            Self::Independence => "two watches do not disturb each other",
            Self::FreshCensus => "a census is a listing of its own",
        })
    }
}

/// The finder broke a promise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("breach of '{clause}': {found}")]
pub struct Breach {
    /// Which promise.
    pub clause: Clause,
    /// What was found instead.
    pub found: String,
}

/// Checks a finder against every clause of the contract.
///
/// `limit` is how long the finder may take to notice a change of its source; the kit waits no
/// longer for anything, and a tenth of it to see that nothing happens.
///
/// # Errors
///
/// With the first promise that is broken.
///
/// # Cancel safety
///
/// Dropping the future leaves the source as it is at that moment.
///
/// ```
/// use std::{net::SocketAddr, sync::Arc, time::Duration};
///
/// use discovery_core::testing::{ScriptedFinder, Subject, check_finder};
/// use discovery_core::{Finder, FinderCause, FinderError, Seed};
///
/// struct Scripted(ScriptedFinder, Vec<SocketAddr>);
///
/// impl Subject for Scripted {
///     fn finder(&self) -> Arc<dyn Finder> {
///         Arc::new(self.0.clone())
///     }
///
///     async fn set_seeds(&mut self, seeds: &[SocketAddr]) {
///         self.1 = seeds.to_vec();
///         self.mend_source().await;
///     }
///
///     async fn break_source(&mut self) {
///         self.0.fail(FinderError::new(FinderCause::Unreachable, "broken"));
///     }
///
///     async fn mend_source(&mut self) {
///         self.0.know(self.1.iter().copied().map(Seed::at).collect());
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut subject = Scripted(ScriptedFinder::new("a script"), Vec::new());
/// check_finder(&mut subject, Duration::from_secs(1)).await?;
/// # Ok(())
/// # }
/// ```
pub async fn check_finder<S: Subject>(subject: &mut S, limit: Duration) -> Result<(), Breach> {
    let kit = Kit { limit };
    kit.unknown_at_start(subject).await?;
    kit.whole_sets(subject).await?;
    kit.known_empty(subject).await?;
    kit.trouble(subject).await?;
    kit.cancelled_waits(subject).await?;
    kit.no_repetition(subject).await?;
    kit.independence(subject).await?;
    kit.census(subject).await
}

/// The seeds that the checks move around.
fn addresses(hosts: &[u8]) -> Vec<SocketAddr> {
    hosts
        .iter()
        .map(|host| ([10, 99, 0, *host], 47500).into())
        .collect()
}

fn listed(seeds: &SeedSet) -> BTreeSet<SocketAddr> {
    seeds.iter().flat_map(Seed::addresses).copied().collect()
}

fn breach(clause: Clause, found: impl Into<String>) -> Breach {
    let found = found.into();
    Breach { clause, found }
}

/// Whether the report says that the source lists exactly these.
fn says(report: &SeedReport, expected: &[SocketAddr]) -> bool {
    match &report.finding {
        Finding::Known(seeds) => listed(seeds) == expected.iter().copied().collect(),
        Finding::KnownEmpty => expected.is_empty(),
        Finding::Unknown(_) => false,
    }
}

struct Kit {
    limit: Duration,
}

impl Kit {
    /// Waits until a report is as it should be; every one on the way must be sound.
    async fn until(
        &self,
        finder: &dyn Finder,
        watch: &mut dyn SeedWatch,
        clause: Clause,
        wanted: impl Fn(&SeedReport) -> bool,
    ) -> Result<SeedReport, Breach> {
        let deadline = Instant::now() + self.limit;
        let mut seen = watch.latest();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(report) = timeout(left, watch.changed()).await else {
                let limit = self.limit;
                return Err(breach(
                    clause,
                    format!("after {limit:?} it still says {seen:?}"),
                ));
            };
            sound(finder, &report)?;
            if wanted(&report) {
                return Ok(report);
            }
            seen = report;
        }
    }

    async fn unknown_at_start(&self, subject: &mut impl Subject) -> Result<(), Breach> {
        subject.break_source().await;
        let finder = subject.finder();
        let mut watch = finder.watch();
        let first = timeout(self.limit, watch.changed()).await.map_err(|_| {
            let found = format!(
                "nothing within {:?}; it says {:?}",
                self.limit,
                watch.latest()
            );
            breach(Clause::FirstReport, found)
        })?;
        sound(&*finder, &first)?;
        match &first.finding {
            Finding::Unknown(error) if error.cause() != FinderCause::Starting => {}
            Finding::Unknown(_) => {
                let found = "the first wait returned that it is starting";
                return Err(breach(Clause::FirstReport, found));
            }
            Finding::Known(_) | Finding::KnownEmpty => {
                let found = format!("on a broken source: {first:?}");
                return Err(breach(Clause::UnknownIsNotEmpty, found));
            }
        }
        subject.set_seeds(&addresses(&[1])).await;
        subject.mend_source().await;
        let wanted = |report: &SeedReport| says(report, &addresses(&[1]));
        self.until(&*finder, &mut *watch, Clause::TroubleEndsNothing, wanted)
            .await?;
        Ok(())
    }

    async fn whole_sets(&self, subject: &mut impl Subject) -> Result<(), Breach> {
        let finder = subject.finder();
        let mut watch = finder.watch();
        for hosts in [&[1, 2, 3][..], &[2, 3, 4], &[4], &[1, 2, 3, 4, 5]] {
            subject.set_seeds(&addresses(hosts)).await;
            let wanted = |report: &SeedReport| says(report, &addresses(hosts));
            self.until(&*finder, &mut *watch, Clause::WholeSets, wanted)
                .await?;
        }
        Ok(())
    }

    async fn known_empty(&self, subject: &mut impl Subject) -> Result<(), Breach> {
        if !subject.may_be_empty() {
            return Ok(());
        }
        let finder = subject.finder();
        let mut watch = finder.watch();
        subject.set_seeds(&[]).await;
        let wanted = |report: &SeedReport| says(report, &[]);
        let report = self
            .until(&*finder, &mut *watch, Clause::KnownEmpty, wanted)
            .await?;
        if !report.seeds().is_empty() {
            return Err(breach(
                Clause::KnownEmpty,
                format!("it still offers {report:?}"),
            ));
        }
        Ok(())
    }

    async fn trouble(&self, subject: &mut impl Subject) -> Result<(), Breach> {
        let finder = subject.finder();
        let mut watch = finder.watch();
        subject.set_seeds(&addresses(&[1, 2])).await;
        let wanted = |report: &SeedReport| says(report, &addresses(&[1, 2]));
        self.until(&*finder, &mut *watch, Clause::WholeSets, wanted)
            .await?;

        subject.break_source().await;
        let wanted = |report: &SeedReport| !says(report, &addresses(&[1, 2]));
        let report = self
            .until(&*finder, &mut *watch, Clause::UnknownIsNotEmpty, wanted)
            .await?;
        if !matches!(report.finding, Finding::Unknown(_)) {
            return Err(breach(Clause::UnknownIsNotEmpty, format!("{report:?}")));
        }
        let kept = |report: &SeedReport| {
            let good = report.last_good.as_ref()?;
            (listed(&good.seeds) == addresses(&[1, 2]).into_iter().collect()).then_some(good.age)
        };
        sleep(self.limit / 10).await;
        let later = watch.latest();
        match (kept(&report), kept(&later)) {
            (Some(before), Some(after)) if after > before => {}
            _ => {
                let found = format!("{report:?}, then {later:?}");
                return Err(breach(Clause::LastGood, found));
            }
        }

        subject.set_seeds(&addresses(&[3])).await;
        subject.mend_source().await;
        let wanted = |report: &SeedReport| says(report, &addresses(&[3]));
        self.until(&*finder, &mut *watch, Clause::TroubleEndsNothing, wanted)
            .await?;
        Ok(())
    }

    async fn cancelled_waits(&self, subject: &mut impl Subject) -> Result<(), Breach> {
        let finder = subject.finder();
        let mut watch = finder.watch();
        let step = self.limit / 1000;
        for hosts in [&[1][..], &[2], &[1, 2]] {
            subject.set_seeds(&addresses(hosts)).await;
            let deadline = Instant::now() + self.limit;
            while Instant::now() < deadline {
                let Ok(report) = timeout(step, watch.changed()).await else {
                    continue;
                };
                sound(&*finder, &report)?;
                if says(&report, &addresses(hosts)) {
                    break;
                }
            }
            if !says(&watch.latest(), &addresses(hosts)) || Instant::now() >= deadline {
                let found = format!("dropped each {step:?}; it says {:?}", watch.latest());
                return Err(breach(Clause::CancelSafety, found));
            }
        }
        Ok(())
    }

    async fn no_repetition(&self, subject: &mut impl Subject) -> Result<(), Breach> {
        let finder = subject.finder();
        let mut watch = finder.watch();
        subject.set_seeds(&addresses(&[1, 2])).await;
        let wanted = |report: &SeedReport| says(report, &addresses(&[1, 2]));
        let report = self
            .until(&*finder, &mut *watch, Clause::WholeSets, wanted)
            .await?;
        let latest = watch.latest();
        if !latest.says_the_same_as(&report) {
            let found = format!("it returned {report:?} and then says {latest:?}");
            return Err(breach(Clause::NoRepetition, found));
        }
        match timeout(self.limit / 10, watch.changed()).await {
            Ok(again) if again.says_the_same_as(&report) => Err(breach(
                Clause::NoRepetition,
                format!("it returned {again:?} twice"),
            )),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    async fn independence(&self, subject: &mut impl Subject) -> Result<(), Breach> {
        let finder = subject.finder();
        let (mut one, mut other) = (finder.watch(), finder.watch());
        subject.set_seeds(&addresses(&[7])).await;
        let wanted = |report: &SeedReport| says(report, &addresses(&[7]));
        self.until(&*finder, &mut *one, Clause::Independence, wanted)
            .await?;
        self.until(&*finder, &mut *other, Clause::Independence, wanted)
            .await?;
        drop(one);
        subject.set_seeds(&addresses(&[8])).await;
        let wanted = |report: &SeedReport| says(report, &addresses(&[8]));
        self.until(&*finder, &mut *other, Clause::Independence, wanted)
            .await?;
        Ok(())
    }

    async fn census(&self, subject: &mut impl Subject) -> Result<(), Breach> {
        let finder = subject.finder();
        let breach = |found: String| breach(Clause::FreshCensus, found);
        if !finder.authoritative() {
            return match self.ask(&*finder).await? {
                Err(error) if error.cause() == FinderCause::Unsupported => Ok(()),
                answer => Err(breach(format!(
                    "it is not authoritative but answers {answer:?}"
                ))),
            };
        }
        for hosts in [&[1, 2][..], &[2, 3]] {
            subject.set_seeds(&addresses(hosts)).await;
            let census = self.ask(&*finder).await?;
            let entries = census.as_ref().map(|census| {
                let entries = census.entries.iter().flat_map(Seed::addresses);
                entries.copied().collect::<BTreeSet<_>>()
            });
            if entries != Ok(addresses(hosts).into_iter().collect()) {
                return Err(breach(format!(
                    "the source lists {hosts:?}, it answers {census:?}"
                )));
            }
        }
        subject.break_source().await;
        let answer = self.ask(&*finder).await?;
        subject.mend_source().await;
        match answer {
            Err(_) => Ok(()),
            Ok(census) => Err(breach(format!(
                "from a broken source it answers {census:?}"
            ))),
        }
    }

    async fn ask(
        &self,
        finder: &dyn Finder,
    ) -> Result<Result<crate::census::Census, crate::finder::FinderError>, Breach> {
        timeout(self.limit, finder.census()).await.map_err(|_| {
            let found = format!("no answer within {:?}", self.limit);
            breach(Clause::FreshCensus, found)
        })
    }
}

/// What must hold of every report by itself.
fn sound(finder: &dyn Finder, report: &SeedReport) -> Result<(), Breach> {
    let last_good = report.last_good.as_ref().map(|good| &good.seeds);
    let consistent = match &report.finding {
        Finding::Known(seeds) => !seeds.is_empty() && last_good == Some(seeds),
        Finding::KnownEmpty => last_good.is_some_and(SeedSet::is_empty) && report.gaps.is_empty(),
        Finding::Unknown(_) => report.gaps.is_empty(),
    };
    if consistent && report.authoritative == finder.authoritative() {
        Ok(())
    } else {
        Err(breach(Clause::SoundReport, format!("{report:?}")))
    }
}

#[cfg(test)]
#[path = "conformance_tests.rs"]
mod tests;
