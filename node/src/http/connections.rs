//! The connections of the HTTP side: no more at a time than a limit, none that waits for long for a
//! request, and none that outlives the server. What is answered is `mod.rs`'s.

use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::view::traffic::{Door, OpenConnection};

/// How long a client may take for the whole head of a request, and be silent between two.
const HEAD_LIMIT: Duration = Duration::from_secs(15);

/// How long open requests may go on once the server is to stop; pages are ended at once.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// Pause after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What connections may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Most connections.
    pub(super) connections_max: usize,
    /// Time for the head of a request.
    pub(super) head: Duration,
}

impl Limits {
    /// So many connections, and the usual time.
    pub(super) fn with(connections_max: usize) -> Self {
        Self {
            connections_max,
            head: HEAD_LIMIT,
        }
    }
}

/// Answers by this router until it is told to stop; then open requests may go on for a moment.
///
/// # Cancel safety
///
/// Dropping the future ends every connection.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    door: Door,
    stop: CancellationToken,
) {
    let mut connections = JoinSet::new();
    // No limit: it serves for as long as the node.
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) if connections.len() < limits.connections_max => {
                    let (open, stop) = (door.open(), stop.clone());
                    connections.spawn(answer(socket, router.clone(), limits, open, stop));
                }
                Ok(_) => door.turned_away(),
                Err(error) => rest(&error).await,
            }
        }
    }
    // Nobody is accepted from now on.
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    // What still goes on is dropped.
    let _ = timeout(DRAIN_LIMIT, all).await;
}

/// Too many open files, most of all: to ask again at once would only burn time.
async fn rest(error: &io::Error) {
    tracing::warn!(%error, "no HTTP connection can be accepted");
    sleep(ACCEPT_PAUSE).await;
}

/// Answers the requests of one connection until either side ends it.
async fn answer(
    socket: TcpStream,
    router: Router,
    limits: Limits,
    _open: OpenConnection,
    stop: CancellationToken,
) {
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head);
    let service = TowerToHyperService::new(router);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(socket), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP connection has failed");
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::task::JoinHandle;

    use super::*;
    use crate::view::traffic::{HTTP, Traffic};

    /// Longer than anything here takes; only a failure waits for it.
    const LIMIT: Duration = Duration::from_mins(1);
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    struct Stage {
        address: SocketAddr,
        stop: CancellationToken,
        serving: JoinHandle<()>,
    }

    async fn stage(connections_max: usize, head: Duration) -> Stage {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let limits = Limits {
            connections_max,
            head,
        };
        let router = Router::new()
            .route("/", get(|| async { "here" }))
            .route("/never", get(std::future::pending::<()>));
        let stop = CancellationToken::new();
        let door = Traffic::default().door(HTTP);
        Stage {
            address: listener.local_addr().unwrap(),
            serving: tokio::spawn(serve(listener, router, limits, door, stop.clone())),
            stop,
        }
    }

    impl Stage {
        async fn connect(&self) -> TcpStream {
            TcpStream::connect(self.address).await.unwrap()
        }
    }

    /// Whether a request is answered over this connection; not if it is closed.
    async fn is_answered(link: &mut TcpStream) -> bool {
        let asked = async {
            link.write_all(REQUEST).await?;
            let mut answer = [0; 12];
            link.read_exact(&mut answer).await?;
            Ok::<_, io::Error>(answer)
        };
        let answer = timeout(LIMIT, asked).await.unwrap();
        answer.is_ok_and(|answer| answer.ends_with(b"200"))
    }

    /// Waits until the other side has closed it.
    async fn closed(link: &mut TcpStream) {
        let mut rest = Vec::new();
        // A reset is an end as well.
        let _ = timeout(LIMIT, link.read_to_end(&mut rest)).await.unwrap();
    }

    #[tokio::test]
    async fn who_sends_no_whole_head_in_time_is_closed() {
        let stage = stage(8, Duration::from_secs(1)).await;
        let (mut silent, mut slow) = (stage.connect().await, stage.connect().await);
        slow.write_all(&REQUEST[..20]).await.unwrap();
        closed(&mut silent).await;
        closed(&mut slow).await;
        let mut idle = stage.connect().await;
        assert!(is_answered(&mut idle).await);
        closed(&mut idle).await;
    }

    #[tokio::test]
    async fn one_connection_more_than_may_be_is_closed_and_has_its_turn_later() {
        let stage = stage(1, LIMIT).await;
        let mut first = stage.connect().await;
        assert!(is_answered(&mut first).await);
        assert!(!is_answered(&mut stage.connect().await).await);
        drop(first);
        let free = async { while !is_answered(&mut stage.connect().await).await {} };
        timeout(LIMIT, free).await.unwrap();
    }

    #[tokio::test]
    async fn a_request_without_an_end_does_not_hold_a_server_that_is_to_stop() {
        let stage = stage(8, LIMIT).await;
        let mut held = stage.connect().await;
        held.write_all(b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        assert!(is_answered(&mut stage.connect().await).await);
        stage.stop.cancel();
        timeout(LIMIT, stage.serving).await.unwrap().unwrap();
        closed(&mut held).await;
    }
}
