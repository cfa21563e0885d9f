//! The world by itself: scripts in place of rings show what links, pods and the platform do.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use discovery_core::PodFact;

use super::*;
use crate::message::{CloseReason, Message, PublishRefused};
use crate::ring::LinkId;
use crate::sim::api::WatchFault;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

type Log = Rc<RefCell<Vec<String>>>;

/// Dials, counts up on every link it has opened and again when it is told to leave, and writes down
/// what it is told.
#[derive(Debug)]
struct Talker {
    log: Log,
    dials: Vec<SocketAddr>,
    says: u64,
    closes: bool,
}

fn said(sequence: u64) -> Arc<Message> {
    Arc::new(Message::PublishRefused(PublishRefused {
        sequence,
        coordinator: None,
    }))
}

impl Script for Talker {
    fn start(&mut self) -> Vec<Output> {
        let dials = self.dials.iter().enumerate();
        dials
            .map(|(place, to)| Output::OpenLink {
                link: LinkId(2 * place as u64),
                to: *to,
            })
            .collect()
    }

    fn handle(&mut self, _now: Moment, input: Input) -> Vec<Output> {
        let (line, link) = match &input {
            Input::LinkOpened { link } => ("opened".to_owned(), Some(*link)),
            Input::LinkAccepted { .. } => ("accepted".to_owned(), None),
            Input::LinkFailed { failure, .. } => (format!("{failure:?}"), None),
            Input::LinkClosed { .. } => ("closed".to_owned(), None),
            Input::Received {
                message: Message::PublishRefused(it),
                ..
            } => (it.sequence.to_string(), None),
            Input::Leave => ("leave".to_owned(), Some(LinkId(0))),
            other => (format!("{other:?}"), None),
        };
        self.log.borrow_mut().push(line);
        let Some(link) = link else { return Vec::new() };
        let says = (1..=self.says).map(said);
        let mut outputs: Vec<Output> = says.map(|message| Output::Send { link, message }).collect();
        if self.closes {
            let reason = CloseReason::Idle;
            outputs.push(Output::CloseLink { link, reason });
        }
        outputs
    }
}

struct Pair {
    cluster: Cluster,
    caller: Log,
    callee: Log,
}

/// A callee that runs, and a caller that dials it, says so much, and may close.
fn pair(says: u64, closes: bool) -> Pair {
    let mut cluster = Cluster::new(World::of_seed(1));
    cluster.restart_containers(false, (MS, MS));
    let (caller, callee) = (Log::default(), Log::default());
    let talker = |log: &Log, dials, says, closes| {
        Box::new(Talker {
            log: Rc::clone(log),
            dials,
            says,
            closes,
        })
    };
    let pod = cluster.start_script("callee", talker(&callee, Vec::new(), 0, false));
    cluster.run_for(SECOND);
    let address = cluster.platform.pod(pod).address;
    cluster.start_script("caller", talker(&caller, vec![address], says, closes));
    Pair {
        cluster,
        caller,
        callee,
    }
}

fn lines(log: &Log) -> Vec<String> {
    log.borrow().clone()
}

#[test]
fn a_link_delivers_in_order_and_then_its_end() {
    let mut pair = pair(3, true);

    pair.cluster.run_for(SECOND);

    assert_eq!(lines(&pair.callee), ["accepted", "1", "2", "3", "closed"]);
    assert_eq!(
        lines(&pair.caller),
        ["opened"],
        "who closes is told nothing"
    );
}

#[test]
fn a_dial_is_refused_where_nobody_listens_and_unanswered_where_there_is_no_machine() {
    for (is_lost, told) in [(false, "Refused"), (true, "TimedOut")] {
        let mut pair = pair(1, false);
        if is_lost {
            pair.cluster.lose_machine("callee");
        } else {
            pair.cluster.crash("callee");
        }

        pair.cluster.run_for(SECOND);

        assert_eq!(lines(&pair.caller), [told]);
    }
}

#[test]
fn what_is_sent_over_a_cut_way_comes_when_it_opens() {
    let mut pair = pair(2, false);
    pair.cluster
        .run_until(SECOND, |it| it.process_of("caller").is_some());
    let callee = Rc::clone(&pair.callee);
    pair.cluster
        .run_until(SECOND, |_| !callee.borrow().is_empty());
    // Accepted, and the answer under way: what the caller then says is cut.
    pair.cluster.cut("caller", "callee");

    pair.cluster.run_for(SECOND);
    assert_eq!(lines(&pair.callee), ["accepted"]);

    pair.cluster.open_all_ways();
    pair.cluster.run_for(SECOND);
    assert_eq!(lines(&pair.callee), ["accepted", "1", "2"]);
}

#[test]
fn a_way_that_is_cut_answers_no_dial() {
    let mut pair = pair(1, false);
    pair.cluster.cut("callee", "caller");

    pair.cluster.run_for(SECOND);

    assert_eq!(lines(&pair.caller), ["TimedOut"]);
    assert!(lines(&pair.callee).is_empty());
}

#[test]
fn a_killed_process_closes_its_links_and_a_lost_machine_does_not() {
    for (is_lost, told) in [(false, vec!["opened", "closed"]), (true, vec!["opened"])] {
        let mut pair = pair(1, false);
        pair.cluster.run_for(SECOND);

        if is_lost {
            pair.cluster.lose_machine("callee");
        } else {
            pair.cluster.crash("callee");
        }
        pair.cluster.run_for(10 * SECOND);

        assert_eq!(lines(&pair.caller), told);
    }
}

#[test]
fn of_a_half_open_link_one_side_hears_and_the_other_never_does() {
    let mut pair = pair(1, false);
    pair.cluster.run_for(SECOND);

    pair.cluster.break_links("caller", "callee", false);
    pair.cluster.run_for(SECOND);

    assert_eq!(lines(&pair.caller), ["opened", "closed"]);
    assert_eq!(lines(&pair.callee), ["accepted", "1"]);
}

#[test]
fn a_paused_process_takes_what_came_meanwhile_in_its_order() {
    let mut pair = pair(3, true);
    pair.cluster.pause("callee");
    pair.cluster.run_for(SECOND);
    assert_eq!(lines(&pair.caller), ["opened"], "its kernel goes on");
    assert!(lines(&pair.callee).is_empty());

    pair.cluster.resume("callee");
    pair.cluster.run_for(SECOND);

    assert_eq!(lines(&pair.callee), ["accepted", "1", "2", "3", "closed"]);
}

#[test]
fn a_slow_process_takes_its_time_over_each_input() {
    let mut pair = pair(3, false);
    pair.cluster.slow("callee", SECOND);

    pair.cluster.run_for(SECOND);
    assert_eq!(lines(&pair.callee), ["accepted"]);

    pair.cluster.run_for(3 * SECOND);
    assert_eq!(lines(&pair.callee), ["accepted", "1", "2", "3"]);
}

#[test]
fn what_stalls_for_longer_than_the_user_timeout_ends_the_senders_side() {
    let mut pair = pair(1, false);
    pair.cluster.network.weather.user_timeout = Some(3 * SECOND);
    pair.cluster.run_for(SECOND);
    pair.cluster.cut("caller", "callee");
    pair.cluster.leave("caller");

    pair.cluster.run_for(2 * SECOND);
    assert_eq!(lines(&pair.caller), ["opened", "leave"]);

    pair.cluster.run_for(2 * SECOND);
    assert_eq!(lines(&pair.caller), ["opened", "leave", "closed"]);
    assert_eq!(
        lines(&pair.callee),
        ["accepted", "1"],
        "nothing passes, not even the end"
    );
}

#[test]
fn equal_seeds_give_equal_traces() {
    let run = || {
        let mut pair = pair(5, true);
        pair.cluster.run_for(5 * SECOND);
        pair.cluster.trace().to_string()
    };
    assert_eq!(run(), run());
}

#[test]
fn a_pod_that_is_deleted_is_told_to_leave_and_made_anew_under_another_uid() {
    let mut cluster = Cluster::new(World::of_seed(1));
    let first = cluster.start("p-0");
    cluster.run_for(SECOND);

    cluster.delete("p-0");
    assert!(cluster.platform.pod(first).is_leaving);
    cluster.crash("p-0");
    cluster.run_for(SECOND);

    let second = cluster.pod_of("p-0").unwrap();
    assert_ne!(first, second);
    assert!(cluster.platform.pod(first).removed_at.is_some());
    let uid = |id| cluster.platform.pod(id).reference.uid.clone();
    assert_ne!(uid(first), uid(second));
}

#[test]
fn a_pod_is_read_as_it_is_and_once_gone_as_it_was_last_seen() {
    let mut cluster = Cluster::new(World::of_seed(1));
    let id = cluster.start("p-0");
    cluster.run_for(SECOND);
    cluster.crash("p-0");
    let read = |cluster: &mut Cluster| {
        let asked = cluster.platform.pod(id).reference.clone();
        let times = (cluster.now(), Moment::START);
        let faults = ApiFaults::default();
        api::read_pod(
            &cluster.platform,
            faults,
            &mut cluster.chance,
            times,
            &asked,
        )
    };

    let PodFact::Present(reading) = read(&mut cluster) else {
        panic!("the object is there");
    };
    assert!(reading.last_termination.is_some());
    assert_eq!(reading.restart_count, 0);

    cluster.force_delete("p-0");
    let PodFact::Gone { last_seen, .. } = read(&mut cluster) else {
        panic!("the object is gone");
    };
    assert!(last_seen.is_some_and(|seen| seen.reading.all_containers_terminated));
}

#[test]
fn a_listing_of_its_own_is_fresh_while_a_watch_is_behind() {
    let mut cluster = Cluster::new(World::of_seed(1));
    cluster.start_hung("a");
    cluster.run_for(SECOND);
    let faults = ApiFaults::default();
    let before = api::read_listing(&mut cluster.platform, faults, &mut cluster.chance).unwrap();
    cluster.start_hung("b");
    cluster.run_for(SECOND);

    let after = api::read_listing(&mut cluster.platform, faults, &mut cluster.chance).unwrap();
    let now = cluster.now();
    let mut view = api::FinderView::default();
    view.fault = WatchFault::Behind(1);
    let report = view.report(&mut cluster.platform, faults, now).unwrap();

    assert_eq!((before.entries.len(), after.entries.len()), (1, 2));
    assert!(after.resource_version > before.resource_version);
    assert_eq!(report.seeds().len(), 1);
}
