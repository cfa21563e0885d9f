//! From answers to the whole seed set, and how long it holds. Pure; the order of the questions is
//! `round.rs`'s.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use discovery_core::{NodeName, SEEDS_MAX, Seed, SeedSet};
use hickory_resolver::proto::rr::Name;

use super::answer::{Answer, Item, printable};
use super::error::DnsError;
use crate::config::FamilyPolicy;

/// One whole set of seeds and how long it holds, if the server says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) seeds: SeedSet,
    pub(super) ttl: Option<Duration>,
}

/// A target of SRV records with its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) name: Name,
    pub(super) port: u16,
    pub(super) addresses: Vec<IpAddr>,
}

/// The listing that address answers make together. Records of one family count even if the other
/// is said not to exist, as some servers do; without any record, one NXDOMAIN outweighs NODATA.
pub(super) fn from_addresses(
    name: &Name,
    port: u16,
    answers: &[Answer],
) -> Result<Listing, DnsError> {
    let ttl = answers.iter().filter_map(Answer::ttl).min();
    let nowhere = answers.iter().any(|answer| match answer {
        Answer::NoName { .. } => true,
        Answer::Found { .. } | Answer::NoData { .. } => false,
    });
    let addresses = addresses(answers);
    if addresses.is_empty() && nowhere {
        let name = printable(name);
        return Err(DnsError::NoSuchName { name, ttl });
    }
    let seeds = addresses
        .into_iter()
        .map(|address| Seed::at(SocketAddr::new(address, port)));
    Ok(Listing {
        seeds: limited(name, seeds.collect())?,
        ttl,
    })
}

/// The listing that SRV targets make: a target without an acceptable address is no seed.
pub(super) fn from_targets(
    name: &Name,
    families: FamilyPolicy,
    targets: &[Target],
    ttl: Duration,
) -> Result<Listing, DnsError> {
    let seeds: Vec<Seed> = targets
        .iter()
        .flat_map(|target| target_seeds(families, target))
        .collect();
    if seeds.is_empty() {
        return Err(DnsError::NoTargetAddress {
            name: printable(name),
            targets: targets.len(),
            families,
        });
    }
    Ok(Listing {
        seeds: limited(name, seeds)?,
        ttl: Some(ttl),
    })
}

/// The addresses of all answers, each once.
pub(super) fn addresses(answers: &[Answer]) -> BTreeSet<IpAddr> {
    let items = answers.iter().flat_map(Answer::items);
    items
        .filter_map(|item| match item {
            Item::Address(address) => Some(*address),
            Item::Service { .. } => None,
        })
        .collect()
}

/// When to ask again: when the answer has expired, but within the limits.
pub(super) fn until_next(ttl: Option<Duration>, ttl_min: Duration, ttl_max: Duration) -> Duration {
    ttl.unwrap_or(ttl_min).clamp(ttl_min, ttl_max)
}

fn limited(name: &Name, seeds: Vec<Seed>) -> Result<SeedSet, DnsError> {
    let count = seeds.len();
    if count > SEEDS_MAX {
        let name = printable(name);
        return Err(DnsError::TooMany { name, count });
    }
    Ok(SeedSet::new(seeds))
}

/// One seed of at most one address of each family, or, where a target has more of them and nobody
/// can tell which belong together, a seed for each.
fn target_seeds(families: FamilyPolicy, target: &Target) -> Vec<Seed> {
    let of_family = |v6: bool| -> BTreeSet<IpAddr> {
        let all = target.addresses.iter().copied();
        all.filter(|address| address.is_ipv6() == v6).collect()
    };
    let (v4, v6) = (of_family(false), of_family(true));
    let one_of_each = v4.len() <= 1 && v6.len() <= 1;
    let (wants_v4, wants_v6) = match families {
        FamilyPolicy::V4 => (true, false),
        FamilyPolicy::V6 => (false, true),
        FamilyPolicy::PreferV4 => (true, v4.is_empty()),
        FamilyPolicy::PreferV6 => (v6.is_empty(), true),
        FamilyPolicy::Both => (true, true),
    };
    let v4 = v4.into_iter().filter(|_| wants_v4);
    let v6 = v6.into_iter().filter(|_| wants_v6);
    let accepted: Vec<IpAddr> = v6.chain(v4).collect();
    let hostname = hostname(target);
    let seed_at = |address: IpAddr| {
        let mut seed = Seed::at(SocketAddr::new(address, target.port));
        seed.name = hostname.as_ref().and_then(|name| NodeName::new(name).ok());
        seed.hostname.clone_from(&hostname);
        seed
    };
    match accepted.as_slice() {
        [first, second] if one_of_each => {
            vec![seed_at(*first).and_at(SocketAddr::new(*second, target.port))]
        }
        all => all.iter().map(|address| seed_at(*address)).collect(),
    }
}

/// The pod's host name: the target's first label, which for a pod of a `StatefulSet` is its name.
/// Pods without a host name are listed under their address with dashes, which names nobody.
fn hostname(target: &Target) -> Option<Arc<str>> {
    let label = std::str::from_utf8(target.name.iter().next()?).ok()?;
    let label = label.to_ascii_lowercase();
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let dashed = [".", ":"].iter().any(|separator| {
        let address = label.replace('-', separator).parse::<IpAddr>();
        address.is_ok_and(|address| target.addresses.contains(&address))
    });
    (label.bytes().all(letters) && !dashed).then(|| Arc::from(label))
}

#[cfg(test)]
#[path = "seeds_tests.rs"]
mod tests;
