//! The bytes of a link cut into frames: a length in four bytes, the highest first, then so many
//! bytes of payload. What the payload says is `codec`'s business.

use std::mem;

use super::codec::encode_after;
use super::error::{FrameError, FrameTooLarge};
use crate::message::Message;

/// Longest payload of a frame in bytes, unless the configuration allows more.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;

/// Longest payload of the first frame of a link in bytes: whoever has not greeted gets little room.
pub const HELLO_BYTES_MAX: usize = 64 * 1024;

/// Bytes of the length in front of a payload.
pub const LENGTH_BYTES: usize = 4;

/// Cuts what comes over one link into frames, whatever pieces it comes in.
///
/// It holds the bytes of at most one frame that has begun, and only those that have come: a length
/// that is claimed sets nothing aside.
#[derive(Debug)]
pub struct FrameDecoder {
    length: [u8; LENGTH_BYTES],
    length_read: usize,
    payload: Vec<u8>,
    frames: u64,
    bytes_max: usize,
}

impl FrameDecoder {
    /// A decoder for a link over which nothing has come yet; no payload may be longer than
    /// `bytes_max`, [`FRAME_BYTES_MAX`] by default.
    pub const fn new(bytes_max: usize) -> Self {
        Self {
            length: [0; LENGTH_BYTES],
            length_read: 0,
            payload: Vec::new(),
            frames: 0,
            bytes_max,
        }
    }

    /// Takes bytes off the front of `read` up to the end of the next frame, and returns the frame's
    /// payload; `None` if `read` is used up before that. To be called until it is `None`.
    ///
    /// # Errors
    ///
    /// If the next frame is announced as empty or as longer than its limit: [`HELLO_BYTES_MAX`] for
    /// the first frame of the link, the decoder's own for all others. Every later call fails
    /// alike.
    pub fn next_frame(&mut self, read: &mut &[u8]) -> Result<Option<Vec<u8>>, FrameError> {
        while self.length_read < LENGTH_BYTES {
            let Some((first, rest)) = read.split_first() else {
                return Ok(None);
            };
            self.length[self.length_read] = *first;
            self.length_read += 1;
            *read = rest;
        }
        let missing = self.announced()? - self.payload.len();
        let (taken, rest) = read.split_at(missing.min(read.len()));
        self.payload.extend_from_slice(taken);
        *read = rest;
        if taken.len() < missing {
            return Ok(None);
        }
        self.length_read = 0;
        self.frames += 1;
        Ok(Some(mem::take(&mut self.payload)))
    }

    /// Whether a frame has begun and not ended: a link that closes here was cut.
    pub const fn is_within_frame(&self) -> bool {
        self.length_read > 0
    }

    /// Bytes of memory set aside.
    #[cfg(test)]
    pub(super) fn bytes_held(&self) -> usize {
        self.payload.capacity()
    }

    /// The length of the frame that has begun.
    fn announced(&self) -> Result<usize, FrameError> {
        let bytes_max = if self.frames == 0 {
            HELLO_BYTES_MAX
        } else {
            self.bytes_max
        };
        let bytes = u32::from_be_bytes(self.length);
        match usize::try_from(bytes) {
            Ok(0) => Err(FrameError::Empty),
            Ok(length) if length <= bytes_max => Ok(length),
            Ok(_) | Err(_) => Err(FrameError::TooLarge { bytes, bytes_max }),
        }
    }
}

/// A whole frame, ready to be written to any number of links.
///
/// # Errors
///
/// If the message has more bytes than `bytes_max`, [`FRAME_BYTES_MAX`] by default.
pub fn encode_frame(message: &Message, bytes_max: usize) -> Result<Vec<u8>, FrameTooLarge> {
    let mut frame = encode_after(message, LENGTH_BYTES);
    let bytes = frame.len() - LENGTH_BYTES;
    match u32::try_from(bytes) {
        Ok(length) if bytes <= bytes_max => {
            frame[..LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
            Ok(frame)
        }
        Ok(_) | Err(_) => Err(FrameTooLarge {
            kind: message.kind(),
            bytes,
            bytes_max,
        }),
    }
}
