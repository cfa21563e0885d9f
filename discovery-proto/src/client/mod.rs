//! Clients that do not lose track of the servers: whoever is outside of the ring follows the
//! topology through any node, and calls whichever members there are.
//!
//! | module | what it holds |
//! |---|---|
//! | `config` | limits and pauses |
//! | `address` | where nodes may be asked, as written and as found |
//! | `update` | what a follower is told |
//! | `table` | the topology that is known, change after change |
//! | `link` | one stream of one node |
//! | `follow` | from node to node, for as long as the client is kept |
//! | `topology_client` | the client |
//! | `balance` | a channel over all members |
//! | `retry` | which calls to make once more, and when |

mod address;
mod balance;
mod config;
mod follow;
mod link;
mod retry;
mod table;
mod topology_client;
mod update;

pub use address::{ADDRESSES_MAX, AddressError};
pub use config::TopologyClientConfig;
pub use retry::{Retry, may_be_retried};
pub use topology_client::{NoTopologyYet, TopologyClient, Updates};
pub use update::{Followed, Gap, LinkEnd, Update};

#[cfg(test)]
mod table_tests;
