//! Vocabulary of cluster membership.

mod census;
mod finder;
#[cfg(feature = "finders")]
pub mod finders;
#[cfg(feature = "serde")]
mod formats;
mod identity;
mod seed;

pub use census::{
    Census, ContainerState, PodFact, PodReading, PodRef, ResourceVersion, ResourceVersionError,
    Termination, UnixMillis, UnixSeconds,
};
pub use finder::{
    BoxFuture, Finder, FinderCause, FinderError, Finding, LastGood, Provenance, SeedReport,
    SeedWatch,
};
pub use identity::{
    IdentityError, NAME_BYTES_MAX, NodeId, NodeName, POD_UID_BYTES_MAX, PodUid, ProcessIdentity,
};
pub use seed::{SEEDS_MAX, Seed, SeedCondition, SeedSet};
