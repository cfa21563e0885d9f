//! Where a ring stands, for people.

use std::time::Duration;

use discovery_core::{AccusationKind, NodeId, NodeInfo, Standing, Term, Topology, UnixMillis};

use super::join::REFUSED;
use super::lasting::LastingRefusal;
use super::roster::Roster;
use super::turned_away::TurnedAway;
use super::{Life, Ring};
use crate::message::PhaseKind;
use crate::moment::Moment;

/// One accusation as this node knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Suspicion {
    /// Who is accused.
    pub subject: NodeId,
    /// By whom.
    pub observer: NodeId,
    /// Of what.
    pub kind: AccusationKind,
    /// Since when, by the observer's clock.
    pub since: UnixMillis,
}

/// Everything a person would ask a ring.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// The local node.
    pub node: NodeInfo,
    /// Newcomer, member or leaving.
    pub phase: PhaseKind,
    /// Where it stands.
    pub standing: Standing,
    /// The topology in force here, if any.
    pub topology: Option<Topology>,
    /// Up to where decisions are known here.
    pub decided: u64,
    /// The term of the coordinator heard last.
    pub term: Option<Term>,
    /// Who coordinates, as far as is known here.
    pub coordinator: Option<NodeInfo>,
    /// Whether a majority is heard.
    pub quorum: bool,
    /// For how long the quorum is lost.
    pub without_quorum_for: Option<Duration>,
    /// Who accuses whom, as far as is known here; the coordinator and the eldest know most.
    pub suspicions: Vec<Suspicion>,
    /// What it waits for, in a few words; none if for nothing.
    pub waiting_for: Option<String>,
    /// Who refuses it until somebody mends what differs; none for a member, and none once that was
    /// not repeated for a minute.
    pub refused: Option<LastingRefusal>,
    /// Whom it turned away lately, the newest last; at most [`super::TURNED_AWAY_MAX`].
    pub turned_away: Vec<TurnedAway>,
    /// Where epochs come from: `listing` or `clock`.
    pub epoch_source: &'static str,
    /// How many links are open or being opened.
    pub links: usize,
}

impl Ring {
    /// Newcomer, member or leaving.
    pub fn phase(&self) -> PhaseKind {
        match &self.life {
            Life::Newcomer(_) | Life::Over => PhaseKind::Newcomer,
            Life::Member(m) if m.leaving.is_some() => PhaseKind::Leaving,
            Life::Member(_) => PhaseKind::Member,
        }
    }

    /// The topology in force here; none for a newcomer.
    pub fn topology(&self) -> Option<&Topology> {
        match &self.life {
            Life::Member(m) => Some(m.topology()),
            Life::Newcomer(_) | Life::Over => None,
        }
    }

    /// Everything a person would ask.
    pub fn status(&self) -> Status {
        let mut status = Status {
            node: self.me.clone(),
            phase: self.phase(),
            standing: self.standing.clone(),
            topology: self.topology().cloned(),
            decided: 0,
            term: None,
            coordinator: None,
            quorum: false,
            without_quorum_for: None,
            suspicions: Vec::new(),
            waiting_for: None,
            refused: None,
            turned_away: self.turned_away_lately(),
            epoch_source: if self.lists_epochs() {
                "listing"
            } else {
                "clock"
            },
            links: self.fx.links.len(),
        };
        match &self.life {
            Life::Newcomer(newcomer) => {
                let lately = |at: Moment| self.fx.now.since(at) < 2 * REFUSED;
                let refused = newcomer.refused.as_ref().filter(|(at, _)| lately(*at));
                status.refused = refused.map(|(_, it)| it.clone());
                if let Standing::NotYetMember { waiting_for } = &self.standing {
                    status.waiting_for = Some(waiting_for.to_string());
                }
            }
            Life::Over => {}
            Life::Member(m) => {
                status.decided = m.log.decided().0;
                status.term = Some(m.tick.term);
                status.coordinator = m.coordinator().cloned();
                status.quorum = m.quorum;
                status.without_quorum_for = m.quorum_lost_at.map(|at| self.fx.now.since(at));
                status.waiting_for = self.survivor_waits_for();
                for (observer, said) in &m.alerts {
                    status.suspicions.extend(said.accusations.iter().map(
                        |(subject, kind, since)| Suspicion {
                            subject: *subject,
                            observer: *observer,
                            kind: *kind,
                            since: *since,
                        },
                    ));
                }
            }
        }
        status
    }
}

/// Who watches this member in this topology; nobody if it is no member.
pub fn observers_of(topology: &Topology, subject: NodeId) -> Vec<NodeId> {
    let roster = Roster::new(topology);
    let place = roster.index_of(subject);
    place.map_or_else(Vec::new, |place| ids(&roster, place))
}

/// Who watches each member of this topology, in the order of its members. Looks at all of them once.
pub fn observers(topology: &Topology) -> Vec<Vec<NodeId>> {
    let roster = Roster::new(topology);
    roster.prepare();
    let places = 0..roster.members();
    places.map(|place| ids(&roster, place)).collect()
}

fn ids(roster: &Roster, place: usize) -> Vec<NodeId> {
    let observers = roster.observers(place);
    observers.filter_map(|it| roster.node(it)).collect()
}
