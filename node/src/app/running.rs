//! A running node, and its orderly end: not ready, leave decided, streams ended, sockets closed,
//! all of it within a limit; and its end in no order, where it is dropped.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use discovery_core::{Discovery as _, LeaveError, Standing};
use discovery_tcp::TcpDiscovery;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::refusal::{refused, say};
use crate::view::NodeView;

/// Most requests to end that wait; one more is refused, since the node is about to end anyway.
pub(super) const ENDS_MAX: usize = 16;

/// How long open calls may go on once the streams were ended.
const CALLS_LIMIT: Duration = Duration::from_secs(2);

/// How a node came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// As it was asked to: the leave was decided, or there was nothing to leave.
    Left,
    /// As it was asked to, and the leave was not decided in time; the others find it gone.
    NotDecided,
    /// It was told a second time to end, and ended at once.
    AtOnce,
    /// The cluster refuses it for good; says why.
    Refused(String),
    /// Nobody asked: the protocol has stopped by itself.
    ByItself,
}

/// Where a node's services are.
#[derive(Clone, Debug)]
pub(super) struct Places {
    pub(super) grpc: Option<SocketAddr>,
    pub(super) http: Option<SocketAddr>,
    pub(super) admin: Option<PathBuf>,
    /// Where operators are served that is no Unix socket.
    pub(super) admin_address: Option<SocketAddr>,
}

/// One word for each stage of the end.
#[derive(Clone, Debug)]
pub(super) struct Tokens {
    /// Not ready any more.
    pub(super) draining: CancellationToken,
    /// Streams end.
    pub(super) ending: CancellationToken,
    /// Sockets close.
    pub(super) closing: CancellationToken,
    /// Connections are cut, whatever goes on over them.
    pub(super) cut: CancellationToken,
}

/// Asks a running node to end; clones ask the same one.
#[derive(Clone, Debug)]
pub struct Control(mpsc::Sender<EndRequest>);

#[derive(Debug)]
pub(super) struct EndRequest {
    pause: Duration,
    reply: oneshot::Sender<Result<(), LeaveError>>,
}

impl Control {
    pub(super) fn new(requests: mpsc::Sender<EndRequest>) -> Self {
        Self(requests)
    }

    /// Has the node end after this pause, in which it says that it is not ready, and waits until
    /// the leave is decided.
    ///
    /// # Errors
    ///
    /// If there was nothing to leave, or it was not decided in time; the node ends all the same.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the request back.
    pub async fn end(&self, pause: Duration) -> Result<(), LeaveError> {
        let (reply, answer) = oneshot::channel();
        let request = EndRequest { pause, reply };
        if self.0.try_send(request).is_err() {
            return Err(LeaveError::NotAMember);
        }
        answer.await.unwrap_or(Err(LeaveError::NotDecided))
    }
}

/// A node that runs until its end is asked for; dropping it ends it as if it had been killed.
#[derive(Debug)]
pub struct RunningApp {
    pub(super) discovery: TcpDiscovery,
    pub(super) view: NodeView,
    pub(super) control: Control,
    pub(super) requests: mpsc::Receiver<EndRequest>,
    pub(super) tokens: Tokens,
    pub(super) services: JoinSet<()>,
    pub(super) places: Places,
    pub(super) stop_limit: Duration,
    pub(super) exit_on_refusal: bool,
}

impl RunningApp {
    /// The node's membership.
    pub fn discovery(&self) -> &TcpDiscovery {
        &self.discovery
    }

    /// The node as the outside sees it.
    pub fn view(&self) -> &NodeView {
        &self.view
    }

    /// What asks it to end.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Where the API is served.
    pub fn grpc_address(&self) -> Option<SocketAddr> {
        self.places.grpc
    }

    /// Where probes, metrics and the page are served.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.places.http
    }

    /// The Unix socket where operators are served.
    pub fn admin_path(&self) -> Option<&Path> {
        self.places.admin.as_deref()
    }

    /// The address where operators are served, if that is no Unix socket.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.places.admin_address
    }

    /// Runs until its end is asked for, by a call or by `asked`, which stands for a signal and is
    /// made anew for each one. The first signal ends a pause that a call has asked for, and nothing
    /// else of an end that is under way; a second one ends it at once.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the node as if it had been killed.
    pub async fn run<A, F>(mut self, mut asked: A) -> End
    where
        A: FnMut() -> F,
        F: Future<Output = ()>,
    {
        let discovery = self.discovery.clone();
        let is_final = self.exit_on_refusal;
        let over = async {
            tokio::select! {
                end = stopped(&discovery) => end,
                why = refused(&discovery), if is_final => End::Refused(why),
                never = say(&discovery), if !is_final => match never {},
            }
        };
        let request = tokio::select! {
            () = asked() => None,
            request = self.requests.recv() => request,
            end = over => {
                self.tokens.ending.cancel();
                self.close().await;
                return end;
            }
        };
        tracing::info!("ending: not ready any more");
        self.view.drain();
        self.tokens.draining.cancel();
        let mut signals = u8::from(request.is_none());
        if let Some(request) = &request {
            // Its length has a limit of its own, where it is asked for.
            tokio::select! {
                () = sleep(request.pause) => {}
                () = asked() => signals += 1,
            }
        }
        let limit = self.stop_limit;
        let mut ending = pin!(timeout(limit, self.leave_and_close(request)));
        loop {
            tokio::select! {
                end = &mut ending => return end.unwrap_or(End::NotDecided),
                () = asked() => signals += 1,
            }
            if signals > 1 {
                return End::AtOnce;
            }
        }
    }

    /// Leaves, then ends streams, then closes.
    async fn leave_and_close(&mut self, request: Option<EndRequest>) -> End {
        let left = self.discovery.leave().await;
        let mut replies: Vec<_> = request.into_iter().collect();
        while let Ok(another) = self.requests.try_recv() {
            replies.push(another);
        }
        for request in replies {
            // Whoever asked may have gone.
            let _ = request.reply.send(left.clone());
        }
        self.tokens.ending.cancel();
        self.close().await;
        match left {
            Ok(()) | Err(LeaveError::NotAMember) => End::Left,
            Err(_) => End::NotDecided,
        }
    }

    /// Closes the services, then the ring's own listener, the last of all.
    async fn close(&mut self) {
        self.tokens.closing.cancel();
        let all = async { while self.services.join_next().await.is_some() {} };
        if timeout(CALLS_LIMIT, all).await.is_err() {
            tracing::warn!("calls that do not end are cut off");
            // Connections are tasks of their own: to abort who accepted them would leave them.
            self.tokens.cut.cancel();
            self.services.abort_all();
        }
        if let Some(path) = &self.places.admin {
            // Whoever comes next replaces it all the same.
            let _ = std::fs::remove_file(path);
        }
        self.discovery.shutdown().await;
    }
}

impl Drop for RunningApp {
    /// Whatever still runs of it ends: connections are tasks of their own, and each keeps a handle
    /// of the ring for as long as somebody streams.
    fn drop(&mut self) {
        self.tokens.ending.cancel();
        self.tokens.closing.cancel();
        self.tokens.cut.cancel();
        // Without a runtime there are no tasks either.
        if let Ok(runtime) = Handle::try_current() {
            let discovery = self.discovery.clone();
            runtime.spawn(async move { discovery.shutdown().await });
        }
    }
}

/// Waits until a node that nobody asked to end has ended.
async fn stopped(discovery: &TcpDiscovery) -> End {
    let mut standings = discovery.standings();
    // Nobody is left to ask if it is closed.
    let _ = standings.wait_for(Standing::is_over).await;
    End::ByItself
}
