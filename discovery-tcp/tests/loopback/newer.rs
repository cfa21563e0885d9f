//! A member of a later build that speaks the same wire version: its messages have fields, and among
//! them are kinds, that the others have never heard of.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use discovery_core::{BoxFuture, Delivery, Discovery};
use discovery_tcp::wire::{FRAME_BYTES_MAX, FrameDecoder, LENGTH_BYTES};
use discovery_tcp::{LinkSecurity, SecuredLink, TcpDiscovery};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::stage::{LIMIT, Stage, agreed};

/// Field 5,000 of type varint, and its value.
const LATER_FIELD: [u8; 4] = [0xc0, 0xb8, 0x02, 0x07];

/// A whole frame with a message of kind 5,000, whose body is empty.
const LATER_KIND: [u8; LENGTH_BYTES + 4] = [0, 0, 0, 4, 0xc2, 0xb8, 0x02, 0x00];

/// Plain links over which a later build speaks.
#[derive(Clone, Copy, Debug)]
struct Later;

impl Later {
    fn link(socket: TcpStream) -> BoxFuture<'static, io::Result<SecuredLink>> {
        let link = LaterLink {
            socket,
            frames: FrameDecoder::new(FRAME_BYTES_MAX),
            unsent: Vec::new(),
        };
        Box::pin(async { Ok(SecuredLink::new(link)) })
    }
}

impl LinkSecurity for Later {
    fn name(&self) -> &'static str {
        "later"
    }

    fn dial(&self, socket: TcpStream, _: SocketAddr) -> BoxFuture<'_, io::Result<SecuredLink>> {
        Self::link(socket)
    }

    fn accept(&self, socket: TcpStream, _: SocketAddr) -> BoxFuture<'_, io::Result<SecuredLink>> {
        Self::link(socket)
    }
}

struct LaterLink {
    socket: TcpStream,
    /// What the ring of today writes.
    frames: FrameDecoder,
    /// What a later one would have written.
    unsent: Vec<u8>,
}

impl LaterLink {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let sent = ready!(Pin::new(&mut self.socket).poll_write(cx, &self.unsent))?;
            self.unsent.drain(..sent);
        }
        Poll::Ready(Ok(()))
    }
}

/// The frame of a message with one field more in its body: a key, the length of the body, the body.
fn with_a_later_field(payload: &[u8]) -> Vec<u8> {
    let mut rest = payload;
    let key = varint(&mut rest);
    let length = varint(&mut rest);
    assert_eq!(length, rest.len(), "one kind in an envelope");
    let mut later = Vec::new();
    put_varint(&mut later, key);
    put_varint(&mut later, length + LATER_FIELD.len());
    later.extend_from_slice(rest);
    later.extend_from_slice(&LATER_FIELD);
    let length = u32::try_from(later.len()).unwrap().to_be_bytes();
    [&length[..], &later].concat()
}

fn varint(bytes: &mut &[u8]) -> usize {
    let mut value = 0;
    for place in 0.. {
        let (first, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= usize::from(first & 0x7f) << (7 * place);
        if first & 0x80 == 0 {
            break;
        }
    }
    value
}

fn put_varint(into: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        into.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    into.push(u8::try_from(value).unwrap());
}

impl AsyncRead for LaterLink {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, into)
    }
}

impl AsyncWrite for LaterLink {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_send(cx))?;
        let mut read = bytes;
        while let Some(payload) = self.frames.next_frame(&mut read).unwrap() {
            let later = with_a_later_field(&payload);
            self.unsent.extend_from_slice(&later);
            self.unsent.extend_from_slice(&LATER_KIND);
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

async fn hears(node: &TcpDiscovery, from: &TcpDiscovery) {
    let mut deliveries = node.subscribe(None);
    let published = from.publish("t".parse().unwrap(), Arc::from(*b"said"));
    timeout(LIMIT, published).await.unwrap().unwrap();
    let heard = async {
        loop {
            match deliveries.next().await {
                Some(Delivery::Message(it)) if it.publisher == from.local_node().id() => return,
                Some(_) => {}
                None => panic!("the subscription has ended"),
            }
        }
    };
    timeout(LIMIT, heard).await.unwrap();
}

// Clauses: LINK-1, LINK-7
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn later_kinds_and_fields_are_passed_over_old_and_new_side_by_side() {
    let stage = Stage::new();
    let mut nodes = Vec::new();
    for (name, is_later) in [
        ("old-0", false),
        ("new-0", true),
        ("old-1", false),
        ("new-1", true),
    ] {
        let mut settings = stage.settings(name).listener(stage.listed(name));
        if is_later {
            settings = settings.security(Arc::new(Later));
        }
        nodes.push(settings.start().await.unwrap());
    }
    agreed(&nodes, 4).await;
    hears(&nodes[0], &nodes[1]).await;
    hears(&nodes[1], &nodes[0]).await;

    for node in &nodes {
        let counters = node.counters();
        assert!(counters.messages_unknown > 0, "{counters:?}");
        assert_eq!(counters.links_undecodable, 0, "{counters:?}");
    }
    agreed(&nodes, 4).await;
}
