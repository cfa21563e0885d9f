//! Who is better: newcomers and members heard of (FORM-1, FORM-2), and telling others of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use discovery_core::NodeId;

use super::timers::Timer;
use super::{Life, Ring};
use crate::message::{Best, Introduction, MemberHint, Message, PhaseKind, Rank, Rumour};
use crate::moment::Moment;

/// A better candidate that has not asked for so long counts as the last (FORM-2).
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// How long news are gathered before they are told.
pub(super) const BATCH: Duration = Duration::from_millis(3);
/// How long a member that was asked in vain is not believed in.
const DENIED: Duration = Duration::from_secs(20);
/// Most newcomers remembered; the best are.
const HEARD_MAX: usize = 64;

/// What was heard of others.
#[derive(Debug, Default)]
pub(super) struct Hearsay {
    better: BTreeMap<NodeId, Heard>,
    pub(super) member: Option<MemberHint>,
    /// Members that were asked in vain, and when: what others repeat of them is not believed for a
    /// while, else two newcomers tell each other of a dead one for ever.
    denied: BTreeMap<NodeId, Moment>,
}

#[derive(Clone, Debug)]
struct Heard {
    rank: Rank,
    addresses: Vec<SocketAddr>,
    /// When it was first heard of, or asked last.
    at: Moment,
}

impl Hearsay {
    /// Notes a newcomer's rank; one that asks starts its patience anew.
    pub(super) fn note(&mut self, best: &Best, asked: bool, now: Moment) {
        if self.better.len() >= HEARD_MAX && !self.better.contains_key(&best.rank.node) {
            // Of many only the best matter.
            let worst = self.better.values().map(|heard| heard.rank).max();
            match worst {
                Some(worst) if best.rank < worst => self.better.remove(&worst.node),
                Some(_) | None => return,
            };
        }
        let heard = self.better.entry(best.rank.node).or_insert(Heard {
            rank: best.rank,
            addresses: best.addresses.clone(),
            at: now,
        });
        heard.rank = best.rank;
        if asked {
            heard.at = now;
        }
    }

    /// Whether this member was asked in vain lately.
    pub(super) fn is_denied(&self, node: NodeId, now: Moment) -> bool {
        self.denied
            .get(&node)
            .is_some_and(|at| now.since(*at) < DENIED)
    }

    /// When this member was asked in vain, if it was lately.
    pub(super) fn denied_at(&self, node: NodeId) -> Option<Moment> {
        self.denied.get(&node).copied()
    }

    /// Nobody answers for this member.
    pub(super) fn deny(&mut self, node: NodeId, now: Moment) {
        self.denied.retain(|_, at| now.since(*at) < DENIED);
        if self.denied.len() < HEARD_MAX {
            self.denied.insert(node, now);
        }
        self.forget(node);
    }

    /// Those expected at this address are not there, except for one who answered.
    pub(super) fn nobody_at(&mut self, address: SocketAddr, but: Option<NodeId>, now: Moment) {
        let expected = |(id, heard): (&NodeId, &Heard)| {
            (Some(*id) != but && heard.addresses.contains(&address)).then_some(*id)
        };
        let gone: Vec<NodeId> = self.better.iter().filter_map(expected).collect();
        for id in gone {
            self.deny(id, now);
        }
    }

    /// It answers for itself.
    pub(super) fn believe(&mut self, node: NodeId) {
        self.denied.remove(&node);
    }

    pub(super) fn forget(&mut self, node: NodeId) {
        self.better.remove(&node);
        if self
            .member
            .as_ref()
            .is_some_and(|member| member.node == node)
        {
            self.member = None;
        }
    }

    /// The best newcomer below this rank that may still be expected to proceed.
    pub(super) fn better_than(&self, mine: Rank, now: Moment) -> Option<Best> {
        let best = self
            .better
            .values()
            .filter(|heard| heard.rank < mine && now.since(heard.at) < PATIENCE)
            .min_by_key(|heard| heard.rank)?;
        Some(Best {
            rank: best.rank,
            addresses: best.addresses.clone(),
        })
    }

    /// The best newcomer heard of.
    pub(super) fn best(&self, now: Moment) -> Option<Best> {
        let fresh = self
            .better
            .values()
            .filter(|heard| now.since(heard.at) < PATIENCE);
        let best = fresh.min_by_key(|heard| heard.rank)?;
        Some(Best {
            rank: best.rank,
            addresses: best.addresses.clone(),
        })
    }
}

impl Ring {
    /// What a greeting, a rumour or an answer tells of others.
    pub(super) fn take_rumour(&mut self, best: Option<&Best>, member: Option<&MemberHint>) {
        let now = self.fx.now;
        if let Some(best) = best
            && best.rank.node != self.me.id()
            && !self.hearsay.is_denied(best.rank.node, now)
        {
            self.hearsay.note(best, false, now);
        }
        if let Some(member) = member
            && member.node != self.me.id()
            && !self.hearsay.is_denied(member.node, now)
        {
            self.hear_of_member(member.clone());
        }
        self.tell_rumours_soon();
    }

    /// What this node says of itself now.
    pub(super) fn introduction(&self) -> Introduction {
        let now = self.fx.now;
        let (phase, topology, quorum) = match &self.life {
            Life::Newcomer(_) | Life::Over => (PhaseKind::Newcomer, None, false),
            Life::Member(m) => {
                let leaving = m.leaving.is_some();
                let phase = if leaving {
                    PhaseKind::Leaving
                } else {
                    PhaseKind::Member
                };
                (phase, Some(m.id()), m.quorum)
            }
        };
        Introduction {
            wire: self.wire,
            cluster_name: self.config.cluster_name.clone(),
            settings: self.config.settings,
            node: self.me.clone(),
            phase,
            rank: self.own_rank(),
            best: self.hearsay.best(now),
            member: self.member_hint(),
            topology,
            quorum,
        }
    }

    /// This node if it is a member, else one it heard of.
    pub(super) fn member_hint(&self) -> Option<MemberHint> {
        match &self.life {
            Life::Member(m) => Some(MemberHint {
                node: self.me.id(),
                addresses: self.me.addresses().to_vec(),
                topology: m.id(),
            }),
            Life::Newcomer(_) => self.hearsay.member.clone(),
            Life::Over => None,
        }
    }

    /// News are told a moment later, all together.
    pub(super) fn tell_rumours_soon(&mut self) {
        if !self.fx.timers.is_set(Timer::Rumour) {
            self.fx.after(Timer::Rumour, BATCH);
        }
    }

    /// Tells newcomers at the other end of links what is better than what they were told (FORM-1).
    pub(super) fn tell_rumours(&mut self) {
        let now = self.fx.now;
        let own = self.own_best();
        let rank = own.as_ref().map(|own| own.rank);
        let heard = self.hearsay.best(now);
        let best = [own, heard]
            .into_iter()
            .flatten()
            .min_by_key(|best| best.rank);
        let member = self.member_hint();
        let mut told = Vec::new();
        for (id, link) in self.fx.links.iter_mut() {
            let super::links::Stage::Open(end) = &mut link.stage else {
                continue;
            };
            match end.phase {
                PhaseKind::Newcomer => {}
                PhaseKind::Member | PhaseKind::Leaving => continue,
            }
            let news = best.as_ref().is_some_and(|best| {
                best.rank.node != end.node.id()
                    && end.knows.as_ref().is_none_or(|known| best.rank < **known)
            });
            if news || member.is_some() && !end.told_member {
                let better = best.as_ref().map(|best| best.rank);
                let known = better.into_iter().chain(end.knows.as_deref().copied());
                end.knows = known.min().map(Box::new);
                end.told_member |= member.is_some();
                told.push(id);
            }
        }
        if told.is_empty() {
            return;
        }
        let rumour = std::sync::Arc::new(Message::Rumour(Rumour { rank, best, member }));
        for id in told {
            self.fx.send_shared(id, rumour.clone());
        }
    }

    /// Tells newcomers at the other end of links that this one counts itself last from now on: worse
    /// news of oneself than they were told (FORM-2).
    pub(super) fn tell_that_it_is_last(&mut self) {
        let rumour = Rumour {
            rank: self.own_rank(),
            best: self.hearsay.best(self.fx.now),
            member: self.member_hint(),
        };
        let rumour = std::sync::Arc::new(Message::Rumour(rumour));
        let is_newcomer = |link: &super::links::Link| {
            let end = link.other_end();
            end.is_some_and(|end| end.phase == PhaseKind::Newcomer)
        };
        let links = self.fx.links.iter();
        let told: Vec<_> = links
            .filter(|(_, link)| is_newcomer(link))
            .map(|(id, _)| id)
            .collect();
        for id in told {
            self.fx.send_shared(id, rumour.clone());
        }
    }

    pub(super) fn on_rumour(&mut self, from: NodeId, rumour: &Rumour) {
        if let Some(rank) = rumour.rank
            && rank.node == from
            && let Some(node) = self
                .fx
                .links
                .to(from)
                .and_then(|link| self.fx.links.node_at(link))
        {
            let best = Best {
                rank,
                addresses: node.addresses().to_vec(),
            };
            self.hearsay.note(&best, false, self.fx.now);
        }
        self.take_rumour(rumour.best.as_ref(), rumour.member.as_ref());
        self.look_after_round();
    }
}

#[cfg(test)]
#[path = "hearsay_tests.rs"]
mod tests;
