//! What the project aims at, and which of it was missed. An aim is for an idle machine of two cores.

use std::fmt;

use super::figures::{Figures, Spread};
use super::runs::Purpose;

/// One aim for a figure: times and costs by their median, counts by their worst.
struct Aim {
    /// The size it is for; without one, every size.
    nodes: Option<usize>,
    what: &'static str,
    at_most: f64,
    by_worst: bool,
}

/// The silence limit, in milliseconds, that the measurements run under.
const SILENCE_MILLIS: f64 = 2000.0;

const AIMS: [Aim; 12] = [
    aim(100, "formed_ms", 150.0),
    aim(200, "formed_ms", 400.0),
    aim(500, "formed_ms", 2000.0),
    cap(100, "formed_versions", 9.0),
    cap(200, "formed_versions", 10.0),
    cap(500, "formed_versions", 11.0),
    aim(100, "kill_ms", 45.0),
    cap(100, "kill_tenth_versions", 3.0),
    aim(100, "freeze_ms", SILENCE_MILLIS + 50.0),
    at_every_size("idle_cpu_percent", 0.05),
    at_every_size("idle_bytes_per_second", 3500.0),
    aim(100, "kib_per_member", 100.0),
];

const fn aim(nodes: usize, what: &'static str, at_most: f64) -> Aim {
    Aim {
        nodes: Some(nodes),
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

/// What a member costs when nothing happens must not depend on how many there are.
const fn at_every_size(what: &'static str, at_most: f64) -> Aim {
    Aim {
        nodes: None,
        what,
        at_most,
        by_worst: false,
    }
}

impl Aim {
    fn is_for(&self, nodes: usize, what: &str) -> bool {
        self.what == what && self.nodes.is_none_or(|size| size == nodes)
    }

    fn is_missed_by(&self, spread: &Spread) -> bool {
        let judged = if self.by_worst {
            spread.worst
        } else {
            spread.median
        };
        judged > self.at_most
    }
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

/// Whether there is an aim for this figure at this size, and it was missed.
pub(super) fn is_missed(nodes: usize, what: &str, spread: &Spread) -> bool {
    let mut aims = AIMS.iter().filter(|aim| aim.is_for(nodes, what));
    aims.any(|aim| aim.is_missed_by(spread))
}

/// Every aim that was measured and missed, at the smallest size first.
pub(super) fn missed(figures: &Figures) -> Vec<Missed> {
    let sizes = figures.sizes(&Purpose::Full);
    let miss = |aim: &Aim, nodes: usize| {
        let spread = figures.spread(&Purpose::Full, nodes, aim.what)?;
        let is_missed = aim.is_for(nodes, aim.what) && aim.is_missed_by(&spread);
        is_missed.then_some(Missed {
            nodes,
            what: aim.what,
            at_most: aim.at_most,
            by_worst: aim.by_worst,
            spread,
        })
    };
    let at_each_size = |aim| sizes.iter().filter_map(move |nodes| miss(aim, *nodes));
    AIMS.iter().flat_map(at_each_size).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bench::runs::Plan;

    fn spread(median: f64, worst: f64) -> Spread {
        let runs = 10;
        Spread {
            median,
            worst,
            runs,
        }
    }

    #[test]
    fn times_are_judged_by_the_median_and_versions_by_the_worst() {
        assert!(!is_missed(100, "formed_ms", &spread(150.0, 900.0)));
        assert!(is_missed(100, "formed_ms", &spread(151.0, 151.0)));
        assert!(!is_missed(100, "formed_versions", &spread(9.0, 9.0)));
        assert!(is_missed(100, "formed_versions", &spread(9.0, 10.0)));
    }

    #[test]
    fn an_idle_member_may_cost_no_more_at_any_size() {
        for nodes in [10, 50, 100, 200, 500] {
            assert!(!is_missed(nodes, "idle_cpu_percent", &spread(0.05, 0.06)));
            assert!(is_missed(nodes, "idle_cpu_percent", &spread(0.051, 0.06)));
            assert!(is_missed(
                nodes,
                "idle_bytes_per_second",
                &spread(3501.0, 3501.0)
            ));
        }
    }

    #[test]
    fn what_has_no_aim_is_not_missed() {
        assert!(!is_missed(10, "formed_ms", &spread(1e9, 1e9)));
        assert!(!is_missed(100, "dials_max", &spread(1e9, 1e9)));
    }

    #[test]
    fn what_is_missed_is_named_once_with_its_size() {
        let run = |formed: f64, versions: u64| {
            let run = json!({
                "formed_ms": formed, "formed_versions": versions, "idle_cpu_percent": 0.07,
            });
            serde_json::from_value(run).unwrap()
        };
        let mut figures = Figures::default();
        figures.add(&Plan::full(100, 0), run(100.0, 9));
        figures.add(&Plan::full(100, 1), run(100.0, 10));
        figures.add(&Plan::full(10, 0), run(1000.0, 20));
        let missed: Vec<_> = missed(&figures)
            .iter()
            .map(|miss| (miss.what, miss.nodes))
            .collect();
        let idle = |nodes| ("idle_cpu_percent", nodes);
        assert_eq!(missed, [("formed_versions", 100), idle(10), idle(100)]);
    }
}
