//! The coordinator's side of joining (JOIN): checks, dial-back, snapshots; who is ready to be
//! admitted. The newcomer's side is in `join.rs`; changes are put together in `change.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use discovery_core::{
    Answerer, Asked, DeathFacts, Evidence, MEMBERS_MAX, NodeId, NodeInfo, Timed, Topology,
    TopologyId, prove_death,
};

use super::effects::Effects;
use super::links::Purpose;
use super::planted::Bug;
use super::timers::Timer;
use super::{Life, Ring};
use crate::config::{Formation, RingConfig};
use crate::message::{
    DialBack, DialBackResult, Join, JoinAnswer, JoinVerdict, MemberHint, Message, RefusalReason,
    SnapshotAck,
};
use crate::moment::Moment;

/// How many members besides the coordinator dial a joiner back.
const PROBERS: usize = 2;
/// How long a dial-back may take before the joiner is left to ask again.
const DIAL_BACK_LIMIT: Duration = Duration::from_secs(2);
/// Most joiners that the coordinator looks after at a time.
const JOINERS_MAX: usize = 2048;
/// How long whoever is ready waits for others that are on their way, so that all of them are admitted
/// with one change (JOIN-7).
const GATHER: Duration = Duration::from_millis(10);
/// When a joiner that cannot be taken yet asks again.
const SOON: Duration = Duration::from_millis(200);

/// Everybody who asked to be admitted.
#[derive(Debug, Default)]
pub(super) struct Admission {
    joiners: BTreeMap<NodeId, Joiner>,
    arrivals: u64,
    /// Since when somebody has been ready and waits for the others.
    gathers_since: Option<Moment>,
}

#[derive(Debug)]
struct Joiner {
    info: NodeInfo,
    arrival: u64,
    since: Moment,
    reached: bool,
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

    pub(super) fn everybody(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.joiners.keys().copied()
    }

    /// Everybody who has a snapshot.
    pub(super) fn learners(&self) -> Vec<NodeId> {
        let learner = |(id, joiner): (&NodeId, &Joiner)| joiner.snapshot.then_some(*id);
        self.joiners.iter().filter_map(learner).collect()
    }

    /// Forgets those who are members now.
    pub(super) fn admitted(&mut self, topology: &Topology) {
        self.joiners.retain(|id, _| topology.member(*id).is_none());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.joiners.is_empty()
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
        let mut ready: Vec<&Joiner> = self
            .joiners
            .values()
            .filter(|joiner| {
                joiner
                    .acked
                    .is_some_and(|(at, id)| now.since(at) <= fresh && id == topology)
            })
            .collect();
        ready.sort_by_key(|joiner| joiner.arrival);
        ready
            .into_iter()
            .map(|joiner| joiner.info.clone())
            .collect()
    }
}

impl Joiner {
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

    fn is_valid(&self) -> bool {
        self.reached && self.probers.values().all(|reached| *reached)
    }
}

impl Ring {
    pub(super) fn on_join(&mut self, from: NodeId, join: &Join) {
        let verdict = self.judge_join(from, join);
        if let Some(verdict) = verdict {
            self.answer_join(from, verdict);
        }
    }

    pub(super) fn answer_join(&mut self, to: NodeId, verdict: JoinVerdict) {
        self.fx
            .send_to(to, Message::JoinAnswer(JoinAnswer { verdict }));
    }

    /// Takes the joiner in, or says why not; nothing if it is a member already and has to catch up.
    fn judge_join(&mut self, from: NodeId, join: &Join) -> Option<JoinVerdict> {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return Some(not_now("the member asked is none any more"));
        };
        if join.node.id() != from {
            return Some(JoinVerdict::Refused {
                reason: RefusalReason::NodeId,
            });
        }
        if m.topology().member(from).is_some() {
            self.tell_newer(from);
            return None;
        }
        let topology = m.id();
        let Some(lead) = &mut m.lead else {
            let coordinator = m.coordinator().filter(|_| m.quorum).map(|node| MemberHint {
                node: node.id(),
                addresses: node.addresses().to_vec(),
                topology,
            });
            return Some(match coordinator {
                Some(coordinator) => JoinVerdict::Redirect { coordinator },
                None => not_now("a coordinator with a quorum"),
            });
        };
        if let Some(joiner) = lead.admission.joiners.get_mut(&from) {
            // It asks again: what it was sent may have been lost with a link.
            joiner.snapshot &= joiner.acked.is_some();
            let ahead = u32::try_from(lead.admission.joiners.len()).unwrap_or(u32::MAX);
            self.look_after_joiners();
            return Some(JoinVerdict::Queued { ahead });
        }
        if m.removed.contains(&from) && !self.fx.bug(Bug::RemovedIdReadmitted) {
            return Some(JoinVerdict::Refused {
                reason: RefusalReason::NodeId,
            });
        }
        let full = m.log.topology().len() + lead.admission.joiners.len() >= MEMBERS_MAX;
        if full || lead.admission.joiners.len() >= JOINERS_MAX {
            return Some(JoinVerdict::Refused {
                reason: RefusalReason::Limit,
            });
        }
        if let Some(unlisted) = self.unlisted(join) {
            return Some(unlisted);
        }
        let Life::Member(m) = &mut self.life else {
            return None;
        };
        let same_name = m
            .topology()
            .named(join.node.name())
            .map(|member| member.info.clone());
        let replaces = match same_name {
            None => None,
            Some(member) if may_replace(&self.config, &member, &join.node) => Some(member.id()),
            Some(member) => {
                let going = m
                    .lead
                    .as_ref()
                    .is_some_and(|lead| lead.leaves.contains(&member.id()));
                let accused = !m.alerts_against(member.id()).is_empty();
                return Some(if going || accused {
                    not_now("the member of its name to be removed")
                } else {
                    JoinVerdict::NameTaken { by: member.id() }
                });
            }
        };
        self.take_in(join.node.clone(), replaces, now);
        Some(JoinVerdict::Queued { ahead: 0 })
    }

    fn take_in(&mut self, info: NodeInfo, replaces: Option<NodeId>, now: Moment) {
        let Life::Member(m) = &mut self.life else {
            return;
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
        let Some(lead) = &mut m.lead else {
            return;
        };
        lead.admission.arrivals += 1;
        let arrival = lead.admission.arrivals;
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
            info,
            arrival,
            since: now,
            reached: false,
            probers: choice.into_iter().map(|id| (id, false)).collect(),
            snapshot: false,
            acked: None,
            pinged_at: now,
        };
        lead.admission.joiners.insert(id, joiner);
        self.look_after_joiners();
    }

    /// What a joiner is told whose pod nobody has seen listed; the last member waits for it (W6).
    fn unlisted(&mut self, join: &Join) -> Option<JoinVerdict> {
        if self.is_listed(join) || self.fx.bug(Bug::JoinerNotListed) {
            return None;
        }
        if let Life::Member(m) = &mut self.life {
            m.knocked_at = Some(self.fx.now);
        }
        Some(not_now("its pod to be listed"))
    }

    fn is_listed(&self, join: &Join) -> bool {
        match self.config.formation {
            Formation::Census => {}
            Formation::Majority(_) | Formation::Single => return true,
        }
        let seen = |report: &discovery_core::SeedReport| {
            let seeds = report.seeds();
            seeds.iter().any(|seed| match join.node.pod_uid() {
                Some(uid) => seed.pod_uid.as_ref() == Some(uid),
                None => join.node.addresses().contains(&seed.address()),
            })
        };
        join.listed || self.finder.as_ref().is_some_and(seen)
    }

    /// Moves every joiner on as far as it goes: dial-back, snapshot, a sign of life.
    pub(super) fn look_after_joiners(&mut self) {
        let now = self.fx.now;
        let fresh = self.config.silence_limit / 4;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let snapshots_max = m.members() * 2 + 2;
        let Some(lead) = &mut m.lead else {
            return;
        };
        let mut learners = lead.admission.learners().len();
        let mut arrivals: Vec<(u64, NodeId)> = lead
            .admission
            .joiners
            .iter()
            .map(|(id, joiner)| (joiner.arrival, *id))
            .collect();
        arrivals.sort_unstable();
        let mut give_up = Vec::new();
        let snapshot = std::cell::OnceCell::new();
        for (_, id) in arrivals {
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
                let snapshot = snapshot
                    .get_or_init(|| std::sync::Arc::new(Message::Snapshot(m.log.snapshot())));
                self.fx.send_shared_to(id, snapshot);
            }
            let stale = joiner
                .acked
                .is_some_and(|(at, _)| now.since(at) > fresh / 2);
            if joiner.snapshot && stale && now.since(joiner.pinged_at) > fresh / 2 {
                joiner.pinged_at = now;
                let news = crate::message::Decided {
                    topology: m.log.id(),
                    first: m.log.decided().next(),
                    entries: Vec::new(),
                    decided: m.log.decided(),
                };
                self.fx.send_to(id, Message::Decided(news));
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

    pub(super) fn on_dial_back(&mut self, from: NodeId, ask: &DialBack) {
        let Life::Member(_) = &self.life else {
            return;
        };
        let dialled = |link: &super::links::Link| {
            link.dialled.is_some_and(|to| ask.addresses.contains(&to))
                && link
                    .other_end()
                    .is_some_and(|end| end.node.id() == ask.node)
        };
        if self.fx.links.iter().any(|(_, link)| dialled(link)) {
            let result = DialBackResult {
                request: ask.request,
                reached: true,
            };
            self.fx.send_to(from, Message::DialBackResult(result));
            return;
        }
        let Some(to) = ask.addresses.first() else {
            return;
        };
        let number = self.errands.take(from, ask);
        if self.fx.dial(*to, Purpose::DialBack(number)).is_none() {
            self.dial_back_done(number, None);
        }
    }

    /// A dial on the coordinator's behalf has ended: with this node at the other end, or nobody.
    pub(super) fn dial_back_done(&mut self, number: u64, met: Option<NodeId>) {
        let Some((asker, request, node)) = self.errands.done(number) else {
            return;
        };
        let result = DialBackResult {
            request,
            reached: met == Some(node),
        };
        self.fx.send_to(asker, Message::DialBackResult(result));
    }

    pub(super) fn on_dial_back_result(&mut self, from: NodeId, result: DialBackResult) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(lead) = &mut m.lead else {
            return;
        };
        let joiner = lead
            .admission
            .joiners
            .iter_mut()
            .find(|(_, it)| it.arrival == result.request);
        if let Some((id, joiner)) = joiner
            && let Some(reached) = joiner.probers.get_mut(&from)
        {
            let id = *id;
            *reached = result.reached;
            if result.reached {
                self.look_after_joiners();
            } else {
                self.joiner_unreachable(id, from);
            }
            return;
        }
        self.probe_result(from, result);
    }
}

/// Dials on behalf of the coordinator, by this node's own numbers.
#[derive(Debug, Default)]
pub(super) struct Errands {
    next: u64,
    open: BTreeMap<u64, (NodeId, u64, NodeId)>,
}

/// Most dials on behalf of others at a time; further ones push out the oldest.
const ERRANDS_MAX: usize = 256;

impl Errands {
    fn take(&mut self, asker: NodeId, ask: &DialBack) -> u64 {
        self.next += 1;
        self.open.insert(self.next, (asker, ask.request, ask.node));
        while self.open.len() > ERRANDS_MAX {
            self.open.pop_first();
        }
        self.next
    }

    fn done(&mut self, number: u64) -> Option<(NodeId, u64, NodeId)> {
        self.open.remove(&number)
    }
}

fn not_now(waiting_for: &str) -> JoinVerdict {
    JoinVerdict::NotNow {
        waiting_for: waiting_for.to_owned(),
        retry_after: SOON,
    }
}

/// What joiners are told when their coordinator stops.
pub(super) fn again() -> JoinVerdict {
    not_now("another coordinator")
}

/// Whether the joiner, once it is dialled at its address, proves the member of its name dead (D12).
fn may_replace(config: &RingConfig, member: &NodeInfo, joiner: &NodeInfo) -> bool {
    replacement(config, member, joiner).is_some()
}

/// The evidence that a joiner which was reached at its address replaces this member.
pub(super) fn replacement(
    config: &RingConfig,
    member: &NodeInfo,
    joiner: &NodeInfo,
) -> Option<Evidence> {
    let answer = Timed {
        fact: Answerer {
            dialled: joiner.addresses()[0],
            pod_uid: joiner.pod_uid().cloned(),
            node_id: joiner.id(),
        },
        asked: Asked::AfterLoss,
    };
    let facts = DeathFacts {
        answers: &[answer],
        pod: None,
        earlier: None,
    };
    prove_death(config.proof, member, facts)
        .ok()
        .map(Evidence::Dead)
}
