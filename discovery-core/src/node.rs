//! What a node says of itself: addresses, place, role, attributes, each checked where it enters.
//! Whether it is a member of anything is in `topology.rs`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{SocketAddr, SocketAddrV6};
use std::sync::Arc;

use crate::identity::{NodeId, NodeName, PodUid, checked_text};
use crate::time::UnixMillis;

/// Most addresses of one node.
pub const ADDRESSES_MAX: usize = 8;

/// Most attributes of one node.
pub const ATTRIBUTES_MAX: usize = 32;

/// Most bytes of all attributes of one node together, keys and values.
pub const ATTRIBUTES_BYTES_MAX: usize = 4096;

/// Longest name of a zone or a host node in bytes.
pub const PLACE_BYTES_MAX: usize = 253;

checked_text! {
    /// A failure zone, such as `eu-west-1a`.
    ///
    /// 1 to [`PLACE_BYTES_MAX`] bytes, no space, no control character.
    Zone, "zone", PLACE_BYTES_MAX
}

checked_text! {
    /// The machine that a node runs on; in Kubernetes the Node's name.
    ///
    /// 1 to [`PLACE_BYTES_MAX`] bytes, no space, no control character.
    HostNode, "host node", PLACE_BYTES_MAX
}

/// What part a node takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Role {
    /// Its acceptance counts.
    #[default]
    Member,
    /// It receives every decision and does not vote.
    Follower,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Member => "member",
            Self::Follower => "follower",
        })
    }
}

/// The version of the node-to-node protocol that a node speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct WireVersion(pub u16);

impl fmt::Display for WireVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Why attributes were refused. Nothing was changed; the same attributes fail again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttributesError {
    /// A key is empty.
    #[error("an attribute's key is empty; give it a name")]
    EmptyKey,
    /// There are more keys than the limit.
    #[error("attribute '{key}' is one too many; the limit is {ATTRIBUTES_MAX} keys")]
    TooMany {
        /// The first key beyond the limit.
        key: String,
    },
    /// Keys and values together are longer than the limit.
    #[error(
        "attribute '{key}' brings keys and values to {bytes} bytes; the limit is \
         {ATTRIBUTES_BYTES_MAX}"
    )]
    TooLarge {
        /// The key that crosses the limit, cut to a printable length.
        key: String,
        /// What keys and values then come to.
        bytes: usize,
    },
}

/// A node's own small facts for its users: at most [`ATTRIBUTES_MAX`] keys, and
/// [`ATTRIBUTES_BYTES_MAX`] bytes of keys and values together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes(BTreeMap<String, String>);

impl Attributes {
    /// Checks and keeps all of them; of a key given twice the last value counts.
    ///
    /// # Errors
    ///
    /// If a key is empty or a limit is crossed; the error names the key.
    pub fn new<K, V>(pairs: impl IntoIterator<Item = (K, V)>) -> Result<Self, AttributesError>
    where
        K: Into<String>,
        V: Into<String>,
    {
        let mut attributes = Self::default();
        for (key, value) in pairs {
            attributes.insert(key, value)?;
        }
        Ok(attributes)
    }

    /// Sets one and returns the value it had.
    ///
    /// # Errors
    ///
    /// If the key is empty or a limit would be crossed; nothing is changed then.
    pub fn insert(
        &mut self,
        key: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Option<String>, AttributesError> {
        let (key, value) = (key.into(), value.into());
        let printable = || key.escape_debug().take(64).collect();
        if key.is_empty() {
            return Err(AttributesError::EmptyKey);
        }
        let before = self.0.get(&key).map(|value| key.len() + value.len());
        if before.is_none() && self.0.len() == ATTRIBUTES_MAX {
            return Err(AttributesError::TooMany { key: printable() });
        }
        let bytes = self.bytes() - before.unwrap_or(0) + key.len() + value.len();
        if bytes > ATTRIBUTES_BYTES_MAX {
            return Err(AttributesError::TooLarge {
                key: printable(),
                bytes,
            });
        }
        Ok(self.0.insert(key, value))
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Keys and values in the order of the keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn bytes(&self) -> usize {
        self.iter()
            .map(|(key, value)| key.len() + value.len())
            .sum()
    }
}

/// Why a node's description was refused. Nothing was changed; the same description fails again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NodeInfoError {
    /// It has no address.
    #[error("node {name} has no address; give it the ip:port where others reach it")]
    NoAddress {
        /// The node.
        name: NodeName,
    },
    /// It has more addresses than the limit.
    #[error("node {name} has {addresses} addresses; the limit is {ADDRESSES_MAX}")]
    TooManyAddresses {
        /// The node.
        name: NodeName,
        /// How many it has.
        addresses: usize,
    },
    /// An address is one that nobody can dial: unspecified, multicast, or with port 0.
    #[error("node {name}: {address} cannot be dialled; give the ip:port where others reach it")]
    Undialable {
        /// The node.
        name: NodeName,
        /// The address.
        address: SocketAddr,
    },
}

/// What is known of one node for the length of one run; cheap to clone, never changed.
///
/// ```
/// use discovery_core::{NodeId, NodeInfo, NodeName, UnixMillis};
///
/// let node = NodeInfo::new(
///     NodeId::from_u128(1),
///     NodeName::new("ring-0")?,
///     ["10.88.0.7:47500".parse()?],
///     UnixMillis(1_795_305_600_000),
/// )?;
/// assert_eq!(node.name().as_str(), "ring-0");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(
        into = "crate::formats::NodeForm",
        try_from = "crate::formats::NodeForm"
    )
)]
pub struct NodeInfo(Arc<Description>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Description {
    id: NodeId,
    name: NodeName,
    // Kept for every member by every member, so that every word counts.
    addresses: Box<[SocketAddr]>,
    started_at: UnixMillis,
    pod_uid: Option<PodUid>,
    zone: Option<Zone>,
    host_node: Option<HostNode>,
    role: Role,
    /// Nothing if there are none, as mostly.
    attributes: Option<Box<Attributes>>,
    wire_version: WireVersion,
}

impl NodeInfo {
    /// Describes a node; what is not given here starts out absent, empty, [`Role::Member`] and
    /// wire version 1, and is set by the `with_` methods.
    ///
    /// `addresses` are where others reach it, best first; one given twice is kept once, an IPv4
    /// address written as IPv6 becomes IPv4, and scopes and flow labels, which mean nothing on
    /// another machine, are dropped. `started_at` is when its process started, by its host's clock.
    ///
    /// # Errors
    ///
    /// If there is no address, one that cannot be dialled, or more than [`ADDRESSES_MAX`].
    pub fn new(
        id: NodeId,
        name: NodeName,
        addresses: impl IntoIterator<Item = SocketAddr>,
        started_at: UnixMillis,
    ) -> Result<Self, NodeInfoError> {
        let addresses = checked_addresses(&name, addresses)?;
        Ok(Self(Arc::new(Description {
            id,
            name,
            addresses,
            started_at,
            pod_uid: None,
            zone: None,
            host_node: None,
            role: Role::Member,
            attributes: None,
            wire_version: WireVersion(1),
        })))
    }

    /// The same node under another id: a process that was removed joins again as a new node.
    #[must_use]
    pub fn with_id(self, id: NodeId) -> Self {
        self.with(|node| node.id = id)
    }

    /// Says which pod it runs in.
    #[must_use]
    pub fn with_pod_uid(self, uid: PodUid) -> Self {
        self.with(|node| node.pod_uid = Some(uid))
    }

    /// Says which zone it runs in.
    #[must_use]
    pub fn with_zone(self, zone: Zone) -> Self {
        self.with(|node| node.zone = Some(zone))
    }

    /// Says which machine it runs on.
    #[must_use]
    pub fn with_host_node(self, host_node: HostNode) -> Self {
        self.with(|node| node.host_node = Some(host_node))
    }

    /// Says what part it takes.
    #[must_use]
    pub fn with_role(self, role: Role) -> Self {
        self.with(|node| node.role = role)
    }

    /// Gives it these attributes in place of those it had.
    #[must_use]
    pub fn with_attributes(self, attributes: Attributes) -> Self {
        let is_empty = attributes.iter().next().is_none();
        let attributes = (!is_empty).then(|| Box::new(attributes));
        self.with(|node| node.attributes = attributes)
    }

    /// Says which wire version it speaks.
    #[must_use]
    pub fn with_wire_version(self, version: WireVersion) -> Self {
        self.with(|node| node.wire_version = version)
    }

    fn with(mut self, set: impl FnOnce(&mut Description)) -> Self {
        set(Arc::make_mut(&mut self.0));
        self
    }

    /// Its id, new at each start.
    pub fn id(&self) -> NodeId {
        self.0.id
    }

    /// Its name, stable across runs.
    pub fn name(&self) -> &NodeName {
        &self.0.name
    }

    /// Where others reach it, best first: at least one, of either family.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.0.addresses
    }

    /// When its process started, by its host's clock.
    pub fn started_at(&self) -> UnixMillis {
        self.0.started_at
    }

    /// The uid of its pod, if it runs in one.
    pub fn pod_uid(&self) -> Option<&PodUid> {
        self.0.pod_uid.as_ref()
    }

    /// Its failure zone, if known.
    pub fn zone(&self) -> Option<&Zone> {
        self.0.zone.as_ref()
    }

    /// Its machine, if known.
    pub fn host_node(&self) -> Option<&HostNode> {
        self.0.host_node.as_ref()
    }

    /// What part it takes.
    pub fn role(&self) -> Role {
        self.0.role
    }

    /// Its attributes.
    pub fn attributes(&self) -> &Attributes {
        static NONE: Attributes = Attributes(BTreeMap::new());
        self.0.attributes.as_deref().unwrap_or(&NONE)
    }

    /// The wire version it speaks.
    pub fn wire_version(&self) -> WireVersion {
        self.0.wire_version
    }
}

impl fmt::Debug for NodeInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The name, and the id where two runs of one name must be told apart.
impl fmt::Display for NodeInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.id())
    }
}

fn checked_addresses(
    name: &NodeName,
    addresses: impl IntoIterator<Item = SocketAddr>,
) -> Result<Box<[SocketAddr]>, NodeInfoError> {
    let mut checked: Vec<SocketAddr> = Vec::new();
    let mut beyond = 0;
    for address in addresses {
        let ip = address.ip().to_canonical();
        if ip.is_unspecified() || ip.is_multicast() || address.port() == 0 {
            return Err(NodeInfoError::Undialable {
                name: name.clone(),
                address,
            });
        }
        let address = match ip {
            std::net::IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
            std::net::IpAddr::V6(ip) => SocketAddrV6::new(ip, address.port(), 0, 0).into(),
        };
        if checked.contains(&address) {
            continue;
        }
        if checked.len() < ADDRESSES_MAX {
            checked.push(address);
        } else {
            beyond += 1;
        }
    }
    if checked.is_empty() {
        return Err(NodeInfoError::NoAddress { name: name.clone() });
    }
    if beyond > 0 {
        let (name, addresses) = (name.clone(), checked.len() + beyond);
        return Err(NodeInfoError::TooManyAddresses { name, addresses });
    }
    Ok(checked.into_boxed_slice())
}

#[cfg(test)]
#[path = "node_tests.rs"]
mod tests;
