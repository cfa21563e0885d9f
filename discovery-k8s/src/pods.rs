//! A pod object read into facts, and a bounded memory of what was read last. Pure: what a fact
//! proves is decided in `discovery-core`, and asking the API is `finder.rs`'s.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use discovery_core::{
    ContainerState, NodeName, PodReading, PodRef, PodUid, SEEDS_MAX, Termination, UnixSeconds,
};
use k8s_openapi::api::core::v1::{self as core_v1, ContainerStateTerminated, ContainerStatus, Pod};

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

/// Reads a pod object; `container` names ours, and may be left out where there is only one.
///
/// # Errors
///
/// See [`PodError`].
pub fn read_pod(object: &Pod, container: Option<&str>) -> Result<PodReading, PodError> {
    let name = object.metadata.name.clone().unwrap_or_default();
    let wrong = |field, value: &str, expected| PodError::Malformed {
        pod: name.clone(),
        field,
        value: value.to_owned(),
        expected,
    };
    let uid = object.metadata.uid.clone().unwrap_or_default();
    let pod = PodRef {
        uid: PodUid::new(&uid).map_err(|_| wrong("metadata.uid", &uid, "every pod has a uid"))?,
        name: NodeName::new(&name)
            .map_err(|_| wrong("metadata.name", &name, "every pod has a name"))?,
    };
    let ours = our_container(object, container, &name)?;
    let statuses = object
        .status
        .as_ref()
        .and_then(|it| it.container_statuses.as_deref());
    let statuses = statuses.unwrap_or_default();
    let sidecars = object
        .status
        .as_ref()
        .and_then(|it| it.init_container_statuses.as_deref());
    let sidecars = sidecars.unwrap_or_default();
    let status = statuses
        .iter()
        .chain(sidecars)
        .find(|status| status.name == ours);

    let mut reading = PodReading::new(pod, container_state(status));
    if let Some(status) = status {
        let last = status
            .last_state
            .as_ref()
            .and_then(|state| state.terminated.as_ref());
        reading.last_termination = last.and_then(termination);
        reading.restart_count = u32::try_from(status.restart_count).map_err(|_| {
            let value = status.restart_count.to_string();
            wrong(
                "status.containerStatuses[].restartCount",
                &value,
                "a count is not negative",
            )
        })?;
    }
    reading.all_containers_terminated =
        !statuses.is_empty() && statuses.iter().all(|status| terminated(status).is_some());
    reading.all_containers_ready = !statuses.is_empty() && statuses.iter().all(|it| it.ready);
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

/// The last reading of every pod that was read, for the day when it is gone.
#[derive(Debug, Default)]
pub(crate) struct PodMemory {
    readings: BTreeMap<PodUid, (u64, PodReading)>,
    /// Uids in the order they were read in; an older mark of a uid read again is skipped.
    order: VecDeque<(u64, PodUid)>,
    reads: u64,
}

impl PodMemory {
    /// Keeps a reading in place of the one before it.
    pub(crate) fn remember(&mut self, reading: PodReading) {
        self.reads += 1;
        let uid = reading.pod.uid.clone();
        self.order.push_back((self.reads, uid.clone()));
        self.readings.insert(uid, (self.reads, reading));
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

    /// What was read of this pod last.
    pub(crate) fn last_seen(&self, uid: &PodUid) -> Option<PodReading> {
        self.readings.get(uid).map(|(_, reading)| reading.clone())
    }
}

/// Whether this read of the uid is the one that is kept.
fn is_newest(readings: &BTreeMap<PodUid, (u64, PodReading)>, read: u64, uid: &PodUid) -> bool {
    readings.get(uid).is_some_and(|(newest, _)| *newest == read)
}

#[cfg(test)]
mod tests;
