//! Whether a node is ready, from what it says of itself. Who asks, and how, is elsewhere.

use std::fmt;
use std::time::Duration;

use discovery_core::Standing;
use discovery_tcp::message::PhaseKind;
use discovery_tcp::ring::Status;

/// How long a member may be without quorum before it is no longer ready (STAND-1): a short cut that
/// heals must not move every client.
pub const UNREADY_AFTER: Duration = Duration::from_secs(3);

/// Whether a node may be given work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It may: a member of a topology with a quorum, or without one for less than
    /// [`UNREADY_AFTER`]. In words.
    Ready(String),
    /// It may not, and why.
    Not(String),
}

impl Readiness {
    /// Judges what a node says of itself.
    pub fn of(status: &Status, is_draining: bool) -> Self {
        if is_draining || status.phase == PhaseKind::Leaving {
            return Self::Not("it is leaving".to_owned());
        }
        match &status.standing {
            Standing::NotYetMember { waiting_for } => {
                Self::Not(format!("not a member yet; it waits for {waiting_for}"))
            }
            Standing::Member { topology } => Self::Ready(format!(
                "member of {} with {} members",
                topology.id(),
                topology.len()
            )),
            Standing::WithoutQuorum { stale } => {
                let lost = status.without_quorum_for.unwrap_or_default();
                let words = format!(
                    "without quorum for {}.{} s: no majority of the {} members of {} is heard",
                    lost.as_secs(),
                    lost.subsec_millis() / 100,
                    stale.len(),
                    stale.id()
                );
                if lost < UNREADY_AFTER {
                    Self::Ready(words)
                } else {
                    Self::Not(words)
                }
            }
            Standing::Removed { last } => Self::Not(format!(
                "removed from the cluster after {}; it joins again by itself",
                last.id()
            )),
            Standing::Left => Self::Not("it has left".to_owned()),
            Standing::Failed => Self::Not(
                "a mistake in the protocol has ended it: its log says what went wrong".to_owned(),
            ),
            // What may yet be added is nothing to give work on.
            other => Self::Not(format!("it stands as {other}")),
        }
    }

    /// Whether it may.
    pub fn is_ready(&self) -> bool {
        match self {
            Self::Ready(_) => true,
            Self::Not(_) => false,
        }
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(words) => write!(f, "ready: {words}"),
            Self::Not(why) => write!(f, "not ready: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Clauses: TIME-1
    #[test]
    fn an_unready_node_waits_as_long_as_the_protocol_names() {
        let page = include_str!("../../../docs/protocol/watching.md");
        let cell = format!("| `unready_after` | {} s |", UNREADY_AFTER.as_secs());
        assert!(page.contains(&cell), "the page has no '{cell}'");
    }
}
