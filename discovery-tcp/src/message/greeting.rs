//! The first exchange on a link: who is there, where it stands, and whom else it knows.

use std::net::SocketAddr;
use std::sync::Arc;

use discovery_core::{NodeId, NodeInfo, TopologyId, UnixMillis};

/// The wire versions that a node speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireRange {
    /// The lowest.
    pub min: u16,
    /// The highest.
    pub max: u16,
}

impl WireRange {
    /// The highest version that both speak.
    pub fn common(self, other: Self) -> Option<u16> {
        let version = self.max.min(other.max);
        (version >= self.min.max(other.min)).then_some(version)
    }
}

/// Where a node stands in its life, as it tells others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhaseKind {
    /// Not a member; may found or join.
    Newcomer,
    /// A member, with or without a quorum.
    Member,
    /// A member on its way out.
    Leaving,
}

/// How good a candidate a newcomer is; the lower the better (FORM-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// Listed seeds that do not answer it; `u32::MAX` while it counts itself last.
    pub unanswered: u32,
    /// When its process started.
    pub started_at: UnixMillis,
    /// Its node id.
    pub node: NodeId,
}

/// A newcomer worth asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Best {
    /// Its rank as it was heard.
    pub rank: Rank,
    /// Where it listens, best first.
    pub addresses: Vec<SocketAddr>,
}

/// A member worth asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberHint {
    /// Its node id.
    pub node: NodeId,
    /// Where it listens, best first.
    pub addresses: Vec<SocketAddr>,
    /// The topology it was last known in.
    pub topology: TopologyId,
}

/// What each side says of itself before anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduction {
    /// The wire versions it speaks.
    pub wire: WireRange,
    /// The configured name of its cluster.
    pub cluster_name: Arc<str>,
    /// A digest of the settings that all members must share.
    pub settings: u64,
    /// Who it is.
    pub node: NodeInfo,
    /// Where it stands.
    pub phase: PhaseKind,
    /// Its rank, if it is a newcomer that may found.
    pub rank: Option<Rank>,
    /// The best newcomer it knows, itself left out.
    pub best: Option<Best>,
    /// A member it knows: itself, or one it heard of.
    pub member: Option<MemberHint>,
    /// The topology it is a member of.
    pub topology: Option<TopologyId>,
    /// Whether it hears a majority of that topology.
    pub quorum: bool,
}

/// What was heard since the greeting, if it is better than what was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rumour {
    /// The sender's own rank now, if it is a newcomer that may found.
    pub rank: Option<Rank>,
    /// The best newcomer known.
    pub best: Option<Best>,
    /// A member known.
    pub member: Option<MemberHint>,
}

/// Why a greeting or a join is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusalReason {
    /// The cluster names differ.
    ClusterName {
        /// The refuser's.
        ours: Arc<str>,
    },
    /// No wire version is spoken by both.
    WireVersion {
        /// What the refuser speaks.
        ours: WireRange,
    },
    /// Settings that all members must share differ.
    Settings {
        /// The refuser's digest.
        ours: u64,
    },
    /// Both sides claim one node id.
    NodeId,
    /// The node dialled itself.
    Oneself,
    /// Too many links.
    Limit,
}

impl RefusalReason {
    /// Every stable name, in the order of declaration.
    pub const NAMES: [&str; 6] = [
        "cluster_name",
        "wire_version",
        "settings",
        "node_id",
        "oneself",
        "limit",
    ];

    /// The stable name, in snake case.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::ClusterName { .. } => "cluster_name",
            Self::WireVersion { .. } => "wire_version",
            Self::Settings { .. } => "settings",
            Self::NodeId => "node_id",
            Self::Oneself => "oneself",
            Self::Limit => "limit",
        }
    }
}

/// A refused greeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Who refuses.
    pub node: NodeInfo,
    /// Why.
    pub reason: RefusalReason,
}

/// The last words on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Goodbye {
    /// Why.
    pub reason: super::CloseReason,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::CloseReason;

    // Clauses: FORM-2
    #[test]
    fn a_rank_is_who_does_not_answer_then_its_start_then_its_node_id() {
        let rank = |unanswered, started_at, node| Rank {
            unanswered,
            started_at: UnixMillis(started_at),
            node: NodeId::from_u128(node),
        };
        // The best first; each is worse in one thing, and better in all that count less.
        let ranks = [
            rank(0, 1, 2),
            rank(0, 1, 3),
            rank(0, 2, 1),
            rank(1, 0, 0),
            rank(u32::MAX, 0, 0),
        ];
        assert!(ranks.is_sorted_by(|better, worse| better < worse));
    }

    #[test]
    fn every_reason_has_a_name_of_its_own() {
        let all = [
            RefusalReason::ClusterName {
                ours: Arc::from("ring"),
            },
            RefusalReason::WireVersion {
                ours: WireRange { min: 1, max: 1 },
            },
            RefusalReason::Settings { ours: 1 },
            RefusalReason::NodeId,
            RefusalReason::Oneself,
            RefusalReason::Limit,
        ];
        let names = all.each_ref().map(RefusalReason::as_str);
        assert_eq!(names, RefusalReason::NAMES);
        let mut names = CloseReason::ALL.map(CloseReason::as_str).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CloseReason::ALL.len());
    }
}
