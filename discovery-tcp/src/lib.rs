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
//!
//! # A member
//!
//! Whoever starts one gives it a name, an address to listen at, and a finder; it forms a cluster or
//! joins one by itself. Here three of them share a listing in memory:
//!
//! ```
//! use std::net::TcpListener;
//! use std::sync::Arc;
//!
//! use discovery_core::{Seed, Standing};
//! use discovery_tcp::{TcpDiscovery, testing::SharedListing};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (listing, mut members) = (SharedListing::new(), Vec::new());
//! for name in ["ring-0", "ring-1", "ring-2"] {
//!     let listener = TcpListener::bind("127.0.0.1:0")?;
//!     let mut seed = Seed::at(listener.local_addr()?);
//!     seed.pod_uid = Some(format!("uid-of-{name}").parse()?);
//!     listing.enter([seed]);
//!     let member = TcpDiscovery::builder().name(name).pod_uid(format!("uid-of-{name}"));
//!     let member = member.listener(listener).finder(Arc::new(listing.clone()));
//!     members.push(member.start().await?);
//! }
//! let everybody = |standing: &Standing| standing.topology().is_some_and(|it| it.len() == 3);
//! for member in &members {
//!     member.standings().wait_for(everybody).await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//!
//! In full, with the rules that keep it, in `docs/protocol.md`:
//!
//! - P1 agreement: for each (cluster id, epoch, version) there is one membership.
//! - P2 order: within an epoch every member delivers changes and messages in one order.
//! - P3 quorum: a majority of the topology in force decides; only the change that opens an epoch
//!   has another quorum.
//! - P4 no silence: a cluster comes into being only by formation, and no second one while a member
//!   of the first lives.
//! - P5 incarnation: a removed node id does not come back.
//! - P6 exactly once: a message is delivered at most once, and if it was reported decided, within
//!   its epoch at every member that stays.
//! - P7 liveness: a majority that can talk to each other for a while is at one version.
//! - P8 stability: whom most of its observers hear is not removed; who is not heard is, within
//!   three silence limits.
//! - P9 fencing: (epoch, version, term) never goes back.
//!
//! # What it assumes
//!
//! - K1: the listing behind a census is linearizable.
//! - K2: a running process's pod uid stays in the listing until the process has ended; force
//!   deletion is the operator's word that it has.
//! - K3: there is one process for each pod uid and container, and its port is its own.
//! - K4: a machine's clock does not step back across a restart of a container.
//!
//! Without a listing less holds: under [`Formation::Majority`] a name that restarts during the
//! founding may found again (P4), and epochs made by clocks go back as far as the clocks do (P9).
//! Nobody lies: whoever reaches the port can pose as a node, unless a [`LinkSecurity`] keeps it out.
//!
//! # Limits
//!
//! Everything that grows has a limit; most are fields of [`RingConfig`], such as 1,024 members, 4,096
//! links and 64 KiB a published message. At a limit the newest is refused, by name. Nothing is kept
//! on disk: a process that starts again is a new member.

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

/// The example of the crate's README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
