//! The metrics as they are written, against their descriptions, and these against the docs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use discovery_core::finders::{StaticFinder, StaticFinderConfig};
use discovery_core::{FinderCause, SnapshotCause, Standing};
use discovery_tcp::message::{CloseReason, RefusalReason};
use discovery_tcp::{Formation, TcpDiscovery};

use super::reading::{FINDINGS, PHASES};
use super::*;
use crate::view::traffic::{LISTENERS, REASONS, gap_name};
use crate::view::{ACCUSATIONS, CHANGES, EVIDENCE, Overheard};

/// What the documentation says of them.
const DOCS: &str = include_str!("../../../docs/metrics.md");

/// The cells of every row of the documentation that describes a metric.
fn documented() -> Vec<Vec<&'static str>> {
    let rows = DOCS
        .lines()
        .filter(|line| line.starts_with("| `discovery_"));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

#[test]
fn every_metric_is_documented_as_it_is_and_no_other_is() {
    let documented: BTreeSet<[String; 4]> = documented()
        .iter()
        .map(|cells| [0, 1, 2, 3].map(|cell| cells[cell].replace('`', "")))
        .collect();
    let described: BTreeSet<[String; 4]> = METRICS
        .iter()
        .map(|metric| {
            let labels = match metric.labels {
                [] => "–".to_owned(),
                labels => labels.join(", "),
            };
            let kind = metric.kind.as_str().to_owned();
            [metric.name.to_owned(), kind, labels, metric.help.to_owned()]
        })
        .collect();
    let missing: Vec<_> = described.difference(&documented).collect();
    let made_up: Vec<_> = documented.difference(&described).collect();
    assert!(
        missing.is_empty() && made_up.is_empty(),
        "docs/metrics.md lacks {missing:#?} and should not say {made_up:#?}"
    );
}

#[test]
fn every_documented_metric_says_when_to_be_alarmed() {
    for cells in documented() {
        assert_eq!(cells.len(), 5, "{}", cells[0]);
        assert!(!cells[4].is_empty(), "{}", cells[0]);
    }
}

/// The values that a label of a metric may have; none where users choose them.
fn values(metric: &str, label: &str) -> Option<Vec<&'static str>> {
    let gaps = [
        SnapshotCause::Start,
        SnapshotCause::Behind,
        SnapshotCause::NewEpoch,
        SnapshotCause::OtherCluster,
    ];
    Some(match (label, metric) {
        ("phase", _) => PHASES.to_vec(),
        ("standing", _) => Standing::NAMES.to_vec(),
        ("kind", _) => ACCUSATIONS.to_vec(),
        ("state", _) => FINDINGS.to_vec(),
        ("change", _) => CHANGES.to_vec(),
        ("evidence", _) => EVIDENCE.to_vec(),
        ("listener", _) => LISTENERS.to_vec(),
        ("cause", "discovery_finder_troubles_total") => {
            FinderCause::ALL.map(FinderCause::as_str).to_vec()
        }
        ("cause", _) => gaps
            .into_iter()
            .filter_map(gap_name)
            .chain(["other"])
            .collect(),
        ("reason", "discovery_links_closed_total") => {
            CloseReason::ALL.map(CloseReason::as_str).to_vec()
        }
        ("reason", "discovery_greetings_refused_total") => RefusalReason::NAMES.to_vec(),
        ("reason", _) => REASONS.to_vec(),
        _ => return None,
    })
}

/// Every metric with each of its labels.
fn labels() -> impl Iterator<Item = (&'static Described, &'static str)> {
    let of = |metric: &'static Described| metric.labels.iter().map(move |label| (metric, *label));
    METRICS.iter().flat_map(of)
}

/// What stands between pairs of this mark.
fn marked(text: &str, mark: char) -> Vec<&str> {
    text.split(mark).skip(1).step_by(2).collect()
}

#[test]
fn every_label_is_documented_with_all_its_values() {
    let rows = DOCS.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows: Vec<Vec<&str>> = rows
        .map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .filter(|cells: &Vec<_>| cells.len() == 3)
        .collect();
    for (metric, label) in labels() {
        let is_of = |cells: &&Vec<&str>| {
            let of = cells[1].replace('`', "");
            cells[0] == format!("{label}`") && (of == "all" || of == metric.name)
        };
        let found: Vec<_> = rows.iter().filter(is_of).collect();
        let [cells] = found[..] else {
            panic!("{label} of {} has {} rows", metric.name, found.len());
        };
        if let Some(values) = values(metric.name, label) {
            assert_eq!(marked(cells[2], '`'), values, "{label} of {}", metric.name);
        }
    }
}

#[test]
fn alerts_compare_labels_with_values_that_there_are() {
    let rules = DOCS.split("```").filter(|part| part.starts_with("yaml"));
    let rows = documented();
    let rows = rows
        .iter()
        .map(|cells| (cells[0].replace('`', ""), cells[4]));
    let lines = rules.flat_map(str::lines).filter_map(|line| {
        let is_of = |metric: &&Described| line.contains(&format!("{}{{", metric.name));
        let metric = METRICS.iter().find(is_of)?;
        line.contains("expr:")
            .then(|| (metric.name.to_owned(), line))
    });
    let mut compared = 0;
    for (name, text) in rows.chain(lines) {
        let metric = METRICS.iter().find(|metric| metric.name == name);
        let labels = metric.map_or(&[][..], |metric| metric.labels);
        let known: Vec<_> = labels
            .iter()
            .filter_map(|label| values(&name, label))
            .collect();
        for told in marked(text, '"') {
            compared += 1;
            let is_known = known.iter().any(|values| values.contains(&told));
            assert!(is_known, "{name} is never told with \"{told}\"");
        }
    }
    assert!(compared > 3, "only {compared} values were found");
}

#[test]
fn names_are_unique_and_counters_end_as_counters_do() {
    let names: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), METRICS.len());
    for metric in METRICS {
        let is_counter = metric.kind == Kind::Counter;
        assert_eq!(
            metric.name.ends_with("_total"),
            is_counter,
            "{}",
            metric.name
        );
    }
}

/// A node alone, listed by a static finder.
async fn alone() -> NodeView {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let seeds = vec![listener.local_addr().unwrap().to_string()];
    let finder = StaticFinder::new(&StaticFinderConfig {
        seeds,
        ..StaticFinderConfig::default()
    });
    let finder = Overheard::new(Arc::new(finder.unwrap()));
    let discovery = TcpDiscovery::builder()
        .name("ring-0")
        .zone("zone-a")
        .listener(listener)
        .finder(Arc::new(finder.clone()))
        .formation(Formation::Single)
        .start()
        .await
        .unwrap();
    let view = NodeView::start(discovery, Some(&finder));
    let mut looks = view.looks();
    let seen = looks.wait_for(|look| {
        let sight = look.sight.as_ref();
        sight.is_some_and(|sight| sight.quorum && !sight.finder.seeds.is_empty())
    });
    tokio::time::timeout(Duration::from_mins(1), seen)
        .await
        .expect("it founds alone")
        .unwrap();
    view
}

#[tokio::test]
async fn what_a_member_tells_is_what_is_described() {
    let view = alone().await;
    let reading = Reading::take(&view).await;
    for name in reading.names() {
        let metric = METRICS.iter().find(|metric| metric.name == name);
        let metric = metric.unwrap_or_else(|| panic!("{name} is not described"));
        for (labels, _) in reading.samples_of(name) {
            for (label, value) in labels {
                let known = values(name, label);
                let is_known = known.is_none_or(|known| known.contains(&value.as_str()));
                assert!(is_known, "{name} is told with {label} {value}");
            }
            let labels: Vec<_> = labels.iter().map(|(label, _)| *label).collect();
            assert_eq!(labels, metric.labels, "{name}");
        }
    }
    let told: BTreeSet<_> = reading.names().collect();
    for metric in METRICS {
        // What counts by label appears with the first thing that it counts.
        let may_lack = metric.kind == Kind::Counter && !metric.labels.is_empty();
        assert!(
            may_lack || told.contains(metric.name),
            "{} is not told",
            metric.name
        );
    }
}

#[tokio::test]
async fn the_text_names_every_value_as_the_documentation_does() {
    let view = alone().await;
    let text = exposition(&view).await.unwrap();
    for line in [
        "discovery_quorum 1",
        "discovery_members{zone=\"zone-a\"} 1",
        "discovery_standing{standing=\"member\"} 1",
        "discovery_standing{standing=\"removed\"} 0",
        "discovery_finder_seeds 1",
        "discovery_strangers 0",
        "discovery_api_streams 0",
        "discovery_api_connections{listener=\"grpc\"} 0",
        "discovery_terms_led_total 1",
        "discovery_removal_seconds_count 0",
        "# EOF",
    ] {
        assert!(
            text.lines().any(|told| told == line),
            "no line '{line}' in\n{text}"
        );
    }
}
