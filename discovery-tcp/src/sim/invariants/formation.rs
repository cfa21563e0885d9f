//! P4: under `census` no cluster is founded while a member of another of that name lives.

use discovery_core::NodeName;

use super::super::seen::{self, Observation};
use super::chronicle::Chronicle;
use super::{Fact, Invariant, View};
use crate::config::{Formation, RingConfig};
use crate::message::PhaseKind;

#[derive(Debug)]
pub(super) struct FormsOnce {
    formation: Formation,
}

impl FormsOnce {
    pub(super) fn new(config: &RingConfig) -> Self {
        Self {
            formation: config.formation.clone(),
        }
    }

    /// Whether a second founding breaks the promise here.
    fn is_promised(&self, view: &View<'_>) -> bool {
        match &self.formation {
            Formation::Census => true,
            // Promises live in memory: a name that restarted may promise against what it promised
            // before (FORM-10). Every two majorities share so many names at least, and each of
            // those must have forgotten.
            Formation::Majority(names) => {
                let shared = (names.len() / 2 + 1) * 2 - names.len();
                let has_restarted = |name: &&NodeName| {
                    let mut runs = view.processes.iter().map(|it| it.label().rsplit_once('.'));
                    runs.any(|run| run.is_some_and(|(of, run)| of == name.as_str() && run != "1"))
                };
                names.iter().filter(has_restarted).count() < shared
            }
            Formation::Single => false,
        }
    }
}

impl Invariant for FormsOnce {
    fn promise(&self) -> &'static str {
        "P4"
    }

    fn on(
        &mut self,
        fact: &Fact<'_>,
        chronicle: &Chronicle,
        view: &View<'_>,
    ) -> Result<(), String> {
        let Fact::Observed(founder, Observation::Founded { topology, .. }) = fact else {
            return Ok(());
        };
        if chronicle.is_forced || !self.is_promised(view) {
            return Ok(());
        }
        let own_name = &view.process(*founder).cluster_name;
        for process in view.processes {
            let Some(ring) = process.live_ring() else {
                continue;
            };
            let Some(other) = seen::topology(ring) else {
                continue;
            };
            let is_member = match seen::phase(ring) {
                PhaseKind::Member | PhaseKind::Leaving => true,
                PhaseKind::Newcomer => false,
            };
            let is_another = other.id().cluster_id != topology.cluster_id;
            if is_member && is_another && process.cluster_name == *own_name {
                let founder = view.process(*founder).label();
                let (label, other) = (process.label(), other.id());
                return Err(format!(
                    "{founder} founds {topology} while {label} is in {other}"
                ));
            }
        }
        Ok(())
    }
}
