//! Whom this node turned away lately, and why. Kept for people alone: nothing rests on it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use discovery_core::NodeInfo;

use super::Ring;
use super::join::REFUSED;
use super::lasting::{LastingCause, LastingRefusal};
use crate::message::{Introduction, Refusal, RefusalReason};
use crate::moment::Moment;

/// Most of them that are remembered; the newest are.
pub const TURNED_AWAY_MAX: usize = 16;

/// How long one is remembered that does not come again: it comes every 30 s as long as it is told
/// so, and a seed that is no member is probed more often.
const REMEMBERED: Duration = Duration::from_secs(2 * REFUSED.as_secs());

/// Who cannot become a member beside the local node until somebody mends what differs, whether it
/// came or was dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TurnedAway {
    /// Who.
    pub node: NodeInfo,
    /// Why.
    pub cause: TurnedAwayCause,
}

/// Why somebody was turned away; ours are the local node's values.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TurnedAwayCause {
    /// The cluster names differ: it belongs to another cluster, or is given the wrong name.
    ClusterName {
        /// Ours.
        ours: Arc<str>,
        /// Its own.
        theirs: Arc<str>,
    },
    /// What it is told as well, as [`LastingRefusal`].
    Lasting(LastingCause),
}

/// Those that are remembered, the newest last, each process once.
#[derive(Debug, Default)]
pub(super) struct TurnedAways(VecDeque<(Moment, TurnedAway)>);

impl TurnedAways {
    fn note(&mut self, node: &NodeInfo, cause: TurnedAwayCause, now: Moment) {
        let node = node.clone();
        self.0
            .retain(|(at, it)| now.since(*at) < REMEMBERED && !is_same(&it.node, &node));
        if self.0.len() >= TURNED_AWAY_MAX {
            self.0.pop_front();
        }
        self.0.push_back((now, TurnedAway { node, cause }));
    }

    /// A greeting went through: nothing of a greeting keeps this process out any more.
    fn greeted(&mut self, node: &NodeInfo) {
        let full = TurnedAwayCause::Lasting(LastingCause::Full);
        self.0
            .retain(|(_, it)| it.cause == full || !is_same(&it.node, node));
    }

    fn lately(&self, now: Moment) -> Vec<TurnedAway> {
        let lately = self.0.iter().filter(|(at, _)| now.since(*at) < REMEMBERED);
        lately.map(|(_, it)| it.clone()).collect()
    }
}

/// Whether two runs are of one process, as far as their pods or addresses tell.
fn is_same(left: &NodeInfo, right: &NodeInfo) -> bool {
    if let (Some(left), Some(right)) = (left.pod_uid(), right.pod_uid()) {
        return left == right;
    }
    let mut addresses = left.addresses().iter();
    addresses.any(|address| right.addresses().contains(address))
}

impl Ring {
    /// Notes that a greeting was refused here.
    pub(super) fn note_refused(&mut self, intro: &Introduction, reason: &RefusalReason) {
        let lasting = |cause| Some(TurnedAwayCause::Lasting(cause));
        let cause = match reason {
            RefusalReason::ClusterName { ours } => Some(TurnedAwayCause::ClusterName {
                ours: Arc::clone(ours),
                theirs: Arc::clone(&intro.cluster_name),
            }),
            RefusalReason::WireVersion { ours } => lasting(LastingCause::WireVersion {
                ours: *ours,
                theirs: intro.wire,
            }),
            RefusalReason::Settings { ours } => lasting(LastingCause::Settings {
                ours: *ours,
                theirs: intro.settings,
            }),
            RefusalReason::NodeId | RefusalReason::Oneself | RefusalReason::Limit => None,
        };
        if let Some(cause) = cause {
            self.turned_away.note(&intro.node, cause, self.fx.now);
        }
    }

    /// Notes that somebody who was dialled refuses the greeting of the local node.
    pub(super) fn note_refusing(&mut self, refusal: &Refusal) {
        let cause = match &refusal.reason {
            RefusalReason::ClusterName { ours: theirs } => Some(TurnedAwayCause::ClusterName {
                ours: Arc::clone(&self.config.cluster_name),
                theirs: Arc::clone(theirs),
            }),
            reason => {
                let ours = (self.wire, self.config.settings);
                let refused = LastingRefusal::new(&refusal.node, reason, ours);
                refused.map(|it| TurnedAwayCause::Lasting(it.cause))
            }
        };
        if let Some(cause) = cause {
            self.turned_away.note(&refusal.node, cause, self.fx.now);
        }
    }

    /// Notes that there is no room for a joiner.
    pub(super) fn note_no_room(&mut self, joiner: &NodeInfo) {
        let cause = TurnedAwayCause::Lasting(LastingCause::Full);
        self.turned_away.note(joiner, cause, self.fx.now);
    }

    /// Notes that a greeting went through.
    pub(super) fn note_greeted(&mut self, node: &NodeInfo) {
        self.turned_away.greeted(node);
    }

    /// Whom this node turned away lately, the newest last; at most [`TURNED_AWAY_MAX`].
    pub(super) fn turned_away_lately(&self) -> Vec<TurnedAway> {
        self.turned_away.lately(self.fx.now)
    }
}

impl fmt::Display for TurnedAwayCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClusterName { ours, theirs } => {
                write!(f, "it belongs to cluster '{theirs}', this node to '{ours}'")
            }
            Self::Lasting(LastingCause::Settings { ours, theirs }) => write!(
                f,
                "its shared settings are others: their digest is {theirs:016x} there, \
                 {ours:016x} here; give all nodes the same"
            ),
            Self::Lasting(LastingCause::WireVersion { ours, theirs }) => write!(
                f,
                "it speaks wire versions {} to {}, this node {} to {}; run a release there that \
                 speaks one of those",
                theirs.min, theirs.max, ours.min, ours.max
            ),
            Self::Lasting(LastingCause::Full) => f.write_str(
                "there is no room for one more member: there are as many as may be, or their \
                 attributes and addresses fill a frame; remove some, or raise members_max or \
                 frame_bytes_max on all nodes",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use discovery_core::{NodeId, PodUid, UnixMillis};

    use super::*;

    fn node(number: u16) -> NodeInfo {
        let address = ([10, 0, 0, 1], number).into();
        let id = NodeId::from_u128(u128::from(number));
        NodeInfo::new(id, "a".parse().unwrap(), [address], UnixMillis(1)).unwrap()
    }

    fn settings(theirs: u64) -> TurnedAwayCause {
        TurnedAwayCause::Lasting(LastingCause::Settings { ours: 0, theirs })
    }

    #[test]
    fn each_process_is_remembered_once_for_a_while_and_only_the_newest_are() {
        let mut all = TurnedAways::default();
        let start = Moment::START;
        for number in 1..=20 {
            all.note(&node(number), settings(1), start);
        }
        // Another run at the same address.
        let again = node(20).with_id(NodeId::from_u128(99));
        all.note(&again, settings(2), start);
        let lately = all.lately(start);
        assert_eq!(lately.len(), TURNED_AWAY_MAX);
        assert_eq!(lately[TURNED_AWAY_MAX - 1].node, again);
        assert_eq!(all.lately(start + REMEMBERED), []);
    }

    #[test]
    fn a_greeting_that_goes_through_takes_back_all_but_a_full_cluster() {
        let mut all = TurnedAways::default();
        all.note(&node(1), settings(1), Moment::START);
        let full = TurnedAwayCause::Lasting(LastingCause::Full);
        all.note(&node(2), full.clone(), Moment::START);
        for number in [1, 2] {
            all.greeted(&node(number));
        }
        let left = all.lately(Moment::START);
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].cause, full);
    }

    #[test]
    fn a_pod_is_known_by_its_uid_and_not_by_an_address_that_another_pod_has_now() {
        let of_pod = |uid: &str| node(1).with_pod_uid(PodUid::new(uid).unwrap());
        assert!(!is_same(&of_pod("x"), &of_pod("y")));
        assert!(is_same(&of_pod("x"), &node(1)));
    }
}
