//! One decided step from a topology to the next: any number of joins, leaves and failures at once.
//! A change that does not fit is refused whole; who may decide one is the protocol's business.

use std::collections::BTreeSet;

use crate::evidence::Evidence;
use crate::identity::{NodeId, NodeName};
use crate::node::NodeInfo;
use crate::order::NodeOrder;
use crate::topology::{MEMBERS_MAX, Member, Topology, TopologyParts};
use crate::version::{ClusterId, Epoch, Term, TopologyId};

/// A batch of joins, leaves and failures that makes the next version of one topology.
///
/// Its fields are what came over the wire and promise nothing: [`Topology::apply`] checks all of
/// them. [`TopologyChange::of`] builds one that fits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct TopologyChange {
    /// The only topology that it applies to.
    pub base: TopologyId,
    /// The epoch it opens, if it is the first decision of a recovery: above that of `base`.
    pub epoch: Option<Epoch>,
    /// The term of its first proposal, which becomes the topology's. Whoever proposes it again
    /// leaves it as it is, so that one topology has one term everywhere.
    pub term: Term,
    /// The id of the cluster it opens, if an operator forced the recovery: `base` names the parent,
    /// and what the parent decides elsewhere is none of this cluster's.
    #[cfg_attr(feature = "serde", serde(default))]
    pub cluster: Option<ClusterId>,
    /// The joiners, sorted by name, then node id, numbered in that order from the topology's next
    /// order upwards (JOIN).
    pub joins: Vec<(NodeOrder, NodeInfo)>,
    /// Members that go by their own word.
    pub leaves: Vec<NodeId>,
    /// Members that others removed, and why.
    pub failures: Vec<(NodeId, Evidence)>,
}

/// Why a change does not fit a topology. Nothing was changed; the same change never fits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// It was made for another topology.
    #[error("the change was made for {base}; this is {found}")]
    OtherBase {
        /// What it was made for.
        base: TopologyId,
        /// What it met.
        found: TopologyId,
    },
    /// It changes nothing.
    #[error("the change holds no join, leave, failure or new epoch")]
    Empty,
    /// It opens a cluster without opening an epoch.
    #[error("the change opens a cluster but no epoch; a new cluster needs both")]
    ClusterWithoutEpoch,
    /// Its epoch is not above the one in force.
    #[error("epoch {epoch} is not above epoch {current}")]
    EpochBehind {
        /// The change's.
        epoch: Epoch,
        /// The one in force.
        current: Epoch,
    },
    /// The deciding term is below the one that decided the topology in force (DECIDE-7).
    #[error("term {term} is below term {current}")]
    TermBehind {
        /// The deciding one.
        term: Term,
        /// The one in force.
        current: Term,
    },
    /// It removes a node that is not a member.
    #[error("node {id} is not a member, so it cannot be removed")]
    NotAMember {
        /// The node.
        id: NodeId,
    },
    /// It removes a member twice.
    #[error("member {id} is removed twice")]
    RemovedTwice {
        /// The member.
        id: NodeId,
    },
    /// A joiner has the node id of a member, removed by this change or not, or of another joiner.
    #[error("node {id} joins, but its node id is taken; a returning process takes a new one")]
    IdTaken {
        /// The joiner.
        id: NodeId,
    },
    /// A joiner has the name of a member that stays, or of another joiner.
    #[error("{name} joins, but a node of that name is a member and stays")]
    NameTaken {
        /// The joiner.
        name: NodeName,
    },
    /// Joiners are not sorted by name, then node id.
    #[error("{name} stands behind a joiner that sorts after it; joiners sort by name, then id")]
    JoinsUnsorted {
        /// The joiner that stands too late.
        name: NodeName,
    },
    /// A joiner has another order than the next.
    #[error("{name} joins with order {order}; the next order is {expected}")]
    OrderOutOfTurn {
        /// The joiner.
        name: NodeName,
        /// Its order.
        order: NodeOrder,
        /// The next one.
        expected: NodeOrder,
    },
    /// Nobody whose acceptance counts would be left.
    #[error("no voting member would be left")]
    NoVoterLeft,
    /// There would be more members than the limit.
    #[error("{members} members; the limit is {MEMBERS_MAX}")]
    TooManyMembers {
        /// How many there would be.
        members: usize,
    },
    /// Versions or orders are used up.
    #[error("the {counter} cannot be counted further")]
    UsedUp {
        /// Which: `topology version` or `node order`.
        counter: &'static str,
    },
}

impl TopologyChange {
    /// Starts a change of this topology that holds nothing yet.
    pub fn of(topology: &Topology) -> ChangeBuilder<'_> {
        ChangeBuilder {
            topology,
            epoch: None,
            cluster: None,
            term: topology.term(),
            joiners: Vec::new(),
            leaves: Vec::new(),
            failures: Vec::new(),
        }
    }

    fn is_empty(&self) -> bool {
        self.epoch.is_none()
            && self.cluster.is_none()
            && self.joins.is_empty()
            && self.leaves.is_empty()
            && self.failures.is_empty()
    }

    /// Every removed id, in the order leaves, failures.
    fn removed(&self) -> impl Iterator<Item = NodeId> {
        let failed = self.failures.iter().map(|(id, _)| *id);
        self.leaves.iter().copied().chain(failed)
    }
}

/// Gathers a change and numbers its joiners.
#[derive(Debug)]
#[must_use = "a change takes effect when it is built and applied"]
pub struct ChangeBuilder<'a> {
    topology: &'a Topology,
    epoch: Option<Epoch>,
    cluster: Option<ClusterId>,
    term: Term,
    joiners: Vec<NodeInfo>,
    leaves: Vec<NodeId>,
    failures: Vec<(NodeId, Evidence)>,
}

impl ChangeBuilder<'_> {
    /// Adds a joiner.
    pub fn join(mut self, node: NodeInfo) -> Self {
        self.joiners.push(node);
        self
    }

    /// Adds a member that goes by its own word.
    pub fn leave(mut self, id: NodeId) -> Self {
        self.leaves.push(id);
        self
    }

    /// Adds a member that others removed.
    pub fn fail(mut self, id: NodeId, evidence: Evidence) -> Self {
        self.failures.push((id, evidence));
        self
    }

    /// Says under which term it is proposed first; that of the topology in force unless set.
    pub fn under(mut self, term: Term) -> Self {
        self.term = term;
        self
    }

    /// Makes it the first decision of a new cluster that an operator's word splits off; it needs
    /// an epoch of its own as well.
    pub fn in_cluster(mut self, cluster: ClusterId) -> Self {
        self.cluster = Some(cluster);
        self
    }

    /// Makes it the first decision of a recovery, under this epoch.
    pub fn in_epoch(mut self, epoch: Epoch) -> Self {
        self.epoch = Some(epoch);
        self
    }

    /// Sorts, numbers the joiners from the next order upwards, and checks the whole.
    ///
    /// # Errors
    ///
    /// If the change would not fit the topology it was started from.
    pub fn build(mut self) -> Result<TopologyChange, ChangeError> {
        self.joiners.sort_by(|a, b| join_key(a).cmp(&join_key(b)));
        self.leaves.sort_unstable();
        self.failures.sort_by_key(|(id, _)| *id);
        let mut joins = Vec::with_capacity(self.joiners.len());
        let mut next = self.topology.next_order();
        for joiner in self.joiners {
            joins.push((next, joiner));
            next = next.successor().ok_or(ORDERS_USED_UP)?;
        }
        let change = TopologyChange {
            base: self.topology.id(),
            epoch: self.epoch,
            cluster: self.cluster,
            term: self.term,
            joins,
            leaves: self.leaves,
            failures: self.failures,
        };
        self.topology.apply(&change, self.topology.term())?;
        Ok(change)
    }
}

const ORDERS_USED_UP: ChangeError = ChangeError::UsedUp {
    counter: "node order",
};

fn join_key(node: &NodeInfo) -> (&NodeName, NodeId) {
    (node.name(), node.id())
}

impl Topology {
    /// The topology that this change makes, decided in this term: one version further.
    ///
    /// # Errors
    ///
    /// If the change does not fit; this topology is as it was either way.
    pub fn apply(&self, change: &TopologyChange, term: Term) -> Result<Self, ChangeError> {
        self.check_frame(change, term)?;
        let removed = self.check_removals(change)?;
        let next_order = self.check_joins(change, &removed)?;
        let version = self.version().successor().ok_or(ChangeError::UsedUp {
            counter: "topology version",
        })?;
        let stay = self
            .members()
            .iter()
            .filter(|member| !removed.contains(&member.id()));
        let join = change.joins.iter().map(|(order, info)| Member {
            order: *order,
            joined_at: version,
            info: info.clone(),
        });
        let members: Vec<Member> = stay.cloned().chain(join).collect();
        if members.len() > MEMBERS_MAX {
            let members = members.len();
            return Err(ChangeError::TooManyMembers { members });
        }
        if !members.iter().any(Member::votes) {
            return Err(ChangeError::NoVoterLeft);
        }
        Ok(Self::of_sound(TopologyParts {
            cluster_id: change.cluster.unwrap_or(self.cluster_id()),
            epoch: change.epoch.unwrap_or(self.epoch()),
            version,
            term,
            next_order,
            members,
        }))
    }

    /// What must hold of a change whatever it holds.
    fn check_frame(&self, change: &TopologyChange, term: Term) -> Result<(), ChangeError> {
        if change.base != self.id() {
            let (base, found) = (change.base, self.id());
            return Err(ChangeError::OtherBase { base, found });
        }
        if change.is_empty() {
            return Err(ChangeError::Empty);
        }
        if change.cluster.is_some() && change.epoch.is_none() {
            return Err(ChangeError::ClusterWithoutEpoch);
        }
        if let Some(epoch) = change.epoch
            && epoch <= self.epoch()
        {
            let current = self.epoch();
            return Err(ChangeError::EpochBehind { epoch, current });
        }
        if term < self.term() {
            let current = self.term();
            return Err(ChangeError::TermBehind { term, current });
        }
        Ok(())
    }

    fn check_removals(&self, change: &TopologyChange) -> Result<BTreeSet<NodeId>, ChangeError> {
        let mut removed = BTreeSet::new();
        for id in change.removed() {
            if !removed.insert(id) {
                return Err(ChangeError::RemovedTwice { id });
            }
        }
        // One pass over the members, whatever goes: a tenth of thousands may.
        let mut strangers = removed.clone();
        if !strangers.is_empty() {
            for member in self.members() {
                strangers.remove(&member.id());
            }
        }
        match strangers.first() {
            Some(id) => Err(ChangeError::NotAMember { id: *id }),
            None => Ok(removed),
        }
    }

    /// Checks the joiners and returns the order that comes after them.
    fn check_joins(
        &self,
        change: &TopologyChange,
        removed: &BTreeSet<NodeId>,
    ) -> Result<NodeOrder, ChangeError> {
        let (mut ids, mut names) = (BTreeSet::new(), BTreeSet::new());
        let mut expected = self.next_order();
        let mut before = None;
        for (order, node) in &change.joins {
            let name = || node.name().clone();
            if !ids.insert(node.id()) {
                return Err(ChangeError::IdTaken { id: node.id() });
            }
            if !names.insert(node.name()) {
                return Err(ChangeError::NameTaken { name: name() });
            }
            if before.is_some_and(|before| before > join_key(node)) {
                return Err(ChangeError::JoinsUnsorted { name: name() });
            }
            if *order != expected {
                let (name, order) = (name(), *order);
                return Err(ChangeError::OrderOutOfTurn {
                    name,
                    order,
                    expected,
                });
            }
            before = Some(join_key(node));
            expected = expected.successor().ok_or(ORDERS_USED_UP)?;
        }
        if ids.is_empty() {
            return Ok(expected);
        }
        for member in self.members() {
            let id = member.id();
            if ids.contains(&id) {
                return Err(ChangeError::IdTaken { id });
            }
            if names.contains(member.name()) && !removed.contains(&id) {
                let name = member.name().clone();
                return Err(ChangeError::NameTaken { name });
            }
        }
        Ok(expected)
    }
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
