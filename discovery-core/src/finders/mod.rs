//! Ready-made finders (feature `finders`) and the plumbing that other finders share with them.
//! They run on tokio; the contract that they keep is in `finder.rs`.

mod combined;
mod entry;
mod feed;
mod file;
mod resolve;
mod static_list;

pub use combined::{Combination, CombinedFinder, CombinedFinderError, PARTS_MAX};
pub use entry::{PORT_RANGE_MAX, SEED_ENTRIES_MAX, SeedEntryError, SeedListError};
pub use feed::{FedWatch, SeedFeed, feed};
pub use file::{FileFinder, FileFinderConfig, FileFinderError, SEED_FILE_BYTES_MAX};
pub use static_list::{StaticFinder, StaticFinderConfig, StaticFinderError};
