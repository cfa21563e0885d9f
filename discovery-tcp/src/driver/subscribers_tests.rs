//! Tests of `subscribers.rs`: what a subscriber reads, and what a slow one gets instead.

use discovery_core::{ClusterId, Epoch, NodeId, NodeName, Term, Topic, TopologyChange, UnixMillis};

use super::*;

fn node(number: u16) -> NodeInfo {
    NodeInfo::new(
        NodeId::from_u128(u128::from(number) + 1),
        NodeName::new(format!("ring-{number}")).unwrap(),
        [([10, 0, 0, 1], 1000 + number).into()],
        UnixMillis(1),
    )
    .unwrap()
}

fn alone() -> Topology {
    Topology::founded(ClusterId::from_u128(7), Epoch(1), Term::FIRST, node(0)).unwrap()
}

fn join(before: &Topology) -> TopologyEvent {
    let number = u16::try_from(before.len()).unwrap();
    let change = TopologyChange::of(before).join(node(number)).build();
    TopologyEvent::decided(before, &change.unwrap(), Term::FIRST).unwrap()
}

fn message(topology: &Topology, position: u64) -> Message {
    Message::new(
        Topic::new("t").unwrap(),
        Arc::from([]),
        NodeId::from_u128(1),
        topology.id(),
        position,
    )
}

/// A member of a cluster of one.
fn member() -> (Subscribers, Topology) {
    let (subscribers, topology) = (Subscribers::new(node(0)), alone());
    let start = SnapshotCause::Start;
    assert_eq!(subscribers.installed(&topology, start), Overflows(0));
    let standing = Standing::Member {
        topology: topology.clone(),
    };
    assert_eq!(subscribers.stands(&standing), Overflows(0));
    (subscribers, topology)
}

/// Everything that waits for a subscriber.
fn unread(subscription: &QueuedSubscription) -> Vec<Option<Delivery>> {
    let cx = Context::from_waker(Waker::noop());
    let mut read = Vec::new();
    while let Poll::Ready(delivery) = subscription.queue.poll_next(&cx) {
        let is_end = delivery.is_none();
        read.push(delivery);
        if is_end {
            break;
        }
    }
    read
}

#[test]
fn the_standing_carries_the_topology_in_force() {
    let (subscribers, topology) = member();
    let event = join(&topology);
    assert_eq!(subscribers.changed(event.clone()), Overflows(0));
    let expected = Standing::Member {
        topology: event.topology,
    };
    assert_eq!(subscribers.standing(), expected);
}

#[test]
fn who_subscribes_later_goes_on_where_it_stood() {
    let (subscribers, topology) = member();
    let event = join(&topology);
    assert_eq!(subscribers.changed(event.clone()), Overflows(0));
    let subscription = subscribers.subscribe(Some(topology.id()));
    let next = join(&event.topology);
    assert_eq!(subscribers.changed(next.clone()), Overflows(0));
    assert_eq!(
        unread(&subscription),
        [event, next].map(|event| Some(Delivery::Changed(event)))
    );
}

#[test]
fn who_comes_from_a_node_that_is_further_is_told_nothing_twice() {
    let (subscribers, first) = member();
    let (second, third) = {
        let second = join(&first);
        let third = join(&second.topology);
        (second, third)
    };
    let subscription = subscribers.subscribe(Some(second.topology.id()));
    assert_eq!(subscribers.message(message(&first, 1)), Overflows(0));
    assert_eq!(subscribers.changed(second.clone()), Overflows(0));
    let under_second = message(&second.topology, 3);
    assert_eq!(subscribers.message(under_second.clone()), Overflows(0));
    assert_eq!(subscribers.changed(third.clone()), Overflows(0));
    assert_eq!(
        unread(&subscription),
        [
            Some(Delivery::Message(under_second)),
            Some(Delivery::Changed(third))
        ]
    );
}

#[test]
fn who_reads_too_slowly_gets_a_snapshot_in_place_of_what_was_lost() {
    let (subscribers, topology) = member();
    let subscription = subscribers.subscribe(Some(topology.id()));
    for position in 0..DELIVERIES_MAX {
        let position = u64::try_from(position).unwrap();
        assert_eq!(
            subscribers.message(message(&topology, position)),
            Overflows(0)
        );
    }
    let event = join(&topology);
    assert_eq!(subscribers.changed(event.clone()), Overflows(1));
    let last = message(&event.topology, 5000);
    assert_eq!(subscribers.message(last.clone()), Overflows(0));
    let snapshot = Delivery::Snapshot {
        topology: event.topology.clone(),
        cause: SnapshotCause::Behind,
    };
    let standing = Delivery::Standing(Standing::Member {
        topology: event.topology,
    });
    let expected = [snapshot, standing, Delivery::Message(last)];
    assert_eq!(unread(&subscription), expected.map(Some));
}

#[test]
fn a_subscriber_that_is_gone_is_forgotten() {
    let (subscribers, topology) = member();
    drop(subscribers.subscribe(None));
    assert_eq!(subscribers.changed(join(&topology)), Overflows(0));
    assert!(lock(&subscribers.state).queues.is_empty());
}

#[test]
fn after_the_end_what_waits_is_read_and_then_nothing() {
    let (subscribers, topology) = member();
    let before = subscribers.subscribe(Some(topology.id()));
    let event = join(&topology);
    assert_eq!(subscribers.changed(event.clone()), Overflows(0));
    subscribers.end(Standing::Left);
    subscribers.end(Standing::Failed);
    let after = subscribers.subscribe(Some(topology.id()));
    let expected = [Some(Delivery::Changed(event)), None];
    assert_eq!(unread(&before), expected);
    assert_eq!(unread(&after), expected);
    assert_eq!(subscribers.standing(), Standing::Left);
}

#[tokio::test]
async fn a_subscriber_that_waits_is_woken() {
    let (subscribers, topology) = member();
    let mut subscription = subscribers.subscribe(Some(topology.id()));
    let reader = tokio::spawn(async move { subscription.next().await });
    tokio::task::yield_now().await;
    let event = join(&topology);
    assert_eq!(subscribers.changed(event.clone()), Overflows(0));
    assert_eq!(reader.await.unwrap(), Some(Delivery::Changed(event)));
}

#[test]
fn who_looks_at_the_standing_may_ask_for_anything_else_meanwhile() {
    let (subscribers, topology) = member();
    let (asked, told) = std::sync::mpsc::sync_channel(1);
    let standing = Standing::Member { topology };
    let standings = subscribers.watch();
    std::thread::scope(|scope| {
        let looked_at = standings.borrow();
        let teller = scope.spawn(|| subscribers.stands(&standing));
        // Long enough for it to come to where it waits for the one who looks.
        let _ = told.recv_timeout(std::time::Duration::from_millis(200));
        let subscribers = &subscribers;
        scope.spawn(move || {
            let heard = (subscribers.node(), subscribers.standing());
            asked.send(heard).unwrap();
        });
        let heard = told.recv_timeout(std::time::Duration::from_secs(2));
        drop(looked_at);
        assert_eq!(teller.join().unwrap(), Overflows(0));
        assert!(heard.is_ok(), "it waits for whom it keeps waiting");
    });
}

#[test]
fn who_is_ahead_and_too_slow_misses_nothing_after_its_snapshot() {
    let (subscribers, topology) = member();
    let (second, third) = {
        let second = join(&topology);
        let third = join(&second.topology);
        (second, third)
    };
    let ahead = subscribers.subscribe(Some(second.topology.id()));
    let standing = subscribers.standing();
    let mut overflows = 0;
    for _ in 0..=DELIVERIES_MAX {
        overflows += subscribers.stands(&standing).0;
    }
    assert_eq!(overflows, 1);
    assert_eq!(subscribers.changed(second.clone()), Overflows(0));
    assert_eq!(subscribers.changed(third), Overflows(0));
    let mut at = None;
    for delivery in unread(&ahead).into_iter().flatten() {
        match delivery {
            Delivery::Snapshot { topology, .. } => at = Some(topology.id()),
            Delivery::Changed(event) => {
                assert!(at.is_none_or(|at| at == event.previous), "a gap: {at:?}");
                at = Some(event.topology.id());
            }
            _ => {}
        }
    }
}
