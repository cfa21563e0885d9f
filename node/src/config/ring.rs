//! The protocol's settings, read as its own configuration and checked by it.

use std::hash::Hasher;

use discovery_core::{NodeName, ProofRule};
use discovery_proto::convert::duration;
use discovery_proto::discovery::v1;
use discovery_tcp::{Formation, Merge, Quorum, Recovery, RingConfig};
use twox_hash::XxHash64;

use super::node::count;
use super::node_settings::{FORMATION, NAMES, PAYLOAD_BYTES_MAX, RECOVERY, SHARED};
use super::plan::{FinderPlan, Part};
use super::settings::Setting;
use super::values::{Reader, time};

const RING: &str = "ring";

/// The ring's configuration, the cluster's name aside.
pub(super) fn ring_config(reader: &mut Reader<'_>, finder: Option<&FinderPlan>) -> RingConfig {
    let mut config = RingConfig::default();
    let lists_all = finder.is_some_and(lists_all);
    if let Some(formation) = formation(reader, finder.is_none() || lists_all) {
        config.formation = formation;
    }
    recovery(reader, &mut config);
    choose(reader, "proof", PROOFS, &mut config.proof);
    choose(reader, "quorum", QUORUMS, &mut config.quorum);
    choose(reader, "merge", MERGES, &mut config.merge);
    let times = [
        ("silence_limit", &mut config.silence_limit),
        ("leave_limit", &mut config.leave_limit),
        ("recovery_after", &mut config.recovery_after),
    ];
    for (field, to) in times {
        if let Some(value) = reader.one(&key(field), time) {
            *to = value;
        }
    }
    let counts = [
        ("payload_bytes_max", &mut config.payload_bytes_max),
        ("publish_queue_max", &mut config.publish_queue_max),
        ("links_max", &mut config.links_max),
        ("members_max", &mut config.members_max),
        ("frame_bytes_max", &mut config.frame_bytes_max),
        ("history_max", &mut config.history_max),
        ("history_bytes_max", &mut config.history_bytes_max),
    ];
    for (field, to) in counts {
        if let Some(value) = reader.one(&key(field), count) {
            *to = value;
        }
    }
    if let Some(text) = reader.text(SHARED) {
        config.settings = digest(&text);
    }
    for fault in config.faults() {
        let key = key(fault.field);
        let key = Setting::of_key(&key).map_or(RING, |setting| setting.key);
        let value = reader.text(key);
        // What bounds it in the protocol is no setting of a node.
        let what = match key {
            PAYLOAD_BYTES_MAX => format!("give at most {}", config.in_flight_bytes_max),
            _ => fault.what,
        };
        reader.fault(key, value.as_deref(), &what);
    }
    config
}

/// What all members should share of a ring's configuration, in the words of the settings.
pub(crate) fn shared_settings(config: &RingConfig) -> v1::SharedSettings {
    v1::SharedSettings {
        formation: config.formation.to_string(),
        recovery: word(RECOVERIES, config.recovery).to_owned(),
        quorum: word(QUORUMS, config.quorum).to_owned(),
        proof: word(PROOFS, config.proof).to_owned(),
        merge: word(MERGES, config.merge).to_owned(),
        silence_limit: Some(duration(config.silence_limit)),
        frame_bytes_max: u64::try_from(config.frame_bytes_max).unwrap_or(u64::MAX),
    }
}

/// The name of a choice; empty for one that has none here yet.
fn word<T: Copy + PartialEq>(names: &[(&'static str, T)], chosen: T) -> &'static str {
    let mut names = names.iter();
    names
        .find(|(_, value)| *value == chosen)
        .map_or("", |(name, _)| *name)
}

fn key(field: &str) -> String {
    format!("{RING}.{field}")
}

/// Whether a finder of this plan lists every process for sure: exactly one Service is asked for.
fn lists_all(plan: &FinderPlan) -> bool {
    let of_kubernetes = |part: &&Part| match part {
        Part::Kubernetes { .. } => true,
        Part::Dns(_) | Part::Static(_) | Part::File(_) => false,
    };
    plan.parts.iter().filter(of_kubernetes).count() == 1
}

/// A digest that is the same in every build, and is not that of no settings.
fn digest(text: &str) -> u64 {
    let mut hasher = XxHash64::with_seed(0);
    hasher.write(text.as_bytes());
    hasher.finish().max(1)
}

const RECOVERIES: &[(&str, Recovery)] =
    &[("census", Recovery::Census), ("manual", Recovery::Manual)];
const PROOFS: &[(&str, ProofRule)] = &[
    ("object", ProofRule::Object),
    ("kubelet", ProofRule::Kubelet),
    ("any-object", ProofRule::AnyObject),
    ("address", ProofRule::Address),
    ("off", ProofRule::Off),
];
const QUORUMS: &[(&str, Quorum)] = &[("majority", Quorum::Majority), ("none", Quorum::None)];
const MERGES: &[(&str, Merge)] = &[("never", Merge::Never), ("auto", Merge::Auto)];

/// Sets what one of these names stands for, if one was given.
fn choose<T: Copy>(reader: &mut Reader<'_>, field: &str, names: &[(&str, T)], to: &mut T) {
    let read = reader.one(&key(field), |text| {
        let found = names.iter().find(|(name, _)| *name == text);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
            format!("give one of {}", names.join(", "))
        })
    });
    if let Some(value) = read {
        *to = value;
    }
}

/// How a cluster comes into being; a fault unless it is given or a census is possible.
fn formation(reader: &mut Reader<'_>, lists_all: bool) -> Option<Formation> {
    let names = names(reader);
    let text = reader.text(FORMATION);
    match text.as_deref() {
        Some("majority") if names.is_empty() => {
            let remedy = "give the names of all nodes: --founding-name NAME for each";
            reader.fault(NAMES, None, remedy);
        }
        Some("majority") => return Some(Formation::Majority(names)),
        Some("census" | "single") | None if !names.is_empty() => {
            let remedy = "names are for --formation majority; choose that, or drop them";
            reader.fault(NAMES, Some(names[0].as_str()), remedy);
        }
        Some("census") | None if !lists_all => {
            let remedy = "a census needs exactly one Service to ask the Kubernetes API for; else \
                          give --formation majority with --founding-name for each node, or \
                          --formation single to found alone";
            reader.fault(FORMATION, text.as_deref(), remedy);
        }
        Some("census") | None => return Some(Formation::Census),
        Some("single") => return Some(Formation::Single),
        Some(other) => reader.fault(FORMATION, Some(other), "give census, majority or single"),
    }
    None
}

/// What is done about a lost quorum: a census only where one formed the cluster, for an epoch by the
/// clock is above all listings.
fn recovery(reader: &mut Reader<'_>, config: &mut RingConfig) {
    let by_census = config.formation == Formation::Census;
    if !by_census {
        config.recovery = Recovery::Manual;
    }
    choose(reader, "recovery", RECOVERIES, &mut config.recovery);
    if config.recovery == Recovery::Census && !by_census {
        let remedy = "a census recovers only what a census formed; give manual";
        reader.fault(RECOVERY, Some("census"), remedy);
    }
}

fn names(reader: &mut Reader<'_>) -> Vec<NodeName> {
    let mut names = Vec::new();
    for text in reader.texts(NAMES) {
        match NodeName::new(&text) {
            Ok(name) => names.push(name),
            Err(error) => reader.fault(NAMES, Some(&text), &error.to_string()),
        }
    }
    names
}
