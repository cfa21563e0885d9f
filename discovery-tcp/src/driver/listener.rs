//! Accepting links within their limits. The listener is held for the life of the driver and given
//! back at its end, so that whoever stops the driver closes it last (K3).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::link::Permits;
use super::links::Links;
use super::seldom::Seldom;
use crate::ring::LinkId;

/// Pause after accepting failed, for want of open files or the like.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Shortest time between two log lines about the same trouble.
const LOG_PAUSE: Duration = Duration::from_secs(10);

/// A running listener.
#[derive(Debug)]
pub(super) struct Listening {
    stop: oneshot::Sender<()>,
    task: JoinHandle<TcpListener>,
}

impl Listening {
    /// Starts to accept.
    pub(super) fn start(listener: TcpListener, links: Arc<Links>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let accepting = Accepting {
            listener,
            links,
            next: 1,
            turned_away: Seldom::every(LOG_PAUSE),
            failed: Seldom::every(LOG_PAUSE),
        };
        let task = tokio::spawn(accepting.run(stopped));
        Self { stop, task }
    }

    /// Stops accepting and gives the listener back, still open.
    pub(super) async fn stop(self) -> Option<TcpListener> {
        // If nobody listens for it, the task has ended already.
        let _ = self.stop.send(());
        self.task.await.ok()
    }
}

struct Accepting {
    listener: TcpListener,
    links: Arc<Links>,
    /// The next odd number.
    next: u64,
    turned_away: Seldom,
    failed: Seldom,
}

impl Accepting {
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) -> TcpListener {
        loop {
            tokio::select! {
                biased;
                _ = &mut stopped => return self.listener,
                () = self.accept() => {}
            }
        }
    }

    /// Accepts one link, as soon as fewer than the limit are waited for to speak.
    async fn accept(&mut self) {
        let Ok(ungreeted) = Arc::clone(&self.links.ungreeted).acquire_owned().await else {
            return std::future::pending().await;
        };
        match self.listener.accept().await {
            Ok((socket, from)) => self.take(socket, from, ungreeted),
            Err(error) => self.rest(error).await,
        }
    }

    fn take(&mut self, socket: TcpStream, from: SocketAddr, ungreeted: OwnedSemaphorePermit) {
        let Some(place) = self.links.place() else {
            self.links.counters.links_turned_away.one();
            if let Some(untold) = self.turned_away.tell() {
                let links_max = self.links.places_max;
                tracing::warn!(%from, links_max, untold, "too many links; turned one away");
            }
            return;
        };
        let permits = Permits::to_accept(place, ungreeted);
        let link = LinkId(self.next);
        self.next += 2;
        self.links.accept(link, socket, from, permits);
    }

    async fn rest(&mut self, error: io::Error) {
        self.links.counters.accepts_failed.one();
        if let Some(untold) = self.failed.tell() {
            tracing::warn!(%error, untold, "no link can be accepted; trying on");
        }
        sleep(PAUSE_AFTER_FAILURE).await;
    }
}
