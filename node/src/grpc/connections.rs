//! The connections of a listener, as its server gets them: no more at a time than a limit, and all
//! of them over once the node is. The server runs each as a task of its own, which nothing else
//! ends while a call goes on over it.

use std::future::ready;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::stream::{Stream, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::Connected;

use crate::view::traffic::{Door, OpenConnection};

/// What the connections of one listener have in common.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    cut: CancellationToken,
    /// One permit for each.
    permits: Arc<Semaphore>,
    door: Door,
}

impl Connections {
    /// At most so many connections at a time, counted at this door, which go on until this word at
    /// most.
    pub(crate) fn until(cut: &CancellationToken, max: usize, door: Door) -> Self {
        Self {
            cut: cut.clone(),
            permits: Arc::new(Semaphore::new(max)),
            door,
        }
    }

    /// What is accepted, as a server may have it; one more than there may be is closed at once.
    pub(super) fn of<C>(
        self,
        accepted: impl Stream<Item = io::Result<C>>,
    ) -> impl Stream<Item = io::Result<Connection<C>>> {
        accepted.filter_map(move |accepted| {
            let connection = accepted.map(|inner| self.connection(inner)).transpose();
            if connection.is_none() {
                self.door.turned_away();
            }
            ready(connection)
        })
    }

    fn connection<C>(&self, inner: C) -> Option<Connection<C>> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        Some(Connection {
            inner,
            cut: Box::pin(self.cut.clone().cancelled_owned()),
            _permit: permit,
            _open: self.door.open(),
        })
    }
}

/// A connection that fails once it is cut.
#[derive(Debug)]
pub(super) struct Connection<C> {
    inner: C,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    _permit: OwnedSemaphorePermit,
    _open: OpenConnection,
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

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt as _;
    use futures_util::stream::unfold;
    use tokio::io::{AsyncReadExt as _, DuplexStream, duplex};
    use tokio::sync::mpsc;

    use super::*;
    use crate::view::traffic::{GRPC, Traffic};

    fn door() -> Door {
        Traffic::default().door(GRPC)
    }

    /// Room for what a test sends.
    const ROOM: usize = 8;

    fn incoming(
        accepted: mpsc::Receiver<DuplexStream>,
    ) -> impl Stream<Item = io::Result<DuplexStream>> {
        unfold(accepted, |mut accepted| async {
            accepted.recv().await.map(|one| (Ok(one), accepted))
        })
    }

    /// Connects: our end of it.
    fn connect(accepted: &mpsc::Sender<DuplexStream>) -> DuplexStream {
        let (ours, theirs) = duplex(ROOM);
        accepted.try_send(theirs).unwrap();
        ours
    }

    #[tokio::test]
    async fn one_connection_more_than_may_be_is_closed_until_another_has_gone() {
        let (accept, accepted) = mpsc::channel(ROOM);
        let connections = Connections::until(&CancellationToken::new(), 1, door());
        let mut admitted = pin!(connections.of(incoming(accepted)));
        let _first = connect(&accept);
        let served = admitted.next().now_or_never();
        assert!(matches!(served, Some(Some(Ok(_)))));
        let mut second = connect(&accept);
        assert!(admitted.next().now_or_never().is_none());
        assert_eq!(second.read(&mut [0]).await.unwrap(), 0, "it is closed");
        drop(served);
        let _third = connect(&accept);
        assert!(matches!(admitted.next().now_or_never(), Some(Some(Ok(_)))));
    }

    #[tokio::test]
    async fn a_connection_that_is_cut_wakes_who_reads_it_and_fails() {
        let (accept, accepted) = mpsc::channel(ROOM);
        let cut = CancellationToken::new();
        let mut admitted = pin!(Connections::until(&cut, 1, door()).of(incoming(accepted)));
        let _ours = connect(&accept);
        let mut served = admitted.next().await.unwrap().unwrap();
        let reading = tokio::spawn(async move { served.read(&mut [0]).await });
        tokio::task::yield_now().await;
        cut.cancel();
        let error = reading.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    }
}
