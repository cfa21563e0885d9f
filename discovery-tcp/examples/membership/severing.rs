//! Links of a node that, from some moment on, carry nothing in either direction and never close: as
//! those of a machine that lost its power, or of a process that was frozen.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use discovery_core::BoxFuture;
use discovery_tcp::{LinkSecurity, SecuredLink};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Secures nothing, and can sever all links of its node at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Severing(Arc<Severed>);

#[derive(Default)]
struct Severed {
    is_severed: AtomicBool,
    /// Sockets that the node has closed since; closing them in truth would be a word to the others.
    kept: Mutex<Vec<TcpStream>>,
}

impl Severing {
    pub(crate) fn sever(&self) {
        self.0.is_severed.store(true, Ordering::SeqCst);
    }
}

impl Severed {
    fn is_severed(&self) -> bool {
        self.is_severed.load(Ordering::SeqCst)
    }

    fn keep(&self, socket: TcpStream) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(socket);
    }
}

impl fmt::Debug for Severed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Severed({})", self.is_severed())
    }
}

impl LinkSecurity for Severing {
    fn name(&self) -> &'static str {
        "plaintext, severable"
    }

    fn dial(&self, socket: TcpStream, _to: SocketAddr) -> BoxFuture<'_, io::Result<SecuredLink>> {
        Box::pin(self.wrap(socket))
    }

    fn accept(
        &self,
        socket: TcpStream,
        _from: SocketAddr,
    ) -> BoxFuture<'_, io::Result<SecuredLink>> {
        Box::pin(self.wrap(socket))
    }
}

impl Severing {
    async fn wrap(&self, socket: TcpStream) -> io::Result<SecuredLink> {
        if self.0.is_severed() {
            self.0.keep(socket);
            return std::future::pending().await;
        }
        Ok(SecuredLink::new(SeverableStream {
            socket: Some(socket),
            severed: Arc::clone(&self.0),
        }))
    }
}

struct SeverableStream {
    /// Only dropping takes it.
    socket: Option<TcpStream>,
    severed: Arc<Severed>,
}

impl SeverableStream {
    fn socket(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        let socket = self.socket.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        Ok(Pin::new(socket))
    }
}

impl Drop for SeverableStream {
    fn drop(&mut self) {
        if let Some(socket) = self.socket.take().filter(|_| self.severed.is_severed()) {
            self.severed.keep(socket);
        }
    }
}

impl AsyncRead for SeverableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.severed.is_severed() {
            return Poll::Pending;
        }
        self.socket()?.poll_read(cx, into)
    }
}

impl AsyncWrite for SeverableStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.severed.is_severed() {
            return Poll::Ready(Ok(bytes.len()));
        }
        self.socket()?.poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.severed.is_severed() {
            return Poll::Ready(Ok(()));
        }
        self.socket()?.poll_shutdown(cx)
    }
}
