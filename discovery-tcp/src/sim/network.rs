//! Connections with a fate: dialled, refused or unanswered; first in, first out in each direction;
//! broken for both sides or for one; stalled where nothing passes, as TCP retransmits.
//!
//! Who listens where, and what processes do with what reaches them, is in `cluster`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use super::chance::Chance;
use super::platform::PodId;
use super::process::ProcessId;
use super::schedule::{Event, Schedule};
use crate::Moment;
use crate::message::Shared;
use crate::ring::{DialFailure, LinkId};

/// One connection of a run; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConnectionId(u32);

/// One of the two sides of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// Who dialled.
    Dialler,
    /// Who accepted.
    Acceptor,
}

impl Side {
    /// The other one.
    #[must_use]
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Dialler => Self::Acceptor,
            Self::Acceptor => Self::Dialler,
        }
    }

    const fn place(self) -> usize {
        match self {
            Self::Dialler => 0,
            Self::Acceptor => 1,
        }
    }
}

/// What is under way on a connection.
#[derive(Debug)]
pub(crate) enum Parcel {
    Message(Shared),
    /// Nothing follows.
    End,
}

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EndState {
    Waiting,
    Open,
    Closed,
}

/// One side of a connection, and the lane that leads away from it.
#[derive(Debug)]
struct End {
    process: ProcessId,
    pod: PodId,
    link: LinkId,
    state: EndState,
    /// Its machine is gone, so not even a kernel answers.
    is_lost: bool,
    lane: Lane,
}

#[derive(Debug, Default)]
struct Lane {
    /// What is sent next arrives after this.
    last_arrival: Moment,
    /// What arrives after this is lost.
    lost_after: Option<Moment>,
    /// What waits for the way to open.
    stalled: VecDeque<Parcel>,
    stalled_since: Option<Moment>,
    /// Whether a directed schedule holds it back.
    held: bool,
}

#[derive(Debug)]
struct Connection {
    dialled: SocketAddr,
    ends: [End; 2],
}

/// Who is found where a dial arrives.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found {
    /// No machine.
    Nobody,
    /// A machine where nobody listens, or a way that refuses.
    Closed,
    /// A process that listens, and the number it would give the link.
    Listener(ProcessId, PodId, LinkId),
}

/// Something that reached a process.
#[derive(Debug)]
pub(crate) struct Reached {
    pub(crate) process: ProcessId,
    pub(crate) link: LinkId,
    pub(crate) from: ProcessId,
    pub(crate) parcel: Parcel,
}

/// How a process ends, for its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Its kernel closes its connections.
    Closed,
    /// Its machine is gone; nobody is told.
    Silent,
}

/// All connections of a run.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) weather: Weather,
    chance: Chance,
    ways: BTreeMap<(PodId, PodId), Passage>,
    detours: BTreeMap<(PodId, PodId), Duration>,
    connections: Vec<Connection>,
    live: BTreeSet<ConnectionId>,
    /// Sides with something that waits for the way to open.
    stalls: BTreeSet<(ConnectionId, Side)>,
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

    fn delay(&mut self, from: PodId, to: PodId) -> Duration {
        let detour = self.detours.get(&(from, to)).copied().unwrap_or_default();
        self.chance.span(self.weather.latency) + detour
    }

    /// A process dials an address.
    pub(crate) fn dial(
        &mut self,
        schedule: &mut Schedule,
        (process, pod, link): (ProcessId, PodId, LinkId),
        to: SocketAddr,
        timeout: Duration,
    ) -> ConnectionId {
        let number = u32::try_from(self.connections.len()).unwrap_or(u32::MAX);
        let id = ConnectionId(number);
        let end = |state| End {
            process,
            pod,
            link,
            state,
            is_lost: false,
            lane: Lane::default(),
        };
        // Who accepts is not known yet; its side is filled in when the dial arrives.
        let ends = [end(EndState::Waiting), end(EndState::Closed)];
        self.connections.push(Connection { dialled: to, ends });
        self.live.insert(id);
        let delay = self.chance.span(self.weather.latency);
        schedule.after(delay, Event::DialArrives(id));
        schedule.after(timeout, Event::DialFails(id, DialFailure::TimedOut));
        id
    }

    pub(crate) fn dialled(&self, id: ConnectionId) -> (PodId, SocketAddr) {
        let connection = &self.connections[id.0 as usize];
        (connection.ends[0].pod, connection.dialled)
    }

    /// A dial arrives; whoever accepts is told at once, and who dialled after the way back.
    /// Returns whether it was accepted.
    pub(crate) fn arrive_dial(
        &mut self,
        schedule: &mut Schedule,
        id: ConnectionId,
        found: Found,
    ) -> bool {
        let dialler = self.end(id, Side::Dialler).pod;
        match found {
            Found::Nobody => false,
            Found::Closed => {
                let back = self.chance.span(self.weather.latency);
                schedule.after(back, Event::DialFails(id, DialFailure::Refused));
                false
            }
            Found::Listener(process, pod, link) => {
                let back = self.delay(pod, dialler);
                let opened = schedule.now() + back;
                *self.end_mut(id, Side::Acceptor) = End {
                    process,
                    pod,
                    link,
                    state: EndState::Open,
                    is_lost: false,
                    lane: Lane {
                        last_arrival: opened,
                        ..Lane::default()
                    },
                };
                self.live.insert(id);
                schedule.at(opened, Event::DialAnswered(id));
                true
            }
        }
    }

    /// The answer reaches the dialler; returns who it is, unless it no longer waits.
    pub(crate) fn answer_dial(
        &mut self,
        schedule: &mut Schedule,
        id: ConnectionId,
    ) -> Option<(ProcessId, LinkId)> {
        let end = self.end_mut(id, Side::Dialler);
        if end.state != EndState::Waiting {
            // It gave up meanwhile, so its kernel refuses what it has no use for.
            self.push(schedule, id, Side::Dialler, Parcel::End);
            return None;
        }
        end.state = EndState::Open;
        Some((end.process, end.link))
    }

    /// A dial ends without a link; returns who waited for it.
    pub(crate) fn fail_dial(&mut self, id: ConnectionId) -> Option<(ProcessId, LinkId)> {
        let end = self.end_mut(id, Side::Dialler);
        if end.state != EndState::Waiting {
            return None;
        }
        let who = (end.process, end.link);
        self.close_end(id, Side::Dialler);
        Some(who)
    }

    /// A side sends.
    pub(crate) fn send(
        &mut self,
        schedule: &mut Schedule,
        (id, side): (ConnectionId, Side),
        message: Shared,
    ) {
        if self.end(id, side).state == EndState::Open {
            self.push(schedule, id, side, Parcel::Message(message));
        }
    }

    /// What this side sends next arrives so much later than it would.
    pub(crate) fn linger(
        &mut self,
        now: Moment,
        (id, side): (ConnectionId, Side),
        longer: Duration,
    ) {
        let lane = &mut self.end_mut(id, side).lane;
        lane.last_arrival = lane.last_arrival.max(now + longer);
    }

    /// Who is at the other side, if that is known yet.
    pub(crate) fn other_end(&self, id: ConnectionId, side: Side) -> (ProcessId, PodId) {
        let end = self.end(id, side.other());
        (end.process, end.pod)
    }

    /// A side closes, after what it sent before.
    pub(crate) fn close(&mut self, schedule: &mut Schedule, (id, side): (ConnectionId, Side)) {
        let was = self.end(id, side).state;
        self.close_end(id, side);
        if was == EndState::Open {
            self.push(schedule, id, side, Parcel::End);
        }
    }

    /// The process of a side has ended.
    pub(crate) fn end_side(
        &mut self,
        schedule: &mut Schedule,
        (id, side): (ConnectionId, Side),
        ending: Ending,
    ) {
        let was = self.end(id, side).state;
        self.close_end(id, side);
        if was != EndState::Open {
            self.end_mut(id, side).is_lost = ending == Ending::Silent;
            return;
        }
        match ending {
            Ending::Silent => {
                let end = self.end_mut(id, side);
                end.is_lost = true;
                end.lane.stalled.clear();
            }
            Ending::Closed => {
                let loses = self.weather.resets_percent;
                if self.chance.percent(loses) && self.end(id, side).lane.stalled.is_empty() {
                    let now = schedule.now();
                    let lane = &mut self.end_mut(id, side).lane;
                    lane.lost_after = Some(now);
                    lane.last_arrival = now;
                }
                self.push(schedule, id, side, Parcel::End);
            }
        }
    }

    /// The connection is lost: the sides named are told, the others never are.
    pub(crate) fn break_up(&mut self, schedule: &mut Schedule, id: ConnectionId, told: &[Side]) {
        let now = schedule.now();
        for side in [Side::Dialler, Side::Acceptor] {
            // A side that is not told is answered by the other's kernel when it sends, or, where
            // something on the way has forgotten the connection, by nobody.
            let is_answered = !told.contains(&side) && self.chance.once_in(2);
            let lane = &mut self.end_mut(id, side).lane;
            lane.stalled.clear();
            if !is_answered {
                lane.lost_after = Some(now);
            }
        }
        for side in told {
            let delay = self.chance.span(self.weather.latency);
            schedule.after(delay, Event::Broken(id, *side));
        }
    }

    /// This side learns that the connection is gone; returns whom to tell.
    pub(crate) fn learn_broken(
        &mut self,
        id: ConnectionId,
        side: Side,
    ) -> Option<(ProcessId, LinkId)> {
        let end = self.end(id, side);
        if end.state != EndState::Open {
            return None;
        }
        let who = (end.process, end.link);
        self.close_end(id, side);
        Some(who)
    }

    /// Something has come to this side; returns what reaches its process.
    pub(crate) fn arrive(
        &mut self,
        schedule: &mut Schedule,
        (id, side): (ConnectionId, Side),
        parcel: Parcel,
    ) -> Option<Reached> {
        let sender = self.end(id, side.other());
        let (from, from_pod) = (sender.process, sender.pod);
        if sender
            .lane
            .lost_after
            .is_some_and(|lost| schedule.now() > lost)
            && matches!(parcel, Parcel::Message(_))
        {
            return None;
        }
        let receiver = self.end(id, side);
        let (process, pod, link) = (receiver.process, receiver.pod, receiver.link);
        if receiver.state != EndState::Open {
            // The kernel answers for a side that is closed, if its machine still stands.
            let is_answered = !receiver.is_lost && self.passage(pod, from_pod).is_none();
            if matches!(parcel, Parcel::Message(_)) && is_answered {
                let back = self.delay(pod, from_pod);
                schedule.after(back, Event::Broken(id, side.other()));
            }
            return None;
        }
        if matches!(parcel, Parcel::End) {
            self.close_end(id, side);
        }
        Some(Reached {
            process,
            link,
            from,
            parcel,
        })
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

    /// What stalled for too long ends the sender's side; returns whom to tell.
    pub(crate) fn give_up_stalled(
        &mut self,
        now: Moment,
        (id, side): (ConnectionId, Side),
    ) -> Option<(ProcessId, LinkId)> {
        let limit = self.weather.user_timeout?;
        let since = self.end(id, side).lane.stalled_since?;
        if now.since(since) < limit || self.end(id, side).lane.held {
            return None;
        }
        self.end_mut(id, side).lane.stalled.clear();
        self.learn_broken(id, side)
    }

    fn push(&mut self, schedule: &mut Schedule, id: ConnectionId, side: Side, parcel: Parcel) {
        let (from, to) = (self.end(id, side).pod, self.end(id, side.other()).pod);
        let is_silent = !self.ways.is_empty() && self.passage(from, to) == Some(Passage::Silent);
        let limit = self.weather.user_timeout;
        let now = schedule.now();
        let lane = &mut self.end_mut(id, side).lane;
        if lane.lost_after.is_some() && lane.stalled_since.is_none() {
            // Nothing that is sent is ever acknowledged, so in the end the sender's kernel gives up.
            lane.stalled_since = Some(now);
            let limit = limit.unwrap_or(UNACKNOWLEDGED_MAX);
            schedule.after(limit, Event::Broken(id, side));
        }
        if is_silent || lane.held || !lane.stalled.is_empty() {
            lane.stalled.push_back(parcel);
            if lane.stalled_since.is_none() {
                lane.stalled_since = Some(now);
                if let Some(limit) = limit {
                    schedule.after(limit, Event::StallOver(id, side));
                }
            }
            self.stalls.insert((id, side));
            return;
        }
        let delay = self.delay(from, to);
        self.put_on_the_way(schedule, (id, side), parcel, delay);
    }

    fn put_on_the_way(
        &mut self,
        schedule: &mut Schedule,
        (id, side): (ConnectionId, Side),
        parcel: Parcel,
        delay: Duration,
    ) {
        let lane = &mut self.end_mut(id, side).lane;
        let at = (schedule.now() + delay).max(lane.last_arrival + Duration::from_nanos(1));
        lane.last_arrival = at;
        schedule.at(at, Event::Arrives(id, side.other(), parcel));
    }

    /// Sends on what stalled where the way is open now.
    fn flush(&mut self, schedule: &mut Schedule, concerns: impl Fn(PodId, PodId) -> bool) {
        let stalls: Vec<_> = self.stalls.iter().copied().collect();
        for (id, side) in stalls {
            let (from, to) = (self.end(id, side).pod, self.end(id, side.other()).pod);
            let is_silent = self.passage(from, to) == Some(Passage::Silent);
            if is_silent || self.end(id, side).lane.held || !concerns(from, to) {
                continue;
            }
            self.stalls.remove(&(id, side));
            let lane = &mut self.end_mut(id, side).lane;
            lane.stalled_since = None;
            let parcels = std::mem::take(&mut lane.stalled);
            // A retransmission is due some time after the way has opened.
            let wait = self.chance.span((Duration::ZERO, RETRANSMISSION_MAX));
            let delay = wait + self.delay(from, to);
            for parcel in parcels {
                self.put_on_the_way(schedule, (id, side), parcel, delay);
            }
        }
    }

    fn end(&self, id: ConnectionId, side: Side) -> &End {
        &self.connections[id.0 as usize].ends[side.place()]
    }

    fn end_mut(&mut self, id: ConnectionId, side: Side) -> &mut End {
        &mut self.connections[id.0 as usize].ends[side.place()]
    }

    fn close_end(&mut self, id: ConnectionId, side: Side) {
        self.end_mut(id, side).state = EndState::Closed;
        if self.end(id, side.other()).state == EndState::Closed {
            self.live.remove(&id);
        }
    }
}

/// After how long a kernel gives a connection up that acknowledges nothing, by default.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(10);

/// Longest wait for a retransmission after a way has opened again.
const RETRANSMISSION_MAX: Duration = Duration::from_millis(200);
