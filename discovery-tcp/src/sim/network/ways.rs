//! The network: all connections of a run, and what the ways between pods let pass.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::connection::{Connection, ConnectionId, End, EndState, Side};
use crate::sim::chance::Chance;
use crate::sim::platform::PodId;
use crate::sim::process::ProcessId;
use crate::sim::schedule::Schedule;

/// What one direction between two pods does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// Nothing passes and nobody is told: what is sent stalls until the way opens again.
    Silent,
    /// Dials are refused on the way, as a network policy refuses; what is connected goes on.
    Refusing,
}

/// How the network is, faults aside.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Least and longest time of a packet on its way.
    pub latency: (Duration, Duration),
    /// How long what was sent may stall before the sender's side gives the connection up.
    pub user_timeout: Option<Duration>,
    /// How many of a hundred connections of a process that ends lose what was under way.
    pub resets_percent: u64,
}

impl Default for Weather {
    fn default() -> Self {
        Self {
            latency: (Duration::from_micros(100), Duration::from_micros(400)),
            user_timeout: None,
            resets_percent: 0,
        }
    }
}

/// All connections of a run.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) weather: Weather,
    pub(super) chance: Chance,
    pub(super) ways: BTreeMap<(PodId, PodId), Passage>,
    pub(super) detours: BTreeMap<(PodId, PodId), Duration>,
    pub(super) connections: Vec<Connection>,
    pub(super) live: BTreeSet<ConnectionId>,
    /// Sides with something that waits for the way to open.
    pub(super) stalls: BTreeSet<(ConnectionId, Side)>,
}

impl Network {
    pub(crate) fn new(weather: Weather, chance: Chance) -> Self {
        Self {
            weather,
            chance,
            ways: BTreeMap::new(),
            detours: BTreeMap::new(),
            connections: Vec::new(),
            live: BTreeSet::new(),
            stalls: BTreeSet::new(),
        }
    }

    pub(crate) fn passage(&self, from: PodId, to: PodId) -> Option<Passage> {
        self.ways.get(&(from, to)).copied()
    }

    /// Whether any way between pods is not open.
    pub(crate) fn is_cut_anywhere(&self) -> bool {
        !self.ways.is_empty()
    }

    /// Whether some way takes longer than it should, or some open side believes in a connection
    /// that carries nothing any more.
    pub(crate) fn is_disturbed(&self) -> bool {
        !self.detours.is_empty()
            || self.live.iter().any(|id| {
                let ends = &self.connections[id.0 as usize].ends;
                let is_dead =
                    |end: &End| end.state == EndState::Open && end.lane.lost_after.is_some();
                ends.iter().any(is_dead)
            })
    }

    /// Sets what one direction does; `None` opens it.
    pub(crate) fn set_passage(
        &mut self,
        schedule: &mut Schedule,
        (from, to): (PodId, PodId),
        passage: Option<Passage>,
    ) {
        match passage {
            Some(passage) => self.ways.insert((from, to), passage),
            None => self.ways.remove(&(from, to)),
        };
        self.flush(schedule, |end, other| end == from && other == to);
    }

    /// Lets everything between `from` and `to` take longer; zero takes that back.
    pub(crate) fn set_detour(&mut self, way: (PodId, PodId), longer: Duration) {
        if longer.is_zero() {
            self.detours.remove(&way);
        } else {
            self.detours.insert(way, longer);
        }
    }

    /// Opens every way and releases what was held.
    pub(crate) fn open_all(&mut self, schedule: &mut Schedule) {
        self.ways.clear();
        self.detours.clear();
        for connection in &mut self.connections {
            for end in &mut connection.ends {
                end.lane.held = false;
            }
        }
        self.flush(schedule, |_, _| true);
    }

    /// Holds one direction of every connection between two pods back, or lets it go.
    pub(crate) fn hold(&mut self, schedule: &mut Schedule, way: (PodId, PodId), held: bool) {
        for connection in &mut self.connections {
            let pods = [connection.ends[0].pod, connection.ends[1].pod];
            for (place, end) in connection.ends.iter_mut().enumerate() {
                if (pods[place], pods[1 - place]) == way {
                    end.lane.held = held;
                }
            }
        }
        self.flush(schedule, |from, to| (from, to) == way);
    }

    /// The open connections between two processes, from the first's side.
    pub(crate) fn between(&self, one: ProcessId, other: ProcessId) -> Vec<(ConnectionId, Side)> {
        let is_between = |id: &ConnectionId, side: Side| {
            self.end(*id, side).process == one && self.end(*id, side.other()).process == other
        };
        self.live
            .iter()
            .flat_map(|id| [(*id, Side::Dialler), (*id, Side::Acceptor)])
            .filter(|(id, side)| is_between(id, *side))
            .collect()
    }

    /// Every connection that both sides hold open.
    pub(crate) fn open_connections(&self) -> Vec<ConnectionId> {
        let is_open = |id: &&ConnectionId| {
            let open = |side| self.end(**id, side).state == EndState::Open;
            open(Side::Dialler) && open(Side::Acceptor)
        };
        self.live.iter().filter(is_open).copied().collect()
    }

    pub(super) fn delay(&mut self, from: PodId, to: PodId) -> Duration {
        let detour = self.detours.get(&(from, to)).copied().unwrap_or_default();
        self.chance.span(self.weather.latency) + detour
    }

    pub(super) fn end(&self, id: ConnectionId, side: Side) -> &End {
        &self.connections[id.0 as usize].ends[side.place()]
    }

    pub(super) fn end_mut(&mut self, id: ConnectionId, side: Side) -> &mut End {
        &mut self.connections[id.0 as usize].ends[side.place()]
    }
}
