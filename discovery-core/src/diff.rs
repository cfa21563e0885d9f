//! What differs between two topologies, for those who skipped the versions in between. Why members
//! went is only in the events.

use crate::topology::{Member, Topology};
use crate::version::TopologyId;

/// What leads from one topology to another, whatever lies between them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TopologyDiff {
    /// Where it starts.
    pub from: TopologyId,
    /// Where it leads.
    pub to: TopologyId,
    /// Members of the second that are not in the first, by order.
    pub joined: Vec<Member>,
    /// Members of the first that are not in the second, by order.
    pub departed: Vec<Member>,
    /// Whether the epochs differ: what was decided in the old one may have been taken back.
    pub epoch_changed: bool,
    /// Whether the clusters differ; then members count as the same only if everything about them
    /// is, their order included.
    pub cluster_changed: bool,
}

impl TopologyDiff {
    /// Whether the same members stand in both.
    pub fn is_same_membership(&self) -> bool {
        self.joined.is_empty() && self.departed.is_empty()
    }
}

impl Topology {
    /// What leads from this topology to another, earlier or later, of this cluster or not.
    pub fn diff(&self, to: &Self) -> TopologyDiff {
        TopologyDiff {
            from: self.id(),
            to: to.id(),
            joined: missing_from(self, to),
            departed: missing_from(to, self),
            epoch_changed: self.epoch() != to.epoch(),
            cluster_changed: self.cluster_id() != to.cluster_id(),
        }
    }
}

/// The members of `topology` that `other` does not hold just so.
fn missing_from(other: &Topology, topology: &Topology) -> Vec<Member> {
    topology
        .members()
        .iter()
        .filter(|member| other.ordered(member.order) != Some(*member))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{alone, named};
    use crate::version::{ClusterId, Epoch, Term};

    #[test]
    fn the_founders_of_two_clusters_are_two_members_of_one_order() {
        let cluster = ClusterId::from_u128(8);
        let other = Topology::founded(cluster, Epoch(11), Term::FIRST, named(2, "n1")).unwrap();
        let diff = alone().diff(&other);
        assert_eq!(diff.departed, alone().members());
        assert_eq!(diff.joined, other.members());
        assert!(diff.epoch_changed && diff.cluster_changed);
        assert!(!diff.is_same_membership());
    }
}
