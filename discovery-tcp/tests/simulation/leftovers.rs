//! What was said before a recovery, and what becomes of it (RECOVER-6, ANSWER, PUB-6).

use std::cell::Cell;
use std::rc::Rc;

use discovery_tcp::message::{Decision, Message};
use discovery_tcp::ring::{Bug, Notice};
use discovery_tcp::sim::{Cluster, Fate};

use crate::stage::{
    MS, SECOND, is_between, lose, members, members_of, sound, told_since, wait_for, world,
};

/// A change is accepted by C alone; the others decide another there and die; C recovers. C5.
pub(crate) fn a_leftover_survives_its_deciders(bug: Option<Bug>) -> Cluster {
    let mut cluster = members(bug, 5);
    // p-0's next change reaches p-2 alone.
    lose(&mut cluster, |passing, message| {
        let is_change = match message {
            Message::Propose(it) => it
                .entries
                .iter()
                .any(|entry| matches!(&**entry, Decision::Change(_))),
            _ => false,
        };
        is_change && passing.from.label().starts_with("p-0.") && !is_between(passing, "p-0", "p-2")
    });
    cluster.start("p-5");
    cluster.run_for(300 * MS);
    cluster.crash("p-0");
    cluster.isolate("p-2");
    cluster.intercept_nothing();
    cluster.run_for(15 * SECOND);
    for gone in ["p-0", "p-1", "p-3", "p-4", "p-5"] {
        cluster.unwant(gone);
        cluster.force_delete(gone);
    }
    cluster.open_all_ways();
    cluster.run_for(30 * SECOND);
    cluster
}

// Clauses: RECOVER-6
#[test]
fn a_recovery_decides_nothing_in_the_old_epoch() {
    // C5.
    let cluster = a_leftover_survives_its_deciders(None);
    sound(&cluster);
    assert!(
        cluster.are_one_cluster(&["p-2"]),
        "{:?}",
        cluster.standings()
    );
}

// Clauses: PUB-6
#[test]
fn what_was_sent_and_not_delivered_is_of_unknown_outcome_when_an_epoch_opens() {
    let mut cluster = members(None, 3);
    lose(&mut cluster, |_, message| {
        matches!(message, Message::Publish(_))
    });
    cluster.publish("p-1", b"nobody hears it");
    cluster.run_for(10 * MS);
    for gone in ["p-0", "p-2"] {
        cluster.unwant(gone);
        cluster.force_delete(gone);
    }
    wait_for(&mut cluster, &["p-1"]);

    let told = told_since(&cluster, "p-1", discovery_tcp::Moment::START);
    let answers = told.iter().filter_map(|notice| match notice {
        Notice::Published { result, .. } => Some(result),
        _ => None,
    });
    let answers: Vec<_> = answers.collect();
    let [Err(discovery_core::PublishError::OutcomeUnknown { .. })] = answers[..] else {
        panic!("{answers:?}");
    };
}

/// Two of four have accepted a message of p-0 when it and another are gone for good. RECOVER-6.
pub(crate) fn a_recovery_finds_a_message(bug: Option<Bug>) -> Cluster {
    let mut cluster = members(bug, 4);
    lose(&mut cluster, |_, message| {
        matches!(message, Message::Accepted(_))
    });
    cluster.publish("p-0", b"accepted and not decided");
    cluster.run_for(10 * MS);
    for gone in ["p-0", "p-3"] {
        cluster.unwant(gone);
        cluster.force_delete(gone);
    }
    cluster.intercept_nothing();
    cluster.run_for(30 * SECOND);
    cluster
}

// Clauses: RECOVER-6
#[test]
fn what_the_promisers_accepted_is_proposed_again_in_the_new_epoch() {
    let cluster = a_recovery_finds_a_message(None);
    sound(&cluster);
    for pod in ["p-1", "p-2"] {
        let told = told_since(&cluster, pod, discovery_tcp::Moment::START);
        let messages = told
            .iter()
            .filter(|notice| matches!(notice, Notice::Message(_)));
        assert_eq!(messages.count(), 1, "{pod}");
    }
}

/// How far the story of [`a_word_of_the_dead_reaches_a_promiser`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    /// p-0 hears nobody accept, so that its tick comes to a stop.
    Deaf,
    /// p-1 hears nothing of those that are going to die.
    Alone,
    /// p-0 decides, and tells p-2 alone.
    Said,
    /// p-2 has accepted the recovery, and does not hear that it is decided.
    Recovered,
}

/// p-0 tells p-2 what it decided, and its machine is lost; p-2 accepts a recovery, and then the
/// word arrives. A3.
pub(crate) fn a_word_of_the_dead_reaches_a_promiser(bug: Option<Bug>) -> Cluster {
    let mut own = world(bug);
    own.config.recovery_after = 100 * MS;
    let mut cluster = members_of(own, 5);
    let tick = Rc::new(Cell::new((0, cluster.now())));
    let word = Rc::new(Cell::new(Word::Deaf));
    let (newest, now) = (Rc::clone(&tick), Rc::clone(&word));
    cluster.intercept(move |passing| {
        let (from, to) = (passing.from.label(), passing.to.label());
        let is_old = ["p-0.", "p-3.", "p-4."]
            .iter()
            .any(|pod| from.starts_with(pod));
        let is_said = is_between(passing, "p-0", "p-2");
        if is_old && to.starts_with("p-1.") && now.get() >= Word::Alone {
            return Fate::Lose;
        }
        let is_lost = match passing.message {
            Message::Accepted(_) => to.starts_with("p-0.") && now.get() < Word::Said,
            Message::Decided(_) if is_said => return Fate::Late(1500 * MS),
            Message::Decided(_) => is_old,
            Message::Heartbeat(_) => is_old && now.get() >= Word::Said,
            Message::Propose(it) if it.recovery && is_between(passing, "p-1", "p-2") => {
                now.replace(Word::Recovered) == Word::Recovered
            }
            Message::Propose(it) if from.starts_with("p-0.") => {
                if it.tick > newest.get().0 {
                    newest.set((it.tick, passing.now));
                }
                is_said && !it.entries.is_empty()
            }
            _ => now.get() == Word::Recovered && is_between(passing, "p-1", "p-2"),
        };
        if is_lost { Fate::Lose } else { Fate::Pass }
    });
    // Just before everybody loses p-0, whose tick no longer counts up, it decides.
    for (after, next) in [(800 * MS, Word::Alone), (1800 * MS, Word::Said)] {
        let newest = Rc::clone(&tick);
        cluster.run_until(10 * SECOND, |it| it.now().since(newest.get().1) >= after);
        word.set(next);
    }
    cluster.publish("p-0", b"decided, and said");
    cluster.run_for(20 * MS);
    for gone in ["p-0", "p-3", "p-4"] {
        cluster.unwant(gone);
        cluster.lose_machine(gone);
        cluster.force_delete(gone);
    }
    cluster.run_for(2 * SECOND);
    cluster.intercept_nothing();
    cluster.run_for(20 * SECOND);
    cluster
}

// Clauses: ANSWER-3, ANSWER-4
#[test]
fn words_said_before_the_answer_are_not_taken() {
    // A3, C28.
    let cluster = a_word_of_the_dead_reaches_a_promiser(None);
    sound(&cluster);
    assert!(
        cluster.are_one_cluster(&["p-1", "p-2"]),
        "{:?}",
        cluster.standings()
    );
}

/// How far the story of [`a_word_of_the_dead_reaches_the_recoverer`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    /// Nothing is wrong yet.
    Nothing,
    /// p-1 hears p-2 and p-4 alone.
    Alone,
    /// p-0 hears nobody accept, so that its tick comes to a stop.
    Deaf,
    /// p-0 decides, and p-2 hears nothing of it.
    Said,
    /// p-4 has told p-1, which asked for it; the word is on its way.
    OnItsWay,
}

/// p-4 is asked by p-1 for what p-0 decided, answers, and is lost with p-0, p-3 and p-5; p-1
/// recovers with p-2, which accepts the change; then the answer arrives.
pub(crate) fn a_word_of_the_dead_reaches_the_recoverer(bug: Option<Bug>) -> Cluster {
    let mut own = world(bug);
    own.config.recovery_after = 500 * MS;
    own.config.recovery_pause = (50 * MS, 200 * MS);
    let mut cluster = members_of(own, 6);
    // From now on their link is the one that p-4 opened.
    cluster.break_links("p-4", "p-1", false);
    cluster.run_for(15 * SECOND);
    let stage = Rc::new(Cell::new(Told::Nothing));
    let now = Rc::clone(&stage);
    cluster.intercept(move |passing| {
        let (from, to) = (passing.from.label(), passing.to.label());
        let is_old = ["p-0.", "p-3.", "p-4.", "p-5."]
            .iter()
            .any(|pod| from.starts_with(pod));
        let is_p4 = from.starts_with("p-4.");
        if is_old && !is_p4 && to.starts_with("p-1.") && now.get() >= Told::Alone {
            return Fate::Lose;
        }
        if is_old && to.starts_with("p-2.") && now.get() >= Told::Said {
            return Fate::Lose;
        }
        match passing.message {
            Message::Accepted(_) if to.starts_with("p-0.") && now.get() == Told::Deaf => Fate::Lose,
            Message::Decided(it) if is_between(passing, "p-4", "p-1") && !it.entries.is_empty() => {
                now.set(Told::OnItsWay);
                Fate::Late(1700 * MS)
            }
            // p-1 is not to count it before the word is there.
            Message::Accepted(_) if is_between(passing, "p-2", "p-1") => Fate::Late(1500 * MS),
            _ => Fate::Pass,
        }
    });
    stage.set(Told::Alone);
    cluster.run_for(300 * MS);
    stage.set(Told::Deaf);
    cluster.run_for(1500 * MS);
    stage.set(Told::Said);
    cluster.publish("p-0", b"decided, and said");
    let seen = Rc::clone(&stage);
    let is_said = cluster.run_until(SECOND, move |_| seen.get() == Told::OnItsWay);
    assert!(is_said, "p-1 did not ask");
    for gone in ["p-0", "p-3", "p-4", "p-5"] {
        cluster.unwant(gone);
        if gone == "p-4" {
            cluster.lose_machine(gone);
        }
        cluster.force_delete(gone);
    }
    cluster.run_for(6 * SECOND);
    cluster.intercept_nothing();
    cluster.run_for(20 * SECOND);
    cluster
}

// Clauses: ANSWER-1, ANSWER-3, RECOVER-6
#[test]
fn words_of_the_dead_are_not_taken_by_who_recovers() {
    let cluster = a_word_of_the_dead_reaches_the_recoverer(None);
    sound(&cluster);
    assert!(
        cluster.are_one_cluster(&["p-1", "p-2"]),
        "{:?}",
        cluster.standings()
    );
}
