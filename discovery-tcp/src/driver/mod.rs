//! The driver: the only I/O of this crate. It carries inputs and outputs between a ring and the
//! world: sockets, timers, the finder and the application.
//!
//! One task owns the ring and never waits for anything but the next thing to happen. Each link has
//! a task that reads and writes, behind bounded queues; the finder's calls run on tasks of their
//! own; subscribers read from bounded queues of their own.
//!
//! | module | what it holds |
//! |---|---|
//! | `builder`, `start`, `start_error` | settings, their faults, and starting |
//! | `handle`, `command` | what the application holds, and what it may ask |
//! | `task`, `ending` | the protocol's task, and what is left to do once it has ended |
//! | `inbox`, `outbox` | the queues into it and out of it |
//! | `link`, `links`, `listener`, `sockets`, `security` | one link, all links, how they come to be |
//! | `asking` | the finder |
//! | `subscribers`, `backlog` | who is told what was decided, and what is kept for those who return |
//! | `clock`, `process_start` | times |
//! | `journal`, `seldom`, `counters` | what is logged and counted |

mod asking;
mod backlog;
mod builder;
mod clock;
mod command;
mod counters;
mod ending;
mod handle;
mod inbox;
mod journal;
mod link;
mod links;
mod listener;
mod outbox;
mod process_start;
mod security;
mod seldom;
mod sockets;
mod start;
mod start_error;
mod subscribers;
mod task;

pub use builder::TcpDiscoveryBuilder;
pub use counters::DriverCounters;
pub use handle::{OperatorError, Stopped, TcpDiscovery};
pub use security::{LinkSecurity, LinkStream, Plaintext, SecuredLink};
pub use start_error::{StartError, StartFault};
pub use subscribers::DELIVERIES_MAX;
