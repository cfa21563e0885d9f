//! Sets of members as bitmaps over a topology's order, and their bytes. Which topology, term and
//! position a set belongs to is the message's business: sets of two topologies are never united.

use discovery_core::MEMBERS_MAX;

const WORD_BITS: usize = u64::BITS as usize;

/// Why bytes are not a set of this topology's members; the same bytes fail again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum OrderSetError {
    /// A member beyond the last one is in it: the bytes belong to another topology.
    #[error("bit {bit} is set among {members} members; send the bitmap of this topology")]
    Beyond {
        /// The bit.
        bit: usize,
        /// How many members there are.
        members: usize,
    },
    /// There are more bytes than members need.
    #[error("{bytes} bytes for {members} members; cut the zeros at the end")]
    TooLong {
        /// How many bytes there are.
        bytes: usize,
        /// How many members there are.
        members: usize,
    },
}

/// A set of members by their places in the order-sorted list of one topology; counted as a set, so
/// that nobody counts twice however often and by whatever way the word comes (DECIDE-5).
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct OrderSet {
    members: usize,
    words: Vec<u64>,
}

impl OrderSet {
    /// The empty set among so many members, at most [`MEMBERS_MAX`].
    pub(crate) fn new(members: usize) -> Self {
        debug_assert!(members <= MEMBERS_MAX, "{members} members");
        Self {
            members,
            words: vec![0; members.div_ceil(WORD_BITS)],
        }
    }

    /// The set of these; places beyond the last member are left out.
    pub(crate) fn of(members: usize, places: impl IntoIterator<Item = usize>) -> Self {
        let mut set = Self::new(members);
        for place in places {
            set.insert(place);
        }
        set
    }

    /// Adds a member, and says whether it was not there before; a place beyond the last member is
    /// never in a set.
    pub(crate) fn insert(&mut self, place: usize) -> bool {
        if place >= self.members {
            return false;
        }
        let Some(word) = self.words.get_mut(place / WORD_BITS) else {
            return false;
        };
        let before = *word;
        *word |= 1 << (place % WORD_BITS);
        *word != before
    }

    /// Whether a member is in it.
    pub(crate) fn contains(&self, place: usize) -> bool {
        self.words
            .get(place / WORD_BITS)
            .is_some_and(|word| word >> (place % WORD_BITS) & 1 == 1)
    }

    /// Adds all of another set of the same topology, and says whether that added anybody; a set
    /// among another number of members adds nobody.
    pub(crate) fn union(&mut self, other: &Self) -> bool {
        if self.members != other.members {
            return false;
        }
        let mut grown = false;
        for (word, more) in self.words.iter_mut().zip(&other.words) {
            grown |= *more & !*word != 0;
            *word |= more;
        }
        grown
    }

    /// How many are in it.
    pub(crate) fn len(&self) -> usize {
        let ones = |word: &u64| word.count_ones() as usize;
        self.words.iter().map(ones).sum()
    }

    /// Whether nobody is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// The members in it, the eldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.members).filter(|place| self.contains(*place))
    }

    /// Member `i` as bit `i % 8` of byte `i / 8`, zeros at the end cut.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self
            .words
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        let used = bytes
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1);
        bytes.truncate(used);
        bytes
    }

    /// The set among so many members that the bytes mean.
    ///
    /// # Errors
    ///
    /// If a bit is set, or a byte given, beyond the last member.
    pub(crate) fn from_bytes(members: usize, bytes: &[u8]) -> Result<Self, OrderSetError> {
        if bytes.len() > members.div_ceil(8) {
            let bytes = bytes.len();
            return Err(OrderSetError::TooLong { bytes, members });
        }
        let mut set = Self::new(members);
        for (at, byte) in bytes.iter().enumerate() {
            for bit in (0..8).filter(|bit| byte >> bit & 1 == 1) {
                let bit = at * 8 + bit;
                if bit >= members {
                    return Err(OrderSetError::Beyond { bit, members });
                }
                set.insert(bit);
            }
        }
        Ok(set)
    }
}

/// The places, not the bits.
impl std::fmt::Debug for OrderSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
#[path = "order_set_tests.rs"]
mod tests;
