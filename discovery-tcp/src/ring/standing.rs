//! Where the node stands (STAND, MEET, LEAVE): losing the quorum and hearing it again, hearing of
//! its own removal, leaving, meeting another cluster.

use std::time::Duration;

use discovery_core::{LeaveError, NodeId, Standing, Topology, TopologyId};

use super::member::Membership;
use super::newcomer::Newcomer;
use super::output::{Notice, Output};
use super::timers::Timer;
use super::watch::SubjectState;
use super::{Life, Ring};
use crate::config::{Merge, RingConfig};
use crate::message::{CloseReason, Leave, Message, Snapshot};
use crate::moment::Moment;

/// Members up to which everybody hears everybody, so that a majority can be counted.
const MESH: usize = 9;
/// A membership of this length forgives earlier removals.
const GOOD_MEMBERSHIP: Duration = Duration::from_mins(1);
/// A newcomer that asked so lately is waited for by the last member (W6).
const KNOCKING: Duration = Duration::from_secs(1);
/// Most other clusters that are told of.
const MET_MAX: usize = 64;

impl Ring {
    /// Tells the application where it stands.
    pub(super) fn stands(&mut self, standing: Standing) {
        self.standing = standing.clone();
        self.fx.emit(Notice::Standing(standing));
    }

    /// Whether a majority is heard, judged once a beat and after an install.
    pub(super) fn judge_quorum(&mut self) {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let heard = m.hears_majority(now, &self.config);
        if m.quorum && !heard {
            m.quorum = false;
            m.quorum_lost_at = Some(now);
            let stale = m.topology().clone();
            self.forget_publications();
            self.stands(Standing::WithoutQuorum { stale });
            // Who is listed now matters again, wherever this member stands in the order.
            self.watch_seeds_as_needed();
            self.fx.within(Timer::Recovery, self.config.recovery_after);
        } else if !m.quorum && heard {
            self.regain_quorum();
        }
    }

    /// A majority is heard again, or a topology was decided.
    pub(super) fn regain_quorum(&mut self) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if m.quorum {
            let topology = m.topology().clone();
            self.standing = Standing::Member { topology };
            return;
        }
        m.quorum = true;
        m.quorum_lost_at = None;
        if m.survivor.forced.is_some() {
            self.command_failed("a quorum is back");
        }
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if !m.opens_epoch() {
            m.survivor.over();
            self.fx.timers.clear(Timer::Recovery);
        }
        let topology = m.topology().clone();
        self.stands(Standing::Member { topology });
    }

    /// Another cluster of the same name: told of once, never merged by dissolving a quorum (MEET).
    pub(super) fn meet_cluster(&mut self, theirs: TopologyId) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let ours = m.id();
        if ours.cluster_id == theirs.cluster_id {
            return;
        }
        let quorum = m.quorum;
        if self.met.len() < MET_MAX && self.met.insert(theirs.cluster_id) {
            self.fx.emit(Notice::MetOtherCluster { ours, theirs });
        }
        let impossible = !quorum && m.survivor.impossible == Some(theirs.cluster_id);
        if impossible && self.config.merge == Merge::Auto {
            self.gives_up();
        }
    }

    /// A topology that this member is not part of, newer than its own, told whole: it is removed;
    /// or it lags too far to be caught up, which comes to the same (SNAP).
    pub(super) fn on_foreign_snapshot(&mut self, snapshot: &Snapshot) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let topology = &snapshot.topology;
        if topology.cluster_id() != m.id().cluster_id {
            self.meet_cluster(topology.id());
            return;
        }
        let newer = topology.id() > m.id();
        let holds_me = topology.member(self.me.id()).is_some();
        // Its ask may have taken long, and it has everything by now.
        let lacks = newer || topology.id() == m.id() && snapshot.position > m.log.decided();
        if newer && !holds_me {
            self.gone_by_decision();
        } else if lacks && holds_me && m.lead.is_none() {
            self.gives_up();
        }
    }

    /// No longer a member by decision: the node id is given up with every link (ANSWER, STAND).
    pub(super) fn gone_by_decision(&mut self) {
        self.gone(Ok(()));
    }

    /// Gives the node id up by its own choice, though nobody decided it.
    fn gives_up(&mut self) {
        self.gone(Err(LeaveError::NotDecided));
    }

    /// Who leaves has left now, whichever way it went: it does not join again.
    fn gone(&mut self, left: Result<(), LeaveError>) {
        let Life::Member(m) = &self.life else {
            return;
        };
        if m.leaving.is_some() {
            self.left(left);
            return;
        }
        let (last, joined_at) = (m.topology().clone(), m.joined_at);
        self.removed(last, joined_at);
    }

    /// The node id is given up with every link; a new one joins after a pause that grows (JOIN).
    fn removed(&mut self, last: Topology, joined_at: Moment) {
        let now = self.fx.now;
        self.forget_publications();
        self.note_other_names(&last);
        if now.since(joined_at) >= GOOD_MEMBERSHIP {
            self.rejoins = 0;
        }
        self.rejoins = self.rejoins.saturating_add(1);
        self.stands(Standing::Removed { last });
        let pause = super::takeover::backoff(self.config.rejoin_pause, self.rejoins);
        let pause = self.fx.jitter(pause);
        self.start_over(pause);
    }

    /// A new node id, and nothing kept of the old one but what was promised to others.
    pub(super) fn start_over(&mut self, pause: Duration) {
        self.fx.close_all(CloseReason::Over);
        self.fx.timers.clear_life();
        if !self.fx.bug(super::planted::Bug::RemovedIdReadmitted) {
            let id = NodeId::from_u128(self.fx.draw_u128());
            self.me = self.me.clone().with_id(id);
        }
        self.found_as_another();
        self.hearsay = super::hearsay::Hearsay::default();
        self.fx.emit(Notice::Identity(self.me.clone()));
        let newcomer = Newcomer::new(self.fx.now + pause, &mut self.fx);
        self.life = Life::Newcomer(Box::new(newcomer));
        self.fx.after(Timer::Round, pause);
        self.fx.output(Output::WatchSeeds(true));
    }

    /// The application leaves.
    pub(super) fn leave(&mut self) {
        match &mut self.life {
            Life::Newcomer(_) => self.left(Err(LeaveError::NotAMember)),
            Life::Over => {}
            Life::Member(m) if m.leaving.is_some() => {}
            Life::Member(m) => {
                m.leaving = Some(self.fx.now);
                self.fx.after(Timer::Leave, self.config.leave_limit);
                self.go_on_leaving();
            }
        }
    }

    /// Asks again to be let go, or ends what nobody else is part of.
    pub(super) fn go_on_leaving(&mut self) {
        let me = self.me.id();
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if m.leaving.is_none() {
            return;
        }
        let waited_for = m
            .lead
            .as_ref()
            .is_some_and(|lead| !lead.admission.is_empty());
        let knocked = m
            .knocked_at
            .is_some_and(|at| self.fx.now.since(at) < KNOCKING);
        if m.members() == 1 && !waited_for && !knocked {
            // The last member ends the cluster silently; those knocking were let in before (W6).
            self.left(Ok(()));
            return;
        }
        if m.lead.is_some() {
            self.coordinate();
            return;
        }
        let coordinator = m.coordinator().map(discovery_core::NodeInfo::id);
        if let Some(coordinator) = coordinator {
            self.fx
                .send_to(coordinator, Message::Leave(Leave { node: me }));
        }
    }

    pub(super) fn on_leave(&mut self, from: NodeId) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if m.topology().member(from).is_none() {
            return;
        }
        if let Some(lead) = &mut m.lead {
            lead.leaves.insert(from);
            self.coordinate();
        }
    }

    /// Leaving has ended: nothing follows.
    pub(super) fn left(&mut self, result: Result<(), LeaveError>) {
        self.forget_publications();
        self.stands(Standing::Left);
        self.fx.emit(Notice::Left(result));
        self.fx.close_all(CloseReason::Over);
        self.fx.timers.clear_life();
        self.life = Life::Over;
    }

    /// An operator removes a member.
    pub(super) fn remove(&mut self, node: NodeId, reason: String) {
        let me = self.me.id();
        let why = match &mut self.life {
            Life::Newcomer(_) | Life::Over => "not a member",
            Life::Member(m) if m.topology().member(node).is_none() => "no such member",
            Life::Member(_) if node == me => "a member cannot remove itself; let it leave",
            Life::Member(m) => match &mut m.lead {
                None => "only the coordinator removes members; ask it",
                Some(lead) => {
                    lead.operator.insert(node, reason);
                    self.coordinate();
                    return;
                }
            },
        };
        self.fx.emit(Notice::Refused {
            why: why.to_owned(),
        });
    }
}

impl Membership {
    /// Whether a majority was heard within one silence limit: counted where everybody hears
    /// everybody, else by the tick, which moves only while a majority answers.
    fn hears_majority(&self, now: Moment, config: &RingConfig) -> bool {
        if self.members() == 1 {
            return true;
        }
        let limit = config.silence_limit;
        let ticking = now.since(self.tick_at) <= self.tick_limit(config) + limit;
        if self.members() > MESH {
            return ticking;
        }
        let heard = |id: NodeId| {
            let subject = self.watch.subjects.get(&id);
            subject.is_some_and(|subject| match subject.state {
                SubjectState::Well | SubjectState::Redialling | SubjectState::Accused(..) => {
                    now.since(subject.heard_at) <= limit
                }
            })
        };
        let voters = self.roster.voters();
        let heard = voters
            .iter()
            .filter(|place| *place == self.place || self.roster.node(*place).is_some_and(heard))
            .count();
        heard >= self.roster.majority() && ticking
    }
}
