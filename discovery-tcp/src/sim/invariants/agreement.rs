//! P1: for each (cluster id, epoch, version) there is one membership, whoever installs it.

use discovery_core::Topology;

use super::chronicle::{Chronicle, key};
use super::{Fact, Invariant, View};
use crate::ring::Notice;

#[derive(Debug)]
pub(super) struct Agreement;

impl Invariant for Agreement {
    fn promise(&self) -> &'static str {
        "P1"
    }

    fn on(
        &mut self,
        fact: &Fact<'_>,
        chronicle: &Chronicle,
        view: &View<'_>,
    ) -> Result<(), String> {
        let (process, topology) = match fact {
            Fact::Notice(process, Notice::Installed { topology, .. }) => (process, topology),
            Fact::Notice(process, Notice::Changed(event)) => (process, &event.topology),
            _ => return Ok(()),
        };
        let Some(first) = chronicle.get(&key(topology.id())) else {
            return Ok(());
        };
        if first.topology.content_hash() == topology.content_hash() {
            return Ok(());
        }
        Err(format!(
            "{} installs {} as {}; it was first seen as {}",
            view.process(*process).label(),
            topology.id(),
            names(topology),
            names(&first.topology)
        ))
    }
}

pub(super) fn names(topology: &Topology) -> String {
    let members = topology.members().iter();
    let names: Vec<String> = members
        .map(|member| format!("{}#{}", member.name(), member.order))
        .collect();
    format!("{{{}}}", names.join(", "))
}
