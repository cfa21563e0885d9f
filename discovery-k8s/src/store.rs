//! The slices of one Service by name, and what they add up to: seeds, and the entries of a census.
//! Pure, as `slices.rs` is, which reads each slice.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use discovery_core::{SEEDS_MAX, Seed, SeedSet};

use crate::config::{FamilyPolicy, KubeFinderConfig, PortChoice};
use crate::slices::{Key, SLICES_MAX, Slice, SliceEndpoint, SliceError};

/// Everything known of one process, gathered from all slices that list it.
#[derive(Debug)]
struct Process<'a> {
    v4: Option<(u64, SocketAddr)>,
    v6: Option<(u64, SocketAddr)>,
    /// The endpoint that was written last, and when.
    newest: (u64, &'a SliceEndpoint),
}

impl<'a> Process<'a> {
    /// One process out of everything that the slices say of it; none out of nothing.
    fn gather(entries: &[(Key<'a>, u64, &'a SliceEndpoint)]) -> Option<Self> {
        let (_, written, endpoint) = *entries.first()?;
        let mut process = Self {
            v4: None,
            v6: None,
            newest: (written, endpoint),
        };
        for (key, written, endpoint) in entries {
            process.add(*written, endpoint, key.address);
        }
        Some(process)
    }

    fn add(&mut self, written: u64, endpoint: &'a SliceEndpoint, address: SocketAddr) {
        let family = if address.is_ipv4() {
            &mut self.v4
        } else {
            &mut self.v6
        };
        if family.is_none_or(|(before, _)| before <= written) {
            *family = Some((written, address));
        }
        if self.newest.0 <= written {
            self.newest = (written, endpoint);
        }
    }

    /// The addresses that this policy allows, best first.
    fn addresses(&self, families: FamilyPolicy) -> impl Iterator<Item = SocketAddr> {
        let v4 = self.v4.map(|(_, address)| address);
        let v6 = self.v6.map(|(_, address)| address);
        let (first, second) = match families {
            FamilyPolicy::V4 => (v4, None),
            FamilyPolicy::V6 => (v6, None),
            FamilyPolicy::PreferV4 => (v4.or(v6), None),
            FamilyPolicy::PreferV6 => (v6.or(v4), None),
            FamilyPolicy::Both => (v6, v4),
        };
        first.into_iter().chain(second)
    }

    /// The process as a seed, if the policy leaves it an address.
    fn seed(&self, families: FamilyPolicy) -> Option<Seed> {
        let mut addresses = self.addresses(families);
        let first = Seed::at(addresses.next()?);
        let mut seed = addresses.fold(first, Seed::and_at);
        let endpoint = self.newest.1;
        if let Some((uid, name)) = &endpoint.pod {
            seed.pod_uid = Some(uid.clone());
            seed.name = Some(name.clone());
        }
        seed.hostname.clone_from(&endpoint.hostname);
        seed.zone.clone_from(&endpoint.zone);
        seed.host_node.clone_from(&endpoint.host_node);
        seed.condition = endpoint.condition;
        Some(seed)
    }
}

/// All slices of one Service, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SliceStore {
    slices: BTreeMap<String, Slice>,
}

impl SliceStore {
    /// A store of these slices; of two with one name the later stays.
    pub fn new(slices: impl IntoIterator<Item = Slice>) -> Self {
        Self {
            slices: slices
                .into_iter()
                .map(|slice| (slice.name.clone(), slice))
                .collect(),
        }
    }

    /// Adds a slice, or replaces the one of its name.
    pub fn put(&mut self, slice: Slice) {
        self.slices.insert(slice.name.clone(), slice);
    }

    /// Takes a slice away; one that is not there is no fault.
    pub fn remove(&mut self, name: &str) {
        self.slices.remove(name);
    }

    /// How many slices it holds.
    pub(crate) fn len(&self) -> usize {
        self.slices.len()
    }

    /// The highest version of any slice, as a number; 0 if there is none.
    pub(crate) fn newest_version(&self) -> u64 {
        self.slices.values().map(Slice::written).max().unwrap_or(0)
    }

    /// Whether it holds no slice at all (a Service with a selector has at least an empty one).
    pub fn is_empty(&self) -> bool {
        self.slices.is_empty()
    }

    /// The slices in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Slice> {
        self.slices.values()
    }

    /// Whether this store, which follows a watch, lacks something that a listing at `version`
    /// shows: whether they differ in a slice of which the watch has told nothing later.
    ///
    /// Slice by slice, since a watch that tells newer things may have swallowed an older one.
    /// `deleted` holds the slices that the watch told to be deleted, and at which version.
    pub(crate) fn has_missed(
        &self,
        listed: &Self,
        version: u64,
        deleted: &BTreeMap<String, u64>,
    ) -> bool {
        let is_later = |written: Option<u64>| written.is_some_and(|written| written > version);
        let lacks = |slice: &Slice| match self.slices.get(&slice.name) {
            Some(ours) if ours.resource_version == slice.resource_version => false,
            Some(ours) => !is_later(Some(ours.written())),
            None => !is_later(deleted.get(&slice.name).copied()),
        };
        let outlives = |ours: &Slice| {
            !listed.slices.contains_key(&ours.name) && !is_later(Some(ours.written()))
        };
        listed.iter().any(lacks) || self.iter().any(outlives)
    }

    /// The seeds that the configuration asks for.
    ///
    /// # Errors
    ///
    /// [`SliceError::NoPort`] if there are endpoints but none behind the wanted port, and
    /// [`SliceError::TooMany`]. An empty set is an answer, not an error.
    pub fn seeds(&self, config: &KubeFinderConfig) -> Result<SeedSet, SliceError> {
        let processes = self.processes(&config.port)?;
        let wanted = processes.iter().filter(|process| {
            let condition = process.newest.1.condition;
            let is_serving = condition.serving != Some(false);
            let is_terminating = condition.terminating == Some(true);
            (config.include_not_ready || is_serving)
                && (config.include_terminating || !is_terminating)
        });
        let mut seeds: Vec<Seed> = wanted
            .filter_map(|process| process.seed(config.families))
            .collect();
        if seeds.iter().any(|seed| seed.pod_uid.is_none()) {
            drop_mirrors(&mut seeds);
        }
        Ok(SeedSet::new(seeds))
    }

    /// Every listed process for a census: all families, ready or not, on its way out or not.
    ///
    /// An entry without a pod counts as a process of its own even at a pod's address, since a
    /// census must never hold fewer processes than live (FORM-3).
    ///
    /// # Errors
    ///
    /// As for [`SliceStore::seeds`].
    pub fn census_entries(&self, port: &PortChoice) -> Result<Vec<Seed>, SliceError> {
        let processes = self.processes(port)?;
        Ok(processes
            .iter()
            .filter_map(|process| process.seed(FamilyPolicy::Both))
            .collect())
    }

    /// Every listed process once, in the order of identities.
    fn processes(&self, wanted: &PortChoice) -> Result<Vec<Process<'_>>, SliceError> {
        self.check_count("slices", self.slices.len(), SLICES_MAX)?;
        let listed = self
            .slices
            .values()
            .filter(|slice| !slice.endpoints.is_empty());
        let (mut is_anybody_listed, mut is_port_carried) = (false, false);
        let mut entries = Vec::new();
        for slice in listed {
            is_anybody_listed = true;
            let Some(port) = slice.port(wanted) else {
                continue;
            };
            is_port_carried = true;
            let written = slice.written();
            let endpoints = slice.endpoints.iter();
            entries.extend(endpoints.map(|endpoint| (endpoint.key(port), written, endpoint)));
        }
        if is_anybody_listed && !is_port_carried {
            let wanted = wanted.to_string();
            let carried = self.carried_ports();
            return Err(SliceError::NoPort { wanted, carried });
        }
        // Sorting beats a map here: a thousand processes are merged within a millisecond.
        entries.sort_unstable_by_key(|(key, _, _)| *key);
        let same_process = entries.chunk_by(|(a, _, _), (b, _, _)| a.is_same_process(b));
        let processes: Vec<Process<'_>> = same_process.filter_map(Process::gather).collect();
        self.check_count("processes", processes.len(), SEEDS_MAX)?;
        Ok(processes)
    }

    #[expect(
        clippy::unused_self,
        reason = "reads as what it is: a limit of this store"
    )]
    fn check_count(
        &self,
        what: &'static str,
        count: usize,
        limit: usize,
    ) -> Result<(), SliceError> {
        if count > limit {
            Err(SliceError::TooMany { what, count, limit })
        } else {
            Ok(())
        }
    }

    /// The ports that the slices carry, for an error message.
    fn carried_ports(&self) -> String {
        let ports = self.slices.values().flat_map(|slice| &slice.ports);
        let words: BTreeSet<String> = ports
            .map(|port| {
                let number = port
                    .number
                    .map_or("any".to_owned(), |number| number.to_string());
                let protocol = if port.is_tcp { "" } else { " (not TCP)" };
                format!("'{}' = {number}{protocol}", port.name)
            })
            .collect();
        if words.is_empty() {
            return "none".to_owned();
        }
        words.into_iter().take(16).collect::<Vec<_>>().join(", ")
    }
}

/// Takes away what adds nothing to dial: an entry without a pod at a pod's address (a mirrored
/// slice).
fn drop_mirrors(seeds: &mut Vec<Seed>) {
    let by_pod: BTreeSet<SocketAddr> = seeds
        .iter()
        .filter(|seed| seed.pod_uid.is_some())
        .flat_map(|seed| seed.addresses().iter().copied())
        .collect();
    seeds.retain(|seed| seed.pod_uid.is_some() || !by_pod.contains(&seed.address()));
}

#[cfg(test)]
mod tests;
