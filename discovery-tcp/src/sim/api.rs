//! What a finder is told of the platform: listings of its own, pods, and a watch that may be late,
//! partial, behind, silent or in trouble. A listing of its own is never any of that (K1).

use std::time::Duration;

use discovery_core::{
    Census, FinderCause, FinderError, Finding, LastGood, LastSeen, PodFact, PodRef, Provenance,
    ResourceVersion, SeedReport, SeedSet,
};

use super::chance::Chance;
use super::platform::Platform;
use crate::Moment;
use crate::ring::Input;

/// What was read of the store for one process.
#[derive(Debug)]
pub(crate) enum Answer {
    Listing(u64, Result<Census, FinderError>),
    Pod(u64, PodFact),
}

impl From<Answer> for Input {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Listing(round, result) => Self::Listing { round, result },
            Answer::Pod(question, fact) => Self::PodFact { question, fact },
        }
    }
}

/// What is wrong with a watch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WatchFault {
    /// Nothing.
    #[default]
    None,
    /// It tells nothing new.
    Silent,
    /// It tells that it cannot ask.
    Unknown,
    /// It tells what was true so many changes ago.
    Behind(usize),
    /// It sees some entries only: those whose place, counted by name, is set in this mask.
    Partial(u64),
    /// It tells that there is nobody.
    Empty,
}

/// What is wrong with the API server.
#[derive(Clone, Copy, Debug, Default)]
pub struct ApiFaults {
    /// Nothing answers, until whoever asked gives up.
    pub is_down: bool,
    /// How many of a hundred listings fail.
    pub listing_fails_percent: u64,
    /// How many of a hundred questions for a pod fail.
    pub pod_fails_percent: u64,
    /// How late what was read is told at most, beyond what the climate has.
    pub late: Duration,
}

/// What one process asked its finder for, and what its watch is like.
#[derive(Debug, Default)]
pub(crate) struct FinderView {
    pub(crate) wants_watch: bool,
    pub(crate) is_due: bool,
    pub(crate) fault: WatchFault,
    /// Answers that a directed schedule holds back, in their order.
    pub(crate) held: Option<Vec<Answer>>,
    last_good: Option<(SeedSet, Moment)>,
}

fn provenance() -> Provenance {
    Provenance::new("the simulated platform")
}

/// Reads every entry, at this moment.
pub(crate) fn read_listing(
    platform: &mut Platform,
    faults: ApiFaults,
    chance: &mut Chance,
) -> Result<Census, FinderError> {
    if !platform.climate.authoritative {
        let what = "seeds of a static list are no census";
        return Err(FinderError::new(FinderCause::Unsupported, what));
    }
    if faults.is_down || chance.percent(faults.listing_fails_percent) {
        return Err(out_of_reach());
    }
    let version = platform.version();
    let version = ResourceVersion::new(version).ok_or_else(out_of_reach)?;
    let entries = platform.listing().0.clone();
    Ok(Census::new(entries, version, provenance()))
}

/// Reads one pod, at this moment, for a finder that has run since `since`.
pub(crate) fn read_pod(
    platform: &Platform,
    faults: ApiFaults,
    chance: &mut Chance,
    (now, since): (Moment, Moment),
    asked: &PodRef,
) -> PodFact {
    if faults.is_down || chance.percent(faults.pod_fails_percent) {
        return PodFact::Unknown(out_of_reach());
    }
    let pod = platform.of_uid(&asked.uid);
    let kept = pod.filter(|id| platform.pod(*id).reference.name == asked.name);
    let lag = platform.climate.status_lag;
    let seen_at = Moment::from_nanos(now.as_nanos().saturating_sub(nanos(lag)));
    if let Some(id) = kept
        && platform.pod(id).removed_at.is_none()
        && let Some(reading) = platform.reading_at(id, seen_at)
    {
        return PodFact::Present(reading.clone());
    }
    let replaced_by = platform.named(&asked.name).map(|id| {
        let pod = platform.pod(id);
        pod.reference.uid.clone()
    });
    // A finder remembers what it has listed or watched, so only what went before it ran is unknown.
    let last_seen = kept.and_then(|id| {
        let removed_at = platform.pod(id).removed_at?;
        let reading = platform.reading_at(id, removed_at)?.clone();
        let was_seen = removed_at >= since && platform.pod(id).was_listed;
        let ago = Duration::from_secs(1);
        was_seen.then(|| Box::new(LastSeen { reading, ago }))
    });
    PodFact::Gone {
        asked: asked.clone(),
        replaced_by,
        last_seen,
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

fn out_of_reach() -> FinderError {
    FinderError::new(FinderCause::Unreachable, "the API server does not answer")
}

impl FinderView {
    /// What the watch tells now; nothing if it is silent.
    pub(crate) fn report(
        &mut self,
        platform: &mut Platform,
        faults: ApiFaults,
        now: Moment,
    ) -> Option<SeedReport> {
        let seeds = platform.listing().1.clone();
        let finding = match self.fault {
            WatchFault::Silent => return None,
            WatchFault::None if faults.is_down => return None,
            WatchFault::None => Finding::from_seeds(seeds),
            WatchFault::Unknown => Finding::Unknown(out_of_reach()),
            WatchFault::Empty => Finding::KnownEmpty,
            WatchFault::Behind(changes) => {
                let place = platform.past.len().checked_sub(changes.max(1));
                let past = place.and_then(|place| platform.past.get(place));
                Finding::from_seeds(past.cloned().unwrap_or_default())
            }
            WatchFault::Partial(mask) => {
                let is_seen = |(place, _): &(usize, _)| mask >> (place % 64) & 1 == 1;
                let seen = seeds.iter().enumerate().filter(is_seen);
                Finding::from_seeds(seen.map(|(_, seed)| seed.clone()).collect())
            }
        };
        match &finding {
            Finding::Known(seeds) => self.last_good = Some((seeds.clone(), now)),
            Finding::KnownEmpty => self.last_good = Some((SeedSet::empty(), now)),
            Finding::Unknown(_) => {}
        }
        let last_good = self.last_good.as_ref().map(|(seeds, at)| LastGood {
            seeds: seeds.clone(),
            age: now.since(*at),
        });
        let authoritative = platform.climate.authoritative;
        Some(SeedReport::new(
            finding,
            last_good,
            provenance(),
            authoritative,
        ))
    }
}
