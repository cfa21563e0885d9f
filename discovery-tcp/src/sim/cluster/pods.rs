//! The life of pods and containers: made, listed, started, restarted, asked to go, removed.

use std::sync::Arc;

use discovery_core::{NodeId, NodeInfo, NodeName};

use super::{Cluster, Contents};
use crate::ring::{Ring, Start};
use crate::sim::invariants::Fact;
use crate::sim::network::Ending;
use crate::sim::platform::PodId;
use crate::sim::process::{Body, Closing, Hung, Over, Process, ProcessId};
use crate::sim::schedule::Event;
use crate::sim::seen;

/// How long a pod on its way out may take to stop by itself.
const GRACE: std::time::Duration = std::time::Duration::from_secs(30);

impl Cluster {
    /// Makes a pod of this name; its container starts, and it is listed, a little later.
    pub(super) fn make_pod(&mut self, name: &NodeName, contents: Contents) -> PodId {
        let now = self.now();
        let id = self.platform.make(now, name.clone());
        self.contents.insert(id, contents);
        let climate = self.platform.climate;
        let listed = self.chance.span(climate.listing_lag);
        let starts = self.chance.span(climate.start_lag);
        self.schedule.after(listed, Event::PodListed(id));
        self.schedule.after(starts, Event::ContainerStarts(id));
        let address = self.platform.pod(id).address;
        self.trace
            .note(now, || format!("pod {name} is made at {address}"));
        id
    }

    pub(super) fn pod_listed(&mut self, id: PodId) {
        if self.platform.pod(id).removed_at.is_none() {
            self.platform.list(id);
            self.tell_watches();
        }
    }

    /// Every watch tells soon what it sees.
    pub(super) fn tell_watches(&mut self) {
        for number in 0..self.processes.len() {
            let process = &self.processes[number];
            if process.is_alive() && process.finder.wants_watch {
                self.seeds_due(process.id);
            }
        }
    }

    pub(super) fn container_starts(&mut self, id: PodId) {
        let pod = self.platform.pod(id);
        let is_wanted = pod.removed_at.is_none() && !pod.is_machine_lost && !pod.is_leaving;
        if !is_wanted || pod.is_held_back || pod.process.is_some() {
            return;
        }
        let now = self.now();
        let number = u32::try_from(self.processes.len()).unwrap_or(u32::MAX);
        let process = ProcessId(number);
        let name = pod.reference.name.clone();
        let run = self.runs_of.entry(name.clone()).or_insert(0);
        *run += 1;
        let label: Arc<str> = Arc::from(format!("{name}.{run}"));
        let cluster_name = match self.contents.get(&id) {
            Some(Contents::Ring(config)) => Arc::clone(&config.cluster_name),
            _ => Arc::clone(&self.config.cluster_name),
        };
        let body = self.body(id);
        let names = (Arc::clone(&label), cluster_name);
        let host = Process::new((process, id), names, now, body);
        self.platform.container_started(now, id, process);
        self.processes.push(host);
        self.coverage.processes += 1;
        self.trace.line(now, &label, || "starts".to_owned());
        let outputs = match &mut self.processes[process.0 as usize].body {
            Body::Ring(ring) => std::iter::from_fn(|| ring.poll_output()).collect(),
            Body::Script(script) => script.start(),
        };
        self.after_handling(process, outputs);
    }

    fn body(&mut self, id: PodId) -> Body {
        match self.contents.get_mut(&id) {
            Some(Contents::Hung) => Body::Script(Box::new(Hung)),
            Some(Contents::Closing) => Body::Script(Box::new(Closing)),
            Some(Contents::Script(script)) => {
                Body::Script(script.take().unwrap_or_else(|| Box::new(Hung)))
            }
            Some(Contents::Ring(config)) => {
                let config = (**config).clone();
                Body::Ring(Box::new(self.ring(id, config)))
            }
            None => {
                let config = self.config.clone();
                Body::Ring(Box::new(self.ring(id, config)))
            }
        }
    }

    fn ring(&mut self, id: PodId, config: crate::RingConfig) -> Ring {
        let wall = self.platform.wall(id, self.now());
        let pod = self.platform.pod(id);
        let name = pod.reference.name.clone();
        let address = self.advertised.get(&id).copied().unwrap_or(pod.address);
        let node = NodeInfo::new(NodeId::from_u128(0), name, [address], wall)
            .expect("a pod's address is one that can be dialled");
        let authoritative = self.platform.climate.authoritative;
        let node = if authoritative {
            node.with_pod_uid(pod.reference.uid.clone())
        } else {
            node
        };
        let drawn = self.chance.seed();
        let seed = self.ring_seeds.get(&id).copied().unwrap_or(drawn);
        self.ring_seeds.remove(&id);
        self.last_seeds.insert(id, seed);
        let start = Start {
            node,
            wall,
            seed,
            authoritative,
        };
        let mut ring = Ring::new(config, start);
        seen::check_outside(&mut ring);
        if let Some(wire) = self.spoken.get(&id) {
            seen::speak(&mut ring, *wire);
        }
        if let Some(bug) = self.bug {
            seen::plant(&mut ring, bug);
        }
        ring
    }

    /// Ends a process and what hangs on it; the pod's container starts again if it is wanted.
    pub(super) fn end_process(&mut self, id: ProcessId, over: Over, ending: Ending) {
        let now = self.now();
        let process = &mut self.processes[id.0 as usize];
        if !process.is_alive() {
            return;
        }
        process.over = Some(over);
        process.inbox.clear();
        let (pod, label) = (process.pod, Arc::clone(&process.label));
        let links = std::mem::take(&mut process.links);
        self.trace
            .line(now, &label, || format!("is over: {over:?}"));
        for way in links.into_values() {
            self.network.end_side(&mut self.schedule, way, ending);
        }
        match ending {
            Ending::Closed => self.platform.container_ended(now, pod),
            Ending::Silent => self.platform.machine_lost(pod),
        }
        self.check(&Fact::Over);
        if self.platform.pod(pod).is_leaving {
            let lag = self.chance.span(self.platform.climate.removal_lag);
            self.schedule.after(lag, Event::PodRemoved(pod));
        } else if self.restarts {
            let pause = self.chance.span(self.restart_pause);
            self.schedule.after(pause, Event::ContainerStarts(pod));
        }
        self.tell_watches();
    }

    /// Asks a pod to go, as `kubectl delete` does: its process is told, and killed after the grace.
    pub(super) fn ask_pod_to_go(&mut self, id: PodId) {
        let now = self.now();
        if self.platform.pod(id).is_leaving || self.platform.pod(id).removed_at.is_some() {
            return;
        }
        self.platform.ask_deletion(now, id);
        self.tell_watches();
        match self.platform.pod(id).process {
            Some(process) => {
                self.schedule.after(GRACE, Event::GraceOver(id, process));
                self.tell(process, crate::ring::Input::Leave);
            }
            None if self.platform.pod(id).is_machine_lost => {}
            None => self.schedule.after(GRACE / 30, Event::PodRemoved(id)),
        }
    }

    pub(super) fn grace_over(&mut self, pod: PodId, process: ProcessId) {
        if self.platform.pod(pod).process == Some(process) {
            self.end_process(process, Over::Killed, Ending::Closed);
        }
    }

    pub(super) fn pod_removed(&mut self, id: PodId) {
        let now = self.now();
        if self.platform.pod(id).removed_at.is_some() {
            return;
        }
        self.platform.remove(now, id);
        let name = self.platform.pod(id).reference.name.clone();
        self.trace.note(now, || format!("pod {name} is removed"));
        self.tell_watches();
        self.schedule
            .after(std::time::Duration::ZERO, Event::Reconcile);
    }

    /// Makes every wanted pod that is not there.
    pub(super) fn reconcile(&mut self) {
        let wanted: Vec<NodeName> = self.wanted.iter().cloned().collect();
        for name in wanted {
            if self.platform.named(&name).is_none() {
                let contents = Contents::Ring(Box::new(self.config.clone()));
                self.make_pod(&name, contents);
            }
        }
    }
}
