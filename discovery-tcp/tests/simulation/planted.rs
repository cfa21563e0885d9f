//! Mistakes planted on purpose, and what catches each: a directed schedule or a seed of the swarm.
//! The same schedule, or seed, keeps every promise without the mistake.

use discovery_tcp::ring::Bug;
use discovery_tcp::sim::{self, Cluster, Violation};

use crate::{forming, joining, losing};

/// A directed schedule, with a mistake planted or without.
type Scene = fn(Option<Bug>) -> Cluster;

/// What catches a mistake.
enum By {
    /// This schedule, by its name.
    Scene(&'static str, Scene),
    /// This seed, or one of those behind it.
    Seed(u64),
}

/// One mistake, what catches it, and the checker that fires.
struct Case(Bug, By, &'static str);

/// A seed means something else whenever the core draws otherwise, so that many are tried.
const SEEDS_MAX: u64 = 400;

/// The name of a schedule with the schedule.
macro_rules! scene {
    ($module:ident::$name:ident) => {
        By::Scene(stringify!($name), $module::$name)
    };
}

const CASES: &[Case] = &[
    Case(
        Bug::JoinerNotListed,
        scene!(forming::an_unlisted_newcomer_joins),
        "P4",
    ),
    Case(
        Bug::ExemptByRefusal,
        scene!(forming::a_policy_refuses_everywhere),
        "P4",
    ),
    Case(
        Bug::RemovedIdReadmitted,
        scene!(joining::a_removed_id_asks_again),
        "P5",
    ),
    Case(
        Bug::SilenceNotAccused,
        scene!(losing::two_survivors_of_two_topologies),
        "P8(ii)",
    ),
    Case(Bug::QuorumOffByOne, By::Seed(200_000), "P3"),
    Case(Bug::PromiseQuorumOffByOne, By::Seed(200_052), "P9"),
    Case(Bug::ProposesBehindChange, By::Seed(200_079), "check"),
    Case(Bug::SharedTerms, By::Seed(200_001), "P7"),
    Case(Bug::CountsByNumber, By::Seed(200_012), "P3"),
    Case(Bug::GapAccepted, By::Seed(200_080), "P2"),
    Case(Bug::OwnAcceptanceAlways, By::Seed(200_001), "P3"),
    Case(Bug::RepeatsPublication, By::Seed(200_001), "P2"),
    Case(Bug::ReportedEarly, By::Seed(200_001), "P6"),
    Case(Bug::AlertCountedTwice, By::Seed(200_029), "P8(i)"),
    Case(Bug::CutCountsDoubters, By::Seed(200_051), "P8(i)"),
    Case(Bug::OneAccuserSuffices, By::Seed(200_000), "P8(i)"),
    Case(Bug::RepairSkipped, By::Seed(200_000), "P7"),
    Case(Bug::MajorityOfPromisers, By::Seed(200_029), "P3"),
];

/// What is broken with the mistake; nothing if the same is broken without it.
fn seed_catches(seed: u64, bug: Bug) -> Option<Violation> {
    let violation = sim::run_with(seed, false, Some(bug)).violation?;
    sim::run(seed, false)
        .violation
        .is_none()
        .then_some(violation)
}

impl Case {
    /// What is wrong with this case, if anything.
    fn judge(&self) -> Result<(), String> {
        let Self(bug, by, promise) = self;
        match by {
            By::Scene(name, scene) => {
                if let Some(violation) = scene(None).violation() {
                    return Err(format!("{name} without a mistake: {violation}"));
                }
                match scene(Some(*bug)).violation() {
                    Some(violation) if violation.promise() == *promise => Ok(()),
                    other => Err(format!("{bug:?}: {name}: not {promise} but {other:?}")),
                }
            }
            By::Seed(first) => {
                let mut seeds = *first..*first + SEEDS_MAX;
                let catches = |seed| {
                    let violation = seed_catches(seed, *bug);
                    violation.is_some_and(|it| it.promise() == *promise)
                };
                match seeds.find(|seed| catches(*seed)) {
                    Some(_) => Ok(()),
                    None => Err(format!("{bug:?}: no {promise} by {SEEDS_MAX} seeds")),
                }
            }
        }
    }
}

#[test]
fn every_planted_mistake_is_caught() {
    let judged = CASES.iter().filter_map(|case| case.judge().err());
    let missed: Vec<String> = judged.collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
