//! How many of everything one message may hold. What counts members or addresses is limited by the
//! vocabulary's own limits (`MEMBERS_MAX`, `ADDRESSES_MAX`, `ATTRIBUTES_MAX`).

use discovery_core::MEMBERS_MAX;

/// Most log entries, or published messages, in one message.
pub const ENTRIES_MAX: usize = 4096;

/// Most accusations in one alert or behind one removal, and most alerts that a candidate passes on.
pub const ACCUSATIONS_MAX: usize = MEMBERS_MAX;

/// Most groups of acceptances in one message: each member one of its own.
pub const GROUPS_MAX: usize = MEMBERS_MAX;

/// Most bytes of a bitmap over a topology's order.
pub const BITMAP_BYTES_MAX: usize = MEMBERS_MAX / 8;

/// Most members left out of the dissemination tree.
pub const SKIP_MAX: usize = MEMBERS_MAX;

/// Longest cluster name in bytes.
pub const CLUSTER_NAME_BYTES_MAX: usize = 253;

/// Longest text for people in bytes; what is beyond is cut off when it is sent.
pub const TEXT_BYTES_MAX: usize = 4096;
