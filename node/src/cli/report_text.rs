//! Reports as text for a terminal: one line that says how things stand, then the seeds.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use discovery_core::{
    FinderError, Finding, NodeName, ProcessIdentity, Seed, SeedCondition, SeedReport, SeedSet,
};
use tokio::time::Instant;

use crate::wrap::{columns, titled};

/// What a watch has shown before: since when each process is there.
#[derive(Debug, Default)]
pub(super) struct Shown {
    since: BTreeMap<ProcessIdentity, Instant>,
    last: BTreeMap<ProcessIdentity, Seed>,
    has_begun: bool,
}

impl Shown {
    /// Takes the seeds of a known report in; returns what is new, gone and changed, in words.
    fn take(&mut self, seeds: &SeedSet, now: Instant) -> String {
        let current: BTreeMap<_, _> = seeds
            .iter()
            .map(|seed| (seed.identity(), seed.clone()))
            .collect();
        let mut words = Vec::new();
        for (identity, seed) in &current {
            match self.last.get(identity) {
                None => words.push(format!("+{}", name_of(seed))),
                Some(before) if before != seed => words.push(format!("~{}", name_of(seed))),
                Some(_) => {}
            }
            self.since.entry(identity.clone()).or_insert(now);
        }
        for (identity, seed) in &self.last {
            if !current.contains_key(identity) {
                words.push(format!("-{}", name_of(seed)));
            }
        }
        self.since
            .retain(|identity, _| current.contains_key(identity));
        self.last = current;
        if !std::mem::replace(&mut self.has_begun, true) {
            return String::new();
        }
        words.join(" ")
    }
}

fn name_of(seed: &Seed) -> String {
    let name = seed.name.as_ref().map(ToString::to_string);
    name.unwrap_or_else(|| seed.address().to_string())
}

/// One report as a block of text that ends with a line break.
pub(super) fn report_block(
    report: &SeedReport,
    mut shown: Option<&mut Shown>,
    now: Instant,
    width: usize,
) -> String {
    let mut out = String::new();
    let place = place_words(report);
    match &report.finding {
        Finding::Known(seeds) => {
            let changes = shown
                .as_mut()
                .map(|shown| shown.take(seeds, now))
                .unwrap_or_default();
            let _ = writeln!(out, "known: {}  ({place})", count_words(seeds.len()));
            push_changes(&mut out, &changes);
            out.push_str(&table(seeds, shown.as_deref(), now));
        }
        Finding::KnownEmpty => {
            let seeds = SeedSet::empty();
            let changes = shown
                .as_mut()
                .map(|shown| shown.take(&seeds, now))
                .unwrap_or_default();
            let _ = writeln!(out, "known to be empty: the source lists nobody  ({place})");
            push_changes(&mut out, &changes);
        }
        Finding::Unknown(error) => {
            let _ = writeln!(out, "unknown: {}  ({place})", error.cause());
            push_error(&mut out, error, width);
            match &report.last_good {
                Some(good) => {
                    let count = count_words(good.seeds.len());
                    let age = age_words(good.age);
                    let _ = writeln!(out, "  last good set, confirmed {age} ago: {count}");
                    out.push_str(&table(&good.seeds, shown.as_deref(), now));
                }
                None => out.push_str("  no set was ever confirmed\n"),
            }
        }
    }
    for gap in &report.gaps {
        let _ = writeln!(out, "  without one part: {}", gap.cause());
        push_error(&mut out, gap, width);
    }
    out
}

fn place_words(report: &SeedReport) -> String {
    let authority = if report.authoritative {
        "authoritative"
    } else {
        "a hint, not authoritative"
    };
    format!("{}, {authority}", report.provenance)
}

fn push_changes(out: &mut String, changes: &str) {
    if !changes.is_empty() {
        let _ = writeln!(out, "  {changes}");
    }
}

fn push_error(out: &mut String, error: &FinderError, width: usize) {
    out.push_str(&titled("what  ", error.detail(), 2, width));
    if let Some(remedy) = error.remedy() {
        out.push_str(&titled("remedy", remedy, 2, width));
    }
}

fn count_words(count: usize) -> String {
    match count {
        0 => "no seed".to_owned(),
        1 => "1 seed".to_owned(),
        _ => format!("{count} seeds"),
    }
}

/// The seeds in columns; in a watch also since when each has been there.
fn table(seeds: &SeedSet, shown: Option<&Shown>, now: Instant) -> String {
    if seeds.is_empty() {
        return String::new();
    }
    let mut titles = vec!["NAME", "ADDRESS", "ZONE", "HOST NODE", "CONDITION"];
    titles.extend(shown.map(|_| "SEEN FOR"));
    let mut rows = vec![titles.into_iter().map(ToOwned::to_owned).collect()];
    for seed in seeds {
        let dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
        let addresses: Vec<String> = seed.addresses().iter().map(ToString::to_string).collect();
        let mut row = vec![
            dash(seed.name.as_ref().map(NodeName::as_str)),
            addresses.join(" "),
            dash(seed.zone.as_deref()),
            dash(seed.host_node.as_deref()),
            condition_words(seed.condition),
        ];
        row.extend(shown.map(|shown| {
            let since = shown.since.get(&seed.identity());
            let age = since.map(|since| age_words(now.saturating_duration_since(*since)));
            age.unwrap_or_else(|| "-".to_owned())
        }));
        rows.push(row);
    }
    columns(&rows, 2)
}

fn condition_words(condition: SeedCondition) -> String {
    let SeedCondition {
        ready,
        serving,
        terminating,
    } = condition;
    let mut words = Vec::new();
    match ready {
        Some(true) => words.push("ready"),
        Some(false) => words.push("not ready"),
        None => {}
    }
    if terminating == Some(true) {
        words.push("terminating");
        if serving == Some(true) {
            words.push("still serving");
        }
    } else if serving == Some(false) && ready == Some(true) {
        // With publishNotReadyAddresses everybody is "ready"; serving is what the probe says.
        words.push("not serving");
    }
    if words.is_empty() {
        "-".to_owned()
    } else {
        words.join(", ")
    }
}

/// A length of time in its two largest units at most.
pub(super) fn age_words(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..1 => format!("{}ms", age.as_millis()),
        1..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
    }
}
