//! EndpointSlices in, seeds and census entries out. Pure: no client, no clock, no waiting.
//!
//! Slices are kept by name and replaced whole, so a set is always the union of what the API holds.
//! An endpoint may stand in two slices for a moment; it is one process all the same.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use discovery_core::{NodeName, PodUid, ProcessIdentity, SEEDS_MAX, Seed, SeedCondition, SeedSet};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};

use crate::config::{FamilyPolicy, KubeFinderConfig, PortChoice};

/// Most slices that one Service may have; the controller fills them with 100 endpoints each.
pub const SLICES_MAX: usize = 1024;

/// Why slices do not make a set; nothing was changed and only another listing can help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SliceError {
    /// A field of a slice is missing or does not hold what the API defines.
    #[error("slice {slice}: {field} = '{value}': {expected}")]
    Malformed {
        /// The slice's name.
        slice: String,
        /// The field's path inside the slice.
        field: String,
        /// The value as it stands there, cut to a printable length.
        value: String,
        /// What should stand there.
        expected: &'static str,
    },
    /// Endpoints are listed, but none of their slices carries the port.
    #[error("no slice carries the TCP port '{wanted}'; they carry: {carried}")]
    NoPort {
        /// The port's name as configured.
        wanted: String,
        /// The names and numbers that the slices do carry.
        carried: String,
    },
    /// More than [`SLICES_MAX`] slices or more than [`SEEDS_MAX`] processes.
    #[error("{count} {what} are listed; the limit is {limit}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// The limit.
        limit: usize,
    },
}

/// One port of a slice, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SlicePort {
    name: String,
    /// `None` stands for "any port" in the API.
    number: Option<u16>,
    is_tcp: bool,
}

/// One endpoint with everything that the API says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SliceEndpoint {
    /// The first address: the only one whose meaning the API defines.
    ip: IpAddr,
    pod: Option<(PodUid, NodeName)>,
    hostname: Option<Arc<str>>,
    zone: Option<Arc<str>>,
    host_node: Option<Arc<str>>,
    condition: SeedCondition,
}

/// One slice, read and checked; it keeps nothing of the object it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    name: String,
    resource_version: String,
    ports: Vec<SlicePort>,
    endpoints: Vec<SliceEndpoint>,
}

fn malformed(
    slice: &str,
    field: impl Into<String>,
    value: &str,
    expected: &'static str,
) -> SliceError {
    let value = value.chars().take(80).collect();
    SliceError::Malformed {
        slice: slice.to_owned(),
        field: field.into(),
        value,
        expected,
    }
}

impl Slice {
    /// Reads one slice object.
    ///
    /// # Errors
    ///
    /// [`SliceError::Malformed`] with the first field that does not hold what the API defines.
    pub fn read(object: &EndpointSlice) -> Result<Self, SliceError> {
        let name = object.metadata.name.clone().unwrap_or_default();
        let wrong = |field: &str, value: &str, expected| malformed(&name, field, value, expected);
        if name.is_empty() {
            return Err(wrong("metadata.name", "", "every object has a name"));
        }
        let resource_version = object.metadata.resource_version.clone().unwrap_or_default();
        if resource_version.is_empty() {
            return Err(wrong(
                "metadata.resourceVersion",
                "",
                "every object has a version",
            ));
        }
        let is_v4 = match object.address_type.as_str() {
            "IPv4" => true,
            "IPv6" => false,
            other => {
                return Err(wrong(
                    "addressType",
                    other,
                    "only IPv4 and IPv6 can be dialled",
                ));
            }
        };
        let mut ports = Vec::new();
        for (at, port) in object.ports.iter().flatten().enumerate() {
            let number = port.port.map(u16::try_from).transpose().ok();
            let Some(number) = number.filter(|number| *number != Some(0)) else {
                let value = port.port.unwrap_or_default().to_string();
                let field = format!("ports[{at}].port");
                return Err(wrong(&field, &value, "a port is a number from 1 to 65535"));
            };
            ports.push(SlicePort {
                name: port.name.clone().unwrap_or_default(),
                number,
                is_tcp: port
                    .protocol
                    .as_deref()
                    .is_none_or(|protocol| protocol == "TCP"),
            });
        }
        let endpoints = object.endpoints.iter().enumerate();
        let endpoints = endpoints
            .map(|(at, endpoint)| SliceEndpoint::read(&name, at, endpoint, is_v4))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            name,
            resource_version,
            ports,
            endpoints,
        })
    }

    /// The slice's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version of the object it was read from.
    pub fn resource_version(&self) -> &str {
        &self.resource_version
    }

    /// The port to knock at on this slice's endpoints, if it carries the one that is wanted.
    fn port(&self, wanted: &PortChoice) -> Option<u16> {
        match wanted {
            PortChoice::Number(number) => Some(*number),
            PortChoice::Named(name) => {
                let named = self
                    .ports
                    .iter()
                    .find(|port| port.is_tcp && port.name == *name);
                named.and_then(|port| port.number)
            }
        }
    }

    /// Its version as a number, to tell which of two slices was written later; 0 if it is none.
    fn written(&self) -> u64 {
        self.resource_version.parse().unwrap_or(0)
    }
}

impl SliceEndpoint {
    fn read(slice: &str, at: usize, endpoint: &Endpoint, is_v4: bool) -> Result<Self, SliceError> {
        let wrong = |field: &str, value: &str, expected| {
            malformed(slice, format!("endpoints[{at}].{field}"), value, expected)
        };
        let Some(address) = endpoint.addresses.first() else {
            return Err(wrong(
                "addresses",
                "",
                "every endpoint has at least one address",
            ));
        };
        let ip = address
            .parse::<IpAddr>()
            .ok()
            .filter(|ip| ip.is_ipv4() == is_v4);
        let Some(ip) = ip else {
            let expected = "an address of the slice's addressType";
            return Err(wrong("addresses[0]", address, expected));
        };
        let pod = endpoint
            .target_ref
            .as_ref()
            .filter(|it| it.kind.as_deref() == Some("Pod"));
        let pod = match pod {
            None => None,
            Some(pod) => {
                let name = pod.name.as_deref().unwrap_or_default();
                let uid = pod.uid.as_deref().unwrap_or_default();
                let expected = "a reference to a pod carries its name and its uid";
                let name =
                    NodeName::new(name).map_err(|_| wrong("targetRef.name", name, expected))?;
                let uid = PodUid::new(uid).map_err(|_| wrong("targetRef.uid", uid, expected))?;
                Some((uid, name))
            }
        };
        let text = |text: &Option<String>| text.as_deref().map(Arc::from);
        let conditions = endpoint.conditions.as_ref();
        Ok(Self {
            ip,
            pod,
            hostname: text(&endpoint.hostname),
            zone: text(&endpoint.zone),
            host_node: text(&endpoint.node_name),
            condition: SeedCondition {
                // Absent means ready, and absent means not terminating: so the API defines them.
                ready: Some(conditions.and_then(|it| it.ready).unwrap_or(true)),
                serving: Some(
                    conditions
                        .and_then(|it| it.serving.or(it.ready))
                        .unwrap_or(true),
                ),
                terminating: Some(conditions.and_then(|it| it.terminating).unwrap_or(false)),
            },
        })
    }

    /// Who it is; without a pod it is known by its address alone.
    fn identity(&self, port: u16) -> ProcessIdentity {
        match &self.pod {
            Some((uid, _)) => ProcessIdentity::Pod(uid.clone()),
            None => ProcessIdentity::Address(SocketAddr::new(self.ip, port)),
        }
    }
}

/// Everything known of one process, gathered from all slices that list it.
#[derive(Debug)]
struct Process<'a> {
    v4: Option<(u64, SocketAddr)>,
    v6: Option<(u64, SocketAddr)>,
    /// The endpoint that was written last, and when.
    newest: (u64, &'a SliceEndpoint),
}

impl<'a> Process<'a> {
    fn add(&mut self, written: u64, endpoint: &'a SliceEndpoint, port: u16) {
        let family = if endpoint.ip.is_ipv4() {
            &mut self.v4
        } else {
            &mut self.v6
        };
        if family.is_none_or(|(before, _)| before <= written) {
            *family = Some((written, SocketAddr::new(endpoint.ip, port)));
        }
        if self.newest.0 <= written {
            self.newest = (written, endpoint);
        }
    }

    /// The addresses that this policy allows, best first.
    fn addresses(&self, families: FamilyPolicy) -> Vec<SocketAddr> {
        let v4 = self.v4.map(|(_, address)| address);
        let v6 = self.v6.map(|(_, address)| address);
        match families {
            FamilyPolicy::V4 => v4.into_iter().collect(),
            FamilyPolicy::V6 => v6.into_iter().collect(),
            FamilyPolicy::PreferV4 => v4.or(v6).into_iter().collect(),
            FamilyPolicy::PreferV6 => v6.or(v4).into_iter().collect(),
            FamilyPolicy::Both => v6.into_iter().chain(v4).collect(),
        }
    }

    /// The process as a seed, if the policy leaves it an address.
    fn seed(&self, families: FamilyPolicy) -> Option<Seed> {
        let addresses = self.addresses(families);
        let (first, others) = addresses.split_first()?;
        let mut seed = others
            .iter()
            .fold(Seed::at(*first), |seed, at| seed.and_at(*at));
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

    /// Whether it holds no slice at all (a Service with a selector has at least an empty one).
    pub fn is_empty(&self) -> bool {
        self.slices.is_empty()
    }

    /// The slices in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Slice> {
        self.slices.values()
    }

    /// Whether this store, which follows a watch, lacks something that a listing at `version` shows:
    /// whether they differ in a slice of which the watch has told nothing later than the listing.
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
        let wanted = processes.values().filter(|process| {
            let condition = process.newest.1.condition;
            let is_serving = condition.serving != Some(false);
            let is_terminating = condition.terminating == Some(true);
            (config.include_not_ready || is_serving)
                && (config.include_terminating || !is_terminating)
        });
        let seeds: Vec<Seed> = wanted
            .filter_map(|process| process.seed(config.families))
            .collect();
        let by_pod: std::collections::BTreeSet<SocketAddr> = seeds
            .iter()
            .filter(|seed| seed.pod_uid.is_some())
            .flat_map(|seed| seed.addresses().iter().copied())
            .collect();
        // An entry without a pod at a pod's address adds nothing to dial (a mirrored slice).
        let is_its_own = |seed: &Seed| seed.pod_uid.is_some() || !by_pod.contains(&seed.address());
        Ok(seeds.into_iter().filter(is_its_own).collect())
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
            .values()
            .filter_map(|process| process.seed(FamilyPolicy::Both))
            .collect())
    }

    fn processes(
        &self,
        wanted: &PortChoice,
    ) -> Result<BTreeMap<ProcessIdentity, Process<'_>>, SliceError> {
        self.check_count("slices", self.slices.len(), SLICES_MAX)?;
        let mut processes: BTreeMap<ProcessIdentity, Process<'_>> = BTreeMap::new();
        let mut is_anybody_listed = false;
        let mut is_port_carried = false;
        for slice in self
            .slices
            .values()
            .filter(|slice| !slice.endpoints.is_empty())
        {
            is_anybody_listed = true;
            let Some(port) = slice.port(wanted) else {
                continue;
            };
            is_port_carried = true;
            let written = slice.written();
            for endpoint in &slice.endpoints {
                processes
                    .entry(endpoint.identity(port))
                    .or_insert(Process {
                        v4: None,
                        v6: None,
                        newest: (written, endpoint),
                    })
                    .add(written, endpoint, port);
            }
        }
        if is_anybody_listed && !is_port_carried {
            let wanted = wanted.to_string();
            return Err(SliceError::NoPort {
                wanted,
                carried: self.carried_ports(),
            });
        }
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
        let words: std::collections::BTreeSet<String> = ports
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

#[cfg(test)]
mod tests;
