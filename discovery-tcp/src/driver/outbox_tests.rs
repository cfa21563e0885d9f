//! Tests of `outbox.rs`: limits, orders, and who is woken when.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use super::*;
use crate::wire::FRAME_BYTES_MAX;

/// Counts how often it was woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

struct Reader {
    bell: Arc<Bell>,
    frames: VecDeque<Frame>,
}

impl Reader {
    fn new() -> Self {
        let (bell, frames) = (Arc::default(), VecDeque::new());
        Self { bell, frames }
    }

    fn take(&mut self, outbox: &Outbox) -> Order {
        self.frames.clear();
        let waker = Waker::from(Arc::clone(&self.bell));
        outbox.take(&Context::from_waker(&waker), &mut self.frames)
    }

    fn woken(&self) -> usize {
        self.bell.0.load(Ordering::SeqCst)
    }
}

fn frame(bytes: usize) -> Frame {
    vec![7; bytes].into()
}

#[test]
fn a_full_queue_takes_no_frame_until_the_link_has_written() {
    let (outbox, mut link) = (Outbox::new(FRAME_BYTES_MAX), Reader::new());
    for _ in 0..QUEUED_FRAMES_MAX {
        outbox.send(frame(1)).unwrap();
    }
    assert!(outbox.send(frame(1)).is_err());
    // Taken is not yet written.
    link.take(&outbox);
    assert!(outbox.send(frame(1)).is_err());
    link.take(&outbox);
    outbox.send(frame(1)).unwrap();
}

#[test]
fn bytes_are_limited_too_but_a_first_frame_always_fits() {
    let outbox = Outbox::new(FRAME_BYTES_MAX);
    outbox
        .send(frame(QUEUED_LONGEST_MAX * FRAME_BYTES_MAX + 1))
        .unwrap();
    assert!(outbox.send(frame(1)).is_err());
}

#[test]
fn one_wake_serves_all_that_is_queued_meanwhile() {
    let (outbox, mut link) = (Outbox::new(FRAME_BYTES_MAX), Reader::new());
    link.take(&outbox);
    for _ in 0..3 {
        outbox.send(frame(1)).unwrap();
    }
    assert_eq!(link.woken(), 1);
    link.take(&outbox);
    assert_eq!(link.frames.len(), 3);
}

#[test]
fn an_order_to_close_lets_queued_frames_out_and_no_more_in() {
    let (outbox, mut link) = (Outbox::new(FRAME_BYTES_MAX), Reader::new());
    outbox.send(frame(1)).unwrap();
    outbox.order(Order::Close);
    outbox.send(frame(1)).unwrap();
    assert_eq!(link.take(&outbox), Order::Close);
    assert_eq!(link.frames.len(), 1);
}

#[test]
fn an_order_is_not_taken_back_for_a_milder_one() {
    let (outbox, mut link) = (Outbox::new(FRAME_BYTES_MAX), Reader::new());
    outbox.order(Order::Drop);
    outbox.order(Order::Close);
    assert_eq!(link.take(&outbox), Order::Drop);
}

#[test]
fn a_link_reads_on_when_half_of_its_messages_are_handled() {
    let (outbox, mut link) = (Outbox::new(FRAME_BYTES_MAX), Reader::new());
    for _ in 0..UNHANDLED_MESSAGES_MAX {
        assert!(outbox.may_read());
        outbox.handed_on();
    }
    link.take(&outbox);
    assert!(!outbox.may_read());
    for _ in 0..=UNHANDLED_MESSAGES_MAX / 2 {
        assert_eq!(link.woken(), 0);
        outbox.handled();
    }
    assert_eq!(link.woken(), 1);
    assert!(outbox.may_read());
}
