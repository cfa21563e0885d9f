//! Pods as Kubernetes keeps them: objects, containers and their runs, entries of the slices, and
//! one resource version that every write raises. What of it a finder is shown is in `api`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use discovery_core::{
    ContainerState, NodeName, PodReading, PodRef, PodUid, Seed, SeedSet, Termination, UnixMillis,
    UnixSeconds,
};

use super::chance::Chance;
use super::process::ProcessId;
use crate::Moment;

/// The wall time at the start of every run: the calendar of the simulated world.
pub(crate) const WALL_START: UnixMillis = UnixMillis(1_795_305_600_000);

/// The port that every ring listens on.
pub(crate) const PORT: u16 = 47500;

/// One pod object of a run; a pod that is made anew under its name is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodId(pub(crate) u32);

/// How the platform is, faults aside.
#[derive(Clone, Copy, Debug)]
pub struct Climate {
    /// Least and longest time of one way to the API server or back.
    pub api_delay: (Duration, Duration),
    /// Time between the making of a pod and its showing in the slices.
    pub listing_lag: (Duration, Duration),
    /// Time between the making of a pod and the start of its container.
    pub start_lag: (Duration, Duration),
    /// Time between a write and a watch's telling of it.
    pub watch_lag: (Duration, Duration),
    /// Time between the end of a process and the removal of a pod that is on its way out.
    pub removal_lag: (Duration, Duration),
    /// Longest time in which nobody else writes to the store.
    pub write_interval: Duration,
    /// How far a pod's status may be behind what its container does.
    pub status_lag: Duration,
    /// How far the hosts' clocks are from the true time, at most, in milliseconds.
    pub clock_skew_ms: u64,
    /// Whether the address of a removed pod is given to the next one.
    pub reuses_addresses: bool,
    /// Whether its finder can feed a census; without, seeds carry no pod uid.
    pub authoritative: bool,
}

/// From here on a lag of the status is a kubelet that writes nothing.
const KUBELET_IS_LOST: Duration = Duration::from_secs(30);

impl Default for Climate {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self {
            api_delay: (ms(1), ms(5)),
            listing_lag: (ms(1), ms(20)),
            start_lag: (ms(5), ms(30)),
            watch_lag: (ms(1), ms(20)),
            removal_lag: (ms(1), ms(50)),
            write_interval: Duration::from_secs(1),
            status_lag: Duration::ZERO,
            clock_skew_ms: 0,
            reuses_addresses: false,
            authoritative: true,
        }
    }
}

/// One run of a container, by its host's clock.
#[derive(Clone, Copy, Debug)]
struct Run {
    started_at: UnixMillis,
    ended_at: Option<UnixMillis>,
}

/// What runs in a pod's container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Container {
    Waiting(&'static str),
    Runs,
}

/// One pod.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own about the pod"
)]
pub(crate) struct Pod {
    pub(crate) reference: PodRef,
    pub(crate) address: SocketAddr,
    pub(crate) process: Option<ProcessId>,
    /// Whether an entry of the slices names it.
    pub(crate) is_listed: bool,
    pub(crate) was_listed: bool,
    pub(crate) is_leaving: bool,
    pub(crate) removed_at: Option<Moment>,
    /// Its machine is gone: its status is never written again.
    pub(crate) is_machine_lost: bool,
    /// Starts of its container fail until this is taken back.
    pub(crate) is_held_back: bool,
    skew_ms: i64,
    runs: Vec<Run>,
    container: Container,
    disruption: Option<&'static str>,
    readings: Vec<(Moment, PodReading)>,
}

/// All pods of a run, and the store's version.
#[derive(Debug)]
pub struct Platform {
    pub(crate) climate: Climate,
    pub(crate) chance: Chance,
    version: u64,
    pods: Vec<Pod>,
    by_uid: BTreeMap<PodUid, PodId>,
    by_name: BTreeMap<NodeName, PodId>,
    by_address: BTreeMap<SocketAddr, PodId>,
    free_addresses: Vec<SocketAddr>,
    listing: Option<(Vec<Seed>, SeedSet)>,
    /// The listings of the past, for watches that are behind.
    pub(crate) past: Vec<SeedSet>,
}

/// Listings of the past that are kept.
const PAST_MAX: usize = 32;

impl Platform {
    pub(crate) fn new(climate: Climate, mut chance: Chance) -> Self {
        Self {
            climate,
            version: chance.number(1_000, 2_000),
            chance,
            pods: Vec::new(),
            by_uid: BTreeMap::new(),
            by_name: BTreeMap::new(),
            by_address: BTreeMap::new(),
            free_addresses: Vec::new(),
            listing: None,
            past: Vec::new(),
        }
    }

    /// The store's version now.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Somebody writes.
    pub(crate) fn write(&mut self) {
        self.version += self.chance.number(1, 3);
    }

    pub(crate) fn pod(&self, id: PodId) -> &Pod {
        &self.pods[id.0 as usize]
    }

    pub(crate) fn pod_mut(&mut self, id: PodId) -> &mut Pod {
        &mut self.pods[id.0 as usize]
    }

    /// Every pod that there ever was, with its id.
    pub(crate) fn pods(&self) -> impl Iterator<Item = (PodId, &Pod)> {
        let ids = (0..).map(PodId);
        ids.zip(&self.pods)
    }

    /// The pod whose object has this name now.
    pub(crate) fn named(&self, name: &NodeName) -> Option<PodId> {
        let id = *self.by_name.get(name)?;
        self.pod(id).removed_at.is_none().then_some(id)
    }

    /// The pod of this uid, removed or not.
    pub(crate) fn of_uid(&self, uid: &PodUid) -> Option<PodId> {
        self.by_uid.get(uid).copied()
    }

    /// Who has this address now.
    pub(crate) fn at(&self, address: SocketAddr) -> Option<PodId> {
        let id = *self.by_address.get(&address)?;
        self.pod(id).removed_at.is_none().then_some(id)
    }

    /// Makes a pod object of this name.
    pub(crate) fn make(&mut self, now: Moment, name: NodeName) -> PodId {
        let number = u32::try_from(self.pods.len()).unwrap_or(u32::MAX);
        let reused = if self.climate.reuses_addresses {
            self.free_addresses.pop()
        } else {
            None
        };
        let address = reused.unwrap_or_else(|| fresh_address(number));
        let uid = named_uid(number);
        self.by_uid.insert(uid.clone(), PodId(number));
        self.by_name.insert(name.clone(), PodId(number));
        self.by_address.insert(address, PodId(number));
        let skew = i64::try_from(self.climate.clock_skew_ms).unwrap_or(0);
        let drawn = self.chance.below(2 * self.climate.clock_skew_ms + 1);
        self.pods.push(Pod {
            reference: PodRef { uid, name },
            address,
            process: None,
            is_listed: false,
            was_listed: false,
            is_leaving: false,
            removed_at: None,
            is_machine_lost: false,
            is_held_back: false,
            skew_ms: i64::try_from(drawn).unwrap_or(0) - skew,
            runs: Vec::new(),
            container: Container::Waiting("ContainerCreating"),
            disruption: None,
            readings: Vec::new(),
        });
        self.write();
        let id = PodId(number);
        self.report(now, id);
        id
    }

    /// The wall clock of a pod's host.
    pub(crate) fn wall(&self, id: PodId, now: Moment) -> UnixMillis {
        let elapsed = i64::try_from(now.as_nanos() / 1_000_000).unwrap_or(i64::MAX);
        UnixMillis(WALL_START.0 + elapsed + self.pod(id).skew_ms)
    }

    /// The moment at which the clock of a pod's host shows this.
    pub(crate) fn true_moment(&self, id: PodId, wall: UnixMillis) -> Moment {
        let millis = wall.0 - WALL_START.0 - self.pod(id).skew_ms;
        let millis = u64::try_from(millis).unwrap_or(0);
        Moment::from_nanos(millis.saturating_mul(1_000_000))
    }

    pub(crate) fn list(&mut self, id: PodId) {
        let pod = self.pod_mut(id);
        pod.is_listed = true;
        pod.was_listed = true;
        self.slices_changed();
    }

    pub(crate) fn container_started(&mut self, now: Moment, id: PodId, process: ProcessId) {
        let started_at = self.wall(id, now);
        let pod = self.pod_mut(id);
        pod.process = Some(process);
        pod.container = Container::Runs;
        pod.runs.push(Run {
            started_at,
            ended_at: None,
        });
        self.report(now, id);
        self.write_status();
    }

    /// The container's run has ended; the kubelet waits before it starts another.
    pub(crate) fn container_ended(&mut self, now: Moment, id: PodId) {
        let ended_at = self.wall(id, now);
        let pod = self.pod_mut(id);
        pod.process = None;
        pod.container = Container::Waiting("CrashLoopBackOff");
        if let Some(run) = pod.runs.last_mut() {
            run.ended_at = Some(ended_at);
        }
        self.report(now, id);
        self.write_status();
    }

    /// Its machine is lost, with everything on it; nobody tells the API server.
    pub(crate) fn machine_lost(&mut self, id: PodId) {
        let pod = self.pod_mut(id);
        pod.is_machine_lost = true;
        pod.process = None;
    }

    /// Its deletion is asked for.
    pub(crate) fn ask_deletion(&mut self, now: Moment, id: PodId) {
        self.pod_mut(id).is_leaving = true;
        self.report(now, id);
        self.slices_changed();
    }

    /// Its object is marked as the platform marks what it is about to evict.
    pub(crate) fn disrupt(&mut self, now: Moment, id: PodId, reason: &'static str) {
        self.pod_mut(id).disruption = Some(reason);
        self.report(now, id);
        self.write();
    }

    /// Its object and its entry are gone.
    pub(crate) fn remove(&mut self, now: Moment, id: PodId) {
        let pod = self.pod_mut(id);
        if pod.removed_at.is_some() {
            return;
        }
        pod.removed_at = Some(now);
        pod.is_listed = false;
        let address = pod.address;
        self.free_addresses.insert(0, address);
        self.slices_changed();
    }

    /// What the object said at that moment; nothing if there was none yet.
    pub(crate) fn reading_at(&self, id: PodId, moment: Moment) -> Option<&PodReading> {
        let readings = &self.pod(id).readings;
        let later = readings.partition_point(|(at, _)| *at <= moment);
        readings
            .get(later.saturating_sub(1))
            .map(|(_, reading)| reading)
    }

    /// Every entry of the slices now.
    pub(crate) fn listing(&mut self) -> &(Vec<Seed>, SeedSet) {
        let (pods, climate) = (&self.pods, &self.climate);
        self.listing.get_or_insert_with(|| {
            let listed = pods.iter().filter(|pod| pod.is_listed);
            let seeds: Vec<Seed> = listed.map(|pod| seed_of(pod, climate)).collect();
            let set = SeedSet::new(seeds.iter().cloned());
            (seeds, set)
        })
    }

    /// The next pod may have this address, where addresses are reused.
    pub(crate) fn free_address(&mut self, address: SocketAddr) {
        self.free_addresses.push(address);
    }

    pub(crate) fn unlist(&mut self, id: PodId) {
        self.pod_mut(id).is_listed = false;
        self.slices_changed();
    }

    fn slices_changed(&mut self) {
        if let Some((_, set)) = self.listing.take() {
            if self.past.len() == PAST_MAX {
                self.past.remove(0);
            }
            self.past.push(set);
        }
        self.write();
    }

    /// A kubelet writes what a container does, unless it is too far behind for anybody to see it.
    fn write_status(&mut self) {
        if self.climate.status_lag < KUBELET_IS_LOST {
            self.write();
        }
    }

    /// Writes down what the status says from now on, unless its kubelet is silent.
    fn report(&mut self, now: Moment, id: PodId) {
        let pod = self.pod_mut(id);
        if pod.is_machine_lost {
            return;
        }
        let reading = reading(pod);
        pod.readings.push((now, reading));
    }
}

fn seed_of(pod: &Pod, climate: &Climate) -> Seed {
    let mut seed = Seed::at(pod.address);
    if climate.authoritative {
        seed.name = Some(pod.reference.name.clone());
        seed.pod_uid = Some(pod.reference.uid.clone());
        seed.condition.terminating = Some(pod.is_leaving);
        seed.condition.serving = Some(pod.process.is_some());
        seed.condition.ready = Some(pod.process.is_some() && !pod.is_leaving);
    }
    seed
}

fn seconds(millis: UnixMillis) -> UnixSeconds {
    UnixSeconds(millis.0.div_euclid(1000))
}

fn ended(run: &Run) -> Option<Termination> {
    Some(Termination {
        started_at: seconds(run.started_at),
        finished_at: seconds(run.ended_at?),
        exit_code: 137,
    })
}

fn reading(pod: &Pod) -> PodReading {
    let container = match pod.container {
        Container::Waiting(reason) => ContainerState::Waiting {
            reason: Arc::from(reason),
        },
        Container::Runs => ContainerState::Running {
            started_at: pod
                .runs
                .last()
                .map_or(UnixSeconds(0), |run| seconds(run.started_at)),
        },
    };
    let mut reading = PodReading::new(pod.reference.clone(), container);
    reading.last_termination = pod.runs.iter().rev().find_map(ended);
    let restarts = pod.runs.len().saturating_sub(1);
    reading.restart_count = u32::try_from(restarts).unwrap_or(u32::MAX);
    let runs = pod.container == Container::Runs;
    reading.all_containers_terminated = !runs && !pod.runs.is_empty();
    reading.all_containers_ready = runs;
    reading.ready = Some(runs);
    reading.disruption = pod.disruption.map(Arc::from);
    reading.deletion_requested = pod.is_leaving;
    reading
}

fn fresh_address(number: u32) -> SocketAddr {
    let [_, high, middle, low] = (number + 1).to_be_bytes();
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, high, middle, low)), PORT)
}

fn named_uid(number: u32) -> PodUid {
    PodUid::new(format!("uid-{number}")).expect("a short text without spaces is a uid")
}

#[cfg(test)]
#[path = "platform_tests.rs"]
mod tests;
