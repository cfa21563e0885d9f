//! What the coordinator puts into the next change: removals, leaves and joins; and when it waits a
//! moment for more (JOIN, LEAVE). Whom it removes is in `removal.rs`, who is ready to be admitted
//! in `admission.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use discovery_core::{Evidence, Member, NodeId, NodeInfo, NodeName, Topology, TopologyChange};

use super::join_verdict::replacement;
use super::member::Membership;
use super::planted::Bug;
use super::timers::Timer;
use super::{Life, Ring, weight};
use crate::message::Decision;

/// Most bytes of the removals and joins of one change, so that it fits a frame behind a full tail;
/// what is above waits for the next change.
const CHANGE_BYTES_MAX: usize = 256 * 1024;

impl Ring {
    /// Proposes what is ready, if anything may be proposed now.
    pub(super) fn coordinate(&mut self) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let undecided = m.change_is_undecided();
        let barred = undecided && !self.fx.bug(Bug::ProposesBehindChange);
        let Some(lead) = &m.lead else {
            return;
        };
        if barred || lead.recovery.is_some() {
            return;
        }
        if !undecided && let Some(change) = self.next_change() {
            self.propose(vec![Arc::new(Decision::Change(change))]);
            return;
        }
        self.propose_messages();
    }

    /// The next change, if one is due.
    fn next_change(&mut self) -> Option<TopologyChange> {
        let mut removals = self.removals()?;
        let Life::Member(m) = &self.life else {
            return None;
        };
        let leaves = m.lead.as_ref()?.leaves.len();
        let only_joins = removals.is_empty() && leaves == 0 && m.leaving.is_none();
        if only_joins && self.waits_for_joiners() {
            return None;
        }
        let mut room = CHANGE_BYTES_MAX.saturating_sub(weight::of_leaves(leaves));
        removals.retain(|_, evidence| fits(&mut room, weight::of_removal(evidence)));
        let joins = self.joins(&removals, room);
        let Life::Member(m) = &mut self.life else {
            return None;
        };
        m.lead.as_mut()?.admission.gathered();
        let lead = m.lead.as_ref()?;
        let topology = m.log.topology();
        let stays = |id: &NodeId| topology.member(*id).is_some() && !removals.contains_key(id);
        let mut leaves: Vec<NodeId> = lead.leaves.iter().copied().filter(stays).collect();
        leaves.extend(m.departing(&leaves, &removals));
        if removals.is_empty() && leaves.is_empty() && joins.is_empty() {
            return None;
        }
        let mut builder = TopologyChange::of(topology).under(lead.term);
        for (id, evidence) in removals {
            builder = builder.fail(id, evidence);
        }
        for id in leaves {
            builder = builder.leave(id);
        }
        for (node, replaced) in joins {
            if let Some((id, evidence)) = replaced {
                builder = builder.fail(id, evidence);
            }
            builder = builder.join(node);
        }
        builder.build().ok()
    }

    /// Who is admitted with this change: as many as keep the unconfirmed below the confirmed, each
    /// with the member of its name that it replaces.
    fn joins(
        &mut self,
        removals: &BTreeMap<NodeId, Evidence>,
        mut room: usize,
    ) -> Vec<(NodeInfo, Option<(NodeId, Evidence)>)> {
        let now = self.fx.now;
        let fresh = self.config.silence_limit / 4;
        let Life::Member(m) = &mut self.life else {
            return Vec::new();
        };
        if m.leaving.is_some() && m.members() > 1 {
            return Vec::new();
        }
        let Some(lead) = &mut m.lead else {
            return Vec::new();
        };
        let topology = m.log.topology();
        let mut places = lead.admission.room(topology, &self.config);
        let stays = |id: &&NodeId| !removals.contains_key(id) && !lead.leaves.contains(id);
        let mut confirmed = lead.confirmed.iter().filter(stays).count();
        let mut unconfirmed = lead.unconfirmed.keys().filter(stays).count();
        let no_limit = self.fx.bug(Bug::AllAtOnce);
        // Even one who would replace an unconfirmed member waits for room.
        if unconfirmed >= unconfirmed_max(confirmed) && !no_limit {
            return Vec::new();
        }
        let ready = lead.admission.ready(now, fresh, m.log.id());
        let holders = holders(topology, &ready);
        let mut names = BTreeSet::new();
        let mut joins = Vec::new();
        for node in &ready {
            if unconfirmed >= unconfirmed_max(confirmed) && !no_limit {
                break;
            }
            if !names.insert(node.name()) || m.roster.index_of(node.id()).is_some() {
                continue;
            }
            let taken = holders
                .get(node.name())
                .filter(|member| !removals.contains_key(&member.id()))
                .filter(|member| !lead.leaves.contains(&member.id()));
            let replaced = match taken {
                None => None,
                Some(member) => match replacement(&self.config, &member.info, node) {
                    Some(evidence) => Some((member.id(), evidence)),
                    None => continue,
                },
            };
            // Who is replaced confirms nothing any more.
            let gone = replaced.as_ref().map(|(id, _)| id);
            let was_confirmed = gone.is_some_and(|id| lead.confirmed.contains(id));
            let was_new = gone.is_some_and(|id| lead.unconfirmed.contains_key(id));
            let left = confirmed.saturating_sub(usize::from(was_confirmed));
            let new = (unconfirmed + 1).saturating_sub(usize::from(was_new));
            if new > unconfirmed_max(left) && !no_limit {
                continue;
            }
            let removal = replaced
                .as_ref()
                .map_or(0, |(_, why)| weight::of_removal(why));
            if !fits(&mut room, weight::of_node(node) + removal) {
                break;
            }
            if !places.take(node, taken.map(|member| &member.info)) {
                continue;
            }
            (confirmed, unconfirmed) = (left, new);
            joins.push((node.clone(), replaced));
        }
        joins
    }

    /// Whether a change that would consist of joins had better wait for more of them. It is asked at
    /// every sign of life of a joiner, so that it only counts them.
    fn waits_for_joiners(&mut self) -> bool {
        let now = self.fx.now;
        let fresh = self.config.silence_limit / 4;
        let Life::Member(m) = &mut self.life else {
            return false;
        };
        // As many as there is room for once everybody has confirmed.
        let enough = unconfirmed_max(m.members());
        let Some(lead) = &mut m.lead else {
            return false;
        };
        let free = unconfirmed_max(lead.confirmed.len()).saturating_sub(lead.unconfirmed.len());
        let ready = lead.admission.count_ready(now, fresh, m.log.id()).min(free);
        let Some(until) = lead.admission.gathers_until(now, ready, enough) else {
            return false;
        };
        self.fx.timers.set_by(Timer::Admission, until);
        true
    }

    /// Proposes messages that wait, as many as may be under way.
    fn propose_messages(&mut self) {
        let (entries_max, bytes_max) = (self.config.in_flight_max, self.config.in_flight_bytes_max);
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if !m.has_room(entries_max, bytes_max) {
            return;
        }
        let mut room = entries_max - m.log.tail().len();
        let mut bytes = bytes_max.saturating_sub(weight::of_entries(m.log.tail()));
        // Only alone may one be heavier than all together: a tail has to fit one frame.
        let is_alone = m.log.tail().is_empty();
        let Some(lead) = &mut m.lead else {
            return;
        };
        let mut batch = Vec::new();
        while room > 0
            && let Some(next) = lead.leftovers.front().or(lead.queue.front())
        {
            let weight = weight::of_entry(next);
            if weight > bytes && !(is_alone && batch.is_empty()) {
                break;
            }
            bytes = bytes.saturating_sub(weight);
            room -= 1;
            let taken = lead
                .leftovers
                .pop_front()
                .or_else(|| lead.queue.pop_front());
            batch.extend(taken);
        }
        if !batch.is_empty() {
            self.propose(batch);
        }
    }
}

impl Membership {
    /// This coordinator itself, if it leaves and somebody stays who can go on (LEAVE): it goes with
    /// the last of a batch, so that the others' acceptance of its last change is all they need.
    fn departing(
        &self,
        leaves: &[NodeId],
        removals: &BTreeMap<NodeId, Evidence>,
    ) -> Option<NodeId> {
        self.leaving?;
        let me = self.roster.node(self.place)?;
        let goes = |id: NodeId| id == me || leaves.contains(&id) || removals.contains_key(&id);
        let members = self.log.topology().members();
        members
            .iter()
            .any(|member| member.votes() && !goes(member.id()))
            .then_some(me)
    }
}

/// How many members may be unconfirmed beside so many who are confirmed (JOIN-7).
fn unconfirmed_max(confirmed: usize) -> usize {
    confirmed.saturating_sub(1).max(1)
}

/// The members whose names these joiners have, found in one pass.
fn holders<'a>(topology: &'a Topology, joiners: &[NodeInfo]) -> BTreeMap<&'a NodeName, &'a Member> {
    let names: BTreeSet<&NodeName> = joiners.iter().map(NodeInfo::name).collect();
    let members = topology.members().iter();
    members
        .filter(|member| names.contains(member.name()))
        .map(|member| (member.name(), member))
        .collect()
}

/// Whether something of this weight finds room, which it takes.
fn fits(room: &mut usize, weight: usize) -> bool {
    let left = room.checked_sub(weight);
    *room = left.unwrap_or(*room);
    left.is_some()
}
