//! What is sent over connections: it arrives in order, stalls where nothing passes, and is lost with
//! a connection that is broken.

use std::time::Duration;

use super::connection::{ConnectionId, EndState, Parcel, Side};
use super::ways::{Network, Passage};
use crate::Moment;
use crate::message::Shared;
use crate::ring::LinkId;
use crate::sim::platform::PodId;
use crate::sim::process::ProcessId;
use crate::sim::schedule::{Event, Schedule};

/// After how long a kernel gives a connection up that acknowledges nothing, by default.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(10);
/// Longest wait for a retransmission after a way has opened again.
const RETRANSMISSION_MAX: Duration = Duration::from_millis(200);

/// Something that reached a process.
#[derive(Debug)]
pub(crate) struct Reached {
    pub(crate) process: ProcessId,
    pub(crate) link: LinkId,
    pub(crate) from: ProcessId,
    pub(crate) parcel: Parcel,
}

impl Network {
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

    pub(super) fn push(
        &mut self,
        schedule: &mut Schedule,
        id: ConnectionId,
        side: Side,
        parcel: Parcel,
    ) {
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
    pub(super) fn flush(
        &mut self,
        schedule: &mut Schedule,
        concerns: impl Fn(PodId, PodId) -> bool,
    ) {
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
}
