//! The members at one version: what they are, and what must hold of them. How one topology becomes
//! the next is in `change.rs`; who may decide that is the protocol's business.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::content_hash::content_hash;
use crate::identity::{NodeId, NodeName};
use crate::node::{NodeInfo, Role};
use crate::order::NodeOrder;
use crate::version::{ClusterId, Epoch, FencingToken, Term, TopologyId, TopologyVersion};

/// Most members of one topology, whatever a protocol is configured with.
pub const MEMBERS_MAX: usize = 8192;

/// A node that is part of a topology.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Member {
    /// Its place in join order.
    pub order: NodeOrder,
    /// The version that its joining made.
    pub joined_at: TopologyVersion,
    /// Who it is.
    pub info: NodeInfo,
}

impl Member {
    /// Its node id.
    pub fn id(&self) -> NodeId {
        self.info.id()
    }

    /// Its name.
    pub fn name(&self) -> &NodeName {
        self.info.name()
    }

    /// Whether its acceptance counts.
    pub fn votes(&self) -> bool {
        match self.info.role() {
            Role::Member => true,
            Role::Follower => false,
        }
    }
}

/// What a topology is made of, as it comes from another node; not checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TopologyParts {
    /// The cluster.
    pub cluster_id: ClusterId,
    /// The epoch.
    pub epoch: Epoch,
    /// The version.
    pub version: TopologyVersion,
    /// The term that decided it.
    pub term: Term,
    /// The order that the next joiner gets: above that of every member there ever was.
    pub next_order: NodeOrder,
    /// The members, sorted by order.
    pub members: Vec<Member>,
}

/// Why parts do not make a topology. Nothing was changed; the same parts fail again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TopologyError {
    /// No member's acceptance counts, so that nothing could ever be decided.
    #[error("no member votes; a topology needs at least one")]
    NoVoter,
    /// There are more members than the limit.
    #[error("{members} members; the limit is {MEMBERS_MAX}")]
    TooManyMembers {
        /// How many there are.
        members: usize,
    },
    /// Members are not sorted by order, or two have the same.
    #[error("order {order} stands behind order {before}; members are sorted by order, once each")]
    OrderUnsorted {
        /// The order that stands first.
        before: NodeOrder,
        /// The order that stands behind it.
        order: NodeOrder,
    },
    /// A member's order is not below the next one to be given.
    #[error("order {order} of {name} is not below the next order {next_order}")]
    OrderAhead {
        /// The member.
        name: NodeName,
        /// Its order.
        order: NodeOrder,
        /// The next one to be given.
        next_order: NodeOrder,
    },
    /// A member joined at a later version than this one.
    #[error("{name} joined at version {joined_at}, after version {version}")]
    JoinedAhead {
        /// The member.
        name: NodeName,
        /// When it joined.
        joined_at: TopologyVersion,
        /// The version of the topology.
        version: TopologyVersion,
    },
    /// Two members have one node id.
    #[error("node id {id} stands twice")]
    IdTwice {
        /// The id.
        id: NodeId,
    },
    /// Two members have one name.
    #[error("name {name} stands twice")]
    NameTwice {
        /// The name.
        name: NodeName,
    },
}

/// The members at one topology version, sorted by order: never changed, cheap to clone and share.
///
/// Members have distinct ids and distinct names, at least one of them votes, and every order is
/// below [`next_order`](Self::next_order), which only grows: an order is never used again, not even
/// the newest member's after it left.
///
/// ```
/// use discovery_core::{ClusterId, Epoch, Term, Topology, TopologyChange};
/// # use discovery_core::{NodeId, NodeInfo, NodeName, UnixMillis};
/// # let node = |bits: u128, name: &str| NodeInfo::new(NodeId::from_u128(bits),
/// #     NodeName::new(name).unwrap(), ["10.0.0.1:1".parse().unwrap()], UnixMillis(0)).unwrap();
///
/// let alone = Topology::founded(ClusterId::from_u128(7), Epoch(42), Term::FIRST, node(1, "a"))?;
/// let change = TopologyChange::of(&alone).join(node(2, "b")).build()?;
/// let both = alone.apply(&change, alone.term())?;
/// assert_eq!(both.len(), 2);
/// assert_eq!(both.eldest().name().as_str(), "a");
/// assert!(both.fencing_token() > alone.fencing_token());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Topology(Arc<Content>);

struct Content {
    parts: TopologyParts,
    /// Made when it is asked for: few are, and a mass start passes through many.
    hash: OnceLock<u64>,
}

impl Topology {
    /// The topology that a founding makes: its founder alone, order 1, version 1.
    ///
    /// # Errors
    ///
    /// If the founder does not vote.
    pub fn founded(
        cluster_id: ClusterId,
        epoch: Epoch,
        term: Term,
        founder: NodeInfo,
    ) -> Result<Self, TopologyError> {
        let founder = Member {
            order: NodeOrder::FIRST,
            joined_at: TopologyVersion::FIRST,
            info: founder,
        };
        Self::from_parts(TopologyParts {
            cluster_id,
            epoch,
            version: TopologyVersion::FIRST,
            term,
            next_order: SECOND,
            members: vec![founder],
        })
    }

    /// Checks parts that came from elsewhere and makes a topology of them.
    ///
    /// # Errors
    ///
    /// If something does not hold that must hold of every topology.
    pub fn from_parts(parts: TopologyParts) -> Result<Self, TopologyError> {
        check(&parts)?;
        Ok(Self::of_sound(parts))
    }

    /// Makes a topology of parts of which everything holds: every member does this for every version,
    /// and looking for doubles among all of them again costs more than the rest.
    pub(crate) fn of_sound(parts: TopologyParts) -> Self {
        debug_assert_eq!(check(&parts), Ok(()));
        let hash = OnceLock::new();
        Self(Arc::new(Content { parts, hash }))
    }

    /// What it is made of, to be sent elsewhere.
    pub fn parts(&self) -> &TopologyParts {
        &self.0.parts
    }

    /// The cluster.
    pub fn cluster_id(&self) -> ClusterId {
        self.0.parts.cluster_id
    }

    /// The epoch.
    pub fn epoch(&self) -> Epoch {
        self.0.parts.epoch
    }

    /// The version.
    pub fn version(&self) -> TopologyVersion {
        self.0.parts.version
    }

    /// The term that decided it.
    pub fn term(&self) -> Term {
        self.0.parts.term
    }

    /// The order that the next joiner gets.
    pub fn next_order(&self) -> NodeOrder {
        self.0.parts.next_order
    }

    /// Its name among all topologies of all clusters.
    pub fn id(&self) -> TopologyId {
        id_of(&self.0.parts)
    }

    /// The token for whoever acts under it.
    pub fn fencing_token(&self) -> FencingToken {
        FencingToken {
            epoch: self.epoch(),
            version: self.version(),
            term: self.term(),
        }
    }

    /// A hash of everything but the term: equal for equal content on every node and build.
    pub fn content_hash(&self) -> u64 {
        let parts = &self.0.parts;
        *self
            .0
            .hash
            .get_or_init(|| content_hash(id_of(parts), parts.next_order, &parts.members))
    }

    /// The members, the eldest first.
    pub fn members(&self) -> &[Member] {
        &self.0.parts.members
    }

    /// The members whose acceptance counts, the eldest first.
    pub fn voters(&self) -> impl Iterator<Item = &Member> {
        self.members().iter().filter(|member| member.votes())
    }

    /// How many members there are; never none.
    #[expect(clippy::len_without_is_empty, reason = "a topology is never empty")]
    pub fn len(&self) -> usize {
        self.members().len()
    }

    /// The member of smallest order.
    pub fn eldest(&self) -> &Member {
        // Checked when it was made: a topology has at least one member.
        &self.members()[0]
    }

    /// The member of this id.
    pub fn member(&self, id: NodeId) -> Option<&Member> {
        self.members().iter().find(|member| member.id() == id)
    }

    /// The member of this name.
    pub fn named(&self, name: &NodeName) -> Option<&Member> {
        self.members().iter().find(|member| member.name() == name)
    }

    /// The member of this order.
    pub fn ordered(&self, order: NodeOrder) -> Option<&Member> {
        let place = self
            .members()
            .binary_search_by_key(&order, |member| member.order)
            .ok()?;
        self.members().get(place)
    }
}

const SECOND: NodeOrder = match NodeOrder::FIRST.successor() {
    Some(order) => order,
    None => NodeOrder::FIRST,
};

fn id_of(parts: &TopologyParts) -> TopologyId {
    TopologyId {
        cluster_id: parts.cluster_id,
        epoch: parts.epoch,
        version: parts.version,
    }
}

fn check(parts: &TopologyParts) -> Result<(), TopologyError> {
    let members = &parts.members;
    if members.len() > MEMBERS_MAX {
        let members = members.len();
        return Err(TopologyError::TooManyMembers { members });
    }
    if !members.iter().any(Member::votes) {
        return Err(TopologyError::NoVoter);
    }
    for pair in members.windows(2) {
        let (before, order) = (pair[0].order, pair[1].order);
        if before >= order {
            return Err(TopologyError::OrderUnsorted { before, order });
        }
    }
    let (mut ids, mut names) = (BTreeSet::new(), BTreeSet::new());
    for member in members {
        let name = || member.name().clone();
        if member.order >= parts.next_order {
            let (order, next_order) = (member.order, parts.next_order);
            return Err(TopologyError::OrderAhead {
                name: name(),
                order,
                next_order,
            });
        }
        if member.joined_at > parts.version {
            let (joined_at, version) = (member.joined_at, parts.version);
            return Err(TopologyError::JoinedAhead {
                name: name(),
                joined_at,
                version,
            });
        }
        if !ids.insert(member.id()) {
            return Err(TopologyError::IdTwice { id: member.id() });
        }
        if !names.insert(member.name()) {
            return Err(TopologyError::NameTwice { name: name() });
        }
    }
    Ok(())
}

/// Equal in everything, the term included.
impl PartialEq for Topology {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.parts == other.0.parts
    }
}

impl Eq for Topology {}

impl fmt::Debug for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0.parts, f)
    }
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = self.len();
        let noun = if members == 1 { "member" } else { "members" };
        write!(f, "{}: {members} {noun}", self.id())
    }
}

#[cfg(test)]
#[path = "topology_tests.rs"]
mod tests;
