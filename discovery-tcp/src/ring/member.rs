//! What a member knows and is, and what every part of it needs: who coordinates, who is heard.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use discovery_core::{
    AccusationKind, MEMBERS_MAX, NodeId, NodeInfo, Term, Topology, TopologyId, UnixMillis,
};

use super::admission::Admission;
use super::gather::Gather;
use super::log::Log;
use super::recover::Survivor;
use super::roster::Roster;
use super::takeover::Takeover;
use super::watch::Watch;
use crate::config::RingConfig;
use crate::message::{Decision, Position, Tick, Watermark};
use crate::moment::Moment;

/// Members up to which a missed tick of one silence limit means a lost coordinator; beyond, two.
pub(super) const SMALL: usize = 16;

/// Who said what against whom: of each observer the newest, whole word.
pub(super) type AlertBook = BTreeMap<NodeId, Said>;

/// One observer's word, and when it came.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) accusations: Vec<(NodeId, AccusationKind, UnixMillis)>,
    pub(super) heard_at: Moment,
}

/// One node's membership, from the install of its first topology to the end of its node id.
#[derive(Debug)]
pub(super) struct Membership {
    pub(super) log: Log,
    pub(super) roster: Roster,
    pub(super) place: usize,
    pub(super) lead: Option<Box<Lead>>,
    pub(super) takeover: Takeover,
    /// From when on this member, should it coordinate, proposes down the tree (SPREAD-2).
    pub(super) tree_from: Moment,
    pub(super) watermark: Watermark,
    pub(super) tick: Tick,
    pub(super) tick_at: Moment,
    pub(super) watch: Watch,
    pub(super) alerts: AlertBook,
    /// Members that could not be dialled since they were linked last.
    pub(super) out_of_reach: BTreeSet<NodeId>,
    pub(super) gather: Gather,
    pub(super) fetched: Option<(Moment, NodeId)>,
    pub(super) publishing: Publishing,
    pub(super) leaving: Option<Moment>,
    pub(super) quorum: bool,
    pub(super) quorum_lost_at: Option<Moment>,
    pub(super) survivor: Survivor,
    /// Node ids that were members once and are not any more, the newest last (P5).
    pub(super) removed: VecDeque<NodeId>,
    /// Who is accused, while this member coordinates.
    pub(super) accused: BTreeMap<NodeId, Accused>,
    pub(super) joined_at: Moment,
    /// When a newcomer last asked to be admitted and could not be yet.
    pub(super) knocked_at: Option<Moment>,
}

/// Most node ids that are remembered as removed.
pub(super) const REMOVED_MAX: usize = MEMBERS_MAX;

/// The local node's own messages on their way.
#[derive(Debug, Default)]
pub(super) struct Publishing {
    pub(super) last: u64,
    pub(super) pending: VecDeque<Pending>,
    /// Up to which sequence, to whom, under which term they were sent last.
    pub(super) sent: Option<(NodeId, Term, u64)>,
    /// Who passes them on, where the coordinator could not be dialled: until they are sent again.
    pub(super) by: Option<NodeId>,
}

/// One own message that is not decided yet.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) request: u64,
    pub(super) sequence: u64,
    pub(super) decision: Arc<Decision>,
    pub(super) sent: bool,
}

/// A coordinator's term in one topology.
#[derive(Debug)]
pub(super) struct Lead {
    pub(super) term: Term,
    pub(super) start: Position,
    pub(super) reproposed_to: Position,
    /// Who stands at which place of the topology led in.
    pub(super) places: Vec<NodeId>,
    /// By place: up to where accepted, and the newest tick seen.
    pub(super) accepted: Vec<(Position, u64)>,
    pub(super) served_at: Vec<Moment>,
    pub(super) tick: u64,
    /// When the tick was due last; proposals in between do not put it off.
    pub(super) ticked_at: Moment,
    /// When proposals were spread last, and how long a majority takes to have accepted them.
    pub(super) spread_at: Moment,
    pub(super) round_trip: Duration,
    /// Up to where, and up to which tick, everything was sent when the next repair was asked for.
    pub(super) repair_to: (Position, u64),
    /// How long a majority took to promise; zero if this is no candidate's term.
    pub(super) promises_took: Duration,
    /// The promisers of a recovery, all of whom must accept its first decision.
    pub(super) recovery: Option<BTreeSet<NodeId>>,
    /// Published messages that a recovery found accepted; proposed again behind its change.
    pub(super) leftovers: VecDeque<Arc<Decision>>,
    pub(super) confirmed: BTreeSet<NodeId>,
    pub(super) unconfirmed: BTreeMap<NodeId, (Moment, UnixMillis, Position)>,
    pub(super) admission: Admission,
    pub(super) leaves: BTreeSet<NodeId>,
    pub(super) operator: BTreeMap<NodeId, String>,
    /// Who asked below what is kept: when, and how many versions behind.
    pub(super) lagging: BTreeMap<NodeId, (Moment, u64)>,
    pub(super) queue: VecDeque<Arc<Decision>>,
    pub(super) proposed: BTreeMap<NodeId, u64>,
    pub(super) doubt: Option<Doubt>,
    pub(super) probes: BTreeMap<NodeId, Probing>,
}

/// A cut that waits for members in doubt: since when, and how much was said when something was said
/// last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubt {
    pub(super) since: Moment,
    pub(super) said_at: Moment,
    pub(super) words: usize,
}

/// Since when a member is accused by anybody, and whether that was told of as contested.
#[derive(Clone, Copy, Debug)]
pub(super) struct Accused {
    pub(super) since: Moment,
    pub(super) told: bool,
}

/// A subject none of whose observers is left: members of the coordinator's choice dial it.
#[derive(Debug)]
pub(super) struct Probing {
    pub(super) requests: BTreeMap<u64, NodeId>,
    pub(super) failed: Vec<NodeId>,
    pub(super) since: Moment,
}

impl Membership {
    pub(super) fn topology(&self) -> &Topology {
        self.log.topology()
    }

    pub(super) fn id(&self) -> TopologyId {
        self.log.id()
    }

    pub(super) fn members(&self) -> usize {
        self.roster.members()
    }

    /// Who coordinates, by the newest tick; nobody while that member is gone.
    pub(super) fn coordinator(&self) -> Option<&NodeInfo> {
        if self.lead.is_some() {
            return self.roster.info(self.place);
        }
        let order = self.tick.term.order;
        self.topology().ordered(order).map(|member| &member.info)
    }

    /// How long a tick may be missed before the coordinator counts as lost (TAKE).
    pub(super) fn tick_limit(&self, config: &RingConfig) -> Duration {
        if self.members() <= SMALL {
            config.silence_limit
        } else {
            config.silence_limit * 2
        }
    }

    pub(super) fn lost_coordinator(&self, now: Moment, config: &RingConfig) -> bool {
        self.coordinator().is_none() || now.since(self.tick_at) > self.tick_limit(config)
    }

    /// Takes note of a tick; true if it is new. Who splits off coordinates nothing here, whatever it
    /// will there: its term moves no tick (RECOVER-8).
    pub(super) fn saw_tick(&mut self, tick: Tick, now: Moment) -> bool {
        if tick <= self.tick || self.log.splits_off_under(tick.term) {
            return false;
        }
        self.tick = tick;
        self.tick_at = now;
        true
    }

    pub(super) fn saw_watermark(&mut self, watermark: Watermark) {
        if watermark.position > self.watermark.position {
            self.watermark = watermark;
        }
    }

    /// Everybody else, in order.
    pub(super) fn others(&self) -> impl Iterator<Item = (usize, &NodeInfo)> {
        let me = self.place;
        let all = self.topology().members().iter().enumerate();
        all.filter(move |(place, _)| *place != me)
            .map(|(place, member)| (place, &member.info))
    }

    /// Whether something undecided is a change; nothing is proposed behind it (DECIDE-4).
    pub(super) fn change_is_undecided(&self) -> bool {
        self.log
            .tail()
            .back()
            .is_some_and(|last| matches!(**last, Decision::Change(_)))
    }
}
