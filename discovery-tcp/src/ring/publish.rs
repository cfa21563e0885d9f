//! Published messages on their way into the log: the publisher's queue, the coordinator's door.

use std::sync::Arc;

use discovery_core::{NodeId, PublishError, Topic};

use super::input::LinkId;
use super::member::{Pending, Publishing};
use super::output::Notice;
use super::planted::Bug;
use super::{Life, Ring};
use crate::message::{Decision, Message, Publish, PublishRefused, PublishedMessage};

/// Most messages, and bytes, in one request to the coordinator.
const BATCH: (usize, usize) = (64, 256 * 1024);
/// Most messages, and bytes, that are on their way to the coordinator at a time: each may be a
/// request of its own, and a link carries only so many (C74).
const WINDOW: (usize, usize) = (128, 512 * 1024);
/// Most messages that wait at the coordinator.
const QUEUE_MAX: usize = 4096;

impl Ring {
    /// The application publishes.
    pub(super) fn publish(&mut self, request: u64, topic: Topic, payload: Arc<[u8]>) {
        if let Err(refused) = self.may_publish(payload.len()) {
            self.fx.emit(Notice::Published {
                request,
                result: Err(refused),
            });
            return;
        }
        let publisher = self.me.id();
        let Life::Member(m) = &mut self.life else {
            return;
        };
        m.publishing.last += 1;
        let sequence = m.publishing.last;
        let message = PublishedMessage {
            publisher,
            sequence,
            topic,
            payload,
        };
        let decision = Arc::new(Decision::Message(message));
        m.publishing.pending.push_back(Pending {
            request,
            sequence,
            decision,
            sent: false,
        });
        self.send_publications();
    }

    fn may_publish(&self, bytes: usize) -> Result<(), PublishError> {
        let Life::Member(m) = &self.life else {
            return Err(PublishError::NotAMember);
        };
        if m.leaving.is_some() {
            return Err(PublishError::Leaving);
        }
        if !m.quorum {
            return Err(PublishError::NoQuorum);
        }
        let bytes_max = self.config.payload_bytes_max;
        if bytes > bytes_max {
            return Err(PublishError::TooLarge { bytes, bytes_max });
        }
        let waiting_max = self.config.publish_queue_max;
        if m.publishing.pending.len() >= waiting_max {
            return Err(PublishError::Busy { waiting_max });
        }
        Ok(())
    }

    /// Sends to the coordinator what it was not sent yet, as far as the window allows; more goes when
    /// some is decided.
    pub(super) fn send_publications(&mut self) {
        let me = self.me.id();
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(first_pending) = m.publishing.pending.front().map(|first| first.sequence) else {
            return;
        };
        let Some(coordinator) = m.coordinator().cloned() else {
            return;
        };
        let term = m.tick.term;
        let to = coordinator.id();
        let sent = match m.publishing.sent {
            Some((before, under, sent)) if before == to && under == term => sent,
            _ => 0,
        };
        let mut by = to;
        if to != me && !self.fx.links.is_linked(to) {
            self.fx.ensure_link(&coordinator, 0);
            let Some(other) = self.passes_on(to) else {
                return;
            };
            by = other;
        }
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let (messages, last) = m.publishing.batch_after(sent);
        if messages.is_empty() {
            return;
        }
        m.publishing.sent = Some((to, term, last));
        let publish = Publish {
            topology: m.id(),
            first_pending,
            messages,
        };
        if to == me {
            self.take_publications(me, &publish);
        } else {
            self.fx.send_to(by, Message::Publish(publish));
        }
        self.send_publications();
    }

    /// Another member, to pass on what is for a coordinator that could not be dialled: a single link
    /// that is down removes nobody, and may be down for long (C72). The next beat draws another one.
    fn passes_on(&mut self, coordinator: NodeId) -> Option<NodeId> {
        let Life::Member(m) = &mut self.life else {
            return None;
        };
        if !m.out_of_reach.contains(&coordinator) {
            return None;
        }
        let links = &self.fx.links;
        let linked = |id: &NodeId| links.is_linked(*id);
        if let Some(by) = m.publishing.by.filter(linked) {
            return Some(by);
        }
        let others = m.others().map(|(_, node)| node.id());
        let others: Vec<NodeId> = others.filter(linked).collect();
        let count = u128::try_from(others.len()).ok().filter(|it| *it > 0)?;
        let drawn = usize::try_from(self.fx.draw_u128() % count).ok()?;
        m.publishing.by = others.get(drawn).copied();
        m.publishing.by
    }

    /// Once a beat: what is still pending is sent again; the coordinator knows repetitions.
    pub(super) fn resend_publications(&mut self) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if !m.publishing.pending.is_empty() {
            m.publishing.sent = None;
            m.publishing.by = None;
            self.send_publications();
        }
    }

    pub(super) fn on_publish(&mut self, link: LinkId, from: NodeId, publish: &Publish) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let first = publish.messages.first();
        let Some((publisher, first)) = first.and_then(|first| origin_of(first)) else {
            self.nonsense(link);
            return;
        };
        let here = m.id();
        let coordinator = m.coordinator().cloned();
        if m.lead.is_some() {
            let theirs = publish.topology;
            let one = theirs.cluster_id == here.cluster_id && theirs.epoch == here.epoch;
            if one && m.topology().member(publisher).is_some() {
                self.take_publications(publisher, publish);
            }
            return;
        }
        // Passed on once: two may each think that the other coordinates.
        let next = coordinator.as_ref();
        let next = next.filter(|it| it.id() != from && publisher == from);
        if let Some(next) = next.filter(|_| publish.topology == here) {
            let passed_on = Message::Publish(publish.clone());
            if self.fx.send_to(next.id(), passed_on) {
                return;
            }
            self.fx.ensure_link(next, 0);
        }
        let refused = PublishRefused {
            sequence: first,
            coordinator: coordinator.map(|it| it.id()),
        };
        self.fx.send(link, Message::PublishRefused(refused));
    }

    /// The coordinator takes what follows on what it has of this publisher (P6). Who recovers takes
    /// nothing: what waited would be proposed in the epoch that it opens.
    fn take_publications(&mut self, from: NodeId, publish: &Publish) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(lead) = m.lead.as_mut().filter(|lead| lead.recovery.is_none()) else {
            return;
        };
        let decided = m.log.sequence(from);
        let in_tail =
            m.log
                .tail()
                .iter()
                .chain(&lead.leftovers)
                .filter_map(|entry| match &**entry {
                    Decision::Message(message) if message.publisher == from => {
                        Some(message.sequence)
                    }
                    Decision::Message(_) | Decision::Change(_) => None,
                });
        let known = in_tail.max().unwrap_or(0).max(decided);
        let last = lead.proposed.entry(from).or_insert(0);
        *last = (*last).max(known);
        for message in &publish.messages {
            let Decision::Message(content) = &**message else {
                continue;
            };
            let next = (*last + 1).max(publish.first_pending);
            let fits = content.sequence == next || self.fx.bug(Bug::RepeatsPublication);
            if content.publisher != from || !fits || lead.queue.len() >= QUEUE_MAX {
                continue;
            }
            *last = content.sequence;
            lead.queue.push_back(Arc::clone(message));
            if self.fx.bug(Bug::ReportedEarly) && from == self.me.id() {
                let topology = m.log.id();
                let result = Ok(discovery_core::Published::new(topology, m.log.end().0 + 1));
                let mine = m
                    .publishing
                    .pending
                    .iter()
                    .find(|one| one.sequence == content.sequence);
                if let Some(request) = mine.map(|one| one.request) {
                    self.fx.emit(Notice::Published { request, result });
                }
            }
        }
        self.coordinate();
    }

    pub(super) fn on_publish_refused(&mut self, _refused: PublishRefused) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        // It is sent again with the next beat, to whoever coordinates then, and not before: else
        // each further publication would send all of them once more.
        m.publishing.by = None;
    }

    /// The quorum is lost, or a new epoch began: what was under way has an unknown outcome.
    pub(super) fn forget_publications(&mut self) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        for pending in std::mem::take(&mut m.publishing.pending) {
            let result = Err(if pending.sent {
                PublishError::OutcomeUnknown {
                    why: "the quorum was lost meanwhile".into(),
                }
            } else {
                PublishError::NoQuorum
            });
            self.fx.emit(Notice::Published {
                request: pending.request,
                result,
            });
        }
        m.publishing.sent = None;
    }
}

impl Publishing {
    /// What fits one request, and the window, of what follows on a sequence; and the last sequence
    /// in it. Whatever its weight, a message that is alone fits both.
    fn batch_after(&mut self, sent: u64) -> (Vec<Arc<Decision>>, u64) {
        let mut messages = Vec::new();
        let (mut bytes, mut bytes_on_the_way) = (0, 0);
        let mut last = sent;
        for (before, pending) in self.pending.iter_mut().enumerate().take(WINDOW.0) {
            let weight = super::weight::of_entry(&pending.decision);
            bytes_on_the_way += weight;
            if before > 0 && bytes_on_the_way > WINDOW.1 {
                break;
            }
            if pending.sequence <= sent {
                continue;
            }
            let full = messages.len() == BATCH.0 || bytes + weight > BATCH.1;
            if full && !messages.is_empty() {
                break;
            }
            bytes += weight;
            last = pending.sequence;
            pending.sent = true;
            messages.push(Arc::clone(&pending.decision));
        }
        (messages, last)
    }
}

fn origin_of(decision: &Decision) -> Option<(NodeId, u64)> {
    match decision {
        Decision::Message(message) => Some((message.publisher, message.sequence)),
        Decision::Change(_) => None,
    }
}

#[cfg(test)]
#[path = "publish_tests.rs"]
mod tests;
