//! Accusations (CUT): what this member holds against subjects, told to the eldest, and what others
//! tell it. Which of them make a cut is judged in `cut.rs`.

use discovery_core::{AccusationKind, NodeId, NodeInfo, UnixMillis};

use super::member::{Membership, Said};
use super::timers::Timer;
use super::watch::{REDIAL, Subject, SubjectState};
use super::{Life, Ring};
use crate::config::RingConfig;
use crate::message::{Alert, Message};
use crate::moment::Moment;

/// How many of the eldest are told of accusations, and as many more as are out of reach (CUT): few
/// rounds of dials get past a whole zone that is lost.
const TOLD: usize = 3;

impl Ring {
    pub(super) fn accuse(&mut self, node: NodeId, kind: AccusationKind) {
        let wall = self.fx.wall();
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(subject) = m.watch.subjects.get_mut(&node) else {
            return;
        };
        if let SubjectState::Accused(before, _) = subject.state
            && before <= kind
        {
            return;
        }
        subject.state = SubjectState::Accused(kind, wall);
        subject.tries = 0;
        self.fx.counters.accusations += 1;
        let pause = self.fx.jitter(REDIAL.0);
        self.fx.after(Timer::Subject(node), pause);
        self.say(false);
        if kind == AccusationKind::Replaced {
            self.recover_at_once_if_replaced();
        }
    }

    /// Tells the eldest that are not doubted here whom this node accuses (CUT). `again` tells that
    /// nothing changed since.
    pub(super) fn say(&mut self, again: bool) {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let accusations = m.own_accusations();
        let me = self.me.id();
        let silent_before = m
            .alerts
            .get(&me)
            .is_none_or(|said| said.accusations.is_empty());
        if accusations.is_empty() && (again || silent_before) {
            return;
        }
        let said = Said {
            accusations: accusations.clone(),
            heard_at: now,
        };
        m.alerts.insert(me, said);
        let targets: Vec<NodeInfo> = m.alert_targets(me);
        let coordinator = m.heeding_coordinator(now, &self.config, &targets);
        let alert = Alert {
            topology: m.log.id(),
            accusations,
        };
        for node in targets {
            if node.id() == me {
                continue;
            }
            let sent = self.fx.send_to(node.id(), Message::Alert(alert.clone()));
            if !sent && coordinator.is_none_or(|id| id == node.id()) {
                self.fx.ensure_link(&node, 0);
            }
        }
        if !again {
            self.weigh_alerts();
        }
    }

    /// Repeats the accusations to one of the eldest, once a link to it is open.
    pub(super) fn say_to(&mut self, node: NodeId) {
        let me = self.me.id();
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let accusations = m.own_accusations();
        if accusations.is_empty() || !m.alert_targets(me).iter().any(|to| to.id() == node) {
            return;
        }
        let alert = Alert {
            topology: m.log.id(),
            accusations,
        };
        self.fx.send_to(node, Message::Alert(alert));
    }

    /// A member could not be dialled: who is told and who stands is looked for beyond it (D7).
    pub(super) fn count_as_out_of_reach(&mut self, node: NodeId) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let is_member = m.topology().member(node).is_some();
        if !is_member || self.fx.links.is_linked(node) || !m.out_of_reach.insert(node) {
            return;
        }
        self.say(true);
        self.consider_takeover();
    }

    pub(super) fn on_alert(&mut self, from: NodeId, mut alert: Alert) {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let counts = m.topology().member(from).is_some();
        if alert.topology != m.id() {
            self.meet_topology(from, alert.topology);
        }
        if !counts {
            return;
        }
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let topology = m.log.topology();
        if alert.topology <= topology.id() {
            // Who is removed here is accused no more; nobody would take that back.
            let is_member = |id: NodeId| topology.member(id).is_some();
            alert.accusations.retain(|(id, _, _)| is_member(*id));
        }
        let said = Said {
            accusations: alert.accusations,
            heard_at: now,
        };
        m.alerts.insert(from, said);
        self.weigh_alerts();
    }

    fn weigh_alerts(&mut self) {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if m.lead.is_some() {
            // Also while nothing may be proposed.
            m.note_accused(now);
            self.coordinate();
        } else {
            self.consider_takeover();
        }
    }
}

impl Membership {
    pub(super) fn own_accusations(&self) -> Vec<(NodeId, AccusationKind, UnixMillis)> {
        let accused = |(id, subject): (&NodeId, &Subject)| match subject.state {
            SubjectState::Accused(kind, since) => Some((*id, kind, since)),
            SubjectState::Well | SubjectState::Redialling => None,
        };
        self.watch.subjects.iter().filter_map(accused).collect()
    }

    /// Whether this node accuses a member, or cannot reach it.
    pub(super) fn doubts(&self, id: NodeId) -> bool {
        self.accuses(id) || self.out_of_reach.contains(&id)
    }

    fn accuses(&self, id: NodeId) -> bool {
        let subject = self.watch.subjects.get(&id);
        subject.is_some_and(|subject| matches!(subject.state, SubjectState::Accused(..)))
    }

    /// The coordinator, if it is enough to tell it alone (CUT): its last tick is not late, and nobody
    /// is accused who stands before one of these that may have to take over from it.
    fn heeding_coordinator(
        &self,
        now: Moment,
        config: &RingConfig,
        targets: &[NodeInfo],
    ) -> Option<NodeId> {
        let coordinator = self.coordinator()?.id();
        let is_late = now.since(self.tick_at) > config.silence_limit * 3 / 4;
        if is_late || self.doubts(coordinator) {
            return None;
        }
        let place = |node: &NodeInfo| self.roster.index_of(node.id());
        let youngest = targets.iter().filter_map(place).max()?;
        let accuses = |(id, subject): (&NodeId, &Subject)| {
            matches!(subject.state, SubjectState::Accused(..))
                && self.roster.index_of(*id).is_some_and(|it| it <= youngest)
        };
        let elder_accused = self.watch.subjects.iter().any(accuses);
        (!elder_accused).then_some(coordinator)
    }

    /// The eldest that this node does not doubt; itself may be one of them.
    fn alert_targets(&self, me: NodeId) -> Vec<NodeInfo> {
        let mut targets: Vec<NodeInfo> = self
            .topology()
            .members()
            .iter()
            .filter(|member| member.id() == me || !self.doubts(member.id()))
            .take(TOLD + self.out_of_reach.len())
            .map(|member| member.info.clone())
            .collect();
        // The coordinator need not be among the eldest, and a dial of it that failed not the last.
        if let Some(coordinator) = self.coordinator()
            && !self.accuses(coordinator.id())
            && !targets.iter().any(|node| node.id() == coordinator.id())
        {
            targets.push(coordinator.clone());
        }
        targets
    }
}
