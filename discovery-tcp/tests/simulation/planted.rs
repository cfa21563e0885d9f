//! Mistakes planted on purpose, and what catches each: a directed schedule, or a seed of the swarm or
//! of a storm. The same schedule, or seed, keeps every promise without the mistake. The table is
//! `docs/planted.md`, which `UPDATE_DOCS=1` writes anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use discovery_tcp::ring::Bug;
use discovery_tcp::sim::{self, Cluster, Swarm, Violation};

use crate::storm::storm;
use crate::{
    borders, crossroads, deciding, exempting, forming, granting, joining, leftovers, proving,
    recovering, splitting,
};

/// A directed schedule, with a mistake planted or without.
type Scene = fn(Option<Bug>) -> Cluster;

/// What catches a mistake.
enum By {
    /// This schedule, by its name.
    Scene(&'static str, Scene),
    /// This seed of the swarm, or one of those behind it.
    Seed(u64),
    /// This seed of a storm, or one of those behind it.
    Storm(u64),
}

/// One mistake, the clause it breaks, what it does, what catches it, and the checker that fires.
struct Case(Bug, &'static str, &'static str, By, &'static str);

/// What the core says of its own state.
const CHECK: &str = "check";

/// A seed means something else whenever the core draws otherwise, so that many are tried.
const SEEDS_MAX: u64 = 1500;

/// The same of storms, which are longer.
const STORMS_MAX: u64 = 40;

/// The name of a schedule with the schedule.
macro_rules! scene {
    ($module:ident::$name:ident) => {
        By::Scene(stringify!($name), $module::$name)
    };
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case(Bug::QuorumOffByOne, "DECIDE-5", "a majority is half",
        By::Seed(0), "P3"),
    Case(Bug::PromiseQuorumOffByOne, "TAKE-5", "half of the promises make a candidate the coordinator",
        scene!(crossroads::a_candidate_hears_of_one_other), "P2"),
    Case(Bug::ProposesBehindChange, "DECIDE-4", "messages are proposed behind an undecided change",
        By::Seed(1590), "P7"),
    Case(Bug::NoNewPromises, "TAKE-6", "a re-proposed change is led on from without new promises",
        scene!(borders::a_change_is_decided_by_two), "P2"),
    Case(Bug::LeadsOnOverInstall, "DECIDE-1", "who is told of a change goes on leading behind it",
        scene!(borders::a_coordinator_is_told_of_its_change), "P2"),
    Case(Bug::TailDroppedAtFirst, "DECIDE-2", "of a re-proposed tail only the first entry is taken",
        scene!(crossroads::a_tail_changes_hands_twice), "P2"),
    Case(Bug::TailKept, "DECIDE-2", "old entries stay behind a re-proposed tail",
        By::Seed(276), "P9"),
    Case(Bug::InstallKeepsPromise, "DECIDE-7", "who installs a topology promises nothing by it",
        scene!(recovering::recoveries_one_after_the_other), CHECK),
    Case(Bug::WatermarkWithoutTerm, "DECIDE-6", "the own tail is delivered by a watermark of another term",
        By::Storm(4), "P2"),
    Case(Bug::PromiseForgotten, "TAKE-3", "a promise is given and not kept",
        scene!(crossroads::a_promiser_hears_an_older_term), "P2"),
    Case(Bug::StaleTermAccepted, "DECIDE-3", "a proposal below the promise is accepted",
        scene!(crossroads::a_promiser_hears_an_older_term), "P2"),
    Case(Bug::SharedTerms, "DECIDE-1", "every candidate uses the same term",
        By::Seed(0), "P7"),
    Case(Bug::TailTermKept, "DECIDE-8", "the term of a tail outlives the topology it was accepted in",
        scene!(borders::an_empty_tail_of_a_higher_term), "P2"),
    Case(Bug::GapAccepted, "DECIDE-2", "a proposal is accepted without the one before",
        By::Storm(0), "P2"),
    Case(Bug::CountsByNumber, "DECIDE-9", "an acceptance that is repeated counts as another",
        By::Seed(38), "P3"),
    Case(Bug::OwnAcceptanceMissing, "DECIDE-4", "the coordinator counts itself without holding the entry",
        scene!(crossroads::a_coordinator_promises_behind_its_own_tail), "P2"),
    Case(Bug::OwnTailOnly, "TAKE-5", "a candidate re-proposes its own tail alone",
        scene!(crossroads::a_tail_changes_hands_twice), "P2"),
    Case(Bug::LongestTail, "TAKE-5", "a candidate takes the longest tail, whatever its term",
        scene!(crossroads::a_long_tail_of_an_older_term), "P2"),
    Case(Bug::PromisesToLaggard, "TAKE-3", "a promise is given to a candidate that knows less decided",
        By::Storm(14), "P2"),
    Case(Bug::OwnAcceptanceAlways, "DECIDE-5", "one acceptance decides among four and five, too",
        By::Seed(0), "P3"),
    Case(Bug::TopologyNotNamed, "DECIDE-3", "a proposal for another topology is accepted",
        scene!(borders::an_empty_tail_of_a_higher_term), "P2"),
    Case(Bug::RepeatsPublication, "PUB-3", "a message that is sent again is taken again",
        By::Seed(10), "P2"),
    Case(Bug::ReportedEarly, "PUB-5", "a message is reported decided when it is proposed",
        By::Seed(3), "P6"),
    Case(Bug::LagSkippedBySnapshot, "SNAP-2", "a member behind the history is brought forward by a snapshot",
        scene!(crossroads::a_member_falls_behind_the_history), "P2"),
    Case(Bug::LearnsPastAdmission, "JOIN-5", "a learner learns on behind its own admission",
        scene!(joining::a_new_member_hears_late_of_its_admission), "P6"),
    Case(Bug::SuccessorsGrantCounts, "FORM-5", "a grant of the successor of whom was contacted counts",
        scene!(granting::a_successor_grants), "P4"),
    Case(Bug::GrantKept, "FORM-4", "who grants is bound to nothing by it",
        scene!(granting::a_granter_keeps_its_own_census), "P4"),
    Case(Bug::ContactAfterListing, "FORM-3", "who is listed is contacted after the listing",
        scene!(granting::a_successor_is_met_after_the_listing), "P4"),
    Case(Bug::StaleListingBelieved, "FORM-3", "a listing of an earlier round is taken",
        scene!(granting::a_listing_comes_a_round_late), "P4"),
    Case(Bug::SelfByAddress, "FORM-3", "one's own entry is known by its address",
        scene!(exempting::a_stale_entry_names_my_address), "P4"),
    Case(Bug::EqualResourceVersion, "FORM-9", "an epoch need not exceed what was listed before",
        scene!(forming::a_quiet_store), "P9"),
    Case(Bug::ExemptByRefusal, "FORM-7", "a refused dial alone exempts",
        scene!(exempting::a_policy_refuses_everywhere), "P4"),
    Case(Bug::ExemptByOneListing, "FORM-8", "who is exempt is looked at after the last listing",
        scene!(exempting::an_exempt_pod_founds_meanwhile), "P4"),
    Case(Bug::RoundKept, "FORM-4", "who hears of somebody better comes back to its round later",
        scene!(granting::a_listing_comes_a_round_late), "P4"),
    Case(Bug::JoinerNotListed, "JOIN-2", "somebody is admitted who was never listed",
        scene!(forming::an_unlisted_newcomer_joins), "P4"),
    Case(Bug::AllAtOnce, "JOIN-7", "everybody who asks is admitted in one change",
        scene!(joining::ten_join_three), CHECK),
    Case(Bug::RemovedIdReadmitted, "ANSWER-5", "a removed node id joins again",
        scene!(joining::a_removed_id_asks_again), "P5"),
    Case(Bug::AlertCountedTwice, "CUT-3", "an accusation that is repeated counts as another",
        By::Seed(25), "P8(i)"),
    Case(Bug::CutCountsDoubters, "CUT-3", "members of the cut count as accusers",
        By::Seed(39), "P8(i)"),
    Case(Bug::SilenceNotAccused, "CUT-7", "nobody is accused of silence",
        scene!(recovering::two_survivors_of_two_topologies), "P8(ii)"),
    Case(Bug::OneAccuserSuffices, "CUT-3", "one accusation removes",
        By::Seed(2), "P8(i)"),
    Case(Bug::TickWithoutMajority, "TAKE-9", "the tick counts up although no majority follows",
        scene!(deciding::a_coordinator_that_is_heard_and_not_followed), "P8(ii)"),
    Case(Bug::RepairSkipped, "SPREAD-5", "who missed a proposal is not served",
        By::Seed(17), "P7"),
    Case(Bug::EpochNotRaised, "RECOVER-5", "a recovery counts its epoch up by one",
        scene!(recovering::a_recovery_is_repeated_by_its_promiser), "P1"),
    Case(Bug::PromisersUnfiltered, "ANSWER-4", "who promised to a recovery still takes what was said before",
        scene!(leftovers::a_word_of_the_dead_reaches_a_promiser), "P2"),
    Case(Bug::LeftoversDropped, "RECOVER-6", "a recovery forgets messages that were accepted",
        scene!(leftovers::a_recovery_finds_a_message), CHECK),
    Case(Bug::RecoversByOwnTopology, "RECOVER-1", "a survivor asks the members of its own topology alone",
        scene!(recovering::two_survivors_of_two_topologies), "P2"),
    Case(Bug::MajorityOfPromisers, "RECOVER-6", "a majority of the promisers decides a recovery",
        scene!(recovering::a_promiser_does_not_hear_the_recovery), "P3"),
    Case(Bug::ProofByOtherPod, "RECOVER-3", "another pod at the address proves a death",
        scene!(proving::another_pod_answers_for_one_listed_no_more), "P3"),
    Case(Bug::ProvenBySilence, "RECOVER-3", "silence proves a death",
        scene!(proving::a_silent_member_is_listed_no_more), "P3"),
    Case(Bug::DeadAreHeard, "RECOVER-6", "a recoverer hears the dead, and leads on over what it learns",
        scene!(leftovers::a_word_of_the_dead_reaches_the_recoverer), "P2"),
    Case(Bug::SplitLearned, "RECOVER-8", "who did not go with a split learns what it decided",
        scene!(splitting::an_old_question_is_answered_by_a_split), "P2"),
];

/// What was planted once, and breaks no promise.
const NOT_PLANTED: &str = "\
## Seen by the core's check alone

| mistake | why no promise breaks |
|---|---|
| `InstallKeepsPromise` | whoever leads in the new topology has the promises of a majority of it \
under a term above all that they name (TAKE-5, TAKE-7); what is left for a lower term to do is its \
search for a majority, which costs time |
| `AllAtOnce` | a majority is counted over all members, confirmed or not; if those who never come up \
are more than half, there is no majority left that P7 could speak of |
| `LeftoversDropped` | a publisher that was told its message is decided has it as decided, and a \
recovery learns that from it (RECOVER-2); of any other it was told that the outcome is unknown \
(PUB-6) |

## Not planted

These mistakes break no promise, because another clause makes them harmless, or because the clause
keeps more than is promised.

| mistake | why no checker can see it |
|---|---|
| a coordinator that promised a higher term goes on counting (DECIDE-4) | its promise has ended its \
term in the same step (TAKE-3), so that nothing is left to count with |
| a snapshot without the last sequences (SNAP-1) | a publisher sends to a coordinator only in a \
topology that holds it, so it has delivered, and sends no more, what was decided before that \
coordinator's snapshot; a coordinator takes nothing below *first pending* (PUB-2, PUB-3) |
| an ask older than one answered is granted (ANSWER-2) | if its asker is dead, its link was closed \
by the first answer (ANSWER-4); if it lives, the newer asker has to ask it, too, and its answer \
voids its own round (FORM-4) |
| a late loop forgives nobody (CUT-6) | P8(i) speaks of observers that exchanged heartbeats, and one \
that was held exchanged none; `who_was_held_itself_accuses_nobody` holds the clause |
| `quorum here` is neither said nor heeded (RECOVER-2) | a recovery needs the promise of everybody \
who lives (RECOVER-6), and a coordinator that was outbid asks for promises again (TAKE-7): it costs \
terms, and no promise |";

/// What is broken by a run of this seed with the mistake; nothing if it breaks without it. Where a
/// promise is to break, the core's own check does not end the run before.
fn seed_catches(seed: u64, bug: Bug, promise: &str) -> Option<Violation> {
    let mut swarm = Swarm::of_seed(seed);
    swarm.world.is_traced = false;
    swarm.world.asks_the_core = promise == CHECK;
    swarm.world.bug = Some(bug);
    let violation = swarm.run().violation?;
    let is_green = sim::run(seed, false).violation.is_none();
    is_green.then_some(violation)
}

/// The same of a storm.
fn storm_catches(seed: u64, bug: Bug) -> Option<Violation> {
    let violation = storm(Some(bug), seed).violation()?.clone();
    let is_green = storm(None, seed).violation().is_none();
    is_green.then_some(violation)
}

impl Case {
    /// What is wrong with this case, if anything.
    fn judge(&self) -> Result<(), String> {
        let Self(bug, _, _, by, promise) = self;
        let is_it = |violation: &Violation| violation.promise() == *promise;
        let caught = match by {
            By::Scene(name, scene) => {
                if let Some(violation) = scene(None).violation() {
                    return Err(format!("{name} without a mistake: {violation}"));
                }
                scene(Some(*bug)).violation().is_some_and(is_it)
            }
            By::Seed(first) => {
                let mut seeds = *first..*first + SEEDS_MAX;
                seeds.any(|seed| seed_catches(seed, *bug, promise).is_some_and(|it| is_it(&it)))
            }
            By::Storm(first) => {
                let mut seeds = *first..*first + STORMS_MAX;
                seeds.any(|seed| storm_catches(seed, *bug).is_some_and(|it| is_it(&it)))
            }
        };
        if caught {
            Ok(())
        } else {
            Err(format!("{bug:?} breaks no {promise} by {}", by.describe()))
        }
    }
}

impl By {
    fn describe(&self) -> String {
        match self {
            Self::Scene(name, _) => format!("`{name}`"),
            Self::Seed(first) => format!("a seed of the swarm from {first} on"),
            Self::Storm(first) => format!("a storm from {first} on"),
        }
    }
}

/// The page that tells of them.
fn page() -> String {
    let mut text = String::from(
        "# Planted mistakes\n\n\
         That the checkers can fail is proven by mistakes planted in the core behind the feature\n\
         `sim` (`discovery-tcp/src/ring/planted.rs`): each is caught by a directed schedule\n\
         (`discovery-tcp/tests/simulation`) or within a bounded number of seeds, and the same schedule\n\
         or seed keeps every promise without it. *check* is the core's own check of its state. The test\n\
         `every_planted_mistake_is_caught` runs them all; `UPDATE_DOCS=1` makes it write this page.\n\n\
         | mistake | clause | what it does | caught by | broken |\n|---|---|---|---|---|\n",
    );
    for Case(bug, clause, what, by, promise) in CASES {
        let by = by.describe();
        writeln!(text, "| `{bug:?}` | {clause} | {what} | {by} | {promise} |").unwrap();
    }
    let (caught, all) = (CASES.len(), Bug::ALL.len());
    writeln!(text, "\n{caught} of {all} are caught.\n\n{NOT_PLANTED}").unwrap();
    text
}

#[test]
fn every_planted_mistake_is_caught() {
    let judged = CASES.iter().filter_map(|case| case.judge().err());
    let missed: Vec<String> = judged.collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn every_mistake_that_can_be_planted_has_one_case() {
    let cases: BTreeSet<Bug> = CASES.iter().map(|case| case.0).collect();
    assert_eq!(cases.len(), CASES.len());
    assert_eq!(cases, Bug::ALL.into_iter().collect());
}

#[test]
fn the_page_of_planted_mistakes_tells_of_these() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/planted.md");
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, page()).unwrap();
    }
    let told = fs::read_to_string(&path).unwrap();
    assert!(told == page(), "run it again with UPDATE_DOCS=1");
}
