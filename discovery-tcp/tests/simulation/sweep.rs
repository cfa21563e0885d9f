//! A few seeds with every test; `cargo xtask sim` runs as many as one likes.

use discovery_tcp::sim::{self, Swarm};

/// Seeds that broke a promise once, and must not again.
const ONCE_BROKEN: [u64; 27] = [
    4, 11, 18, 93, 151, 190, 200, 254, 9_939, 53_060, 63_238, 191_819, 337_578, 507_842, 1_014_900,
    1_026_583, 1_043_206, 1_047_408, 1_066_960, 1_210_100, 8_300_145, 8_302_683, 8_302_715,
    8_305_565, 40_013_956, 60_050_685, 92_006_324,
];

/// The same of clusters so large that their members observe each other in rings.
const MANY_ONCE_BROKEN: [u64; 1] = [700];

fn holds(seed: u64) {
    let report = sim::run(seed, false);
    if let Some(violation) = report.violation {
        panic!("seed {seed}: {violation}\nreplay with: cargo xtask sim --replay {seed}");
    }
}

fn holds_with_many(seed: u64) {
    if let Some(violation) = Swarm::of_many(seed).run().violation {
        panic!("seed {seed}: {violation}\nreplay with: cargo xtask sim --many --replay {seed}");
    }
}

#[test]
fn seeds_that_broke_a_promise_once_keep_all_of_them() {
    ONCE_BROKEN.into_iter().for_each(holds);
    MANY_ONCE_BROKEN.into_iter().for_each(holds_with_many);
}

// Clauses: DECIDE-9, CUT-3
#[test]
fn a_few_seeds_keep_every_promise() {
    (5_000..5_040).for_each(holds);
    (5_000..5_005).for_each(holds_with_many);
}

// Clauses: TIME-3
#[test]
fn a_seed_gives_the_same_run_again() {
    let trace = || sim::run(3, true).trace.to_string();
    assert_eq!(trace(), trace());
}
