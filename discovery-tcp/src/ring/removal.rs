//! Whom the coordinator removes with the next change, and why: cuts, the operator's words, who lags
//! and who never confirmed (CUT, SNAP, JOIN). What else goes into a change is in `change.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use discovery_core::{Accusation, AccusationKind, Evidence, NodeId, NodeInfo, UnixMillis};

use super::cut::{self, Alerts, CutVerdict};
use super::member::{Accused, Doubt, Lead, Membership};
use super::output::Notice;
use super::planted::Bug;
use super::timers::Timer;
use super::{Life, Ring};
use crate::message::Message;
use crate::moment::Moment;

/// A subject accused for so long without being removed is told of.
pub(super) const CONTESTED: Duration = Duration::from_secs(10);

impl Ring {
    /// Whom to remove now, and why; nothing at all while it is worth waiting for others in doubt.
    pub(super) fn removals(&mut self) -> Option<BTreeMap<NodeId, Evidence>> {
        let now = self.fx.now;
        let me = self.me.id();
        let Life::Member(m) = &mut self.life else {
            return None;
        };
        m.note_accused(now);
        let alerts = m.alerts_by_place();
        let verdict = self.judged(&alerts);
        if self.waits_for_doubted(&verdict, &alerts) {
            return None;
        }
        let Life::Member(m) = &mut self.life else {
            return None;
        };
        let mut removals = m.cut(&verdict);
        let lead = m.lead.as_ref()?;
        removals.extend(lead.removals_beside_cuts(now, self.config.silence_limit));
        let topology = m.log.topology();
        removals.retain(|id, _| topology.member(*id).is_some() && *id != me);
        self.appoint_probers(&verdict);
        Some(removals)
    }

    fn judged(&self, alerts: &Alerts) -> CutVerdict {
        let Life::Member(m) = &self.life else {
            return CutVerdict::default();
        };
        let unreachable = m.unreachable(self.fx.now, self.config.silence_limit);
        let mut verdict = cut::judge(&m.roster, alerts, &unreachable);
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
                let enough = m.roster.observers(*place).count() / 2 + 1;
                if all.len() >= enough && !verdict.remove.iter().any(|(it, _)| it == place) {
                    verdict.remove.push((*place, all.into_iter().collect()));
                }
            }
        }
        if self.fx.bug(Bug::AlertCountedTwice) {
            for (place, by) in alerts {
                let enough = m.roster.observers(*place).count() / 2 + 1;
                if by.len() * 2 >= enough && !verdict.remove.iter().any(|(it, _)| it == place) {
                    verdict.remove.push((*place, by.keys().copied().collect()));
                }
            }
        }
        verdict
    }

    /// Whether a cut waits (CUT-4): for members in doubt, until nothing new was said for as long as
    /// they are worth, and for whoever nobody accused a moment ago; not for ever.
    fn waits_for_doubted(&mut self, verdict: &CutVerdict, alerts: &Alerts) -> bool {
        let now = self.fx.now;
        let wait = self.doubt_wait(verdict);
        let fresh = self.fresh_until(verdict, alerts);
        let longest = wait.unwrap_or_default().max(self.config.silence_limit / 8);
        let words = alerts.values().map(BTreeMap::len).sum();
        let Life::Member(m) = &mut self.life else {
            return false;
        };
        let Some(lead) = &mut m.lead else {
            return false;
        };
        if verdict.remove.is_empty() || wait.is_none() && fresh.is_none() {
            lead.doubt = None;
            return false;
        }
        let doubt = lead.doubt.get_or_insert(Doubt {
            since: now,
            said_at: now,
            words,
        });
        if words > doubt.words {
            (doubt.words, doubt.said_at) = (words, now);
        }
        let said = wait.map(|wait| doubt.said_at + wait);
        let Some(until) = said.max(fresh).map(|at| at.min(doubt.since + longest)) else {
            return false;
        };
        if now < until {
            self.fx.timers.set(Timer::Doubt, until);
        }
        now < until
    }

    /// Until when others may follow who began to accuse somebody that stays.
    fn fresh_until(&self, verdict: &CutVerdict, alerts: &Alerts) -> Option<Moment> {
        let Life::Member(m) = &self.life else {
            return None;
        };
        let stays = |place: &&usize| !verdict.remove.iter().any(|(it, _)| it == *place);
        let staying = alerts.keys().filter(stays);
        let ids = staying.filter_map(|place| m.roster.node(*place));
        let since = ids.filter_map(|id| m.accused.get(&id)).map(|it| it.since);
        let until = since.max()? + self.config.doubt_wait_closed;
        (self.fx.now < until).then_some(until)
    }

    /// The longest wait that the subjects in doubt are worth.
    fn doubt_wait(&self, verdict: &CutVerdict) -> Option<Duration> {
        let wait = |kind: &AccusationKind| match kind {
            AccusationKind::Silence => self.config.doubt_wait_silence,
            _ => self.config.doubt_wait_closed,
        };
        verdict.in_doubt.iter().map(|(_, kind)| wait(kind)).max()
    }

    /// Somebody asked below what is kept: it lags too far to be caught up, and is removed, never
    /// skipped (SNAP). Not if it has accepted what is kept: its ask took long, and others answered
    /// it meanwhile.
    pub(super) fn lags(&mut self, who: NodeId, versions_behind: u64) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if self.fx.bug(Bug::LagSkippedBySnapshot) {
            let snapshot = m.log.snapshot();
            self.fx.send_to(who, Message::Snapshot(snapshot));
            return;
        }
        let voters = m.roster.voters();
        let can_accept = |(place, node): &(usize, &NodeInfo)| {
            node.id() != who && voters.contains(*place) && self.fx.links.is_linked(node.id())
        };
        if 1 + m.others().filter(can_accept).count() < m.roster.majority() {
            // Its acceptance is needed, and can never come: it starts anew by itself (SNAP-3).
            let snapshot = m.log.snapshot();
            self.fx.send_to(who, Message::Snapshot(snapshot));
            return;
        }
        let place = m.roster.index_of(who);
        let Some((lead, place)) = m.lead.as_mut().zip(place) else {
            return;
        };
        if !m.log.keeps_after(lead.accepted[place].0) {
            let lag = (self.fx.now, versions_behind.max(1));
            lead.lagging.entry(who).or_insert(lag);
        }
    }

    /// Tells once of each member that is accused for long without being removed.
    pub(super) fn note_contested(&mut self) {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        m.note_accused(now);
        let mut told = Vec::new();
        for (id, accused) in &mut m.accused {
            if !accused.told && now.since(accused.since) >= CONTESTED {
                accused.told = true;
                told.push(*id);
            }
        }
        for id in told {
            if let Some(member) = m.log.topology().member(id) {
                self.fx.emit(Notice::Contested(member.info.clone()));
            }
        }
    }
}

impl Lead {
    /// Whom to remove by the operator's word, for its lag, or because it never confirmed its join.
    fn removals_beside_cuts(
        &self,
        now: Moment,
        limit: Duration,
    ) -> impl Iterator<Item = (NodeId, Evidence)> {
        let operator = self.operator.iter().map(|(id, reason)| {
            let reason = reason.clone();
            (*id, Evidence::Operator { reason })
        });
        // What it accepted since it asked may be right behind its ask.
        let is_certain = move |(since, _): &(Moment, u64)| now.since(*since) >= limit / 8;
        let lagging = self.lagging.iter().filter(move |(_, lag)| is_certain(lag));
        let lagging = lagging.map(|(id, (_, versions_behind))| {
            let versions_behind = *versions_behind;
            (*id, Evidence::Lag { versions_behind })
        });
        let unconfirmed = self.unconfirmed.iter();
        let is_late = move |since: &Moment| now.since(*since) > limit * 3;
        let late = unconfirmed.filter(move |(_, (since, _, _))| is_late(since));
        let late = late.map(|(id, (_, admitted_at, _))| {
            let admitted_at = *admitted_at;
            (*id, Evidence::NeverConfirmed { admitted_at })
        });
        operator.chain(lagging).chain(late)
    }
}

impl Membership {
    /// Keeps since when each member is accused, for whoever coordinates.
    pub(super) fn note_accused(&mut self, now: Moment) {
        if self.lead.is_none() {
            self.accused.clear();
            return;
        }
        let said = self.alerts.values().flat_map(|said| &said.accusations);
        let ids: BTreeSet<NodeId> = said.map(|(id, _, _)| *id).collect();
        self.accused.retain(|id, _| ids.contains(id));
        for id in ids {
            let new = Accused {
                since: now,
                told: false,
            };
            self.accused.entry(id).or_insert(new);
        }
    }

    /// Who goes with a cut. One that only those it removes could accept is none: the quorum is lost
    /// (RECOVER).
    fn cut(&self, verdict: &CutVerdict) -> BTreeMap<NodeId, Evidence> {
        if !self.can_decide_without(verdict) {
            return BTreeMap::new();
        }
        let goes = verdict.remove.iter().filter_map(|(place, observers)| {
            let id = self.roster.node(*place)?;
            Some((id, self.accused(id, observers)))
        });
        goes.collect()
    }

    /// Whether those that stay are a majority of the voting members.
    fn can_decide_without(&self, verdict: &CutVerdict) -> bool {
        let voters = self.roster.voters();
        let goes = |voter: &usize| verdict.remove.iter().any(|(place, _)| place == voter);
        voters.iter().filter(|voter| !goes(voter)).count() >= self.roster.majority()
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
