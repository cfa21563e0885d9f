//! Ready-made finders (feature `finders`) and the plumbing that other finders share with them.
//! They run on tokio; the contract that they keep is in `finder.rs`.

mod entry;
mod feed;
mod resolve;
mod static_list;

pub use entry::{PORT_RANGE_MAX, SEED_ENTRIES_MAX, SeedEntryError, SeedListError};
pub use feed::{FedWatch, SeedFeed, feed};
pub use static_list::{StaticFinder, StaticFinderConfig, StaticFinderError};
