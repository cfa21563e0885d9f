//! Connections that end: closed by a side, lost on the way, or given up by a kernel that hears
//! nothing; and what that lets the other side know.

use super::connection::{ConnectionId, EndState, Parcel, Side};
use super::ways::Network;
use crate::Moment;
use crate::ring::LinkId;
use crate::sim::platform::PodId;
use crate::sim::process::ProcessId;
use crate::sim::schedule::{Event, Schedule};

/// How a process ends, for its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Its kernel closes its connections.
    Closed,
    /// Its machine is gone; nobody is told.
    Silent,
}

impl Network {
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

    pub(super) fn close_end(&mut self, id: ConnectionId, side: Side) {
        self.end_mut(id, side).state = EndState::Closed;
        if self.end(id, side.other()).state == EndState::Closed {
            self.live.remove(&id);
        }
    }
}
