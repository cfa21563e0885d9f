//! The Kubernetes finder: which processes stand behind a Service, now and from now on.
//!
//! [`KubeFinder`] lists and watches the EndpointSlices of one Service, merges them into whole seed
//! sets, audits its own watch, and keeps the last good set through every error, whose cause it
//! names together with what would mend it. For the protocol it also makes consistent listings (the
//! census of FORM-3) and reads what the API says of a pod, as facts and never as verdicts.
//!
//! ```no_run
//! use discovery_core::Finder;
//! use discovery_k8s::{ApiAccess, KubeFinder, KubeFinderConfig};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let config = KubeFinderConfig::new("prod", "ring");
//!     let finder = KubeFinder::new(config, ApiAccess::detect())?;
//!     let mut watch = finder.watch();
//!     loop {
//!         let report = watch.changed().await;
//!         println!("{}", report.finding.state());
//!         for seed in &report.seeds() {
//!             println!("  {seed}");
//!         }
//!     }
//! }
//! ```
//!
//! # What it needs
//!
//! A headless Service of its own with `publishNotReadyAddresses: true`, and the Role that
//! [`role_manifest`] prints. A crypto provider: the client uses rustls with *ring*; a binary that
//! has another one as well must install *ring* as the default first.
//!
//! This crate enables no `v1_*` feature of `k8s-openapi`: whoever builds a binary chooses one.
//!
//! # Reading order
//!
//! `config` and `access` say what to look for and where; `slices`, `store` and `pods` are pure and
//! say what objects mean; `watch` follows them, `listing` reads them whole; `finder` joins all of
//! it.

mod access;
mod access_report;
mod config;
#[cfg(feature = "dns")]
mod dns;
mod errand;
mod error;
mod finder;
mod follow;
mod guard;
mod listing;
mod memory;
mod pace;
mod pods;
mod rbac;
mod service;
mod slices;
mod source;
mod stats;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod watch;

pub use access::{ApiAccess, ApiEndpoint};
pub use access_report::AccessReport;
pub use config::{
    AUDIT_INTERVAL_MAX, ConfigError, ConfigFault, FamilyPolicy, KubeFinderConfig, PortChoice,
    REQUEST_DEADLINE_MAX, RETRY_PAUSE_MAX, WATCH_TIMEOUT_RANGE,
};
#[cfg(feature = "dns")]
pub use dns::{
    CLUSTER_DOMAIN, DNS_ATTEMPTS_MAX, DNS_DEADLINE_MAX, DNS_PAUSE_MAX, DnsConfig, DnsError,
    DnsFinder, DnsStats, NAME_SERVERS_MAX,
};
pub use error::ApiError;
pub use finder::KubeFinder;
pub use pods::{PodError, read_pod};
pub use rbac::{Rule, role_lines, role_manifest};
pub use service::ServiceFacts;
pub use slices::{SLICES_MAX, Slice, SliceError};
pub use stats::KubeFinderStats;
pub use store::SliceStore;

/// The example of the crate's README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
