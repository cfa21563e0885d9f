//! Several finders as one. Only reports are put together here; each part asks its own source.

use std::future::{poll_fn, ready};
use std::sync::Arc;
use std::task::Poll;

use crate::census::{Census, PodFact, PodRef};
use crate::finder::{
    BoxFuture, Finder, FinderCause, FinderError, Finding, LastGood, Provenance, SeedReport,
    SeedWatch,
};
use crate::seed::{SEEDS_MAX, Seed, SeedSet};

/// Most parts of one combined finder.
pub const PARTS_MAX: usize = 16;

/// How the reports of the parts become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Combination {
    /// All seeds of all parts.
    Union,
    /// Those of the first part, in the order given, that knows any; *empty* only if no part before
    /// it is *unknown*.
    FirstThatKnows,
}

/// Why a [`CombinedFinder`] cannot be made. The same parts fail again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CombinedFinderError {
    /// There is no part.
    #[error("there is no finder to combine; give at least one")]
    NoParts,
    /// There are more parts than the limit.
    #[error("{parts} finders are combined; the limit is {PARTS_MAX}")]
    TooManyParts {
        /// How many there are.
        parts: usize,
    },
}

/// Several finders as one.
///
/// It is authoritative only if exactly one part is; that part alone then feeds the census and the
/// pod facts, whatever the others find. With two such parts nobody could say which listing is
/// whole.
///
/// | parts | `Union` | `FirstThatKnows` |
/// |---|---|---|
/// | all known | known: all seeds | known: the first part's |
/// | some known, some empty | known: all seeds | as the first part |
/// | some known, some unknown | known, with gaps (1) | the first known part's, with gaps (2) |
/// | all empty | empty | empty |
/// | some empty, some unknown | unknown | empty if the first part is, else unknown |
/// | all unknown | unknown | unknown |
///
/// (1) The seeds known and the last good ones of the unknown parts, whose errors are the gaps.
/// (2) The gaps are the errors of the parts before it.
///
/// So *empty* is never said over a part that does not know. While known, the last good set is the
/// finding, as old as the oldest part of it. While unknown it holds, under `Union`, the last good
/// seeds of all parts, as old as the oldest; under `FirstThatKnows` the youngest last good set of
/// the parts that do not know. The cause is that of the first part that has one other than
/// *starting*. Under `FirstThatKnows` the report's provenance names the part that knew.
///
/// ```
/// use std::sync::Arc;
///
/// use discovery_core::finders::{
///     Combination, CombinedFinder, FileFinder, FileFinderConfig, StaticFinder, StaticFinderConfig,
/// };
/// use discovery_core::Finder;
///
/// let fixed = StaticFinder::new(&StaticFinderConfig {
///     seeds: vec!["127.0.0.1:47500".into()],
///     ..StaticFinderConfig::default()
/// })?;
/// let file = FileFinder::new(FileFinderConfig {
///     path: "/etc/ring/seeds".into(),
///     ..FileFinderConfig::default()
/// })?;
/// let parts: [Arc<dyn Finder>; 2] = [Arc::new(fixed), Arc::new(file)];
/// let both = CombinedFinder::new(Combination::Union, parts)?;
/// assert_eq!(both.provenance().as_str(), "all of static list, file /etc/ring/seeds");
/// assert!(!both.authoritative());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct CombinedFinder {
    combination: Combination,
    parts: Arc<[Arc<dyn Finder>]>,
}

impl CombinedFinder {
    /// Combines the parts; their order counts where it says so.
    ///
    /// # Errors
    ///
    /// If there is no part, or more than [`PARTS_MAX`].
    pub fn new(
        combination: Combination,
        parts: impl IntoIterator<Item = Arc<dyn Finder>>,
    ) -> Result<Self, CombinedFinderError> {
        let parts: Arc<[Arc<dyn Finder>]> = parts.into_iter().collect();
        if parts.is_empty() {
            return Err(CombinedFinderError::NoParts);
        }
        if parts.len() > PARTS_MAX {
            let parts = parts.len();
            return Err(CombinedFinderError::TooManyParts { parts });
        }
        Ok(Self { combination, parts })
    }

    /// The part that feeds the census, if there is exactly one that can.
    fn authority(&self) -> Option<&dyn Finder> {
        let mut able = self.parts.iter().filter(|part| part.authoritative());
        match (able.next(), able.next()) {
            (Some(part), None) => Some(&**part),
            (None, _) | (Some(_), Some(_)) => None,
        }
    }

    /// Why there is no such part.
    fn no_authority(&self, asked: &str) -> FinderError {
        let able = self
            .parts
            .iter()
            .filter(|part| part.authoritative())
            .count();
        let provenance = self.provenance();
        FinderError::new(
            FinderCause::Unsupported,
            format!("{provenance}: {able} parts are authoritative, so none answers for {asked}"),
        )
        .with_remedy("combine exactly one authoritative finder with others that are not")
    }
}

impl Finder for CombinedFinder {
    fn provenance(&self) -> Provenance {
        let parts: Vec<String> = self
            .parts
            .iter()
            .map(|part| part.provenance().to_string())
            .collect();
        let how = match self.combination {
            Combination::Union => "all of",
            Combination::FirstThatKnows => "the first that knows of",
        };
        Provenance::new(format!("{how} {}", parts.join(", ")))
    }

    fn authoritative(&self) -> bool {
        self.authority().is_some()
    }

    fn watch(&self) -> Box<dyn SeedWatch> {
        Box::new(CombinedWatch {
            combination: self.combination,
            provenance: self.provenance(),
            authoritative: self.authoritative(),
            parts: self.parts.iter().map(|part| part.watch()).collect(),
            returned: None,
        })
    }

    fn census(&self) -> BoxFuture<'_, Result<Census, FinderError>> {
        let Some(part) = self.authority() else {
            let refused = self.no_authority("a census");
            return Box::pin(ready(Err(refused)));
        };
        part.census()
    }

    fn pod_fact<'a>(&'a self, pod: &'a PodRef) -> BoxFuture<'a, PodFact> {
        let Some(part) = self.authority() else {
            let refused = self.no_authority(&pod.to_string());
            return Box::pin(ready(PodFact::Unknown(refused)));
        };
        part.pod_fact(pod)
    }
}

#[derive(Debug)]
struct CombinedWatch {
    combination: Combination,
    provenance: Provenance,
    authoritative: bool,
    parts: Vec<Box<dyn SeedWatch>>,
    returned: Option<SeedReport>,
}

impl CombinedWatch {
    /// Whether this report says something that was not returned before.
    fn is_news(&self, report: &SeedReport) -> bool {
        match &self.returned {
            Some(returned) => !report.says_the_same_as(returned),
            None => match &report.finding {
                Finding::Unknown(error) => error.cause() != FinderCause::Starting,
                Finding::Known(_) | Finding::KnownEmpty => true,
            },
        }
    }

    /// Waits until any part says something new. What it says is read by `latest`, so nothing is
    /// lost if this is dropped.
    async fn any_part_changed(&mut self) {
        let mut waits: Vec<_> = self.parts.iter_mut().map(|part| part.changed()).collect();
        poll_fn(|context| {
            let ready = waits
                .iter_mut()
                .any(|wait| wait.as_mut().poll(context).is_ready());
            if ready {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

impl SeedWatch for CombinedWatch {
    fn latest(&self) -> SeedReport {
        let reports: Vec<SeedReport> = self.parts.iter().map(|part| part.latest()).collect();
        let combined = match self.combination {
            Combination::Union => union(&reports),
            Combination::FirstThatKnows => first_that_knows(&reports),
        };
        let Combined {
            finding,
            last_good,
            gaps,
            source,
        } = combined;
        let provenance = match source {
            Some(source) => Provenance::new(format!("{source}, {}", self.provenance)),
            None => self.provenance.clone(),
        };
        SeedReport::new(finding, last_good, provenance, self.authoritative).with_gaps(gaps)
    }

    fn changed(&mut self) -> BoxFuture<'_, SeedReport> {
        Box::pin(async move {
            loop {
                let report = self.latest();
                if self.is_news(&report) {
                    self.returned = Some(report.clone());
                    return report;
                }
                self.any_part_changed().await;
            }
        })
    }
}

/// What the reports of the parts come to.
struct Combined {
    finding: Finding,
    last_good: Option<LastGood>,
    gaps: Vec<FinderError>,
    /// The one part that decided, where one did.
    source: Option<Provenance>,
}

fn union(reports: &[SeedReport]) -> Combined {
    let mut seeds: Vec<Seed> = Vec::new();
    let mut errors = Vec::new();
    let mut gaps = Vec::new();
    let mut any_known = false;
    for report in reports {
        let part = report.seeds();
        if seeds.len() + part.len() > SEEDS_MAX {
            errors.push(left_out(report, part.len()));
            continue;
        }
        seeds.extend(part.iter().cloned());
        any_known |= matches!(report.finding, Finding::Known(_));
        gaps.extend(report.gaps.iter().cloned());
        errors.extend(error(report));
    }
    let seeds = SeedSet::new(seeds);
    let age = reports
        .iter()
        .filter_map(|report| Some(report.last_good.as_ref()?.age))
        .max();
    let last_good = age.map(|age| LastGood {
        seeds: seeds.clone(),
        age,
    });
    let (finding, gaps) = if any_known {
        gaps.extend(errors);
        (Finding::Known(seeds), gaps)
    } else {
        match most_telling(errors) {
            Some(error) => (Finding::Unknown(error), Vec::new()),
            None => (Finding::KnownEmpty, Vec::new()),
        }
    };
    Combined {
        finding,
        last_good,
        gaps,
        source: None,
    }
}

fn left_out(report: &SeedReport, seeds: usize) -> FinderError {
    let detail = format!(
        "{}: its {seeds} seeds do not fit with the others; the limit is {SEEDS_MAX} in all",
        report.provenance
    );
    FinderError::new(FinderCause::TooLarge, detail)
}

fn first_that_knows(reports: &[SeedReport]) -> Combined {
    let mut errors = Vec::new();
    for report in reports {
        let mut gaps = report.gaps.clone();
        match &report.finding {
            Finding::Known(_) => gaps.splice(0..0, errors.iter().cloned()).for_each(drop),
            Finding::KnownEmpty if errors.is_empty() => {}
            // Empty is less than what an unknown part before it may list.
            Finding::KnownEmpty => continue,
            Finding::Unknown(error) => {
                errors.push(error.clone());
                continue;
            }
        }
        return Combined {
            finding: report.finding.clone(),
            last_good: report.last_good.clone(),
            gaps,
            source: Some(report.provenance.clone()),
        };
    }
    let unknown = reports.iter().filter(|report| error(report).is_some());
    let last_good = unknown
        .filter_map(|report| report.last_good.clone())
        .min_by_key(|good| good.age);
    let finding = match most_telling(errors) {
        Some(error) => Finding::Unknown(error),
        // Not reached: there is a part, and one without an error was returned above.
        None => Finding::KnownEmpty,
    };
    Combined {
        finding,
        last_good,
        gaps: Vec::new(),
        source: None,
    }
}

fn error(report: &SeedReport) -> Option<FinderError> {
    match &report.finding {
        Finding::Unknown(error) => Some(error.clone()),
        Finding::Known(_) | Finding::KnownEmpty => None,
    }
}

/// The first error that says more than that a part is starting.
fn most_telling(errors: Vec<FinderError>) -> Option<FinderError> {
    let telling = errors
        .iter()
        .position(|error| error.cause() != FinderCause::Starting);
    errors.into_iter().nth(telling.unwrap_or(0))
}

#[cfg(test)]
#[path = "combined_tests.rs"]
mod tests;
