//! What is going to happen, in the order in which it will: the only clock of a run.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::api::Answer;
use super::network::{ConnectionId, Parcel, Side};
use super::platform::PodId;
use super::process::ProcessId;
use crate::Moment;
use crate::ring::DialFailure;

/// One thing that is going to happen.
#[derive(Debug)]
pub(crate) enum Event {
    /// A process may have to be told of its deadline.
    Wake(ProcessId),
    /// A busy process can take its next input.
    Free(ProcessId),
    /// A paused process goes on.
    Resume(ProcessId),
    /// The first packet of a dial reaches the other side.
    DialArrives(ConnectionId),
    /// Its answer reaches the dialler.
    DialAnswered(ConnectionId),
    /// A dial ends without a link.
    DialFails(ConnectionId, DialFailure),
    /// Something reaches this side of a connection.
    Arrives(ConnectionId, Side, Parcel),
    /// This side of a connection learns that it is gone.
    Broken(ConnectionId, Side),
    /// What this side sent may have stalled for too long.
    StallOver(ConnectionId, Side),
    /// The finder of a process tells what it sees.
    SeedsDue(ProcessId),
    /// The store is read for a process.
    StoreRead(ProcessId, Question),
    /// What was read reaches the process.
    Answered(ProcessId, Box<Answer>),
    /// A pod shows in the slices.
    PodListed(PodId),
    /// The container of a pod starts.
    ContainerStarts(PodId),
    /// The grace of a pod on its way out is over.
    GraceOver(PodId, ProcessId),
    /// The object of a pod is removed.
    PodRemoved(PodId),
    /// Somebody else writes to the store.
    BackgroundWrite,
    /// Whoever keeps the wanted pods in being looks at them.
    Reconcile,
}

/// What a process asked of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// A listing of its own.
    Listing(u64),
    /// A pod.
    Pod(u64, Box<discovery_core::PodRef>),
}

#[derive(Debug)]
struct Scheduled {
    at: Moment,
    sequence: u64,
    event: Event,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The earliest is the greatest, as the heap wants it.
impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

/// The heap of everything that is going to happen, and the present moment.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    now: Moment,
    sequence: u64,
    heap: BinaryHeap<Scheduled>,
}

impl Schedule {
    pub(crate) fn now(&self) -> Moment {
        self.now
    }

    /// Things at one moment happen in the order in which they were scheduled.
    pub(crate) fn at(&mut self, at: Moment, event: Event) {
        let at = at.max(self.now);
        self.sequence += 1;
        let sequence = self.sequence;
        self.heap.push(Scheduled {
            at,
            sequence,
            event,
        });
    }

    pub(crate) fn after(&mut self, pause: Duration, event: Event) {
        self.at(self.now + pause, event);
    }

    /// The next event up to `limit`; the present moment moves to it, or to the limit.
    pub(crate) fn next_until(&mut self, limit: Moment) -> Option<Event> {
        if self.heap.peek().is_none_or(|next| next.at > limit) {
            self.now = self.now.max(limit);
            return None;
        }
        let next = self.heap.pop()?;
        self.now = next.at;
        Some(next.event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_moment_and_then_as_they_were_scheduled() {
        let mut schedule = Schedule::default();
        let (soon, late) = (Duration::from_millis(1), Duration::from_millis(2));
        schedule.after(late, Event::Wake(ProcessId(3)));
        schedule.after(soon, Event::Wake(ProcessId(1)));
        schedule.after(soon, Event::Wake(ProcessId(2)));

        let mut order = Vec::new();
        while let Some(Event::Wake(ProcessId(number))) = schedule.next_until(Moment::START + late) {
            order.push(number);
        }

        assert_eq!(order, [1, 2, 3]);
        assert_eq!(schedule.now(), Moment::START + late);
    }
}
