//! Recoveries that an operator forces: their epochs, and what is said of one that fails (RECOVER-8).

use discovery_core::{Epoch, Topology};
use discovery_tcp::message::Message;
use discovery_tcp::ring::Notice;
use discovery_tcp::sim::{ApiFaults, Cluster, Fate};
use discovery_tcp::{Moment, Recovery};

use crate::stage::{
    MS, SECOND, is_between, leads, lose, members_of, sound, told_since, wait, world,
};

/// Four members, two on each side of a cut, that have just lost their quorum.
fn without_quorum() -> Cluster {
    let mut own = world(None);
    own.config.recovery = Recovery::Manual;
    let mut cluster = members_of(own, 4);
    cluster.partition(&[&["p-0", "p-1"], &["p-2", "p-3"]]);
    wait(&mut cluster, "nobody has a quorum", |it| {
        let without = |pod| it.standing_of(pod).starts_with("without quorum");
        ["p-0", "p-1", "p-2", "p-3"].into_iter().all(without)
    });
    cluster
}

/// The same, and nobody takes the last tick for one that goes on.
fn two_halves() -> Cluster {
    let mut cluster = without_quorum();
    cluster.run_for(5 * SECOND);
    cluster
}

/// Why the recovery that was forced at p-0 failed, as it was told there.
fn refusal(cluster: &Cluster) -> String {
    let told = told_since(cluster, "p-0", Moment::START);
    let refused = told.iter().find_map(|notice| match notice {
        Notice::Refused { why } => Some(why.as_str()),
        _ => None,
    });
    let failed = "the forced recovery failed, and may be repeated: ";
    let why = refused.and_then(|why| why.strip_prefix(failed));
    why.unwrap_or_default().to_owned()
}

fn epoch_of(cluster: &Cluster, pod: &str) -> Option<Epoch> {
    cluster.topology_of(pod).map(Topology::epoch)
}

// Clauses: RECOVER-8
#[test]
fn the_later_of_two_forced_recoveries_has_the_higher_epoch() {
    // R7: each by itself would take the epoch that follows on the one they share.
    let mut cluster = two_halves();
    cluster.force_recovery("p-0");
    wait(&mut cluster, "one half", |it| {
        it.are_one_cluster(&["p-0", "p-1"])
    });
    cluster.write();
    cluster.force_recovery("p-2");
    wait(&mut cluster, "the other half", |it| {
        it.are_one_cluster(&["p-2", "p-3"])
    });

    sound(&cluster);
    let (first, second) = (epoch_of(&cluster, "p-0"), epoch_of(&cluster, "p-2"));
    assert!(second > first, "{first:?}, {second:?}");
}

// Clauses: RECOVER-8
#[test]
fn a_forced_recovery_needs_no_listing() {
    let mut cluster = two_halves();
    cluster.api(ApiFaults {
        is_down: true,
        ..ApiFaults::default()
    });
    cluster.force_recovery("p-0");
    let is_one = |it: &Cluster| it.are_one_cluster(&["p-0", "p-1"]);
    assert!(cluster.run_until(5 * SECOND, is_one));
}

// Clauses: RECOVER-8
#[test]
fn a_forced_recovery_that_fails_says_so() {
    let mut cluster = two_halves();
    cluster.intercept(|passing| match passing.message {
        Message::Accepted(_) if is_between(passing, "p-1", "p-0") => Fate::Lose,
        _ => Fate::Pass,
    });
    cluster.force_recovery("p-0");
    cluster.run_for(6 * SECOND);

    sound(&cluster);
    assert_eq!(refusal(&cluster), "somebody who promised did not accept");
}

// Clauses: RECOVER-8
#[test]
fn a_forced_recovery_is_refused_by_who_still_hears_the_tick() {
    let mut cluster = without_quorum();
    cluster.force_recovery("p-0");
    cluster.run_for(SECOND);

    sound(&cluster);
    assert_eq!(refusal(&cluster), "a quorum goes on");
}

// Clauses: RECOVER-8, TAKE-8
#[test]
fn a_command_does_not_take_back_an_election() {
    // C70: one has just been elected by three of five, and hears the operator's word before what
    // they accepted.
    let rest = ["p-2", "p-3", "p-4"];
    let mut cluster = members_of(world(None), 5);
    for gone in ["p-0", "p-1"] {
        cluster.unwant(gone);
        cluster.lose_machine(gone);
    }
    lose(&mut cluster, |_, message| {
        matches!(message, Message::PromiseAsk(_))
    });
    wait(&mut cluster, "they have no quorum", |it| {
        let without = |pod| it.standing_of(pod).starts_with("without quorum");
        rest.into_iter().all(without)
    });
    cluster.intercept_nothing();
    for from in rest {
        for to in rest.into_iter().filter(|to| *to != from) {
            cluster.detour(from, to, 100 * MS);
        }
    }
    wait(&mut cluster, "one is elected", |it| {
        rest.into_iter().any(|pod| leads(it, pod))
    });
    let elected = rest.into_iter().find(|pod| leads(&cluster, pod));
    let elected = elected.unwrap_or_default();
    let standing = cluster.standing_of(elected);
    assert!(standing.starts_with("without quorum"), "{standing}");
    cluster.force_recovery(elected);
    let is_back = cluster.run_until(SECOND, |it| it.are_one_cluster(&rest));

    sound(&cluster);
    assert!(is_back, "{:?}", cluster.standings());
}
