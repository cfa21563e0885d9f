//! The membership protocol: a passive state machine, and the driver that owns sockets and time.
//!
//! | module | what it holds |
//! |---|---|
//! | `config` | what an operator chooses, with defaults |
//! | `moment` | points on the monotonic scale |
//! | [`message`] | what nodes say to each other |
//! | [`wire`] | bytes of a link to messages and back |
//! | [`ring`] | the state machine: inputs in, outputs out |
//! | `driver` (feature `tokio`) | sockets, time and tasks around the ring: [`TcpDiscovery`] |
//! | `testing` (feature) | a listing in memory that feeds a census |
//! | `sim` (feature) | the simulator: the same machine in virtual time, its faults and checkers |

mod config;
#[cfg(feature = "tokio")]
mod driver;
mod moment;

pub mod message;
pub mod ring;
#[cfg(feature = "sim")]
pub mod sim;
#[cfg(feature = "testing")]
pub mod testing;
pub mod wire;

pub use config::{Formation, Merge, Quorum, Recovery, RingConfig, RingConfigError};
#[cfg(feature = "tokio")]
pub use driver::{
    DELIVERIES_MAX, DriverCounters, LinkSecurity, LinkStream, OperatorError, Plaintext,
    SecuredLink, StartError, StartFault, Stopped, TcpDiscovery, TcpDiscoveryBuilder,
};
pub use moment::Moment;
