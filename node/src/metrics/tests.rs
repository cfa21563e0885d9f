//! The metrics as they are written, against their descriptions, and these against the docs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use discovery_core::finders::{StaticFinder, StaticFinderConfig};
use discovery_tcp::{Formation, TcpDiscovery};

use super::*;
use crate::view::Overheard;

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
