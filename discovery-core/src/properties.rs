//! What holds of topologies whatever valid changes they went through.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::Index;

use crate::change::TopologyChange;
use crate::event::TopologyEvent;
use crate::evidence::Evidence;
use crate::identity::NodeId;
use crate::order::NodeOrder;
use crate::samples::{alone, id, named};
use crate::topology::{Member, Topology};
use crate::version::{Epoch, Term, TopologyVersion};

/// One step of a history, in terms of whatever topology it meets.
#[derive(Clone, Debug)]
struct Step {
    joiners: usize,
    leave: Option<Index>,
    fail: Option<Index>,
    /// The failed member's name comes back at once, as a new run.
    returns: bool,
    epochs: Option<u64>,
    terms: u64,
}

fn step() -> impl Strategy<Value = Step> {
    (
        0usize..4,
        proptest::option::of(any::<Index>()),
        proptest::option::of(any::<Index>()),
        any::<bool>(),
        proptest::option::weighted(0.2, 1u64..50),
        0u64..3,
    )
        .prop_map(|(joiners, leave, fail, returns, epochs, terms)| Step {
            joiners,
            leave,
            fail,
            returns,
            epochs,
            terms,
        })
}

fn history() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(step(), 1..40)
}

/// The change that a step means here, and the term that decides it; none if it means nothing.
fn change(topology: &Topology, step: &Step, fresh: &mut u128) -> Option<(TopologyChange, Term)> {
    let pick = |index: &Index| index.get(topology.members()).clone();
    let mut new_id = || {
        *fresh += 1;
        *fresh
    };
    let mut builder = TopologyChange::of(topology);
    for _ in 0..step.joiners {
        let number = new_id();
        // Names that do not sort as they come.
        builder = builder.join(named(number, &format!("{:x}", number.reverse_bits() >> 64)));
    }
    let leaving = step.leave.as_ref().map(pick);
    let failing = step
        .fail
        .as_ref()
        .map(pick)
        .filter(|member| Some(member) != leaving.as_ref());
    if let Some(member) = &leaving {
        builder = builder.leave(member.id());
    }
    if let Some(member) = &failing {
        builder = builder.fail(member.id(), Evidence::AbsentFromRecovery);
        if step.returns {
            builder = builder.join(named(new_id(), member.name().as_str()));
        }
    }
    if let Some(epochs) = step.epochs {
        builder = builder.in_epoch(Epoch(topology.epoch().0 + epochs));
    }
    let term = Term {
        counter: topology.term().counter + step.terms,
        order: topology.term().order,
    };
    builder.build().ok().map(|change| (change, term))
}

/// Every topology that the steps lead through, the founding's first.
fn walk(steps: &[Step]) -> Vec<Topology> {
    let mut fresh = 1;
    let mut all = vec![alone()];
    for step in steps {
        let last = &all[all.len() - 1];
        if let Some((change, term)) = change(last, step, &mut fresh) {
            let next = last.apply(&change, term).unwrap();
            all.push(next);
        }
    }
    all
}

fn orders(topology: &Topology) -> Vec<NodeOrder> {
    topology
        .members()
        .iter()
        .map(|member| member.order)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn versions_count_orders_grow_and_tokens_rise(steps in history()) {
        let all = walk(&steps);
        let mut owners: BTreeMap<NodeOrder, NodeId> = BTreeMap::new();
        for topology in &all {
            prop_assert!(orders(topology).is_sorted_by(|a, b| a < b));
            for member in topology.members() {
                let owner = *owners.entry(member.order).or_insert(member.id());
                prop_assert_eq!(owner, member.id(), "order {} was used again", member.order);
            }
        }
        for pair in all.windows(2) {
            let (before, after) = (&pair[0], &pair[1]);
            prop_assert_eq!(Some(after.version()), before.version().successor());
            prop_assert!(after.next_order() >= before.next_order());
            prop_assert!(after.fencing_token() > before.fencing_token());
            prop_assert!(after.id() > before.id());
            for member in after.members() {
                let old = before.ordered(member.order).is_some();
                prop_assert_eq!(old, member.order < before.next_order());
                prop_assert_eq!(old, member.joined_at < after.version());
            }
        }
    }

    #[test]
    fn the_hash_does_not_depend_on_the_way(steps in history(), counter in 9_999u64..) {
        let last = walk(&steps).pop().unwrap();
        let mut parts = last.parts().clone();
        parts.term.counter = counter;
        let elsewhere = Topology::from_parts(parts).unwrap();
        prop_assert_eq!(elsewhere.content_hash(), last.content_hash());
    }

    #[test]
    fn leaving_and_failing_lead_to_the_same_content(steps in history(), who in any::<Index>()) {
        let last = walk(&steps).pop().unwrap();
        prop_assume!(last.len() > 1);
        let gone = who.get(last.members()).id();
        let left = TopologyChange::of(&last).leave(gone).build().unwrap();
        let failed =
            TopologyChange::of(&last).fail(gone, Evidence::AbsentFromRecovery).build().unwrap();
        let later = last.term().above(NodeOrder::FIRST).unwrap();
        let (left, failed) =
            (last.apply(&left, last.term()).unwrap(), last.apply(&failed, later).unwrap());
        prop_assert_eq!(left.content_hash(), failed.content_hash());
        prop_assert_eq!(left.members(), failed.members());
    }

    #[test]
    fn different_topologies_have_different_hashes(steps in history()) {
        let all = walk(&steps);
        let hashes: BTreeSet<u64> = all.iter().map(Topology::content_hash).collect();
        prop_assert_eq!(hashes.len(), all.len());
    }

    #[test]
    fn a_diff_leads_from_any_topology_to_any_other(
        steps in history(),
        from in any::<Index>(),
        to in any::<Index>(),
    ) {
        let all = walk(&steps);
        let (from, to) = (from.get(&all), to.get(&all));
        let diff = from.diff(to);
        let mut members: Vec<_> =
            from.members().iter().filter(|member| !diff.departed.contains(member)).collect();
        members.extend(&diff.joined);
        members.sort_by_key(|member| member.order);
        prop_assert!(members.into_iter().eq(to.members()));
        prop_assert_eq!(from == to, diff.from == diff.to);
        prop_assert!(from != to || diff.is_same_membership());
    }

    #[test]
    fn an_event_tells_exactly_what_differs(steps in history(), last_step in step()) {
        let last = walk(&steps).pop().unwrap();
        let mut fresh = 1_000_000;
        let Some((change, term)) = change(&last, &last_step, &mut fresh) else {
            return Ok(());
        };
        let event = TopologyEvent::decided(&last, &change, term).unwrap();
        let diff = last.diff(&event.topology);
        prop_assert_eq!(event.joined, diff.joined);
        prop_assert_eq!(event.left.len() + event.failed.len(), diff.departed.len());
        prop_assert_eq!(event.epoch_changed, diff.epoch_changed);
    }

    #[test]
    fn a_spoilt_change_is_refused_and_changes_nothing(
        steps in history(),
        last_step in step(),
        spoil in 0u8..8,
    ) {
        let topology = walk(&steps).pop().unwrap();
        let mut fresh = 1_000_000;
        let Some((mut change, mut term)) = change(&topology, &last_step, &mut fresh) else {
            return Ok(());
        };
        prop_assert!(topology.apply(&change, term).is_ok());
        match spoil {
            0 => change.base.version = TopologyVersion::new(9_999).unwrap(),
            1 => change.leaves.push(id(999_999)),
            2 => change.failures.push((id(999_999), Evidence::AbsentFromRecovery)),
            3 => change.epoch = Some(topology.epoch()),
            4 => term.counter = 0,
            5 => change.joins.push((NodeOrder::FIRST, named(999_999, "last"))),
            6 => {
                let taken = named(topology.eldest().id().as_u128(), "first");
                change.joins.insert(0, (topology.next_order(), taken));
            }
            _ => {
                change.leaves = topology.members().iter().map(Member::id).collect();
                change.joins.clear();
            }
        }
        let before = topology.parts().clone();
        prop_assert!(topology.apply(&change, term).is_err());
        prop_assert_eq!(topology.parts(), &before);
    }
}
