//! What a finder says: one line of `discovery-node seeds --json`, reduced to what is checked.

use std::collections::BTreeSet;

use anyhow::Context;
use serde_json::Value;

use super::listing::{Process, Processes};

/// One line of a finder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sighting {
    /// `known`, `empty` or `unknown`.
    pub(super) state: String,
    /// The seeds it knows, or the last good ones while it does not.
    pub(super) processes: Processes,
    /// The cause, while unknown.
    pub(super) cause: Option<String>,
}

/// Reads one line.
pub(super) fn read(line: &str) -> anyhow::Result<Sighting> {
    let value: Value = serde_json::from_str(line)
        .with_context(|| format!("a finder's line is no JSON: {line}"))?;
    let state = value["state"]
        .as_str()
        .context("a finder's line has no state")?;
    let seeds = match state {
        "unknown" => &value["last_good"]["seeds"],
        _ => &value["seeds"],
    };
    let seeds = seeds.as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(Sighting {
        state: state.to_owned(),
        processes: seeds.iter().map(process).collect::<anyhow::Result<_>>()?,
        cause: value["error"]["cause"].as_str().map(str::to_owned),
    })
}

fn process(seed: &Value) -> anyhow::Result<Process> {
    let addresses = seed["addresses"]
        .as_array()
        .context("a seed without addresses")?;
    let addresses: Vec<&str> = addresses.iter().filter_map(Value::as_str).collect();
    let first = addresses.first().context("a seed without an address")?;
    Ok(Process {
        identity: seed["pod_uid"].as_str().unwrap_or(first).to_owned(),
        addresses: addresses
            .iter()
            .map(|address| (*address).to_owned())
            .collect::<BTreeSet<_>>(),
        is_serving: seed["serving"].as_bool().unwrap_or(true),
        is_terminating: seed["terminating"].as_bool().unwrap_or(false),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_good_set_is_what_counts_while_nothing_is_known() {
        let line = r#"{"state": "unknown", "seeds": [], "error": {"cause": "forbidden"},
            "last_good": {"age_ms": 7, "seeds": [{"pod_uid": "u0", "addresses": ["10.0.0.1:1"]}]}}"#;
        let sighting = read(line).unwrap();
        assert_eq!(sighting.cause.as_deref(), Some("forbidden"));
        assert_eq!(sighting.processes.len(), 1);
    }
}
