//! What can be wrong with bytes. Each refusal names the field as the contract does.

use discovery_core::{AttributesError, IdentityError, NodeInfoError, TopologyError};

/// Why the bytes of a link are no frames. The link is of no further use; a retry on it does not
/// help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The next frame says that it is longer than the limit; nothing was set aside for it.
    #[error(
        "a frame of {bytes} bytes was announced; the limit here is {bytes_max}, so this is either \
         another protocol or a node of other limits"
    )]
    TooLarge {
        /// What was announced.
        bytes: u32,
        /// The limit at this place of the link.
        bytes_max: usize,
    },
    /// The next frame says that it holds nothing; no message is empty.
    #[error("an empty frame was announced; no message is empty")]
    Empty,
}

/// A message that does not fit a frame, so that it cannot be sent. A retry does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message '{kind}' has {bytes} bytes; a frame holds at most {bytes_max}")]
pub struct FrameTooLarge {
    /// The message's kind.
    pub kind: &'static str,
    /// How many bytes it has.
    pub bytes: usize,
    /// The limit.
    pub bytes_max: usize,
}

/// Why a frame's payload is no message. Nothing was changed; the same bytes fail again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes are no protobuf message of this contract.
    #[error("not a protobuf message of ring.v1")]
    Malformed(#[from] prost::DecodeError),
    /// There are no bytes.
    #[error("no bytes; no message is empty")]
    Empty,
    /// A kind of message that this build does not know; the other side is newer. The frame is
    /// dropped and the link goes on.
    #[error("message kind {number} is not known here; the other side is newer")]
    UnknownKind {
        /// The field number of the kind in the contract's envelope.
        number: u32,
    },
    /// A field that must be there is not, or is one that this build does not know.
    #[error("{field} is missing, or of a kind that is not known here")]
    Missing {
        /// Which.
        field: &'static str,
    },
    /// A value that this build does not know.
    #[error("{field} has the value {value}, which is not known here")]
    UnknownValue {
        /// Which field.
        field: &'static str,
        /// The value.
        value: i32,
    },
    /// A number outside of what the field may hold.
    #[error("{field} is {value}; it must be {must_be}")]
    OutOfRange {
        /// Which field.
        field: &'static str,
        /// The value.
        value: u64,
        /// What it must be.
        must_be: &'static str,
    },
    /// Bytes of another length than the field has.
    #[error("{field} has {bytes} bytes; it must have {must_have}")]
    WrongLength {
        /// Which field.
        field: &'static str,
        /// How many bytes there are.
        bytes: usize,
        /// How many there must be.
        must_have: &'static str,
    },
    /// More of something than the limit.
    #[error("{field} counts {count}; the limit is {count_max}")]
    TooMany {
        /// Which field.
        field: &'static str,
        /// How many there are.
        count: usize,
        /// The limit.
        count_max: usize,
    },
    /// A name, uid, place or topic that is none.
    #[error("{field} is refused")]
    Text {
        /// Which field.
        field: &'static str,
        /// Why.
        source: IdentityError,
    },
    /// A node that cannot be.
    #[error("a node is refused")]
    Node(#[from] NodeInfoError),
    /// Attributes that cannot be.
    #[error("a node's attributes are refused")]
    Attributes(#[from] AttributesError),
    /// A topology that cannot be.
    #[error("a topology is refused")]
    Topology(#[from] TopologyError),
}
