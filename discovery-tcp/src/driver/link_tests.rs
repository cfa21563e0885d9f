//! Tests of `link.rs` over pipes in memory: what goes in and out, and how a link ends.

use discovery_core::NodeId;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::super::outbox::UNHANDLED_MESSAGES_MAX;
use super::super::security::Plaintext;
use super::*;
use crate::config::RingConfig;
use crate::message::{Leave, Message, PublishRefused};
use crate::wire::{FRAME_BYTES_MAX, HELLO_BYTES_MAX, encode_frame};

/// Longer than anything here takes; only a failure waits for it.
const LONG: Duration = Duration::from_secs(20);

/// A link of another node over a pipe, and the other end of the pipe.
struct Rig {
    links: Arc<Links>,
    outbox: Arc<Outbox>,
    other: DuplexStream,
    task: JoinHandle<()>,
}

impl Rig {
    fn new(pipe_bytes: usize) -> Self {
        let config = RingConfig {
            links_max: 4,
            hello_timeout: Duration::from_secs(1),
            ..RingConfig::default()
        };
        let links = Arc::new(Links::new(Arc::new(Plaintext), &config));
        let outbox = Arc::new(Outbox::new(FRAME_BYTES_MAX));
        let (ours, other) = duplex(pipe_bytes);
        let ungreeted = Arc::clone(&links.ungreeted).try_acquire_owned().unwrap();
        let permits = Permits::to_accept(links.place().unwrap(), ungreeted);
        let (links_of_task, outbox_of_task) = (Arc::clone(&links), Arc::clone(&outbox));
        let link = Link::new(
            LinkId(1),
            links_of_task,
            outbox_of_task,
            permits,
            Box::new(ours),
        );
        let task = tokio::spawn(link);
        Self {
            links,
            outbox,
            other,
            task,
        }
    }

    /// The next batch of what happened.
    async fn happened(&self) -> Vec<Happening> {
        let any = std::future::poll_fn(|cx| self.links.inbox.poll_any(cx));
        timeout(LONG, any).await.unwrap();
        let mut batch = Vec::new();
        self.links.inbox.take(&mut batch);
        batch
    }

    async fn ended(&mut self) {
        timeout(LONG, &mut self.task).await.unwrap().unwrap();
    }
}

fn said(sequence: u64) -> Message {
    Message::PublishRefused(PublishRefused {
        sequence,
        coordinator: None,
    })
}

fn frame(message: &Message) -> Frame {
    encode_frame(message, FRAME_BYTES_MAX).unwrap().into()
}

/// The messages among what happened.
fn received(happenings: &[Happening]) -> Vec<Message> {
    let message = |happening: &Happening| match happening {
        Happening::Received { message, .. } => Some(message.clone()),
        _ => None,
    };
    happenings.iter().filter_map(message).collect()
}

#[tokio::test]
async fn a_message_is_handed_on_whatever_pieces_it_comes_in() {
    let mut rig = Rig::new(64);
    let frames = [frame(&said(1)), frame(&said(2))].concat();
    let mut heard = Vec::new();
    for byte in frames {
        rig.other.write_all(&[byte]).await.unwrap();
    }
    while heard.len() < 2 {
        heard.extend(received(&rig.happened().await));
    }
    assert_eq!(heard, [said(1), said(2)]);
}

#[tokio::test]
async fn frames_go_out_whole_and_in_order_through_a_narrow_pipe() {
    let mut rig = Rig::new(7);
    let sent: Vec<Frame> = (1..=100).map(|n| frame(&said(n))).collect();
    for frame in &sent {
        rig.outbox.send(Arc::clone(frame)).unwrap();
    }
    let mut read = vec![0; sent.iter().map(|frame| frame.len()).sum()];
    timeout(LONG, rig.other.read_exact(&mut read))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(read, sent.concat());
}

#[tokio::test]
async fn a_frame_larger_than_a_piece_goes_out_beside_small_ones() {
    let mut rig = Rig::new(1024 * 1024);
    let large: Frame = vec![9; 3 * PIECE_BYTES + 1].into();
    let sent = [frame(&said(1)), large, frame(&said(2))];
    for frame in &sent {
        rig.outbox.send(Arc::clone(frame)).unwrap();
    }
    let mut read = vec![0; sent.iter().map(|frame| frame.len()).sum()];
    timeout(LONG, rig.other.read_exact(&mut read))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(read, sent.concat());
}

#[tokio::test]
async fn what_is_written_while_the_other_side_does_not_read_hinders_no_reading() {
    let mut rig = Rig::new(64);
    for n in 0..100 {
        rig.outbox.send(frame(&said(n))).unwrap();
    }
    rig.other.write_all(&frame(&said(7))).await.unwrap();
    assert_eq!(received(&rig.happened().await), [said(7)]);
}

#[tokio::test]
async fn bytes_that_are_no_message_are_reported_once_and_nothing_more_is_read() {
    for bytes in [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
        vec![0; 64],
        u32::try_from(HELLO_BYTES_MAX + 1)
            .unwrap()
            .to_be_bytes()
            .to_vec(),
        [&[0, 0, 0, 4][..], &[0xff; 4]].concat(),
    ] {
        let mut rig = Rig::new(1024);
        rig.other.write_all(&bytes).await.unwrap();
        let happened = rig.happened().await;
        assert!(
            matches!(&happened[..], [Happening::Undecodable { .. }]),
            "{happened:?}"
        );
        rig.other.write_all(&frame(&said(1))).await.unwrap();
        rig.outbox.order(Order::Close);
        drop(rig.other);
        timeout(LONG, rig.task).await.unwrap().unwrap();
        let mut rest = Vec::new();
        rig.links.inbox.take(&mut rest);
        assert!(rest.is_empty(), "{rest:?}");
    }
}

#[tokio::test]
async fn a_huge_frame_may_come_after_the_first_one_but_not_a_larger_one() {
    let mut rig = Rig::new(4096);
    rig.other.write_all(&frame(&said(1))).await.unwrap();
    assert_eq!(received(&rig.happened().await).len(), 1);
    let too_large = u32::try_from(FRAME_BYTES_MAX + 1).unwrap();
    rig.other.write_all(&too_large.to_be_bytes()).await.unwrap();
    let happened = rig.happened().await;
    assert!(
        matches!(&happened[..], [Happening::Undecodable { .. }]),
        "{happened:?}"
    );
}

#[tokio::test]
async fn the_other_side_closing_is_reported_with_whether_it_had_spoken() {
    for speaks in [false, true] {
        let mut rig = Rig::new(1024);
        if speaks {
            rig.other.write_all(&frame(&said(1))).await.unwrap();
            assert_eq!(received(&rig.happened().await).len(), 1);
        } else {
            // Half a frame is no word.
            rig.other.write_all(&[0, 0]).await.unwrap();
        }
        rig.other.shutdown().await.unwrap();
        rig.ended().await;
        let happened = rig.happened().await;
        assert!(
            matches!(&happened[..], [Happening::Closed { is_greeted, .. }] if *is_greeted == speaks),
            "{happened:?}"
        );
        assert_eq!(rig.links.places.available_permits(), 4);
    }
}

#[tokio::test]
async fn a_first_message_frees_the_place_of_those_who_have_not_spoken() {
    let mut rig = Rig::new(1024);
    let before = rig.links.ungreeted.available_permits();
    rig.other.write_all(&frame(&said(1))).await.unwrap();
    rig.happened().await;
    assert_eq!(rig.links.ungreeted.available_permits(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_closed_link_sends_its_last_words_and_waits_for_the_other_side_to_close() {
    let mut rig = Rig::new(1024);
    let node = NodeId::from_u128(1);
    let last = frame(&Message::Leave(Leave { node }));
    rig.outbox.send(Arc::clone(&last)).unwrap();
    rig.outbox.order(Order::Close);
    // Unread words of the other side do not cut ours off.
    rig.other.write_all(&frame(&said(1))).await.unwrap();
    let mut read = Vec::new();
    timeout(LONG, rig.other.read_to_end(&mut read))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(read, *last);
    assert!(!rig.task.is_finished());
    drop(rig.other);
    timeout(LONG, rig.task).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_closed_link_does_not_wait_for_ever() {
    let mut rig = Rig::new(16);
    // It can neither write all nor hear the other side close.
    for n in 0..10 {
        rig.outbox.send(frame(&said(n))).unwrap();
    }
    rig.outbox.order(Order::Close);
    let before = tokio::time::Instant::now();
    rig.ended().await;
    assert!(before.elapsed() >= LINGER_MAX);
}

#[tokio::test]
async fn a_dropped_link_ends_at_once_and_reports_nothing() {
    let mut rig = Rig::new(16);
    for n in 0..10 {
        rig.outbox.send(frame(&said(n))).unwrap();
    }
    rig.outbox.order(Order::Drop);
    rig.ended().await;
    let mut happened = Vec::new();
    rig.links.inbox.take(&mut happened);
    assert!(happened.is_empty(), "{happened:?}");
}

#[tokio::test]
async fn whoever_sends_faster_than_is_handled_is_held_back() {
    let mut rig = Rig::new(64);
    let count = 3 * UNHANDLED_MESSAGES_MAX;
    let mut other = rig.other;
    let sender = tokio::spawn(async move {
        for n in 0..count {
            let sequence = u64::try_from(n).unwrap();
            other.write_all(&frame(&said(sequence))).await.unwrap();
        }
        other
    });
    let mut heard = 0;
    while heard < count {
        // Let everything run that can.
        for _ in 0..2 * count {
            tokio::task::yield_now().await;
        }
        let mut batch = Vec::new();
        rig.links.inbox.take(&mut batch);
        assert!(batch.len() <= UNHANDLED_MESSAGES_MAX, "{}", batch.len());
        heard += batch.len();
        for _ in &batch {
            rig.outbox.handled();
        }
    }
    rig.other = timeout(LONG, sender).await.unwrap().unwrap();
    rig.other.shutdown().await.unwrap();
    rig.ended().await;
}
