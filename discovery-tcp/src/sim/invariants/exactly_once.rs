//! P6: a message reported decided stands at the place reported, once in its epoch, and nobody
//! delivers one twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use discovery_core::{ClusterId, Epoch, NodeId};

use super::super::process::ProcessId;
use super::chronicle::Chronicle;
use super::{Fact, Invariant, View};
use crate::ring::Notice;

type Payload = Arc<[u8]>;

#[derive(Debug, Default)]
pub(super) struct ExactlyOnce {
    asked: BTreeMap<(ProcessId, u64), Payload>,
    requests: BTreeMap<Payload, (ProcessId, u64)>,
    placed: BTreeMap<(ClusterId, Epoch, Payload), u64>,
    delivered: BTreeSet<(ProcessId, Payload)>,
    /// The request of each publisher that was placed last. Forced recoveries make several clusters
    /// of one epoch, and what the publisher leaves open in one may go on in another.
    last: BTreeMap<(ProcessId, NodeId, ClusterId, Epoch), u64>,
    answered: BTreeSet<(ProcessId, u64)>,
}

impl ExactlyOnce {
    /// A message has one place in an epoch, behind all that its publisher asked for before it.
    fn place(
        &mut self,
        message: &discovery_core::Message,
        payload: &Payload,
    ) -> Result<(), String> {
        let topology = message.topology;
        let place = (topology.cluster_id, topology.epoch, Arc::clone(payload));
        if let Some(position) = self.placed.get(&place) {
            let other = message.position;
            return if *position == other {
                Ok(())
            } else {
                Err(format!("one message stands at {position} and at {other}"))
            };
        }
        self.placed.insert(place, message.position);
        let Some((process, request)) = self.requests.get(payload).copied() else {
            return Ok(());
        };
        let (cluster, epoch) = (topology.cluster_id, topology.epoch);
        let publisher = (process, message.publisher, cluster, epoch);
        match self.last.insert(publisher, request) {
            Some(last) if last > request => Err(format!(
                "request {request} of a publisher stands behind its request {last}"
            )),
            _ => Ok(()),
        }
    }
}

impl Invariant for ExactlyOnce {
    fn promise(&self) -> &'static str {
        "P6"
    }

    fn on(&mut self, fact: &Fact<'_>, _: &Chronicle, view: &View<'_>) -> Result<(), String> {
        match fact {
            Fact::Publishes(process, request, payload) => {
                self.asked.insert((*process, *request), Arc::clone(payload));
                self.requests
                    .insert(Arc::clone(payload), (*process, *request));
                Ok(())
            }
            Fact::Notice(process, Notice::Identity(_)) => {
                self.delivered.retain(|(who, _)| who != process);
                Ok(())
            }
            Fact::Notice(process, Notice::Message(message)) => {
                let label = view.process(*process).label();
                let payload = Arc::clone(&message.payload);
                if !self.delivered.insert((*process, Arc::clone(&payload))) {
                    let position = message.position;
                    return Err(format!("{label} delivers a message again, at {position}"));
                }
                self.place(message, &payload)
            }
            Fact::Notice(process, Notice::Published { request, result }) => {
                let label = view.process(*process).label();
                if !self.answered.insert((*process, *request)) {
                    return Err(format!("{label} is answered twice for request {request}"));
                }
                let (Ok(published), Some(payload)) =
                    (result, self.asked.get(&(*process, *request)))
                else {
                    return Ok(());
                };
                let topology = published.topology;
                let place = (topology.cluster_id, topology.epoch, Arc::clone(payload));
                match self.placed.get(&place) {
                    Some(position) if *position == published.position => Ok(()),
                    other => Err(format!(
                        "{label} is told that request {request} stands at {}; it is delivered at \
                         {other:?}",
                        published.position
                    )),
                }
            }
            _ => Ok(()),
        }
    }
}
