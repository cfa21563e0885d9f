//! Schedules at the border of two topologies: two coordinators decide the same change, and one of
//! them goes on behind it.

use std::cell::Cell;
use std::rc::Rc;

use discovery_tcp::Moment;
use discovery_tcp::message::{Decision, Message};
use discovery_tcp::ring::{Bug, Notice};
use discovery_tcp::sim::{Cluster, Fate, Passing};

use crate::stage::{MS, SECOND, is_between, members, sound, told_since};

/// What passes between the side of p-0 and that of p-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Border {
    /// Everything, until p-0 proposes the change; that reaches p-2 alone.
    Open,
    /// Nothing but the acceptance of p-2.
    Shut,
    /// p-3 may tell p-1 what it knows.
    Telling,
    /// p-1 proposes to p-3.
    Proposing,
    /// p-1 asks p-3 for its promise; p-0 speaks no more.
    Asking,
}

/// Five members, of which p-1, p-2 and p-4 hear nothing of the other two once p-0 has proposed to
/// admit p-5 and p-6; p-2 has accepted that, and p-0 decides it.
struct Scene {
    cluster: Cluster,
    border: Rc<Cell<Border>>,
    /// Whether p-1 hears who accepts what it proposes.
    counts: Rc<Cell<bool>>,
}

fn is_far(label: &str) -> bool {
    ["p-1.", "p-2.", "p-4."]
        .iter()
        .any(|pod| label.starts_with(pod))
}

fn is_change(message: &Message) -> bool {
    match message {
        Message::Propose(it) => it
            .entries
            .iter()
            .any(|entry| matches!(**entry, Decision::Change(_))),
        _ => false,
    }
}

fn crosses(border: Border, passing: &Passing<'_>) -> bool {
    let message = passing.message;
    let is_greeting = matches!(message, Message::Hello(_) | Message::HelloAnswer(_));
    if is_greeting && (is_between(passing, "p-1", "p-3") || is_between(passing, "p-3", "p-1")) {
        return true;
    }
    match border {
        Border::Open => true,
        Border::Shut => {
            is_between(passing, "p-2", "p-0") && matches!(message, Message::Accepted(_))
        }
        Border::Telling => match message {
            Message::Heartbeat(_) | Message::Decided(_) => is_between(passing, "p-3", "p-1"),
            Message::Fetch(_) => is_between(passing, "p-1", "p-3"),
            _ => false,
        },
        Border::Proposing => match message {
            Message::Propose(_) => is_between(passing, "p-1", "p-3"),
            Message::Accepted(_) => is_between(passing, "p-3", "p-1"),
            _ => false,
        },
        Border::Asking => match message {
            Message::PromiseAsk(_) | Message::Propose(_) => is_between(passing, "p-1", "p-3"),
            Message::Promise(_) | Message::Accepted(_) => is_between(passing, "p-3", "p-1"),
            _ => false,
        },
    }
}

/// What becomes of a message at this border.
fn judged(border: &Cell<Border>, counts: bool, passing: &Passing<'_>) -> Fate {
    let (from, to) = (passing.from.label(), passing.to.label());
    let message = passing.message;
    let fate = |passes: bool| if passes { Fate::Pass } else { Fate::Lose };
    let is_within = is_far(from) == is_far(to);
    match border.get() {
        _ if matches!(message, Message::Alert(_)) => Fate::Lose,
        Border::Open if is_change(message) && is_far(to) => {
            let is_to_two = to.starts_with("p-2.");
            if is_to_two {
                border.set(Border::Shut);
            }
            fate(is_to_two)
        }
        Border::Asking if from.starts_with("p-0.") => {
            let is_news = matches!(message, Message::Propose(it) if !it.entries.is_empty());
            fate(is_news && is_within)
        }
        _ if is_within => {
            let is_count = to.starts_with("p-1.") && matches!(message, Message::Accepted(_));
            fate(counts || !is_count)
        }
        other => fate(crosses(other, passing)),
    }
}

impl Scene {
    fn new(bug: Option<Bug>) -> Self {
        let mut cluster = members(bug, 5);
        let border = Rc::new(Cell::new(Border::Open));
        let counts = Rc::new(Cell::new(true));
        let (now, hears) = (Rc::clone(&border), Rc::clone(&counts));
        // Both joiners are ready at one moment, so that one change admits them.
        let ready_at = cluster.now() + 450 * MS;
        cluster.intercept(move |passing| {
            let is_ready = matches!(passing.message, Message::SnapshotAck(_));
            if is_ready && passing.now < ready_at {
                return Fate::Late(ready_at.since(passing.now));
            }
            judged(&now, hears.get(), passing)
        });
        cluster.start("p-5");
        cluster.start("p-6");
        cluster.run_until(SECOND, |it| it.members_at("p-3").len() > 5);
        Self {
            cluster,
            border,
            counts,
        }
    }

    /// p-1 takes over among those that know nothing of the decision.
    fn take_over(&mut self) {
        self.cluster.run_until(10 * SECOND, |it| {
            it.ring_of("p-1")
                .is_some_and(|ring| ring.coordinates().is_some())
        });
    }

    /// What p-1 proposes reaches p-3, and then everybody speaks with everybody.
    fn propose_across(mut self) -> Cluster {
        self.border.set(Border::Proposing);
        self.cluster.publish("p-1", b"of the other side");
        self.cluster.run_for(300 * MS);
        self.cluster.intercept_nothing();
        self.cluster.run_for(10 * SECOND);
        self.cluster
    }
}

/// p-0 decides a change and a message behind it; p-1 decides the change, too. B2.
pub(crate) fn a_change_is_decided_by_two(bug: Option<Bug>) -> Cluster {
    let mut scene = Scene::new(bug);
    scene.cluster.publish("p-0", b"behind the change");
    scene.take_over();
    let admits = |it: &Cluster| it.members_at("p-1").len() > 5;
    scene.cluster.run_until(SECOND, admits);
    scene.propose_across()
}

/// The same, but p-1 is told of the change by p-3 before it has counted it. A2.
pub(crate) fn a_coordinator_is_told_of_its_change(bug: Option<Bug>) -> Cluster {
    let mut scene = Scene::new(bug);
    scene.counts.set(false);
    scene.take_over();
    scene.border.set(Border::Telling);
    let admits = |it: &Cluster| it.members_at("p-1").len() > 5;
    scene.cluster.run_until(2 * SECOND, admits);
    scene.border.set(Border::Shut);
    scene.cluster.publish("p-0", b"behind the change");
    scene.cluster.run_for(20 * MS);
    scene.counts.set(true);
    scene.propose_across()
}

/// p-0 decides a change and a message behind it, of which the others do not hear that it is
/// decided; p-1 decides the change, too, and asks p-3 for its promise. C3.
pub(crate) fn an_empty_tail_of_a_higher_term(bug: Option<Bug>) -> Cluster {
    let mut scene = Scene::new(bug);
    scene.cluster.run_for(SECOND);
    scene.border.set(Border::Asking);
    scene.cluster.publish("p-0", b"behind the change");
    scene.cluster.run_for(50 * MS);
    scene.cluster.crash("p-0");
    scene.cluster.run_for(2 * SECOND);
    scene.cluster.publish("p-1", b"of the other side");
    scene.cluster.run_for(SECOND);
    scene.cluster.intercept_nothing();
    scene.cluster.run_for(10 * SECOND);
    scene.cluster
}

// Clauses: DECIDE-7, TAKE-6
#[test]
fn a_change_that_was_reproposed_is_led_on_from_with_new_promises_alone() {
    // B2.
    let cluster = a_change_is_decided_by_two(None);
    sound(&cluster);
    assert!(cluster.agreed().is_some(), "{:?}", cluster.standings());
}

// Clauses: DECIDE-1, TAKE-6
#[test]
fn who_is_told_of_its_own_change_leads_no_more() {
    // A2.
    let cluster = a_coordinator_is_told_of_its_change(None);
    sound(&cluster);
    assert!(cluster.agreed().is_some(), "{:?}", cluster.standings());
}

// Clauses: DECIDE-3, DECIDE-8
#[test]
fn installing_a_topology_forgets_the_tails_term() {
    // C3.
    let cluster = an_empty_tail_of_a_higher_term(None);
    sound(&cluster);
    let told = told_since(&cluster, "p-1", Moment::START);
    let is_message = |notice: &&Notice| matches!(notice, Notice::Message(_));
    let delivered = told.iter().filter(is_message).count();
    assert!(delivered >= 1, "what p-0 decided is delivered");
}
