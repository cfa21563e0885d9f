//! The links of a member (CUT, SPREAD): those that the topology asks for are opened, those that
//! nobody needs are closed.

use std::time::Duration;

use discovery_core::NodeId;

use super::member::{Membership, SMALL};
use super::timers::Timer;
use super::watch::SubjectState;
use super::{Life, Ring};
use crate::message::CloseReason;
use crate::moment::Moment;

/// Links that nothing needed for so long are closed.
const IDLE: Duration = Duration::from_secs(10);
/// How long the older of a pair leaves it to the newer to dial.
pub(super) const OLDER_WAITS: Duration = Duration::from_millis(100);
/// Members that are dialled at a time; after a mass start everybody dials.
const DIALS_MAX: usize = 4;
/// How soon the next of them are.
const CROWDED: Duration = Duration::from_millis(10);

impl Ring {
    /// Opens the links that the topology asks for, closes those that nobody needs.
    pub(super) fn tend(&mut self) {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if now < m.watch.tends_at {
            self.fx.timers.set_by(Timer::Tend, m.watch.tends_at);
            return;
        }
        m.watch.untended_since = None;
        let mine = m.place;
        let needed = m.needed(self.config.fan_out);
        let waits = now.since(m.watch.tends_at) < OLDER_WAITS;
        let mut missing = false;
        let mut wanted = Vec::new();
        for place in &needed {
            let Some(node) = m.roster.info(*place) else {
                continue;
            };
            if self.fx.links.is_linked(node.id()) {
                continue;
            }
            missing = true;
            let subject = m.watch.subjects.get(&node.id());
            let handled = subject.is_some_and(|subject| subject.state != SubjectState::Well);
            if !handled && (mine > *place || !waits) {
                wanted.push(node.clone());
            }
        }
        let ids: Vec<NodeId> = needed
            .iter()
            .filter_map(|place| m.roster.node(*place))
            .collect();
        let room = DIALS_MAX.saturating_sub(self.fx.links.dialling_members());
        let crowded = wanted.len() > room;
        for node in wanted.iter().take(room) {
            self.fx.ensure_link(node, 0);
        }
        self.close_idle(&ids);
        if missing {
            let pause = if crowded { CROWDED } else { OLDER_WAITS };
            self.fx.within(Timer::Tend, pause);
        }
    }

    fn close_idle(&mut self, needed: &[NodeId]) {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let busy = |id: NodeId| {
            needed.contains(&id)
                || m.lead.as_ref().is_some_and(|lead| lead.admission.knows(id))
                || m.survivor.is_asking()
        };
        let idle: Vec<_> = self
            .fx
            .links
            .iter()
            .filter(|(_, link)| now.since(link.used_at) >= IDLE)
            .filter_map(|(id, link)| Some((id, link.other_end()?.node.id())))
            .filter(|(id, node)| !busy(*node) || self.fx.links.to(*node) != Some(*id))
            .map(|(id, _)| id)
            .collect();
        for link in idle {
            self.fx.close(link, CloseReason::Idle);
        }
    }
}

impl Membership {
    /// Sets when the links of the topology that was installed now are opened: soon, but in a mass
    /// start the next topology is milliseconds away, asks for other links, and wants the cores.
    pub(super) fn put_off_links(&mut self, now: Moment, settle: Duration, limit: Duration) {
        let members = self.members();
        let growth = members.saturating_sub(self.watch.members);
        let is_mass_start = members > SMALL && growth * 4 >= self.watch.members;
        // Not everybody at the same moment.
        let pause = if is_mass_start {
            settle * 4 + settle * u32::try_from(self.place % 16).unwrap_or(0) / 8
        } else {
            settle / 2
        };
        let since = *self.watch.untended_since.get_or_insert(now);
        self.watch.members = members;
        // Whoever dies meanwhile is not to stay for much longer than otherwise (P8).
        self.watch.tends_at = (now + pause.min(limit / 2)).min(since + limit);
    }

    /// The places that this node needs links to: those it watches, those that watch it, and its
    /// neighbours in the tree.
    fn needed(&self, fan_out: usize) -> Vec<usize> {
        let subjects = self.watch.subjects.keys();
        let mut needed: Vec<usize> = subjects
            .filter_map(|id| self.roster.index_of(*id))
            .collect();
        let root = self
            .coordinator()
            .and_then(|node| self.roster.index_of(node.id()));
        if let Some(root) = root {
            let nobody = self.roster.nobody();
            needed.extend(self.roster.parent(root, self.place, &nobody, fan_out));
            needed.extend(self.roster.children(root, self.place, &nobody, fan_out));
        }
        needed.sort_unstable();
        needed.dedup();
        needed.retain(|place| *place != self.place);
        needed
    }
}
