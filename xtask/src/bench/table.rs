//! The figures as tables for people.

use std::fmt;

use super::aims;
use super::figures::Figures;
use super::runs::Purpose;

/// Each figure with what it is called and how many decimals it deserves.
const ROWS: [(&str, &str, usize); 24] = [
    ("formed_ms", "formed, ms", 0),
    ("formed_cpu_ms", "processor time for it, ms", 0),
    ("formed_versions", "versions on the way", 0),
    ("dials_per_node", "dials a node", 1),
    ("dials_max", "dials of the busiest", 0),
    ("kill_ms", "one killed, ms", 1),
    ("kill_coordinator_ms", "coordinator killed, ms", 1),
    ("kill_tenth_ms", "a tenth killed, ms", 1),
    ("kill_tenth_versions", "a tenth killed, versions", 0),
    ("freeze_ms", "one frozen, ms", 0),
    ("freeze_tenth_ms", "a tenth frozen, ms", 0),
    ("freeze_tenth_versions", "a tenth frozen, versions", 0),
    ("memberships", "memberships seen", 0),
    (
        "memberships_under_one_version",
        "of these under one version",
        0,
    ),
    ("false_removals", "false removals", 0),
    ("idle_cpu_percent", "idle: % of a core a member", 4),
    ("idle_bytes_per_second", "idle: bytes/s a member", 0),
    ("idle_segments_per_second", "idle: segments/s a member", 1),
    ("idle_frames_per_second", "idle: frames/s a member", 1),
    ("idle_dials_per_second", "idle: dials/s a member", 2),
    ("kib_per_member", "KiB a member", 1),
    ("messages_per_second", "published messages/s", 0),
    ("publish_p50_us", "publish to decided, p50 us", 0),
    ("publish_p99_us", "publish to decided, p99 us", 0),
];

/// All tables, one a purpose.
pub(super) struct Tables<'a>(pub(super) &'a Figures);

impl fmt::Display for Tables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures = self.0;
        for purpose in figures.purposes() {
            writeln!(f, "\n{}", title(&purpose))?;
            table(f, figures, &purpose)?;
        }
        for why in figures.skipped() {
            writeln!(f, "skipped: {why}")?;
        }
        for failure in figures.failures() {
            writeln!(f, "failed: {failure}")?;
        }
        Ok(())
    }
}

fn title(purpose: &Purpose) -> String {
    match purpose {
        Purpose::Full => "formed by census; median / worst; ! marks a missed aim".to_owned(),
        Purpose::Majority => "formed by a majority of names, once".to_owned(),
        Purpose::Loaded => "one frozen while two other processes spin".to_owned(),
        Purpose::Limit(millis) => format!("idle at a silence limit of {millis} ms"),
    }
}

fn table(f: &mut fmt::Formatter<'_>, figures: &Figures, purpose: &Purpose) -> fmt::Result {
    let sizes = figures.sizes(purpose);
    write!(f, "{:28}", "members")?;
    for nodes in &sizes {
        write!(f, "{nodes:>18}")?;
    }
    writeln!(f)?;
    for (what, called, decimals) in ROWS {
        let cells: Vec<Option<String>> = sizes
            .iter()
            .map(|nodes| cell(figures, purpose, *nodes, what, decimals))
            .collect();
        if cells.iter().all(Option::is_none) {
            continue;
        }
        write!(f, "{called:28}")?;
        for cell in cells {
            write!(f, "{:>18}", cell.unwrap_or_default())?;
        }
        writeln!(f)?;
    }
    Ok(())
}

fn cell(
    figures: &Figures,
    purpose: &Purpose,
    nodes: usize,
    what: &str,
    decimals: usize,
) -> Option<String> {
    let spread = figures.spread(purpose, nodes, what)?;
    let (median, worst) = (spread.median, spread.worst);
    let mut cell = if spread.runs > 1 {
        format!("{median:.decimals$} / {worst:.decimals$}")
    } else {
        format!("{median:.decimals$}")
    };
    if *purpose == Purpose::Full && aims::is_missed(nodes, what, &spread) {
        cell.push('!');
    }
    Some(cell)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bench::runs::Plan;

    #[test]
    fn a_mark_stands_where_an_aim_is_said_to_be_missed() {
        let mut figures = Figures::default();
        for versions in [9, 9, 10] {
            let run = json!({"formed_ms": 100.0, "formed_versions": versions});
            figures.add(&Plan::full(100, 0), serde_json::from_value(run).unwrap());
        }
        let missed = aims::missed(&figures);
        for (what, _, _) in ROWS {
            let cell = cell(&figures, &Purpose::Full, 100, what, 0).unwrap_or_default();
            let is_said = missed.iter().any(|miss| miss.what == what);
            assert_eq!(cell.ends_with('!'), is_said, "{what}: {cell}");
        }
        assert_eq!(missed.len(), 1);
    }
}
