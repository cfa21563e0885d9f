//! Seeds: addresses where a newcomer may knock, and what a finder knows of who is there.
//! Which of them to dial, and when, is the protocol's business.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::identity::{NodeName, PodUid, ProcessIdentity};
use crate::topology::MEMBERS_MAX;

/// Most seeds that one set or one census holds: all members, and as many that come or go while a new
/// version is rolled out. A finder that meets more reports
/// [`FinderCause::TooLarge`](crate::FinderCause::TooLarge) and keeps its last good set.
pub const SEEDS_MAX: usize = 2 * MEMBERS_MAX;

/// What the platform says of a seed's readiness, as far as the finder knows.
///
/// `None` means that the finder cannot tell (a static list, DNS), never "no".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct SeedCondition {
    /// Passes its readiness probe and is not on its way out, or the platform was told to say so.
    pub ready: Option<bool>,
    /// Passes its readiness probe, whether or not it is on its way out.
    pub serving: Option<bool>,
    /// Is on its way out.
    pub terminating: Option<bool>,
}

/// One process where a newcomer may knock: at least one address, and what is known about it.
///
/// ```
/// use discovery_core::Seed;
///
/// let seed = Seed::at("10.88.0.7:47500".parse().unwrap());
/// assert_eq!(seed.address().port(), 47500);
/// assert!(seed.identity().pod_uid().is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "crate::formats::SeedForm"))]
#[non_exhaustive]
pub struct Seed {
    /// The node's name (the pod's), if known.
    pub name: Option<NodeName>,
    /// Where it listens, best first: never empty, at most one address of each family.
    addresses: Vec<SocketAddr>,
    /// The pod's uid, if known.
    pub pod_uid: Option<PodUid>,
    /// The failure zone it runs in, if known.
    pub zone: Option<Arc<str>>,
    /// The machine it runs on, if known (in Kubernetes the Node's name).
    pub host_node: Option<Arc<str>>,
    /// The host name it was given inside its Service, if any.
    pub hostname: Option<Arc<str>>,
    /// Readiness as the platform sees it.
    pub condition: SeedCondition,
}

impl Seed {
    /// A seed of which nothing but its address is known.
    pub fn at(address: SocketAddr) -> Self {
        Self {
            name: None,
            addresses: vec![address],
            pod_uid: None,
            zone: None,
            host_node: None,
            hostname: None,
            condition: SeedCondition::default(),
        }
    }

    /// Adds another address of the same process, less preferred than those it has.
    ///
    /// An address that it has already is not added again.
    #[must_use]
    pub fn and_at(mut self, address: SocketAddr) -> Self {
        if !self.addresses.contains(&address) {
            self.addresses.push(address);
        }
        self
    }

    /// The address to try first.
    pub fn address(&self) -> SocketAddr {
        // `at` is the only way to make a seed and nothing takes an address away.
        self.addresses[0]
    }

    /// All addresses, best first.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Who this is in a listing: the pod if its uid is known, else the address.
    pub fn identity(&self) -> ProcessIdentity {
        match &self.pod_uid {
            Some(uid) => ProcessIdentity::Pod(uid.clone()),
            None => ProcessIdentity::Address(self.address()),
        }
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} at {}", self.address()),
            None => write!(f, "{}", self.address()),
        }
    }
}

/// A whole set of seeds: each process once, sorted by name, then address; cheap to clone.
///
/// Two sets are equal if they hold equal seeds, however they were gathered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SeedSet(Arc<[Seed]>);

impl SeedSet {
    /// A set without seeds.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Sorts the seeds and keeps each process (see [`Seed::identity`]) once: the first in order.
    pub fn new(seeds: impl IntoIterator<Item = Seed>) -> Self {
        let mut all: Vec<Seed> = seeds.into_iter().collect();
        all.sort_unstable();
        let twice = listed_twice(&all);
        if !twice.is_empty() {
            let mut places = 0..;
            all.retain(|_| !places.next().is_some_and(|place| twice.contains(&place)));
        }
        Self(all.into())
    }

    /// How many processes the set holds.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the set holds nobody.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The seeds in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Seed> {
        self.0.iter()
    }
}

/// The places of seeds whose process stands at an earlier place as well.
fn listed_twice(seeds: &[Seed]) -> BTreeSet<usize> {
    // Borrowed keys, sorted: sets are made at every event of a finder, mostly without repetition.
    let mut keys: Vec<_> = seeds
        .iter()
        .enumerate()
        .map(|(place, seed)| match &seed.pod_uid {
            Some(uid) => ((Some(uid), None), place),
            None => ((None, Some(seed.address())), place),
        })
        .collect();
    keys.sort_unstable();
    keys.windows(2)
        .filter(|pair| pair[0].0 == pair[1].0)
        .map(|pair| pair[1].1)
        .collect()
}

impl<'a> IntoIterator for &'a SeedSet {
    type Item = &'a Seed;
    type IntoIter = std::slice::Iter<'a, Seed>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<Seed> for SeedSet {
    fn from_iter<I: IntoIterator<Item = Seed>>(seeds: I) -> Self {
        Self::new(seeds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(name: &str, address: &str) -> Seed {
        let mut seed = Seed::at(address.parse().unwrap());
        seed.name = Some(NodeName::new(name).unwrap());
        seed
    }

    #[test]
    fn sets_of_the_same_seeds_are_equal_in_any_order() {
        let (a, b) = (seed("a", "10.0.0.1:1"), seed("b", "10.0.0.2:1"));
        assert_eq!(SeedSet::new([a.clone(), b.clone()]), SeedSet::new([b, a]));
    }

    #[test]
    fn a_set_is_sorted_by_name_then_address() {
        let set = SeedSet::new([
            seed("b", "10.0.0.1:1"),
            seed("a", "10.0.0.9:1"),
            seed("a", "10.0.0.2:1"),
        ]);
        let order: Vec<String> = set.iter().map(ToString::to_string).collect();
        assert_eq!(
            order,
            ["a at 10.0.0.2:1", "a at 10.0.0.9:1", "b at 10.0.0.1:1"]
        );
    }

    #[test]
    fn a_pod_is_in_a_set_once_whatever_its_addresses() {
        let mut v4 = seed("a", "10.0.0.1:1");
        let mut v6 = seed("a", "[fd00::1]:1");
        v4.pod_uid = Some(PodUid::new("u").unwrap());
        v6.pod_uid = Some(PodUid::new("u").unwrap());
        assert_eq!(SeedSet::new([v6, v4]).len(), 1);
    }

    #[test]
    fn an_address_is_kept_once() {
        let address = "10.0.0.1:1".parse().unwrap();
        assert_eq!(Seed::at(address).and_at(address).addresses(), [address]);
    }
}
