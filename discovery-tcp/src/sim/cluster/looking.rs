//! What a test or a plan of faults can ask of the world.

use discovery_core::{NodeInfo, NodeName, ProofRule, Topology};

use crate::config::RingConfig;

use super::{Cluster, Told};
use crate::message::PhaseKind;
use crate::ring::Ring;
use crate::sim::coverage::Coverage;
use crate::sim::invariants::Violation;
use crate::sim::platform::{Platform, PodId};
use crate::sim::process::{Process, ProcessId};
use crate::sim::seen;
use crate::sim::trace::Trace;

impl Cluster {
    /// The promise that was broken, if one was.
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// What happened, written down.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// What has been seen of the protocol.
    pub fn coverage(&self) -> Coverage {
        self.coverage
    }

    /// The platform.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// The pod that has this name now.
    pub fn pod_of(&self, pod: &str) -> Option<PodId> {
        let name = NodeName::new(pod).ok()?;
        self.platform.named(&name)
    }

    /// The process that runs in the pod of this name.
    pub fn process_of(&self, pod: &str) -> Option<ProcessId> {
        self.platform.pod(self.pod_of(pod)?).process
    }

    /// The ring that runs in the pod of this name.
    pub fn ring_of(&self, pod: &str) -> Option<&Ring> {
        self.processes[self.process_of(pod)?.0 as usize].live_ring()
    }

    /// The node id of the ring in the pod of this name.
    pub fn node_of(&self, pod: &str) -> Option<discovery_core::NodeId> {
        Some(seen::node(self.ring_of(pod)?).id())
    }

    /// What applications were told, in the order of telling; nothing where the world is not traced.
    pub fn told(&self) -> &[Told] {
        &self.told
    }

    /// What the application in the pod of this name was told by its present process.
    pub fn told_at(&self, pod: &str) -> impl Iterator<Item = &Told> {
        let process = self.process_of(pod);
        let told = self.told.iter();
        told.filter(move |told| Some(told.process) == process)
    }

    /// Every process that runs.
    pub fn living(&self) -> impl Iterator<Item = &Process> {
        self.processes.iter().filter(|process| process.is_alive())
    }

    /// Every process there ever was.
    pub fn processes(&self) -> &[Process] {
        &self.processes
    }

    /// The topology that the pod of this name has installed.
    pub fn topology_of(&self, pod: &str) -> Option<&Topology> {
        seen::topology(self.ring_of(pod)?)
    }

    /// The names of the members, the eldest first, as the pod of this name knows them.
    pub fn members_at(&self, pod: &str) -> Vec<String> {
        let Some(topology) = self.topology_of(pod) else {
            return Vec::new();
        };
        let names = topology.members().iter();
        names.map(|member| member.name().to_string()).collect()
    }

    /// Whether these pods, and they alone, are the members of one topology that all of them have
    /// installed and have a quorum in.
    pub fn are_one_cluster(&self, pods: &[&str]) -> bool {
        let mut agreed = None;
        pods.iter().all(|pod| {
            let Some(ring) = self.ring_of(pod) else {
                return false;
            };
            let Some(topology) = seen::topology(ring) else {
                return false;
            };
            let is_first_or_same = agreed.get_or_insert(topology.id()) == &topology.id();
            is_first_or_same
                && seen::has_quorum(ring)
                && topology.len() == pods.len()
                && topology.member(seen::node(ring).id()).is_some()
        })
    }

    /// Where the ring of a pod stands, in words that do not depend on chance.
    pub fn standing_of(&self, pod: &str) -> String {
        let Some(ring) = self.ring_of(pod) else {
            return "not running".to_owned();
        };
        let members = self.members_at(pod).join(" ");
        match (seen::phase(ring), seen::has_quorum(ring)) {
            (PhaseKind::Newcomer, _) => "newcomer".to_owned(),
            (PhaseKind::Member, true) => format!("member of {members}"),
            (PhaseKind::Member, false) => format!("without quorum in {members}"),
            (PhaseKind::Leaving, _) => format!("leaving {members}"),
        }
    }

    /// How many clusters running rings are members of.
    pub fn clusters(&self) -> usize {
        let rings = self.living().filter_map(Process::live_ring);
        let mut ids: Vec<_> = rings
            .filter(|ring| seen::phase(ring) != PhaseKind::Newcomer)
            .filter_map(|ring| Some(seen::topology(ring)?.id().cluster_id))
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids.len()
    }

    /// Whether every wanted pod is there and its ring runs.
    fn is_complete(&self) -> bool {
        let mut wanted = self.wanted.iter();
        wanted.all(|name| self.ring_of(name.as_str()).is_some())
    }

    /// The topology that every wanted ring is a member of, with a quorum, if it is one and holds
    /// nobody else.
    pub fn agreed(&self) -> Option<&Topology> {
        if !self.is_complete() {
            return None;
        }
        let mut agreed: Option<&Topology> = None;
        let mut rings = 0;
        for ring in self.living().filter_map(Process::live_ring) {
            rings += 1;
            let topology = seen::topology(ring)?;
            let is_settled = seen::phase(ring) == PhaseKind::Member
                && seen::has_quorum(ring)
                && topology.member(seen::node(ring).id()).is_some();
            if !is_settled || agreed.is_some_and(|other| other.id() != topology.id()) {
                return None;
            }
            agreed = Some(topology);
        }
        agreed.filter(|topology| topology.len() == rings)
    }

    /// One line for each running process: who it is, where it stands.
    pub fn standings(&self) -> Vec<String> {
        self.living()
            .map(|process| {
                let label = process.label();
                match process.live_ring() {
                    Some(ring) => format!("{label}: {}", seen::describe(ring)),
                    None => format!("{label}: a script"),
                }
            })
            .collect()
    }

    /// What every ring is told, unless its pod was given its own.
    pub fn config(&self) -> &RingConfig {
        &self.config
    }

    /// Whether an operator has opened a cluster beside another.
    pub fn is_recovery_forced(&self) -> bool {
        self.coverage.forced > 0
    }

    /// Publications of running processes that have no answer yet.
    pub fn unanswered(&self) -> Vec<String> {
        let waiting = self.checkers.unanswered();
        waiting
            .filter(|(process, _)| self.processes[process.0 as usize].is_alive())
            .map(|(process, request)| {
                let label = self.processes[process.0 as usize].label();
                format!("{request} of {label}")
            })
            .collect()
    }

    /// Whether what the platform says of a dead member is bound to prove its death (RECOVER-3), for
    /// whatever process reads it. Errs to no.
    pub(crate) fn is_death_provable(&self, rule: ProofRule, member: &NodeInfo) -> bool {
        let in_place = |pod: PodId| {
            let pod = self.platform.pod(pod);
            pod.removed_at.is_none() && pod.process.is_some()
        };
        let Some(uid) = member.pod_uid() else {
            return false;
        };
        let Some(pod) = self.platform.of_uid(uid) else {
            return false;
        };
        match rule {
            ProofRule::Off => false,
            ProofRule::Address => in_place(pod),
            _ if in_place(pod) => true,
            ProofRule::AnyObject | ProofRule::Object | ProofRule::Kubelet => {
                let Some(removed_at) = self.platform.pod(pod).removed_at else {
                    return false;
                };
                let Some(reading) = self.platform.reading_at(pod, removed_at) else {
                    return false;
                };
                let mut rings = self
                    .living()
                    .filter(|process| process.live_ring().is_some());
                let was_seen_by_all = rings.all(|process| process.started <= removed_at);
                let is_unmarked = reading.disruption.is_none();
                was_seen_by_all
                    && match rule {
                        ProofRule::Kubelet => reading.all_containers_terminated,
                        ProofRule::Object => is_unmarked,
                        ProofRule::AnyObject | ProofRule::Address | ProofRule::Off => true,
                    }
            }
        }
    }
}
