//! One decided change as subscribers see it. How it was decided is the protocol's business; which
//! events are kept for those who come back is in `history.rs`.

use crate::change::{ChangeError, TopologyChange};
use crate::evidence::Evidence;
use crate::topology::{Member, Topology};
use crate::version::{Term, TopologyId};

/// One decided change: what it made, and who came and went with it.
///
/// It happens once for each version, in the order of versions, at every member that stays. When it
/// is seen, the change was decided: a majority of the members before it accepted it, or a recovery
/// did, and no other change has this version in this epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TopologyEvent {
    /// The topology before it.
    pub previous: TopologyId,
    /// The topology that it made.
    pub topology: Topology,
    /// Who joined, in the order of joining.
    pub joined: Vec<Member>,
    /// Who left by its own word.
    pub left: Vec<Member>,
    /// Whom the others removed, and why.
    pub failed: Vec<(Member, Evidence)>,
    /// Whether it opened a new epoch: the quorum was lost and recovered. Messages and changes that
    /// only lost members knew of are gone.
    pub epoch_changed: bool,
}

impl TopologyEvent {
    /// Applies a change that was decided in this term, and tells what came of it.
    ///
    /// # Errors
    ///
    /// If the change does not fit `before`, as [`Topology::apply`] has it.
    pub fn decided(
        before: &Topology,
        change: &TopologyChange,
        term: Term,
    ) -> Result<Self, ChangeError> {
        let topology = before.apply(change, term)?;
        let joined = topology
            .members()
            .iter()
            .filter(|member| member.order >= before.next_order())
            .cloned()
            .collect();
        let left = change
            .leaves
            .iter()
            .filter_map(|id| before.member(*id).cloned())
            .collect();
        let failed = change
            .failures
            .iter()
            .filter_map(|(id, evidence)| Some((before.member(*id).cloned()?, evidence.clone())))
            .collect();
        Ok(Self {
            previous: before.id(),
            epoch_changed: topology.epoch() != before.epoch(),
            topology,
            joined,
            left,
            failed,
        })
    }
}
