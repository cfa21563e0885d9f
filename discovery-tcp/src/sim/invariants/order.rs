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
    /// From which position on an epoch was taken back by the opening of another.
    closed: BTreeMap<(ClusterId, Epoch), u64>,
}

impl Order {
    /// Decisions are taken back by the opening of an epoch alone, and only if nobody who lives
    /// knows of them, or ever will.
    fn judge_epochs(
        &mut self,
        process: ProcessId,
        from: TopologyId,
        to: Place,
        (chronicle, view): (&Chronicle, &View<'_>),
    ) -> Result<(), String> {
        if chronicle.is_forced {
            return Ok(());
        }
        if from.cluster_id != to.topology.cluster_id || from.epoch == to.topology.epoch {
            let epoch = (to.topology.cluster_id, to.topology.epoch);
            return match self.closed.get(&epoch) {
                Some(end) if *end <= to.position => Err(format!(
                    "delivers position {} of epoch {}, which ended before position {end}",
                    to.position, to.topology.epoch
                )),
                Some(_) | None => Ok(()),
            };
        }
        let epoch = (from.cluster_id, from.epoch);
        if self
            .closed
            .get(&epoch)
            .is_some_and(|end| *end <= to.position)
        {
            return Ok(());
        }
        self.closed.insert(epoch, to.position);
        let knows = self.places.iter().find(|(id, place)| {
            **id != process
                && (place.topology.cluster_id, place.topology.epoch) == epoch
                && place.position >= to.position
                && view.process(**id).is_alive()
        });
        match knows {
            None => Ok(()),
            Some((id, place)) => Err(format!(
                "opens epoch {} at position {}, but {} lives and knows position {} of epoch {}",
                to.topology.epoch,
                to.position,
                view.process(*id).label(),
                place.position,
                from.epoch
            )),
        }
    }

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

    fn on(
        &mut self,
        fact: &Fact<'_>,
        chronicle: &Chronicle,
        view: &View<'_>,
    ) -> Result<(), String> {
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
                let judged = self.judge_epochs(*process, event.previous, to, (chronicle, view));
                let done = judged.and_then(|()| self.deliver(*process, to, &entry));
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
                let judged = self.judge_epochs(*process, place.topology, to, (chronicle, view));
                let done = judged.and_then(|()| self.deliver(*process, to, &entry));
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
