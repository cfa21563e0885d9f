//! What a test or a plan of faults can do to the world. Pods are called by their names.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use discovery_core::{NodeId, NodeName, Topic};

use super::{Cluster, Contents};
use crate::config::RingConfig;
use crate::message::{Message, WireRange};
use crate::sim::api::{ApiFaults, WatchFault};
use crate::sim::invariants::Fact;
use crate::sim::network::{ConnectionId, Ending, Passage, Side};
use crate::sim::platform::PodId;
use crate::sim::process::{Over, Process, ProcessId, Script};
use crate::sim::schedule::Event;
use crate::sim::seen;
use crate::{Moment, ring::Input};

/// A message that is about to be sent.
#[derive(Debug)]
pub struct Passing<'a> {
    /// When.
    pub now: Moment,
    /// By whom.
    pub from: &'a Process,
    /// To whom.
    pub to: &'a Process,
    /// What.
    pub message: &'a Message,
}

/// What becomes of a message that is about to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes its way.
    Pass,
    /// It is lost, as if its link broke right after it.
    Lose,
    /// It, and what is sent after it on its link, arrives so much later.
    Late(Duration),
}

fn name(text: &str) -> NodeName {
    NodeName::new(text).expect("a scenario names pods by short words")
}

impl Cluster {
    /// Makes a pod with a ring; the pod is made anew when it is gone.
    pub fn start(&mut self, pod: &str) -> PodId {
        let config = self.config.clone();
        self.start_with(pod, config)
    }

    /// Makes a pod with a ring of its own configuration.
    pub fn start_with(&mut self, pod: &str, config: RingConfig) -> PodId {
        self.wanted.insert(name(pod));
        self.make_pod(&name(pod), Contents::Ring(Box::new(config)))
    }

    /// Makes a pod whose ring belongs to a cluster of another name.
    pub fn start_foreign(&mut self, pod: &str) -> PodId {
        let mut config = self.config.clone();
        config.cluster_name = Arc::from("another");
        self.make_pod(&name(pod), Contents::Ring(Box::new(config)))
    }

    /// The next process of a pod belongs to a cluster of another name, as after an edit of what its
    /// container reads.
    pub fn turn_foreign(&mut self, pod: &str) {
        let mut config = self.config.clone();
        config.cluster_name = Arc::from("another");
        if let Some(id) = self.pod_of(pod) {
            self.contents.insert(id, Contents::Ring(Box::new(config)));
        }
    }

    /// Makes a pod whose process takes connections and never answers.
    pub fn start_hung(&mut self, pod: &str) -> PodId {
        self.make_pod(&name(pod), Contents::Hung)
    }

    /// Makes a pod whose process closes every connection.
    pub fn start_closing(&mut self, pod: &str) -> PodId {
        self.make_pod(&name(pod), Contents::Closing)
    }

    /// Makes a pod that a script plays.
    pub fn start_script(&mut self, pod: &str, script: Box<dyn Script>) -> PodId {
        self.make_pod(&name(pod), Contents::Script(Some(script)))
    }

    /// Makes a pod with a ring that is neither listed nor started by itself.
    pub fn make_by_hand(&mut self, pod: &str) -> PodId {
        let now = self.now();
        let id = self.platform.make(now, name(pod));
        let contents = Contents::Ring(Box::new(self.config.clone()));
        self.contents.insert(id, contents);
        id
    }

    /// Makes a pod whose ring draws the same node id as the one that runs in another.
    pub fn start_twin(&mut self, pod: &str, of: &str) -> Option<PodId> {
        let seed = *self.last_seeds.get(&self.pod_of(of)?)?;
        let id = self.start(pod);
        self.ring_seeds.insert(id, seed);
        Some(id)
    }

    /// Makes a pod whose ring says that it listens elsewhere.
    pub fn start_advertising(&mut self, pod: &str, address: std::net::SocketAddr) -> PodId {
        let id = self.start(pod);
        self.advertised.insert(id, address);
        id
    }

    /// Makes a pod whose ring speaks other wire versions, as another build does.
    pub fn start_speaking(&mut self, pod: &str, wire: WireRange) -> PodId {
        let id = self.start(pod);
        self.spoken.insert(id, wire);
        id
    }

    /// Bytes that are no message reach the ring in one pod from that in another.
    pub fn garble(&mut self, from: &str, to: &str) {
        let (Some(from), Some(to)) = (self.process_of(from), self.process_of(to)) else {
            return;
        };
        let links = &self.processes[to.0 as usize].links;
        let garbled = links
            .iter()
            .find(|(_, (connection, side))| self.network.other_end(*connection, *side).0 == from);
        if let Some((link, _)) = garbled {
            let link = *link;
            self.tell(to, Input::Undecodable { link });
        }
    }

    /// Shows a pod in the slices now.
    pub fn list(&mut self, pod: &str) {
        if let Some(id) = self.pod_of(pod) {
            self.pod_listed(id);
        }
    }

    /// Removes a pod object and leaves its entry in the slices behind, until it is dropped.
    pub fn remove_but_list(&mut self, pod: &str) -> Option<PodId> {
        let id = self.pod_of(pod)?;
        self.force_delete(pod);
        self.platform.list(id);
        self.tell_watches();
        Some(id)
    }

    /// Drops an entry that was left behind.
    pub fn drop_entry(&mut self, pod: PodId) {
        self.platform.unlist(pod);
        self.tell_watches();
    }

    /// Makes a pod of another name answer at the address of one that lives on unreachable, as
    /// overlapping address ranges do.
    pub fn give_address_of(&mut self, pod: &str, to: &str) {
        if let Some(address) = self.pod_of(pod).map(|id| self.platform.pod(id).address) {
            self.platform.free_address(address);
            self.start(to);
        }
    }

    /// Gives the address of a pod, whose process lives on, to a new one of another cluster.
    pub fn give_address_to_foreign(&mut self, pod: &str, to: &str) {
        if let Some(address) = self.pod_of(pod).map(|id| self.platform.pod(id).address) {
            self.platform.free_address(address);
            self.start_foreign(to);
        }
    }

    /// Holds the answers to what a pod's process asks its finder, or lets them go.
    pub fn hold_answers(&mut self, pod: &str, are_held: bool) {
        let Some(id) = self.process_of(pod) else {
            return;
        };
        let finder = &mut self.processes[id.0 as usize].finder;
        if are_held {
            finder.held.get_or_insert_default();
            return;
        }
        for answer in finder.held.take().unwrap_or_default() {
            self.tell(id, answer.into());
        }
    }

    /// Somebody else writes to the store now.
    pub fn write(&mut self) {
        self.platform.write();
    }

    /// Removes the pods of lost machines, ends what hangs on its way out, and makes what is wanted.
    pub fn mend_pods(&mut self) {
        let pods: Vec<(PodId, bool)> = self
            .platform
            .pods()
            .filter(|(_, pod)| pod.removed_at.is_none())
            .filter(|(_, pod)| pod.is_machine_lost || pod.is_leaving)
            .map(|(id, pod)| (id, pod.is_machine_lost))
            .collect();
        for (id, is_lost) in pods {
            match self.platform.pod(id).process {
                Some(process) if !is_lost => {
                    self.end_process(process, Over::Killed, Ending::Closed);
                }
                Some(_) | None => self.pod_removed(id),
            }
        }
        self.schedule.after(Duration::ZERO, Event::Reconcile);
    }

    /// Lets a process go on, however often it was paused.
    pub fn resume_whatever(&mut self, pod: &str) {
        if let Some(id) = self.process_of(pod) {
            let process = &mut self.processes[id.0 as usize];
            process.paused = process.paused.min(1);
            self.resume_process(id);
        }
    }

    /// One more fault was done.
    pub(crate) fn count_fault(&mut self) {
        self.coverage.faults += 1;
    }

    /// A pod of this name that is gone is not made anew.
    pub fn unwant(&mut self, pod: &str) {
        self.wanted.remove(&name(pod));
    }

    /// Whether containers whose process ended start again, and after how long.
    pub fn restart_containers(&mut self, restarts: bool, pause: (Duration, Duration)) {
        self.restarts = restarts;
        self.restart_pause = pause;
    }

    /// Holds the container of a pod back from starting, as a failing pull of its image does.
    pub fn hold_container_back(&mut self, pod: &str, is_held_back: bool) {
        let Some(id) = self.pod_of(pod) else { return };
        self.platform.pod_mut(id).is_held_back = is_held_back;
        if !is_held_back {
            self.schedule
                .after(Duration::ZERO, Event::ContainerStarts(id));
        }
    }

    /// Starts the container of a pod now, if nothing runs in it.
    pub fn start_container(&mut self, pod: &str) {
        if let Some(id) = self.pod_of(pod) {
            self.container_starts(id);
        }
    }

    /// Kills the process of a pod; its kernel closes its connections.
    pub fn crash(&mut self, pod: &str) {
        if let Some(id) = self.process_of(pod) {
            self.end_process(id, Over::Killed, Ending::Closed);
        }
    }

    /// Loses the machine of a pod: its process ends and nobody is told, not even the platform.
    pub fn lose_machine(&mut self, pod: &str) {
        let Some(pod) = self.pod_of(pod) else { return };
        match self.platform.pod(pod).process {
            Some(id) => self.end_process(id, Over::MachineLost, Ending::Silent),
            None => self.platform.machine_lost(pod),
        }
    }

    /// Asks a pod to go; it is killed after its grace, and made anew if it is wanted.
    pub fn delete(&mut self, pod: &str) {
        if let Some(id) = self.pod_of(pod) {
            self.ask_pod_to_go(id);
        }
    }

    /// Removes a pod object at once; its process is dead too, as whoever does this says (K2).
    pub fn force_delete(&mut self, pod: &str) {
        let Some(id) = self.pod_of(pod) else { return };
        if let Some(process) = self.platform.pod(id).process {
            self.end_process(process, Over::Killed, Ending::Closed);
        }
        self.pod_removed(id);
    }

    /// Marks the object of a pod, as the platform marks what it is about to evict.
    pub fn disrupt(&mut self, pod: &str, reason: &'static str) {
        let now = self.now();
        if let Some(id) = self.pod_of(pod) {
            self.platform.disrupt(now, id, reason);
        }
    }

    /// Holds a process for so long: what happens to it waits.
    pub fn pause_for(&mut self, pod: &str, span: Duration) {
        if let Some(id) = self.process_of(pod) {
            self.pause_process(id);
            self.schedule.after(span, Event::Resume(id));
        }
    }

    /// Holds a process until it is resumed.
    pub fn pause(&mut self, pod: &str) {
        if let Some(id) = self.process_of(pod) {
            self.pause_process(id);
        }
    }

    /// Lets a held process go on.
    pub fn resume(&mut self, pod: &str) {
        if let Some(id) = self.process_of(pod) {
            self.resume_process(id);
        }
    }

    fn pause_process(&mut self, id: ProcessId) {
        let now = self.now();
        self.check(&Fact::Disturbed);
        let process = &mut self.processes[id.0 as usize];
        process.paused += 1;
        let label = Arc::clone(&process.label);
        self.trace.line(now, &label, || "is paused".to_owned());
    }

    pub(super) fn resume_process(&mut self, id: ProcessId) {
        let now = self.now();
        let process = &mut self.processes[id.0 as usize];
        if process.paused == 0 || !process.is_alive() {
            return;
        }
        process.paused -= 1;
        if process.paused > 0 {
            return;
        }
        process.disturbed = now;
        let label = Arc::clone(&process.label);
        self.trace.line(now, &label, || "goes on".to_owned());
        self.check(&Fact::Disturbed);
        // A driver finds its deadline passed before it reads what has come meanwhile, or after it.
        let is_late = self.processes[id.0 as usize]
            .live_ring()
            .and_then(seen::next_deadline)
            .is_some_and(|due| self.processes[id.0 as usize].global(due) <= now);
        if is_late && self.chance.once_in(2) {
            let process = &mut self.processes[id.0 as usize];
            process.inbox.push_front(Input::Deadline);
        }
        self.processes[id.0 as usize].wake = None;
        self.schedule.after(Duration::ZERO, Event::Free(id));
        self.rearm(id);
    }

    /// Takes the means to dial from a process, or gives them back, as a limit of open files does.
    pub fn starve_of_sockets(&mut self, pod: &str, is_starved: bool) {
        if let Some(id) = self.process_of(pod) {
            self.processes[id.0 as usize].is_out_of_sockets = is_starved;
        }
    }

    /// Lets a process take so long over each input.
    pub fn slow(&mut self, pod: &str, pace: Duration) {
        let now = self.now();
        self.check(&Fact::Disturbed);
        if let Some(id) = self.process_of(pod) {
            let process = &mut self.processes[id.0 as usize];
            process.pace = pace;
            process.disturbed = now;
        }
    }

    /// Sets what the way from one pod to another does; `None` opens it.
    pub fn way(&mut self, from: &str, to: &str, passage: Option<Passage>) {
        let (Some(from), Some(to)) = (self.pod_of(from), self.pod_of(to)) else {
            return;
        };
        self.pod_way(from, to, passage);
    }

    /// As [`way`](Self::way), between pods of any age.
    pub(crate) fn pod_way(&mut self, from: PodId, to: PodId, passage: Option<Passage>) {
        let now = self.now();
        self.check(&Fact::Disturbed);
        let label = |id| self.platform.pod(id).reference.name.clone();
        let (one, other) = (label(from), label(to));
        let what = passage.map_or_else(|| "open".to_owned(), |it| format!("{it:?}"));
        self.trace
            .note(now, || format!("the way {one} -> {other} is {what}"));
        self.network
            .set_passage(&mut self.schedule, (from, to), passage);
    }

    /// Cuts one direction.
    pub fn cut(&mut self, from: &str, to: &str) {
        self.way(from, to, Some(Passage::Silent));
    }

    /// Cuts both directions between every two pods of different sides.
    pub fn partition(&mut self, sides: &[&[&str]]) {
        for (place, side) in sides.iter().enumerate() {
            let others = sides
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != place);
            for other in others.flat_map(|(_, pods)| pods.iter()) {
                for pod in *side {
                    self.cut(pod, other);
                }
            }
        }
    }

    /// Cuts one pod from all others, both ways.
    pub fn isolate(&mut self, pod: &str) {
        let Some(id) = self.pod_of(pod) else { return };
        let others: Vec<PodId> = self.platform.pods().map(|(other, _)| other).collect();
        for other in others.into_iter().filter(|other| *other != id) {
            self.pod_way(id, other, Some(Passage::Silent));
            self.pod_way(other, id, Some(Passage::Silent));
        }
    }

    /// Opens every way; what stalled goes on.
    pub fn open_all_ways(&mut self) {
        self.check(&Fact::Disturbed);
        self.trace
            .note(self.schedule.now(), || "all ways are open".to_owned());
        self.network.open_all(&mut self.schedule);
    }

    /// Lets everything from one pod to another take longer; zero takes that back.
    pub fn detour(&mut self, from: &str, to: &str, longer: Duration) {
        if let (Some(from), Some(to)) = (self.pod_of(from), self.pod_of(to)) {
            self.network.set_detour((from, to), longer);
        }
    }

    /// Breaks every connection between two pods; both sides are told, or only the first.
    pub fn break_links(&mut self, one: &str, other: &str, both_are_told: bool) {
        let (Some(one), Some(other)) = (self.process_of(one), self.process_of(other)) else {
            return;
        };
        for (connection, side) in self.network.between(one, other) {
            let told = [side, side.other()];
            let told = if both_are_told { &told[..] } else { &told[..1] };
            self.break_connection(connection, told);
        }
    }

    pub(crate) fn break_connection(&mut self, connection: ConnectionId, told: &[Side]) {
        self.check(&Fact::Disturbed);
        self.network.break_up(&mut self.schedule, connection, told);
    }

    pub(crate) fn open_connections(&self) -> Vec<ConnectionId> {
        self.network.open_connections()
    }

    /// Holds back what is sent from one pod to another on the connections there are.
    pub fn hold(&mut self, from: &str, to: &str) {
        self.hold_way(from, to, true);
    }

    /// Lets go what was held back, in its order.
    pub fn release(&mut self, from: &str, to: &str) {
        self.hold_way(from, to, false);
    }

    fn hold_way(&mut self, from: &str, to: &str, held: bool) {
        if let (Some(from), Some(to)) = (self.pod_of(from), self.pod_of(to)) {
            self.network.hold(&mut self.schedule, (from, to), held);
        }
    }

    /// Decides the fate of every message from now on.
    pub fn intercept(&mut self, fate: impl FnMut(&Passing<'_>) -> Fate + 'static) {
        self.interceptor = Some(Box::new(fate));
    }

    /// Every message passes again.
    pub fn intercept_nothing(&mut self) {
        self.interceptor = None;
    }

    /// Sets what is wrong with the API server.
    pub fn api(&mut self, faults: ApiFaults) {
        let now = self.now();
        self.check(&Fact::Disturbed);
        self.trace
            .note(now, || format!("the API server: {faults:?}"));
        self.api_faults = faults;
        self.tell_watches();
    }

    /// Sets what is wrong with the watch of a pod's process.
    pub fn watch(&mut self, pod: &str, fault: WatchFault) {
        if let Some(id) = self.process_of(pod) {
            self.processes[id.0 as usize].finder.fault = fault;
            self.seeds_due(id);
        }
    }

    /// The application in a pod publishes; the request's number comes back.
    pub fn publish(&mut self, pod: &str, payload: &[u8]) -> Option<u64> {
        let id = self.process_of(pod)?;
        let process = &mut self.processes[id.0 as usize];
        process.next_request += 1;
        let request = process.next_request;
        let topic = Topic::new("story").ok()?;
        let payload: Arc<[u8]> = Arc::from(payload);
        self.coverage.publications += 1;
        self.check(&Fact::Publishes(id, request, Arc::clone(&payload)));
        self.tell(
            id,
            Input::Publish {
                request,
                topic,
                payload,
            },
        );
        Some(request)
    }

    /// The application in a pod leaves; its process ends when it has.
    pub fn leave(&mut self, pod: &str) {
        if let Some(id) = self.process_of(pod) {
            self.tell(id, Input::Leave);
        }
    }

    /// An operator forces a recovery at a pod.
    pub fn force_recovery(&mut self, pod: &str) {
        if let Some(id) = self.process_of(pod) {
            self.checkers.recovery_is_forced();
            self.coverage.forced += 1;
            self.tell(id, Input::ForceRecovery);
        }
    }

    /// An operator removes a member, asking at a pod.
    pub fn remove(&mut self, at: &str, node: NodeId) {
        if let Some(id) = self.process_of(at) {
            let reason = "its operator wants it gone".to_owned();
            self.tell(id, Input::Remove { node, reason });
        }
    }
}

impl fmt::Display for PodId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pod {}", self.0)
    }
}
