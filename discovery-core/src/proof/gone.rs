//! Proof (iii) of `proof.rs`: the pod's object is gone. What was on it last must be known.

use std::sync::Arc;
use std::time::Duration;

use super::{GoneCounts, ProofOfDeath, ProofRule, Timed, read_after_loss};
use crate::census::{LastSeen, PodFact, PodReading, PodRef};
use crate::doubt::Doubt;
use crate::identity::PodUid;

/// Longest time between the last reading of a pod object and its being found gone: three default
/// audit intervals. What was on an object read longer ago says too little of what came after.
///
/// The rule `any-object` looks at no mark, so it takes a reading of any age.
pub const LAST_SEEN_AGE_MAX: Duration = Duration::from_mins(3);

/// The reasons of a `DisruptionTarget` condition whose deletion does not wait for the kubelet.
const DISRUPTIONS_NO_PROOF: [&str; 2] = ["DeletionByPodGC", "DeletionByTaintManager"];

/// The pod's object is gone, and the rule lets that count.
pub(super) fn gone(
    rule: ProofRule,
    uid: &PodUid,
    pod: Option<&Timed<PodFact>>,
) -> Result<ProofOfDeath, Doubt> {
    let (asked, replaced_by, last_seen) = match read_after_loss(pod)? {
        PodFact::Present(_) => return Err(Doubt::PodExists),
        PodFact::Unknown(error) => {
            return Err(Doubt::PodUnknown {
                cause: error.cause(),
            });
        }
        PodFact::Gone {
            asked,
            replaced_by,
            last_seen,
        } => (asked, replaced_by, last_seen.as_deref()),
    };
    if replaced_by.as_ref() == Some(uid) {
        return Err(Doubt::PodExists);
    }
    let seen = last_seen.ok_or(Doubt::NeverSeen)?;
    of_the_asked_pod(uid, asked, &seen.reading.pod)?;
    let because = match rule {
        ProofRule::Object => unmarked(lately(seen)?)?,
        ProofRule::Kubelet => all_terminated(lately(seen)?)?,
        ProofRule::AnyObject => GoneCounts::AnyObject,
        ProofRule::Address | ProofRule::Off => return Err(Doubt::RuleOff),
    };
    Ok(ProofOfDeath::Gone {
        pod_uid: uid.clone(),
        replaced_by: replaced_by.clone(),
        because,
    })
}

/// Refuses unless the member's pod was asked for, under the very name that it was seen under: the
/// API denies any name that nobody has, and a pod that lives has another.
fn of_the_asked_pod(uid: &PodUid, asked: &PodRef, seen: &PodRef) -> Result<(), Doubt> {
    for pod in [asked, seen] {
        if pod.uid != *uid {
            let pod_uid = pod.uid.clone();
            return Err(Doubt::ReadOtherPod { pod_uid });
        }
    }
    if asked.name != seen.name {
        return Err(Doubt::AskedByOtherName {
            asked: asked.name.clone(),
            seen: seen.name.clone(),
        });
    }
    Ok(())
}

fn lately(seen: &LastSeen) -> Result<&PodReading, Doubt> {
    if seen.ago > LAST_SEEN_AGE_MAX {
        return Err(Doubt::SeenTooLongAgo { ago: seen.ago });
    }
    Ok(&seen.reading)
}

fn unmarked(seen: &PodReading) -> Result<GoneCounts, Doubt> {
    if let Some(reason) = &seen.disruption
        && DISRUPTIONS_NO_PROOF.contains(&&**reason)
    {
        return Err(Doubt::Disrupted {
            reason: Arc::clone(reason),
        });
    }
    if seen.ready == Some(false) && seen.all_containers_ready {
        return Err(Doubt::MachineLost);
    }
    Ok(GoneCounts::Unmarked)
}

fn all_terminated(seen: &PodReading) -> Result<GoneCounts, Doubt> {
    if seen.all_containers_terminated {
        Ok(GoneCounts::AllTerminated)
    } else {
        Err(Doubt::ContainersNotEnded)
    }
}
