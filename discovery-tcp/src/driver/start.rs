//! From settings to a running node: checks everything, binds the listener before anything else
//! (K3), and starts the tasks.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use discovery_core::{
    HostNode, IdentityError, NodeId, NodeInfo, NodeName, PodUid, UnixMillis, Zone,
};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{mpsc, watch};

use super::asking::Asking;
use super::builder::TcpDiscoveryBuilder;
use super::clock::{Clock, wall_time};
use super::command::COMMANDS_MAX;
use super::ending::Ending;
use super::handle::TcpDiscovery;
use super::journal::Journal;
use super::links::Links;
use super::listener::Listening;
use super::process_start::process_started_at;
use super::sockets;
use super::start_error::{StartError, StartFault};
use super::subscribers::Subscribers;
use super::task::{ProtocolTask, Replies};
use crate::config::{Formation, RingConfig};
use crate::ring::{Ring, Start};

/// Links that the kernel holds for us while we do not accept.
const BACKLOG: u32 = 1024;

pub(super) fn start(mut settings: TcpDiscoveryBuilder) -> Result<TcpDiscovery, StartError> {
    let wall = wall_time();
    let mut faults = Vec::new();
    let config = config(&settings, &mut faults);
    let bound = kept(&mut faults, bind(&mut settings));
    let address = bound.as_ref().map(|(_, address)| *address);
    let node = node(&settings, address, wall, &mut faults);
    let seed = kept(&mut faults, seed());
    match (bound, node, seed) {
        (Some((listener, _)), Some(node), Some(seed)) if faults.is_empty() => {
            let authoritative = settings.finder.as_ref().is_some_and(|f| f.authoritative());
            let start = Start {
                node,
                wall,
                seed,
                authoritative,
            };
            Ok(run(settings, config, start, listener))
        }
        _ => Err(StartError { faults }),
    }
}

/// The value, or nothing and one fault more.
fn kept<T>(faults: &mut Vec<StartFault>, result: Result<T, StartFault>) -> Option<T> {
    result.map_err(|fault| faults.push(fault)).ok()
}

fn config(settings: &TcpDiscoveryBuilder, faults: &mut Vec<StartFault>) -> RingConfig {
    let mut config = settings.config.clone();
    if let Some(name) = &settings.cluster_name {
        config.cluster_name = Arc::from(name.as_str());
    }
    if let Some(formation) = &settings.formation {
        config.formation = formation.clone();
    }
    match (&config.formation, &settings.finder) {
        (Formation::Census | Formation::Majority(_), None) => faults.push(StartFault::NoFinder),
        (Formation::Census | Formation::Majority(_), Some(_)) | (Formation::Single, _) => {}
    }
    faults.extend(config.faults().into_iter().map(StartFault::Config));
    config
}

/// Binds, or takes the listener that was given, and says where it listens.
fn bind(settings: &mut TcpDiscoveryBuilder) -> Result<(TcpListener, SocketAddr), StartFault> {
    let unusable = |source| StartFault::Listener { source };
    let listener = match (settings.listener.take(), settings.listen) {
        (Some(listener), _) => {
            listener.set_nonblocking(true).map_err(unusable)?;
            TcpListener::from_std(listener).map_err(unusable)?
        }
        (None, Some(address)) => {
            listen(address).map_err(|source| StartFault::Listen { address, source })?
        }
        (None, None) => return Err(StartFault::NoListenAddress),
    };
    sockets::prepare(&listener).map_err(unusable)?;
    let address = listener.local_addr().map_err(unusable)?;
    Ok((listener, address))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Only what an ended process left behind is passed over; two listeners never share a port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The local node's description; its id is the ring's choice.
fn node(
    settings: &TcpDiscoveryBuilder,
    bound: Option<SocketAddr>,
    wall: UnixMillis,
    faults: &mut Vec<StartFault>,
) -> Option<NodeInfo> {
    let name = match &settings.name {
        None => Err(StartFault::NoName),
        Some(name) => identity("name", name, |text| NodeName::new(text)),
    };
    let name = kept(faults, name);
    let pod_uid = optional(faults, "pod_uid", settings.pod_uid.as_ref(), |text| {
        PodUid::new(text)
    });
    let zone = optional(faults, "zone", settings.zone.as_ref(), |text| {
        Zone::new(text)
    });
    let host_node = optional(faults, "host_node", settings.host_node.as_ref(), |text| {
        HostNode::new(text)
    });
    let (name, bound) = (name?, bound?);
    let addresses = kept(faults, advertised(settings, bound))?;
    let unnumbered = NodeId::from_u128(0);
    let started_at = process_started_at(wall);
    let node = NodeInfo::new(unnumbered, name, addresses, started_at).map_err(StartFault::Node);
    let mut node = kept(faults, node)?.with_attributes(settings.attributes.clone());
    if let Some(uid) = pod_uid {
        node = node.with_pod_uid(uid);
    }
    if let Some(zone) = zone {
        node = node.with_zone(zone);
    }
    if let Some(host_node) = host_node {
        node = node.with_host_node(host_node);
    }
    Some(node)
}

fn identity<T>(
    what: &'static str,
    text: &str,
    check: impl FnOnce(&str) -> Result<T, IdentityError>,
) -> Result<T, StartFault> {
    check(text).map_err(|source| StartFault::Identity { what, source })
}

fn optional<T>(
    faults: &mut Vec<StartFault>,
    what: &'static str,
    text: Option<&String>,
    check: impl FnOnce(&str) -> Result<T, IdentityError>,
) -> Option<T> {
    kept(faults, identity(what, text?, check))
}

/// Where others reach a node that listens there.
fn advertised(
    settings: &TcpDiscoveryBuilder,
    bound: SocketAddr,
) -> Result<Vec<SocketAddr>, StartFault> {
    if settings.advertise.is_empty() {
        if bound.ip().is_unspecified() {
            return Err(StartFault::NoAdvertisedAddress);
        }
        return Ok(vec![bound]);
    }
    let reached_at = |mut address: SocketAddr| {
        if address.port() == 0 {
            address.set_port(bound.port());
        }
        address
    };
    Ok(settings.advertise.iter().copied().map(reached_at).collect())
}

fn seed() -> Result<[u8; 32], StartFault> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|source| StartFault::Randomness { source })?;
    Ok(seed)
}

/// Starts the tasks; nothing can fail any more.
fn run(
    settings: TcpDiscoveryBuilder,
    config: RingConfig,
    start: Start,
    listener: TcpListener,
) -> TcpDiscovery {
    let name = start.node.name().clone();
    let address = start.node.addresses()[0];
    let security = settings.security;
    tracing::info!(node = %name, %address, security = security.name(), "listening");
    let limits = (config.payload_bytes_max, config.leave_limit);
    let links = Arc::new(Links::new(security, &config));
    let subscribers = Arc::new(Subscribers::new(start.node.clone()));
    let (commands, given) = mpsc::channel(COMMANDS_MAX);
    let (running, ended) = watch::channel(());
    // Boxed, since the future of a task holds what it owns more than once.
    let mut task = Box::new(ProtocolTask {
        clock: Clock::start(),
        ring: Ring::new(config, start),
        commands: given,
        asking: Asking::new(settings.finder, Arc::clone(&links)),
        subscribers: Arc::clone(&subscribers),
        journal: Journal::new(name.as_str()),
        links: Arc::clone(&links),
        open: BTreeMap::new(),
        replies: Replies::default(),
        batch: Vec::new(),
        encoded: None,
        closing: Vec::new(),
        has_left: false,
        is_over: false,
    });
    // The first outputs name the node, so that the handle can.
    task.act();
    let ending = Ending {
        node: name,
        listening: Listening::start(listener, Arc::clone(&links)),
        links: Arc::clone(&links),
        subscribers: Arc::clone(&subscribers),
    };
    tokio::spawn(async move {
        ending.follow(tokio::spawn(task.run())).await;
        drop(running);
    });
    TcpDiscovery::new(commands, subscribers, links, ended, limits)
}

#[cfg(test)]
#[path = "start_tests.rs"]
mod tests;
