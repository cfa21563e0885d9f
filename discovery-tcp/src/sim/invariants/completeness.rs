//! P6: whoever becomes a member delivers every message that is decided in a topology that holds it,
//! from its admission on: none is passed over between that and where it begins.

use std::collections::BTreeMap;

use discovery_core::{ClusterId, Epoch, NodeId};

use super::chronicle::{Chronicle, Key, key};
use super::{Fact, Invariant, View};
use crate::ring::Notice;

/// A position of an epoch.
type Place = (ClusterId, Epoch, u64);

#[derive(Debug, Default)]
pub(super) struct Completeness {
    /// Up to where each node id takes for known what it was told whole.
    begun: BTreeMap<NodeId, Place>,
    /// In which topology each message stands.
    messages: BTreeMap<Place, Key>,
}

impl Invariant for Completeness {
    fn promise(&self) -> &'static str {
        "P6"
    }

    fn on(
        &mut self,
        fact: &Fact<'_>,
        chronicle: &Chronicle,
        view: &View<'_>,
    ) -> Result<(), String> {
        let holds = |at: &Key, node| {
            let recorded = chronicle.get(at);
            recorded.is_some_and(|it| it.topology.member(node).is_some())
        };
        match fact {
            Fact::Notice(
                process,
                Notice::Installed {
                    topology, position, ..
                },
            ) => {
                let Some(node) = chronicle.ids.get(process).copied() else {
                    return Ok(());
                };
                let (cluster, epoch) = (topology.cluster_id(), topology.epoch());
                let place = (cluster, epoch, *position);
                self.begun.insert(node, place);
                let mut before = self.messages.range((cluster, epoch, 0)..=place);
                match before.find(|(_, at)| holds(at, node)) {
                    Some(((_, _, skipped), _)) => {
                        let label = view.process(*process).label();
                        Err(format!("{label} begins at {position} and skips {skipped}"))
                    }
                    None => Ok(()),
                }
            }
            Fact::Notice(_, Notice::Message(message)) => {
                let id = message.topology;
                let place = (id.cluster_id, id.epoch, message.position);
                let at = key(id);
                if self.messages.insert(place, at).is_some() {
                    return Ok(());
                }
                let skips = |(node, begun): (&NodeId, &Place)| {
                    (begun.0, begun.1) == (place.0, place.1)
                        && begun.2 >= place.2
                        && holds(&at, *node)
                };
                match self.begun.iter().find(|it| skips(*it)) {
                    Some((node, _)) => Err(format!("{node} has skipped {}", place.2)),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}
