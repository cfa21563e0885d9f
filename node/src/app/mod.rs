//! A node put together: finder, ring and services from one configuration, and its way from the
//! first listener to the last.
//!
//! | module | what it holds |
//! |---|---|
//! | `listeners` | the sockets, bound or given |
//! | `spawn` | from a configuration to a running node |
//! | `refusal` | whether the cluster refuses the node for good |
//! | `running` | a running node, and its orderly end |

mod listeners;
mod refusal;
mod running;
mod spawn;

pub use listeners::{BindError, Listeners};
pub use running::{Control, End, RunningApp};
pub use spawn::{App, SpawnError};
