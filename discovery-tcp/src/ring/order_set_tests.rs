//! What must hold of sets of members.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// How many members there are, and two sets of places among them.
fn two_sets() -> impl Strategy<Value = (usize, BTreeSet<usize>, BTreeSet<usize>)> {
    (1..=MEMBERS_MAX).prop_flat_map(|members| {
        let some = || proptest::collection::btree_set(0..members, 0..=members.min(64));
        (Just(members), some(), some())
    })
}

fn set(members: usize, places: &BTreeSet<usize>) -> OrderSet {
    OrderSet::of(members, places.iter().copied())
}

proptest! {
    // Clauses: DECIDE-5 SPREAD-4
    #[test]
    fn acceptances_that_come_twice_or_by_two_ways_count_once(
        (members, left, right) in two_sets(),
    ) {
        let (mut all, other) = (set(members, &left), set(members, &right));
        let both: BTreeSet<usize> = left.union(&right).copied().collect();

        prop_assert_eq!(all.union(&other), both.len() > left.len());

        prop_assert!(!all.union(&other));
        prop_assert_eq!(all.len(), both.len());
        prop_assert_eq!(all.iter().collect::<BTreeSet<_>>(), both);
    }

    #[test]
    fn a_set_survives_its_bytes((members, places, _) in two_sets()) {
        let set = set(members, &places);

        let bytes = set.to_bytes();

        prop_assert_eq!(OrderSet::from_bytes(members, &bytes), Ok(set));
        prop_assert_ne!(bytes.last(), Some(&0));
        prop_assert!(bytes.len() <= members.div_ceil(8));
    }

    #[test]
    fn any_bytes_are_a_set_within_the_topology_or_refused(
        members in 0..=MEMBERS_MAX,
        bytes in proptest::collection::vec(any::<u8>(), 0..130),
    ) {
        match OrderSet::from_bytes(members, &bytes) {
            Ok(set) => prop_assert!(set.iter().all(|place| place < members)),
            Err(OrderSetError::Beyond { bit, .. }) => prop_assert!(bit >= members),
            Err(OrderSetError::TooLong { bytes, .. }) => prop_assert!(bytes * 8 > members),
        }
    }
}

#[test]
fn member_nine_is_the_second_bit_of_the_second_byte() {
    let set = OrderSet::of(200, [9]);
    assert_eq!(set.to_bytes(), [0, 2]);
    assert!(OrderSet::new(200).to_bytes().is_empty());
}

#[test]
fn a_bitmap_of_a_larger_topology_is_refused() {
    let (bit, members) = (5, 5);
    assert_eq!(
        OrderSet::from_bytes(5, &[0b0010_0000]),
        Err(OrderSetError::Beyond { bit, members })
    );
    assert_eq!(
        OrderSet::from_bytes(5, &[1, 0]),
        Err(OrderSetError::TooLong { bytes: 2, members })
    );
}

#[test]
fn a_place_beyond_the_last_member_is_never_in_a_set() {
    let mut set = OrderSet::new(3);
    assert!(set.insert(2));
    assert!(!set.insert(2));
    assert!(!set.insert(3));
    assert!(!set.contains(3));
    assert!(!set.contains(usize::MAX));
    assert!(!set.is_empty());
    assert!(!set.union(&OrderSet::of(2, [1])));
    assert_eq!(format!("{set:?}"), "{2}");
}
