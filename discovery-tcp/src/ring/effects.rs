//! What a ring does to the world while it handles one input: outputs, timers, links and chance.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use discovery_core::{NodeId, NodeInfo, UnixMillis};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::counters::RingCounters;
use super::input::LinkId;
use super::links::{Link, Links, Purpose, Stage};
use super::observation::Observation;
use super::output::{Notice, Output};
use super::planted::{Bug, Planted};
use super::timers::{Timer, Timers};
use crate::message::{CloseReason, Goodbye, Message};
use crate::moment::Moment;

/// The ring's hands.
#[derive(Debug)]
pub(super) struct Effects {
    pub(super) now: Moment,
    pub(super) timers: Timers,
    pub(super) links: Links,
    pub(super) counters: RingCounters,
    pub(super) planted: Planted,
    outputs: VecDeque<Output>,
    rng: ChaCha8Rng,
    wall_at_start: UnixMillis,
    links_max: usize,
    /// How many rounds there were, of every kind, under every node id.
    rounds: u64,
    /// How many dials were asked of others.
    errands: u64,
}

impl Effects {
    pub(super) fn new(seed: [u8; 32], wall_at_start: UnixMillis, links_max: usize) -> Self {
        Self {
            now: Moment::START,
            timers: Timers::default(),
            links: Links::default(),
            counters: RingCounters::default(),
            planted: Planted::default(),
            outputs: VecDeque::new(),
            rng: ChaCha8Rng::from_seed(seed),
            wall_at_start,
            links_max,
            rounds: 0,
            errands: 0,
        }
    }

    /// A number that no dial asked of others had, under any term: who answers late answers for that
    /// one alone.
    pub(super) fn next_errand(&mut self) -> u64 {
        self.errands += 1;
        self.errands
    }

    /// A number that no round of this process had: an answer that comes late, to a round that is
    /// void or of another life, is never taken for that of another (FORM-3).
    pub(super) fn next_round(&mut self) -> u64 {
        self.rounds += 1;
        self.rounds
    }

    pub(super) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Shows a checker what no output tells.
    #[cfg_attr(
        not(feature = "sim"),
        expect(clippy::unused_self, reason = "as with the feature")
    )]
    pub(super) fn observe(&mut self, observation: impl FnOnce() -> Observation) {
        #[cfg(feature = "sim")]
        self.output(Output::Observed(observation()));
        #[cfg(not(feature = "sim"))]
        drop(observation);
    }

    pub(super) fn bug(&self, bug: Bug) -> bool {
        self.planted.has(bug)
    }

    /// The wall time now, by the start's reading and the monotonic scale.
    pub(super) fn wall(&self) -> UnixMillis {
        let millis = i64::try_from(self.now.as_nanos() / 1_000_000).unwrap_or(i64::MAX);
        UnixMillis(self.wall_at_start.0.saturating_add(millis))
    }

    pub(super) fn draw_u128(&mut self) -> u128 {
        (u128::from(self.rng.next_u64()) << 64) | u128::from(self.rng.next_u64())
    }

    /// Between three quarters and five quarters of a span.
    pub(super) fn jitter(&mut self, span: Duration) -> Duration {
        let quarters = 768 + self.rng.next_u32() % 512;
        span * quarters / 1024
    }

    /// Sets a timer this long from now.
    pub(super) fn after(&mut self, timer: Timer, span: Duration) {
        self.timers.set(timer, self.now + span);
    }

    /// Sets a timer this long from now, unless it is due earlier.
    pub(super) fn within(&mut self, timer: Timer, span: Duration) {
        self.timers.set_by(timer, self.now + span);
    }

    pub(super) fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(super) fn emit(&mut self, notice: Notice) {
        self.outputs.push_back(Output::Emit(notice));
    }

    /// Asks for a link; none if the limit of links is hit.
    pub(super) fn dial(&mut self, to: SocketAddr, purpose: Purpose) -> Option<LinkId> {
        if self.links.len() >= self.links_max {
            self.counters.links_refused += 1;
            return None;
        }
        let id = self.links.draw();
        let link = Link {
            dialled: Some(to),
            purpose,
            stage: Stage::Dialling,
            used_at: self.now,
            heard_at: self.now,
        };
        self.links.insert(id, link);
        self.counters.dials += 1;
        self.output(Output::OpenLink { link: id, to });
        Some(id)
    }

    /// Dials a node unless there is a link, or one is being opened.
    pub(super) fn ensure_link(&mut self, node: &NodeInfo, attempt: usize) {
        if self.links.is_linked(node.id()) || self.links.is_dialling(node.id(), node.addresses()) {
            return;
        }
        let addresses = node.addresses();
        let to = addresses[attempt % addresses.len()];
        self.dial(to, Purpose::Member(node.id()));
    }

    pub(super) fn accept(&mut self, id: LinkId, limit: Duration) {
        let link = Link {
            dialled: None,
            purpose: Purpose::Accepted,
            stage: Stage::Greeting,
            used_at: self.now,
            heard_at: self.now,
        };
        self.links.insert(id, link);
        self.after(Timer::Greeting(id), limit);
    }

    pub(super) fn send(&mut self, link: LinkId, message: Message) {
        self.send_shared(link, Arc::new(message));
    }

    pub(super) fn send_shared(&mut self, link: LinkId, message: Arc<Message>) {
        self.counters.messages_sent += 1;
        self.outputs.push_back(Output::Send { link, message });
    }

    /// Sends to a node over the newest link to it; false if there is none.
    pub(super) fn send_to(&mut self, node: NodeId, message: Message) -> bool {
        self.send_shared_to(node, &Arc::new(message))
    }

    pub(super) fn send_shared_to(&mut self, node: NodeId, message: &Arc<Message>) -> bool {
        let Some(link) = self.links.to(node) else {
            return false;
        };
        let now = self.now;
        if let Some(link) = self.links.get_mut(link) {
            link.used_at = now;
        }
        self.send_shared(link, Arc::clone(message));
        true
    }

    /// Forgets a link without a word, and returns it.
    pub(super) fn forget(&mut self, link: LinkId) -> Option<Link> {
        self.timers.clear(Timer::Greeting(link));
        self.links.remove(link)
    }

    /// Says goodbye on a link and closes it.
    pub(super) fn close(&mut self, link: LinkId, reason: CloseReason) {
        let Some(gone) = self.forget(link) else {
            return;
        };
        match gone.stage {
            Stage::Open(_) => self.send(link, Message::Goodbye(Goodbye { reason })),
            Stage::Dialling | Stage::Greeting => {}
        }
        self.counters.closed(reason);
        self.output(Output::CloseLink { link, reason });
    }

    /// Closes every link, as when the node id is given up.
    pub(super) fn close_all(&mut self, reason: CloseReason) {
        let all: Vec<LinkId> = self.links.iter().map(|(id, _)| id).collect();
        for link in all {
            self.close(link, reason);
        }
    }
}
