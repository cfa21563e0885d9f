//! The acceptor's side of deciding (DECIDE): proposals come in, what is decided is delivered.
//! Acceptances go up in `gather.rs`, whoever is behind fetches in `catch_up.rs`; proposing is in
//! `lead.rs`.

use std::sync::Arc;

use discovery_core::{Member, NodeId, NodeInfo, Term};

use super::gather::GATHER;
use super::input::LinkId;
use super::log::{Delivered, Verdict};
use super::member::Membership;
use super::observation::{Decider, Observation};
use super::order_set::OrderSet;
use super::planted::Bug;
use super::timers::Timer;
use super::{Life, Ring};
use crate::message::{CloseReason, Message, Position, Propose, Superseded, Tick, Watermark};

/// Voting members up to which an own acceptance decides (DECIDE-5).
const OWN_DECIDES_MAX: usize = 3;

/// Who made something decided known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// This node counted it as coordinator.
    Counted,
    /// Somebody else did.
    ByOthers,
}

impl Ring {
    pub(super) fn on_propose(&mut self, link: LinkId, from: NodeId, propose: &Propose) {
        if self.learner_is_behind(from, propose.topology) {
            return;
        }
        // Its watermark first: it may install the topology that the rest names (DECIDE-6).
        if self.is_ended_by(propose) {
            return;
        }
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let promised = m.log.promised();
        let verdict = m.log.accept(propose);
        match verdict {
            Verdict::Accepted(position) => self.accepted(from, propose, position, promised),
            Verdict::Superseded(promised) => {
                let term = propose.term;
                let refusal = Message::Superseded(Superseded { term, promised });
                let proposer = m.topology().ordered(term.order).map(Member::id);
                let sent = proposer.is_some_and(|id| self.fx.send_to(id, refusal.clone()));
                if !sent {
                    self.fx.send(link, refusal);
                }
            }
            Verdict::Missing => self.fetch_from(from),
            Verdict::Ahead => self.tell_newer(from),
            Verdict::OtherTopology => self.meet_topology(from, propose.topology),
            Verdict::Unpromised => {}
            Verdict::Nonsense => self.nonsense(link),
        }
    }

    /// Delivers what the proposal says to be decided. If that ends the topology that it is of, it is
    /// passed on to those who had it from here, and has nothing more to say.
    fn is_ended_by(&mut self, propose: &Propose) -> bool {
        let Life::Member(m) = &self.life else {
            return true;
        };
        if m.log.decided() >= propose.decided {
            return false;
        }
        let before = m.id();
        let children = self.children_of(propose);
        self.deliver_to(propose.term, propose.decided);
        let Life::Member(m) = &self.life else {
            return true;
        };
        let is_over = before == propose.topology && m.id() != before;
        if is_over {
            self.pass_on(propose, &children);
        }
        is_over
    }

    fn accepted(&mut self, from: NodeId, propose: &Propose, position: Position, before: Term) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let (topology, term) = (propose.topology, propose.term);
        if term > before {
            self.fx.observe(|| Observation::Promised { term });
        }
        self.fx.observe(|| Observation::Accepted {
            topology,
            term,
            position,
        });
        let mine = m.topology().member(self.me.id()).map(|member| member.order);
        if m.lead.as_ref().is_some_and(|lead| lead.term < term) && Some(term.order) != mine {
            step_down(m);
        }
        let tick = Tick {
            term,
            count: propose.tick,
        };
        let is_first = m.tick.term < term;
        let another_coordinates = m.saw_tick(tick, self.fx.now) && is_first;
        m.gather_own(from, term, position, propose.tick);
        let children = self.children_of(propose);
        self.pass_on(propose, &children);
        if another_coordinates {
            // It may not know whom this member accuses.
            self.say(true);
        }
        if propose.relay {
            self.fx.within(Timer::Gather, GATHER);
        } else {
            self.send_up();
            self.decide_alone(propose, position);
        }
    }

    /// With the proposer's, an own acceptance is a majority of few voting members (DECIDE-5).
    fn decide_alone(&mut self, propose: &Propose, position: Position) {
        let Life::Member(m) = &self.life else {
            return;
        };
        let (topology, term) = (propose.topology, propose.term);
        let voters = m.roster.voters();
        let proposer = m.topology().ordered(term.order);
        let suffices = (voters.len() <= OWN_DECIDES_MAX || self.fx.bug(Bug::OwnAcceptanceAlways))
            && voters.contains(m.place)
            && proposer.is_some_and(Member::votes)
            && !propose.recovery;
        if suffices && m.log.decided() < position {
            let by = Decider::OwnAcceptance;
            self.fx.observe(|| Observation::Decided {
                topology,
                term,
                position,
                by,
            });
            self.deliver_to(term, position);
        }
    }

    /// To whom a proposal is passed on in the tree (SPREAD); nobody unless it is of the topology
    /// installed here.
    fn children_of(&self, propose: &Propose) -> Vec<NodeInfo> {
        let Life::Member(m) = &self.life else {
            return Vec::new();
        };
        if !propose.relay || propose.topology != m.id() {
            return Vec::new();
        }
        let place = |order| {
            let member = m.topology().ordered(order)?;
            m.roster.index_of(member.id())
        };
        let Some(root) = place(propose.term.order) else {
            return Vec::new();
        };
        let skipped = propose.skip.iter().filter_map(|order| place(*order));
        let skip = OrderSet::of(m.members(), skipped);
        let children = m.roster.children(root, m.place, &skip, self.config.fan_out);
        let node = |child: usize| m.roster.info(child).cloned();
        children.into_iter().filter_map(node).collect()
    }

    fn pass_on(&mut self, propose: &Propose, children: &[NodeInfo]) {
        if children.is_empty() {
            return;
        }
        let message = Arc::new(Message::Propose(propose.clone()));
        for node in children {
            if !self.fx.send_shared_to(node.id(), &message) {
                self.fx.ensure_link(node, 0);
            }
        }
    }

    /// Everything up to here is decided under this term.
    pub(super) fn deliver_to(&mut self, term: Term, position: Position) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if m.log.decided() < position {
            self.deliver_up_to(term, position, Told::ByOthers);
        }
    }

    /// Delivers the own tail of this term, one entry after the other.
    pub(super) fn deliver_up_to(&mut self, term: Term, position: Position, told: Told) {
        while let Life::Member(m) = &mut self.life
            && let Some(delivered) = m.log.deliver_next(term, position)
        {
            // Only what was delivered by a pair is passed on as that pair (DECIDE-6).
            let position = m.log.decided();
            m.saw_watermark(Watermark { term, position });
            self.deliver(delivered, told);
        }
        // There may be room for more of the own publications.
        self.send_publications();
    }

    /// What is decided takes effect.
    pub(super) fn deliver(&mut self, delivered: Delivered, told: Told) {
        self.fx.counters.decided += 1;
        if told == Told::ByOthers && !self.fx.bug(Bug::DeadAreHeard) {
            self.recover_no_more();
        }
        match delivered {
            Delivered::Changed { event, position } => self.install(*event, position, told),
            Delivered::Message { message, position } => self.deliver_message(message, position),
            Delivered::Again => {}
        }
    }

    /// Something is decided where the change of a recovery that this node leads stands: before it
    /// says another word under its term, it gives it up (RECOVER-6).
    fn recover_no_more(&mut self) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if m.opens_epoch() {
            step_down(m);
            self.fail_recovery("somebody knows more");
        }
    }

    /// A link carried what cannot be: it is closed, and counted.
    pub(super) fn nonsense(&mut self, link: LinkId) {
        self.fx.counters.nonsense += 1;
        self.lose_link(link, CloseReason::Nonsense);
    }
}

/// Ends a term or a candidacy of one's own, because a higher term was promised or another topology
/// was installed (DECIDE-1).
pub(super) fn step_down(m: &mut Membership) {
    m.lead = None;
    m.takeover.candidacy = None;
}
