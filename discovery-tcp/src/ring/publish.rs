//! Published messages on their way into the log: the publisher's queue, the coordinator's door.

use std::sync::Arc;

use discovery_core::{NodeId, PublishError, Topic};

use super::input::LinkId;
use super::member::Pending;
use super::output::Notice;
use super::planted::Bug;
use super::{Life, Ring};
use crate::message::{Decision, Message, Publish, PublishRefused, PublishedMessage};

/// Most messages, and bytes, in one request to the coordinator.
const BATCH: (usize, usize) = (64, 256 * 1024);
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

    /// Sends to the coordinator what it was not sent yet.
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
        if to != me && !self.fx.links.is_linked(to) {
            self.fx.ensure_link(&coordinator, 0);
            return;
        }
        let mut messages = Vec::new();
        let mut bytes = 0;
        let mut last = sent;
        for pending in m
            .publishing
            .pending
            .iter_mut()
            .filter(|one| one.sequence > sent)
        {
            let weight = super::weight::of_entry(&pending.decision);
            let full = messages.len() == BATCH.0 || bytes + weight > BATCH.1;
            if full && !messages.is_empty() {
                break;
            }
            bytes += weight;
            last = pending.sequence;
            pending.sent = true;
            messages.push(Arc::clone(&pending.decision));
        }
        if messages.is_empty() {
            return;
        }
        m.publishing.sent = Some((to, term, last));
        let publish = Publish {
            first_pending,
            messages,
        };
        if to == me {
            self.take_publications(me, &publish);
        } else {
            self.fx.send_to(to, Message::Publish(publish));
        }
        self.send_publications();
    }

    /// Once a beat: what is still pending is sent again; the coordinator knows repetitions.
    pub(super) fn resend_publications(&mut self) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if !m.publishing.pending.is_empty() {
            m.publishing.sent = None;
            self.send_publications();
        }
    }

    pub(super) fn on_publish(&mut self, link: LinkId, from: NodeId, publish: &Publish) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(first) = publish
            .messages
            .first()
            .and_then(|first| sequence_of(first))
        else {
            self.nonsense(link);
            return;
        };
        if m.lead.is_none() {
            let coordinator = m.coordinator().map(discovery_core::NodeInfo::id);
            let refused = PublishRefused {
                sequence: first,
                coordinator,
            };
            self.fx.send(link, Message::PublishRefused(refused));
            return;
        }
        if m.topology().member(from).is_none() {
            return;
        }
        self.take_publications(from, publish);
    }

    /// The coordinator takes what follows on what it has of this publisher (P6).
    fn take_publications(&mut self, from: NodeId, publish: &Publish) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(lead) = &mut m.lead else {
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
        // It is sent again with the next beat, to whoever coordinates then.
        m.publishing.sent = None;
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

fn sequence_of(decision: &Decision) -> Option<u64> {
    match decision {
        Decision::Message(message) => Some(message.sequence),
        Decision::Change(_) => None,
    }
}
