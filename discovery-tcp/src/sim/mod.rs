//! The simulator: the same [`Ring`](crate::ring::Ring) in virtual time, in a world that fails in
//! every way it can, under checkers that know what really happens.
//!
//! Nothing here reads a clock, opens a socket or runs a thread: a run follows from its seed alone.
//! A failing run prints its seed; `cargo xtask sim --replay SEED` runs it again with its trace.
//!
//! | module | what it holds |
//! |---|---|
//! | `chance`, `schedule` | the one source of chance; the one clock |
//! | `network` | connections with a fate |
//! | `platform`, `api` | pods as Kubernetes keeps them; what a finder is shown of them |
//! | `process`, `cluster` | rings and scripts in their pods; the world they live in |
//! | `seen` | what is asked of a ring beyond its outputs |
//! | `invariants` | the promises, one checker each |
//! | `faults`, `swarm`, `liveness` | what goes wrong; a run from a seed; how it must end |
//! | `coverage`, `trace` | what was seen, counted and in words |

mod aftermath;
mod api;
mod chance;
mod cluster;
mod coverage;
mod faults;
mod invariants;
mod liveness;
mod network;
mod platform;
mod process;
mod schedule;
mod seen;
mod swarm;
mod trace;

pub use aftermath::lose_minority;
pub use api::{ApiFaults, WatchFault};
pub use chance::Chance;
pub use cluster::{Cluster, Fate, Passing, Told, World};
pub use coverage::Coverage;
pub use faults::{FaultKind, Plan};
pub use invariants::Violation;
pub use liveness::{Ended, settle};
pub use network::{Passage, Weather};
pub use platform::{Climate, Platform, PodId};
pub use process::{Closing, Hung, Over, Process, ProcessId, Script};
pub use seen::Bug;
pub use swarm::{Report, Swarm, run, run_with};
pub use trace::Trace;
