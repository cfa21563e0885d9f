//! Ready-made finders (feature `finders`) and the plumbing that other finders share with them.
//! They run on tokio; the contract that they keep is in `finder.rs`.

mod feed;

pub use feed::{FedWatch, SeedFeed, feed};
