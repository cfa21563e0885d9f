//! One EndpointSlice, read and checked field by field. Pure: no client, no clock, no waiting; what
//! several slices add up to is `store.rs`'s.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use discovery_core::{NodeName, PodUid, SeedCondition};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};

use crate::config::PortChoice;

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
    /// More than [`SLICES_MAX`] slices, or more processes than
    /// [`SEEDS_MAX`](discovery_core::SEEDS_MAX).
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
pub(crate) struct SlicePort {
    pub(crate) name: String,
    /// `None` stands for "any port" in the API.
    pub(crate) number: Option<u16>,
    pub(crate) is_tcp: bool,
}

/// One endpoint with everything that the API says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SliceEndpoint {
    /// The first address: the only one whose meaning the API defines.
    pub(crate) ip: IpAddr,
    pub(crate) pod: Option<(PodUid, NodeName)>,
    pub(crate) hostname: Option<Arc<str>>,
    pub(crate) zone: Option<Arc<str>>,
    pub(crate) host_node: Option<Arc<str>>,
    pub(crate) condition: SeedCondition,
}

/// One slice, read and checked; it keeps nothing of the object it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    pub(crate) name: String,
    pub(crate) resource_version: String,
    pub(crate) ports: Vec<SlicePort>,
    pub(crate) endpoints: Vec<SliceEndpoint>,
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
    pub(crate) fn port(&self, wanted: &PortChoice) -> Option<u16> {
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
    pub(crate) fn written(&self) -> u64 {
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

    /// What tells it from other processes, and where it is.
    pub(crate) fn key(&self, port: u16) -> Key<'_> {
        Key {
            pod_uid: self.pod.as_ref().map(|(uid, _)| uid.as_str()),
            address: SocketAddr::new(self.ip, port),
        }
    }
}

/// Identifies a process while slices are merged, and sorts all that is said of it together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key<'a> {
    pub(crate) pod_uid: Option<&'a str>,
    pub(crate) address: SocketAddr,
}

impl Key<'_> {
    /// Whether both are one process: the same pod, or without one the same address.
    pub(crate) fn is_same_process(&self, other: &Self) -> bool {
        match (self.pod_uid, other.pod_uid) {
            (Some(ours), Some(theirs)) => ours == theirs,
            (None, None) => self.address == other.address,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}
