//! The end of a recovery (RECOVER-5, RECOVER-6): one change, decided by all promisers, opens a new
//! epoch without those that are gone.

use std::collections::VecDeque;
use std::sync::Arc;

use discovery_core::{ClusterId, Epoch, Evidence, NodeId, NodeInfo, Term, TopologyChange};

use super::lead::Mandate;
use super::observation::Observation;
use super::planted::Bug;
use super::recover::{CHANGE_LIMIT, LOOK};
use super::takeover::highest;
use super::timers::Timer;
use super::{Life, Ring};
use crate::message::Decision;

impl Ring {
    /// Everybody answered: lead into a new epoch.
    pub(super) fn conclude_recovery(&mut self) {
        let Life::Member(m) = &self.life else {
            return;
        };
        let (Some(round), Some(term)) = (&m.survivor.round, m.survivor.term) else {
            return;
        };
        let (Some(exempt), Some(version)) = (round.exemptions(&self.fx), round.version) else {
            return;
        };
        if !round.complete() {
            return;
        }
        let missing: Vec<NodeInfo> = m
            .others()
            .filter(|(_, node)| !m.survivor.promises.contains_key(&node.id()))
            .map(|(_, node)| node.clone())
            .collect();
        let mut dead = Vec::new();
        for node in missing {
            let Some(proof) = self.proof_against(&node) else {
                self.ask_after(&node);
                return;
            };
            dead.push((node.id(), Evidence::Dead(proof)));
        }
        let low = !self
            .floor
            .is_below(version, self.filter.answered(), &self.fx);
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if low || m.log.promised() != term && !self.fx.bug(Bug::PromiseForgotten) {
            self.fail_recovery("a higher term was promised meanwhile");
            return;
        }
        for exemption in exempt {
            let pod_uid = exemption.pod_uid;
            self.fx.observe(|| Observation::Exempted { pod_uid });
        }
        let topology = m.log.id();
        let members: Vec<NodeId> = dead.iter().map(|(id, _)| *id).collect();
        self.fx
            .observe(|| Observation::ProvenDead { topology, members });
        let epoch = if self.fx.bug(Bug::EpochNotRaised) {
            Epoch(topology.epoch.0 + 1)
        } else {
            Epoch::from(version)
        };
        let of = |(id, _): &(NodeId, Evidence)| m.topology().member(*id);
        let gone: Vec<NodeInfo> = dead
            .iter()
            .filter_map(of)
            .map(|it| it.info.clone())
            .collect();
        self.open_epoch(term, dead, epoch, None);
        // What they said last may be of the very position that the change takes.
        if !self.fx.bug(Bug::DeadAreHeard) {
            self.hear_no_more_of(&gone);
        }
    }

    /// The first and only decision of all promisers: the new epoch (RECOVER-6). What they had
    /// accepted of messages follows inside it; changes are dropped.
    pub(super) fn open_epoch(
        &mut self,
        term: Term,
        gone: Vec<(NodeId, Evidence)>,
        epoch: Epoch,
        cluster: Option<ClusterId>,
    ) {
        let now = self.fx.now;
        let dropped = self.fx.bug(Bug::LeftoversDropped);
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let mut builder = TopologyChange::of(m.log.topology())
            .under(term)
            .in_epoch(epoch);
        if let Some(cluster) = cluster {
            builder = builder.in_cluster(cluster);
        }
        for (id, evidence) in gone {
            builder = builder.fail(id, evidence);
        }
        let Ok(change) = builder.build() else {
            self.fail_recovery("nobody who votes would be left");
            return;
        };
        let decided = m.log.decided();
        let own = m.log.tail_after(decided);
        let tail = highest(decided, own, m.survivor.promises.values(), false);
        let leftovers: VecDeque<_> = tail
            .entries
            .into_iter()
            .filter(|entry| matches!(**entry, Decision::Message(_)) && !dropped)
            .collect();
        let promisers = m.survivor.promises.keys().copied().collect();
        m.survivor.change_since = Some(now);
        m.survivor.forced = None;
        self.fx.counters.recoveries += 1;
        self.fx.after(Timer::Recovery, CHANGE_LIMIT + LOOK);
        self.lead(Mandate {
            term,
            promisers,
            recovery: true,
            splits_off: cluster.is_some(),
            // In the very first message of the term: a tail must not be emptied for nothing.
            tail: vec![Arc::new(Decision::Change(change))],
            leftovers,
        });
    }
}
