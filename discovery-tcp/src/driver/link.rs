//! One open link: a future that carries frames in both directions until the link ends. Opening
//! links is left to `dial.rs` and `listener.rs`; what messages mean is the ring's business.
//!
//! Reading and writing share one task, and an idle link holds no buffer: bytes are read into the
//! stack of the poll, and only a frame that has begun and not ended is kept.

use std::collections::VecDeque;
use std::error::Error;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};

use super::inbox::Happening;
use super::links::Links;
use super::outbox::{Frame, Order, Outbox};
use super::security::LinkStream;
use crate::ring::LinkId;
use crate::wire::{DecodeError, FrameDecoder, decode};

/// Bytes that are read, or gathered from small frames and written, at a time.
const PIECE_BYTES: usize = 8 * 1024;

/// How long a closed link may take to send what is queued and to hear the other side close. Closing
/// a socket with unread bytes would make the kernel drop the last words on their way.
const LINGER_MAX: Duration = Duration::from_secs(1);

/// What a link holds for as long as it lives, given back when it ends.
#[derive(Debug)]
pub(super) struct Permits {
    /// One of the places for links.
    _place: OwnedSemaphorePermit,
    /// One of the places for links of others that have not said anything yet.
    ungreeted: Option<OwnedSemaphorePermit>,
}

impl Permits {
    /// Of a link that the local node opens.
    pub(super) fn to_dial(place: OwnedSemaphorePermit) -> Self {
        Self {
            _place: place,
            ungreeted: None,
        }
    }

    /// Of a link that another node opened.
    pub(super) fn to_accept(place: OwnedSemaphorePermit, ungreeted: OwnedSemaphorePermit) -> Self {
        Self {
            _place: place,
            ungreeted: Some(ungreeted),
        }
    }
}

/// One open link.
pub(super) struct Link {
    id: LinkId,
    links: Arc<Links>,
    outbox: Arc<Outbox>,
    stream: Box<dyn LinkStream>,
    /// After the stream, so that whoever has seen the place given back knows the socket closed (K3).
    permits: Permits,
    decoder: FrameDecoder,
    /// What came in is no message, so nothing more is read.
    is_deaf: bool,
    writing: VecDeque<Frame>,
    /// Bytes of the first frame that are written already.
    written: usize,
    needs_flush: bool,
    closing: Option<Closing>,
    /// Its end is told, or need not be.
    is_over: bool,
}

/// How far closing has come.
struct Closing {
    limit: Pin<Box<Sleep>>,
    is_shut: bool,
}

/// Why a link ends by itself.
struct Ended;

impl Link {
    pub(super) fn new(
        id: LinkId,
        links: Arc<Links>,
        outbox: Arc<Outbox>,
        permits: Permits,
        stream: Box<dyn LinkStream>,
    ) -> Self {
        Self {
            id,
            decoder: FrameDecoder::new(links.frame_bytes_max),
            links,
            outbox,
            stream,
            permits,
            is_deaf: false,
            writing: VecDeque::new(),
            written: 0,
            needs_flush: false,
            closing: None,
            is_over: false,
        }
    }

    /// Writes until everything queued is out; the order is the one that held when it was.
    fn poll_write_queued(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Order>> {
        loop {
            if self.writing.is_empty() {
                let order = self.outbox.take(cx, &mut self.writing);
                if order == Order::Drop {
                    return Poll::Ready(Ok(order));
                }
                if self.writing.is_empty() {
                    return self.poll_flush(cx).map_ok(|()| order);
                }
            }
            let written = ready!(self.poll_write_some(cx))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.links.counters.bytes_sent.add(written);
            self.needs_flush = true;
            self.advance(written);
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.needs_flush {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.needs_flush = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes the first frame, or as many small ones as make one piece.
    fn poll_write_some(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.stream);
        let Some(first) = self.writing.front().map(|frame| &frame[self.written..]) else {
            return Poll::Ready(Ok(0));
        };
        if self.writing.len() == 1 || first.len() >= PIECE_BYTES {
            return stream.poll_write(cx, first);
        }
        let mut space = [const { MaybeUninit::uninit() }; PIECE_BYTES];
        let mut piece = ReadBuf::uninit(&mut space);
        piece.put_slice(first);
        for frame in self.writing.iter().skip(1) {
            let room = piece.remaining().min(frame.len());
            piece.put_slice(&frame[..room]);
            if piece.remaining() == 0 {
                break;
            }
        }
        stream.poll_write(cx, piece.filled())
    }

    /// Drops what was written from the front.
    fn advance(&mut self, mut bytes: usize) {
        while let Some(first) = self.writing.front() {
            let left = first.len() - self.written;
            if bytes < left {
                self.written += bytes;
                return;
            }
            bytes -= left;
            self.written = 0;
            self.writing.pop_front();
        }
    }

    /// Reads and hands on messages until there are no more bytes, or no more messages are taken.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        while !self.is_deaf && self.outbox.may_read() {
            let mut space = [const { MaybeUninit::uninit() }; PIECE_BYTES];
            let mut piece = ReadBuf::uninit(&mut space);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut piece)) {
                Ok(()) if !piece.filled().is_empty() => {}
                Ok(()) | Err(_) => return Poll::Ready(Ended),
            }
            self.links.counters.bytes_received.add(piece.filled().len());
            if let Err(why) = self.hand_on(piece.filled()) {
                self.links.counters.links_undecodable.one();
                self.is_deaf = true;
                let link = self.id;
                self.links.inbox.push(Happening::Undecodable { link, why });
            }
        }
        Poll::Pending
    }

    /// Hands on every message that is whole now; else says why the bytes are none.
    fn hand_on(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while let Some(frame) = self.decoder.next_frame(&mut bytes).map_err(told)? {
            self.links.counters.frames_received.one();
            self.permits.ungreeted = None;
            match decode(&frame) {
                Ok(message) => {
                    self.outbox.handed_on();
                    let link = self.id;
                    self.links.inbox.push(Happening::Received { link, message });
                }
                // The other side is newer and says something that can be done without.
                Err(DecodeError::UnknownKind { .. }) => self.links.counters.messages_unknown.one(),
                Err(error) => return Err(told(error)),
            }
        }
        Ok(())
    }

    /// Shuts the link down and waits for the other side to do the same, within a limit.
    fn poll_close(&mut self, cx: &mut Context<'_>, is_written: bool) -> Poll<()> {
        let closing = self.closing.get_or_insert_with(|| Closing {
            limit: Box::pin(sleep(LINGER_MAX)),
            is_shut: false,
        });
        if closing.limit.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        if !is_written {
            return Poll::Pending;
        }
        if !closing.is_shut {
            if ready!(Pin::new(&mut self.stream).poll_shutdown(cx)).is_err() {
                return Poll::Ready(());
            }
            closing.is_shut = true;
        }
        loop {
            let mut space = [const { MaybeUninit::uninit() }; PIECE_BYTES];
            let mut piece = ReadBuf::uninit(&mut space);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut piece)) {
                Ok(()) if !piece.filled().is_empty() => {}
                Ok(()) | Err(_) => return Poll::Ready(()),
            }
        }
    }

    fn report_closed(&self) {
        let (link, is_greeted) = (self.id, self.permits.ungreeted.is_none());
        if !is_greeted {
            self.links.counters.links_without_greeting.one();
        }
        let closed = Happening::Closed { link, is_greeted };
        self.links.inbox.push(closed);
    }

    /// Carries frames, or closes, as it is ordered.
    fn poll_carry(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (order, is_written) = match self.poll_write_queued(cx) {
            Poll::Ready(Ok(order)) => (order, true),
            // While the other side takes no more, its words and new orders are still heard.
            Poll::Pending => (self.outbox.peek(cx), false),
            Poll::Ready(Err(_)) => {
                self.report_closed();
                return Poll::Ready(());
            }
        };
        match order {
            Order::Drop => Poll::Ready(()),
            Order::Close => self.poll_close(cx, is_written),
            Order::Carry => self.poll_receive(cx).map(|Ended| self.report_closed()),
        }
    }
}

impl Future for Link {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let link = self.get_mut();
        let ended = link.poll_carry(cx);
        link.is_over = ended.is_ready();
        ended
    }
}

/// A stream that panics ends its link like any other trouble.
impl Drop for Link {
    fn drop(&mut self) {
        if !self.is_over {
            self.report_closed();
        }
    }
}

/// The error with all its causes, in one line.
fn told(error: impl Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    line
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
