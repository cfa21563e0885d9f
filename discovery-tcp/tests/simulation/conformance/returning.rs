//! Members that are suspended, cut off or shut down in numbers, and come back, as the predecessor's
//! tests pin it down of clients.

use discovery_core::{Standing, TopologyVersion};
use discovery_tcp::message::Message;
use discovery_tcp::ring::{Notice, Ring};

use super::together;
use crate::stage::{
    MS, SECOND, failed_since, lose, members, pod, sound, told_since, wait, wait_for,
};

// Clauses: CUT-3, CUT-6, STAND-1
#[test]
fn a_suspended_member_goes_where_others_are_a_majority_and_is_back_once_it_goes_on() {
    for others in [1, 2, 3] {
        let mut cluster = members(None, others + 1);
        let since = cluster.now();
        let suspended = pod(others);
        let id = cluster.node_of(&suspended);
        cluster.pause(&suspended);
        cluster.run_for(10 * SECOND);
        sound(&cluster);

        let failed = failed_since(&cluster, "p-0", since);
        let can_remove = others > 1;
        let expected = if can_remove {
            vec![suspended.clone()]
        } else {
            vec![]
        };
        assert_eq!(failed, expected, "beside {others}");
        let has_quorum = cluster.ring_of("p-0").map(|ring| ring.status().quorum);
        assert_eq!(has_quorum, Some(can_remove), "beside {others}");

        cluster.resume(&suspended);
        together(&mut cluster);
        assert_eq!(cluster.node_of(&suspended) == id, !can_remove);
        let failed = failed_since(&cluster, "p-0", since);
        assert_eq!(failed, expected, "it accused nobody, beside {others}");
    }
}

// Clauses: TAKE-3, JOIN-3
#[test]
fn a_member_stays_while_all_others_restart_one_after_the_other() {
    let mut cluster = members(None, 4);
    cluster.restart_containers(true, (200 * MS, 200 * MS));
    let since = cluster.now();
    let id = cluster.node_of("p-3");
    let founded = cluster
        .topology_of("p-3")
        .map(|it| (it.cluster_id(), it.epoch()));
    for restarted in ["p-0", "p-1", "p-2"] {
        let before = cluster.node_of(restarted);
        cluster.crash(restarted);
        wait(&mut cluster, "it is another run", |it| {
            it.node_of(restarted).is_some_and(|id| Some(id) != before)
        });
        together(&mut cluster);
    }

    assert_eq!(cluster.node_of("p-3"), id);
    let stays = cluster
        .topology_of("p-3")
        .map(|it| (it.cluster_id(), it.epoch()));
    assert_eq!(stays, founded);
    assert!(
        cluster.ring_of("p-3").and_then(Ring::coordinates).is_some(),
        "the eldest now"
    );
    assert_eq!(failed_since(&cluster, "p-3", since), ["p-0", "p-1", "p-2"]);
}

// Clauses: CUT-3, LEAVE-3
#[test]
fn many_that_stop_at_once_take_nobody_along() {
    // Without a word less than half may go at once; those that say so may be most of them.
    for (stopping, leave) in [(4, false), (7, true)] {
        let mut cluster = members(None, 10);
        let since = cluster.now();
        let stopped: Vec<String> = (10 - stopping..10).map(pod).collect();
        for pod in &stopped {
            cluster.unwant(pod);
            if leave {
                cluster.leave(pod);
            } else {
                cluster.crash(pod);
            }
        }
        let stay: Vec<String> = (0..10 - stopping).map(pod).collect();
        let stay: Vec<&str> = stay.iter().map(String::as_str).collect();
        wait_for(&mut cluster, &stay);
        cluster.run_for(5 * SECOND);
        sound(&cluster);

        assert!(cluster.are_one_cluster(&stay), "{:?}", cluster.standings());
        let mut failed = failed_since(&cluster, "p-0", since);
        failed.sort();
        assert_eq!(failed, if leave { vec![] } else { stopped });
    }
}

// Clauses: STAND-1, STAND-2, JOIN-9
#[test]
fn a_member_that_is_removed_and_joins_again_is_told_of_each_step_in_order() {
    let mut cluster = members(None, 4);
    let since = cluster.now();
    cluster.isolate("p-3");
    wait_for(&mut cluster, &["p-0", "p-1", "p-2"]);
    // What happens while it is away must not be told to it as news later.
    cluster.start("q");
    wait_for(&mut cluster, &["p-0", "p-1", "p-2", "q"]);
    cluster.run_for(5 * SECOND);
    cluster.open_all_ways();
    wait_for(&mut cluster, &["p-0", "p-1", "p-2", "q", "p-3"]);

    let told = told_since(&cluster, "p-3", since);
    let steps: Vec<&str> = told.iter().filter_map(step).collect();
    let at = |step: &str| steps.iter().position(|it| *it == step);
    let expected = [
        "without_quorum",
        "removed",
        "identity",
        "snapshot",
        "member",
    ];
    let places: Vec<Option<usize>> = expected.iter().map(|step| at(step)).collect();
    assert!(places.iter().all(Option::is_some), "{steps:?}");
    assert!(places.is_sorted(), "{steps:?}");
    let versions: Vec<TopologyVersion> = told.iter().filter_map(version).collect();
    assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
}

fn step(notice: &Notice) -> Option<&'static str> {
    match notice {
        Notice::Standing(standing) => Some(match standing {
            Standing::WithoutQuorum { .. } => "without_quorum",
            Standing::Removed { .. } => "removed",
            Standing::Member { .. } => "member",
            _ => return None,
        }),
        Notice::Identity(_) => Some("identity"),
        Notice::Installed { .. } => Some("snapshot"),
        _ => None,
    }
}

fn version(notice: &Notice) -> Option<TopologyVersion> {
    match notice {
        Notice::Installed { topology, .. } => Some(topology.version()),
        Notice::Changed(event) => Some(event.topology.version()),
        _ => None,
    }
}

// Clauses: JOIN-1, LINK-5
#[test]
fn a_joiner_that_is_told_nothing_for_a_while_asks_again_and_joins() {
    let mut cluster = members(None, 3);
    lose(&mut cluster, |passing, message| {
        let told = matches!(message, Message::JoinAnswer(_) | Message::Snapshot(_));
        passing.to.label().starts_with("q.") && told
    });
    cluster.start("q");
    cluster.run_for(3 * SECOND);
    sound(&cluster);
    assert_eq!(cluster.standing_of("q"), "newcomer");

    cluster.intercept_nothing();
    wait_for(&mut cluster, &["p-0", "p-1", "p-2", "q"]);
}
