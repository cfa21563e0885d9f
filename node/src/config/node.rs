//! What the settings about running a node mean. Every fault of every setting is gathered; nothing
//! is started here.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use discovery_core::{Attributes, HostNode, NodeName, PodUid, Zone};
use discovery_tcp::RingConfig;

use super::Surroundings;
use super::api::ApiLimits;
use super::node_settings::{
    ADMIN_LISTEN, ADVERTISE, ATTRIBUTES, CLUSTER, EXIT_ON_REFUSAL, GRPC_LISTEN, HOST_NODE,
    HTTP_LISTEN, LOG_FORMAT, NAME, POD_UID, RING_LISTEN, STOP_LIMIT, STREAMS_MAX, ZONE,
};
use super::plan::{FinderPlan, Part};
use super::platform::{POD_IPS, POD_NAME, UID, in_manifest};
use super::ring::ring_config;
use super::services::ServiceLimits;
use super::values::{Reader, switch, time};

/// Port of the ring where nobody chooses another.
pub const RING_PORT: u16 = 47500;
/// Port of the gRPC API where nobody chooses another.
pub const GRPC_PORT: u16 = 47510;
/// Port of probes, metrics and page where nobody chooses another.
pub const HTTP_PORT: u16 = 47520;
/// Most streams of the API where nobody chooses another number.
pub(super) const STREAMS_MAX_DEFAULT: usize = 4096;
/// How long an orderly end may take where nobody chooses another limit.
pub(super) const STOP_LIMIT_DEFAULT: Duration = Duration::from_secs(15);

/// What a node is run with, its finder aside.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NodeConfig {
    /// Its name.
    pub name: NodeName,
    /// The uid of its pod.
    pub pod_uid: Option<PodUid>,
    /// Its zone.
    pub zone: Option<Zone>,
    /// Its machine.
    pub host_node: Option<HostNode>,
    /// Facts about it.
    pub attributes: Attributes,
    /// Where other nodes reach it; port 0 stands for the port it listens at, and none at all for
    /// the address it listens at.
    pub advertise: Vec<SocketAddr>,
    /// The protocol's own settings, the cluster's name among them.
    pub ring: RingConfig,
    /// Where the ring listens.
    pub ring_listen: SocketAddr,
    /// Where the API listens, if it does.
    pub grpc_listen: Option<SocketAddr>,
    /// Most streams of the API.
    pub streams_max: usize,
    /// How much the services may hold at a time.
    pub services: ServiceLimits,
    /// How long its calls may take, and its connections be silent.
    pub api: ApiLimits,
    /// Where probes, metrics and page listen, if they do.
    pub http_listen: Option<SocketAddr>,
    /// Where operators are listened to.
    pub admin_listen: AdminListen,
    /// Whether a final refusal ends the process.
    pub exit_on_refusal: bool,
    /// How long an orderly end may take.
    pub stop_limit: Duration,
    /// How log lines are written.
    pub log_format: LogFormat,
}

/// Where operators are listened to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminListen {
    /// At a Unix socket that only the node's user may open.
    Unix {
        /// The socket's path.
        path: PathBuf,
        /// Whether somebody chose it: then the node does not run without it.
        is_chosen: bool,
    },
    /// At an address.
    Tcp(SocketAddr),
    /// Nowhere.
    Off,
}

impl fmt::Display for AdminListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix { path, .. } => write!(f, "{}", path.display()),
            Self::Tcp(address) => address.fmt(f),
            Self::Off => f.write_str("off"),
        }
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl NodeConfig {
    /// A node of this name that listens at free ports of loopback only, for tests and demos;
    /// everything can be changed afterwards.
    pub fn on_loopback(name: NodeName) -> Self {
        let free = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Self {
            name,
            pod_uid: None,
            zone: None,
            host_node: None,
            attributes: Attributes::default(),
            advertise: Vec::new(),
            ring: RingConfig::default(),
            ring_listen: free,
            grpc_listen: Some(free),
            streams_max: STREAMS_MAX_DEFAULT,
            services: ServiceLimits::default(),
            api: ApiLimits::default(),
            http_listen: Some(free),
            admin_listen: AdminListen::Off,
            exit_on_refusal: false,
            stop_limit: STOP_LIMIT_DEFAULT,
            log_format: LogFormat::Text,
        }
    }
}

/// Reads the layers as the configuration of a node that uses this finder.
pub(super) fn node_config(
    reader: &mut Reader<'_>,
    surroundings: &Surroundings,
    finder: Option<&FinderPlan>,
) -> Option<NodeConfig> {
    let (name, pod_uid) = who(reader, surroundings);
    let zone = reader.text(ZONE);
    let zone = zone.and_then(|text| identity::<Zone>(reader, ZONE, &text));
    let host = reader.text(HOST_NODE);
    let host_node = host.and_then(|text| identity::<HostNode>(reader, HOST_NODE, &text));
    let attributes = attributes(reader);
    let advertise = advertise(reader);
    let any = if advertise.iter().any(SocketAddr::is_ipv6) {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED)
    } else {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED)
    };
    let ring_listen = listen(reader, RING_LISTEN, SocketAddr::new(any, RING_PORT));
    let grpc_listen = listen(reader, GRPC_LISTEN, SocketAddr::new(any, GRPC_PORT));
    let http_listen = listen(reader, HTTP_LISTEN, SocketAddr::new(any, HTTP_PORT));
    if ring_listen.is_none() {
        reader.fault(
            RING_LISTEN,
            Some("off"),
            "the ring has to listen; give IP:PORT",
        );
    }
    let is_everywhere = ring_listen.is_some_and(|address| address.ip().is_unspecified());
    if advertise.is_empty() && is_everywhere && reader.layers.get(ADVERTISE).is_none() {
        let remedy = "say where other nodes reach this one: --advertise IP, or POD_IPS from the \
                      downward API";
        let lines = in_manifest(surroundings, POD_IPS);
        reader.fault(ADVERTISE, None, &format!("{remedy}{lines}"));
    }
    let mut ring = ring_config(reader, finder);
    ring.cluster_name = cluster(reader, finder).into();
    let streams_max = reader.one(STREAMS_MAX, count);
    let exit_on_refusal = reader.one(EXIT_ON_REFUSAL, switch);
    let stop_limit = reader.one(STOP_LIMIT, time);
    // Everything is read before anything is missed: all faults are told at once.
    let services = ServiceLimits::read(reader);
    let admin_listen = admin_listen(reader, surroundings);
    let log_format = reader.one(LOG_FORMAT, log_format);
    Some(NodeConfig {
        name: name?,
        pod_uid,
        zone,
        host_node,
        attributes,
        advertise,
        ring,
        ring_listen: ring_listen?,
        grpc_listen,
        streams_max: streams_max.unwrap_or(STREAMS_MAX_DEFAULT),
        services,
        api: ApiLimits::default(),
        http_listen,
        admin_listen,
        exit_on_refusal: exit_on_refusal.unwrap_or(false),
        stop_limit: stop_limit.unwrap_or(STOP_LIMIT_DEFAULT),
        log_format: log_format.unwrap_or_default(),
    })
}

/// The node's name, and its pod's uid.
fn who(reader: &mut Reader<'_>, surroundings: &Surroundings) -> (Option<NodeName>, Option<PodUid>) {
    let name = reader.text(NAME);
    if name.is_none() {
        let remedy = "name the node: --node-name NAME, or POD_NAME from the downward API";
        let lines = in_manifest(surroundings, POD_NAME);
        reader.fault(NAME, None, &format!("{remedy}{lines}"));
    }
    let name = name.and_then(|text| identity::<NodeName>(reader, NAME, &text));
    let pod_uid = reader.text(POD_UID);
    if pod_uid.is_none() && surroundings.is_in_a_pod() {
        let remedy = "a pod's node is known by the pod's uid; add to the container's env";
        let lines = in_manifest(surroundings, UID);
        reader.fault(POD_UID, None, &format!("{remedy}{lines}"));
    }
    let pod_uid = pod_uid.and_then(|text| identity::<PodUid>(reader, POD_UID, &text));
    (name, pod_uid)
}

fn identity<T: FromStr<Err: fmt::Display>>(
    reader: &mut Reader<'_>,
    key: &str,
    text: &str,
) -> Option<T> {
    let read = text.parse();
    read.map_err(|error| reader.fault(key, Some(text), &format!("{error}")))
        .ok()
}

fn attributes(reader: &mut Reader<'_>) -> Attributes {
    let mut attributes = Attributes::default();
    for text in reader.texts(ATTRIBUTES) {
        let told = match text.split_once('=') {
            Some((key, _)) if key.starts_with(discovery_proto::convert::OWN_ATTRIBUTES) => {
                Err("keys that begin with 'discovery.' are the node's own".to_owned())
            }
            Some((key, value)) => {
                let inserted = attributes.insert(key, value);
                inserted.map(drop).map_err(|error| error.to_string())
            }
            None => Err("write KEY=VALUE".to_owned()),
        };
        if let Err(remedy) = told {
            reader.fault(ATTRIBUTES, Some(&text), &remedy);
        }
    }
    attributes
}

/// Where others reach the node.
fn advertise(reader: &mut Reader<'_>) -> Vec<SocketAddr> {
    let mut addresses = Vec::new();
    for text in reader.texts(ADVERTISE) {
        let ip = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 0));
        match ip.or_else(|_| text.parse::<SocketAddr>()) {
            Ok(address) => addresses.push(address),
            Err(_) => reader.fault(ADVERTISE, Some(&text), "give IP or IP:PORT"),
        }
    }
    addresses
}

/// Where to listen; none if it is switched off, or cannot be read.
fn listen(reader: &mut Reader<'_>, key: &str, default: SocketAddr) -> Option<SocketAddr> {
    if reader.layers.get(key).is_none() {
        return Some(default);
    }
    let read = reader.one(key, |text| match text {
        "off" => Ok(None),
        _ => text.parse::<SocketAddr>().map(Some).map_err(|_| {
            "give IP:PORT, such as 0.0.0.0:47510; an IPv6 address in brackets".to_owned()
        }),
    });
    read.flatten()
}

fn admin_listen(reader: &mut Reader<'_>, surroundings: &Surroundings) -> AdminListen {
    let Some(text) = reader.text(ADMIN_LISTEN) else {
        let path = admin_socket(surroundings);
        let is_chosen = false;
        return AdminListen::Unix { path, is_chosen };
    };
    if text == "off" {
        return AdminListen::Off;
    }
    if text.contains('/') {
        let path = PathBuf::from(text);
        let is_chosen = true;
        return AdminListen::Unix { path, is_chosen };
    }
    if let Ok(address) = text.parse() {
        return AdminListen::Tcp(address);
    }
    let remedy = "give a path with a slash in it, IP:PORT, or off";
    reader.fault(ADMIN_LISTEN, Some(&text), remedy);
    AdminListen::Off
}

/// Where the Unix socket for operators lies where nobody chooses another place.
pub fn admin_socket(surroundings: &Surroundings) -> PathBuf {
    let folder = surroundings.env.get("XDG_RUNTIME_DIR").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| PathBuf::from("/run"));
    folder.join("discovery").join("admin.sock")
}

fn cluster(reader: &Reader<'_>, finder: Option<&FinderPlan>) -> String {
    let of_service = |part: &Part| match part {
        Part::Kubernetes { config, .. } => Some(format!("{}/{}", config.namespace, config.service)),
        Part::Dns(_) | Part::Static(_) | Part::File(_) => None,
    };
    reader.text(CLUSTER).unwrap_or_else(|| {
        let mut parts = finder.iter().flat_map(|plan| &plan.parts);
        parts
            .find_map(of_service)
            .unwrap_or_else(|| "default".to_owned())
    })
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("give text or json".to_owned()),
    }
}

/// Reads a number of at least one.
pub(super) fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("give a whole number of at least 1".to_owned()),
        Ok(number) => Ok(number),
    }
}

#[cfg(test)]
#[path = "node_tests.rs"]
mod tests;
