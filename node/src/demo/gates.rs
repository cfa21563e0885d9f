//! Links that can be cut and healed between any two members, as a network does it: what is on the
//! way waits, nobody is told, and a link that is closed meanwhile is closed for the other side only
//! once the way is open again.
//!
//! It stands where links are secured. Whoever dials says its number first, so that both sides know
//! which two members the link joins.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use discovery_core::BoxFuture;
use discovery_tcp::{LinkSecurity, SecuredLink};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

/// A member's number in the demo.
pub(super) type Number = u16;

/// Every way between members; clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Gates(Arc<Mutex<Ways>>);

#[derive(Debug, Default)]
struct Ways {
    /// On which side of the cut each member is; 0 unless told otherwise.
    sides: BTreeMap<Number, u8>,
    /// Who listens where.
    places: BTreeMap<SocketAddr, Number>,
    links: Vec<Weak<Link>>,
    /// Sockets that were closed while they were cut, and between whom.
    closed: Vec<(Number, Number, TcpStream)>,
}

impl Ways {
    fn are_cut(&self, one: Number, other: Number) -> bool {
        let side = |of| self.sides.get(&of).copied().unwrap_or(0);
        side(one) != side(other)
    }
}

impl Gates {
    /// The member of this number listens there.
    pub(super) fn place(&self, number: Number, address: SocketAddr) {
        self.lock().places.insert(address, number);
    }

    /// Puts a member on one side of the cut: it reaches those on the same side, and nobody else.
    pub(super) fn put(&self, number: Number, side: u8) {
        self.change(|ways| {
            ways.sides.insert(number, side);
        });
    }

    /// Everybody reaches everybody.
    pub(super) fn heal(&self) {
        self.change(|ways| ways.sides.clear());
    }

    /// On which side of the cut a member is.
    pub(super) fn side(&self, number: Number) -> u8 {
        self.lock().sides.get(&number).copied().unwrap_or(0)
    }

    /// What secures the links of a member.
    pub(super) fn gate_of(&self, number: Number) -> Gate {
        let gates = self.clone();
        Gate { number, gates }
    }

    fn change(&self, change: impl FnOnce(&mut Ways)) {
        let mut ways = self.lock();
        change(&mut ways);
        let mut links = std::mem::take(&mut ways.links);
        links.retain(|link| {
            let Some(link) = link.upgrade() else {
                return false;
            };
            link.set(ways.are_cut(link.ends.0, link.ends.1));
            true
        });
        ways.links = links;
        let closed = std::mem::take(&mut ways.closed);
        let (kept, over) = closed
            .into_iter()
            .partition(|(one, other, _)| ways.are_cut(*one, *other));
        ways.closed = kept;
        drop(ways);
        // Closed only now, outside of the lock.
        drop::<Vec<_>>(over);
    }

    /// A link between two members, open or cut as their way is.
    fn join(&self, ends: (Number, Number), socket: TcpStream) -> GatedStream {
        let mut ways = self.lock();
        let link = Arc::new(Link {
            ends,
            is_cut: AtomicBool::new(ways.are_cut(ends.0, ends.1)),
            waiting: Mutex::default(),
        });
        ways.links.retain(|link| link.strong_count() > 0);
        ways.links.push(Arc::downgrade(&link));
        drop(ways);
        GatedStream {
            socket: Some(socket),
            link,
            gates: self.clone(),
        }
    }

    /// Keeps a socket whose end nobody may hear of before the way is open; gives it back if it is.
    fn keep(&self, ends: (Number, Number), socket: TcpStream) -> Option<TcpStream> {
        let mut ways = self.lock();
        if !ways.are_cut(ends.0, ends.1) {
            return Some(socket);
        }
        ways.closed.push((ends.0, ends.1, socket));
        None
    }

    fn lock(&self) -> MutexGuard<'_, Ways> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One link as its two ends and the gates see it.
#[derive(Debug)]
struct Link {
    ends: (Number, Number),
    is_cut: AtomicBool,
    /// Who waits for the way to open: at most one that reads and one that writes.
    waiting: Mutex<[Option<Waker>; 2]>,
}

const READER: usize = 0;
const WRITER: usize = 1;

impl Link {
    fn set(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::SeqCst);
        if is_cut {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let woken = std::mem::take(&mut *waiting);
        drop(waiting);
        woken.into_iter().flatten().for_each(Waker::wake);
    }

    /// Whether nothing passes; then whoever asks is woken once something does.
    fn is_cut_for(&self, who: usize, cx: &Context<'_>) -> bool {
        if !self.is_cut.load(Ordering::SeqCst) {
            return false;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting[who] = Some(cx.waker().clone());
        drop(waiting);
        // Asked again, since it may have been opened before the waker was there.
        self.is_cut.load(Ordering::SeqCst)
    }
}

/// Secures nothing; every link of its member goes through the gates.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    number: Number,
    gates: Gates,
}

impl LinkSecurity for Gate {
    fn name(&self) -> &'static str {
        "plaintext"
    }

    fn dial(
        &self,
        mut socket: TcpStream,
        to: SocketAddr,
    ) -> BoxFuture<'_, io::Result<SecuredLink>> {
        Box::pin(async move {
            let place = self.gates.lock().places.get(&to).copied();
            let ends = (self.number, place.ok_or(io::ErrorKind::AddrNotAvailable)?);
            let Some(passing) = self.gates.keep(ends, socket) else {
                // Nothing answers; whoever dials gives up by itself.
                return std::future::pending().await;
            };
            socket = passing;
            socket.write_u16(self.number).await?;
            Ok(SecuredLink::new(self.gates.join(ends, socket)))
        })
    }

    fn accept(
        &self,
        mut socket: TcpStream,
        _from: SocketAddr,
    ) -> BoxFuture<'_, io::Result<SecuredLink>> {
        Box::pin(async move {
            let ends = (self.number, socket.read_u16().await?);
            Ok(SecuredLink::new(self.gates.join(ends, socket)))
        })
    }
}

/// A socket that passes nothing while its way is cut.
#[derive(Debug)]
struct GatedStream {
    /// Only dropping takes it.
    socket: Option<TcpStream>,
    link: Arc<Link>,
    gates: Gates,
}

impl GatedStream {
    fn socket(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        let socket = self.socket.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        Ok(Pin::new(socket))
    }
}

impl Drop for GatedStream {
    fn drop(&mut self) {
        if let Some(socket) = self.socket.take() {
            drop(self.gates.keep(self.link.ends, socket));
        }
    }
}

impl AsyncRead for GatedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.link.is_cut_for(READER, cx) {
            return Poll::Pending;
        }
        self.socket()?.poll_read(cx, into)
    }
}

impl AsyncWrite for GatedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.link.is_cut_for(WRITER, cx) {
            return Poll::Pending;
        }
        self.socket()?.poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.link.is_cut.load(Ordering::SeqCst) {
            // Said when the way is open, by closing.
            return Poll::Ready(Ok(()));
        }
        self.socket()?.poll_shutdown(cx)
    }
}

#[cfg(test)]
#[path = "gates_tests.rs"]
mod tests;
