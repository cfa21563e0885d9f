//! Joining: who is admitted, when, and how many at once (JOIN, SNAP).

use std::cell::Cell;
use std::rc::Rc;

use discovery_core::{Evidence, Topology};
use discovery_tcp::Recovery;
use discovery_tcp::message::Message;
use discovery_tcp::ring::{Bug, LastingCause, Notice, Ring, TurnedAwayCause};
use discovery_tcp::sim::{Cluster, Fate, World};

use crate::stage::{
    MS, SECOND, is_between, lose, members, members_of, pod, said_in, sound, told_since,
    versions_since, wait, wait_for, world,
};

/// Twenty join three confirmed members, and each dies as soon as it is a member, before it has
/// acknowledged anything. D9.
pub(crate) fn joiners_that_die_at_once(bug: Option<Bug>) -> Cluster {
    let mut cluster = members(bug, 3);
    let old = ["p-0.1", "p-1.1", "p-2.1"];
    lose(&mut cluster, move |passing, message| {
        !old.contains(&passing.from.label()) && matches!(message, Message::Accepted(_))
    });
    for number in 3..23 {
        cluster.start(&pod(number));
    }
    for _ in 0..2_000 {
        cluster.run_for(MS);
        for number in 3..23 {
            let name = pod(number);
            if cluster.topology_of(&name).is_some() {
                cluster.crash(&name);
            }
        }
    }
    cluster.run_for(20 * SECOND);
    cluster
}

// Clauses: JOIN-5, JOIN-7
#[test]
fn a_batch_of_joiners_cannot_outvote_the_confirmed() {
    // D9.
    let mut cluster = joiners_that_die_at_once(None);
    sound(&cluster);
    wait_for(&mut cluster, &["p-0", "p-1", "p-2"]);
}

// Clauses: JOIN-7
#[test]
fn admissions_double() {
    // 1, 2, 3, 5, 9, 17.
    let mut cluster = members(None, 1);
    let before = cluster.now();
    for number in 1..17 {
        cluster.start(&pod(number));
    }
    wait(&mut cluster, "all are in", |it| it.agreed().is_some());

    let told = told_since(&cluster, "p-0", before);
    let sizes = told.iter().filter_map(|notice| match notice {
        Notice::Changed(event) => Some(event.topology.len()),
        _ => None,
    });
    let sizes: Vec<usize> = sizes.collect();
    let limits = [2, 3, 5, 9, 17];
    assert!(sizes.len() >= limits.len());
    for pair in sizes.windows(2) {
        assert!(pair[1] <= 2 * pair[0], "{sizes:?}");
    }
}

// Clauses: JOIN-10
#[test]
fn a_joiner_learns_of_its_admission_from_anybody() {
    // D10: the coordinator's word to p-3 is lost, and then the coordinator.
    let mut cluster = members(None, 3);
    lose(&mut cluster, |passing, message| {
        is_between(passing, "p-0", "p-3")
            && matches!(
                message,
                Message::Propose(_) | Message::Decided(_) | Message::Heartbeat(_)
            )
    });
    cluster.start("p-3");
    wait(&mut cluster, "p-1 knows of p-3", |it| {
        it.members_at("p-1").len() == 4
    });
    assert_eq!(cluster.standing_of("p-3"), "newcomer");

    cluster.crash("p-0");

    wait_for(&mut cluster, &["p-1", "p-2", "p-3"]);
}

// Clauses: JOIN-4
#[test]
fn a_joiner_that_future_observers_cannot_dial_is_not_admitted() {
    // D11: the coordinator alone reaches it.
    let mut cluster = members(None, 5);
    cluster.start("p-5");
    for number in 1..5 {
        cluster.partition(&[&[pod(number).as_str()], &["p-5"]]);
    }
    cluster.run_for(20 * SECOND);
    sound(&cluster);
    assert_eq!(cluster.members_at("p-0").len(), 5);

    cluster.open_all_ways();

    wait(&mut cluster, "p-5 is in", |it| {
        it.members_at("p-0").len() == 6
    });
}

// Clauses: JOIN-3
#[test]
fn a_restarted_member_is_replaced_in_one_change() {
    // D12: its successor is there before anybody has removed it.
    let mut cluster = members(None, 5);
    let before = cluster.now();
    lose(&mut cluster, |_, message| {
        matches!(message, Message::Alert(_))
    });
    cluster.crash("p-4");
    cluster.start_container("p-4");

    wait(&mut cluster, "one cluster again", |it| {
        it.agreed().is_some()
    });

    assert_eq!(versions_since(&cluster, "p-0", before), 1);
}

// Clauses: JOIN-8, CUT-9
#[test]
fn a_member_that_never_confirms_is_removed() {
    // B4: p-3 and p-4 show life and acknowledge nothing after their snapshots. Three confirmed bear
    // two unconfirmed, so that q has to wait for them.
    let mut cluster = members(None, 3);
    lose(&mut cluster, |passing, message| {
        let from = passing.from.label();
        let is_mute = from.starts_with("p-3.") || from.starts_with("p-4.");
        is_mute && matches!(message, Message::Accepted(_))
    });
    cluster.start("p-3");
    cluster.start("p-4");
    wait(&mut cluster, "both are in", |it| {
        it.members_at("p-0").len() == 5
    });
    let (admitted, limit) = (cluster.now(), cluster.config().silence_limit * 3);
    cluster.start("q");
    wait(&mut cluster, "they are gone, and q is in", |it| {
        it.members_at("p-0") == ["p-0", "p-1", "p-2", "q"]
    });

    let took = cluster.now().since(admitted);
    assert!(took > limit && took < limit + SECOND, "{took:?}");
    let told = told_since(&cluster, "p-0", admitted);
    let failed = told.iter().filter_map(|notice| match notice {
        Notice::Changed(event) => Some(&event.failed),
        _ => None,
    });
    let failed: Vec<_> = failed.flatten().collect();
    assert_eq!(failed.len(), 2, "{failed:?}");
    for (member, evidence) in failed {
        let is_it = matches!(evidence, Evidence::NeverConfirmed { .. });
        assert!(is_it, "{}: {evidence}", member.name());
    }
}

/// p-3 is admitted without being told, removed again, and still asks under its node id. C9.
pub(crate) fn a_removed_id_asks_again(bug: Option<Bug>) -> Cluster {
    let mut cluster = members(bug, 3);
    lose(&mut cluster, |passing, message| {
        passing.to.label().starts_with("p-3.")
            && passing.now.as_nanos() < 40_000_000_000
            && matches!(
                message,
                Message::Propose(_)
                    | Message::Decided(_)
                    | Message::Heartbeat(_)
                    | Message::Goodbye(_)
            )
    });
    cluster.start("p-3");
    cluster.run_for(60 * SECOND);
    cluster
}

// Clauses: JOIN-6, ANSWER-5
#[test]
fn a_node_id_that_was_removed_is_never_admitted_again() {
    // C9.
    let mut cluster = a_removed_id_asks_again(None);
    sound(&cluster);
    wait_for(&mut cluster, &["p-0", "p-1", "p-2", "p-3"]);
}

// Clauses: PUB-4, SNAP-1, SNAP-2
#[test]
fn a_joiner_skips_what_was_delivered_before_it() {
    // P6.
    let mut cluster = members(None, 3);
    for number in 0_u64..20 {
        cluster.publish("p-1", &number.to_be_bytes());
    }
    wait(&mut cluster, "all are answered", |it| {
        it.unanswered().is_empty()
    });
    cluster.run_for(SECOND);
    cluster.start("p-3");
    wait(&mut cluster, "p-3 is in", |it| it.agreed().is_some());
    let later = 99_u64;
    cluster.publish("p-1", &later.to_be_bytes());
    cluster.run_for(SECOND);

    sound(&cluster);
    let told = cluster.told_at("p-3");
    let payloads: Vec<Vec<u8>> = told
        .filter_map(|told| match &told.notice {
            Notice::Message(message) => Some(message.payload.to_vec()),
            _ => None,
        })
        .collect();
    assert_eq!(payloads, [later.to_be_bytes().to_vec()]);
}

/// Ten come to three whose coordinator is held, so that it hears of all of them at once.
pub(crate) fn ten_join_three(bug: Option<Bug>) -> Cluster {
    let mut cluster = members(bug, 3);
    cluster.pause_for("p-0", 500 * MS);
    for number in 3..13 {
        cluster.start(&pod(number));
    }
    cluster.run_until_agreed(20 * SECOND);
    cluster
}

// Clauses: JOIN-7
#[test]
fn ten_that_come_at_once_are_admitted_in_several_changes() {
    let cluster = ten_join_three(None);
    sound(&cluster);
    assert_eq!(cluster.members_at("p-0").len(), 13);
}

// Clauses: JOIN-11, MEET-2, ANSWER-5
#[test]
fn who_was_removed_rests_and_joins_again_under_another_id() {
    let mut cluster = members(None, 5);
    let before = cluster.node_of("p-4");
    cluster.isolate("p-4");
    wait(&mut cluster, "four go on", |it| {
        it.are_one_cluster(&["p-0", "p-1", "p-2", "p-3"])
    });
    cluster.open_all_ways();
    wait(&mut cluster, "it knows", |it| it.node_of("p-4") != before);
    let knew = cluster.now();
    wait(&mut cluster, "five again", |it| it.agreed().is_some());

    // A quarter less or more, so that not all come back at once.
    let rested = cluster.now().since(knew);
    assert!(
        rested >= cluster.config().rejoin_pause.0 / 4 * 3,
        "{rested:?}"
    );
}

/// The members by the topology of `p-0`.
fn names(cluster: &Cluster) -> Vec<String> {
    let topology = cluster.topology_of("p-0");
    let members = topology.iter().flat_map(|it| it.members());
    members.map(|member| member.name().to_string()).collect()
}

fn is_full_at(cluster: &Cluster, pod: &str) -> bool {
    let refused = cluster.ring_of(pod).and_then(|ring| ring.status().refused);
    refused.is_some_and(|refused| refused.cause == LastingCause::Full)
}

/// Whom the members turned away lately for want of room.
fn turned_away_as_full(cluster: &Cluster) -> Vec<String> {
    let rings = (0..3).filter_map(|number| cluster.ring_of(&pod(number)));
    let turned = rings.flat_map(|ring| ring.status().turned_away);
    let full = TurnedAwayCause::Lasting(LastingCause::Full);
    let full = turned.filter(|it| it.cause == full);
    full.map(|it| it.node.name().to_string()).collect()
}

/// Starts `pods` pods one after the other where there is room for three; tells who stays outside.
fn crowd(world: World, pods: usize) -> (Cluster, Vec<String>) {
    let mut cluster = Cluster::new(world);
    cluster.restart_containers(false, (MS, MS));
    let pods: Vec<String> = (0..pods).map(pod).collect();
    for pod in &pods {
        cluster.start(pod);
        cluster.run_for(500 * MS);
    }
    let outside = pods.into_iter().skip(3).collect();
    (cluster, outside)
}

// Clauses: LINK-6
#[test]
fn beyond_the_most_members_a_joiner_is_told_so_and_comes_once_there_is_room() {
    let mut world = world(None);
    world.config.members_max = 3;
    let (mut cluster, outside) = crowd(world, 5);
    assert!(outside.iter().all(|pod| is_full_at(&cluster, pod)));
    let turned = turned_away_as_full(&cluster);
    assert!(outside.iter().all(|pod| turned.contains(pod)), "{turned:?}");
    assert_eq!(names(&cluster), ["p-0", "p-1", "p-2"]);

    cluster.crash("p-1");
    cluster.run_for(20 * SECOND);
    sound(&cluster);
    assert_eq!(names(&cluster).len(), 3, "{:?}", cluster.standings());
    let waiting = outside.iter().filter(|pod| is_full_at(&cluster, pod));
    assert_eq!(waiting.count(), 1, "{:?}", cluster.standings());
}

// Clauses: LINK-6
#[test]
fn more_members_than_a_snapshot_holds_are_told_so() {
    let mut world = world(None);
    // Three members of one address and no attribute, and not four.
    world.config.frame_bytes_max = 900;
    let (cluster, outside) = crowd(world, 5);
    sound(&cluster);
    assert_eq!(names(&cluster), ["p-0", "p-1", "p-2"]);
    assert!(outside.iter().all(|pod| is_full_at(&cluster, pod)));
}

// Clauses: JOIN-1
#[test]
fn a_newcomer_that_is_sent_to_a_dead_coordinator_does_not_ask_without_a_pause() {
    // C51: for as long as p-0 does not know that the others died, it sends them to one of them.
    let mut own = world(None);
    own.config.recovery = Recovery::Manual;
    let mut cluster = members_of(own, 3);
    lose(&mut cluster, |passing, message| {
        passing.from.label() == "p-0.1" && matches!(message, Message::Propose(_))
    });
    cluster.run_until(20 * SECOND, |it| {
        it.ring_of("p-1").and_then(Ring::coordinates).is_some()
    });
    let asks = Rc::new(Cell::new(0));
    let seen = Rc::clone(&asks);
    cluster.intercept(move |passing| {
        if matches!(passing.message, Message::Join(_)) {
            seen.set(seen.get() + 1);
        }
        Fate::Pass
    });
    cluster.run_for(3 * SECOND);
    for pod in ["p-1", "p-2"] {
        cluster.hold(pod, "p-0");
        cluster.crash(pod);
        cluster.start_container(pod);
    }
    cluster.run_for(500 * MS);
    sound(&cluster);
    let asks = asks.get();
    assert!((1..=20).contains(&asks), "{asks}");
}

// Clauses: JOIN-1
#[test]
fn a_newcomer_that_was_kept_waiting_for_long_follows_a_change_of_coordinators() {
    // p-0 cannot dial x for minutes, and says so; then p-1 coordinates, and p-0 names it.
    let mut own = world(None);
    own.config.silence_limit = 4 * SECOND;
    let mut cluster = members_of(own, 3);
    cluster.start_advertising("x", ([10, 9, 9, 9], 47_500).into());
    cluster.run_for(240 * SECOND);
    let asked = Rc::new(Cell::new(false));
    let seen = Rc::clone(&asked);
    lose(&mut cluster, move |passing, message| {
        let is_join = matches!(message, Message::Join(_));
        seen.set(seen.get() || is_join && is_between(passing, "x", "p-1"));
        passing.from.label() == "p-0.1" && matches!(message, Message::Propose(_))
    });
    let leads = |it: &Cluster| it.ring_of("p-1").and_then(Ring::coordinates).is_some();
    wait(&mut cluster, "p-1 coordinates", leads);
    lose(&mut cluster, {
        let seen = Rc::clone(&asked);
        move |passing, message| {
            let is_join = matches!(message, Message::Join(_));
            seen.set(seen.get() || is_join && is_between(passing, "x", "p-1"));
            false
        }
    });
    cluster.run_for(120 * SECOND);
    sound(&cluster);
    assert!(asked.get(), "{}", cluster.standings().join("\n"));
}

/// Positions of the messages that a pod delivered in topologies of at least this version.
fn delivered_since(cluster: &Cluster, pod: &str, version: u64) -> Vec<u64> {
    let told = cluster.told_at(pod);
    told.filter_map(|told| match &told.notice {
        Notice::Message(it) if it.topology.version.get() >= version => Some(it.position),
        _ => None,
    })
    .collect()
}

/// p-3 is admitted, and hears of it only with what was decided behind that. C60.
pub(crate) fn a_new_member_hears_late_of_its_admission(bug: Option<Bug>) -> Cluster {
    let mut cluster = members(bug, 3);
    let before = cluster.topology_of("p-0").map(Topology::id);
    lose(&mut cluster, move |passing, message| {
        passing.to.label().starts_with("p-3.") && said_in(message) > before
    });
    cluster.start("p-3");
    wait(&mut cluster, "p-3 is admitted", |it| {
        it.members_at("p-1").len() == 4
    });
    for number in 0_u64..10 {
        cluster.publish("p-1", &number.to_be_bytes());
        cluster.run_for(10 * MS);
    }
    cluster.break_links("p-0", "p-3", true);
    cluster.intercept_nothing();
    cluster.run_for(5 * SECOND);
    cluster
}

// Clauses: JOIN-5, JOIN-10, PUB-4
#[test]
fn a_new_member_delivers_everything_behind_its_admission() {
    let cluster = a_new_member_hears_late_of_its_admission(None);
    sound(&cluster);
    let version = cluster.agreed().map(|it| it.version().get());
    let version = version.unwrap_or_default();
    let everywhere = delivered_since(&cluster, "p-1", version);
    assert!(!everywhere.is_empty());
    assert_eq!(delivered_since(&cluster, "p-3", version), everywhere);
}

// Clauses: JOIN-1
#[test]
fn a_newcomer_asks_another_where_it_is_put_off_for_long() {
    // C69: p-0 is cut off from the others, before or after it has missed its quorum, and the first
    // that x meets.
    for cut_off_for in [0, 10] {
        let mut cluster = members(None, 3);
        cluster.partition(&[&["p-0"], &["p-1", "p-2"]]);
        cluster.run_for(cut_off_for * SECOND);
        cluster.start("x");
        let limits = cluster.config().silence_limit * 10;
        cluster.run_for(limits);

        sound(&cluster);
        let members = cluster.members_at("x");
        assert_eq!(members, ["p-1", "p-2", "x"], "{:?}", cluster.standings());
    }
}
