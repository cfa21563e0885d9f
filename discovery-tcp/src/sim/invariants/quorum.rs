//! P3: what anybody delivers was accepted by a majority of the voting members of the topology in
//! force; only the change that opens an epoch rests on all who promised, with all others dead.

use std::collections::{BTreeMap, BTreeSet};

use discovery_core::{NodeId, Term, Topology, TopologyId};

use super::super::process::ProcessId;
use super::super::seen::{self, Decider, Observation};
use super::chronicle::{Chronicle, Key, key};
use super::{Fact, Invariant, View};
use crate::config::{Quorum as Rule, RingConfig};
use crate::message::Position;
use crate::ring::Notice;

/// Everything up to a position is decided in a topology under a term.
type Claim = (TopologyId, Term, Position);

#[derive(Debug)]
pub(super) struct Quorum {
    is_asked_for: bool,
    /// Who promised to whom that led a recovery.
    promisers: BTreeMap<(ProcessId, Key, Term), Vec<NodeId>>,
    proven_dead: BTreeMap<Key, BTreeSet<NodeId>>,
    /// Positions that recoveries decided.
    recovered: BTreeSet<(Key, u64)>,
    /// What was decided in topologies that nobody was told of yet: within one input a ring goes on
    /// in what it has just decided.
    waiting: Vec<(ProcessId, Claim, Decider)>,
    /// Where each process stands.
    positions: BTreeMap<ProcessId, u64>,
}

impl Quorum {
    pub(super) fn new(config: &RingConfig) -> Self {
        Self {
            is_asked_for: config.quorum == Rule::Majority,
            promisers: BTreeMap::new(),
            proven_dead: BTreeMap::new(),
            recovered: BTreeSet::new(),
            waiting: Vec::new(),
            positions: BTreeMap::new(),
        }
    }

    fn observed(
        &mut self,
        process: ProcessId,
        observation: &Observation,
        chronicle: &Chronicle,
        view: &View<'_>,
    ) -> Result<(), String> {
        match observation {
            Observation::Leads {
                topology,
                term,
                promisers,
                recovery: true,
            } => {
                let led = (process, key(*topology), *term);
                let mut promisers = promisers.clone();
                promisers.extend(chronicle.ids.get(&process));
                self.promisers.insert(led, promisers);
                Ok(())
            }
            Observation::ProvenDead { topology, members } => {
                let dead = self.proven_dead.entry(key(*topology)).or_default();
                dead.extend(members.iter().copied());
                let alive = members.iter().find(|member| {
                    let process = chronicle.who.get(member);
                    let ring = process.and_then(|id| view.process(*id).live_ring());
                    ring.is_some_and(|ring| seen::node(ring).id() == **member)
                });
                alive.map_or(Ok(()), |member| {
                    let who = chronicle.who[member];
                    Err(format!(
                        "{} lives and counts as dead",
                        view.process(who).label()
                    ))
                })
            }
            Observation::Decided {
                topology,
                term,
                position,
                by,
            } => {
                let claim = (*topology, *term, *position);
                if *by == Decider::AllPromisers {
                    self.recovered.insert((key(*topology), position.0));
                }
                self.waiting.push((process, claim, *by));
                Ok(())
            }
            Observation::Leads { .. }
            | Observation::Founded { .. }
            | Observation::Promised { .. }
            | Observation::Accepted { .. }
            | Observation::Exempted { .. } => Ok(()),
        }
    }

    fn decided(
        &self,
        process: ProcessId,
        (topology, term, position): Claim,
        by: Decider,
        chronicle: &Chronicle,
    ) -> Result<(), String> {
        let Some(recorded) = chronicle.get(&key(topology)) else {
            return Err(format!("decides in {topology}, which nobody installed"));
        };
        match by {
            Decider::Majority | Decider::OwnAcceptance => {
                let voters = recorded.topology.voters().count();
                let accepted = chronicle.acceptances(&recorded.topology, term, position);
                if accepted * 2 > voters {
                    return Ok(());
                }
                Err(format!(
                    "position {} of {topology} counts as decided under term {term}, accepted by \
                     {accepted} of {voters}",
                    position.0
                ))
            }
            Decider::AllPromisers => {
                if chronicle.is_forced {
                    return Ok(());
                }
                let led = (process, key(topology), term);
                let promisers = self.promisers.get(&led).cloned().unwrap_or_default();
                self.all_accepted(&recorded.topology, term, position, &promisers, chronicle)
            }
        }
    }

    fn all_accepted(
        &self,
        topology: &Topology,
        term: Term,
        position: Position,
        promisers: &[NodeId],
        chronicle: &Chronicle,
    ) -> Result<(), String> {
        let dead = self.proven_dead.get(&key(topology.id()));
        for voter in topology.voters() {
            let id = voter.id();
            let is_dead = dead.is_some_and(|dead| dead.contains(&id));
            if promisers.contains(&id) {
                if !chronicle.has_accepted(topology.id(), term, id, position) {
                    let what = "promised to a recovery that is decided without its acceptance";
                    return Err(format!("{} {what}", voter.info));
                }
            } else if !is_dead {
                let what = "neither promised to the recovery nor is proven dead";
                return Err(format!("{} {what}", voter.info));
            }
        }
        Ok(())
    }

    /// Judges what is delivered in the topology of this id.
    fn delivered(
        &self,
        label: &str,
        base: TopologyId,
        position: u64,
        chronicle: &Chronicle,
    ) -> Result<(), String> {
        let Some(recorded) = chronicle.get(&key(base)) else {
            return Err(format!(
                "{label} delivers in {base}, which nobody installed"
            ));
        };
        if !self.is_asked_for || self.recovered.contains(&(key(base), position)) {
            return Ok(());
        }
        let voters = recorded.topology.voters().count();
        let accepted = chronicle.most_acceptances(&recorded.topology, Position(position));
        if accepted * 2 > voters {
            return Ok(());
        }
        Err(format!(
            "{label} delivers position {position} of {base}, accepted by {accepted} of {voters} \
             under any one term"
        ))
    }
}

impl Invariant for Quorum {
    fn promise(&self) -> &'static str {
        "P3"
    }

    fn on(
        &mut self,
        fact: &Fact<'_>,
        chronicle: &Chronicle,
        view: &View<'_>,
    ) -> Result<(), String> {
        match fact {
            Fact::Observed(process, observation) if self.is_asked_for => {
                let label = view.process(*process).label();
                let judged = self.observed(*process, observation, chronicle, view);
                judged.map_err(|what| format!("{label}: {what}"))
            }
            Fact::Handled => {
                let waiting = std::mem::take(&mut self.waiting);
                waiting.into_iter().try_for_each(|(process, claim, by)| {
                    let label = view.process(process).label();
                    let judged = self.decided(process, claim, by, chronicle);
                    judged.map_err(|what| format!("{label}: {what}"))
                })
            }
            Fact::Notice(
                process,
                Notice::Installed {
                    topology, position, ..
                },
            ) => {
                self.positions.insert(*process, *position);
                let is_first = topology.version().get() == 1 || chronicle.is_forced;
                if chronicle.news().is_some() && !is_first && self.is_asked_for {
                    let label = view.process(*process).label();
                    let id = topology.id();
                    return Err(format!("{label} installs {id}, which nobody decided"));
                }
                Ok(())
            }
            Fact::Notice(process, Notice::Changed(event)) => {
                let position = self.positions.entry(*process).or_insert(0);
                *position += 1;
                let position = *position;
                let is_new_cluster = event.previous.cluster_id != event.topology.id().cluster_id;
                if is_new_cluster && chronicle.is_forced {
                    return Ok(());
                }
                let label = view.process(*process).label();
                self.delivered(label, event.previous, position, chronicle)
            }
            Fact::Notice(process, Notice::Message(message)) => {
                self.positions.insert(*process, message.position);
                let label = view.process(*process).label();
                self.delivered(label, message.topology, message.position, chronicle)
            }
            _ => Ok(()),
        }
    }
}
