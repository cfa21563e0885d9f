//! The place of a member in the order of joining.

use std::fmt;
use std::num::NonZeroU64;

/// A member's place in join order: from 1 upwards, never used again, the eldest first.
///
/// ```
/// use discovery_core::NodeOrder;
///
/// let second = NodeOrder::FIRST.successor().unwrap();
/// assert!(NodeOrder::FIRST < second);
/// assert_eq!(NodeOrder::new(2), Some(second));
/// assert_eq!(NodeOrder::new(0), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NodeOrder(NonZeroU64);

impl NodeOrder {
    /// The founder's.
    pub const FIRST: Self = Self(NonZeroU64::MIN);

    /// The order of this number; zero is none.
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

impl fmt::Display for NodeOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for NodeOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeOrder({})", self.0)
    }
}
