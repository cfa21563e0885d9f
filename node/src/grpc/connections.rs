//! The connections of a listener, as its server gets them: all of them are over once the node is.
//! The server runs each as a task of its own, which nothing else ends while a call goes on over it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::stream::{Stream, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::Connected;

/// What the connections of one listener have in common.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    cut: CancellationToken,
}

impl Connections {
    /// Connections that go on until this word at most.
    pub(crate) fn until(cut: &CancellationToken) -> Self {
        let cut = cut.clone();
        Self { cut }
    }

    /// What is accepted, as a server may have it.
    pub(super) fn of<C>(
        self,
        accepted: impl Stream<Item = io::Result<C>>,
    ) -> impl Stream<Item = io::Result<Connection<C>>> {
        accepted.map(move |accepted| accepted.map(|inner| self.connection(inner)))
    }

    fn connection<C>(&self, inner: C) -> Connection<C> {
        Connection {
            inner,
            cut: Box::pin(self.cut.clone().cancelled_owned()),
        }
    }
}

/// A connection that fails once it is cut.
#[derive(Debug)]
pub(super) struct Connection<C> {
    inner: C,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<C> Connection<C> {
    /// Fails if it is cut; else it is polled again when it is.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.cut.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
            Poll::Pending => Ok(()),
        }
    }
}

impl<C: Connected> Connected for Connection<C> {
    type ConnectInfo = C::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.inner.connect_info()
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Connection<C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.inner).poll_read(context, into)
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Connection<C> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.inner).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
