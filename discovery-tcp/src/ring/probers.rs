//! Members that dial a subject whom nobody healthy watches (CUT-8): the coordinator appoints them,
//! and counts who failed. How a member dials for it is in `dial_back.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use discovery_core::NodeId;

use super::cut::CutVerdict;
use super::member::{Membership, Probing};
use super::order_set::OrderSet;
use super::{Life, Ring};
use crate::message::{DialBack, DialBackResult, Message};
use crate::moment::Moment;

/// How many members dial such a subject, and how many must fail.
const PROBERS: (usize, usize) = (3, 2);

impl Ring {
    /// Up to three linked members dial whom no healthy member watches; the cut does not wait for them
    /// (CUT-8).
    pub(super) fn appoint_probers(&mut self, verdict: &CutVerdict) {
        let now = self.fx.now;
        let me = self.me.id();
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let cut: BTreeSet<usize> = verdict.remove.iter().map(|(place, _)| *place).collect();
        let members = m.members();
        let Some(lead) = &mut m.lead else {
            return;
        };
        for place in &verdict.needs_probers {
            let Some(subject) = m.roster.info(*place).cloned() else {
                continue;
            };
            let stale = |probing: &Probing| now.since(probing.since) > self.config.silence_limit;
            if lead
                .probes
                .get(&subject.id())
                .is_some_and(|probing| !stale(probing))
            {
                continue;
            }
            let healthy: Vec<NodeId> = (0..members)
                .filter(|other| other != place && !cut.contains(other))
                .filter(|other| !verdict.needs_probers.contains(other))
                .filter_map(|other| m.roster.node(other))
                .filter(|id| *id != me && self.fx.links.is_linked(*id))
                .take(PROBERS.0)
                .collect();
            let mut requests = BTreeMap::new();
            for prober in healthy {
                let request = self.fx.next_errand();
                let addresses = subject.addresses().to_vec();
                let ask = DialBack {
                    request,
                    node: subject.id(),
                    addresses,
                };
                self.fx.send_to(prober, Message::DialBack(ask));
                requests.insert(request, prober);
            }
            let probing = Probing {
                requests,
                failed: Vec::new(),
                since: now,
            };
            lead.probes.insert(subject.id(), probing);
        }
    }

    pub(super) fn probe_result(&mut self, from: NodeId, result: DialBackResult) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(lead) = &mut m.lead else {
            return;
        };
        for probing in lead.probes.values_mut() {
            let asked = probing.requests.remove(&result.request) == Some(from);
            if asked && !result.reached {
                probing.failed.push(from);
            }
        }
        self.coordinate();
    }
}

impl Membership {
    /// Whom members that were appointed within a silence limit could not dial (CUT-8).
    pub(super) fn unreachable(&self, now: Moment, limit: Duration) -> OrderSet {
        let probes = self.lead.iter().flat_map(|lead| &lead.probes);
        let failed = probes.filter(|(_, probing)| {
            probing.failed.len() >= PROBERS.1 && now.since(probing.since) <= limit
        });
        let places = failed.filter_map(|(id, _)| self.roster.index_of(*id));
        OrderSet::of(self.members(), places)
    }
}
