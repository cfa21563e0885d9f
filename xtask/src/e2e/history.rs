//! What all nodes told, checked: one membership under each (cluster id, epoch, version), no stream
//! that goes back, and how long news took. Nothing here runs or asks anything.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

use super::follower::Told;

/// What names a topology.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) cluster: String,
    pub(super) epoch: u64,
    pub(super) version: u64,
}

/// One topology that a node told of.
#[derive(Clone, Debug)]
pub(super) struct Sight {
    pub(super) at: Duration,
    pub(super) pod: String,
    /// The stream that told it: one of one process.
    pub(super) stream: usize,
    pub(super) name: Name,
    pub(super) hash: String,
    /// Who was removed, each with the evidence.
    pub(super) removed: Vec<(String, String)>,
}

/// The topologies among what was told.
pub(super) fn sights(told: &[Told]) -> anyhow::Result<Vec<Sight>> {
    let of_topology = |told: &&Told| told.event["event"] != "standing";
    told.iter().filter(of_topology).map(sight).collect()
}

fn sight(told: &Told) -> anyhow::Result<Sight> {
    let event = &told.event;
    let lacks = || format!("{} told of no topology: {event}", told.pod);
    let removed = event["removed"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    Ok(Sight {
        at: told.at,
        pod: told.pod.clone(),
        stream: told.stream,
        name: name(event).with_context(lacks)?,
        hash: event["content_hash"]
            .as_str()
            .with_context(lacks)?
            .to_owned(),
        removed: removed
            .map(|one| (text(&one["member"]["name"]), text(&one["evidence"])))
            .collect(),
    })
}

/// The name of a topology, if these words hold one.
pub(super) fn name(words: &Value) -> Option<Name> {
    Some(Name {
        cluster: words["cluster_id"].as_str()?.to_owned(),
        epoch: words["epoch"].as_u64()?,
        version: words["version"].as_u64()?,
    })
}

/// Fails if two nodes told of different memberships under one name, or one stream went back.
pub(super) fn check(sights: &[Sight]) -> anyhow::Result<()> {
    one_membership(sights)?;
    never_back(sights)
}

/// Fails if a stream told of an earlier epoch or version than before, of whichever cluster: what is
/// founded anew in a place has a later epoch.
fn never_back(sights: &[Sight]) -> anyhow::Result<()> {
    let mut latest: BTreeMap<usize, &Sight> = BTreeMap::new();
    let place = |sight: &Sight| (sight.name.epoch, sight.name.version);
    for sight in sights {
        if let Some(before) = latest.insert(sight.stream, sight)
            && place(sight) < place(before)
        {
            bail!(
                "{} went back from {:?} to {:?}",
                sight.pod,
                before.name,
                sight.name
            );
        }
    }
    Ok(())
}

fn one_membership(sights: &[Sight]) -> anyhow::Result<()> {
    let mut hashes: BTreeMap<&Name, &Sight> = BTreeMap::new();
    for sight in sights {
        let first = hashes.entry(&sight.name).or_insert(sight);
        if first.hash != sight.hash {
            bail!(
                "{:?} has two memberships: {} at {}, {} at {}",
                sight.name,
                first.hash,
                first.pod,
                sight.hash,
                sight.pod
            );
        }
    }
    Ok(())
}

/// How many versions were decided after this moment.
pub(super) fn versions_since(sights: &[Sight], since: Duration) -> usize {
    let before: BTreeSet<&Name> = sights
        .iter()
        .filter(|sight| sight.at < since)
        .map(|sight| &sight.name)
        .collect();
    let after: BTreeSet<&Name> = sights
        .iter()
        .filter(|sight| sight.at >= since)
        .map(|sight| &sight.name)
        .collect();
    after.difference(&before).count()
}

/// When the last of these pods was told of a topology from which this one was removed, after a
/// moment; none while one of them was not.
pub(super) fn last_told_removed(
    sights: &[Sight],
    since: Duration,
    removed: &str,
    pods: &[String],
) -> Option<Duration> {
    let told = |pod: &String| {
        let mut own = sights
            .iter()
            .filter(|sight| sight.at >= since && sight.pod == *pod);
        own.find(|sight| sight.removed.iter().any(|(name, _)| name == removed))
            .map(|sight| sight.at)
    };
    let told: Option<Vec<Duration>> = pods.iter().map(told).collect();
    told?.into_iter().max()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(at: u64, pod: &str, version: u64, hash: &str) -> Told {
        Told {
            at: Duration::from_millis(at),
            pod: pod.to_owned(),
            stream: usize::from(pod == "b"),
            event: json!({"event": "change", "cluster_id": "c", "epoch": 7, "version": version,
                "content_hash": hash,
                "removed": [{"member": {"name": "ring-9"}, "evidence": "refused"}]}),
        }
    }

    #[test]
    fn two_memberships_under_one_name_are_a_fault() {
        let same = [
            told(1, "a", 3, "x"),
            told(2, "b", 3, "x"),
            told(3, "a", 4, "y"),
        ];
        check(&sights(&same).unwrap()).unwrap();
        let torn = [told(1, "a", 3, "x"), told(2, "b", 3, "y")];
        let error = check(&sights(&torn).unwrap()).unwrap_err().to_string();
        assert!(error.contains("two memberships"), "{error}");
    }

    #[test]
    fn a_stream_that_goes_back_is_a_fault_and_another_stream_is_not() {
        let mut all = vec![
            told(1, "a", 3, "x"),
            told(2, "a", 4, "y"),
            told(3, "b", 3, "x"),
            told(4, "a", 4, "y"),
        ];
        check(&sights(&all).unwrap()).unwrap();
        all.push(told(5, "a", 3, "x"));
        let error = check(&sights(&all).unwrap()).unwrap_err().to_string();
        assert!(error.starts_with("a went back from "), "{error}");
    }

    #[test]
    fn a_lower_version_of_a_later_epoch_is_no_step_back_and_of_an_earlier_one_it_is() {
        let at_epoch = |epoch: u64, version| {
            let mut told = told(1, "a", version, &format!("{epoch}.{version}"));
            told.event["epoch"] = json!(epoch);
            told.event["cluster_id"] = json!(format!("of-{epoch}"));
            told
        };
        let onward = [at_epoch(7, 9), at_epoch(8, 1)];
        check(&sights(&onward).unwrap()).unwrap();
        let back = [at_epoch(8, 1), at_epoch(7, 9)];
        check(&sights(&back).unwrap()).unwrap_err();
    }

    #[test]
    fn a_removal_is_known_when_the_last_of_the_pods_was_told() {
        let all = [told(5, "a", 3, "x"), told(9, "b", 3, "x")];
        let sights = sights(&all).unwrap();
        let pods = ["a".to_owned(), "b".to_owned()];
        let at = |since| last_told_removed(&sights, Duration::from_millis(since), "ring-9", &pods);
        assert_eq!(at(0), Some(Duration::from_millis(9)));
        assert_eq!(at(6), None, "a was told before");
        assert_eq!(versions_since(&sights, Duration::ZERO), 1);
        assert_eq!(versions_since(&sights, Duration::from_millis(9)), 0);
    }
}
