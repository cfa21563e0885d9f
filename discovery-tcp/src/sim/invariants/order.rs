//! P2: every member delivers decisions in one order, without a gap; changes and messages share it.

use std::collections::BTreeMap;
use std::sync::Arc;

use discovery_core::{ClusterId, Epoch, NodeId, TopologyId, TopologyVersion};

use super::super::process::ProcessId;
use super::chronicle::Chronicle;
use super::{Fact, Invariant, View};
use crate::ring::Notice;

/// What one place of the log holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Change(TopologyVersion),
    Message(NodeId, Arc<[u8]>),
}

/// Where one process stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    topology: TopologyId,
    position: u64,
}

#[derive(Debug, Default)]
pub(super) struct Order {
    log: BTreeMap<(ClusterId, Epoch, u64), Entry>,
    places: BTreeMap<ProcessId, Place>,
}

impl Order {
    fn deliver(&mut self, process: ProcessId, to: Place, entry: &Entry) -> Result<(), String> {
        self.places.insert(process, to);
        let place = (to.topology.cluster_id, to.topology.epoch, to.position);
        let held = self.log.entry(place).or_insert_with(|| entry.clone());
        if *held == *entry {
            return Ok(());
        }
        let (_, epoch, position) = place;
        Err(format!(
            "position {position} of epoch {epoch} is {entry:?} here and {held:?} elsewhere"
        ))
    }
}

impl Order {
    /// Only who stands nowhere, or in another cluster, is brought somewhere at once.
    fn install(&mut self, process: ProcessId, to: Place) -> Result<(), String> {
        match self.places.insert(process, to) {
            Some(from) if from.topology.cluster_id == to.topology.cluster_id => Err(format!(
                "stands at {} position {} and is brought to {} position {} without what lies between",
                from.topology, from.position, to.topology, to.position
            )),
            Some(_) | None => Ok(()),
        }
    }
}

impl Invariant for Order {
    fn promise(&self) -> &'static str {
        "P2"
    }

    fn on(&mut self, fact: &Fact<'_>, _: &Chronicle, view: &View<'_>) -> Result<(), String> {
        let Fact::Notice(process, notice) = fact else {
            return Ok(());
        };
        let label = view.process(*process).label();
        match notice {
            Notice::Identity(_) => {
                self.places.remove(process);
                Ok(())
            }
            Notice::Installed {
                topology, position, ..
            } => {
                let place = Place {
                    topology: topology.id(),
                    position: *position,
                };
                self.install(*process, place)
                    .map_err(|what| format!("{label} {what}"))
            }
            Notice::Changed(event) => {
                let Some(place) = self.places.get(process).copied() else {
                    return Err(format!("{label} is told of a change before any topology"));
                };
                if place.topology != event.previous {
                    return Err(format!(
                        "{label} stands at {} and is told of a change of {}",
                        place.topology, event.previous
                    ));
                }
                let to = Place {
                    topology: event.topology.id(),
                    position: place.position + 1,
                };
                let entry = Entry::Change(event.topology.version());
                let done = self.deliver(*process, to, &entry);
                done.map_err(|what| format!("{label}: {what}"))
            }
            Notice::Message(message) => {
                let Some(place) = self.places.get(process).copied() else {
                    return Err(format!("{label} is told a message before any topology"));
                };
                if place.topology != message.topology || place.position + 1 != message.position {
                    return Err(format!(
                        "{label} stands at {} position {} and is told the message of {} position {}",
                        place.topology, place.position, message.topology, message.position
                    ));
                }
                let to = Place {
                    topology: place.topology,
                    position: message.position,
                };
                let entry = Entry::Message(message.publisher, Arc::clone(&message.payload));
                let done = self.deliver(*process, to, &entry);
                done.map_err(|what| format!("{label}: {what}"))
            }
            Notice::Standing(_)
            | Notice::Published { .. }
            | Notice::Left(_)
            | Notice::MetOtherCluster { .. }
            | Notice::NotListed
            | Notice::Contested(_)
            | Notice::Refused { .. } => Ok(()),
        }
    }
}
