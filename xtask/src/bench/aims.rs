//! What the project aims at, and which of it was missed. An aim is for an idle machine of two cores.

use std::fmt;

use super::figures::{Figures, Spread};
use super::runs::Purpose;

/// One aim: the median of a figure at one size.
struct Aim {
    nodes: usize,
    what: &'static str,
    at_most: f64,
}

/// The silence limit, in milliseconds, that the measurements run under.
const SILENCE_MILLIS: f64 = 2000.0;

const AIMS: [Aim; 17] = [
    aim(100, "formed_ms", 150.0),
    aim(200, "formed_ms", 400.0),
    aim(500, "formed_ms", 2000.0),
    aim(100, "formed_versions", 9.0),
    aim(200, "formed_versions", 10.0),
    aim(500, "formed_versions", 11.0),
    aim(100, "kill_ms", 45.0),
    aim(100, "kill_tenth_versions", 3.0),
    aim(100, "freeze_ms", SILENCE_MILLIS + 50.0),
    aim(100, "idle_cpu_percent", 0.05),
    aim(200, "idle_cpu_percent", 0.05),
    aim(500, "idle_cpu_percent", 0.05),
    aim(100, "idle_bytes_per_second", 3500.0),
    aim(200, "idle_bytes_per_second", 3500.0),
    aim(500, "idle_bytes_per_second", 3500.0),
    aim(100, "kib_per_member", 100.0),
    aim(200, "kib_per_member", 100.0),
];

const fn aim(nodes: usize, what: &'static str, at_most: f64) -> Aim {
    Aim {
        nodes,
        what,
        at_most,
    }
}

/// An aim that was missed.
#[derive(Debug)]
pub(super) struct Missed {
    pub(super) nodes: usize,
    pub(super) what: &'static str,
    at_most: f64,
    spread: Spread,
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at {} members is {:.2} in the median of {} runs; the aim is {:.2}",
            self.what, self.nodes, self.spread.median, self.spread.runs, self.at_most
        )
    }
}

/// The aim for a figure at one size, if there is one.
pub(super) fn of(nodes: usize, what: &str) -> Option<f64> {
    let mut aims = AIMS.iter();
    aims.find(|aim| aim.nodes == nodes && aim.what == what)
        .map(|aim| aim.at_most)
}

/// Every aim that was measured and missed.
pub(super) fn missed(figures: &Figures) -> Vec<Missed> {
    let miss = |aim: &Aim| {
        let spread = figures.spread(&Purpose::Full, aim.nodes, aim.what)?;
        let (nodes, what, at_most) = (aim.nodes, aim.what, aim.at_most);
        (spread.median > at_most).then_some(Missed {
            nodes,
            what,
            at_most,
            spread,
        })
    };
    AIMS.iter().filter_map(miss).collect()
}
