//! The one task that owns a ring: it tells the ring what happened and does what the ring asks.
//!
//! It never waits for anything but the next thing to happen: what takes time runs on tasks of its
//! own and comes back through the inbox.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use discovery_core::{LeaveError, PublishError, Standing};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::consume_budget;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::asking::Asking;
use super::clock::Clock;
use super::command::Command;
use super::inbox::{Happening, Inbox};
use super::journal::Journal;
use super::links::Links;
use super::outbox::{Frame, Held, Order, Outbox};
use super::subscribers::Subscribers;
use crate::message::{CloseReason, Message};
use crate::ring::{Input, LinkId, Notice, Output, Ring};
use crate::wire::{FrameTooLarge, encode_frame};

/// How long links may take to send their last words once the node has left.
const FLUSH_LIMIT: Duration = Duration::from_millis(500);

/// Everything that a driver's protocol task owns.
#[derive(Debug)]
pub(super) struct ProtocolTask {
    pub(super) ring: Ring,
    pub(super) clock: Clock,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) links: Arc<Links>,
    pub(super) asking: Asking,
    pub(super) subscribers: Arc<Subscribers>,
    pub(super) journal: Journal,
    pub(super) open: BTreeMap<LinkId, OpenLink>,
    pub(super) replies: Replies,
    /// Space for what happened; empty between turns.
    pub(super) batch: Vec<Happening>,
    /// The last message that was sent, and its frame.
    pub(super) encoded: Option<(Arc<Message>, Frame)>,
    /// Links that the ring has closed and that may still be sending.
    pub(super) closing: Vec<Weak<Outbox>>,
    pub(super) has_left: bool,
    pub(super) is_over: bool,
}

/// A link as the protocol's task knows it, from being asked for to being closed.
#[derive(Debug)]
pub(super) struct OpenLink {
    address: SocketAddr,
    outbox: Held,
}

/// Who waits for an answer.
#[derive(Debug, Default)]
pub(super) struct Replies {
    next_request: u64,
    publications: BTreeMap<u64, oneshot::Sender<Result<discovery_core::Published, PublishError>>>,
    leaving: Vec<oneshot::Sender<Result<(), LeaveError>>>,
    /// Why the ring refused the command that it is just being told.
    refusal: Option<String>,
}

impl ProtocolTask {
    /// Runs until the node has left, is told to stop, or nobody holds a handle any more.
    pub(super) async fn run(mut self: Box<Self>) {
        let mut alarm = pin!(sleep_until(Instant::now()));
        self.act();
        while !self.is_over {
            self.set_alarm(alarm.as_mut());
            tokio::select! {
                biased;
                () = poll_fn(|cx| self.links.inbox.poll_any(cx)) => {}
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => break,
                },
                () = alarm.as_mut(), if self.ring.next_deadline().is_some() => {}
            }
            self.take_in();
            // However much goes on, one command is taken each turn.
            match self.commands.try_recv() {
                Ok(command) => self.obey(command),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => break,
            }
            let now = self.clock.now();
            if self.ring.next_deadline().is_some_and(|due| due <= now) {
                self.tell(Input::Deadline);
            }
            // Links and timers share the thread with this task; none may starve.
            consume_budget().await;
        }
        self.end().await;
    }

    /// Sets the alarm to the ring's deadline. A millisecond is as fine as the runtime's timers are.
    fn set_alarm(&self, alarm: std::pin::Pin<&mut Sleep>) {
        if let Some(due) = self.ring.next_deadline().map(|due| self.clock.instant(due))
            && due != alarm.deadline()
        {
            alarm.reset(due);
        }
    }

    /// Tells the ring everything that happened since the last time.
    fn take_in(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        self.links.inbox.take(&mut batch);
        let count = batch.len();
        for happening in batch.drain(..) {
            self.on_happening(happening);
        }
        Inbox::recycle(&mut batch, count);
        self.batch = batch;
    }

    fn on_happening(&mut self, happening: Happening) {
        match happening {
            Happening::Accepted { link, from, outbox } => {
                let address = from;
                self.open.insert(link, OpenLink { address, outbox });
                self.tell(Input::LinkAccepted { link, from });
            }
            Happening::Opened { link } if self.open.contains_key(&link) => {
                self.tell(Input::LinkOpened { link });
            }
            Happening::Failed { link, failure } if self.open.remove(&link).is_some() => {
                self.tell(Input::LinkFailed { link, failure });
            }
            Happening::Closed { link, is_greeted } => {
                let Some(closed) = self.open.remove(&link) else {
                    return;
                };
                if !is_greeted {
                    self.journal.ungreeted(closed.address);
                }
                self.tell(Input::LinkClosed { link });
            }
            Happening::Received { link, message } => {
                let Some(from) = self.open.get(&link) else {
                    return;
                };
                from.outbox.handled();
                self.tell(Input::Received { link, message });
            }
            Happening::Undecodable { link, why } => {
                let Some(from) = self.open.get(&link) else {
                    return;
                };
                self.journal.undecodable(from.address, &why);
                self.tell(Input::Undecodable { link });
            }
            // The ring has closed the link meanwhile and wants to hear no more of it.
            Happening::Opened { .. } | Happening::Failed { .. } => {}
            Happening::Seeds { watch, report } => {
                if self.asking.is_current(watch) {
                    self.tell(Input::Seeds(report));
                }
            }
            Happening::Listing { round, result } => self.tell(Input::Listing { round, result }),
            Happening::PodFact { question, fact } => self.tell(Input::PodFact { question, fact }),
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Publish {
                topic,
                payload,
                reply,
            } => {
                let request = self.replies.next_request;
                self.replies.next_request += 1;
                self.replies.publications.insert(request, reply);
                self.tell(Input::Publish {
                    request,
                    topic,
                    payload,
                });
            }
            Command::Leave { reply } => {
                self.replies.leaving.push(reply);
                self.tell(Input::Leave);
            }
            Command::Remove {
                node,
                reason,
                reply,
            } => self.operate(Input::Remove { node, reason }, reply),
            Command::ForceRecovery { reply } => self.operate(Input::ForceRecovery, reply),
            // Whoever asked may have gone.
            Command::Status { reply } => drop(reply.send(self.ring.status())),
            Command::Counters { reply } => drop(reply.send(self.ring.counters().clone())),
            Command::Stop => self.is_over = true,
            #[cfg(test)]
            Command::Panic => unreachable!("a test has the protocol go wrong"),
        }
    }

    /// Tells the ring an operator's command; what it refuses, it refuses at once.
    fn operate(&mut self, input: Input, reply: oneshot::Sender<Result<(), String>>) {
        self.replies.refusal = None;
        self.tell(input);
        let answer = self.replies.refusal.take().map_or(Ok(()), Err);
        // Whoever asked may have gone; the command holds all the same.
        let _ = reply.send(answer);
    }

    fn tell(&mut self, input: Input) {
        self.ring.handle(self.clock.now(), input);
        self.act();
    }

    /// Does everything that the ring asks.
    pub(super) fn act(&mut self) {
        while let Some(output) = self.ring.poll_output() {
            match output {
                Output::OpenLink { link, to } => {
                    let outbox = Arc::new(Outbox::new(self.links.frame_bytes_max));
                    self.links.dial(link, to, &outbox);
                    let (address, outbox) = (to, Held::new(outbox));
                    self.open.insert(link, OpenLink { address, outbox });
                }
                Output::CloseLink { link, reason } => self.close(link, reason),
                Output::Send { link, message } => self.send(link, message),
                Output::WatchSeeds(true) => self.asking.watch(),
                Output::WatchSeeds(false) => self.asking.unwatch(),
                Output::AskListing { round } => self.asking.list(round),
                Output::AskPod { question, pod } => self.asking.read_pod(question, pod),
                Output::Emit(notice) => self.announce(notice),
                #[cfg(feature = "sim")]
                Output::Observed(_) => {}
            }
        }
    }

    fn close(&mut self, link: LinkId, reason: CloseReason) {
        if let Some(closed) = self.open.remove(&link) {
            self.journal.closed(closed.address, reason);
            closed.outbox.order(Order::Close);
            if self.closing.len() == self.closing.capacity() {
                self.closing.retain(|link| link.strong_count() > 0);
            }
            self.closing.push(Arc::downgrade(&closed.outbox));
        }
    }

    fn send(&mut self, link: LinkId, message: Arc<Message>) {
        let Some(to) = self.open.get(&link) else {
            return;
        };
        let frame = match frame_of(&mut self.encoded, message, self.links.frame_bytes_max) {
            Ok(frame) => frame,
            Err(error) => {
                self.links.counters.messages_oversized.one();
                self.journal.oversized(&error);
                return;
            }
        };
        self.links.counters.frames_sent.one();
        if to.outbox.send(frame).is_err() {
            self.links.counters.links_overflowed.one();
            self.journal.overflowed(to.address);
            to.outbox.order(Order::Drop);
            let is_greeted = true;
            self.links
                .inbox
                .push(Happening::Closed { link, is_greeted });
        }
    }

    fn announce(&mut self, notice: Notice) {
        self.journal.announced(&notice);
        let overflows = match notice {
            Notice::Identity(node) => return self.subscribers.identified(node),
            Notice::Standing(standing) => self.subscribers.stands(&standing),
            Notice::Installed {
                topology, cause, ..
            } => self.subscribers.installed(&topology, cause),
            Notice::Changed(event) => self.subscribers.changed(event),
            Notice::Message(message) => self.subscribers.message(message),
            Notice::Published { request, result } => {
                if let Some(reply) = self.replies.publications.remove(&request) {
                    // Whoever published may not wait for it any more.
                    let _ = reply.send(result);
                }
                return;
            }
            Notice::Left(result) => {
                for reply in self.replies.leaving.drain(..) {
                    let _ = reply.send(result.clone());
                }
                self.has_left = true;
                self.is_over = true;
                return;
            }
            Notice::Refused { why } => {
                self.replies.refusal = Some(why);
                return;
            }
            Notice::MetOtherCluster { .. } | Notice::NotListed | Notice::Contested(_) => {
                return self.links.counters.noticed(&notice);
            }
        };
        self.links.counters.subscribers_overflowed.add(overflows.0);
    }

    /// Orders every link to end, and gives last words the time to go out. Waiting for the links to
    /// end is left to `ending.rs`.
    async fn end(mut self: Box<Self>) {
        self.commands.close();
        self.replies = Replies::default();
        self.subscribers.end(Standing::Left);
        self.asking.unwatch();
        self.links.welcome_no_more();
        if self.has_left {
            // Last words go out first.
            for link in self.open.values() {
                link.outbox.order(Order::Close);
            }
            let _ = timeout(FLUSH_LIMIT, self.links.all_ended()).await;
        }
        for outbox in self.closing.iter().filter_map(Weak::upgrade) {
            outbox.order(Order::Drop);
        }
        for link in self.open.values() {
            link.outbox.order(Order::Drop);
        }
    }
}

/// The frame of a message; that of the last one is at hand.
fn frame_of(
    encoded: &mut Option<(Arc<Message>, Frame)>,
    message: Arc<Message>,
    bytes_max: usize,
) -> Result<Frame, FrameTooLarge> {
    if let Some((last, frame)) = encoded
        && Arc::ptr_eq(last, &message)
    {
        return Ok(Arc::clone(frame));
    }
    let frame: Frame = encode_frame(&message, bytes_max)?.into();
    *encoded = Some((message, Arc::clone(&frame)));
    Ok(frame)
}
