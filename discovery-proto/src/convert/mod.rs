//! Values of `discovery-core` as messages of `discovery.v1`, and back where a node or a client
//! needs that.

mod reading;
mod writing;

use discovery_core::{NodeInfo, TopologyId};

pub use reading::ReadError;

use crate::discovery::v1;

/// The attribute by which a node tells the others where it serves `discovery.v1`: ports and
/// addresses with commas between them. A port stands for that port at each address of the node.
pub const GRPC_ATTRIBUTE: &str = "discovery.grpc";

/// What the keys of a node's own attributes begin with; they are not shown as attributes.
pub const OWN_ATTRIBUTES: &str = "discovery.";

/// Where a node serves `discovery.v1`, by its own word; empty if it does not say.
pub fn grpc_addresses(node: &NodeInfo) -> Vec<std::net::SocketAddr> {
    let told = node.attributes().get(GRPC_ATTRIBUTE).unwrap_or_default();
    let mut addresses = Vec::new();
    for text in told.split(',').map(str::trim) {
        if let Ok(port) = text.parse::<u16>() {
            let at_port = |address: &std::net::SocketAddr| {
                let mut address = *address;
                address.set_port(port);
                address
            };
            addresses.extend(node.addresses().iter().map(at_port));
        } else {
            addresses.extend(text.parse::<std::net::SocketAddr>());
        }
    }
    addresses
}

/// A wall time as the API writes it.
pub fn timestamp(at: discovery_core::UnixMillis) -> prost_types::Timestamp {
    let nanos = at.0.rem_euclid(1000) * 1_000_000;
    prost_types::Timestamp {
        seconds: at.0.div_euclid(1000),
        // Below a thousand millions.
        nanos: i32::try_from(nanos).unwrap_or(0),
    }
}

/// A length of time as the API writes it; the longest it can write if it is longer.
pub fn duration(length: std::time::Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(length.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(length.subsec_nanos()).unwrap_or(0),
    }
}

/// A place in the messages of a cluster.
pub fn cursor(topology: TopologyId, position: u64) -> v1::Cursor {
    let topology = Some(topology.into());
    v1::Cursor { topology, position }
}

#[cfg(test)]
mod tests;
