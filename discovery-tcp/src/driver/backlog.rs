//! What was decided lately, kept for subscribers who come back. Pure; who subscribes is in
//! `subscribers.rs`.

use std::collections::VecDeque;

use discovery_core::{
    Delivery, History, HistoryGap, Message, SnapshotCause, Topology, TopologyEvent, TopologyId,
};

/// Most published messages kept.
pub(super) const MESSAGES_MAX: usize = 1024;

/// Most bytes of published messages kept.
pub(super) const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// Changes as far back as [`History`] has them, and the messages decided between them.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    kept: Option<Kept>,
}

#[derive(Debug)]
struct Kept {
    topology: Topology,
    history: History,
    messages: VecDeque<Message>,
    message_bytes: usize,
    /// The topology under which the newest message was decided that is no longer kept.
    forgotten: Option<TopologyId>,
}

impl Backlog {
    /// The topology in force.
    pub(super) fn topology(&self) -> Option<&Topology> {
        self.kept.as_ref().map(|kept| &kept.topology)
    }

    /// A topology is in force that no event led to.
    pub(super) fn installed(&mut self, topology: &Topology) {
        self.kept = Some(Kept {
            topology: topology.clone(),
            history: History::starting_at(topology.id()),
            messages: VecDeque::new(),
            message_bytes: 0,
            forgotten: None,
        });
    }

    /// A change was decided.
    pub(super) fn changed(&mut self, event: &TopologyEvent) {
        let follows = self.kept.as_mut().is_some_and(|kept| {
            kept.topology = event.topology.clone();
            kept.history.push(event.clone()).is_ok()
        });
        if !follows || event.epoch_changed {
            // Nobody may resume across it, so nothing from before it is worth keeping.
            self.installed(&event.topology);
        }
    }

    /// A message was decided.
    pub(super) fn message(&mut self, message: &Message) {
        let Some(kept) = &mut self.kept else { return };
        kept.message_bytes += message.payload.len();
        kept.messages.push_back(message.clone());
        while kept.messages.len() > MESSAGES_MAX || kept.message_bytes > MESSAGE_BYTES_MAX {
            let Some(oldest) = kept.messages.pop_front() else {
                break;
            };
            kept.message_bytes -= oldest.payload.len();
            kept.forgotten = Some(oldest.topology);
        }
    }

    /// Everything that was decided after this topology, the messages decided under it included; or,
    /// if that cannot be told any more or nothing is named, the topology in force.
    pub(super) fn since(&self, after: Option<TopologyId>) -> Vec<Delivery> {
        let Some(kept) = &self.kept else {
            return Vec::new();
        };
        let told = match after {
            None => Err(SnapshotCause::Start),
            Some(after) => kept.since(after),
        };
        told.unwrap_or_else(|cause| {
            let topology = kept.topology.clone();
            vec![Delivery::Snapshot { topology, cause }]
        })
    }
}

impl Kept {
    fn since(&self, after: TopologyId) -> Result<Vec<Delivery>, SnapshotCause> {
        let events = match self.history.since(after) {
            Ok(events) => events,
            // It comes from a node that is further than this one is: nothing to tell yet.
            Err(HistoryGap::Ahead { .. }) => return Ok(Vec::new()),
            Err(HistoryGap::OtherCluster { .. }) => return Err(SnapshotCause::OtherCluster),
            Err(HistoryGap::OtherEpoch { .. }) => return Err(SnapshotCause::NewEpoch),
            // Too old, or a gap of a kind that is yet to be named.
            Err(_) => return Err(SnapshotCause::Behind),
        };
        if self.forgotten.is_some_and(|forgotten| forgotten >= after) {
            return Err(SnapshotCause::Behind);
        }
        let mut messages = self
            .messages
            .iter()
            .skip_while(|message| message.topology < after)
            .peekable();
        let mut told = Vec::new();
        for event in events {
            while let Some(message) = messages.next_if(|next| next.topology == event.previous) {
                told.push(Delivery::Message(message.clone()));
            }
            told.push(Delivery::Changed(event.clone()));
        }
        told.extend(messages.cloned().map(Delivery::Message));
        Ok(told)
    }
}

#[cfg(test)]
#[path = "backlog_tests.rs"]
mod tests;
