//! What the coordinator puts into the next change: cuts, leaves, operator's words, joins; and when
//! it waits a moment for more (CUT, JOIN, LEAVE).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use discovery_core::{Accusation, AccusationKind, Evidence, NodeId, TopologyChange, UnixMillis};

use super::admission::replacement;
use super::cut::{self, Alerts, CutVerdict};
use super::member::{Membership, Probing};
use super::order_set::OrderSet;
use super::output::Notice;
use super::planted::Bug;
use super::timers::Timer;
use super::{Life, Ring};
use crate::message::{Decision, DialBack, DialBackResult, Message};

/// How many members dial a subject that no healthy member watches, and how many must fail.
const PROBERS: (usize, usize) = (3, 2);
/// A subject accused for so long without being removed is told of.
const CONTESTED: Duration = Duration::from_secs(10);
/// Numbers of probes start here, those of joiners below.
const PROBE_NUMBERS: u64 = 1 << 32;

impl Ring {
    /// Proposes what is ready, if anything may be proposed now.
    pub(super) fn coordinate(&mut self) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let undecided = m.change_is_undecided();
        let barred = undecided && !self.fx.bug(Bug::ProposesBehindChange);
        let Some(lead) = &m.lead else {
            return;
        };
        if barred || lead.recovery.is_some() {
            return;
        }
        if !undecided && let Some(change) = self.next_change() {
            self.propose(vec![Arc::new(Decision::Change(change))]);
            return;
        }
        self.propose_messages();
    }

    /// The next change, if one is due.
    fn next_change(&mut self) -> Option<TopologyChange> {
        let removals = self.removals()?;
        let joins = self.joins(&removals);
        let Life::Member(m) = &self.life else {
            return None;
        };
        let only_joins = removals.is_empty() && m.lead.as_ref()?.leaves.is_empty();
        if only_joins && m.leaving.is_none() && self.waits_for_joiners(joins.len()) {
            return None;
        }
        let Life::Member(m) = &mut self.life else {
            return None;
        };
        m.lead.as_mut()?.admission.gathered();
        let lead = m.lead.as_ref()?;
        let topology = m.log.topology();
        let stays = |id: &NodeId| topology.member(*id).is_some() && !removals.contains_key(id);
        let mut leaves: Vec<NodeId> = lead.leaves.iter().copied().filter(stays).collect();
        leaves.extend(m.departing(&leaves, &removals));
        if removals.is_empty() && leaves.is_empty() && joins.is_empty() {
            return None;
        }
        let mut builder = TopologyChange::of(topology).under(lead.term);
        for (id, evidence) in removals {
            builder = builder.fail(id, evidence);
        }
        for id in leaves {
            builder = builder.leave(id);
        }
        for (node, replaced) in joins {
            if let Some((id, evidence)) = replaced {
                builder = builder.fail(id, evidence);
            }
            builder = builder.join(node);
        }
        builder.build().ok()
    }

    /// Whom to remove now, and why; nothing at all while it is worth waiting for others in doubt.
    fn removals(&mut self) -> Option<BTreeMap<NodeId, Evidence>> {
        let now = self.fx.now;
        let me = self.me.id();
        let Life::Member(m) = &mut self.life else {
            return None;
        };
        let alerts = m.alerts_by_place();
        let verdict = self.judged(&alerts);
        let wait = self.doubt_wait(&verdict);
        let Life::Member(m) = &mut self.life else {
            return None;
        };
        let lead = m.lead.as_mut()?;
        match wait {
            Some(wait) if !verdict.remove.is_empty() => {
                let since = *lead.doubt_since.get_or_insert(now);
                if now < since + wait {
                    self.fx.timers.set_by(Timer::Doubt, since + wait);
                    return None;
                }
            }
            _ => lead.doubt_since = None,
        }
        let mut removals = BTreeMap::new();
        // A cut that only those it removes could accept is none: the quorum is lost (RECOVER).
        let decidable = m.can_decide_without(&verdict);
        for (place, observers) in verdict.remove.iter().filter(|_| decidable) {
            if let Some(id) = m.roster.node(*place)
                && id != me
            {
                removals.insert(id, m.accused(id, observers));
            }
        }
        let lead = m.lead.as_ref()?;
        for (id, reason) in &lead.operator {
            removals.insert(
                *id,
                Evidence::Operator {
                    reason: reason.clone(),
                },
            );
        }
        for (id, versions_behind) in &lead.lagging {
            removals.insert(
                *id,
                Evidence::Lag {
                    versions_behind: *versions_behind,
                },
            );
        }
        for (id, (since, admitted_at, _)) in &lead.unconfirmed {
            if now.since(*since) > self.config.silence_limit * 3 {
                let admitted_at = *admitted_at;
                removals.insert(*id, Evidence::NeverConfirmed { admitted_at });
            }
        }
        let topology = m.log.topology();
        removals.retain(|id, _| topology.member(*id).is_some() && *id != me);
        self.appoint_probers(&verdict);
        Some(removals)
    }

    fn judged(&self, alerts: &Alerts) -> CutVerdict {
        let Life::Member(m) = &self.life else {
            return CutVerdict::default();
        };
        let mut verdict = cut::judge(&m.roster, alerts, &m.unreachable());
        if self.fx.bug(Bug::OneAccuserSuffices) {
            let accused = alerts.iter().filter(|(_, by)| !by.is_empty());
            verdict.remove = accused
                .map(|(place, by)| (*place, by.keys().copied().collect()))
                .collect();
        }
        if self.fx.bug(Bug::CutCountsDoubters) {
            let doubted: BTreeSet<usize> = alerts.keys().copied().collect();
            for (place, by) in alerts {
                let implied = m.roster.observers(*place).filter(|it| doubted.contains(it));
                let all: BTreeSet<usize> = by.keys().copied().chain(implied).collect();
                let enough = m.roster.observers_each() / 2 + 1;
                if all.len() >= enough && !verdict.remove.iter().any(|(it, _)| it == place) {
                    verdict.remove.push((*place, all.into_iter().collect()));
                }
            }
        }
        if self.fx.bug(Bug::AlertCountedTwice) {
            for (place, by) in alerts {
                let enough = m.roster.observers_each() / 2 + 1;
                if by.len() * 2 >= enough && !verdict.remove.iter().any(|(it, _)| it == place) {
                    verdict.remove.push((*place, by.keys().copied().collect()));
                }
            }
        }
        verdict
    }

    /// The longest wait that the subjects in doubt are worth.
    fn doubt_wait(&self, verdict: &CutVerdict) -> Option<Duration> {
        let wait = |kind: &AccusationKind| match kind {
            AccusationKind::Silence => self.config.doubt_wait_silence,
            _ => self.config.doubt_wait_closed,
        };
        verdict.in_doubt.iter().map(|(_, kind)| wait(kind)).max()
    }

    /// Who is admitted with this change: as many as keep the unconfirmed below the confirmed, each
    /// with the member of its name that it replaces.
    fn joins(
        &mut self,
        removals: &BTreeMap<NodeId, Evidence>,
    ) -> Vec<(discovery_core::NodeInfo, Option<(NodeId, Evidence)>)> {
        let now = self.fx.now;
        let fresh = self.config.silence_limit / 4;
        let Life::Member(m) = &mut self.life else {
            return Vec::new();
        };
        let Some(lead) = &m.lead else {
            return Vec::new();
        };
        if m.leaving.is_some() && m.members() > 1 {
            return Vec::new();
        }
        let stays = |id: &&NodeId| !removals.contains_key(id) && !lead.leaves.contains(id);
        let confirmed = lead.confirmed.iter().filter(stays).count();
        let unconfirmed = lead.unconfirmed.keys().filter(stays).count();
        let mut room = confirmed
            .saturating_sub(1)
            .max(1)
            .saturating_sub(unconfirmed);
        if self.fx.bug(Bug::AllAtOnce) {
            room = usize::MAX;
        }
        let topology = m.log.topology();
        let mut names = BTreeSet::new();
        let mut joins = Vec::new();
        for node in lead.admission.ready(now, fresh, m.log.id()) {
            if joins.len() >= room {
                break;
            }
            if !names.insert(node.name().clone()) || topology.member(node.id()).is_some() {
                continue;
            }
            let taken = topology
                .named(node.name())
                .filter(|member| !removals.contains_key(&member.id()))
                .filter(|member| !lead.leaves.contains(&member.id()));
            let replaced = match taken {
                None => None,
                Some(member) => match replacement(&self.config, &member.info, &node) {
                    Some(evidence) => Some((member.id(), evidence)),
                    None => continue,
                },
            };
            joins.push((node, replaced));
        }
        joins
    }

    /// Whether the joins of a change that consists of nothing else had better wait for more.
    fn waits_for_joiners(&mut self, joins: usize) -> bool {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return false;
        };
        // As many as there is room for once everybody has confirmed.
        let enough = m.members().saturating_sub(1).max(1);
        let Some(lead) = &mut m.lead else {
            return false;
        };
        let Some(until) = lead.admission.gathers_until(now, joins, enough) else {
            return false;
        };
        self.fx.timers.set_by(Timer::Admission, until);
        true
    }

    /// Members dial whom no healthy member watches (CUT).
    fn appoint_probers(&mut self, verdict: &CutVerdict) {
        let now = self.fx.now;
        let me = self.me.id();
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let cut: BTreeSet<usize> = verdict.remove.iter().map(|(place, _)| *place).collect();
        let Some(mut lead) = m.lead.take() else {
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
            let healthy: Vec<NodeId> = (0..m.members())
                .filter(|other| other != place && !cut.contains(other))
                .filter(|other| !verdict.needs_probers.contains(other))
                .filter_map(|other| m.roster.node(other))
                .filter(|id| *id != me && self.fx.links.is_linked(*id))
                .take(PROBERS.0)
                .collect();
            let mut requests = BTreeMap::new();
            for prober in healthy {
                let request = PROBE_NUMBERS + lead.tick * 64 + requests.len() as u64;
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
        m.lead = Some(lead);
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

    /// Proposes messages that wait, as many as may be under way.
    fn propose_messages(&mut self) {
        let (entries_max, bytes_max) = (self.config.in_flight_max, self.config.in_flight_bytes_max);
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if !m.has_room(entries_max, bytes_max) {
            return;
        }
        let mut room = entries_max - m.log.tail().len();
        let mut bytes = bytes_max.saturating_sub(super::log::weight_of(m.log.tail()));
        let Some(lead) = &mut m.lead else {
            return;
        };
        let mut batch = Vec::new();
        while room > 0
            && let Some(next) = lead.leftovers.front().or(lead.queue.front())
        {
            let weight = super::log::weight_of([next]);
            if weight > bytes && !batch.is_empty() {
                break;
            }
            bytes = bytes.saturating_sub(weight);
            room -= 1;
            let taken = lead
                .leftovers
                .pop_front()
                .or_else(|| lead.queue.pop_front());
            batch.extend(taken);
        }
        if !batch.is_empty() {
            self.propose(batch);
        }
    }

    /// Somebody asked below what is kept: it lags too far to be caught up, and is removed, never
    /// skipped (SNAP).
    pub(super) fn lags(&mut self, who: NodeId, versions_behind: u64) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if self.fx.bug(Bug::LagSkippedBySnapshot) {
            let snapshot = m.log.snapshot();
            self.fx.send_to(who, Message::Snapshot(snapshot));
            return;
        }
        if let Some(lead) = &mut m.lead {
            lead.lagging.insert(who, versions_behind.max(1));
            self.coordinate();
        }
    }

    /// Tells once of each member that is accused for long without being removed.
    pub(super) fn note_contested(&mut self) {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if m.lead.is_none() {
            m.contested.clear();
            return;
        }
        let accused: BTreeSet<NodeId> = m
            .alerts
            .values()
            .flat_map(|said| said.accusations.iter().map(|(id, _, _)| *id))
            .collect();
        m.contested.retain(|id, _| accused.contains(id));
        let mut told = Vec::new();
        for id in accused {
            let (since, said) = m.contested.entry(id).or_insert((now, false));
            if !*said && now.since(*since) >= CONTESTED {
                *said = true;
                told.push(id);
            }
        }
        for id in told {
            if let Some(member) = m.log.topology().member(id) {
                self.fx.emit(Notice::Contested(member.info.clone()));
            }
        }
    }
}

impl Membership {
    /// Whether those that stay are a majority of the voting members.
    fn can_decide_without(&self, verdict: &CutVerdict) -> bool {
        let voters = self.roster.voters();
        let goes = |voter: &usize| verdict.remove.iter().any(|(place, _)| place == voter);
        voters.iter().filter(|voter| !goes(voter)).count() >= self.roster.majority()
    }

    /// Whom appointed members could not dial (CUT-8).
    fn unreachable(&self) -> OrderSet {
        let mut unreachable = self.roster.nobody();
        for (id, probing) in self.lead.iter().flat_map(|lead| &lead.probes) {
            let place = self
                .roster
                .index_of(*id)
                .filter(|_| probing.failed.len() >= PROBERS.1);
            place.map(|place| unreachable.insert(place));
        }
        unreachable
    }

    /// This coordinator itself, if it leaves and somebody stays who can go on (LEAVE): it goes with
    /// the last of a batch, so that the others' acceptance of its last change is all they need.
    fn departing(
        &self,
        leaves: &[NodeId],
        removals: &BTreeMap<NodeId, Evidence>,
    ) -> Option<NodeId> {
        self.leaving?;
        let me = self.roster.node(self.place)?;
        let goes = |id: NodeId| id == me || leaves.contains(&id) || removals.contains_key(&id);
        let members = self.log.topology().members();
        members
            .iter()
            .any(|member| member.votes() && !goes(member.id()))
            .then_some(me)
    }

    fn alerts_by_place(&self) -> Alerts {
        let mut alerts = Alerts::new();
        for (observer, said) in &self.alerts {
            let Some(observer) = self.roster.index_of(*observer) else {
                continue;
            };
            for (subject, kind, _) in &said.accusations {
                if let Some(subject) = self.roster.index_of(*subject) {
                    alerts.entry(subject).or_default().insert(observer, *kind);
                }
            }
        }
        alerts
    }

    fn accusation(&self, subject: NodeId, observer: NodeId) -> Option<Accusation> {
        let said = self.alerts.get(&observer)?;
        let (_, kind, at) = said.accusations.iter().find(|(id, _, _)| *id == subject)?;
        Some(Accusation {
            observer,
            kind: *kind,
            at: *at,
        })
    }

    /// Who said what of it; where its observers go with it, what they and the probers said.
    fn accused(&self, subject: NodeId, observers: &[usize]) -> Evidence {
        let observers = observers
            .iter()
            .filter_map(|place| self.roster.node(*place));
        let mut words: Vec<Accusation> = observers
            .filter_map(|id| self.accusation(subject, id))
            .collect();
        let probing = self
            .lead
            .as_ref()
            .and_then(|lead| lead.probes.get(&subject));
        if words.is_empty()
            && let Some(probing) = probing
        {
            words.extend(
                self.alerts
                    .keys()
                    .filter_map(|id| self.accusation(subject, *id)),
            );
            let at = words.first().map_or(UnixMillis(0), |word| word.at);
            let kind = AccusationKind::Closed;
            let failed = probing.failed.iter();
            words.extend(failed.map(|observer| Accusation {
                observer: *observer,
                kind,
                at,
            }));
        }
        Evidence::Accused(words)
    }
}
