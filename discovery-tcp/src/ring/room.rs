//! How many more members a topology may take: by their number, and by their bytes, because a
//! snapshot of all of them has to fit a frame.

use discovery_core::NodeInfo;

use super::weight;

/// Room for members and their bytes: what is left, or what somebody takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) members: usize,
    pub(super) bytes: usize,
}

impl Room {
    /// What one more takes that is not freed by the member which it replaces.
    pub(super) fn taken_by(weight: usize, replaced: Option<&NodeInfo>) -> Self {
        let freed = replaced.map_or(0, weight::of_member);
        Self {
            members: usize::from(replaced.is_none()),
            bytes: weight.saturating_sub(freed),
        }
    }

    /// What is left beside others who have been promised theirs.
    pub(super) fn beside(self, others: impl Iterator<Item = Self>) -> Self {
        others.fold(self, |left, taken| Self {
            members: left.members.saturating_sub(taken.members),
            bytes: left.bytes.saturating_sub(taken.bytes),
        })
    }

    /// Gives one more its place, or that of the member which it replaces; false if there is none.
    pub(super) fn take(&mut self, node: &NodeInfo, replaced: Option<&NodeInfo>) -> bool {
        let taken = Self::taken_by(weight::of_member(node), replaced);
        let members = self.members.checked_sub(taken.members);
        let bytes = self.bytes.checked_sub(taken.bytes);
        let (Some(members), Some(bytes)) = (members, bytes) else {
            return false;
        };
        *self = Self { members, bytes };
        true
    }
}

#[cfg(test)]
mod tests {
    use discovery_core::{Attributes, NodeId, NodeName, UnixMillis};

    use super::*;

    fn node(number: u128, attribute: usize) -> NodeInfo {
        let name = NodeName::new(format!("n-{number}")).unwrap();
        let at = std::net::SocketAddr::from(([10, 0, 0, 1], 1));
        let attributes = Attributes::new([("k", "v".repeat(attribute))]).unwrap();
        NodeInfo::new(NodeId::from_u128(number), name, [at], UnixMillis(1))
            .unwrap()
            .with_attributes(attributes)
    }

    #[test]
    fn the_last_place_is_given_once_and_a_replaced_member_gives_its_own() {
        let mut room = Room {
            members: 1,
            bytes: 10_000,
        };
        assert!(room.take(&node(1, 1), None));
        assert!(!room.take(&node(2, 1), None));
        assert!(room.take(&node(3, 1), Some(&node(1, 1))));
        assert_eq!(room.members, 0);
    }

    #[test]
    fn who_weighs_too_much_is_not_taken_and_costs_nothing() {
        let light = weight::of_member(&node(1, 1));
        let mut room = Room {
            members: 9,
            bytes: light,
        };
        assert!(!room.take(&node(2, 1_000), None));
        assert_eq!((room.members, room.bytes), (9, light));
        assert!(room.take(&node(1, 1), None));
        assert_eq!((room.members, room.bytes), (8, 0));
        // Who replaces a member has its bytes, and no more.
        assert!(!room.take(&node(3, 2), Some(&node(1, 1))));
        assert!(room.take(&node(3, 1), Some(&node(1, 1))));
    }
}
