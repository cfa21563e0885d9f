//! A recovery that is forced (RECOVER-8, RECOVER-9): by an operator's word, or because no quorum is
//! asked for, those that answer go on as a cluster of their own.

use std::time::Duration;

use discovery_core::{ClusterId, Epoch, Evidence, NodeId};

use super::decide::step_down;
use super::observation::Observation;
use super::output::Notice;
use super::recover::LOOK;
use super::timers::Timer;
use super::{Life, Ring};
use crate::message::{Message, RecoverAsk};

/// How long a forced recovery waits for those that can answer.
pub(super) const FORCED_WAIT: Duration = Duration::from_secs(2);

impl Ring {
    /// An operator's word, or `quorum = none`: a cluster of its own with those that answer.
    pub(super) fn force(&mut self) {
        let now = self.fx.now;
        let me = self.me.id();
        let Life::Member(m) = &mut self.life else {
            self.refuse("not a member");
            return;
        };
        if m.quorum {
            self.refuse("there is a quorum; nothing has to be recovered");
            return;
        }
        let Some(order) = m.log.topology().member(me).map(|member| member.order) else {
            return;
        };
        let Some(term) = m.term_above(order) else {
            return;
        };
        step_down(m);
        m.survivor.over();
        m.survivor.number = self.fx.next_round();
        m.log.promise(term);
        self.fx.observe(|| Observation::Promised { term });
        m.survivor.term = Some(term);
        let cluster = ClusterId::from_u128(self.fx.draw_u128());
        m.survivor.forced = Some((cluster, now));
        let linked = |id: &NodeId| self.fx.links.is_linked(*id);
        let to: Vec<NodeId> = m
            .others()
            .map(|(_, node)| node.id())
            .filter(linked)
            .collect();
        let ask = RecoverAsk {
            round: m.survivor.number,
            resource_version: None,
            topology: m.log.id(),
            decided: m.log.decided(),
            order,
            term,
            forced: Some(cluster),
        };
        for id in to {
            self.fx.send_to(id, Message::RecoverAsk(ask.clone()));
        }
        self.fx.after(Timer::Recovery, FORCED_WAIT);
        self.look_after_recovery();
    }

    fn refuse(&mut self, why: &str) {
        self.fx.emit(Notice::Refused {
            why: why.to_owned(),
        });
    }

    /// The wait of a forced recovery is over, or everybody linked has promised.
    pub(super) fn conclude_forced(&mut self) {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let (Some((cluster, since)), Some(term)) = (m.survivor.forced, m.survivor.term) else {
            return;
        };
        let promised = |id: &NodeId| m.survivor.promises.contains_key(id);
        let linked = |id: &NodeId| self.fx.links.is_linked(*id);
        let others: Vec<NodeId> = m.others().map(|(_, node)| node.id()).collect();
        let all = others.iter().all(|id| promised(id) || !linked(id));
        if !all && now.since(since) < FORCED_WAIT {
            self.fx.within(Timer::Recovery, LOOK);
            return;
        }
        if m.log.promised() != term {
            self.fail_recovery("a higher term was promised meanwhile");
            return;
        }
        let gone = others
            .into_iter()
            .filter(|id| !promised(id))
            .map(|id| (id, Evidence::AbsentFromRecovery))
            .collect();
        // Above every epoch known; the clock only where no listing could ever be compared (P9).
        let epoch = if self.authoritative {
            Epoch(self.floor.epoch.0.saturating_add(1))
        } else {
            self.clock_epoch()
        };
        self.open_epoch(term, gone, epoch, Some(cluster));
    }
}
