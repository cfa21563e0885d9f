//! The links of a member (CUT, SPREAD): those that the topology asks for are opened, those that
//! nobody needs are closed.

use std::time::Duration;

use discovery_core::NodeId;

use super::member::Membership;
use super::timers::Timer;
use super::watch::SubjectState;
use super::{Life, Ring};
use crate::message::CloseReason;

/// Links that nothing needed for so long are closed.
const IDLE: Duration = Duration::from_secs(10);
/// How long the older of a pair leaves it to the newer to dial.
const OLDER_WAITS: Duration = Duration::from_millis(100);

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
        for node in wanted {
            self.fx.ensure_link(&node, 0);
        }
        self.close_idle(&ids);
        if missing {
            self.fx.within(Timer::Tend, OLDER_WAITS);
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
    /// The places that this node needs links to: those it watches, those that watch it, and its
    /// neighbours in the tree.
    fn needed(&self, fan_out: usize) -> Vec<usize> {
        let mut needed: Vec<usize> = self.roster.observers(self.place).collect();
        needed.extend(self.roster.subjects(self.place));
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
