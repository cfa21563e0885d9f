//! Where nodes may be asked: addresses that were given, that a finder finds, and that members tell.
//! Which one is tried when is the follower's business.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use discovery_core::{SeedSet, SeedWatch};
use tonic::transport::Endpoint;

use super::config::TopologyClientConfig;
use crate::discovery::v1;

/// Most addresses that a client may be given.
pub const ADDRESSES_MAX: usize = 1024;

/// Why addresses cannot be used. Nothing was started; the same ones fail again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// There is none.
    #[error("no address; give at least one host:port where a node serves discovery.v1")]
    None,
    /// There are more than [`ADDRESSES_MAX`].
    #[error("{count} addresses; give at most {ADDRESSES_MAX}")]
    TooMany {
        /// So many.
        count: usize,
    },
    /// One is not an address.
    #[error("address '{address}': {why}; give host:port, an IPv6 address in brackets")]
    Unusable {
        /// As it was given.
        address: String,
        /// What is wrong with it.
        why: String,
    },
}

/// `host:port`, known to be one that can be dialled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Address(Arc<str>);

impl Address {
    pub(super) fn new(text: &str) -> Result<Self, AddressError> {
        let unusable = |why: String| AddressError::Unusable {
            address: text.escape_debug().take(128).collect(),
            why,
        };
        let endpoint = Endpoint::from_shared(format!("http://{text}"));
        let endpoint = endpoint.map_err(|error| unusable(error.to_string()))?;
        let authority = endpoint.uri().authority();
        if authority.is_none_or(|authority| authority.as_str() != text) {
            return Err(unusable("more than a host and a port".to_owned()));
        }
        if endpoint.uri().port_u16().is_none() {
            return Err(unusable("without a port".to_owned()));
        }
        Ok(Self(Arc::from(text)))
    }

    /// Addresses as they were given, checked.
    pub(super) fn list<A: AsRef<str>>(
        texts: impl IntoIterator<Item = A>,
    ) -> Result<Vec<Self>, AddressError> {
        let texts = texts.into_iter().map(|text| Self::new(text.as_ref()));
        let addresses = texts.collect::<Result<Vec<_>, _>>()?;
        match addresses.len() {
            0 => Err(AddressError::None),
            count if count > ADDRESSES_MAX => Err(AddressError::TooMany { count }),
            _ => Ok(addresses),
        }
    }

    /// How it is dialled.
    pub(super) fn endpoint(&self, config: &TopologyClientConfig) -> Option<Endpoint> {
        let endpoint = Endpoint::from_shared(format!("http://{self}")).ok()?;
        Some(
            endpoint
                .connect_timeout(config.connect_limit)
                .http2_keep_alive_interval(config.keepalive)
                .keep_alive_timeout(config.keepalive_limit)
                .keep_alive_while_idle(true),
        )
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Where a client begins, and where it goes on when no member is left that it knows of.
#[derive(Debug)]
pub(super) enum Source {
    Given(Vec<Address>),
    Found(Box<dyn SeedWatch>, Option<u16>),
}

impl Source {
    /// The addresses as of now.
    pub(super) fn addresses(&self) -> Vec<Address> {
        match self {
            Self::Given(addresses) => addresses.clone(),
            Self::Found(watch, port) => found(&watch.latest().seeds(), *port),
        }
    }

    /// Waits until there are others; for ever if there never will be.
    pub(super) async fn changed(&mut self) {
        match self {
            Self::Given(_) => std::future::pending().await,
            Self::Found(watch, _) => {
                watch.changed().await;
            }
        }
    }
}

/// The best address of each seed, at this port if there is one.
fn found(seeds: &SeedSet, port: Option<u16>) -> Vec<Address> {
    let addresses = seeds.iter().filter_map(|seed| {
        let mut address = seed.address();
        if let Some(port) = port {
            address.set_port(port);
        }
        Address::new(&address.to_string()).ok()
    });
    addresses.take(ADDRESSES_MAX).collect()
}

/// Where the members serve, each at its best address, by node id; who does not serve is left out.
pub(super) fn members(topology: &v1::Topology) -> BTreeMap<String, Address> {
    let nodes = topology.members.iter().filter_map(|it| it.node.as_ref());
    let served = nodes.filter_map(|node| {
        let mut told = node.grpc_addresses.iter();
        let address = told.find_map(|text| Address::new(text).ok())?;
        Some((node.id.clone(), address))
    });
    served.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port_and_nothing_else() {
        for good in ["10.0.0.7:1", "ring-0.ring:47510", "[fd00::7]:1"] {
            assert_eq!(Address::new(good).unwrap().to_string(), good);
        }
        for bad in [
            "",
            "ring-0",
            "a:1/path",
            "a b:1",
            "fd00::7",
            "user@a:1/",
            "a:99999",
        ] {
            let refused = Address::new(bad);
            assert!(
                matches!(refused, Err(AddressError::Unusable { .. })),
                "{bad}"
            );
        }
    }

    #[test]
    fn no_address_is_refused_and_so_are_too_many() {
        assert_eq!(Address::list::<&str>([]), Err(AddressError::None));
        let count = ADDRESSES_MAX + 1;
        let many = vec!["a:1"; count];
        assert_eq!(Address::list(many), Err(AddressError::TooMany { count }));
    }

    #[test]
    fn a_finder_s_port_gives_way_to_the_one_that_is_served() {
        use discovery_core::Seed;
        let seeds = SeedSet::new([Seed::at("10.0.0.7:47500".parse().unwrap())]);
        let asked = |port| found(&seeds, port)[0].to_string();
        assert_eq!(asked(None), "10.0.0.7:47500");
        assert_eq!(asked(Some(47510)), "10.0.0.7:47510");
    }
}
