//! What must hold of who observes whom: in every size, and from one topology to the next.

use std::collections::BTreeSet;

use discovery_core::MEMBERS_MAX;
use proptest::prelude::*;

use super::*;
use crate::ring::roster::tests::sample_id;

/// So many members, the one at place `i` under the `i`th sample id.
fn sample(members: usize) -> ObserverGraph {
    ObserverGraph::new((0..members).map(sample_id))
}

fn without(members: usize, gone: &BTreeSet<usize>) -> ObserverGraph {
    let stays = (0..members).filter(|place| !gone.contains(place));
    ObserverGraph::new(stays.map(sample_id))
}

fn id(graph: &ObserverGraph, place: usize) -> NodeId {
    let at = graph.places.iter().position(|it| *it as usize == place);
    graph.ids[at.unwrap()]
}

fn observers(graph: &ObserverGraph, place: usize) -> BTreeSet<usize> {
    let all: Vec<usize> = graph.observers(id(graph, place)).collect();
    let distinct: BTreeSet<usize> = all.iter().copied().collect();
    assert_eq!(all.len(), distinct.len());
    distinct
}

/// Who observes whom, by id.
fn pairs(graph: &ObserverGraph) -> BTreeSet<(NodeId, NodeId)> {
    let places = 0..graph.members();
    let of = |place| {
        let others = observers(graph, place).into_iter();
        others.map(move |other| (id(graph, other), id(graph, place)))
    };
    places.flat_map(of).collect()
}

// Clauses: CUT-1
#[test]
fn on_a_circle_everybody_has_as_many_observers_as_there_can_be() {
    for members in 1..=CIRCLE_MAX {
        let graph = sample(members);
        for place in 0..members {
            let wanted = (members - 1).min(OBSERVERS_MAX);
            assert_eq!(observers(&graph, place).len(), wanted, "{members}");
        }
    }
}

// Clauses: CUT-1
#[test]
fn in_rings_most_have_eight_observers_and_all_have_several() {
    for (members, fewest, share) in [(33, 4, 0), (64, 4, 55), (100, 5, 60), (1000, 6, 95)] {
        let graph = sample(members);
        let counts: Vec<usize> = (0..members).map(|it| observers(&graph, it).len()).collect();
        assert!(
            counts
                .iter()
                .all(|it| (fewest..=OBSERVERS_MAX).contains(it)),
            "{counts:?}"
        );
        let full = counts.iter().filter(|it| **it == OBSERVERS_MAX).count();
        assert!(full * 100 >= members * share, "{full} of {members}");
    }
}

// Clauses: CUT-1
#[test]
fn everybody_observes_who_observes_it_and_nobody_itself() {
    for members in (1..=200).chain([1000]) {
        let graph = sample(members);
        for place in 0..members {
            for other in observers(&graph, place) {
                assert_ne!(other, place);
                assert!(
                    observers(&graph, other).contains(&place),
                    "{place} of {members}"
                );
            }
        }
    }
}

// Clauses: CUT-1
#[test]
fn nine_members_are_the_last_that_all_observe_each_other() {
    for (members, full) in [(2, true), (5, true), (9, true), (10, false)] {
        let all = pairs(&sample(members)).len();
        assert_eq!(all == members * (members - 1), full, "{members}");
    }
}

#[test]
fn looking_for_one_finds_what_looking_for_all_does() {
    for members in [2, 32, 33, 34, 100, 511, MEMBERS_MAX] {
        let (one, all) = (sample(members), sample(members));
        all.prepare();
        for place in (0..members).step_by(members / 33 + 1) {
            let id = id(&one, place);
            let found: Vec<usize> = one.observers(id).collect();
            assert_eq!(
                found,
                all.observers(id).collect::<Vec<_>>(),
                "{place} of {members}"
            );
        }
    }
}

#[test]
fn who_is_no_member_is_observed_by_nobody() {
    for members in [5, 50] {
        let graph = sample(members);
        assert_eq!(graph.observers(sample_id(members)).count(), 0);
        graph.prepare();
        assert_eq!(graph.observers(sample_id(members)).count(), 0);
    }
}

// Small numbers, such as a caller might choose for ids, make rings that differ too.
#[test]
fn rings_differ_whichever_bits_of_the_ids_do() {
    for shift in [0, 32, 64, 96, 121] {
        let ids = (0..100).map(|it| NodeId::from_u128((it + 1) << shift));
        let graph = ObserverGraph::new(ids);
        let all: usize = graph
            .ids()
            .iter()
            .map(|id| graph.observers(*id).count())
            .sum();
        assert!(all >= 700, "{all} with {shift}");
    }
}

proptest! {
    // Clauses: CUT-1
    #[test]
    fn a_ring_gives_a_new_neighbour_to_the_neighbours_of_who_goes_alone(
        (members, gone) in (40..=200usize).prop_flat_map(|n| {
            (Just(n), proptest::collection::btree_set(0..n, 1..=n - 33))
        }),
    ) {
        let (before, after) = (sample(members), without(members, &gone));
        let (old, new) = (pairs(&before), pairs(&after));
        let gone: BTreeSet<NodeId> = gone.iter().map(|place| sample_id(*place)).collect();
        let stay = |pair: &&(NodeId, NodeId)| !gone.contains(&pair.0) && !gone.contains(&pair.1);
        // Those that stay stay observers of each other, and for each that goes there is one new
        // pair in each ring at most.
        prop_assert!(old.iter().filter(stay).all(|pair| new.contains(pair)));
        let came = new.difference(&old).count();
        prop_assert!(came <= 2 * RINGS * gone.len(), "{} new for {}", came, gone.len());
    }
}
