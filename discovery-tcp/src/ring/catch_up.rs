//! Catching up (DECIDE): whoever is behind fetches what was decided, from whom it heard of it; who
//! cannot be caught up is told so.

use std::time::Duration;

use discovery_core::{Member, NodeId, TopologyId};

use super::decide::{Told, step_down};
use super::input::LinkId;
use super::links::Links;
use super::member::Membership;
use super::observation::Observation;
use super::planted::Bug;
use super::{Life, Ring};
use crate::message::{Decided, DecidedEntry, Decision, Fetch, Message, Position, Watermark};

/// Shortest time between two fetches, but for one from the coordinator after one from another.
const FETCH_PAUSE: Duration = Duration::from_millis(20);

impl Ring {
    /// Asks somebody for decided entries, not too often.
    pub(super) fn fetch_from(&mut self, from: NodeId) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        // Beats that keep step would let the coordinator's word come within the pause for ever (C73).
        let leads = m.coordinator().is_some_and(|it| it.id() == from);
        let recently = m.fetched.is_some_and(|(at, whom)| {
            self.fx.now.since(at) < FETCH_PAUSE && (whom == from || !leads)
        });
        if recently || self.fx.bug(Bug::RepairSkipped) {
            return;
        }
        m.fetched = Some((self.fx.now, from));
        let (topology, decided) = (m.id(), m.log.decided());
        self.fx
            .send_to(from, Message::Fetch(Fetch { topology, decided }));
    }

    /// Somebody speaks of another topology than the one in force here: the one behind catches up.
    pub(super) fn meet_topology(&mut self, from: NodeId, theirs: TopologyId) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let ours = m.id();
        if ours.cluster_id != theirs.cluster_id {
            if m.log.splits_off_to(theirs.cluster_id) {
                // It was decided, and the word of that was lost.
                self.fetch_from(from);
            } else {
                self.meet_cluster(theirs);
            }
            return;
        }
        if theirs > ours {
            self.fetch_from(from);
        } else if theirs < ours {
            self.tell_newer(from);
        }
    }

    /// Tells somebody behind that there is more; it fetches what it lacks.
    pub(super) fn tell_newer(&mut self, to: NodeId) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        self.fx.send_to(to, Message::Decided(m.log.news()));
    }

    pub(super) fn on_fetch(&mut self, from: NodeId, fetch: Fetch) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let same_cluster = fetch.topology.cluster_id == m.id().cluster_id;
        let ahead = fetch.topology == m.id() && fetch.decided > m.log.decided();
        if same_cluster && (fetch.topology > m.id() || ahead) {
            self.fetch_from(from);
            return;
        }
        let news = m.log.decided_after(fetch.decided);
        if let Some(news) = news.filter(|news| leads_on(fetch.topology, news)) {
            let whole = news.is_whole();
            self.fx.send_to(from, Message::Decided(news));
            if whole {
                self.serve(from);
            }
        } else if same_cluster
            && (m.topology().member(from).is_none()
                || m.needs_promises() && !m.elders_keep_more(from, &self.fx.links))
        {
            // It was removed too long ago, stands on a branch that ended, or lags too far to help a
            // candidate: the topology itself tells it to start anew (SNAP).
            let snapshot = m.log.snapshot();
            self.fx.send_to(from, Message::Snapshot(snapshot));
        } else if same_cluster && m.lead.is_none() {
            // Others may keep what this member has never had: it is for who would lead it to say
            // that nobody does (SNAP-3).
        } else if same_cluster {
            let behind = m
                .id()
                .version
                .get()
                .saturating_sub(fetch.topology.version.get());
            self.lags(from, behind);
        } else {
            self.meet_cluster(fetch.topology);
        }
    }

    pub(super) fn on_decided(&mut self, link: LinkId, from: NodeId, decided: &Decided) {
        if self.learner_learns(link, from, decided) {
            return;
        }
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let known = m.topology().member(from).is_some();
        let next = m.log.decided().next();
        // Behind another decision at its position, a split and what follows it are of no log of
        // this member's.
        let is_ours = match split_in(decided) {
            Some(position) => position >= next,
            None => known && decided.first > next,
        };
        let is_ours = is_ours || self.fx.bug(Bug::SplitLearned);
        if decided.topology.cluster_id != m.id().cluster_id && !is_ours {
            self.meet_cluster(decided.topology);
            return;
        }
        if m.quorum && splits_off_without(self.me.id(), decided) {
            self.meet_cluster(decided.topology);
            return;
        }
        m.fetched = None;
        if is_of_an_older(decided, m.id()) {
            self.tell_newer(from);
            return;
        }
        if decided.first > m.log.decided().next() {
            self.fetch_from(from);
            return;
        }
        let mut position = decided.first;
        for entry in &decided.entries {
            let Life::Member(m) = &mut self.life else {
                return;
            };
            let before = m.log.promised();
            let Ok(delivered) = m.log.learn(position, entry) else {
                self.nonsense(link);
                return;
            };
            position = position.next();
            let term = m.log.promised();
            if term > before {
                self.fx.observe(|| Observation::Promised { term });
            }
            let Some(delivered) = delivered else {
                continue;
            };
            let mark = Watermark {
                term: entry.term,
                position: m.log.decided(),
            };
            m.saw_watermark(mark);
            if m.lead.as_ref().is_some_and(|lead| lead.term < term)
                && !self.fx.bug(Bug::LeadsOnOverInstall)
            {
                step_down(m);
            }
            self.deliver(delivered, Told::ByOthers);
        }
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if m.log.decided() < decided.decided {
            self.fetch_from(from);
        } else {
            self.ask_again();
        }
    }
}

impl Membership {
    /// Whether it stands for a term, or recovers, and needs the promises of others for it.
    fn needs_promises(&self) -> bool {
        self.lead.is_none() && (self.takeover.candidacy.is_some() || self.survivor.is_asking())
    }

    /// Whether this member lacks what was asked for only because it joined later, and hears an elder
    /// one that has come as far: that one may keep it, and `asker` will hear of it (SNAP-3).
    fn elders_keep_more(&self, asker: NodeId, links: &Links) -> bool {
        let is_here = |id: NodeId| {
            let pulse = self.watch.pulses.get(&id);
            pulse.is_some_and(|pulse| pulse.said_in == Some(self.id()))
        };
        let elders = self.topology().members().iter().take(self.place);
        let mut elders = elders.map(Member::id).filter(|id| *id != asker);
        let keeps = |id| links.is_linked(id) && !self.doubts(id) && is_here(id);
        !self.log.has_forgotten() && elders.any(keeps)
    }
}

/// Where these entries open another cluster.
fn split_in(decided: &Decided) -> Option<Position> {
    let splits_off = |entry: &DecidedEntry| entry.decision.split().is_some();
    let place = decided.entries.iter().position(splits_off)?;
    Some(decided.first.plus(place as u64))
}

/// Whether these entries open another cluster that this node is no part of: with a quorum it stays
/// where it is (STAND-2).
fn splits_off_without(me: NodeId, decided: &Decided) -> bool {
    let mut splits = decided
        .entries
        .iter()
        .filter_map(|entry| entry.decision.split());
    splits.any(|change| change.failures.iter().any(|(id, _)| *id == me))
}

/// Whether these are words of who had not installed this topology: behind the change that made it,
/// it has decided nothing, and what it says of positions there is of a branch that ended (ANSWER-3).
pub(super) fn is_of_an_older(decided: &Decided, ours: TopologyId) -> bool {
    decided.topology.cluster_id == ours.cluster_id && decided.topology < ours
}

/// Whether these entries follow from the topology that the asker has: else it stands on a branch
/// that ended, and positions mean something else there.
pub(super) fn leads_on(asker: TopologyId, news: &Decided) -> bool {
    let base = news
        .entries
        .iter()
        .find_map(|entry| match &*entry.decision {
            Decision::Change(change) => Some(change.base),
            Decision::Message(_) => None,
        });
    match base {
        Some(base) => base == asker,
        None => asker == news.topology || !news.is_whole(),
    }
}

#[cfg(test)]
mod tests {
    use discovery_core::{ClusterId, Epoch, TopologyVersion};

    use super::*;

    // Counter-example C49.
    // Clauses: ANSWER-3
    #[test]
    fn words_of_an_older_topology_decide_nothing() {
        let id = |cluster, epoch, version| TopologyId {
            cluster_id: ClusterId::from_u128(cluster),
            epoch: Epoch(epoch),
            version: TopologyVersion::new(version).unwrap(),
        };
        let said_in = |topology| Decided {
            topology,
            first: Position(1),
            entries: Vec::new(),
            decided: Position(40),
        };
        let ours = id(1, 5, 2);
        assert!(is_of_an_older(&said_in(id(1, 5, 1)), ours));
        assert!(is_of_an_older(&said_in(id(1, 4, 9)), ours));
        assert!(!is_of_an_older(&said_in(ours), ours));
        assert!(!is_of_an_older(&said_in(id(1, 6, 1)), ours));
        assert!(!is_of_an_older(&said_in(id(2, 4, 1)), ours));
    }
}
