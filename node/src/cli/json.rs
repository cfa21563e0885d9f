//! Reports as JSON lines. The schema is stable: fields are added, never renamed or removed.
//!
//! ```json
//! {"at_us":1795354800123456,"state":"unknown","seeds":[],
//!  "last_good":{"age_ms":1500,"seeds":[{"name":"ring-0","addresses":["10.88.0.7:47500"],
//!   "pod_uid":"…","zone":null,"host_node":"node1","hostname":null,
//!   "ready":true,"serving":true,"terminating":false}]},
//!  "gaps":[],"error":{"cause":"forbidden","detail":"…","remedy":"…"},
//!  "provenance":"kubernetes prod/ring","authoritative":true}
//! ```

use discovery_core::{FinderError, Finding, NodeName, Seed, SeedReport, SeedSet};
use jiff::Timestamp;
use serde::Serialize;

/// The schema in words, for help.
pub(super) const JSON_HELP: &str = "\
With --json each report is one line on standard output, one JSON object:
  at_us          when it was printed, microseconds since 1970 (UTC)
  state          known | empty | unknown
  seeds          the seeds known now; [] while empty or unknown. Each has name, addresses,
                 pod_uid, zone, host_node, hostname, ready, serving, terminating; null where the
                 finder cannot tell
  last_good      while unknown: {age_ms, seeds}, the last set that the source confirmed; else null
  gaps           what a known set had to do without, each as in error
  error          while unknown: {cause, detail, remedy}; else null
  provenance     where the knowledge comes from
  authoritative  whether the finder can feed a census
With --stats or --stats-every, lines on standard error: {at_us, stats: [{finder, ...}]}.";

#[derive(Serialize)]
struct ReportLine<'a> {
    at_us: i64,
    state: &'a str,
    seeds: Vec<SeedFields<'a>>,
    last_good: Option<LastGoodFields<'a>>,
    gaps: Vec<ErrorFields<'a>>,
    error: Option<ErrorFields<'a>>,
    provenance: &'a str,
    authoritative: bool,
}

#[derive(Serialize)]
struct SeedFields<'a> {
    name: Option<&'a str>,
    addresses: Vec<String>,
    pod_uid: Option<String>,
    zone: Option<&'a str>,
    host_node: Option<&'a str>,
    hostname: Option<&'a str>,
    ready: Option<bool>,
    serving: Option<bool>,
    terminating: Option<bool>,
}

#[derive(Serialize)]
struct LastGoodFields<'a> {
    age_ms: u64,
    seeds: Vec<SeedFields<'a>>,
}

#[derive(Serialize)]
struct ErrorFields<'a> {
    cause: &'a str,
    detail: &'a str,
    remedy: Option<&'a str>,
}

/// The report as one line, its end included.
pub(super) fn report_line(report: &SeedReport, at: Timestamp) -> String {
    let (seeds, error, last_good) = match &report.finding {
        Finding::Known(seeds) => (seed_fields(seeds), None, None),
        Finding::KnownEmpty => (Vec::new(), None, None),
        Finding::Unknown(error) => (
            Vec::new(),
            Some(error_fields(error)),
            report.last_good.as_ref(),
        ),
    };
    let line = ReportLine {
        at_us: at.as_microsecond(),
        state: report.finding.state(),
        seeds,
        last_good: last_good.map(|good| LastGoodFields {
            age_ms: u64::try_from(good.age.as_millis()).unwrap_or(u64::MAX),
            seeds: seed_fields(&good.seeds),
        }),
        gaps: report.gaps.iter().map(error_fields).collect(),
        error,
        provenance: report.provenance.as_str(),
        authoritative: report.authoritative,
    };
    json_line(&line)
}

fn seed_fields(seeds: &SeedSet) -> Vec<SeedFields<'_>> {
    seeds.iter().map(fields).collect()
}

fn fields(seed: &Seed) -> SeedFields<'_> {
    SeedFields {
        name: seed.name.as_ref().map(NodeName::as_str),
        addresses: seed.addresses().iter().map(ToString::to_string).collect(),
        pod_uid: seed.pod_uid.as_ref().map(ToString::to_string),
        zone: seed.zone.as_deref(),
        host_node: seed.host_node.as_deref(),
        hostname: seed.hostname.as_deref(),
        ready: seed.condition.ready,
        serving: seed.condition.serving,
        terminating: seed.condition.terminating,
    }
}

fn error_fields(error: &FinderError) -> ErrorFields<'_> {
    ErrorFields {
        cause: error.cause().as_str(),
        detail: error.detail(),
        remedy: error.remedy(),
    }
}

/// Any of our lines as text; none of them can fail to be written as JSON.
pub(super) fn json_line(line: &impl Serialize) -> String {
    match serde_json::to_string(line) {
        Ok(text) => text + "\n",
        Err(error) => format!("{{\"failure\":{:?}}}\n", error.to_string()),
    }
}
