//! Every row of the table, who feeds the census, and the contract.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::advance;

use super::*;
use crate::census::ResourceVersion;
use crate::testing::{ScriptedFinder, Subject, check_finder};

fn one(host: u8) -> SeedSet {
    SeedSet::new([Seed::at(([10, 0, 0, host], 1).into())])
}

fn two() -> SeedSet {
    one(1).iter().chain(&one(2)).cloned().collect()
}

fn broken(detail: &str) -> FinderError {
    FinderError::new(FinderCause::Timeout, detail)
}

/// What a part is told to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Known,
    Empty,
    /// It knew its seed once.
    Lost,
    Never,
}

fn part(says: Says, host: u8) -> ScriptedFinder {
    let part = ScriptedFinder::new(&format!("part {host}"));
    let detail = format!("part {host} is broken");
    match says {
        Says::Known => part.know(one(host)),
        Says::Empty => part.know(SeedSet::empty()),
        Says::Lost => {
            part.know(one(host));
            part.fail(broken(&detail));
        }
        Says::Never => part.fail(broken(&detail)),
    }
    part
}

fn combined(combination: Combination, parts: &[&ScriptedFinder]) -> CombinedFinder {
    let parts = parts
        .iter()
        .map(|part| Arc::new((*part).clone()) as Arc<dyn Finder>);
    CombinedFinder::new(combination, parts).unwrap()
}

async fn report(combination: Combination, first: Says, second: Says) -> SeedReport {
    combined(combination, &[&part(first, 1), &part(second, 2)])
        .watch()
        .changed()
        .await
}

/// The state, the seeds worth dialling, and how many gaps there are.
fn summary(report: &SeedReport) -> (&'static str, SeedSet, usize) {
    (report.finding.state(), report.seeds(), report.gaps.len())
}

#[tokio::test(start_paused = true)]
async fn a_union_follows_its_table() {
    let none = SeedSet::empty;
    for (first, second, expected) in [
        (Says::Known, Says::Known, ("known", two(), 0)),
        (Says::Known, Says::Empty, ("known", one(1), 0)),
        (Says::Empty, Says::Known, ("known", one(2), 0)),
        (Says::Known, Says::Lost, ("known", two(), 1)),
        (Says::Lost, Says::Known, ("known", two(), 1)),
        (Says::Known, Says::Never, ("known", one(1), 1)),
        (Says::Empty, Says::Empty, ("empty", none(), 0)),
        (Says::Empty, Says::Lost, ("unknown", one(2), 0)),
        (Says::Never, Says::Empty, ("unknown", none(), 0)),
        (Says::Lost, Says::Lost, ("unknown", two(), 0)),
        (Says::Never, Says::Lost, ("unknown", one(2), 0)),
        (Says::Never, Says::Never, ("unknown", none(), 0)),
    ] {
        let report = report(Combination::Union, first, second).await;
        assert_eq!(summary(&report), expected, "{first:?} {second:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_that_knows_follows_its_table() {
    let none = SeedSet::empty;
    for (first, second, expected) in [
        (Says::Known, Says::Known, ("known", one(1), 0)),
        (Says::Known, Says::Never, ("known", one(1), 0)),
        (Says::Empty, Says::Known, ("empty", none(), 0)),
        (Says::Empty, Says::Lost, ("empty", none(), 0)),
        (Says::Lost, Says::Known, ("known", one(2), 1)),
        (Says::Never, Says::Known, ("known", one(2), 1)),
        (Says::Lost, Says::Empty, ("unknown", one(1), 0)),
        (Says::Never, Says::Empty, ("unknown", none(), 0)),
        (Says::Lost, Says::Lost, ("unknown", one(1), 0)),
        (Says::Never, Says::Lost, ("unknown", one(2), 0)),
        (Says::Never, Says::Never, ("unknown", none(), 0)),
    ] {
        let report = report(Combination::FirstThatKnows, first, second).await;
        assert_eq!(summary(&report), expected, "{first:?} {second:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_part_that_knew_is_named() {
    let report = report(Combination::FirstThatKnows, Says::Lost, Says::Known).await;
    assert_eq!(
        report.provenance.as_str(),
        "part 2, the first that knows of part 1, part 2"
    );
    assert_eq!(report.gaps, [broken("part 1 is broken")]);
}

#[tokio::test(start_paused = true)]
async fn a_union_is_as_old_as_its_oldest_part() {
    let (old, young) = (part(Says::Lost, 1), part(Says::Known, 2));
    advance(Duration::from_secs(7)).await;
    young.know(one(2));
    let report = combined(Combination::Union, &[&old, &young])
        .watch()
        .latest();
    assert_eq!(report.last_good.unwrap().age, Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn a_part_that_is_starting_holds_up_nobody_who_knows_and_hides_no_cause() {
    let starting = ScriptedFinder::new("part 1");
    let known = combined(Combination::Union, &[&starting, &part(Says::Known, 2)]);
    assert_eq!(
        summary(&known.watch().changed().await),
        ("known", one(2), 1)
    );
    let failed = combined(Combination::Union, &[&starting, &part(Says::Never, 2)]);
    assert_eq!(
        failed.watch().changed().await.finding,
        Finding::Unknown(broken("part 2 is broken"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_part_that_does_not_fit_is_a_gap() {
    let many: SeedSet = (1..=16_384)
        .map(|port| Seed::at(([10, 1, 0, 1], port).into()))
        .collect();
    let large = ScriptedFinder::new("large");
    large.know(many);
    let union = combined(Combination::Union, &[&part(Says::Known, 1), &large]);
    let report = union.watch().changed().await;
    assert_eq!(summary(&report), ("known", one(1), 1));
    assert_eq!(report.gaps[0].cause(), FinderCause::TooLarge);
}

#[tokio::test(start_paused = true)]
async fn exactly_one_authoritative_part_feeds_the_census_alone() {
    let (able, also_able) = (
        ScriptedFinder::authoritative("able"),
        ScriptedFinder::authoritative("also able"),
    );
    let plain = part(Says::Known, 1);
    let entries = one(9).iter().cloned().collect();
    let version = ResourceVersion::new(5).unwrap();
    let census = Census::new(entries, version, able.provenance());
    able.answer_census(Ok(census.clone()));

    let with_one = combined(Combination::Union, &[&plain, &able]);
    assert!(with_one.authoritative());
    assert_eq!(with_one.census().await, Ok(census));

    for parts in [&[&plain][..], &[&able, &also_able]] {
        let combined = combined(Combination::Union, parts);
        assert!(!combined.authoritative());
        let refused = combined.census().await.unwrap_err();
        assert_eq!(refused.cause(), FinderCause::Unsupported);
    }
    assert_eq!((able.censuses(), also_able.censuses()), (1, 0));
}

#[test]
fn no_part_or_too_many_make_no_finder() {
    let none = CombinedFinder::new(Combination::Union, []);
    assert_eq!(none.unwrap_err(), CombinedFinderError::NoParts);
    let part: Arc<dyn Finder> = Arc::new(ScriptedFinder::new("part"));
    let many = CombinedFinder::new(Combination::Union, vec![part; 17]);
    assert_eq!(
        many.unwrap_err(),
        CombinedFinderError::TooManyParts { parts: 17 }
    );
}

/// The source moves in the last part; the others say nothing of their own.
struct Last {
    finder: CombinedFinder,
    moved: ScriptedFinder,
    seeds: Vec<SocketAddr>,
}

impl Last {
    fn of(combination: Combination, last: ScriptedFinder) -> Self {
        let finder = match combination {
            Combination::Union => combined(combination, &[&part(Says::Empty, 1), &last]),
            Combination::FirstThatKnows => combined(combination, &[&part(Says::Never, 1), &last]),
        };
        Self {
            finder,
            moved: last,
            seeds: Vec::new(),
        }
    }
}

impl Subject for Last {
    fn finder(&self) -> Arc<dyn Finder> {
        Arc::new(self.finder.clone())
    }

    async fn set_seeds(&mut self, seeds: &[SocketAddr]) {
        self.seeds = seeds.to_vec();
        self.mend_source().await;
    }

    async fn break_source(&mut self) {
        self.moved.fail(broken("broken"));
        self.moved.answer_census(Err(broken("broken")));
    }

    async fn mend_source(&mut self) {
        let seeds: Vec<Seed> = self.seeds.iter().copied().map(Seed::at).collect();
        let version = ResourceVersion::new(1).unwrap();
        let census = Census::new(seeds.clone(), version, self.moved.provenance());
        self.moved.answer_census(Ok(census));
        self.moved.know(seeds.into_iter().collect());
    }

    fn may_be_empty(&self) -> bool {
        // Behind a part that does not know, nobody says empty.
        self.finder.combination == Combination::Union
    }
}

#[tokio::test(start_paused = true)]
async fn it_keeps_the_contract() {
    for combination in [Combination::Union, Combination::FirstThatKnows] {
        for last in [
            ScriptedFinder::new("last"),
            ScriptedFinder::authoritative("last"),
        ] {
            let mut subject = Last::of(combination, last);
            check_finder(&mut subject, Duration::from_secs(10))
                .await
                .unwrap();
        }
    }
}
