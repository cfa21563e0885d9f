//! The counters of finders as a JSON line; fields are added, never renamed or removed.

use std::collections::BTreeMap;
use std::time::Duration;

use discovery_core::FinderCause;
use discovery_k8s::{DnsStats, KubeFinderStats};
use jiff::Timestamp;
use serde::Serialize;

use super::json::json_line;
use crate::compose::ComposedPart;

#[derive(Serialize)]
struct StatsLine {
    at_us: i64,
    stats: Vec<StatsFields>,
}

/// A counter that a kind of finder does not have is left out.
#[derive(Serialize)]
struct StatsFields {
    finder: String,
    last_confirmed_ms: Option<u64>,
    seeds: usize,
    requests: u64,
    errors: BTreeMap<&'static str, u64>,
    #[serde(flatten)]
    kubernetes: Option<KubeFields>,
}

#[derive(Serialize)]
struct KubeFields {
    watch_restarts: u64,
    audits: u64,
    divergences: u64,
    client_rebuilds: u64,
    slice_events: u64,
    censuses: u64,
}

/// The counters of all parts that count, as one line, its end included.
pub(super) fn stats_line(parts: &[ComposedPart], at: Timestamp) -> String {
    let stats = parts.iter().filter_map(|part| {
        let name = part.finder().provenance().to_string();
        match part {
            ComposedPart::Kubernetes(finder) => Some(of_kubernetes(name, finder.stats())),
            ComposedPart::Dns(finder) => Some(of_dns(name, finder.stats())),
            ComposedPart::Static(_) | ComposedPart::File(_) => None,
        }
    });
    json_line(&StatsLine {
        at_us: at.as_microsecond(),
        stats: stats.collect(),
    })
}

fn of_kubernetes(finder: String, stats: KubeFinderStats) -> StatsFields {
    StatsFields {
        finder,
        last_confirmed_ms: stats.last_confirmed.map(millis),
        seeds: stats.seeds,
        requests: stats.requests,
        errors: by_name(stats.errors),
        kubernetes: Some(KubeFields {
            watch_restarts: stats.watch_restarts,
            audits: stats.audits,
            divergences: stats.divergences,
            client_rebuilds: stats.client_rebuilds,
            slice_events: stats.slice_events,
            censuses: stats.censuses,
        }),
    }
}

fn of_dns(finder: String, stats: DnsStats) -> StatsFields {
    StatsFields {
        finder,
        last_confirmed_ms: stats.last_confirmed.map(millis),
        seeds: stats.seeds,
        requests: stats.queries,
        errors: by_name(stats.errors),
        kubernetes: None,
    }
}

fn millis(age: Duration) -> u64 {
    u64::try_from(age.as_millis()).unwrap_or(u64::MAX)
}

fn by_name(errors: BTreeMap<FinderCause, u64>) -> BTreeMap<&'static str, u64> {
    errors
        .into_iter()
        .map(|(cause, count)| (cause.as_str(), count))
        .collect()
}
