//! Why a node could not be started: everything that is wrong, together.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use discovery_core::{IdentityError, NodeInfoError};

use crate::config::RingConfigError;

/// Why a node could not be started. Nothing runs and nothing is bound; see each fault for whether a
/// retry helps.
#[derive(Debug)]
pub struct StartError {
    /// Everything that is wrong, in the order of the builder's settings; at least one.
    pub faults: Vec<StartFault>,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, fault) in self.faults.iter().enumerate() {
            let comma = if place == 0 { "" } else { "; " };
            write!(f, "{comma}{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.faults.first().and_then(std::error::Error::source)
    }
}

/// One thing that keeps a node from starting.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartFault {
    /// No name was given. A retry does not help.
    #[error("the node has no name; give it one that is stable across its runs")]
    NoName,
    /// A name, uid or place is none. A retry does not help.
    #[error("{what} is refused: {source}")]
    Identity {
        /// Which setting.
        what: &'static str,
        /// Why.
        source: IdentityError,
    },
    /// Nowhere to listen was given. A retry does not help.
    #[error("no address to listen at was given; give one, with port 0 for any free port")]
    NoListenAddress,
    /// The address cannot be listened at. A retry helps once whoever holds it has ended.
    #[error("cannot listen at {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The listener that was given cannot be used. A retry with another one may help.
    #[error("the given listener cannot be used: {source}")]
    Listener {
        /// Why.
        source: io::Error,
    },
    /// The node listens at every address, so nobody can tell where others reach it. A retry does
    /// not help.
    #[error("the node listens at every address; say where others reach it (advertise)")]
    NoAdvertisedAddress,
    /// The node's description cannot be. A retry does not help.
    #[error("{0}")]
    Node(#[from] NodeInfoError),
    /// There is no finder, and nobody to wait for without one but oneself. A retry does not help.
    #[error("there is no finder; give one, or form a cluster of one with formation = single")]
    NoFinder,
    /// A setting of the ring is wrong. A retry does not help.
    #[error("{0}")]
    Config(#[from] RingConfigError),
    /// The operating system gave no random numbers. A retry may help.
    #[error("no random numbers from the operating system: {source}")]
    Randomness {
        /// Why.
        source: getrandom::Error,
    },
}
