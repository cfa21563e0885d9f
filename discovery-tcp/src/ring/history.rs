//! Decided entries, kept for whoever lacks them, as many as the limits allow.

use std::collections::VecDeque;

use super::weight;
use crate::message::DecidedEntry;

/// The newest decided entries.
#[derive(Clone, Debug)]
pub(super) struct History {
    entries: VecDeque<DecidedEntry>,
    bytes: usize,
    entries_max: usize,
    bytes_max: usize,
    has_forgotten: bool,
}

impl History {
    pub(super) fn new((entries_max, bytes_max): (usize, usize)) -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            entries_max,
            bytes_max,
            has_forgotten: false,
        }
    }

    /// Whether an entry had to go for want of room.
    pub(super) fn has_forgotten(&self) -> bool {
        self.has_forgotten
    }

    /// Keeps an entry; the oldest go where there is no room for them.
    pub(super) fn remember(&mut self, entry: DecidedEntry) {
        self.bytes += weight::of_entry(&entry.decision);
        self.entries.push_back(entry);
        while self.entries.len() > self.entries_max || self.bytes > self.bytes_max {
            let Some(gone) = self.entries.pop_front() else {
                break;
            };
            self.bytes -= weight::of_entry(&gone.decision);
            self.has_forgotten = true;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The first of the newest `count` entries, at most so many bytes, and at least one; `None` if
    /// some of them are gone.
    pub(super) fn newest(&self, count: usize, bytes_max: usize) -> Option<Vec<DecidedEntry>> {
        let skip = self.entries.len().checked_sub(count)?;
        let mut bytes = 0;
        let has_room = |entry: &&DecidedEntry| {
            let has_room = bytes == 0 || bytes + weight::of_entry(&entry.decision) <= bytes_max;
            bytes += weight::of_entry(&entry.decision);
            has_room
        };
        let entries = self.entries.iter().skip(skip).take_while(has_room);
        Some(entries.cloned().collect())
    }
}
