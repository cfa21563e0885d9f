//! The contract of a finder: what it answers, in which three states, and what it promises.
//! Finders themselves are in `finders/` and in other crates; nothing here does I/O.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::census::{Census, PodFact, PodRef};
use crate::seed::SeedSet;

/// A future that an object-safe trait can return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where a finder's knowledge comes from, in a few words for people, such as
/// `kubernetes prod/ring` or `static list`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Provenance(Arc<str>);

impl Provenance {
    /// Takes the words.
    pub fn new(words: impl AsRef<str>) -> Self {
        Self(Arc::from(words.as_ref()))
    }

    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Why a finder does not know, sorted into what an operator would do about it.
///
/// The names are stable: they are the label values of the error counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FinderCause {
    /// Nothing was heard yet; not a fault.
    Starting,
    /// The source does not know who we are (401): the token is missing, wrong or expired.
    Unauthorised,
    /// The source knows us and says no (403): a permission is missing.
    Forbidden,
    /// The Service, name or file that should list the seeds does not exist.
    NotFound,
    /// Something is listed, but nothing carries the port that was asked for.
    NoPort,
    /// No answer within the limit.
    Timeout,
    /// The source's certificate was refused.
    Tls,
    /// No connection, or it broke.
    Unreachable,
    /// The source asks for fewer requests (429).
    Throttled,
    /// The source answered that it failed (5xx, SERVFAIL).
    Failed,
    /// The answer could not be understood.
    Malformed,
    /// The answer is larger than its limit.
    TooLarge,
    /// The options contradict each other or do not fit what was found.
    Configuration,
    /// This finder cannot do what was asked of it, such as a census from a static list.
    Unsupported,
}

impl FinderCause {
    /// Every cause, in the order of their declaration.
    pub const ALL: [Self; 14] = [
        Self::Starting,
        Self::Unauthorised,
        Self::Forbidden,
        Self::NotFound,
        Self::NoPort,
        Self::Timeout,
        Self::Tls,
        Self::Unreachable,
        Self::Throttled,
        Self::Failed,
        Self::Malformed,
        Self::TooLarge,
        Self::Configuration,
        Self::Unsupported,
    ];

    /// The stable name, in snake case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Unauthorised => "unauthorised",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::NoPort => "no_port",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::Unreachable => "unreachable",
            Self::Throttled => "throttled",
            Self::Failed => "failed",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::Configuration => "configuration",
            Self::Unsupported => "unsupported",
        }
    }

    /// Whether asking again later may succeed without anybody changing anything.
    pub const fn may_pass(self) -> bool {
        match self {
            Self::Starting
            | Self::Timeout
            | Self::Unreachable
            | Self::Throttled
            | Self::Failed
            | Self::Malformed => true,
            Self::Unauthorised
            | Self::Forbidden
            | Self::NotFound
            | Self::NoPort
            | Self::Tls
            | Self::TooLarge
            | Self::Configuration
            | Self::Unsupported => false,
        }
    }
}

impl fmt::Display for FinderCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a finder could not answer: the cause, what happened where, and what would mend it.
///
/// Nothing is lost with it: the last good set stays in the [`SeedReport`]. Finders go on trying by
/// themselves whatever the cause, so a caller has nothing to retry.
#[derive(Clone, Debug)]
pub struct FinderError {
    cause: FinderCause,
    detail: Arc<str>,
    remedy: Option<Arc<str>>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl FinderError {
    /// An error of this cause; `detail` names the place and the value, in lower case.
    pub fn new(cause: FinderCause, detail: impl AsRef<str>) -> Self {
        Self {
            cause,
            detail: Arc::from(detail.as_ref()),
            remedy: None,
            source: None,
        }
    }

    /// Adds what an operator should do, as a sentence or as text to apply.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl AsRef<str>) -> Self {
        self.remedy = Some(Arc::from(remedy.as_ref()));
        self
    }

    /// Adds the finder's own typed error, which [`Error::source`] then returns.
    #[must_use]
    pub fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// What kind of trouble it is.
    pub fn cause(&self) -> FinderCause {
        self.cause
    }

    /// What happened, where.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What would mend it, if the finder knows.
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }
}

impl fmt::Display for FinderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.cause, self.detail)
    }
}

impl Error for FinderError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}

/// Two errors are equal if they say the same; their sources are not compared.
impl PartialEq for FinderError {
    fn eq(&self, other: &Self) -> bool {
        self.cause == other.cause && self.detail == other.detail && self.remedy == other.remedy
    }
}

impl Eq for FinderError {}

/// What a finder knows now. *Unknown* never means *empty*.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// These seeds, at least one; the set is whole, never a delta.
    Known(SeedSet),
    /// The source was asked and lists nobody.
    KnownEmpty,
    /// The source could not be asked, or its answer cannot be used.
    Unknown(FinderError),
}

impl Finding {
    /// *Known*, or *known to be empty* if the set is empty.
    pub fn from_seeds(seeds: SeedSet) -> Self {
        if seeds.is_empty() {
            Self::KnownEmpty
        } else {
            Self::Known(seeds)
        }
    }

    /// The stable name of the state: `known`, `empty` or `unknown`.
    pub fn state(&self) -> &'static str {
        match self {
            Self::Known(_) => "known",
            Self::KnownEmpty => "empty",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// The last set that a finder was sure of, and how long ago that was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LastGood {
    /// The set; empty if the source then listed nobody.
    pub seeds: SeedSet,
    /// Time between the source's last confirmation of the set and the making of the report.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "age_ms", serialize_with = "crate::formats::as_millis")
    )]
    pub age: Duration,
}

/// One whole answer of a finder.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SeedReport {
    /// What it knows now.
    pub finding: Finding,
    /// The last answer that was sure; survives every error. While known, it equals the finding.
    pub last_good: Option<LastGood>,
    /// Parts of the source that could not be asked although the finding is known without them:
    /// one name among several, one of several combined finders. Empty while unknown.
    pub gaps: Vec<FinderError>,
    /// Where it comes from.
    pub provenance: Provenance,
    /// Whether the finder that made it can feed a census.
    pub authoritative: bool,
}

impl SeedReport {
    /// Puts a report together.
    pub fn new(
        finding: Finding,
        last_good: Option<LastGood>,
        provenance: Provenance,
        authoritative: bool,
    ) -> Self {
        Self {
            finding,
            last_good,
            gaps: Vec::new(),
            provenance,
            authoritative,
        }
    }

    /// Adds what a known finding had to do without.
    #[must_use]
    pub fn with_gaps(mut self, gaps: Vec<FinderError>) -> Self {
        self.gaps = gaps;
        self
    }

    /// The seeds worth dialling: those known now, else the last good ones, else none.
    pub fn seeds(&self) -> SeedSet {
        match (&self.finding, &self.last_good) {
            (Finding::Known(seeds), _) => seeds.clone(),
            (Finding::Unknown(_), Some(last_good)) => last_good.seeds.clone(),
            (Finding::KnownEmpty, _) | (Finding::Unknown(_), None) => SeedSet::empty(),
        }
    }

    /// Whether both say the same, ages aside.
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let seeds = |report: &Self| report.last_good.as_ref().map(|good| good.seeds.clone());
        self.finding == other.finding && self.gaps == other.gaps && seeds(self) == seeds(other)
    }
}

/// Finds seeds: the one trait between whoever lists processes and the protocol that dials them.
///
/// What every implementation promises, and the conformance kit of the `testing` feature checks:
///
/// 1. Sets are whole. A report replaces the one before it; nobody adds reports up.
/// 2. *Unknown* is never reported as *empty*, and the last good set survives every error.
/// 3. Absence from a set says nothing about life: a finder is a hint, never a failure detector.
/// 4. A finder keeps trying by itself; no error ends a watch.
/// 5. A census is a listing of its own, made after it was asked for, never a watch's store.
pub trait Finder: Send + Sync + fmt::Debug {
    /// Where this finder's knowledge comes from.
    fn provenance(&self) -> Provenance;

    /// Whether this finder can feed a census: whether every living process is sure to be listed.
    fn authoritative(&self) -> bool;

    /// Starts to watch, for as long as the returned watch is kept; dropping it stops all work.
    ///
    /// It never fails and never blocks: trouble appears as [`Finding::Unknown`]. A finder that
    /// needs an async runtime says so in its own docs and must be called inside it.
    fn watch(&self) -> Box<dyn SeedWatch>;

    /// Lists all processes once, consistently, for the census of FORM-3.
    ///
    /// # Errors
    ///
    /// With [`FinderCause::Unsupported`] if this finder is not authoritative; else whatever kept
    /// the source from answering within the finder's own limit. Nothing is ever answered from
    /// memory. A retry is harmless.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the request and changes nothing.
    fn census(&self) -> BoxFuture<'_, Result<Census, FinderError>> {
        let refused = FinderError::new(
            FinderCause::Unsupported,
            format!(
                "{} is not authoritative, so it cannot feed a census",
                self.provenance()
            ),
        );
        Box::pin(std::future::ready(Err(refused)))
    }

    /// Reads what the platform says of one pod, as facts; what they prove is decided elsewhere.
    ///
    /// Trouble is a fact too: [`PodFact::Unknown`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the request and changes nothing.
    fn pod_fact<'a>(&'a self, pod: &'a PodRef) -> BoxFuture<'a, PodFact> {
        let refused = FinderError::new(
            FinderCause::Unsupported,
            format!("{} knows nothing of {pod}", self.provenance()),
        );
        Box::pin(std::future::ready(PodFact::Unknown(refused)))
    }
}

/// A running watch of a finder.
pub trait SeedWatch: Send + fmt::Debug {
    /// The report as of now, its age as of now; never waits.
    ///
    /// Before anything was heard it is *unknown* with [`FinderCause::Starting`].
    fn latest(&self) -> SeedReport;

    /// Waits until the watch says something else than the report it returned last (ages aside),
    /// and returns that; the first call returns as soon as anything is known or has failed.
    ///
    /// Reports in between may be skipped: only the newest counts.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no report: the next call returns it.
    fn changed(&mut self) -> BoxFuture<'_, SeedReport>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    fn report(finding: Finding, last_good: Option<SeedSet>) -> SeedReport {
        let last_good = last_good.map(|seeds| LastGood {
            seeds,
            age: Duration::from_secs(7),
        });
        SeedReport::new(finding, last_good, Provenance::new("a test"), false)
    }

    fn unknown() -> Finding {
        Finding::Unknown(FinderError::new(
            FinderCause::Timeout,
            "no answer within 5s",
        ))
    }

    fn one() -> SeedSet {
        SeedSet::new([Seed::at("10.0.0.1:1".parse().unwrap())])
    }

    #[test]
    fn unknown_keeps_the_last_good_seeds() {
        assert_eq!(report(unknown(), Some(one())).seeds(), one());
    }

    #[test]
    fn known_to_be_empty_forgets_them() {
        assert_eq!(
            report(Finding::KnownEmpty, Some(one())).seeds(),
            SeedSet::empty()
        );
    }

    #[test]
    fn an_empty_set_is_never_known() {
        assert_eq!(Finding::from_seeds(SeedSet::empty()), Finding::KnownEmpty);
    }

    #[test]
    fn age_alone_is_no_change() {
        let mut later = report(unknown(), Some(one()));
        later.last_good.as_mut().unwrap().age = Duration::from_secs(9);
        assert!(later.says_the_same_as(&report(unknown(), Some(one()))));
    }

    #[test]
    fn every_cause_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = FinderCause::ALL
            .iter()
            .map(|cause| cause.as_str())
            .collect();
        assert_eq!(names.len(), FinderCause::ALL.len());
    }
}
