//! What must hold of observers, of the tree, and of finding one's place.

use std::collections::BTreeSet;

use discovery_core::{
    ClusterId, Epoch, MEMBERS_MAX, NodeName, NodeOrder, Role, Term, TopologyParts, TopologyVersion,
    UnixMillis,
};
use proptest::prelude::*;

use super::*;

impl Roster {
    /// So many members that vote; the one at place `i` has the order `i + 1`.
    pub(crate) fn sample(members: usize) -> Self {
        Self::new(&topology(
            (0..members).map(|place| member(place, Role::Member)),
        ))
    }
}

/// Ids as random ones are, which do not sort as their places do.
pub(crate) fn sample_id(place: usize) -> NodeId {
    let mut bits = place as u128 + 1;
    for _ in 0..2 {
        bits = bits.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645);
        bits ^= bits >> 67;
    }
    NodeId::from_u128(bits)
}

fn member(place: usize, role: Role) -> Member {
    let order = u64::try_from(place).unwrap() + 1;
    let id = sample_id(place);
    let name = NodeName::new(format!("n{order}")).unwrap();
    let address = "10.0.0.1:47500".parse().unwrap();
    Member {
        order: NodeOrder::new(order).unwrap(),
        joined_at: TopologyVersion::FIRST,
        info: NodeInfo::new(id, name, [address], UnixMillis(1))
            .unwrap()
            .with_role(role),
    }
}

fn topology(members: impl IntoIterator<Item = Member>) -> Topology {
    Topology::from_parts(TopologyParts {
        cluster_id: ClusterId::from_u128(7),
        epoch: Epoch(1),
        version: TopologyVersion::FIRST,
        term: Term::FIRST,
        next_order: NodeOrder::new(1 << 20).unwrap(),
        members: members.into_iter().collect(),
    })
    .unwrap()
}

#[test]
fn a_place_beyond_the_last_member_is_nobodys() {
    let roster = Roster::sample(3);
    assert_eq!(roster.observers(3).count(), 0);
    assert_eq!(roster.node(3), None);
    assert_eq!(roster.info(3), None);
    assert!(roster.children(3, 0, &roster.nobody(), 16).is_empty());
    assert!(roster.children(0, 3, &roster.nobody(), 16).is_empty());
    assert_eq!(roster.parent(3, 0, &roster.nobody(), 16), None);
    assert_eq!(roster.parent(0, 3, &roster.nobody(), 16), None);
}

#[test]
fn members_are_found_by_id() {
    let roster = Roster::sample(MEMBERS_MAX);
    for place in 0..MEMBERS_MAX {
        let id = roster.node(place).unwrap();
        assert_eq!(roster.index_of(id), Some(place));
        assert_eq!(roster.info(place).unwrap().id(), id);
    }
    assert_eq!(roster.index_of(NodeId::from_u128(3)), None);
}

// Clauses: DECIDE-5
#[test]
fn followers_neither_vote_nor_raise_the_majority() {
    let role = |place| match place {
        0 | 2 | 3 => Role::Member,
        _ => Role::Follower,
    };
    let roster = Roster::new(&topology((0..9).map(|place| member(place, role(place)))));
    assert_eq!(roster.voters().iter().collect::<Vec<_>>(), [0, 2, 3]);
    assert_eq!(roster.majority(), 2);
    let majorities = [1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7];
    for (members, majority) in (1..).zip(majorities) {
        assert_eq!(Roster::sample(members).majority(), majority, "{members}");
    }
}

/// A number of members, the root of their tree, and who is left out of it.
fn tree() -> impl Strategy<Value = (usize, usize, BTreeSet<usize>)> {
    let of = |n| {
        (
            Just(n),
            0..n,
            proptest::collection::btree_set(0..n, 0..=n / 2),
        )
    };
    (1..=300usize).prop_flat_map(of)
}

proptest! {
    // Clauses: SPREAD-1
    #[test]
    fn leaving_members_out_gives_new_parents_to_their_children_alone(
        (members, root, skipped) in tree(),
        fan_out in 1..20usize,
    ) {
        let roster = Roster::sample(members);
        let skip = OrderSet::of(members, skipped.iter().copied());
        let nobody = roster.nobody();
        let stays = |place: &usize| *place == root || !skipped.contains(place);
        for place in (0..members).filter(stays) {
            let parent = roster.parent(root, place, &nobody, fan_out);
            if parent.is_none_or(|parent| stays(&parent)) {
                prop_assert_eq!(roster.parent(root, place, &skip, fan_out), parent);
            }
        }
    }

    // Clauses: SPREAD-1
    #[test]
    fn the_tree_reaches_everybody_once_and_leads_back(
        (members, root, skipped) in tree(),
        fan_out in 1..20usize,
    ) {
        let roster = Roster::sample(members);
        let skip = OrderSet::of(members, skipped.iter().copied());

        let mut reached = vec![root];
        let mut next = 0;
        while let Some(me) = reached.get(next).copied() {
            let children = roster.children(root, me, &skip, fan_out);
            // Its own, and those of whoever is left out below it.
            prop_assert!(children.len() <= fan_out * (1 + skipped.len()));
            for child in &children {
                prop_assert_eq!(roster.parent(root, *child, &skip, fan_out), Some(me));
            }
            reached.extend(children);
            prop_assert!(reached.len() <= members, "somebody is reached twice");
            next += 1;
        }

        let wanted: BTreeSet<usize> = (0..members)
            .filter(|place| *place == root || !skipped.contains(place))
            .collect();
        prop_assert_eq!(reached.len(), wanted.len());
        prop_assert_eq!(reached.into_iter().collect::<BTreeSet<_>>(), wanted);
        prop_assert_eq!(roster.parent(root, root, &skip, fan_out), None);
        for lost in skipped.into_iter().filter(|place| *place != root) {
            prop_assert_eq!(roster.children(root, lost, &skip, fan_out), Vec::<usize>::new());
            prop_assert_eq!(roster.parent(root, lost, &skip, fan_out), Some(root));
        }
    }
}

// Clauses: SPREAD-1
#[test]
fn up_to_seventeen_members_are_reached_directly() {
    let roster = Roster::sample(17);
    assert_eq!(roster.children(5, 5, &roster.nobody(), 16).len(), 16);
    let roster = Roster::sample(18);
    assert_eq!(roster.children(5, 5, &roster.nobody(), 16).len(), 16);
    assert_eq!(roster.children(5, 6, &roster.nobody(), 16), [4]);
    assert_eq!(roster.parent(5, 4, &roster.nobody(), 16), Some(6));
    // Left out, it gives its child to whoever is next above.
    let skip = OrderSet::of(18, [6]);
    assert_eq!(roster.children(5, 5, &skip, 16).len(), 16);
    assert!(roster.children(5, 6, &skip, 16).is_empty());
    assert_eq!(roster.parent(5, 4, &skip, 16), Some(5));
}

// Clauses: SPREAD-2
#[test]
fn a_tree_is_kept_by_all_who_stand_before_a_member_that_goes_or_comes() {
    let of = |places: &mut dyn Iterator<Item = usize>| {
        Roster::new(&topology(places.map(|place| member(place, Role::Member))))
    };
    let (before, root) = (Roster::sample(100), Roster::sample(1).node(0).unwrap());
    let without = |gone: usize| of(&mut (0..100).filter(|place| *place != gone));
    assert!(before.keeps_tree_of(&before, root, 16));
    assert!(without(99).keeps_tree_of(&before, root, 16));
    assert!(of(&mut (0..101)).keeps_tree_of(&before, root, 16));
    // An inner node shifts all the others, a mass start brings as many as there were, and the tree
    // of a root that is gone is nobody's.
    assert!(!without(1).keeps_tree_of(&before, root, 16));
    assert!(!of(&mut (0..200)).keeps_tree_of(&before, root, 16));
    assert!(!without(0).keeps_tree_of(&before, root, 16));
}
