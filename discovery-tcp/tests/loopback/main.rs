//! Members on real sockets, over loopback. What can be told in virtual time is told in the
//! simulator; here is what only sockets, processes and clocks can break.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "what a test stands on fails like a test, and the child of one speaks to its parent"
)]

mod closing;
mod ending;
mod examples;
mod forming;
mod hostile;
mod newer;
mod paused;
mod publishing;
mod stage;
