//! Who is told of a split, and who takes nothing of it for its own (RECOVER-8, STAND-2).

use std::cell::Cell;
use std::rc::Rc;

use discovery_core::Topology;
use discovery_tcp::Recovery;
use discovery_tcp::message::Message;
use discovery_tcp::ring::{Bug, Notice, Ring};
use discovery_tcp::sim::{Cluster, Fate};

use crate::stage::{MS, SECOND, is_between, members_of, said_in, sound, wait, wait_for, world};

/// p-4, p-5 and p-6 are cut off and p-4 is forced into a cluster of its own with them. All accept;
/// the word that it is decided reaches p-5 and not p-6.
fn one_of_three_is_not_told_of_the_split() -> Cluster {
    let mut own = world(None);
    own.config.recovery = Recovery::Manual;
    let mut cluster = members_of(own, 7);
    let parent = cluster.topology_of("p-4").map(Topology::cluster_id);
    cluster.partition(&[&["p-0", "p-1", "p-2", "p-3"], &["p-4", "p-5", "p-6"]]);
    wait(&mut cluster, "p-4 has no quorum", |it| {
        ["p-4", "p-5", "p-6"]
            .iter()
            .all(|pod| it.standing_of(pod).starts_with("without quorum"))
    });
    cluster.intercept(move |passing| {
        let of = said_in(passing.message).map(|id| id.cluster_id);
        let is_split = of.is_some() && of != parent;
        if is_split && is_between(passing, "p-4", "p-6") {
            Fate::Lose
        } else {
            Fate::Pass
        }
    });
    cluster.force_recovery("p-4");
    wait(&mut cluster, "p-5 is split off", |it| {
        it.members_at("p-5") == ["p-4", "p-5", "p-6"]
    });
    assert_eq!(cluster.members_at("p-6").len(), 7);
    cluster
}

// Clauses: RECOVER-8, STAND-2
#[test]
fn who_accepted_a_split_learns_of_it_though_its_leader_is_dead() {
    let mut cluster = one_of_three_is_not_told_of_the_split();
    cluster.unwant("p-4");
    cluster.crash("p-4");
    cluster.intercept_nothing();
    wait_for(&mut cluster, &["p-5", "p-6"]);
}

// Clauses: RECOVER-8, STAND-2
#[test]
fn who_accepted_a_split_learns_of_it_though_more_was_decided_since() {
    let mut cluster = one_of_three_is_not_told_of_the_split();
    let before = cluster.node_of("p-6");
    cluster.publish("p-5", b"behind the split");
    cluster.run_for(SECOND / 2);
    cluster.break_links("p-4", "p-6", true);
    cluster.intercept_nothing();
    wait_for(&mut cluster, &["p-4", "p-5", "p-6"]);
    assert_eq!(cluster.node_of("p-6"), before);
}

/// p-2 asks p-3 for what it lacks; before the answer comes, p-3 is forced alone and decides more. C61.
pub(crate) fn an_old_question_is_answered_by_a_split(bug: Option<Bug>) -> Cluster {
    let mut own = world(bug);
    own.config.recovery = Recovery::Manual;
    let mut cluster = members_of(own, 5);
    // p-2 is behind, and asks p-3 for what it lacks; that waits on a link.
    let (asked, seen) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
    let alerts = Rc::new(Cell::new(false));
    let may_alert = Rc::clone(&alerts);
    let (has_asked, is_behind) = (Rc::clone(&asked), Rc::clone(&seen));
    cluster.intercept(move |passing| match passing.message {
        Message::Fetch(_) if is_between(passing, "p-2", "p-3") && !has_asked.replace(true) => {
            Fate::Late(5200 * MS)
        }
        Message::Alert(_) if !may_alert.get() => Fate::Lose,
        Message::PromiseAsk(_) if is_between(passing, "p-2", "p-3") => Fate::Lose,
        Message::RecoverAsk(_) | Message::Fetch(_) if is_between(passing, "p-3", "p-2") => {
            Fate::Lose
        }
        message => {
            let is_news = said_in(message).is_some() && !is_between(passing, "p-3", "p-2");
            if is_news && passing.to.label().starts_with("p-2.") && !is_behind.get() {
                Fate::Lose
            } else {
                Fate::Pass
            }
        }
    });
    cluster.publish("p-1", b"one");
    wait(&mut cluster, "p-2 asks p-3", |_| asked.get());
    seen.set(true);
    wait(&mut cluster, "p-2 knows", |it| {
        it.ring_of("p-2").map(Ring::decided) == it.ring_of("p-0").map(Ring::decided)
    });
    for other in ["p-0", "p-1", "p-4"] {
        cluster.cut(other, "p-3");
    }
    cluster.publish("p-1", b"two");
    wait(&mut cluster, "p-3 has no quorum", |it| {
        it.standing_of("p-3").starts_with("without quorum")
    });
    cluster.force_recovery("p-3");
    for other in ["p-0", "p-1", "p-4"] {
        cluster.cut(other, "p-2");
    }
    wait(&mut cluster, "p-3 is alone", |it| {
        it.members_at("p-3") == ["p-3"]
    });
    alerts.set(true);
    cluster.publish("p-3", b"of the split");
    cluster.run_for(2 * SECOND);
    cluster.publish("p-1", b"of the parent");
    cluster.run_for(10 * SECOND);
    cluster.open_all_ways();
    cluster.run_for(10 * SECOND);
    cluster
}

// Clauses: RECOVER-8, DECIDE-6
#[test]
fn what_a_split_decides_is_no_decision_of_its_parent() {
    let cluster = an_old_question_is_answered_by_a_split(None);
    sound(&cluster);
    let told = cluster.told_at("p-2");
    let strange = told.filter(|told| match &told.notice {
        Notice::Message(it) => &*it.payload == b"of the split",
        _ => false,
    });
    assert_eq!(strange.count(), 0);
}
