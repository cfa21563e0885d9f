//! Publications that were under way when something ended: what their publisher is told, and how it
//! goes on (PUB-2, PUB-6).

use std::cell::RefCell;
use std::rc::Rc;

use discovery_core::{PublishError, Published, Standing};
use discovery_tcp::message::{Decision, Message};
use discovery_tcp::ring::Notice;
use discovery_tcp::sim::{Cluster, Fate};

use crate::stage::{
    MS, SECOND, lose, members, members_of, sound, told_since, wait, wait_for, world,
};

/// A publication by its number, and what became of it.
type Answer = (u64, Result<Published, PublishError>);

/// What the publisher in a pod was told of its publications, in the order of telling.
fn answers(cluster: &Cluster, pod: &str) -> Vec<Answer> {
    let told = told_since(cluster, pod, discovery_tcp::Moment::START);
    let answers = told.into_iter().filter_map(|notice| match notice {
        Notice::Published { request, result } => Some((request, result)),
        _ => None,
    });
    answers.collect()
}

/// Whether it was told these outcomes, and no other: sent and of unknown outcome, or never sent.
fn is_told(answers: &[Answer], unknown: &[u64], unsent: &[u64]) -> bool {
    let of = |is_it: fn(&PublishError) -> bool| -> Vec<u64> {
        let them = answers.iter().filter_map(|(request, result)| {
            let error = result.as_ref().err()?;
            is_it(error).then_some(*request)
        });
        them.collect()
    };
    let told_unknown = of(|error| matches!(error, PublishError::OutcomeUnknown { .. }));
    let told_unsent = of(|error| *error == PublishError::NoQuorum);
    answers.len() == unknown.len() + unsent.len()
        && told_unknown == unknown
        && told_unsent == unsent
}

/// Three members; p-1 has sent one message that nobody got, and then one that it had no link
/// for, to the coordinator or to another member.
fn one_is_sent_and_one_is_not() -> (Cluster, u64, u64) {
    let mut cluster = members(None, 3);
    lose(&mut cluster, |_, message| {
        matches!(message, Message::Publish(_))
    });
    let sent = cluster.publish("p-1", b"nobody gets it").expect("it runs");
    cluster.run_for(10 * MS);
    cluster.partition(&[&["p-0", "p-2"], &["p-1"]]);
    for other in ["p-0", "p-2"] {
        cluster.break_links("p-1", other, true);
    }
    cluster.run_for(10 * MS);
    let unsent = cluster.publish("p-1", b"never sent").expect("it runs");
    cluster.run_for(10 * MS);
    assert_eq!(answers(&cluster, "p-1"), []);
    (cluster, sent, unsent)
}

// Clauses: PUB-6
#[test]
fn at_the_loss_of_the_quorum_what_was_sent_is_of_unknown_outcome_and_the_rest_was_not_taken() {
    let (mut cluster, sent, unsent) = one_is_sent_and_one_is_not();
    cluster.partition(&[&["p-0"], &["p-1"], &["p-2"]]);
    wait(&mut cluster, "its quorum is lost", |it| {
        it.standing_of("p-1").starts_with("without quorum")
    });

    let told = answers(&cluster, "p-1");
    assert!(is_told(&told, &[sent], &[unsent]), "{told:?}");
}

// Clauses: PUB-6
#[test]
fn what_a_removed_member_has_sent_is_of_unknown_outcome() {
    // An operator removes it, so that it never lacks a quorum before.
    let (mut cluster, sent, unsent) = one_is_sent_and_one_is_not();
    let id = cluster.node_of("p-1").expect("it runs");
    cluster.remove("p-0", id);
    wait_for(&mut cluster, &["p-0", "p-2"]);
    // It hears of that from p-2.
    cluster.open_all_ways();
    cluster.partition(&[&["p-0"], &["p-1"]]);
    wait(&mut cluster, "it knows", |it| it.node_of("p-1") != Some(id));

    let told = answers(&cluster, "p-1");
    assert!(!lacked_quorum(&cluster, "p-1"));
    assert!(is_told(&told, &[sent], &[unsent]), "{told:?}");
}

// Clauses: PUB-6
#[test]
fn what_was_sent_before_a_leave_is_of_unknown_outcome() {
    // It can reach nobody, and goes all the same.
    let (mut cluster, sent, unsent) = one_is_sent_and_one_is_not();
    let process = cluster.process_of("p-1");
    cluster.leave("p-1");
    wait(&mut cluster, "it has gone", |it| {
        it.process_of("p-1") != process
    });

    let told = cluster
        .told()
        .iter()
        .filter(|told| Some(told.process) == process);
    let told = told.filter_map(|told| match &told.notice {
        Notice::Published { request, result } => Some((*request, result.clone())),
        _ => None,
    });
    let told: Vec<Answer> = told.collect();
    assert!(is_told(&told, &[sent], &[unsent]), "{told:?}");
}

/// Whether the application in a pod was told that it has no quorum.
fn lacked_quorum(cluster: &Cluster, pod: &str) -> bool {
    let is_lost = |standing: &Standing| matches!(standing, Standing::WithoutQuorum { .. });
    let mut told = cluster.told_at(pod);
    told.any(|told| matches!(&told.notice, Notice::Standing(it) if is_lost(it)))
}

// Clauses: PUB-6
#[test]
fn what_was_sent_is_of_unknown_outcome_when_an_epoch_opens_before_the_quorum_is_missed() {
    // p-0 and p-3 are gone for good. p-1 misses its quorum first and recovers at once, and p-2
    // promises before it has judged its own.
    let mut own = world(None);
    own.config.recovery_after = 10 * MS;
    let mut cluster = members_of(own, 4);
    lose(&mut cluster, |_, message| {
        matches!(message, Message::Publish(_))
    });
    let sent = cluster.publish("p-2", b"nobody gets it").expect("it runs");
    cluster.run_for(10 * MS);
    for gone in ["p-0", "p-3"] {
        cluster.unwant(gone);
        cluster.force_delete(gone);
    }
    wait(&mut cluster, "an epoch is opened", |it| {
        let mut told = it.told_at("p-2");
        told.any(|told| matches!(&told.notice, Notice::Changed(event) if event.epoch_changed))
    });

    sound(&cluster);
    assert!(!lacked_quorum(&cluster, "p-2"), "{:?}", cluster.standings());
    let told = answers(&cluster, "p-2");
    assert!(is_told(&told, &[sent], &[]), "{told:?}");
}

// Clauses: PUB-2, PUB-3
#[test]
fn after_an_unknown_outcome_the_next_message_is_decided() {
    // The coordinator never gets the first sequence, and takes the second as the first pending.
    let mut cluster = members(None, 3);
    lose(&mut cluster, |_, message| {
        matches!(message, Message::Publish(_))
    });
    let lost = cluster.publish("p-1", b"nobody gets it").expect("it runs");
    let topology = cluster.topology_of("p-1").map(discovery_core::Topology::id);
    // It hears nobody, and is heard for long enough to be accused by nobody.
    for other in ["p-0", "p-2"] {
        cluster.cut(other, "p-1");
    }
    wait(&mut cluster, "its quorum is lost", |it| {
        it.standing_of("p-1").starts_with("without quorum")
    });
    assert!(is_told(&answers(&cluster, "p-1"), &[lost], &[]));
    cluster.intercept_nothing();
    cluster.open_all_ways();
    wait_for(&mut cluster, &["p-0", "p-1", "p-2"]);
    let again = cluster.publish("p-1", b"again").expect("it runs");
    cluster.run_for(5 * SECOND);

    sound(&cluster);
    let now = cluster.topology_of("p-1").map(discovery_core::Topology::id);
    assert_eq!(now, topology, "to the coordinator it is the same publisher");
    let told = answers(&cluster, "p-1");
    assert!(is_told(&told[..1], &[lost], &[]), "{told:?}");
    assert!(
        matches!(told[1..], [(request, Ok(_))] if request == again),
        "{told:?}"
    );
}

// Clauses: PUB-1
#[test]
fn a_publication_goes_by_another_member_where_the_coordinator_cannot_be_reached() {
    // C72: one link is down, and accuses nobody enough.
    let mut cluster = members(None, 3);
    let topology = cluster.topology_of("p-1").map(discovery_core::Topology::id);
    cluster.partition(&[&["p-0"], &["p-1"]]);
    cluster.break_links("p-0", "p-1", true);
    for number in 0_u8..9 {
        assert!(cluster.publish("p-1", &[number]).is_some());
        cluster.run_for(100 * MS);
    }
    cluster.run_for(5 * SECOND);

    sound(&cluster);
    let now = cluster.topology_of("p-1").map(discovery_core::Topology::id);
    assert_eq!(now, topology, "nobody is removed");
    let told = answers(&cluster, "p-1");
    let all = told.len() == 9 && told.iter().all(|(_, result)| result.is_ok());
    assert!(all, "{told:?}");
}

// Clauses: PUB-1
#[test]
fn who_is_to_pass_on_opens_a_link_to_the_coordinator() {
    // C72: of 48, none of whom p-35 is linked to observes p-0 or is observed by it.
    let mut cluster = members(None, 48);
    cluster.run_for(60 * SECOND);
    cluster.partition(&[&["p-0"], &["p-35"]]);
    for other in 1..48 {
        cluster.break_links("p-0", &format!("p-{other}"), true);
    }
    cluster.run_for(SECOND);
    cluster.publish("p-35", b"any").expect("it runs");
    cluster.run_for(3 * SECOND);

    sound(&cluster);
    assert!(matches!(answers(&cluster, "p-35")[..], [(_, Ok(_))]));
}

// Clauses: PUB-1
#[test]
fn a_publication_is_passed_on_in_the_topology_of_its_publisher_alone() {
    // C72: it takes half a second to the others, and p-4 is lost meanwhile.
    let mut cluster = members(None, 5);
    let first = cluster.topology_of("p-1").map(discovery_core::Topology::id);
    cluster.partition(&[&["p-0"], &["p-1"]]);
    cluster.break_links("p-0", "p-1", true);
    cluster.run_for(SECOND);
    let passed_on = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&passed_on);
    cluster.intercept(move |passing| match passing.message {
        Message::Publish(publish) if passing.to.label().starts_with("p-0.") => {
            seen.borrow_mut().push(publish.topology);
            Fate::Pass
        }
        Message::Publish(_) => Fate::Late(500 * MS),
        _ => Fate::Pass,
    });
    cluster.publish("p-1", b"any").expect("it runs");
    cluster.crash("p-4");
    cluster.run_for(5 * SECOND);

    sound(&cluster);
    let now = cluster.topology_of("p-1").map(discovery_core::Topology::id);
    assert_ne!(now, first);
    let passed_on = passed_on.borrow();
    assert!(!passed_on.is_empty());
    assert!(passed_on.iter().all(|it| Some(*it) == now), "{passed_on:?}");
    assert_eq!(answers(&cluster, "p-1").len(), 1);
}

// Clauses: PUB-1
#[test]
fn what_cannot_be_passed_on_is_not_sent_again_with_every_publication() {
    // Two of four beside each other; neither reaches the coordinator, and no majority is left.
    let mut cluster = members(None, 4);
    cluster.partition(&[&["p-0", "p-3"], &["p-1", "p-2"]]);
    for here in ["p-1", "p-2"] {
        for there in ["p-0", "p-3"] {
            cluster.break_links(here, there, true);
        }
    }
    cluster.run_for(50 * MS);
    let sent = Rc::new(RefCell::new((0, 0)));
    let seen = Rc::clone(&sent);
    cluster.intercept(move |passing| {
        if let Message::Publish(publish) = &passing.message {
            let mut seen = seen.borrow_mut();
            seen.0 += 1;
            seen.1 += publish.messages.len();
        }
        Fate::Pass
    });
    for _ in 0..500 {
        assert!(cluster.publish("p-1", b"any").is_some());
        cluster.run_for(2 * MS);
    }
    let (requests, messages) = *sent.borrow();
    assert!(messages < 5_000, "{requests} requests, {messages} messages");
}

/// The most messages that were under way from p-1 to the coordinator at a time, of 600 that it
/// published at once and 100 ms of way each; all are decided in order.
fn most_under_way(bytes: usize) -> u64 {
    let mut cluster = members(None, 3);
    let since = cluster.now();
    let seen = Rc::new(RefCell::new(0));
    let most = Rc::clone(&seen);
    cluster.intercept(move |passing| {
        let Message::Publish(publish) = &passing.message else {
            return Fate::Pass;
        };
        if let Some(Decision::Message(last)) = publish.messages.last().map(|it| &**it) {
            let mut most = most.borrow_mut();
            *most = (last.sequence + 1 - publish.first_pending).max(*most);
        }
        Fate::Late(100 * MS)
    });
    let publish = |number: u64| {
        let mut payload = number.to_be_bytes().to_vec();
        payload.resize(bytes, 0);
        cluster.publish("p-1", &payload)
    };
    let requests: Vec<u64> = (0..600).filter_map(publish).collect();
    cluster.run_for(20 * SECOND);

    sound(&cluster);
    let told = answers(&cluster, "p-1");
    assert!(told.iter().all(|(_, result)| result.is_ok()), "{told:?}");
    let decided: Vec<u64> = told.iter().map(|(request, _)| *request).collect();
    assert_eq!(decided, requests);
    let told = told_since(&cluster, "p-2", since);
    let messages = told.iter().filter(|it| matches!(it, Notice::Message(_)));
    assert_eq!(messages.count(), 600);
    seen.take()
}

// Clauses: PUB-1
#[test]
fn no_more_publications_are_under_way_than_a_link_carries() {
    // C74: a queue of 1,024 messages, 64 MiB in all, went out at once, and the link broke.
    assert_eq!(most_under_way(8), 128);
    assert_eq!(most_under_way(60_000), 8);
}

// Clauses: PUB-3
#[test]
fn what_waits_at_the_coordinator_goes_with_its_publisher() {
    // C74: it comes while the removal of its publisher is undecided, and would follow that.
    let mut cluster = members(None, 4);
    let since = cluster.now();
    cluster.intercept(|passing| match passing.message {
        Message::Accepted(_) => Fate::Late(50 * MS),
        _ => Fate::Pass,
    });
    let id = cluster.node_of("p-3").expect("it runs");
    cluster.remove("p-0", id);
    cluster.run_for(10 * MS);
    cluster.publish("p-3", b"too late").expect("it runs");
    cluster.run_for(5 * SECOND);

    sound(&cluster);
    let told = told_since(&cluster, "p-1", since);
    let is_removal = |it: &Notice| matches!(it, Notice::Changed(event) if !event.failed.is_empty());
    assert!(told.iter().any(is_removal), "{told:?}");
    let message = |it: &Notice| matches!(it, Notice::Message(_));
    assert!(!told.iter().any(message), "{told:?}");
}
