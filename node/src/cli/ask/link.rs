//! How a running node is reached, and what its refusals say.

use std::error::Error as _;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use discovery_proto::discovery::v1::admin_client::AdminClient;
use discovery_proto::discovery::v1::discovery_client::DiscoveryClient;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};
use tonic_types::StatusExt;

use super::super::Failure;
use crate::config::{GRPC_PORT, Surroundings, admin_socket};
use crate::grpc::RESPONSE_BYTES_MAX;

/// A connection to the API of a node.
pub(in crate::cli) type Client = DiscoveryClient<Channel>;

/// Longest wait for a connection.
pub(in crate::cli) const DIAL_LIMIT: Duration = Duration::from_secs(3);

/// How often a silent connection is asked whether it lives, and how long it may take to answer.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(5));

/// Where a node answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum NodeAddress {
    Tcp(String),
    Unix(PathBuf),
}

impl FromStr for NodeAddress {
    type Err = String;

    /// `HOST:PORT`, `HOST`, or the path of a Unix socket.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("give HOST[:PORT] or the path of a Unix socket".to_owned());
        }
        if text.contains('/') {
            return Ok(Self::Unix(PathBuf::from(text)));
        }
        let has_port = text.rsplit_once(':').is_some_and(|(host, port)| {
            let is_whole = !host.contains(':') || host.ends_with(']');
            is_whole && port.parse::<u16>().is_ok()
        });
        let is_bare_v6 = text.parse::<std::net::Ipv6Addr>().is_ok();
        Ok(Self::Tcp(match (has_port, is_bare_v6) {
            (true, _) => text.to_owned(),
            (false, true) => format!("[{text}]:{GRPC_PORT}"),
            (false, false) => format!("{text}:{GRPC_PORT}"),
        }))
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Which node to ask.
#[derive(Clone, Debug, Args)]
pub(super) struct Asked {
    /// The node to ask: HOST, HOST:PORT, or the path of a Unix socket
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "DISCOVERY_NODE",
        default_value = "127.0.0.1:47510"
    )]
    node: NodeAddress,
}

impl Asked {
    /// Connects to it.
    pub(super) async fn connect(&self) -> Result<Client, Failure> {
        connect_to(&self.node).await
    }
}

/// Which node's service for operators to ask.
#[derive(Clone, Debug, Args)]
pub(super) struct AskedAdmin {
    /// The node's service for operators: a path or HOST:PORT [default: the socket that a node on
    /// this host makes]
    #[arg(long, value_name = "PATH|ADDRESS", env = "DISCOVERY_ADMIN")]
    admin: Option<NodeAddress>,
}

impl AskedAdmin {
    /// Connects to it.
    pub(super) async fn connect(
        &self,
        surroundings: &Surroundings,
    ) -> Result<AdminClient<Channel>, Failure> {
        let default = || NodeAddress::Unix(admin_socket(surroundings));
        let address = self.admin.clone().unwrap_or_else(default);
        let channel = link_to(&address).await?;
        Ok(AdminClient::new(channel).max_decoding_message_size(RESPONSE_BYTES_MAX))
    }
}

/// Connects to the API of the node there.
///
/// # Errors
///
/// If it cannot be reached.
///
/// # Cancel safety
///
/// Dropping the future leaves nothing behind.
pub(in crate::cli) async fn connect_to(address: &NodeAddress) -> Result<Client, Failure> {
    let channel = link_to(address).await?;
    Ok(DiscoveryClient::new(channel).max_decoding_message_size(RESPONSE_BYTES_MAX))
}

/// Connects to whatever answers there.
///
/// # Errors
///
/// If it cannot be reached.
///
/// # Cancel safety
///
/// Dropping the future leaves nothing behind.
pub(in crate::cli) async fn link_to(address: &NodeAddress) -> Result<Channel, Failure> {
    let text = match address {
        NodeAddress::Tcp(address) => format!("http://{address}"),
        NodeAddress::Unix(path) => format!("unix://{}", path.display()),
    };
    let unusable = |error: tonic::transport::Error| Failure::Unreachable {
        node: address.to_string(),
        why: words(&error),
    };
    let endpoint = Endpoint::from_shared(text).map_err(unusable)?;
    let endpoint = endpoint
        .connect_timeout(DIAL_LIMIT)
        .http2_keep_alive_interval(KEEPALIVE.0)
        .keep_alive_timeout(KEEPALIVE.1)
        .keep_alive_while_idle(true);
    endpoint.connect().await.map_err(unusable)
}

/// An error with what is behind it, the deepest last.
fn words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        source = error.source();
    }
    words
}

/// A refusal as a failure, with its reason and what comes with it. A call that no node has answered
/// is none: what broke below it is then known, and no reason is told.
impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let told = details.error_info();
        if let (None, Some(source)) = (told, status.source()) {
            return Self::BrokenOff { why: words(source) };
        }
        let reason = told.map_or_else(
            || format!("{:?}", status.code()),
            |told| told.reason.clone(),
        );
        let mut message = status.message().to_owned();
        if let Some(coordinator) = told.and_then(|told| told.metadata.get("coordinator")) {
            message = format!("{message}; the coordinator is {coordinator}");
        }
        Self::Refused { reason, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_port_or_gets_the_usual_one() {
        for (text, expected) in [
            ("ring-0.ring", "ring-0.ring:47510"),
            ("10.0.0.7:1", "10.0.0.7:1"),
            ("fd00::7", "[fd00::7]:47510"),
            ("[fd00::7]:1", "[fd00::7]:1"),
            ("/run/x.sock", "/run/x.sock"),
        ] {
            assert_eq!(text.parse::<NodeAddress>().unwrap().to_string(), expected);
        }
    }
}
