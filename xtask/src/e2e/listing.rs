//! What the API holds: EndpointSlices as kubectl prints them, folded the naive way. It is written
//! apart from the finder on purpose, so that the two can disagree.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use serde_json::Value;

/// One process as both sides describe it, reduced to what must agree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Process {
    /// The pod's uid, or the address where there is no pod.
    pub(super) identity: String,
    pub(super) addresses: BTreeSet<String>,
    pub(super) is_serving: bool,
    pub(super) is_terminating: bool,
}

/// All processes of one Service at one moment.
pub(super) type Processes = BTreeSet<Process>;

/// What one listing of slices held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) processes: Processes,
    /// Name and version of every slice, to tell whether anything was written.
    pub(super) versions: BTreeMap<String, String>,
}

/// Reads `kubectl get endpointslices -o json`; endpoints behind slices without the port are left
/// out.
pub(super) fn read(json: &str, port: &str) -> anyhow::Result<Listing> {
    let list: Value = serde_json::from_str(json).context("kubectl printed no JSON")?;
    let slices = list["items"]
        .as_array()
        .context("kubectl printed no list")?;
    let mut versions = BTreeMap::new();
    let mut found: BTreeMap<String, (u64, Process)> = BTreeMap::new();
    for slice in slices {
        let name = slice["metadata"]["name"].as_str().unwrap_or_default();
        let version = slice["metadata"]["resourceVersion"]
            .as_str()
            .unwrap_or_default();
        versions.insert(name.to_owned(), version.to_owned());
        let ports = slice["ports"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let Some(port) = ports.iter().find(|it| it["name"] == port) else {
            continue;
        };
        let Some(number) = port["port"].as_u64() else {
            bail!("slice {name} has a port without number")
        };
        let written: u64 = version.parse().unwrap_or(0);
        let endpoints = slice["endpoints"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        for endpoint in endpoints {
            let process = process(endpoint, number)?;
            add(&mut found, written, process);
        }
    }
    let processes = found.into_values().map(|(_, process)| process).collect();
    Ok(Listing {
        processes,
        versions,
    })
}

/// One process may stand in several slices: the addresses add up, the rest is the newest's.
fn add(found: &mut BTreeMap<String, (u64, Process)>, written: u64, process: Process) {
    let Some((before, known)) = found.get_mut(&process.identity) else {
        found.insert(process.identity.clone(), (written, process));
        return;
    };
    let addresses = known.addresses.union(&process.addresses).cloned().collect();
    if *before <= written {
        *before = written;
        *known = process;
    }
    known.addresses = addresses;
}

fn process(endpoint: &Value, port: u64) -> anyhow::Result<Process> {
    let ip = endpoint["addresses"][0]
        .as_str()
        .context("an endpoint without address")?;
    let address = if ip.contains(':') {
        format!("[{ip}]:{port}")
    } else {
        format!("{ip}:{port}")
    };
    let is_pod = endpoint["targetRef"]["kind"] == "Pod";
    let uid = endpoint["targetRef"]["uid"].as_str().filter(|_| is_pod);
    let conditions = &endpoint["conditions"];
    let serving = conditions["serving"]
        .as_bool()
        .or(conditions["ready"].as_bool());
    Ok(Process {
        identity: uid.unwrap_or(&address).to_owned(),
        addresses: BTreeSet::from([address]),
        is_serving: serving.unwrap_or(true),
        is_terminating: conditions["terminating"].as_bool().unwrap_or(false),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLICES: &str = r#"{"items": [
      {"metadata": {"name": "a", "resourceVersion": "9"}, "ports": [{"name": "ring", "port": 47500}],
       "endpoints": [{"addresses": ["10.0.0.1"], "targetRef": {"kind": "Pod", "uid": "u0"},
                      "conditions": {"ready": true, "serving": false}}]},
      {"metadata": {"name": "b", "resourceVersion": "10"}, "ports": [{"name": "ring", "port": 47500}],
       "endpoints": [{"addresses": ["fd00::1"], "targetRef": {"kind": "Pod", "uid": "u0"}},
                     {"addresses": ["fd00::2"]}]},
      {"metadata": {"name": "c", "resourceVersion": "11"}, "ports": [{"name": "sql", "port": 1}],
       "endpoints": [{"addresses": ["10.0.0.7"]}]}]}"#;

    #[test]
    fn families_of_one_pod_add_up_and_the_newest_slice_tells_the_rest() {
        let listing = read(SLICES, "ring").unwrap();
        let both = ["10.0.0.1:47500", "[fd00::1]:47500"].map(str::to_owned);
        let pod = Process {
            identity: "u0".to_owned(),
            addresses: BTreeSet::from(both),
            is_serving: true,
            is_terminating: false,
        };
        let alone = Process {
            identity: "[fd00::2]:47500".to_owned(),
            addresses: BTreeSet::from(["[fd00::2]:47500".to_owned()]),
            is_serving: true,
            is_terminating: false,
        };
        assert_eq!(listing.processes, BTreeSet::from([pod, alone]));
        assert_eq!(listing.versions.len(), 3);
    }
}
