//! A decided topology takes effect: who is in, who is told, who goes on leading.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use discovery_core::{
    Message as DeliveredMessage, NodeId, Published, SnapshotCause, Standing, TopologyEvent,
};

use super::decide::Told;
use super::gather::Gather;
use super::log::Log;
use super::member::{Lead, Membership, Publishing, REMOVED_MAX};
use super::output::Notice;
use super::planted::Bug;
use super::recover::Survivor;
use super::roster::Roster;
use super::takeover::Takeover;
use super::timers::Timer;
use super::watch::Watch;
use super::{Life, Ring};
use crate::config::RingConfig;
use crate::message::{Message, Position, PublishedMessage, Tick, Watermark};
use crate::moment::Moment;

impl Ring {
    /// The first topology of this node id: founded here, or learned with a snapshot.
    pub(super) fn become_member(&mut self, log: Log, cause: SnapshotCause) {
        let now = self.fx.now;
        let topology = log.topology().clone();
        let roster = Roster::new(&topology);
        let Some(place) = roster.index_of(self.me.id()) else {
            return;
        };
        self.fx.timers.clear_life();
        self.end_attempt();
        self.fx.counters.installs += 1;
        // What was learned whole is nobody's count: no pair is passed on until one is (DECIDE-6).
        let watermark = Watermark {
            term: topology.term(),
            position: Position(0),
        };
        let membership = Membership {
            log,
            roster,
            place,
            lead: None,
            takeover: Takeover::default(),
            tree_from: now + self.config.settle,
            watermark,
            tick: Tick {
                term: topology.term(),
                count: 0,
            },
            tick_at: now,
            watch: Watch::default(),
            alerts: BTreeMap::new(),
            out_of_reach: BTreeSet::new(),
            gather: Gather::default(),
            fetched: None,
            publishing: Publishing::default(),
            leaving: None,
            quorum: true,
            quorum_lost_at: None,
            survivor: Survivor::default(),
            removed: std::collections::VecDeque::new(),
            accused: BTreeMap::new(),
            joined_at: now,
            knocked_at: None,
        };
        let position = membership.log.decided().0;
        self.life = Life::Member(Box::new(membership));
        self.floor.know(&topology);
        self.fx.emit(Notice::Installed {
            topology: topology.clone(),
            cause,
            position,
        });
        self.stands(Standing::Member { topology });
        self.watch_members();
        self.tell_rumours_soon();
        let beat = self.fx.jitter(self.config.silence_limit / 4);
        self.fx.after(Timer::Beat, beat);
        let probe = self.fx.jitter(self.config.probe_interval);
        self.fx.after(Timer::Probe, probe);
        self.watch_seeds_as_needed();
    }

    /// A decided change is in force (DECIDE-7, DECIDE-8 were done by the log).
    pub(super) fn install(&mut self, event: TopologyEvent, position: Position, told: Told) {
        // Acceptances of the old topology go up while its bitmaps still mean something.
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        // Out of reach while the topology changes under it.
        let led = m.lead.take();
        m.adopt_topology(&event, now, &self.config, led.is_some());
        self.fx.counters.installs += 1;
        self.floor.know(&event.topology);
        let epoch_changed = event.epoch_changed;
        let gone: Vec<NodeId> = event
            .left
            .iter()
            .chain(event.failed.iter().map(|(member, _)| member))
            .map(discovery_core::Member::id)
            .collect();
        self.fx.emit(Notice::Changed(event));
        let Some(place) = m.roster.index_of(self.me.id()) else {
            if led.is_some() && told == Told::Counted {
                self.tell_the_rest();
            }
            self.gone_by_decision();
            return;
        };
        m.place = place;
        if epoch_changed {
            self.forget_publications();
        }
        self.watch_members();
        self.regain_quorum();
        match led {
            Some(mut lead) if told == Told::Counted => {
                self.tell_the_removed(&gone);
                self.tell_learners(&mut lead, position);
                // Who recovers is promised its term by every member of the new topology.
                let promised = position > lead.reproposed_to || lead.recovery.is_some();
                if promised || self.fx.bug(Bug::NoNewPromises) {
                    self.lead_on(lead, position);
                } else {
                    // A re-proposed change: its new members promised nothing yet (TAKE).
                    self.let_joiners_go(&lead);
                    self.stand(true);
                }
            }
            Some(lead) if self.fx.bug(Bug::LeadsOnOverInstall) => self.lead_on(lead, position),
            Some(lead) => {
                self.let_joiners_go(&lead);
                self.consider_takeover();
            }
            None => self.consider_takeover(),
        }
        self.watch_seeds_as_needed();
    }

    /// A coordinator that goes with its last change tells everybody that stays (LEAVE).
    fn tell_the_rest(&mut self) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let others: Vec<NodeId> = m
            .topology()
            .members()
            .iter()
            .map(discovery_core::Member::id)
            .collect();
        self.tell_the_removed(&others);
    }

    /// The coordinator tells those that a change removed; they are not in the tree any more.
    fn tell_the_removed(&mut self, gone: &[NodeId]) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let before = Position(m.log.decided().0.saturating_sub(1));
        let Some(news) = m.log.decided_after(before) else {
            return;
        };
        let news = Arc::new(Message::Decided(news));
        for id in gone {
            self.fx.send_shared_to(*id, &news);
        }
    }

    /// The coordinator tells those that have a snapshot what was decided since, among them those
    /// whom it admits.
    fn tell_learners(&mut self, lead: &mut Lead, position: Position) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let before = Position(position.0.saturating_sub(1));
        let Some(news) = m.log.decided_after(before) else {
            return;
        };
        let news = Arc::new(Message::Decided(news));
        for id in lead.admission.learners() {
            self.fx.send_shared_to(id, &news);
        }
        lead.admission.admitted(m.log.topology());
    }

    /// Joiners were waiting for a coordinator that stops: they are told to ask again.
    fn let_joiners_go(&mut self, lead: &Lead) {
        for id in lead.admission.everybody() {
            self.answer_join(id, super::join_verdict::again());
        }
    }

    pub(super) fn deliver_message(&mut self, message: PublishedMessage, position: Position) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let topology = m.id();
        let PublishedMessage {
            publisher,
            sequence,
            topic,
            payload,
        } = message;
        let mut done = Vec::new();
        if publisher == self.me.id() {
            while let Some(first) = m.publishing.pending.front()
                && first.sequence <= sequence
            {
                done.push((first.request, first.sequence == sequence));
                m.publishing.pending.pop_front();
            }
        }
        let place = position.0;
        let delivered = DeliveredMessage::new(topic, payload, publisher, topology, place);
        self.fx.emit(Notice::Message(delivered));
        for (request, decided) in done {
            let result = if decided {
                Ok(Published::new(topology, place))
            } else {
                let why = "a later message of this node was decided before it".into();
                Err(discovery_core::PublishError::OutcomeUnknown { why })
            };
            self.fx.emit(Notice::Published { request, result });
        }
    }
}

impl Membership {
    /// Everything that belonged to the topology before is void; who was removed is remembered.
    fn adopt_topology(
        &mut self,
        event: &TopologyEvent,
        now: Moment,
        config: &RingConfig,
        leads: bool,
    ) {
        let before = std::mem::replace(&mut self.roster, Roster::new(&event.topology));
        let fan_out = config.fan_out;
        let me = before
            .node(self.place)
            .filter(|_| leads && self.tree_from <= now);
        if !me.is_some_and(|me| self.roster.keeps_tree_of(&before, me, fan_out)) {
            self.tree_from = now + config.settle;
        }
        for (member, _) in &event.failed {
            self.removed.push_back(member.id());
        }
        self.removed
            .extend(event.left.iter().map(discovery_core::Member::id));
        while self.removed.len() > REMOVED_MAX {
            self.removed.pop_front();
        }
        self.gather = Gather::default();
        self.takeover.changed();
        self.tick_at = now;
        let is_member = |id: &NodeId| event.topology.member(*id).is_some();
        self.alerts.retain(|id, _| is_member(id));
        for said in self.alerts.values_mut() {
            said.accusations.retain(|(id, _, _)| is_member(id));
        }
        self.out_of_reach
            .retain(|id| event.topology.member(*id).is_some());
        self.accused
            .retain(|id, _| event.topology.member(*id).is_some());
        self.survivor.over();
        if event.topology.cluster_id() != event.previous.cluster_id {
            self.survivor.parent = Some(event.previous.cluster_id);
        }
    }
}
