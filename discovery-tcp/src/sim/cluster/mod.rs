//! The simulated world: pods, processes, a network, a platform, and one heap of what is going to
//! happen. `step` takes the earliest event; nothing else moves time.
//!
//! | module | what it holds |
//! |---|---|
//! | `hosting` | what a driver does: telling inputs, doing what outputs ask for |
//! | `pods` | the life of pods and containers |
//! | `directing` | what a test or a plan of faults can do to the world |
//! | `looking` | what they can ask of it |

mod directing;
mod hosting;
mod looking;
mod pods;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use discovery_core::NodeName;

pub use directing::{Fate, Passing};

use crate::Moment;
use crate::config::RingConfig;
use crate::message::WireRange;
use crate::ring::{DialFailure, Input, Notice, Output};
use crate::sim::api::{self, Answer, ApiFaults};
use crate::sim::chance::Chance;
use crate::sim::coverage::Coverage;
use crate::sim::invariants::{Checkers, Fact, View, Violation};
use crate::sim::network::{Found, Network, Parcel, Passage, Reached, Side, Weather};
use crate::sim::platform::{Climate, Platform, PodId};
use crate::sim::process::{Process, ProcessId, Script};
use crate::sim::schedule::{Event, Question, Schedule};
use crate::sim::seen::Bug;
use crate::sim::trace::Trace;

/// What a world is made of.
#[derive(Clone, Debug)]
pub struct World {
    /// Where all chance comes from.
    pub seed: u64,
    /// What every ring is told, unless a pod is given its own.
    pub config: RingConfig,
    /// The network.
    pub weather: Weather,
    /// The platform.
    pub climate: Climate,
    /// Whether what happens is written down.
    pub is_traced: bool,
    /// Whether the promises are checked at every step. With a thousand nodes that costs more than
    /// the nodes themselves.
    pub is_checked: bool,
    /// Whether the core's own check of its state counts: it sees many a mistake before a promise is
    /// broken.
    pub asks_the_core: bool,
    /// A mistake planted in every ring.
    pub bug: Option<Bug>,
}

impl World {
    /// A world of this seed, everything else as it is by default, and traced.
    pub fn of_seed(seed: u64) -> Self {
        Self {
            seed,
            config: RingConfig::default(),
            weather: Weather::default(),
            climate: Climate::default(),
            is_traced: true,
            is_checked: true,
            asks_the_core: true,
            bug: None,
        }
    }
}

/// What an application was told, kept where the world is traced.
#[derive(Clone, Debug)]
pub struct Told {
    /// When.
    pub at: Moment,
    /// By the ring of which process.
    pub process: ProcessId,
    /// What.
    pub notice: Notice,
}

/// What runs in the container of a pod.
#[derive(Debug)]
enum Contents {
    Ring(Box<RingConfig>),
    Hung,
    Closing,
    Script(Option<Box<dyn Script>>),
}

/// Most deadlines of all rings at one moment; more is a ring that keeps itself busy without end.
const DEADLINES_AT_ONCE_MAX: u32 = 1_000;

/// Most inputs that wait for a paused or slow process; beyond, its links break.
const INBOX_MAX: usize = 8192;

type Interceptor = Box<dyn FnMut(&Passing<'_>) -> Fate>;

/// The simulated world.
pub struct Cluster {
    schedule: Schedule,
    network: Network,
    platform: Platform,
    processes: Vec<Process>,
    contents: BTreeMap<PodId, Contents>,
    /// What rings draw their node ids from; a twin is given another's.
    ring_seeds: BTreeMap<PodId, [u8; 32]>,
    last_seeds: BTreeMap<PodId, [u8; 32]>,
    /// What rings say of where they listen, where that is not so.
    advertised: BTreeMap<PodId, std::net::SocketAddr>,
    /// The wire versions that rings speak, where they are of another build.
    spoken: BTreeMap<PodId, WireRange>,
    chance: Chance,
    config: RingConfig,
    is_checked: bool,
    asks_the_core: bool,
    bug: Option<Bug>,
    api_faults: ApiFaults,
    wanted: BTreeSet<NodeName>,
    restarts: bool,
    restart_pause: (Duration, Duration),
    runs_of: BTreeMap<NodeName, u32>,
    interceptor: Option<Interceptor>,
    checkers: Checkers,
    coverage: Coverage,
    trace: Trace,
    violation: Option<Violation>,
    told: Vec<Told>,
    scratch: Vec<Output>,
    at_once: (Moment, u32),
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("now", &self.schedule.now())
            .field("processes", &self.processes.len())
            .field("violation", &self.violation)
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// An empty world.
    pub fn new(world: World) -> Self {
        let mut chance = Chance::of_seed(world.seed);
        let network = Network::new(world.weather, chance.branch());
        let platform = Platform::new(world.climate, chance.branch());
        let mut schedule = Schedule::default();
        schedule.after(world.climate.write_interval, Event::BackgroundWrite);
        let checkers = Checkers::new(&world.config, world.climate.clock_skew_ms == 0);
        Self {
            schedule,
            network,
            platform,
            processes: Vec::new(),
            contents: BTreeMap::new(),
            ring_seeds: BTreeMap::new(),
            last_seeds: BTreeMap::new(),
            advertised: BTreeMap::new(),
            spoken: BTreeMap::new(),
            chance,
            config: world.config,
            is_checked: world.is_checked,
            asks_the_core: world.asks_the_core,
            bug: world.bug,
            api_faults: ApiFaults::default(),
            wanted: BTreeSet::new(),
            restarts: true,
            restart_pause: (Duration::from_millis(100), Duration::from_secs(1)),
            runs_of: BTreeMap::new(),
            interceptor: None,
            checkers,
            coverage: Coverage::default(),
            trace: Trace::new(world.is_traced),
            violation: None,
            told: Vec::new(),
            scratch: Vec::new(),
            at_once: (Moment::START, 0),
        }
    }

    /// The present moment.
    pub fn now(&self) -> Moment {
        self.schedule.now()
    }

    /// Lets this much time pass, or all up to the first violation.
    pub fn run_for(&mut self, span: Duration) {
        let limit = self.now() + span;
        while self.step(limit) {}
    }

    /// Runs until something holds, at most for this long; returns whether it does.
    pub fn run_until(&mut self, limit: Duration, holds: impl Fn(&Self) -> bool) -> bool {
        let limit = self.now() + limit;
        while !holds(self) {
            if !self.step(limit) {
                return holds(self);
            }
        }
        true
    }

    /// Runs until all rings are one cluster, at most for this long.
    pub fn run_until_agreed(&mut self, limit: Duration) -> bool {
        let limit = self.now() + limit;
        while self.agreed().is_none() {
            let next = self.now() + LOOK;
            if self.now() >= limit || self.violation.is_some() {
                return false;
            }
            while self.step(next) {}
        }
        true
    }

    /// The world's end: what happened, written down.
    pub fn into_trace(self) -> Trace {
        self.trace
    }

    /// Takes the earliest event up to `limit`; false if there is none, or a promise is broken.
    pub fn step(&mut self, limit: Moment) -> bool {
        if self.violation.is_some() {
            return false;
        }
        let Some(event) = self.schedule.next_until(limit) else {
            return false;
        };
        self.coverage.events += 1;
        self.take(event);
        true
    }

    /// One more ring is called at its deadline.
    fn watch_progress(&mut self) {
        let now = self.now();
        if self.at_once.0 == now {
            self.at_once.1 += 1;
            if self.at_once.1 == DEADLINES_AT_ONCE_MAX {
                let what = format!("{DEADLINES_AT_ONCE_MAX} deadlines at {now}");
                self.violated(Violation::new("progress", what));
            }
        } else {
            self.at_once = (now, 0);
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Wake(process) => self.wake(process),
            Event::Free(process) => self.free(process),
            Event::Resume(process) => self.resume_process(process),
            Event::DialArrives(connection) => self.dial_arrives(connection),
            Event::DialAnswered(connection) => {
                let opened = self.network.answer_dial(&mut self.schedule, connection);
                if let Some((process, link)) = opened {
                    self.tell(process, Input::LinkOpened { link });
                }
            }
            Event::DialFails(connection, failure) => {
                if let Some((process, link)) = self.network.fail_dial(connection) {
                    if failure != DialFailure::NotTried {
                        self.dial_failed(process, connection);
                    }
                    self.processes[process.0 as usize].links.remove(&link);
                    self.tell(process, Input::LinkFailed { link, failure });
                }
            }
            Event::Arrives(connection, side, parcel) => {
                let way = (connection, side);
                let reached = self.network.arrive(&mut self.schedule, way, parcel);
                if let Some(reached) = reached {
                    self.reached(reached);
                }
            }
            Event::Broken(connection, side) => {
                let told = self.network.learn_broken(connection, side);
                let (other, _) = self.network.other_end(connection, side);
                self.lost(told, other);
            }
            Event::StallOver(connection, side) => {
                let now = self.now();
                let told = self.network.give_up_stalled(now, (connection, side));
                let (other, _) = self.network.other_end(connection, side);
                self.lost(told, other);
            }
            Event::SeedsDue(process) => self.tell_seeds(process),
            Event::StoreRead(process, question) => self.read_store(process, &question),
            Event::Answered(process, answer) => {
                let finder = &mut self.processes[process.0 as usize].finder;
                match &mut finder.held {
                    Some(held) => held.push(*answer),
                    None => self.tell(process, (*answer).into()),
                }
            }
            Event::PodListed(pod) => self.pod_listed(pod),
            Event::ContainerStarts(pod) => self.container_starts(pod),
            Event::GraceOver(pod, process) => self.grace_over(pod, process),
            Event::PodRemoved(pod) => self.pod_removed(pod),
            Event::BackgroundWrite => {
                self.platform.write();
                let interval = self.platform.climate.write_interval;
                let pause = self.chance.span((interval / 4, interval));
                self.schedule.after(pause, Event::BackgroundWrite);
            }
            Event::Reconcile => self.reconcile(),
        }
    }

    fn dial_arrives(&mut self, connection: crate::sim::network::ConnectionId) {
        let (from, address) = self.network.dialled(connection);
        let found = self.found_at(from, address);
        let accepted = self
            .network
            .arrive_dial(&mut self.schedule, connection, found);
        if let Found::Listener(process, _, link) = found
            && accepted
        {
            let from = self.platform.pod(from).address;
            let host = &mut self.processes[process.0 as usize];
            host.links.insert(link, (connection, Side::Acceptor));
            self.tell(process, Input::LinkAccepted { link, from });
        }
    }

    fn found_at(&mut self, from: PodId, address: std::net::SocketAddr) -> Found {
        let Some(pod) = self.platform.at(address) else {
            return Found::Nobody;
        };
        let ways = [
            self.network.passage(from, pod),
            self.network.passage(pod, from),
        ];
        if ways.contains(&Some(Passage::Silent)) || self.platform.pod(pod).is_machine_lost {
            return Found::Nobody;
        }
        let refuses = ways.contains(&Some(Passage::Refusing));
        match self.platform.pod(pod).process {
            Some(process) if !refuses => {
                let link = self.processes[process.0 as usize].draw_link();
                Found::Listener(process, pod, link)
            }
            Some(_) | None => Found::Closed,
        }
    }

    fn reached(&mut self, reached: Reached) {
        let Reached {
            process,
            link,
            from,
            parcel,
        } = reached;
        match parcel {
            Parcel::Message(message) => {
                self.coverage.messages += 1;
                let message = std::sync::Arc::unwrap_or_clone(message);
                self.tell(process, Input::Received { link, message });
            }
            Parcel::End => self.lost(Some((process, link)), from),
        }
    }

    /// A dial that fails is evidence against whoever has the address.
    fn dial_failed(&mut self, by: ProcessId, connection: crate::sim::network::ConnectionId) {
        let (_, address) = self.network.dialled(connection);
        let pod = self.platform.at(address);
        if let Some(of) = pod.and_then(|pod| self.platform.pod(pod).process) {
            self.check(&Fact::Estranged { by, of });
        }
    }

    fn lost(&mut self, told: Option<(ProcessId, crate::ring::LinkId)>, of: ProcessId) {
        if let Some((process, link)) = told {
            self.check(&Fact::Estranged { by: process, of });
            self.processes[process.0 as usize].links.remove(&link);
            self.tell(process, Input::LinkClosed { link });
        }
    }

    fn tell_seeds(&mut self, id: ProcessId) {
        let (now, faults) = (self.now(), self.api_faults);
        let finder = &mut self.processes[id.0 as usize].finder;
        finder.is_due = false;
        if !finder.wants_watch {
            return;
        }
        if let Some(report) = finder.report(&mut self.platform, faults, now) {
            self.tell(id, Input::Seeds(report));
        }
    }

    fn read_store(&mut self, id: ProcessId, question: &Question) {
        let (now, faults) = (self.now(), self.api_faults);
        let since = self.processes[id.0 as usize].started;
        let answer = match question {
            Question::Listing(round) => {
                let result = api::read_listing(&mut self.platform, faults, &mut self.chance);
                Answer::Listing(*round, result)
            }
            Question::Pod(number, pod) => {
                let times = (now, since);
                let fact = api::read_pod(&self.platform, faults, &mut self.chance, times, pod);
                Answer::Pod(*number, fact)
            }
        };
        let back = self.chance.span(self.platform.climate.api_delay);
        let late = match faults.late {
            Duration::ZERO => Duration::ZERO,
            late => self.chance.span((Duration::ZERO, late)),
        };
        let pause = late + if faults.is_down { API_TIMEOUT } else { back };
        self.schedule
            .after(pause, Event::Answered(id, Box::new(answer)));
    }

    /// Shows a fact to every checker.
    fn check(&mut self, fact: &Fact<'_>) {
        if !self.is_checked {
            return;
        }
        let view = View {
            now: self.schedule.now(),
            processes: &self.processes,
            platform: &self.platform,
            network: &self.network,
        };
        if let Err(violation) = self.checkers.on(fact, &view) {
            self.violated(violation);
        }
    }

    fn violated(&mut self, violation: Violation) {
        if self.violation.is_none() {
            self.trace
                .note(self.schedule.now(), || violation.to_string());
            self.violation = Some(violation);
        }
    }
}

/// How often is looked whether all are one cluster.
const LOOK: Duration = Duration::from_millis(20);

/// How long a finder waits for an API server that does not answer.
const API_TIMEOUT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
