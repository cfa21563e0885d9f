//! A scripted Kubernetes API server for tests: in-process, on loopback, over HTTP or TLS.
//!
//! [`ScriptedApi`] holds EndpointSlices, Pods and Services and answers get, list, watch and access
//! reviews as the real server does: versions, label selectors, pages, bookmarks, chunked watches.
//! A test scripts what happens to it: objects come and go, tokens and permissions change, and a
//! [`Fault`] strikes where [`On`] says, as often as it is told to or until its guard is dropped.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use discovery_k8s::testing::{Endpoint, Fault, On, Resource, ScriptedApi, slice};
//!
//! let api = ScriptedApi::start().await?;
//! api.put(slice("ring-abc").v4().port("ring", 47500).endpoint(
//!     Endpoint::pod("web-0", "uid-0").at("10.0.0.1"),
//! ));
//! let outage = api.fault(On::list(Resource::EndpointSlices), Fault::internal());
//! // … let the client meet it …
//! drop(outage);
//! # Ok(())
//! # }
//! ```
//!
//! Limits: HTTP/1.1 only; equality selectors only; nothing is validated, so that objects can be
//! wrong; objects cannot be changed through the API. The sockets are real: under tokio's paused
//! clock time jumps while bytes are under way, so a test of deadlines uses short real ones.

mod access;
mod answer;
mod api;
mod body;
mod builders;
mod clients;
mod faults;
mod guard;
mod request;
mod routes;
mod serve;
mod state;
mod store;
mod stream;
mod tls;

pub use api::ScriptedApi;
pub use builders::{
    ContainerScript, Endpoint, NAMESPACE, Object, PodScript, SERVICE, ServiceScript, SliceScript,
    pod, service, slice,
};
pub use faults::{Fault, On, StatusFault};
pub use guard::FaultGuard;
pub use request::{Recorded, Resource, Verb};
pub use serve::CONNECTIONS_MAX;
pub use state::{PATIENCE, RECORDED_MAX};
pub use store::{HISTORY_MAX, Moment, PAGED_LISTS_MAX};
pub use tls::TestAuthority;

use std::time::Duration;

/// The scripted server could not do what the test asked; nothing was changed, and a retry does not
/// help.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptError {
    /// No socket on loopback.
    #[error("cannot listen on 127.0.0.1")]
    Listen(#[source] std::io::Error),
    /// No certificate could be made.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// The certificate does not fit its key, or the options of TLS contradict each other.
    #[error("cannot set TLS up")]
    Tls(#[source] rustls::Error),
    /// A certificate was to be swapped on a server without TLS.
    #[error("the server speaks plain HTTP: start it with start_tls")]
    NoTls,
    /// What the test waits for did not happen in time.
    #[error("waited {patience:?} in vain for {what}")]
    Impatient {
        /// What was waited for.
        what: String,
        /// How long.
        patience: Duration,
    },
}
