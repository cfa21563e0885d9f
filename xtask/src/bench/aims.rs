//! What the project aims at, and which of it was missed. An aim is for an idle machine of two cores.

use std::fmt;

use super::figures::{Figures, Spread};
use super::runs::Purpose;

/// One aim for a figure at one size: times and costs by their median, counts by their worst.
struct Aim {
    nodes: usize,
    what: &'static str,
    at_most: f64,
    by_worst: bool,
}

/// The silence limit, in milliseconds, that the measurements run under.
const SILENCE_MILLIS: f64 = 2000.0;

const AIMS: [Aim; 16] = [
    aim(100, "formed_ms", 150.0),
    aim(200, "formed_ms", 400.0),
    aim(500, "formed_ms", 2000.0),
    cap(100, "formed_versions", 9.0),
    cap(200, "formed_versions", 10.0),
    cap(500, "formed_versions", 11.0),
    aim(100, "kill_ms", 45.0),
    cap(100, "kill_tenth_versions", 3.0),
    aim(100, "freeze_ms", SILENCE_MILLIS + 50.0),
    aim(100, "idle_cpu_percent", 0.05),
    aim(200, "idle_cpu_percent", 0.05),
    aim(500, "idle_cpu_percent", 0.05),
    aim(100, "idle_bytes_per_second", 3500.0),
    aim(200, "idle_bytes_per_second", 3500.0),
    aim(500, "idle_bytes_per_second", 3500.0),
    aim(100, "kib_per_member", 100.0),
];

const fn aim(nodes: usize, what: &'static str, at_most: f64) -> Aim {
    Aim {
        nodes,
        what,
        at_most,
        by_worst: false,
    }
}

const fn cap(nodes: usize, what: &'static str, at_most: f64) -> Aim {
    let mut aim = aim(nodes, what, at_most);
    aim.by_worst = true;
    aim
}

/// An aim that was missed.
#[derive(Debug)]
pub(super) struct Missed {
    pub(super) nodes: usize,
    pub(super) what: &'static str,
    at_most: f64,
    by_worst: bool,
    spread: Spread,
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at {} members: median {:.2}, worst {:.2} of {} runs; the aim is {:.2}{}",
            self.what,
            self.nodes,
            self.spread.median,
            self.spread.worst,
            self.spread.runs,
            self.at_most,
            if self.by_worst { " in every run" } else { "" }
        )
    }
}

impl Missed {
    /// The steps of a run that show it, as the measured program names them.
    pub(super) fn steps(&self) -> &'static str {
        match self.what {
            "idle_cpu_percent" | "idle_bytes_per_second" | "kib_per_member" => "idle",
            "kill_ms" => "kill",
            "kill_tenth_versions" => "kill-tenth",
            "freeze_ms" => "freeze",
            _ => ",",
        }
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
        let by_worst = aim.by_worst;
        let judged = if by_worst {
            spread.worst
        } else {
            spread.median
        };
        (judged > at_most).then_some(Missed {
            nodes,
            what,
            at_most,
            by_worst,
            spread,
        })
    };
    AIMS.iter().filter_map(miss).collect()
}
