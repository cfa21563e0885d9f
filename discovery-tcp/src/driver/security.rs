//! The seam where links are secured: what happens between a connected socket and the first frame.
//! Plaintext is the one implementation so far; the ring knows nothing of it.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use discovery_core::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Bytes in both directions, as a secured link carries them.
pub trait LinkStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> LinkStream for T {}

/// What securing a socket yields.
#[non_exhaustive]
pub struct SecuredLink {
    /// Carries the frames. Nothing may be read or written past it.
    pub stream: Box<dyn LinkStream>,
}

impl SecuredLink {
    /// Wraps a stream on which both sides are agreed.
    pub fn new(stream: impl LinkStream + 'static) -> Self {
        let stream = Box::new(stream);
        Self { stream }
    }
}

impl fmt::Debug for SecuredLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecuredLink").finish_non_exhaustive()
    }
}

/// Secures links: called once for each new socket, on the link's own task.
///
/// The caller bounds both calls with the dial or greeting limit and drops them beyond it. An error
/// closes the socket; it counts like a dial that failed, or like a greeting that did not come.
/// All nodes of a cluster must use one that agrees with the others'.
pub trait LinkSecurity: Send + Sync + fmt::Debug {
    /// What it is, in a word for the log, such as `plaintext`.
    fn name(&self) -> &'static str;

    /// Secures a socket that the local node opened.
    ///
    /// # Errors
    ///
    /// If the other side does not agree, or the socket breaks.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the socket.
    fn dial(&self, socket: TcpStream, to: SocketAddr) -> BoxFuture<'_, io::Result<SecuredLink>>;

    /// Secures a socket that another node opened.
    ///
    /// # Errors
    ///
    /// If the other side does not agree, or the socket breaks.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the socket.
    fn accept(&self, socket: TcpStream, from: SocketAddr)
    -> BoxFuture<'_, io::Result<SecuredLink>>;
}

/// No security: whoever reaches the port can read, write and pretend. Fence it by other means.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plaintext;

impl LinkSecurity for Plaintext {
    fn name(&self) -> &'static str {
        "plaintext"
    }

    fn dial(&self, socket: TcpStream, _to: SocketAddr) -> BoxFuture<'_, io::Result<SecuredLink>> {
        Box::pin(async { Ok(SecuredLink::new(socket)) })
    }

    fn accept(
        &self,
        socket: TcpStream,
        _from: SocketAddr,
    ) -> BoxFuture<'_, io::Result<SecuredLink>> {
        Box::pin(async { Ok(SecuredLink::new(socket)) })
    }
}
