//! For tests of and with finders (feature `testing`): a scripted finder, and the conformance kit
//! that any finder can be held against. They run on tokio; a paused clock does.

mod conformance;
mod scripted;

pub use conformance::{Breach, Clause, Subject, check_finder};
pub use scripted::ScriptedFinder;
