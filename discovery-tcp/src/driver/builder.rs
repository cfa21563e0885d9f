//! Settings of one node, checked all together when it starts.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use discovery_core::{Attributes, Finder};

use super::handle::TcpDiscovery;
use super::security::{LinkSecurity, Plaintext};
use super::start;
use super::start_error::StartError;
use crate::config::{Formation, RingConfig};

/// What a node is started with; made by [`TcpDiscovery::builder`].
///
/// Two settings must be given: a name, and where to listen. All but [`Formation::Single`] need a
/// finder as well.
#[derive(Debug)]
#[must_use = "nothing happens before it is started"]
pub struct TcpDiscoveryBuilder {
    pub(super) name: Option<String>,
    pub(super) listen: Option<SocketAddr>,
    pub(super) listener: Option<TcpListener>,
    pub(super) advertise: Vec<SocketAddr>,
    pub(super) pod_uid: Option<String>,
    pub(super) zone: Option<String>,
    pub(super) host_node: Option<String>,
    pub(super) attributes: Attributes,
    pub(super) finder: Option<Arc<dyn Finder>>,
    pub(super) cluster_name: Option<String>,
    pub(super) formation: Option<Formation>,
    pub(super) config: RingConfig,
    pub(super) security: Arc<dyn LinkSecurity>,
}

impl TcpDiscoveryBuilder {
    pub(super) fn new() -> Self {
        Self {
            name: None,
            listen: None,
            listener: None,
            advertise: Vec::new(),
            pod_uid: None,
            zone: None,
            host_node: None,
            attributes: Attributes::default(),
            finder: None,
            cluster_name: None,
            formation: None,
            config: RingConfig::default(),
            security: Arc::new(Plaintext),
        }
    }

    /// The node's name, stable across its runs and unique in the cluster: in a pod, the pod's name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Where to listen for links; port 0 takes any free one.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = Some(address);
        self
    }

    /// Listens on a socket that is bound already, in place of [`listen`](Self::listen).
    ///
    /// It must not share its port with another process (`SO_REUSEPORT`): that a port answers is
    /// taken as a word of its one owner.
    pub fn listener(mut self, listener: TcpListener) -> Self {
        self.listener = Some(listener);
        self
    }

    /// Where others reach the node, best first; port 0 stands for the port it listens at.
    /// Default: the address it listens at, if that is a single one.
    pub fn advertise(mut self, addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.advertise = addresses.into_iter().collect();
        self
    }

    /// The uid of the pod that the node runs in. Without it, only its address tells it from others.
    pub fn pod_uid(mut self, uid: impl Into<String>) -> Self {
        self.pod_uid = Some(uid.into());
        self
    }

    /// The failure zone that the node runs in.
    pub fn zone(mut self, zone: impl Into<String>) -> Self {
        self.zone = Some(zone.into());
        self
    }

    /// The machine that the node runs on.
    pub fn host_node(mut self, host_node: impl Into<String>) -> Self {
        self.host_node = Some(host_node.into());
        self
    }

    /// Small facts about the node for all who see the topology.
    pub fn attributes(mut self, attributes: Attributes) -> Self {
        self.attributes = attributes;
        self
    }

    /// Who finds the others. Its calls run on tasks of their own.
    pub fn finder(mut self, finder: Arc<dyn Finder>) -> Self {
        self.finder = Some(finder);
        self
    }

    /// The name that all nodes of the cluster share, in place of the configuration's.
    pub fn cluster_name(mut self, name: impl Into<String>) -> Self {
        self.cluster_name = Some(name.into());
        self
    }

    /// How a cluster comes into being, in place of the configuration's.
    pub fn formation(mut self, formation: Formation) -> Self {
        self.formation = Some(formation);
        self
    }

    /// Everything else that can be chosen.
    pub fn config(mut self, config: RingConfig) -> Self {
        self.config = config;
        self
    }

    /// How links are secured. Default: they are not, and the node says so when it starts.
    pub fn security(mut self, security: Arc<dyn LinkSecurity>) -> Self {
        self.security = security;
        self
    }

    /// Starts the node: it listens at once, and finds, forms or joins by itself from then on.
    ///
    /// It runs on the tokio runtime that this is called in, which needs its network and time
    /// drivers, until it [leaves](discovery_core::Discovery::leave), is
    /// [shut down](TcpDiscovery::shutdown), or every clone of the handle is dropped.
    ///
    /// # Errors
    ///
    /// With everything that is wrong with the settings; nothing runs then.
    ///
    /// # Cancel safety
    ///
    /// It never waits, so there is no place to cancel it.
    #[expect(
        clippy::unused_async,
        reason = "it needs a runtime around it, and may one day wait for the first bind"
    )]
    pub async fn start(self) -> Result<TcpDiscovery, StartError> {
        start::start(self)
    }
}
