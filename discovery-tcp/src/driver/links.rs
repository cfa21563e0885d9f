//! What all links of one driver share: where they report to, how they are secured, how many there
//! may be, and how long they may take to open.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use super::counters::Counters;
use super::inbox::{Happening, Inbox};
use super::link::{Link, Permits};
use super::outbox::{Held, Outbox};
use super::security::{LinkSecurity, SecuredLink};
use super::sockets;
use crate::config::RingConfig;
use crate::ring::{DialFailure, LinkId};

/// Most links of others that have not sent their first message. While so many are waited for, no
/// further one is accepted; those who knock wait in the kernel's queue.
pub(super) const UNGREETED_MAX: usize = 64;

/// Shared by the protocol's task, the listener and every link of one driver.
#[derive(Debug)]
pub(super) struct Links {
    pub(super) inbox: Inbox,
    pub(super) counters: Counters,
    pub(super) security: Arc<dyn LinkSecurity>,
    pub(super) places: Arc<Semaphore>,
    pub(super) ungreeted: Arc<Semaphore>,
    pub(super) places_max: usize,
    pub(super) frame_bytes_max: usize,
    pub(super) dial_timeout: Duration,
    pub(super) hello_timeout: Duration,
    /// Turns true when the driver stops: nothing is welcomed any more.
    over: watch::Sender<bool>,
}

impl Links {
    /// No links yet, with the limits of this configuration.
    pub(super) fn new(security: Arc<dyn LinkSecurity>, config: &RingConfig) -> Self {
        Self {
            inbox: Inbox::default(),
            counters: Counters::default(),
            security,
            places: Arc::new(Semaphore::new(config.links_max)),
            ungreeted: Arc::new(Semaphore::new(UNGREETED_MAX)),
            places_max: config.links_max,
            frame_bytes_max: config.frame_bytes_max,
            dial_timeout: config.dial_timeout,
            hello_timeout: config.hello_timeout,
            over: watch::Sender::new(false),
        }
    }

    /// From now on no link of others is welcomed, and those that are being welcomed end.
    pub(super) fn welcome_no_more(&self) {
        self.over.send_replace(true);
    }

    /// Waits until every link has given its place back.
    pub(super) async fn all_ended(&self) {
        let places = u32::try_from(self.places_max).unwrap_or(u32::MAX);
        // An error means that the places are closed, which nobody does.
        let _all = self.places.acquire_many(places).await;
    }

    /// A place for one more link, if there is one.
    pub(super) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Opens a link that the ring asked for, and carries it until it ends.
    pub(super) fn dial(self: &Arc<Self>, link: LinkId, to: SocketAddr, outbox: &Arc<Outbox>) {
        self.counters.links_dialled.one();
        let Some(place) = self.place() else {
            self.fail(link, DialFailure::NotTried);
            return;
        };
        let (links, outbox) = (Arc::clone(self), Arc::clone(outbox));
        tokio::spawn(async move {
            let dialling = Dialling::new(&links, link);
            let permits = Permits::to_dial(place);
            // Boxed, so that the task of a link that is open holds no room for opening it.
            let opened = Box::pin(until_over(&outbox, links.open(to))).await;
            dialling.end();
            match opened {
                None => {}
                Some(Ok(secured)) => {
                    links.inbox.push(Happening::Opened { link });
                    Link::new(link, links, outbox, permits, secured.stream).await;
                }
                Some(Err(failure)) => links.fail(link, failure),
            }
        });
    }

    async fn open(&self, to: SocketAddr) -> Result<SecuredLink, DialFailure> {
        let open = async {
            let secured = self.security.dial(sockets::connect(to).await?, to).await;
            secured.map_err(|error| match sockets::failure(&error) {
                // Somebody listens there, whatever it says now: no refusal (FORM-7).
                DialFailure::Refused => DialFailure::Unreachable,
                failure => failure,
            })
        };
        let opened = timeout(self.dial_timeout, open).await;
        opened.unwrap_or(Err(DialFailure::TimedOut))
    }

    fn fail(&self, link: LinkId, failure: DialFailure) {
        self.counters.dials_failed.one();
        self.inbox.push(Happening::Failed { link, failure });
    }

    /// Takes a link that another node opened, and carries it until it ends.
    pub(super) fn accept(
        self: &Arc<Self>,
        link: LinkId,
        socket: TcpStream,
        from: SocketAddr,
        permits: Permits,
    ) {
        self.counters.links_accepted.one();
        let links = Arc::clone(self);
        tokio::spawn(async move {
            let outbox = Arc::new(Outbox::new(links.frame_bytes_max));
            let secured = Box::pin(links.welcome(socket, from)).await;
            if let Some(secured) = secured {
                links.inbox.push(Happening::Accepted {
                    link,
                    from,
                    outbox: Held::new(Arc::clone(&outbox)),
                });
                Link::new(link, links, outbox, permits, secured.stream).await;
            } else {
                links.counters.links_without_greeting.one();
            }
        });
    }

    async fn welcome(&self, socket: TcpStream, from: SocketAddr) -> Option<SecuredLink> {
        let secure = self.security.accept(socket, from);
        let mut over = self.over.subscribe();
        tokio::select! {
            biased;
            _ = over.wait_for(|over| *over) => None,
            secured = timeout(self.hello_timeout, secure) => secured.ok()?.ok(),
        }
    }
}

/// A dial that has failed if it ends in no other way, as when securing the link panics.
struct Dialling {
    links: Option<Arc<Links>>,
    link: LinkId,
}

impl Dialling {
    fn new(links: &Arc<Links>, link: LinkId) -> Self {
        let links = Some(Arc::clone(links));
        Self { links, link }
    }

    /// What became of it is told by others.
    fn end(mut self) {
        self.links = None;
    }
}

impl Drop for Dialling {
    fn drop(&mut self) {
        if let Some(links) = self.links.take() {
            links.fail(self.link, DialFailure::NotTried);
        }
    }
}

/// The outcome of a future, or nothing if the link is ordered to close before.
async fn until_over<T>(outbox: &Outbox, future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = std::future::poll_fn(|cx| outbox.poll_over(cx)) => None,
        outcome = future => Some(outcome),
    }
}

#[cfg(test)]
#[path = "links_tests.rs"]
mod tests;
