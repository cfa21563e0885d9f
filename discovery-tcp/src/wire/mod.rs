//! Pure bytes to messages and back. What is done with a message, and where bytes come from, is
//! elsewhere.
//!
//! | module | what it holds |
//! |---|---|
//! | `frame` | bytes of a link cut into frames, under limits |
//! | `codec` | one frame's payload to a message and back, through `discovery_proto::ring::v1` |
//! | `limits` | how many of everything a message may hold |
//! | `error` | what can be wrong with bytes |
//!
//! Everything here is total: any bytes give a message or a typed refusal.
//!
//! ```
//! use discovery_tcp::message::{Message, PublishRefused};
//! use discovery_tcp::wire::{FRAME_BYTES_MAX, FrameDecoder, decode, encode_frame};
//!
//! let said = Message::PublishRefused(PublishRefused { sequence: 300, coordinator: None });
//! let sent = encode_frame(&said, FRAME_BYTES_MAX)?;
//!
//! let mut decoder = FrameDecoder::new(FRAME_BYTES_MAX);
//! let mut read = sent.as_slice();
//! while let Some(frame) = decoder.next_frame(&mut read)? {
//!     assert_eq!(decode(&frame)?, said);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod codec;
mod error;
mod frame;
mod limits;

pub use codec::{decode, encode};
pub use error::{DecodeError, FrameError, FrameTooLarge};
pub use frame::{FRAME_BYTES_MAX, FrameDecoder, HELLO_BYTES_MAX, LENGTH_BYTES, encode_frame};
pub use limits::{
    ACCUSATIONS_MAX, BITMAP_BYTES_MAX, CLUSTER_NAME_BYTES_MAX, ENTRIES_MAX, GROUPS_MAX, SKIP_MAX,
    TEXT_BYTES_MAX,
};

#[cfg(test)]
mod arbitrary;
#[cfg(test)]
mod compatibility;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod sizes;
#[cfg(test)]
mod weights;
