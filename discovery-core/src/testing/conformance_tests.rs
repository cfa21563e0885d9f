//! The kit passes a finder that keeps its promises and catches one that breaks any of them.

use super::*;
use crate::census::{Census, ResourceVersion};
use crate::finder::{BoxFuture, FinderError, LastGood, Provenance};
use crate::testing::ScriptedFinder;

/// The promise that a finder breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    EmptyWhenBroken,
    SilentUntilKnown,
    AddsUp,
    UnknownWhenEmpty,
    ForgetsLastGood,
    AgelessLastGood,
    EndsWithTrouble,
    LosesDroppedWaits,
    Repeats,
    CensusFromMemory,
    CensusWithoutAuthority,
    OtherAuthority,
}

#[derive(Clone, Debug)]
struct Faulty {
    fault: Fault,
    inner: ScriptedFinder,
}

#[derive(Debug)]
struct FaultyWatch {
    fault: Fault,
    inner: Box<dyn SeedWatch>,
    before: Option<SeedReport>,
    ended: bool,
}

impl FaultyWatch {
    fn bent(&self, mut report: SeedReport) -> SeedReport {
        let unknown = matches!(report.finding, Finding::Unknown(_));
        let good = |seeds| {
            Some(LastGood {
                seeds,
                age: Duration::ZERO,
            })
        };
        match self.fault {
            Fault::EmptyWhenBroken if unknown => {
                report.finding = Finding::KnownEmpty;
                report.last_good = good(SeedSet::empty());
            }
            Fault::AddsUp => {
                if let (Finding::Known(now), Some(before)) = (&report.finding, &self.before) {
                    let all: SeedSet = now.iter().chain(&before.seeds()).cloned().collect();
                    report.last_good = good(all.clone());
                    report.finding = Finding::Known(all);
                }
            }
            Fault::UnknownWhenEmpty if report.finding == Finding::KnownEmpty => {
                report.finding = Finding::Unknown(FinderError::new(FinderCause::Failed, "nobody"));
            }
            Fault::ForgetsLastGood if unknown => report.last_good = None,
            Fault::AgelessLastGood => {
                if let Some(good) = &mut report.last_good {
                    good.age = Duration::ZERO;
                }
            }
            Fault::OtherAuthority => report.authoritative = !report.authoritative,
            _ => {}
        }
        report
    }
}

impl SeedWatch for FaultyWatch {
    fn latest(&self) -> SeedReport {
        self.bent(self.inner.latest())
    }

    fn changed(&mut self) -> BoxFuture<'_, SeedReport> {
        Box::pin(async move {
            if self.fault == Fault::Repeats && self.before.is_some() {
                tokio::task::yield_now().await;
                return self.latest();
            }
            let mut report = self.inner.changed().await;
            let unknown = matches!(report.finding, Finding::Unknown(_));
            if self.fault == Fault::SilentUntilKnown && self.before.is_none() && unknown {
                report = self.inner.changed().await;
            }
            if self.fault == Fault::LosesDroppedWaits {
                sleep(Duration::from_millis(100)).await;
            }
            if self.fault == Fault::EndsWithTrouble && self.ended {
                std::future::pending::<()>().await;
            }
            self.ended |= unknown;
            let report = self.bent(report);
            self.before = Some(report.clone());
            report
        })
    }
}

impl Finder for Faulty {
    fn provenance(&self) -> Provenance {
        self.inner.provenance()
    }

    fn authoritative(&self) -> bool {
        Finder::authoritative(&self.inner)
    }

    fn watch(&self) -> Box<dyn SeedWatch> {
        let inner = self.inner.watch();
        Box::new(FaultyWatch {
            fault: self.fault,
            inner,
            before: None,
            ended: false,
        })
    }

    fn census(&self) -> BoxFuture<'_, Result<Census, FinderError>> {
        if self.fault == Fault::CensusWithoutAuthority {
            return Box::pin(async { Ok(census(&[])) });
        }
        self.inner.census()
    }
}

fn census(seeds: &[SocketAddr]) -> Census {
    let entries = seeds.iter().copied().map(Seed::at).collect();
    Census::new(
        entries,
        ResourceVersion::new(1).unwrap(),
        Provenance::new("a script"),
    )
}

struct Script {
    finder: Faulty,
    seeds: Vec<SocketAddr>,
}

impl Subject for Script {
    fn finder(&self) -> Arc<dyn Finder> {
        Arc::new(self.finder.clone())
    }

    async fn set_seeds(&mut self, seeds: &[SocketAddr]) {
        self.seeds = seeds.to_vec();
        self.mend_source().await;
    }

    async fn break_source(&mut self) {
        let broken = FinderError::new(FinderCause::Unreachable, "broken");
        self.finder.inner.fail(broken.clone());
        if self.finder.fault != Fault::CensusFromMemory {
            self.finder.inner.answer_census(Err(broken));
        }
    }

    async fn mend_source(&mut self) {
        self.finder
            .inner
            .know(self.seeds.iter().copied().map(Seed::at).collect());
        self.finder.inner.answer_census(Ok(census(&self.seeds)));
    }
}

async fn check(fault: Fault, inner: ScriptedFinder) -> Result<(), Clause> {
    let mut script = Script {
        finder: Faulty { fault, inner },
        seeds: Vec::new(),
    };
    let checked = check_finder(&mut script, Duration::from_secs(10)).await;
    checked.map_err(|breach| breach.clause)
}

#[tokio::test(start_paused = true)]
async fn a_finder_that_keeps_its_promises_passes() {
    assert_eq!(
        check(Fault::None, ScriptedFinder::new("a script")).await,
        Ok(())
    );
    assert_eq!(
        check(Fault::None, ScriptedFinder::authoritative("a script")).await,
        Ok(())
    );
}

#[tokio::test(start_paused = true)]
async fn each_broken_promise_is_caught_by_its_clause() {
    for (fault, clause) in [
        (Fault::EmptyWhenBroken, Clause::UnknownIsNotEmpty),
        (Fault::SilentUntilKnown, Clause::FirstReport),
        (Fault::AddsUp, Clause::WholeSets),
        (Fault::UnknownWhenEmpty, Clause::KnownEmpty),
        (Fault::ForgetsLastGood, Clause::LastGood),
        (Fault::AgelessLastGood, Clause::LastGood),
        (Fault::EndsWithTrouble, Clause::TroubleEndsNothing),
        (Fault::LosesDroppedWaits, Clause::CancelSafety),
        (Fault::Repeats, Clause::NoRepetition),
        (Fault::CensusFromMemory, Clause::FreshCensus),
        (Fault::OtherAuthority, Clause::SoundReport),
    ] {
        let finder = ScriptedFinder::authoritative("a script");
        assert_eq!(check(fault, finder).await, Err(clause), "{fault:?}");
    }
    let finder = ScriptedFinder::new("a script");
    assert_eq!(
        check(Fault::CensusWithoutAuthority, finder).await,
        Err(Clause::FreshCensus)
    );
}
