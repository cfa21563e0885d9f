//! The sockets: accepts connections, speaks TLS and HTTP/1.1, and ends all of it when dropped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::ScriptError;
use super::routes;
use super::state::Shared;

/// Most connections at the same time; further ones are closed at once.
pub const CONNECTIONS_MAX: usize = 256;

/// Longest that a TLS handshake may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// A listening server; dropping it ends every connection.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Listens on a free port of the loopback interface.
    pub(super) async fn start(
        shared: Arc<Shared>,
        tls: Option<TlsAcceptor>,
    ) -> Result<Self, ScriptError> {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .map_err(ScriptError::Listen)?;
        let address = listener.local_addr().map_err(ScriptError::Listen)?;
        let accepting = tokio::spawn(accept(listener, shared, tls));
        Ok(Self { address, accepting })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The connections are in a set that the task owns, so they end with it.
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, tls: Option<TlsAcceptor>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // An accept fails for a connection that went away meanwhile: nothing to do.
                let Ok((socket, _)) = accepted else { continue };
                if connections.len() < CONNECTIONS_MAX {
                    connections.spawn(serve(socket, Arc::clone(&shared), tls.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Serves one connection until it ends or all are cut. It has no deadline of its own: silence on
/// an open connection is one of the things that tests ask for.
async fn serve(socket: TcpStream, shared: Arc<Shared>, tls: Option<TlsAcceptor>) {
    let mut cuts = shared.cuts();
    let served = async {
        // Small answers at once: tests measure how fast a client reacts.
        if socket.set_nodelay(true).is_err() {
            return;
        }
        match tls {
            None => speak_http(socket, shared).await,
            Some(acceptor) => {
                let handshake = tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(socket));
                if let Ok(Ok(stream)) = handshake.await {
                    speak_http(stream, shared).await;
                }
            }
        }
    };
    tokio::select! {
        () = served => {}
        _ = cuts.changed() => {}
    }
}

async fn speak_http(stream: impl AsyncRead + AsyncWrite + Unpin + Send, shared: Arc<Shared>) {
    let service = service_fn(move |request| routes::answer(Arc::clone(&shared), request));
    // How a connection ends is the script's doing or the client's; both can be seen elsewhere.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
