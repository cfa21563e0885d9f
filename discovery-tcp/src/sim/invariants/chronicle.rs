//! What several checkers need to know: every topology that anybody installed, in the order in which
//! they were first seen; who has which node id; who accepted how far, under which term.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use discovery_core::{
    ClusterId, Epoch, Evidence, NodeId, Term, Topology, TopologyId, TopologyVersion,
};

use super::super::process::ProcessId;
use super::super::seen::Observation;
use super::Fact;
use crate::message::Position;
use crate::ring::Notice;

/// A topology's id in an order of its own: by cluster, epoch, version.
pub(crate) type Key = (ClusterId, Epoch, TopologyVersion);

pub(crate) fn key(id: TopologyId) -> Key {
    (id.cluster_id, id.epoch, id.version)
}

/// A topology as it was first seen.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) topology: Topology,
    /// The one before it, unless it was first seen without.
    pub(crate) previous: Option<Key>,
    /// Every node id that was ever a member on the way here.
    pub(crate) ever: Rc<BTreeSet<NodeId>>,
    /// Whom the change that made it removed, and why.
    pub(crate) failed: Vec<(NodeId, Evidence)>,
}

/// What happened so far, as several checkers need it.
#[derive(Debug, Default)]
pub(crate) struct Chronicle {
    topologies: BTreeMap<Key, Recorded>,
    /// The topology that the last fact showed for the first time.
    pub(crate) news: Option<Key>,
    /// The topology first seen last.
    pub(crate) newest: Option<Key>,
    pub(crate) who: BTreeMap<NodeId, ProcessId>,
    /// The present node id of each process, as it was told: within one input a ring may do things
    /// under the one and end under another.
    pub(crate) ids: BTreeMap<ProcessId, NodeId>,
    accepted: BTreeMap<(Key, Term), BTreeMap<NodeId, Position>>,
    /// Publications that were asked for and not answered.
    pub(crate) waiting: BTreeSet<(ProcessId, u64)>,
    /// Whether an operator has opened a cluster beside another.
    pub(crate) is_forced: bool,
}

impl Chronicle {
    pub(super) fn new(is_forced: bool) -> Self {
        Self {
            is_forced,
            ..Self::default()
        }
    }

    pub(super) fn on(&mut self, fact: &Fact<'_>) {
        self.news = None;
        match fact {
            Fact::Notice(process, Notice::Identity(info)) => {
                self.who.insert(info.id(), *process);
                self.ids.insert(*process, info.id());
            }
            Fact::Publishes(process, request, _) => {
                self.waiting.insert((*process, *request));
            }
            Fact::Notice(process, Notice::Published { request, .. }) => {
                self.waiting.remove(&(*process, *request));
            }
            Fact::Notice(_, Notice::Installed { topology, .. }) => {
                self.record(topology, None, Vec::new());
            }
            Fact::Notice(_, Notice::Changed(event)) => {
                let failed = event.failed.iter();
                let failed = failed.map(|(member, why)| (member.id(), why.clone()));
                self.record(&event.topology, Some(key(event.previous)), failed.collect());
            }
            Fact::Observed(
                process,
                Observation::Accepted {
                    topology,
                    term,
                    position,
                },
            ) => {
                let Some(node) = self.ids.get(process).copied() else {
                    return;
                };
                let under = self.accepted.entry((key(*topology), *term)).or_default();
                let furthest = under.entry(node).or_insert(*position);
                *furthest = (*furthest).max(*position);
            }
            Fact::Notice(..)
            | Fact::Observed(..)
            | Fact::Heard { .. }
            | Fact::Estranged { .. }
            | Fact::Handled
            | Fact::Over
            | Fact::Disturbed => {}
        }
    }

    fn record(
        &mut self,
        topology: &Topology,
        previous: Option<Key>,
        failed: Vec<(NodeId, Evidence)>,
    ) {
        let key = key(topology.id());
        if self.topologies.contains_key(&key) {
            return;
        }
        let before = previous.and_then(|previous| self.topologies.get(&previous));
        let mut ever = before.map(|it| Rc::clone(&it.ever)).unwrap_or_default();
        let ids = topology.members().iter().map(discovery_core::Member::id);
        if ids.clone().any(|id| !ever.contains(&id)) {
            Rc::make_mut(&mut ever).extend(ids);
        }
        let recorded = Recorded {
            topology: topology.clone(),
            previous,
            ever,
            failed,
        };
        self.topologies.insert(key, recorded);
        self.news = Some(key);
        self.newest = Some(key);
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Recorded> {
        self.topologies.get(key)
    }

    /// What the last fact showed for the first time.
    pub(crate) fn news(&self) -> Option<&Recorded> {
        self.get(&self.news?)
    }

    pub(crate) fn newest(&self) -> Option<&Recorded> {
        self.get(&self.newest?)
    }

    /// How many voters of a topology accepted everything up to a position under one term; the most
    /// there are for any term.
    pub(crate) fn most_acceptances(&self, topology: &Topology, position: Position) -> usize {
        let of = key(topology.id());
        let terms = self.accepted.iter().filter(|((key, _), _)| *key == of);
        let counts = terms.map(|(_, accepted)| count(topology, accepted, position));
        counts.max().unwrap_or(0)
    }

    /// The same for one term.
    pub(crate) fn acceptances(&self, topology: &Topology, term: Term, position: Position) -> usize {
        let accepted = self.accepted.get(&(key(topology.id()), term));
        accepted.map_or(0, |accepted| count(topology, accepted, position))
    }

    /// Whether one node accepted everything up to a position under this term.
    pub(crate) fn has_accepted(
        &self,
        topology: TopologyId,
        term: Term,
        node: NodeId,
        position: Position,
    ) -> bool {
        let accepted = self.accepted.get(&(key(topology), term));
        accepted
            .and_then(|accepted| accepted.get(&node))
            .is_some_and(|furthest| *furthest >= position)
    }
}

fn count(topology: &Topology, accepted: &BTreeMap<NodeId, Position>, position: Position) -> usize {
    let has = |id: NodeId| {
        accepted
            .get(&id)
            .is_some_and(|furthest| *furthest >= position)
    };
    topology.voters().filter(|voter| has(voter.id())).count()
}
