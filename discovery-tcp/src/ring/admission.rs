//! The coordinator's joiners (JOIN): each is dialled back, given a snapshot and kept awake until
//! it may be admitted. Whether a request is taken at all is in `join_verdict.rs`; changes are put
//! together in `change.rs`; the newcomer's side is in `join.rs`.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use discovery_core::{MEMBERS_MAX, NodeId, NodeInfo, Topology, TopologyId};

use super::effects::Effects;
use super::join_verdict::not_now;
use super::links::Purpose;
use super::room::Room;
use super::timers::Timer;
use super::{Life, Ring, weight};
use crate::config::RingConfig;
use crate::message::{DialBack, DialBackResult, JoinVerdict, Message, SnapshotAck};
use crate::moment::Moment;

/// How many members besides the coordinator dial a joiner back.
const PROBERS: usize = 2;
/// How long a dial-back may take before the joiner is left to ask again.
const DIAL_BACK_LIMIT: Duration = Duration::from_secs(2);
/// Most joiners that the coordinator looks after at a time.
const JOINERS_MAX: usize = MEMBERS_MAX;
/// How long whoever is ready waits for others that are on their way, so that all of them are
/// admitted with one change (JOIN-7).
const GATHER: Duration = Duration::from_millis(25);

/// Everybody who asked to be admitted.
#[derive(Debug, Default)]
pub(super) struct Admission {
    joiners: BTreeMap<NodeId, Joiner>,
    /// Since when somebody has been ready and waits for the others.
    gathers_since: Option<Moment>,
    /// What the topology in force weighs.
    weighed: Option<(TopologyId, usize)>,
}

/// One node that was told to wait.
#[derive(Debug)]
struct Joiner {
    info: NodeInfo,
    /// Its bytes as a member, and whose place it takes, as long as that one is a member.
    weight: usize,
    replaces: Option<NodeId>,
    /// The number of what was asked for it; who came first has the lowest.
    arrival: u64,
    since: Moment,
    reached: bool,
    /// Who else dials it back, and whether that has succeeded.
    probers: BTreeMap<NodeId, bool>,
    snapshot: bool,
    acked: Option<(Moment, TopologyId)>,
    pinged_at: Moment,
}

impl Admission {
    pub(super) fn knows(&self, id: NodeId) -> bool {
        self.joiners.contains_key(&id)
    }

    pub(super) fn forget(&mut self, id: NodeId) {
        self.joiners.remove(&id);
    }

    pub(super) fn len(&self) -> usize {
        self.joiners.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.joiners.is_empty()
    }

    /// Whether nobody else can be looked after for now.
    pub(super) fn is_crowded(&self) -> bool {
        self.joiners.len() >= JOINERS_MAX
    }

    /// What is left beside the members.
    pub(super) fn room(&mut self, topology: &Topology, config: &RingConfig) -> Room {
        let id = topology.id();
        let known = self.weighed.filter(|(of, _)| *of == id);
        let (_, bytes) = known.unwrap_or_else(|| (id, weight::of_topology(topology)));
        self.weighed = Some((id, bytes));
        Room {
            members: config.members_max.saturating_sub(topology.len()),
            bytes: config.snapshot_bytes_max().saturating_sub(bytes),
        }
    }

    /// Whether there is room for one more behind those who joined before; `replaced` gives its own.
    pub(super) fn has_room_for(
        &mut self,
        node: &NodeInfo,
        replaced: Option<&NodeInfo>,
        topology: &Topology,
        config: &RingConfig,
    ) -> bool {
        let room = self.room(topology, config);
        let joiners = self.joiners.values().map(|joiner| joiner.takes(topology));
        room.beside(joiners).take(node, replaced)
    }

    pub(super) fn everybody(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.joiners.keys().copied()
    }

    /// Everybody who has a snapshot.
    pub(super) fn learners(&self) -> impl Iterator<Item = NodeId> {
        let learner = |(id, joiner): (&NodeId, &Joiner)| joiner.snapshot.then_some(*id);
        self.joiners.iter().filter_map(learner)
    }

    /// Whether it has asked before: what it was sent may have been lost with a link.
    pub(super) fn asks_again(&mut self, id: NodeId) -> bool {
        let joiner = self.joiners.get_mut(&id);
        joiner
            .map(|joiner| joiner.snapshot &= joiner.acked.is_some())
            .is_some()
    }

    /// A member has dialled a joiner back, or could not; returns whom, unless this is of no joiner.
    pub(super) fn dialled_back(&mut self, by: NodeId, result: DialBackResult) -> Option<NodeId> {
        let mut joiners = self.joiners.iter_mut();
        let (id, joiner) = joiners.find(|(_, it)| it.arrival == result.request)?;
        *joiner.probers.get_mut(&by)? = result.reached;
        Some(*id)
    }

    /// Forgets those who are members now.
    pub(super) fn admitted(&mut self, topology: &Topology) {
        self.joiners.retain(|id, _| topology.member(*id).is_none());
    }

    /// Until when to wait for more than are ready; `None` if it is time, or if that is enough.
    pub(super) fn gathers_until(
        &mut self,
        now: Moment,
        ready: usize,
        enough: usize,
    ) -> Option<Moment> {
        if ready == 0 || ready >= enough.min(self.joiners.len()) {
            self.gathers_since = None;
            return None;
        }
        let until = *self.gathers_since.get_or_insert(now) + GATHER;
        (now < until).then_some(until)
    }

    /// A change is proposed: whoever is ready next waits anew.
    pub(super) fn gathered(&mut self) {
        self.gathers_since = None;
    }

    /// Who may be put into a proposal now, the first to come first: reached, and its last
    /// acknowledgement as a learner is fresh (B4).
    /// It also knows the topology in force, so that it has seen any removal of itself (P5).
    pub(super) fn ready(
        &self,
        now: Moment,
        fresh: Duration,
        topology: TopologyId,
    ) -> Vec<NodeInfo> {
        let joiners = self.joiners.values();
        let mut ready: Vec<&Joiner> = joiners
            .filter(|joiner| joiner.is_ready(now, fresh, topology))
            .collect();
        ready.sort_by_key(|joiner| joiner.arrival);
        ready
            .into_iter()
            .map(|joiner| joiner.info.clone())
            .collect()
    }

    /// How many they are.
    pub(super) fn count_ready(&self, now: Moment, fresh: Duration, topology: TopologyId) -> usize {
        let joiners = self.joiners.values();
        joiners
            .filter(|joiner| joiner.is_ready(now, fresh, topology))
            .count()
    }

    /// Everybody, the first to come first.
    fn by_arrival(&self) -> Vec<NodeId> {
        let numbered = |(id, joiner): (&NodeId, &Joiner)| (joiner.arrival, *id);
        let mut arrivals: Vec<(u64, NodeId)> = self.joiners.iter().map(numbered).collect();
        arrivals.sort_unstable();
        arrivals.into_iter().map(|(_, id)| id).collect()
    }
}

impl Joiner {
    /// What it takes beside the members.
    fn takes(&self, topology: &Topology) -> Room {
        let replaced = self.replaces.and_then(|id| topology.member(id));
        Room::taken_by(self.weight, replaced.map(|member| &member.info))
    }

    /// Whether it was reached by a dial from here; dials it if not.
    fn dial_back(&mut self, fx: &mut Effects) {
        if self.reached {
            return;
        }
        let id = self.info.id();
        self.reached = fx.links.has_dialled(id, self.info.addresses());
        if !self.reached && !fx.links.is_dialling(id, self.info.addresses()) {
            fx.dial(self.info.addresses()[0], Purpose::Member(id));
        }
    }

    fn is_ready(&self, now: Moment, fresh: Duration, topology: TopologyId) -> bool {
        self.acked
            .is_some_and(|(at, id)| now.since(at) <= fresh && id == topology)
    }

    /// Everybody who was to dial it has reached it.
    fn is_valid(&self) -> bool {
        self.reached && self.probers.values().all(|reached| *reached)
    }

    /// Whether it was not heard of for so long, and was not asked either.
    fn needs_ping(&self, now: Moment, pause: Duration) -> bool {
        let is_stale = |(at, _): (Moment, TopologyId)| now.since(at) > pause;
        self.snapshot && self.acked.is_some_and(is_stale) && now.since(self.pinged_at) > pause
    }
}

impl Ring {
    /// Takes a joiner in; `replaces` is the member of its name, that has to be dead.
    pub(super) fn take_in(&mut self, info: NodeInfo, replaces: Option<NodeId>) {
        let choice = self.choose_probers(replaces);
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(lead) = &mut m.lead else {
            return;
        };
        let arrival = self.fx.next_errand();
        let id = info.id();
        for prober in &choice {
            let addresses = info.addresses().to_vec();
            let ask = DialBack {
                request: arrival,
                node: id,
                addresses,
            };
            self.fx.send_to(*prober, Message::DialBack(ask));
        }
        let joiner = Joiner {
            weight: weight::of_member(&info),
            replaces,
            info,
            arrival,
            since: self.fx.now,
            reached: false,
            probers: choice.into_iter().map(|id| (id, false)).collect(),
            snapshot: false,
            acked: None,
            pinged_at: self.fx.now,
        };
        lead.admission.joiners.insert(id, joiner);
        self.look_after_joiner(id);
    }

    /// Members at random that shall dial a joiner back: confirmed, linked and not accused.
    fn choose_probers(&mut self, replaces: Option<NodeId>) -> Vec<NodeId> {
        let Life::Member(m) = &self.life else {
            return Vec::new();
        };
        let me = self.me.id();
        let mut choice: Vec<NodeId> = m
            .lead
            .iter()
            .flat_map(|lead| lead.confirmed.iter().copied())
            .filter(|id| *id != me && Some(*id) != replaces && self.fx.links.is_linked(*id))
            .filter(|id| m.alerts_against(*id).is_empty())
            .collect();
        while choice.len() > PROBERS {
            let out = self.fx.draw_u128() % choice.len() as u128;
            choice.swap_remove(usize::try_from(out).unwrap_or(0));
        }
        choice
    }

    /// Moves every joiner on, the first to come first.
    pub(super) fn look_after_joiners(&mut self) {
        let Life::Member(m) = &self.life else {
            return;
        };
        let joiners = m.lead.as_ref().map(|lead| lead.admission.by_arrival());
        self.move_on(&joiners.unwrap_or_default());
    }

    /// Moves this joiner on: something has happened to it alone.
    pub(super) fn look_after_joiner(&mut self, id: NodeId) {
        self.move_on(&[id]);
    }

    /// Moves joiners on as far as it goes: dial-back, snapshot, a sign of life.
    fn move_on(&mut self, joiners: &[NodeId]) {
        let now = self.fx.now;
        let fresh = self.config.silence_limit / 4;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let snapshots_max = m.members() * 2 + 2;
        let Some(lead) = &mut m.lead else {
            return;
        };
        let mut learners = lead.admission.learners().count();
        let mut give_up = Vec::new();
        let snapshot = OnceCell::new();
        for &id in joiners {
            let Some(joiner) = lead.admission.joiners.get_mut(&id) else {
                continue;
            };
            joiner.dial_back(&mut self.fx);
            if !joiner.is_valid() {
                if now.since(joiner.since) > DIAL_BACK_LIMIT {
                    give_up.push(id);
                }
                continue;
            }
            if !joiner.snapshot && learners < snapshots_max {
                joiner.snapshot = true;
                learners += 1;
                let snapshot =
                    snapshot.get_or_init(|| Arc::new(Message::Snapshot(m.log.snapshot())));
                self.fx.send_shared_to(id, snapshot);
            }
            if joiner.needs_ping(now, fresh / 2) {
                joiner.pinged_at = now;
                self.fx.send_to(id, Message::Decided(m.log.news()));
            }
        }
        let waiting = !lead.admission.is_empty();
        for id in &give_up {
            lead.admission.forget(*id);
        }
        for id in give_up {
            self.answer_join(id, not_now("somebody who can dial it back"));
        }
        if waiting {
            self.fx.within(Timer::Admission, fresh / 2);
        }
    }

    pub(super) fn on_snapshot_ack(&mut self, from: NodeId, ack: SnapshotAck) {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(lead) = &mut m.lead else {
            return;
        };
        if let Some(joiner) = lead.admission.joiners.get_mut(&from)
            && joiner.snapshot
        {
            joiner.acked = Some((now, ack.topology));
            self.coordinate();
        }
    }

    /// A joiner cannot be dialled here: it is told, and may ask again.
    pub(super) fn joiner_unreachable(&mut self, id: NodeId, by: NodeId) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(lead) = &mut m.lead else {
            return;
        };
        if lead.admission.knows(id) {
            lead.admission.forget(id);
            self.answer_join(id, JoinVerdict::Unreachable { by });
        }
    }
}

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;
