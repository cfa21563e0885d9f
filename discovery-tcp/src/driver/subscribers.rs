//! Who subscribed, and what each has not read yet. The protocol's task tells it everything; no
//! subscription, however slowly it is read, holds that task up.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use discovery_core::{
    BoxFuture, Delivery, Message, NodeInfo, SnapshotCause, Standing, Subscription, Topology,
    TopologyEvent, TopologyId,
};
use tokio::sync::watch;

use super::backlog::Backlog;

/// Most deliveries that wait for one subscriber; one more and it gets a snapshot in their place.
pub const DELIVERIES_MAX: usize = 1024;

/// What the application can see without asking the protocol's task.
#[derive(Debug)]
pub(super) struct Subscribers {
    state: Mutex<State>,
    /// Tells the standing. Whoever looks at it keeps back whoever tells it, so that it is told
    /// while no lock is held, and read by nobody here.
    told: watch::Sender<Standing>,
}

#[derive(Debug)]
struct State {
    node: NodeInfo,
    standing: Standing,
    backlog: Backlog,
    queues: Vec<Weak<Queue>>,
    is_over: bool,
}

impl Subscribers {
    /// A node that is no member yet.
    pub(super) fn new(node: NodeInfo) -> Self {
        let standing = Standing::NotYetMember {
            waiting_for: Arc::from("its start"),
        };
        Self {
            state: Mutex::new(State {
                node,
                standing: standing.clone(),
                backlog: Backlog::default(),
                queues: Vec::new(),
                is_over: false,
            }),
            told: watch::Sender::new(standing),
        }
    }

    pub(super) fn node(&self) -> NodeInfo {
        lock(&self.state).node.clone()
    }

    pub(super) fn standing(&self) -> Standing {
        lock(&self.state).standing.clone()
    }

    pub(super) fn watch(&self) -> watch::Receiver<Standing> {
        self.told.subscribe()
    }

    /// A new subscription, with everything it has missed since the topology that it names.
    pub(super) fn subscribe(&self, after: Option<TopologyId>) -> QueuedSubscription {
        let mut state = lock(&self.state);
        let queue = Arc::new(Queue::new(after, state.backlog.since(after)));
        if state.is_over {
            queue.end();
        } else {
            state.queues.push(Arc::downgrade(&queue));
        }
        QueuedSubscription { queue }
    }

    /// The local node has a new node id.
    pub(super) fn identified(&self, node: NodeInfo) {
        lock(&self.state).node = node;
    }

    /// The local node stands otherwise.
    pub(super) fn stands(&self, standing: &Standing) -> Overflows {
        let mut state = lock(&self.state);
        state.standing = standing.clone();
        let overflows = state.deliver(&Delivery::Standing(standing.clone()));
        self.tell(state);
        overflows
    }

    /// A topology is in force that no event led to.
    pub(super) fn installed(&self, topology: &Topology, cause: SnapshotCause) -> Overflows {
        let mut state = lock(&self.state);
        state.backlog.installed(topology);
        let changes = state.refresh(topology);
        let topology = topology.clone();
        let overflows = state.deliver(&Delivery::Snapshot { topology, cause });
        if changes {
            self.tell(state);
        }
        overflows
    }

    /// A change was decided.
    pub(super) fn changed(&self, event: TopologyEvent) -> Overflows {
        let mut state = lock(&self.state);
        state.backlog.changed(&event);
        let changes = state.refresh(&event.topology);
        let overflows = state.deliver(&Delivery::Changed(event));
        if changes {
            self.tell(state);
        }
        overflows
    }

    /// A message was decided.
    pub(super) fn message(&self, message: Message) -> Overflows {
        let mut state = lock(&self.state);
        state.backlog.message(&message);
        state.deliver(&Delivery::Message(message))
    }

    /// Nothing will ever happen again: it stands like this for good.
    pub(super) fn end(&self, last: Standing) {
        let mut state = lock(&self.state);
        state.is_over = true;
        for queue in state.queues.drain(..).filter_map(|queue| queue.upgrade()) {
            queue.end();
        }
        if !state.standing.is_over() {
            state.standing = last;
            self.tell(state);
        }
    }

    /// Tells the standing to those who watch it, after the lock is free.
    fn tell(&self, state: MutexGuard<'_, State>) {
        let standing = state.standing.clone();
        drop(state);
        self.told.send_replace(standing);
    }
}

impl State {
    /// Queues a delivery for everybody who is still subscribed.
    fn deliver(&mut self, delivery: &Delivery) -> Overflows {
        let mut overflows = Overflows(0);
        self.queues.retain(|queue| {
            let Some(queue) = queue.upgrade() else {
                return false;
            };
            if queue.push(delivery) == Room::Gone {
                overflows.0 += 1;
                queue.start_over(self.backlog.topology(), &self.standing);
            }
            true
        });
        overflows
    }

    /// Keeps the topology that the standing carries the one in force; whether it carries one.
    fn refresh(&mut self, in_force: &Topology) -> bool {
        match &mut self.standing {
            Standing::Member { topology } | Standing::WithoutQuorum { stale: topology } => {
                topology.clone_from(in_force);
                true
            }
            _ => false,
        }
    }
}

/// Whether a queue took a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Left,
    Gone,
}

/// What waits for one subscriber.
#[derive(Debug)]
struct Queue {
    state: Mutex<Unread>,
}

#[derive(Debug)]
struct Unread {
    deliveries: VecDeque<Delivery>,
    /// Where the subscriber stands, until something newer is told: it may have come from a node that
    /// was further than the local one is.
    after: Option<TopologyId>,
    is_over: bool,
    reader: Option<Waker>,
}

impl Queue {
    fn new(after: Option<TopologyId>, missed: Vec<Delivery>) -> Self {
        // What is told at the start is no more than the backlog holds, so it may exceed the limit.
        Self {
            state: Mutex::new(Unread {
                deliveries: missed.into(),
                after,
                is_over: false,
                reader: None,
            }),
        }
    }

    fn push(&self, delivery: &Delivery) -> Room {
        let mut state = lock(&self.state);
        if state.was_told(delivery) {
            return Room::Left;
        }
        if state.deliveries.len() >= DELIVERIES_MAX {
            return Room::Gone;
        }
        state.deliveries.push_back(delivery.clone());
        wake(state);
        Room::Left
    }

    /// Replaces everything unread by where things are now.
    fn start_over(&self, topology: Option<&Topology>, standing: &Standing) {
        let mut state = lock(&self.state);
        state.deliveries.clear();
        // Who came from further on lost only standings; it is still told what it has not heard.
        let after = state.after;
        let reached = topology.filter(|it| !after.is_some_and(|after| it.id() < after));
        if reached.is_some() {
            state.after = None;
        }
        let snapshot = reached.map(|topology| Delivery::Snapshot {
            topology: topology.clone(),
            cause: SnapshotCause::Behind,
        });
        let standing = Delivery::Standing(standing.clone());
        state
            .deliveries
            .extend(snapshot.into_iter().chain([standing]));
        state.deliveries.shrink_to_fit();
        wake(state);
    }

    fn end(&self) {
        let mut state = lock(&self.state);
        state.is_over = true;
        wake(state);
    }

    fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<Delivery>> {
        let mut state = lock(&self.state);
        if let Some(delivery) = state.deliveries.pop_front() {
            return Poll::Ready(Some(delivery));
        }
        if state.is_over {
            return Poll::Ready(None);
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Unread {
    /// Whether the subscriber has heard this already, elsewhere.
    fn was_told(&mut self, delivery: &Delivery) -> bool {
        let Some(after) = self.after else {
            return false;
        };
        let was_told = match delivery {
            Delivery::Changed(event) => event.topology.id() <= after,
            Delivery::Message(message) => return message.topology < after,
            Delivery::Snapshot { .. } => false,
            // A standing, or what may yet be added: nothing that another node could have told.
            _ => return false,
        };
        if !was_told {
            self.after = None;
        }
        was_told
    }
}

/// Wakes the subscriber, after the lock is free.
fn wake(mut state: MutexGuard<'_, Unread>) {
    let reader = state.reader.take();
    drop(state);
    if let Some(reader) = reader {
        reader.wake();
    }
}

/// How many subscribers were too slow for this delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) struct Overflows(pub(super) usize);

/// A subscription of a [`TcpDiscovery`](super::TcpDiscovery).
#[derive(Debug)]
pub(super) struct QueuedSubscription {
    queue: Arc<Queue>,
}

impl Subscription for QueuedSubscription {
    fn next(&mut self) -> BoxFuture<'_, Option<Delivery>> {
        Box::pin(poll_fn(|cx| self.queue.poll_next(cx)))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "subscribers_tests.rs"]
mod tests;
