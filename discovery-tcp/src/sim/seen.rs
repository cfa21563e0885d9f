//! What the simulator sees of a ring beyond its outputs: the one place that knows how to ask.

use discovery_core::{NodeId, NodeInfo, Topology};

use crate::Moment;
use crate::message::{PhaseKind, Position, WireRange};
use crate::ring::{self, Ring};

pub use crate::ring::Bug;
pub(crate) use crate::ring::{Decider, Observation};

pub(crate) fn check(ring: &Ring) -> Result<(), String> {
    ring.check()
}

pub(crate) fn check_outside(ring: &mut Ring) {
    ring.check_outside();
}

pub(crate) fn knows_other_names(ring: &Ring) -> bool {
    ring.knows_other_names()
}

pub(crate) fn plant(ring: &mut Ring, bug: Bug) {
    ring.plant(bug);
}

pub(crate) fn next_deadline(ring: &Ring) -> Option<Moment> {
    ring.next_deadline()
}

pub(crate) fn node(ring: &Ring) -> &NodeInfo {
    ring.node()
}

pub(crate) fn observers_of(topology: &Topology, subject: NodeId) -> Vec<NodeId> {
    ring::observers_of(topology, subject)
}

pub(crate) fn phase(ring: &Ring) -> PhaseKind {
    ring.phase()
}

pub(crate) fn topology(ring: &Ring) -> Option<&Topology> {
    ring.topology()
}

pub(crate) fn has_quorum(ring: &Ring) -> bool {
    ring.has_quorum()
}

pub(crate) fn decided(ring: &Ring) -> Position {
    ring.decided()
}

pub(crate) fn describe(ring: &Ring) -> String {
    let topology = ring.topology().map(|it| it.id().to_string());
    let (quorum, decided) = (ring.has_quorum(), ring.decided());
    let leads = ring.coordinates().map(|term| format!(", leads {term}"));
    format!(
        "{} (quorum {quorum}, decided {decided}, in {}{})",
        ring.waits_for(),
        topology.unwrap_or_else(|| "nothing".to_owned()),
        leads.unwrap_or_default()
    )
}

/// Has a ring speak these wire versions.
pub(crate) fn speak(ring: &mut Ring, wire: WireRange) {
    ring.speak(wire);
}
