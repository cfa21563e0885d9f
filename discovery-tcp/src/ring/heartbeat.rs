//! Heartbeats (CUT, TIME): a member shows life to those that watch it, and tells them what it heard
//! of theirs, what is decided and who coordinates.

use discovery_core::{NodeId, TopologyId};

use super::{Life, Ring};
use crate::message::{Heartbeat, Message};

/// The last heartbeat sent to a member, and the last heard from it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pulse {
    sent: u64,
    heard: u64,
    /// The topology in which the last one was said.
    pub(super) said_in: Option<TopologyId>,
}

impl Ring {
    pub(super) fn send_heartbeats(&mut self) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        // Whom this member watches watches it.
        for id in m.watch.subjects.keys().copied() {
            if !self.fx.links.is_linked(id) {
                continue;
            }
            let pulse = m.watch.pulses.entry(id).or_default();
            pulse.sent += 1;
            let heartbeat = Heartbeat {
                sequence: pulse.sent,
                echo: pulse.heard,
                topology: m.log.id(),
                watermark: m.watermark,
                tick: m.tick,
            };
            self.fx.send_to(id, Message::Heartbeat(heartbeat));
        }
    }

    pub(super) fn on_heartbeat(&mut self, from: NodeId, heartbeat: Heartbeat) {
        let now = self.fx.now;
        if self.learner_is_behind(from, heartbeat.topology) {
            return;
        }
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let pulse = m.watch.pulses.entry(from).or_default();
        pulse.heard = heartbeat.sequence;
        pulse.said_in = Some(heartbeat.topology);
        if let Some(subject) = m.watch.subjects.get_mut(&from) {
            subject.has_beaten = true;
            if subject.echo != heartbeat.echo {
                subject.echo = heartbeat.echo;
                subject.echo_at = now;
            }
        }
        self.heard_of(from, heartbeat);
    }

    /// The watermark and the tick of a heartbeat (DECIDE-6, TAKE).
    fn heard_of(&mut self, from: NodeId, heartbeat: Heartbeat) {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if heartbeat.topology != m.id() {
            self.meet_topology(from, heartbeat.topology);
            return;
        }
        let is_new = m.tick.term < heartbeat.tick.term;
        m.saw_tick(heartbeat.tick, now);
        if is_new {
            self.say(true);
        }
        let Life::Member(m) = &self.life else {
            return;
        };
        let mark = heartbeat.watermark;
        let lead = m.lead.as_ref().map(|lead| lead.term);
        if mark.position > m.log.decided() && lead != Some(mark.term) {
            self.deliver_to(mark.term, mark.position);
            let Life::Member(m) = &mut self.life else {
                return;
            };
            if m.log.decided() < mark.position {
                self.fetch_from(from);
            }
        }
    }
}
