//! What counts decisions and fences those who act on them: version, epoch, term, cluster id, and
//! the tokens made of them. Who may raise which of them is the protocol's business.

use std::cmp::Ordering;
use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use crate::census::ResourceVersion;
use crate::order::NodeOrder;

/// Counts the topologies of a cluster: 1 at its founding, one more with each decided change.
///
/// ```
/// use discovery_core::TopologyVersion;
///
/// assert_eq!(TopologyVersion::FIRST.successor(), TopologyVersion::new(2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TopologyVersion(NonZeroU64);

impl TopologyVersion {
    /// The founding's.
    pub const FIRST: Self = Self(NonZeroU64::MIN);

    /// The version of this number; zero is none.
    pub const fn new(number: u64) -> Option<Self> {
        match NonZeroU64::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0.get()
    }

    /// The next one, or none if the numbers are used up.
    pub const fn successor(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }
}

impl fmt::Display for TopologyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Set at founding and at each recovery, always growing: the outermost part of the fencing token.
///
/// With an authoritative finder it is the resource version of the listing behind the founding or
/// recovery (FORM-5), else a clock's milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Epoch(pub u64);

impl From<ResourceVersion> for Epoch {
    fn from(version: ResourceVersion) -> Self {
        Self(version.get())
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The span of one coordinator's proposals; the higher wins, and no two candidates share one
/// (DECIDE-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Term {
    /// Raised by every candidate above all it has heard of.
    pub counter: u64,
    /// The candidate's own order, which makes the term its own.
    pub order: NodeOrder,
}

impl Term {
    /// The founder's first.
    pub const FIRST: Self = Self {
        counter: 1,
        order: NodeOrder::FIRST,
    };

    /// The lowest term above this one that a candidate of this order may use, or none if the
    /// counter is used up.
    pub fn above(self, order: NodeOrder) -> Option<Self> {
        let counter = self.counter.checked_add(1)?;
        Some(Self { counter, order })
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.counter, self.order)
    }
}

/// Names one cluster: 128 bits drawn at its founding, never drawn again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(u128);

impl ClusterId {
    /// Makes an id from 128 random bits; where they come from is the caller's choice.
    pub const fn from_u128(bits: u128) -> Self {
        Self(bits)
    }

    /// The 128 bits.
    pub const fn as_u128(self) -> u128 {
        self.0
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClusterId({self})")
    }
}

/// The text is not 32 hexadecimal digits; a retry with the same text fails again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cluster id '{value}' is not 32 hexadecimal digits")]
pub struct ClusterIdError {
    value: String,
}

impl FromStr for ClusterId {
    type Err = ClusterIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let canonical = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        u128::from_str_radix(text, 16)
            .ok()
            .filter(|_| canonical)
            .map(Self)
            .ok_or_else(|| ClusterIdError {
                value: text.escape_debug().take(64).collect(),
            })
    }
}

/// Fences whoever acts: of two tokens the greater was decided later, through restarts of everything
/// (P9). Compared epoch first, then version, then term.
///
/// What is merely *derived from* a topology is fenced by epoch and version alone: two coordinators
/// may act under one version, in different terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FencingToken {
    /// The epoch.
    pub epoch: Epoch,
    /// The topology version.
    pub version: TopologyVersion,
    /// The term that decided it.
    pub term: Term,
}

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.epoch, self.version, self.term)
    }
}

/// Names one topology of one cluster: where a subscriber stands and resumes.
///
/// Those of one cluster compare by epoch, then version; those of different clusters do not compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TopologyId {
    /// The cluster.
    pub cluster_id: ClusterId,
    /// The epoch.
    pub epoch: Epoch,
    /// The version.
    pub version: TopologyVersion,
}

impl PartialOrd for TopologyId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let place = |id: &Self| (id.epoch, id.version);
        (self.cluster_id == other.cluster_id).then(|| place(self).cmp(&place(other)))
    }
}

impl fmt::Display for TopologyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cluster {} epoch {} version {}",
            self.cluster_id, self.epoch, self.version
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(epoch: u64, version: u64, counter: u64, order: u64) -> FencingToken {
        FencingToken {
            epoch: Epoch(epoch),
            version: TopologyVersion::new(version).unwrap(),
            term: Term {
                counter,
                order: NodeOrder::new(order).unwrap(),
            },
        }
    }

    #[test]
    fn tokens_compare_epoch_first_then_version_then_term() {
        let growing = [
            token(1, 1, 1, 1),
            token(1, 1, 1, 2),
            token(1, 1, 2, 1),
            token(1, 2, 1, 1),
            token(2, 1, 1, 1),
        ];
        assert!(growing.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_term_of_ones_own_is_above_whatever_was_heard() {
        let heard = Term {
            counter: 7,
            order: NodeOrder::new(9).unwrap(),
        };
        assert!(heard.above(NodeOrder::FIRST).unwrap() > heard);
        let last = Term {
            counter: u64::MAX,
            order: NodeOrder::FIRST,
        };
        assert_eq!(last.above(NodeOrder::FIRST), None);
    }

    #[test]
    fn topologies_of_different_clusters_do_not_compare() {
        let at = |cluster, version| TopologyId {
            cluster_id: ClusterId::from_u128(cluster),
            epoch: Epoch(1),
            version: TopologyVersion::new(version).unwrap(),
        };
        assert!(at(1, 1) < at(1, 2));
        assert_eq!(at(1, 1).partial_cmp(&at(2, 2)), None);
    }

    #[test]
    fn a_cluster_id_prints_and_parses_to_itself() {
        let id = ClusterId::from_u128(0x2a);
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "2a", "+000000000000000000000000000002a"] {
            assert!(
                matches!(text.parse::<ClusterId>(), Err(ClusterIdError { .. })),
                "{text}"
            );
        }
    }
}
