//! Refusals that last: what differs stays so until somebody mends it. Typed, so that whoever runs a
//! node need not read words; what the ring does about one is in `greeting.rs` and `join.rs`.

use std::fmt;

use discovery_core::NodeInfo;

use crate::message::{RefusalReason, WireRange};

/// Who refuses the local node until somebody mends what differs. The node goes on asking, every
/// 30 s; asking alone does not help.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastingRefusal {
    /// Who refuses: a member, or another newcomer.
    pub by: NodeInfo,
    /// Why.
    pub cause: LastingCause,
}

/// Why a refusal lasts, with the values of both sides; ours are the local node's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LastingCause {
    /// The settings that all members must share differ; give all nodes the same.
    Settings {
        /// Our digest.
        ours: u64,
        /// The refuser's.
        theirs: u64,
    },
    /// No wire version is spoken by both; run a release that speaks one of the refuser's.
    WireVersion {
        /// What we speak.
        ours: WireRange,
        /// What the refuser speaks.
        theirs: WireRange,
    },
    /// The cluster has as many members as may be, or their attributes and addresses fill a frame;
    /// remove some, or raise the limit on all nodes.
    Full,
}

impl LastingRefusal {
    /// That of a node whose refusal lasts, else none: a foreign cluster is passed by, and whatever
    /// comes of an id ends with the id.
    pub(super) fn new(
        by: &NodeInfo,
        reason: &RefusalReason,
        (our_wire, our_settings): (WireRange, u64),
    ) -> Option<Self> {
        let cause = match reason {
            RefusalReason::Settings { ours: theirs } => LastingCause::Settings {
                ours: our_settings,
                theirs: *theirs,
            },
            RefusalReason::WireVersion { ours: theirs } => LastingCause::WireVersion {
                ours: our_wire,
                theirs: *theirs,
            },
            RefusalReason::Limit => LastingCause::Full,
            RefusalReason::ClusterName { .. } | RefusalReason::NodeId | RefusalReason::Oneself => {
                return None;
            }
        };
        let by = by.clone();
        Some(Self { by, cause })
    }
}

impl fmt::Display for LastingRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = self.by.name();
        match self.cause {
            LastingCause::Settings { ours, theirs } => write!(
                f,
                "{by} refuses other shared settings: their digest is {ours:016x} here, \
                 {theirs:016x} there; give all nodes the same"
            ),
            LastingCause::WireVersion { ours, theirs } => write!(
                f,
                "{by} refuses the wire version: {} to {} is spoken here, {} to {} there; run a \
                 release that speaks one of those",
                ours.min, ours.max, theirs.min, theirs.max
            ),
            LastingCause::Full => write!(
                f,
                "{by} refuses one more member: there are as many as may be, or their attributes \
                 and addresses fill a frame; remove some, or raise members_max or frame_bytes_max \
                 on all nodes"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use discovery_core::{NodeId, UnixMillis};

    use super::*;

    fn said(reason: &RefusalReason) -> Option<String> {
        let (name, address) = ("ring-0".parse().unwrap(), "10.0.0.7:1".parse().unwrap());
        let by = NodeInfo::new(NodeId::from_u128(7), name, [address], UnixMillis(1)).unwrap();
        LastingRefusal::new(&by, reason, (crate::ring::WIRE, 0xa))
            .map(|refused| refused.to_string())
    }

    #[test]
    fn what_differs_is_named_with_both_values_and_what_to_do() {
        let settings = said(&RefusalReason::Settings { ours: 0xb }).unwrap();
        let values = "000000000000000a here, 000000000000000b there; give all";
        assert!(settings.contains(values), "{settings}");
        let ours = WireRange { min: 8, max: 9 };
        let wire = said(&RefusalReason::WireVersion { ours }).unwrap();
        assert!(wire.contains("8 to 9 there; run a release"), "{wire}");
    }

    #[test]
    fn a_foreign_cluster_and_an_id_that_was_used_do_not_last() {
        let ours = "other".into();
        assert_eq!(said(&RefusalReason::ClusterName { ours }), None);
        assert_eq!(said(&RefusalReason::NodeId), None);
        assert_eq!(said(&RefusalReason::Oneself), None);
    }
}
