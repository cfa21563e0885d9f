//! Worlds to begin a schedule with, and what to ask of them.

use std::time::Duration;

use discovery_core::TopologyId;
use discovery_tcp::Moment;
use discovery_tcp::message::Message;
use discovery_tcp::ring::{Bug, Notice, Ring};
use discovery_tcp::sim::{Cluster, Fate, Passing, World};

/// A millisecond.
pub(crate) const MS: Duration = Duration::from_millis(1);

/// A second.
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Longest wait for something that must happen.
pub(crate) const LONG: Duration = Duration::from_mins(2);

/// A traced world in which this mistake, if any, is planted.
pub(crate) fn world(bug: Option<Bug>) -> World {
    let mut world = World::of_seed(1);
    world.bug = bug;
    world.config.rejoin_pause = (100 * MS, SECOND);
    world.climate.listing_lag = (MS, 2 * MS);
    world.climate.start_lag = (3 * MS, 4 * MS);
    world
}

/// `p-0` to `p-(n-1)`, members in this order, so that `p-0` coordinates under its first term.
pub(crate) fn members(bug: Option<Bug>, count: usize) -> Cluster {
    members_of(world(bug), count)
}

/// The same in a world of one's own.
pub(crate) fn members_of(world: World, count: usize) -> Cluster {
    let mut cluster = Cluster::new(world);
    cluster.restart_containers(false, (MS, MS));
    for number in 0..count {
        cluster.start(&pod(number));
        if !cluster.run_until_agreed(LONG) {
            sound(&cluster);
            panic!("{} members do not come together", number + 1);
        }
    }
    // Everybody has a heartbeat of everybody, and the newest member is confirmed.
    cluster.run_for(3 * SECOND);
    cluster
}

/// The name of the pod of this number.
pub(crate) fn pod(number: usize) -> String {
    format!("p-{number}")
}

/// Fails if a promise is broken, with the end of the trace.
pub(crate) fn sound(cluster: &Cluster) {
    if let Some(violation) = cluster.violation() {
        let last: Vec<&str> = cluster.trace().last(60).collect();
        panic!("{violation}\n{}", last.join("\n"));
    }
}

/// Waits for what must happen; fails if it does not, or if a promise is broken before.
pub(crate) fn wait(cluster: &mut Cluster, what: &str, holds: impl Fn(&Cluster) -> bool) {
    let is_so = cluster.run_until(LONG, holds);
    sound(cluster);
    assert!(
        is_so,
        "not so after {LONG:?}: {what}\n{}",
        cluster.standings().join("\n")
    );
}

/// Waits until these, and nobody else, are one cluster.
pub(crate) fn wait_for(cluster: &mut Cluster, pods: &[&str]) {
    let what = format!("one cluster of {}", pods.join(" "));
    wait(cluster, &what, |it| it.are_one_cluster(pods));
}

/// Whether a message goes from the first run of one pod to that of another.
pub(crate) fn is_between(passing: &Passing<'_>, from: &str, to: &str) -> bool {
    let of = |label: &str, pod: &str| label.rsplit_once('.').is_some_and(|(name, _)| name == pod);
    of(passing.from.label(), from) && of(passing.to.label(), to)
}

/// Loses what is chosen, and lets everything else pass.
pub(crate) fn lose(
    cluster: &mut Cluster,
    chosen: impl Fn(&Passing<'_>, &Message) -> bool + 'static,
) {
    cluster.intercept(move |passing| {
        if chosen(passing, passing.message) {
            Fate::Lose
        } else {
            Fate::Pass
        }
    });
}

/// What the application in a pod was told after this moment.
pub(crate) fn told_since(cluster: &Cluster, pod: &str, since: Moment) -> Vec<Notice> {
    let told = cluster.told_at(pod).filter(|told| told.at >= since);
    told.map(|told| told.notice.clone()).collect()
}

/// The names that were removed by others, as the application in a pod was told after this moment.
pub(crate) fn failed_since(cluster: &Cluster, pod: &str, since: Moment) -> Vec<String> {
    let told = told_since(cluster, pod, since);
    let events = told.iter().filter_map(|notice| match notice {
        Notice::Changed(event) => Some(event),
        _ => None,
    });
    let failed = events.flat_map(|event| &event.failed);
    failed
        .map(|(member, _)| member.name().to_string())
        .collect()
}

/// How many versions a pod was told of after this moment.
pub(crate) fn versions_since(cluster: &Cluster, pod: &str, since: Moment) -> usize {
    let told = told_since(cluster, pod, since);
    told.iter()
        .filter(|notice| matches!(notice, Notice::Changed(_)))
        .count()
}

/// Whether a pod coordinates, or did until it hears better.
pub(crate) fn leads(cluster: &Cluster, pod: &str) -> bool {
    let ring = cluster.ring_of(pod);
    ring.and_then(Ring::coordinates).is_some()
}

/// What a pod says that it waits for; nothing if it waits for nothing.
pub(crate) fn waits_for(cluster: &Cluster, pod: &str) -> String {
    let status = cluster.ring_of(pod).map(Ring::status);
    status.and_then(|it| it.waiting_for).unwrap_or_default()
}

/// Which topology the speaker is in, where a message says so.
pub(crate) fn said_in(message: &Message) -> Option<TopologyId> {
    match message {
        Message::Propose(it) => Some(it.topology),
        Message::Decided(it) => Some(it.topology),
        Message::Heartbeat(it) => Some(it.topology),
        _ => None,
    }
}
