//! The topology as a client knows it, change after change, whichever node tells them. Pure: it
//! neither waits nor asks.

use std::collections::BTreeSet;
use std::sync::Arc;

use discovery_core::TopologyId;

use super::update::{Gap, Unfit, Update};
use crate::discovery::v1;

/// The topology that was told last.
#[derive(Debug, Default)]
pub(super) struct Table {
    known: Option<(TopologyId, Arc<v1::Topology>)>,
    /// What is known cannot be gone on from: a node told a change that did not fit.
    is_doubtful: bool,
}

impl Table {
    /// What is known.
    pub(super) fn topology(&self) -> Option<Arc<v1::Topology>> {
        self.known.as_ref().map(|(_, it)| Arc::clone(it))
    }

    /// From where to go on; none to begin with a snapshot.
    pub(super) fn from(&self) -> Option<v1::TopologyRef> {
        let known = self.known.as_ref().filter(|_| !self.is_doubtful);
        known.map(|(id, _)| (*id).into())
    }

    /// Asks for the whole next time.
    pub(super) fn doubt(&mut self) {
        self.is_doubtful = true;
    }

    /// Takes a whole topology, unless it is nothing new.
    pub(super) fn take_snapshot(&mut self, told: v1::Snapshot) -> Result<Option<Update>, Unfit> {
        let topology = told.topology.ok_or(Unfit::Absent { field: "topology" })?;
        let id: TopologyId = named("id", topology.id.as_ref())?;
        let gap = match &self.known {
            None => None,
            Some(_) if self.is_doubtful => Some(Gap::Unfit),
            Some((known, _)) if id <= *known => return Ok(None),
            Some((known, _)) if id.cluster_id != known.cluster_id => Some(Gap::OtherCluster),
            Some((known, _)) if id.epoch != known.epoch => Some(Gap::NewEpoch),
            Some(_) => Some(Gap::Behind),
        };
        let topology = Arc::new(topology);
        self.known = Some((id, Arc::clone(&topology)));
        self.is_doubtful = false;
        Ok(Some(Update::Snapshot { topology, gap }))
    }

    /// Takes the next change, unless it was told before: another node may be behind the last one.
    pub(super) fn take_change(
        &mut self,
        change: v1::TopologyChange,
    ) -> Result<Option<Update>, Unfit> {
        let id = named("id", change.id.as_ref())?;
        let previous = named("previous", change.previous.as_ref())?;
        let (known, topology) = self.known.as_ref().ok_or(Unfit::NothingKnown)?;
        if id <= *known {
            return Ok(None);
        }
        if previous != *known {
            let known = *known;
            return Err(Unfit::NotNext { previous, known });
        }
        let topology = Arc::new(applied(topology, &change)?);
        self.known = Some((id, Arc::clone(&topology)));
        let change = Arc::new(change);
        Ok(Some(Update::Changed { change, topology }))
    }
}

fn named(field: &'static str, id: Option<&v1::TopologyRef>) -> Result<TopologyId, Unfit> {
    Ok(id.ok_or(Unfit::Absent { field })?.try_into()?)
}

/// The topology that a change makes: who left and who was removed is dropped, who joined appended.
fn applied(before: &v1::Topology, change: &v1::TopologyChange) -> Result<v1::Topology, Unfit> {
    let removed = change.removed.iter().filter_map(|it| it.member.as_ref());
    let gone: BTreeSet<u64> = change
        .left
        .iter()
        .chain(removed)
        .map(|it| it.order)
        .collect();
    let stay = before.members.iter().filter(|it| !gone.contains(&it.order));
    let members: Vec<_> = stay.chain(&change.joined).cloned().collect();
    if usize::try_from(change.member_count).ok() != Some(members.len()) {
        let (told, counted) = (change.member_count, members.len());
        return Err(Unfit::Count { told, counted });
    }
    Ok(v1::Topology {
        id: change.id.clone(),
        term: change.term,
        members,
        content_hash: change.content_hash.clone(),
        next_order: change.next_order,
    })
}
