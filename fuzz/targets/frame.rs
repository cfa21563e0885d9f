//! Any bytes of a link, in any pieces, are frames or a refusal, the same in whatever pieces.
#![no_main]

use discovery_tcp::wire::{FRAME_BYTES_MAX, FrameDecoder, LENGTH_BYTES};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    // The first byte says how long the pieces are.
    let Some((piece, bytes)) = input.split_first() else {
        return;
    };
    let whole = frames(bytes, bytes.len().max(1));
    let in_pieces = frames(bytes, usize::from(*piece).max(1));
    assert_eq!(whole, in_pieces, "frames depend on how they come");
    let taken: usize = whole.iter().map(|frame| LENGTH_BYTES + frame.len()).sum();
    assert!(taken <= bytes.len(), "more was read than came");
});

/// All frames up to the first refusal.
fn frames(bytes: &[u8], piece: usize) -> Vec<Vec<u8>> {
    let mut decoder = FrameDecoder::new(FRAME_BYTES_MAX);
    let mut frames = Vec::new();
    for mut read in bytes.chunks(piece) {
        loop {
            match decoder.next_frame(&mut read) {
                Ok(Some(frame)) => {
                    assert!((1..=FRAME_BYTES_MAX).contains(&frame.len()));
                    frames.push(frame);
                }
                Ok(None) => break,
                Err(_) => return frames,
            }
        }
    }
    frames
}
