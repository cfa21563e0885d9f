//! Whole nodes in one process, over real sockets: what the API tells, and how nodes end.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "what a test stands on fails like a test"
)]

mod apart;
mod client;
mod documented;
mod ending;
mod examples;
mod finder;
mod limits;
mod messages;
mod operators;
mod over;
mod program;
mod python;
mod quorum;
mod reflection;
mod silence;
mod stage;
mod topology;
mod turned_away;
mod watchers;
