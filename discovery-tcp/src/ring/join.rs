//! The newcomer's side of joining (JOIN): asking a member, learning, becoming one.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use discovery_core::{NodeId, SnapshotCause, TopologyId};

use super::catch_up::is_of_an_older;
use super::input::LinkId;
use super::links::Purpose;
use super::log::Log;
use super::planted::Bug;
use super::timers::Timer;
use super::{Life, Ring};
use crate::message::{
    Decided, Fetch, Join, JoinAnswer, JoinVerdict, MemberHint, Message, PhaseKind, Snapshot,
    SnapshotAck,
};
use crate::moment::Moment;

/// First and longest pause between two requests.
pub(super) const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// Pause after a refusal that somebody has to mend.
pub(super) const REFUSED: Duration = Duration::from_secs(30);

/// How long a coordinator that did not answer is left alone, though others name it.
const REDIRECTED_AGAIN: Duration = Duration::from_millis(500);

/// How often it is sent from one to another before it looks around anew.
const REDIRECTED_MAX: u32 = 32;

/// A newcomer's attempt to be admitted.
#[derive(Debug, Default)]
pub(super) struct Joining {
    target: Option<MemberHint>,
    /// Those of its addresses that could not be dialled.
    unreachable: BTreeSet<SocketAddr>,
    attempt: u32,
    /// How often it was sent on to somebody else without any other answer.
    redirected: u32,
    /// The log as far as it was learned; one node id takes one snapshot (P5).
    pub(super) learner: Option<Log>,
    pub(super) learner_from: Option<NodeId>,
    /// It asked for what follows on its snapshot and has not heard it.
    fetching: bool,
    heard_at: Moment,
    /// Since when it was told nothing but to ask again, and who was asked last for that reason.
    put_off: Option<(Moment, NodeId)>,
}

impl Joining {
    pub(super) fn is_under_way(&self) -> bool {
        self.target.is_some()
    }

    fn aim_at(&mut self, member: MemberHint) {
        self.target = Some(member);
        self.unreachable.clear();
    }

    /// Being sent on is counted until anything else is answered, being put off until it is taken, or
    /// told what keeps it out.
    fn count(&mut self, verdict: &JoinVerdict) {
        match verdict {
            JoinVerdict::Redirect { .. } => {}
            JoinVerdict::NotNow { .. } => self.redirected = 0,
            JoinVerdict::Queued { .. }
            | JoinVerdict::Refused { .. }
            | JoinVerdict::NameTaken { .. }
            | JoinVerdict::Unreachable { .. } => {
                self.redirected = 0;
                self.put_off = None;
            }
        }
    }

    /// The next of the target's addresses to dial; none once all of them have failed.
    fn next_address(&self) -> Option<SocketAddr> {
        let mut addresses = self.target.iter().flat_map(|target| &target.addresses);
        addresses.find(|to| !self.unreachable.contains(to)).copied()
    }
}

impl Ring {
    /// There is a member somewhere: formation ends, joining begins (FORM-1).
    pub(super) fn hear_of_member(&mut self, member: MemberHint) {
        let now = self.fx.now;
        self.hearsay.member = Some(member.clone());
        let Life::Newcomer(newcomer) = &mut self.life else {
            return;
        };
        if newcomer.join.target.is_some() || now < newcomer.not_before {
            return;
        }
        newcomer.join.aim_at(member);
        newcomer.join.heard_at = now;
        self.void_round();
        self.pursue_join();
    }

    /// Asks the member again, over a link or a new one.
    pub(super) fn pursue_join(&mut self) {
        let now = self.fx.now;
        let listed = self.sees_itself_listed();
        let limit = self.config.silence_limit;
        let Life::Newcomer(newcomer) = &mut self.life else {
            return;
        };
        let Some(target) = newcomer.join.target.clone() else {
            self.fx.within(Timer::Round, Duration::ZERO);
            return;
        };
        if now.since(newcomer.join.heard_at) > limit * 2 {
            // Nobody there any more: look around again.
            self.give_up_target();
            return;
        }
        newcomer.join.attempt = newcomer.join.attempt.saturating_add(1);
        let next = newcomer.join.next_address();
        let pause = super::takeover::backoff(RETRY, newcomer.join.attempt);
        let pause = self.fx.jitter(pause);
        self.fx.after(Timer::Join, pause);
        let join = Join {
            node: self.me.clone(),
            listed,
        };
        if self.fx.send_to(target.node, Message::Join(join)) {
            self.waits(format!("{} to admit it", target.node));
        } else if !self.fx.links.is_dialling(target.node, &target.addresses)
            && let Some(to) = next
        {
            self.fx.dial(to, Purpose::Hint);
        }
    }

    /// Asks another member, if it is linked to one, once it was put off for a silence limit: whom it
    /// asks may be cut off from the others, and would put it off for as long.
    fn ask_another(&mut self, from: NodeId) {
        let now = self.fx.now;
        let limit = self.config.silence_limit;
        let Life::Newcomer(newcomer) = &mut self.life else {
            return;
        };
        let join = &mut newcomer.join;
        let (since, last) = *join.put_off.get_or_insert((now, from));
        let Some(target) = join.target.as_ref().filter(|_| now.since(since) > limit) else {
            return;
        };
        let ends = self
            .fx
            .links
            .iter()
            .filter_map(|(_, link)| link.other_end());
        let members = ends.filter(|end| end.phase == PhaseKind::Member && end.node.id() != from);
        // One after the other: they may name each other, and the first again.
        let Some(other) = members.min_by_key(|end| (end.node.id() <= last, end.node.id())) else {
            return;
        };
        let other = MemberHint {
            node: other.node.id(),
            addresses: other.node.addresses().to_vec(),
            topology: target.topology,
        };
        join.put_off = Some((now, other.node));
        join.aim_at(other);
    }

    fn give_up_target(&mut self) {
        let Life::Newcomer(newcomer) = &mut self.life else {
            return;
        };
        if let Some(target) = newcomer.join.target.take() {
            self.hearsay.deny(target.node, self.fx.now);
        }
        newcomer.join.attempt = 0;
        newcomer.join.redirected = 0;
        newcomer.join.put_off = None;
        self.fx.timers.clear(Timer::Join);
        self.fx.within(Timer::Round, Duration::ZERO);
    }

    fn sees_itself_listed(&self) -> bool {
        let Some(report) = &self.finder else {
            return false;
        };
        let uid = self.me.pod_uid();
        report.seeds().iter().any(|seed| match uid {
            Some(_) => seed.pod_uid.as_ref() == uid,
            None => self.me.addresses().contains(&seed.address()),
        })
    }

    /// A node that this newcomer asks is linked: ask at once.
    pub(super) fn join_linked(&mut self, node: NodeId) {
        let Life::Newcomer(newcomer) = &mut self.life else {
            return;
        };
        if newcomer
            .join
            .target
            .as_ref()
            .is_some_and(|target| target.node == node)
        {
            newcomer.join.heard_at = self.fx.now;
            self.pursue_join();
        }
    }

    /// The last link to a node is gone, or could not be opened.
    pub(super) fn join_unlinked(&mut self, node: NodeId) {
        let Life::Newcomer(newcomer) = &mut self.life else {
            return;
        };
        if newcomer
            .join
            .target
            .as_ref()
            .is_some_and(|target| target.node == node)
        {
            self.give_up_target();
        }
    }

    /// Somebody answered a dial by hearsay: whoever else was expected there is not.
    pub(super) fn hint_answered(&mut self, link: LinkId, by: NodeId) {
        let address = self.fx.links.get(link).and_then(|link| link.dialled);
        let Some(address) = address else {
            return;
        };
        self.hearsay.nobody_at(address, Some(by), self.fx.now);
        let Life::Newcomer(newcomer) = &mut self.life else {
            return;
        };
        let target = newcomer.join.target.as_ref();
        if target.is_some_and(|to| to.node != by && to.addresses.contains(&address)) {
            self.give_up_target();
        }
    }

    /// A dial by hearsay failed: whoever was expected there is not, unless at another address.
    pub(super) fn hint_failed(&mut self, address: SocketAddr) {
        self.hearsay.nobody_at(address, None, self.fx.now);
        let Life::Newcomer(newcomer) = &mut self.life else {
            return;
        };
        let target = newcomer.join.target.as_ref();
        if target.is_some_and(|target| target.addresses.contains(&address)) {
            newcomer.join.unreachable.insert(address);
            match newcomer.join.next_address() {
                Some(_) => self.pursue_join(),
                None => self.give_up_target(),
            }
        }
    }

    pub(super) fn on_join_answer(&mut self, from: NodeId, answer: JoinAnswer) {
        let now = self.fx.now;
        let Life::Newcomer(newcomer) = &mut self.life else {
            return;
        };
        let Some(target) = newcomer.join.target.as_ref().map(|it| it.node) else {
            return;
        };
        if target != from {
            return;
        }
        newcomer.join.heard_at = now;
        newcomer.join.count(&answer.verdict);
        match answer.verdict {
            JoinVerdict::Queued { ahead } => {
                self.waits(format!("{from} to admit it, {ahead} before it"));
            }
            JoinVerdict::Redirect { coordinator } => {
                let same = coordinator.node == target || coordinator.node == self.me.id();
                let denied = self.hearsay.denied_at(coordinator.node);
                if denied.is_some_and(|at| now.since(at) < REDIRECTED_AGAIN) {
                    // Who sends it there does not know yet that nobody is, and will say it again.
                    self.fx.after(Timer::Join, REDIRECTED_AGAIN);
                } else if !same && newcomer.join.redirected < REDIRECTED_MAX {
                    newcomer.join.redirected += 1;
                    newcomer.join.aim_at(coordinator);
                    self.pursue_join();
                } else if !same {
                    // They send it round in a circle: look around again.
                    self.give_up_target();
                }
            }
            JoinVerdict::NotNow {
                waiting_for,
                retry_after,
            } => {
                newcomer.join.attempt = 0;
                let pause = self.fx.jitter(retry_after.min(RETRY.1));
                self.fx.after(Timer::Join, pause);
                self.waits(waiting_for);
                self.ask_another(from);
            }
            JoinVerdict::Refused {
                reason: crate::message::RefusalReason::NodeId,
            } => {
                // The id was a member's once (P5).
                self.start_over(Duration::ZERO);
            }
            JoinVerdict::Refused { reason } => {
                newcomer.join.heard_at = now + REFUSED;
                self.fx.after(Timer::Join, REFUSED);
                self.waits(format!(
                    "somebody to mend what {from} refuses: {}",
                    reason.as_str()
                ));
                let linked = self.fx.links.to(from);
                let by = linked.and_then(|link| self.fx.links.node_at(link)).cloned();
                if let Some(by) = by {
                    self.refused_for_good(&by, &reason);
                }
            }
            JoinVerdict::NameTaken { by } => {
                self.waits(format!("its name to be given up by {by}"));
            }
            JoinVerdict::Unreachable { by } => {
                self.waits(format!("{by} to be able to dial it back"));
            }
        }
    }

    /// A snapshot: a newcomer begins to learn; a member finds that it was left behind.
    pub(super) fn on_snapshot(&mut self, from: NodeId, snapshot: &Snapshot) {
        let now = self.fx.now;
        let topology = snapshot.topology.id();
        let newcomer = match &mut self.life {
            Life::Newcomer(newcomer) => newcomer,
            Life::Member(_) if self.fx.bug(Bug::LagSkippedBySnapshot) => {
                let log = self.log_from(snapshot);
                self.become_member(log, SnapshotCause::Behind);
                return;
            }
            Life::Member(_) => {
                self.on_foreign_snapshot(snapshot);
                return;
            }
            Life::Over => return,
        };
        newcomer.join.heard_at = now;
        if let Some(learner) = &newcomer.join.learner {
            let same = learner.id().cluster_id == topology.cluster_id;
            // Newer, and yet no further: what was learned is of a branch that ended (C38).
            let ended = topology > learner.id() && snapshot.position <= learner.decided();
            let follows = same && !ended && snapshot.position <= learner.decided();
            let behind = same && !ended && !newcomer.join.fetching;
            if follows {
                self.acknowledge(from);
            } else if behind {
                let fetch = Fetch {
                    topology: learner.id(),
                    decided: learner.decided(),
                };
                newcomer.join.fetching = true;
                self.fx.send_to(from, Message::Fetch(fetch));
            } else {
                // One node id takes one snapshot: who would need another is a new node (P5).
                self.start_over(Duration::ZERO);
            }
            return;
        }
        let log = self.log_from(snapshot);
        let Life::Newcomer(newcomer) = &mut self.life else {
            return;
        };
        newcomer.join.learner = Some(log);
        newcomer.join.learner_from = Some(from);
        self.floor.know(&snapshot.topology);
        self.acknowledge(from);
        self.join_if_admitted();
    }

    fn acknowledge(&mut self, to: NodeId) {
        let Life::Newcomer(newcomer) = &self.life else {
            return;
        };
        if let Some(learner) = &newcomer.join.learner {
            let ack = SnapshotAck {
                topology: learner.id(),
                position: learner.decided(),
            };
            self.fx.send_to(to, Message::SnapshotAck(ack));
        }
    }

    /// Decided entries, for a learner; false if this node is none.
    pub(super) fn learner_learns(&mut self, link: LinkId, from: NodeId, decided: &Decided) -> bool {
        let now = self.fx.now;
        let me = self.me.id();
        let Life::Newcomer(newcomer) = &mut self.life else {
            return false;
        };
        newcomer.join.heard_at = now;
        let Some(learner) = &mut newcomer.join.learner else {
            return true;
        };
        if decided.topology.cluster_id != learner.id().cluster_id
            || is_of_an_older(decided, learner.id())
        {
            return true;
        }
        if decided.first > learner.decided().next() {
            let fetch = Fetch {
                topology: learner.id(),
                decided: learner.decided(),
            };
            self.fx.send_to(from, Message::Fetch(fetch));
            return true;
        }
        newcomer.join.fetching = false;
        let (mut position, mut gone) = (decided.first, false);
        for entry in &decided.entries {
            let Ok(delivered) = learner.learn(position, entry) else {
                self.nonsense(link);
                return true;
            };
            position = position.next();
            gone |= delivered.is_some_and(|one| one.removes(me));
            let past = self.fx.bug(Bug::LearnsPastAdmission);
            if learner.topology().member(me).is_some() && !past {
                // What was decided behind its admission it delivers, as every member does (P6).
                self.acknowledge(from);
                self.join_if_admitted();
                self.on_decided(link, from, decided);
                return true;
            }
        }
        let behind = learner.decided() < decided.decided;
        let ended = !behind && decided.topology > learner.id();
        if gone || ended {
            // Admitted and removed before it knew; or it learned of a branch that ended.
            self.start_over(Duration::ZERO);
            return true;
        }
        if behind {
            let fetch = Fetch {
                topology: learner.id(),
                decided: learner.decided(),
            };
            self.fx.send_to(from, Message::Fetch(fetch));
        }
        self.acknowledge(from);
        self.join_if_admitted();
        true
    }

    /// A member speaks of a topology; a learner that does not have it asks for what it lacks (D10).
    /// True if this node is no member, so that nothing else is to be done.
    pub(super) fn learner_is_behind(&mut self, from: NodeId, theirs: TopologyId) -> bool {
        let Life::Newcomer(newcomer) = &mut self.life else {
            return false;
        };
        if let Some(learner) = &newcomer.join.learner
            && learner.id().cluster_id == theirs.cluster_id
            && theirs > learner.id()
        {
            let fetch = Fetch {
                topology: learner.id(),
                decided: learner.decided(),
            };
            self.fx.send_to(from, Message::Fetch(fetch));
        }
        true
    }

    /// The learned topology holds this node: it is a member.
    fn join_if_admitted(&mut self) {
        let me = self.me.id();
        let Life::Newcomer(newcomer) = &mut self.life else {
            return;
        };
        let admitted = |log: &Log| log.topology().member(me).is_some();
        if newcomer.join.learner.as_ref().is_some_and(admitted)
            && let Some(log) = newcomer.join.learner.take()
        {
            let from = newcomer.join.learner_from;
            self.become_member(log, SnapshotCause::Start);
            if let Some(from) = from {
                self.fetch_from(from);
            }
        }
    }
}

#[cfg(test)]
#[path = "join_tests.rs"]
mod tests;
