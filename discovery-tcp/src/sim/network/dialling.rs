//! Dials, and how they are answered: by a process that listens, by a refusal or by nobody.

use std::net::SocketAddr;
use std::time::Duration;

use super::connection::{Connection, ConnectionId, End, EndState, Lane, Parcel, Side};
use super::ways::Network;
use crate::ring::{DialFailure, LinkId};
use crate::sim::platform::PodId;
use crate::sim::process::ProcessId;
use crate::sim::schedule::{Event, Schedule};

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

impl Network {
    /// A process dials an address.
    pub(crate) fn dial(
        &mut self,
        schedule: &mut Schedule,
        who: (ProcessId, PodId, LinkId),
        to: SocketAddr,
        timeout: Duration,
    ) -> ConnectionId {
        let id = self.wait_at(who, to);
        let delay = self.chance.span(self.weather.latency);
        schedule.after(delay, Event::DialArrives(id));
        schedule.after(timeout, Event::DialFails(id, DialFailure::TimedOut));
        id
    }

    /// A process wants to dial an address and has no means to.
    pub(crate) fn dial_in_vain(
        &mut self,
        schedule: &mut Schedule,
        who: (ProcessId, PodId, LinkId),
        to: SocketAddr,
    ) -> ConnectionId {
        let id = self.wait_at(who, to);
        schedule.after(Duration::ZERO, Event::DialFails(id, DialFailure::NotTried));
        id
    }

    /// The dialling end of a connection that is not answered yet.
    fn wait_at(
        &mut self,
        (process, pod, link): (ProcessId, PodId, LinkId),
        to: SocketAddr,
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
}
