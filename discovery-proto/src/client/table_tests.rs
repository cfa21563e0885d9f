//! The table of a client: what it takes, what it has heard before, and what it calls a gap.

use super::table::Table;
use super::update::{Gap, Unfit, Update};
use crate::discovery::v1;

fn id(cluster: u8, epoch: u64, version: u64) -> v1::TopologyRef {
    let cluster_id = format!("{cluster:032x}");
    v1::TopologyRef {
        cluster_id,
        epoch,
        version,
    }
}

fn member(order: u64) -> v1::Member {
    v1::Member {
        order,
        ..v1::Member::default()
    }
}

fn snapshot(id: impl Into<Option<v1::TopologyRef>>, orders: &[u64]) -> v1::Snapshot {
    let members = orders.iter().map(|order| member(*order)).collect();
    v1::Snapshot {
        topology: Some(v1::Topology {
            id: id.into(),
            members,
            ..v1::Topology::default()
        }),
        ..v1::Snapshot::default()
    }
}

/// The member of this order joins, and the topology of this version comes of it.
fn joins(version: u64, order: u64, member_count: u32) -> v1::TopologyChange {
    v1::TopologyChange {
        previous: Some(id(1, 1, version - 1)),
        id: Some(id(1, 1, version)),
        member_count,
        joined: vec![member(order)],
        ..v1::TopologyChange::default()
    }
}

fn orders(table: &Table) -> Vec<u64> {
    let topology = table.topology().unwrap();
    topology.members.iter().map(|it| it.order).collect()
}

/// A table that was told version 2 with members 1 and 2.
fn told() -> Table {
    let mut table = Table::default();
    let first = table.take_snapshot(snapshot(id(1, 1, 2), &[1, 2]));
    assert!(matches!(
        first,
        Ok(Some(Update::Snapshot { gap: None, .. }))
    ));
    table
}

#[test]
fn a_change_drops_who_went_and_appends_who_joined() {
    let mut table = told();
    let mut change = joins(3, 3, 2);
    change.left = vec![member(1)];
    assert!(matches!(
        table.take_change(change),
        Ok(Some(Update::Changed { .. }))
    ));
    assert_eq!(orders(&table), [2, 3]);
    assert_eq!(table.from(), Some(id(1, 1, 3)));
}

#[test]
fn what_a_node_behind_the_last_one_tells_is_not_told_twice() {
    let mut table = told();
    assert_eq!(table.take_change(joins(2, 2, 2)), Ok(None));
    assert_eq!(table.take_snapshot(snapshot(id(1, 1, 1), &[1])), Ok(None));
    assert_eq!(
        table.take_snapshot(snapshot(id(1, 1, 2), &[1, 2])),
        Ok(None)
    );
    assert_eq!(orders(&table), [1, 2]);
}

#[test]
fn a_change_that_does_not_follow_is_refused_and_the_whole_that_comes_then_is_a_gap() {
    let mut table = told();
    assert!(matches!(
        table.take_change(joins(5, 5, 3)),
        Err(Unfit::NotNext { .. })
    ));
    assert_eq!(orders(&table), [1, 2], "nothing was changed");
    table.doubt();
    assert_eq!(table.from(), None, "the whole is asked for");
    let whole = table.take_snapshot(snapshot(id(1, 1, 5), &[1, 2, 5]));
    let Ok(Some(Update::Snapshot { gap, .. })) = whole else {
        panic!("{whole:?}");
    };
    assert_eq!(gap, Some(Gap::Unfit));
    assert_eq!(table.from(), Some(id(1, 1, 5)));
}

#[test]
fn a_change_whose_count_is_wrong_is_refused() {
    let refused = told().take_change(joins(3, 3, 7));
    let (told, counted) = (7, 3);
    assert_eq!(refused, Err(Unfit::Count { told, counted }));
}

#[test]
fn a_later_snapshot_is_a_gap_that_says_why() {
    for (id, expected) in [
        (id(1, 1, 9), Gap::Behind),
        (id(1, 4, 9), Gap::NewEpoch),
        (id(2, 1, 1), Gap::OtherCluster),
    ] {
        let later = told().take_snapshot(snapshot(id, &[9]));
        let Ok(Some(Update::Snapshot { gap, .. })) = later else {
            panic!("{later:?}");
        };
        assert_eq!(gap, Some(expected));
    }
}

#[test]
fn what_has_no_name_is_refused() {
    let mut table = told();
    let field = "topology";
    let refused = table.take_snapshot(v1::Snapshot::default());
    assert_eq!(refused, Err(Unfit::Absent { field }));
    let nameless = Err(Unfit::Absent { field: "id" });
    assert_eq!(table.take_snapshot(snapshot(None, &[1])), nameless);
    assert_eq!(table.take_change(v1::TopologyChange::default()), nameless);
    assert_eq!(orders(&table), [1, 2]);
}
