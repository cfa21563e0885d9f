//! A pod object read into facts, and a bounded memory of what was read last. Pure: what a fact
//! proves is decided in `discovery-core`, and asking the API is `memory.rs`'s.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use discovery_core::{
    ContainerState, FinderCause, LastSeen, NodeName, PodReading, PodRef, PodUid, ResourceVersion,
    SEEDS_MAX, Termination, UnixSeconds,
};
use k8s_openapi::api::core::v1::{self as core_v1, ContainerStateTerminated, ContainerStatus, Pod};
use tokio::time::Instant;

/// Why a pod object is no reading; only another object can help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PodError {
    /// A field that every pod has is missing or wrong.
    #[error("pod {pod}: {field} = '{value}': {expected}")]
    Malformed {
        /// The pod's name.
        pod: String,
        /// The field's path.
        field: &'static str,
        /// The value as it stands there.
        value: String,
        /// What should stand there.
        expected: &'static str,
    },
    /// The pod has several containers and the configuration does not say which one is ours, or
    /// names one that it does not have.
    #[error(
        "pod {pod} has the containers {containers}; set `container` to the one that runs the node"
    )]
    WhichContainer {
        /// The pod's name.
        pod: String,
        /// Its containers' names.
        containers: String,
    },
}

impl PodError {
    /// The cause in the words of every finder.
    pub(crate) fn cause(&self) -> FinderCause {
        match self {
            Self::Malformed { .. } => FinderCause::Malformed,
            Self::WhichContainer { .. } => FinderCause::Configuration,
        }
    }
}

/// Who a pod object is.
pub(crate) fn pod_ref(object: &Pod) -> Result<PodRef, PodError> {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let uid = object.metadata.uid.as_deref().unwrap_or_default();
    let wrong = |field, value: &str, expected| PodError::Malformed {
        pod: name.to_owned(),
        field,
        value: value.to_owned(),
        expected,
    };
    Ok(PodRef {
        uid: PodUid::new(uid).map_err(|_| wrong("metadata.uid", uid, "every pod has a uid"))?,
        name: NodeName::new(name)
            .map_err(|_| wrong("metadata.name", name, "every pod has a name"))?,
    })
}

/// Reads a pod object; `container` names ours, and may be left out where there is only one.
///
/// # Errors
///
/// See [`PodError`].
pub fn read_pod(object: &Pod, container: Option<&str>) -> Result<PodReading, PodError> {
    let pod = pod_ref(object)?;
    let ours = our_container(object, container, pod.name.as_str())?;
    let status = status_of(object, &ours);
    let mut reading = PodReading::new(pod, container_state(status));
    if let Some(status) = status {
        let last = status
            .last_state
            .as_ref()
            .and_then(|state| state.terminated.as_ref());
        reading.last_termination = last.and_then(termination);
        reading.restart_count = u32::try_from(status.restart_count).map_err(|_| {
            let value = status.restart_count.to_string();
            PodError::Malformed {
                pod: reading.pod.name.to_string(),
                field: "status.containerStatuses[].restartCount",
                value,
                expected: "a count is not negative",
            }
        })?;
    }
    let statuses: Vec<_> = lasting_containers(object, &ours)
        .map(|name| status_of(object, name))
        .collect();
    reading.all_containers_terminated = statuses
        .iter()
        .all(|status| status.is_some_and(|status| terminated(status).is_some()));
    let mut reported = statuses.iter().flatten().peekable();
    reading.all_containers_ready = reported.peek().is_some() && reported.all(|it| it.ready);
    reading.ready = condition(object, "Ready").map(|condition| condition.status == "True");
    reading.disruption = condition(object, "DisruptionTarget")
        .filter(|condition| condition.status == "True")
        .map(|condition| Arc::from(condition.reason.as_deref().unwrap_or_default()));
    reading.deletion_requested = object.metadata.deletion_timestamp.is_some();
    Ok(reading)
}

/// The name of our container: the configured one (also among the sidecars that Kubernetes keeps
/// with the init containers), or the only one.
fn our_container(object: &Pod, wanted: Option<&str>, pod: &str) -> Result<String, PodError> {
    let spec = object.spec.as_ref();
    let containers = spec
        .map(|spec| spec.containers.as_slice())
        .unwrap_or_default();
    let sidecars = spec
        .and_then(|spec| spec.init_containers.as_deref())
        .unwrap_or_default();
    let found = match (wanted, containers) {
        (Some(wanted), _) => containers
            .iter()
            .chain(sidecars)
            .find(|it| it.name == wanted),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    found
        .map(|container| container.name.clone())
        .ok_or_else(|| PodError::WhichContainer {
            pod: pod.to_owned(),
            containers: containers
                .iter()
                .map(|it| it.name.as_str())
                .collect::<Vec<_>>()
                .join(", "),
        })
}

/// The names of the containers that run as long as the pod: its containers, those init containers
/// that Kubernetes keeps running (native sidecars), and ours wherever it is.
fn lasting_containers<'a>(object: &'a Pod, ours: &'a str) -> impl Iterator<Item = &'a str> {
    let spec = object.spec.as_ref();
    let containers = spec.into_iter().flat_map(|spec| &spec.containers);
    let first = spec
        .into_iter()
        .flat_map(|spec| spec.init_containers.iter());
    let sidecars = first
        .flatten()
        .filter(move |it| it.restart_policy.as_deref() == Some("Always") || it.name == ours);
    containers.chain(sidecars).map(|it| it.name.as_str())
}

fn status_of<'a>(object: &'a Pod, container: &str) -> Option<&'a ContainerStatus> {
    let status = object.status.as_ref()?;
    let containers = status.container_statuses.iter().flatten();
    let sidecars = status.init_container_statuses.iter().flatten();
    containers.chain(sidecars).find(|it| it.name == container)
}

fn condition<'a>(object: &'a Pod, kind: &str) -> Option<&'a core_v1::PodCondition> {
    let conditions = object.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == kind)
}

fn terminated(status: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    status
        .state
        .as_ref()
        .and_then(|state| state.terminated.as_ref())
}

fn seconds(time: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Time) -> UnixSeconds {
    UnixSeconds(time.0.as_second())
}

/// A termination that lacks either of its times proves nothing and is not reported.
fn termination(terminated: &ContainerStateTerminated) -> Option<Termination> {
    Some(Termination {
        started_at: seconds(terminated.started_at.as_ref()?),
        finished_at: seconds(terminated.finished_at.as_ref()?),
        exit_code: terminated.exit_code,
    })
}

fn container_state(status: Option<&ContainerStatus>) -> ContainerState {
    let Some(state) = status.and_then(|status| status.state.as_ref()) else {
        return ContainerState::Unreported;
    };
    if let Some(running) = &state.running {
        return running
            .started_at
            .as_ref()
            .map_or(ContainerState::Unreported, |at| ContainerState::Running {
                started_at: seconds(at),
            });
    }
    if let Some(terminated) = &state.terminated {
        return termination(terminated)
            .map_or(ContainerState::Unreported, ContainerState::Terminated);
    }
    state
        .waiting
        .as_ref()
        .map_or(ContainerState::Unreported, |waiting| {
            ContainerState::Waiting {
                reason: Arc::from(waiting.reason.as_deref().unwrap_or_default()),
            }
        })
}

/// Most pods whose last reading is kept; the one read longest ago goes first.
pub(crate) const PODS_REMEMBERED_MAX: usize = SEEDS_MAX;

/// The version at which a pod object was read, if it is a number as Kubernetes promises.
pub(crate) fn version_of(object: &Pod) -> Option<ResourceVersion> {
    object.metadata.resource_version.as_deref()?.parse().ok()
}

/// One reading that is kept.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Which read it was.
    read: u64,
    reading: PodReading,
    version: Option<ResourceVersion>,
    /// When its question was sent.
    asked_at: Instant,
}

impl Kept {
    /// As the last reading of an object that is gone now.
    pub(crate) fn as_of(&self, now: Instant) -> LastSeen {
        LastSeen {
            reading: self.reading.clone(),
            ago: now.saturating_duration_since(self.asked_at),
        }
    }
}

/// The last reading of every pod that was read, for the day when it is gone.
#[derive(Debug, Default)]
pub(crate) struct PodMemory {
    readings: BTreeMap<PodUid, Kept>,
    /// Uids in the order they were read in; an older mark of a uid read again is skipped.
    order: VecDeque<(u64, PodUid)>,
    reads: u64,
}

impl PodMemory {
    /// Keeps a reading in place of an older one; answers come in any order, versions do not.
    pub(crate) fn remember(
        &mut self,
        reading: PodReading,
        version: Option<ResourceVersion>,
        mut asked_at: Instant,
    ) {
        let uid = reading.pod.uid.clone();
        if let Some(kept) = self.readings.get(&uid) {
            let is_older = match (version, kept.version) {
                (Some(version), Some(kept)) => version < kept,
                (None, _) | (_, None) => asked_at < kept.asked_at,
            };
            if is_older {
                return;
            }
            asked_at = asked_at.max(kept.asked_at);
        }
        self.reads += 1;
        self.order.push_back((self.reads, uid.clone()));
        let kept = Kept {
            read: self.reads,
            reading,
            version,
            asked_at,
        };
        self.readings.insert(uid, kept);
        if self.order.len() > 2 * PODS_REMEMBERED_MAX {
            let readings = &self.readings;
            self.order
                .retain(|(read, uid)| is_newest(readings, *read, uid));
        }
        while self.readings.len() > PODS_REMEMBERED_MAX {
            let Some((read, uid)) = self.order.pop_front() else {
                break;
            };
            if is_newest(&self.readings, read, &uid) {
                self.readings.remove(&uid);
            }
        }
    }

    /// Whether this pod was ever read.
    pub(crate) fn holds(&self, uid: &PodUid) -> bool {
        self.readings.contains_key(uid)
    }

    /// What was read of this pod last.
    pub(crate) fn last_seen(&self, uid: &PodUid) -> Option<&Kept> {
        self.readings.get(uid)
    }
}

/// Whether this read of the uid is the one that is kept.
fn is_newest(readings: &BTreeMap<PodUid, Kept>, read: u64, uid: &PodUid) -> bool {
    readings.get(uid).is_some_and(|kept| kept.read == read)
}

#[cfg(test)]
mod tests;
