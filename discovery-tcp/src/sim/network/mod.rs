//! Connections with a fate: dialled, refused or unanswered; first in, first out in each direction;
//! broken for both sides or for one; stalled where nothing passes, as TCP retransmits.
//!
//! Who listens where, and what processes do with what reaches them, is in `cluster`.
//!
//! | module | what it holds |
//! |---|---|
//! | `connection` | one connection, its two sides and what is under way between them |
//! | `ways` | the network: all connections, and what the ways between pods let pass |
//! | `dialling` | dials, and how they are answered |
//! | `carrying` | what is sent, stalls and arrives |
//! | `ending` | connections that are closed, lost or abandoned |

mod carrying;
mod connection;
mod dialling;
mod ending;
mod ways;

pub(crate) use carrying::Reached;
pub(crate) use connection::{ConnectionId, Parcel, Side};
pub(crate) use dialling::Found;
pub(crate) use ending::Ending;
pub(crate) use ways::Network;
pub use ways::{Passage, Weather};
