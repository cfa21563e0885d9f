//! Watching: who is accused, who is removed, how fast, and who is not (CUT, SPREAD).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use discovery_core::AccusationKind;
use discovery_tcp::message::Message;
use discovery_tcp::ring::{Bug, Notice, observers_of};
use discovery_tcp::sim::{Cluster, Fate};

use crate::stage::{
    MS, SECOND, failed_since, members, members_of, pod, sound, told_since, versions_since, wait,
    world,
};

// Clauses: CUT-7
#[test]
fn a_subject_back_within_the_second_redial_is_not_accused() {
    // W5: all links of a member break at once, and it answers the redial.
    let mut cluster = members(None, 5);
    let before = cluster.now();
    for other in ["p-0", "p-1", "p-2", "p-3"] {
        cluster.break_links("p-4", other, true);
    }
    cluster.run_for(10 * SECOND);

    sound(&cluster);
    assert_eq!(failed_since(&cluster, "p-0", before), Vec::<String>::new());
}

// Clauses: CUT-3
#[test]
fn a_member_that_most_observers_hear_is_not_removed() {
    // P8: one of four observers does not hear it, for as long as one likes.
    let mut cluster = members(None, 5);
    let before = cluster.now();
    cluster.partition(&[&["p-4"], &["p-3"]]);
    cluster.run_for(60 * SECOND);

    sound(&cluster);
    assert_eq!(failed_since(&cluster, "p-0", before), Vec::<String>::new());
}

/// D and E are dead, and one link between two of the living is flaky. W1.
pub(crate) fn a_flaky_link_beside_two_dead(bug: Option<Bug>) -> Cluster {
    let mut own = world(bug);
    own.config.doubt_wait_closed = Duration::ZERO;
    own.config.doubt_wait_silence = Duration::ZERO;
    let mut cluster = members_of(own, 5);
    cluster.partition(&[&["p-1"], &["p-2"]]);
    cluster.run_for(10 * SECOND);
    cluster.crash("p-3");
    cluster.crash("p-4");
    cluster.run_for(10 * SECOND);
    cluster
}

// Clauses: CUT-3
#[test]
fn a_flaky_link_and_two_dead_remove_the_dead_alone() {
    // W1.
    let mut cluster = a_flaky_link_beside_two_dead(None);
    sound(&cluster);
    wait(&mut cluster, "the dead are gone", |it| {
        it.members_at("p-0").len() == 3
    });
}

/// One member is held for longer than the limit; when it wakes, all others seem silent. Self-lag.
pub(crate) fn a_member_wakes_among_the_living(bug: Option<Bug>) -> Cluster {
    let mut cluster = members(bug, 3);
    // Both observers of p-2 are held at once, so that together they could remove it.
    for _ in 0..6 {
        cluster.pause_for("p-0", 2500 * MS);
        cluster.pause_for("p-1", 2500 * MS);
        cluster.run_for(8 * SECOND);
    }
    cluster
}

// Clauses: CUT-6, TIME-2
#[test]
fn who_was_held_itself_accuses_nobody() {
    // self-lag.
    let cluster = a_member_wakes_among_the_living(None);
    sound(&cluster);
    assert_eq!(cluster.members_at("p-0").len(), 3);
}

// Clauses: CUT-2, CUT-3, CUT-7
#[test]
fn a_silent_member_is_removed_within_three_limits() {
    // P8 ii.
    let mut cluster = members(None, 5);
    cluster.lose_machine("p-3");
    let limit = cluster.config().silence_limit;
    let is_gone = cluster.run_until(3 * limit, |it| it.members_at("p-0").len() == 4);
    sound(&cluster);
    assert!(is_gone, "{:?}", cluster.standings());
}

// Clauses: CUT-7
#[test]
fn a_deaf_member_is_removed_within_three_limits() {
    // C37, P8 ii: everybody hears it, and it hears nobody.
    let mut cluster = members(None, 5);
    for other in ["p-0", "p-1", "p-2", "p-4"] {
        cluster.cut(other, "p-3");
    }
    let limit = cluster.config().silence_limit;
    let is_gone = cluster.run_until(3 * limit, |it| it.members_at("p-0").len() == 4);
    sound(&cluster);
    assert!(is_gone, "{:?}", cluster.standings());
}

// Clauses: SPREAD-3, SPREAD-5
#[test]
fn members_below_a_stalled_node_are_served_directly() {
    // T2: an inner node of the tree is held; those below it hear in time.
    let mut own = world(None);
    own.config.fan_out = 2;
    own.config.settle = 50 * MS;
    let mut cluster = members_of(own, 15);
    cluster.pause_for("p-1", SECOND);
    let before = cluster.now();
    cluster.publish("p-0", b"to all");
    cluster.run_for(400 * MS);

    sound(&cluster);
    for number in (0..15).filter(|number| *number != 1) {
        let told = told_since(&cluster, &pod(number), before);
        let heard = told
            .iter()
            .any(|notice| matches!(notice, Notice::Message(_)));
        assert!(heard, "p-{number} heard nothing");
    }
}

// Clauses: CUT-7
#[test]
fn a_killed_member_is_known_within_tens_of_milliseconds() {
    // refused, once at once and once after the redial's pause.
    let mut cluster = members(None, 9);
    cluster.crash("p-8");
    let is_gone = cluster.run_until(60 * MS, |it| it.members_at("p-0").len() == 8);
    sound(&cluster);
    assert!(is_gone);
}

/// How often each living pod has dialled.
fn dials(cluster: &Cluster) -> BTreeMap<String, u64> {
    let rings = (0..60).map(pod).filter_map(|pod| {
        let dials = cluster.ring_of(&pod)?.counters().dials;
        Some((pod, dials))
    });
    rings.collect()
}

// Clauses: CUT-1, CUT-5, SPREAD-2
#[test]
fn a_removal_among_many_needs_few_new_links() {
    // Idle for long, so that the coordinator has links to its children and observers alone.
    let mut cluster = members(None, 60);
    cluster.run_for(30 * SECOND);
    let topology = cluster.agreed().expect("they are one cluster").clone();
    let newest = topology.members().last().expect("60").name().to_string();
    let before = dials(&cluster);
    cluster.unwant(&newest);
    cluster.crash(&newest);
    let is_gone = cluster.run_until(SECOND, |it| it.agreed().is_some_and(|it| it.len() == 59));
    assert!(is_gone, "{:?}", cluster.standings());
    cluster.run_for(SECOND);

    sound(&cluster);
    let after = dials(&cluster);
    let dialled = |pod: &String| after.get(pod).copied().unwrap_or_default() - before[pod];
    let coordinator = topology.eldest().name().to_string();
    // The dead one, which may lack its last tick, and nobody else.
    assert!(dialled(&coordinator) <= 1, "{}", dialled(&coordinator));
    // Its observers dialled it twice and told the coordinator; four pairs are new.
    let all: u64 = after.keys().map(dialled).sum();
    assert!(all <= 8 * 2 + 8 + 4, "{all}");
}

// Clauses: CUT-3, CUT-4, DECIDE-10
#[test]
fn many_that_die_at_once_go_in_few_versions() {
    // the cut is taken whole.
    let mut cluster = members(None, 20);
    let before = cluster.now();
    for number in 14..20 {
        cluster.crash(&pod(number));
    }
    wait(&mut cluster, "fourteen remain", |it| {
        it.members_at("p-0").len() == 14
    });

    let versions = versions_since(&cluster, "p-0", before);
    assert!(versions <= 3, "{versions} versions");
}

/// Kills p-7 and p-8, the news of p-8 coming late to all but one of its observers, and gives how
/// long it took until both were gone, and in how many versions.
fn one_known_late(detour: Duration) -> (Duration, usize) {
    let mut cluster = members(None, 9);
    for other in (0..7).filter(|other| *other != 1).map(pod) {
        cluster.detour(&other, "p-8", detour);
        cluster.detour("p-8", &other, detour);
    }
    let before = cluster.now();
    cluster.crash("p-7");
    cluster.crash("p-8");
    wait(&mut cluster, "seven remain", |it| {
        it.members_at("p-0").len() == 7
    });
    let took = cluster.now().since(before);
    let versions = versions_since(&cluster, "p-0", before);
    (took, versions)
}

// Clauses: CUT-4
#[test]
fn a_cut_waits_for_who_was_accused_first_a_moment_ago() {
    // When p-7 is condemned, one alone accuses p-8; the others follow ten milliseconds later.
    let (took, versions) = one_known_late(10 * MS);
    assert_eq!(versions, 1);
    assert!(took < 60 * MS, "{took:?}");

    // Nobody is waited for who is in doubt for longer than 25 ms without another word.
    let (_, versions) = one_known_late(60 * MS);
    assert_eq!(versions, 2);
}

// Clauses: CUT-7, CUT-9
#[test]
fn a_restarted_process_is_known_as_replaced() {
    // the address answers with another node id under the same pod uid.
    let mut cluster = members(None, 5);
    let before = cluster.now();
    cluster.crash("p-4");
    cluster.start_container("p-4");
    wait(&mut cluster, "one cluster again", |it| {
        it.agreed().is_some()
    });

    let told = told_since(&cluster, "p-0", before);
    let evidence = told.iter().find_map(|notice| match notice {
        Notice::Changed(event) => event.failed.first().map(|(_, why)| why.clone()),
        _ => None,
    });
    let Some(discovery_core::Evidence::Accused(accusations)) = &evidence else {
        panic!("p-4 was removed by other evidence: {evidence:?}");
    };
    let kinds = accusations.iter().map(|it| it.kind);
    assert_eq!(kinds.min(), Some(AccusationKind::Replaced), "{evidence:?}");
    // On the word of more than half of its four observers.
    assert!(accusations.len() > 2, "{evidence:?}");
}

// Clauses: CUT-8
#[test]
fn who_is_lost_with_all_its_observers_is_dialled_by_others() {
    let mut cluster = members(None, 20);
    let topology = cluster.agreed().expect("they are one cluster").clone();
    // Not the coordinator, and not observed by it.
    let eldest = topology.eldest().id();
    let (subject, observers) = topology
        .members()
        .iter()
        .map(|member| (member, observers_of(&topology, member.id())))
        .find(|(member, observers)| member.id() != eldest && !observers.contains(&eldest))
        .expect("the coordinator observes eight of nineteen");
    let name = |id| topology.member(id).expect("a member").name().to_string();
    let mut lost: Vec<String> = observers.into_iter().map(name).collect();
    lost.push(subject.name().to_string());
    assert_eq!(lost.len(), 9);
    let asked = Rc::new(RefCell::new(BTreeSet::new()));
    let (seen, of) = (Rc::clone(&asked), subject.id());
    cluster.intercept(move |passing| {
        if let Message::DialBack(ask) = passing.message
            && ask.node == of
        {
            seen.borrow_mut().insert(passing.to.label().to_owned());
        }
        Fate::Pass
    });
    for pod in &lost {
        cluster.unwant(pod);
        cluster.crash(pod);
    }
    let limit = cluster.config().silence_limit;
    let is_one = |it: &Cluster| it.agreed().is_some_and(|it| it.len() == 11);
    let goes_on = cluster.run_until(limit * 10, is_one);

    sound(&cluster);
    assert!(goes_on, "{:?}", cluster.standings());
    assert_eq!(asked.borrow().len(), 3, "{:?}", asked.borrow());
}
