//! The task that follows the node and fills the feed.

use std::sync::Arc;

use discovery_core::{Delivery, Standing, Subscription};

use super::messages::{FeedMessage, place_of};
use super::{Inner, REMOVALS_MAX, SeenRemoval, State, now};

/// Follows the node until it has ended.
pub(super) async fn follow(
    inner: Arc<Inner>,
    mut deliveries: Box<dyn Subscription>,
    standing: Standing,
) {
    inner.change(|state| state.changes.add(&Delivery::Standing(standing)));
    // No limit: it ends with the node.
    while let Some(delivery) = deliveries.next().await {
        inner.change(|state| state.take(&delivery));
    }
    inner.change(|state| {
        state.changes.end_as(Standing::Left);
        state.is_over = true;
    });
}

impl State {
    fn take(&mut self, delivery: &Delivery) {
        self.changes.add(delivery);
        match delivery {
            Delivery::Snapshot { topology, cause } => {
                self.messages.start_over(topology.id(), *cause);
            }
            Delivery::Changed(event) => {
                self.messages
                    .changed(event.topology.id(), event.epoch_changed);
                for (member, evidence) in &event.failed {
                    self.removals.push_back(SeenRemoval {
                        member: member.clone(),
                        evidence: evidence.clone(),
                        topology: event.topology.clone(),
                        at: now(),
                    });
                }
                while self.removals.len() > REMOVALS_MAX {
                    self.removals.pop_front();
                }
            }
            Delivery::Message(message) => {
                let message_kept = FeedMessage::of(message);
                let is_first = self.keys.is_first(&message_kept.key, place_of(message));
                self.messages.message(message_kept, is_first);
            }
            // Standings are among the changes, and what may yet be added is not told.
            _ => {}
        }
    }
}
