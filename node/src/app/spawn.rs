//! From a configuration to a running node: binds, starts the ring, then serves.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use discovery_core::{AttributesError, Finder};
use discovery_proto::convert::GRPC_ATTRIBUTE;
use discovery_tcp::{LinkSecurity, Plaintext, StartError, StartFault, TcpDiscovery};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::listeners::{BindError, Bound, Listeners, RING, bind};
use super::running::{Control, ENDS_MAX, Places, RunningApp, Tokens};
use crate::config::{NodeConfig, ServiceLimits, shared_settings};
use crate::feed::Feed;
use crate::grpc::{
    AdminListener, Api, Connections, end_watches, keep_up_to_date, serve_admin, serve_api,
};
use crate::http;
use crate::view::traffic::{ADMIN, GRPC};
use crate::view::{NodeView, Overheard};

/// Most connections of operators at a time; one more is closed at once.
const ADMIN_CONNECTIONS_MAX: usize = 64;

/// A node that is put together and does not run yet.
#[derive(Debug)]
#[must_use = "nothing happens before it is spawned"]
pub struct App {
    config: NodeConfig,
    finder: Option<Arc<dyn Finder>>,
    listeners: Listeners,
    security: Arc<dyn LinkSecurity>,
}

/// Why a node could not be started; nothing runs then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// A service cannot listen. A retry helps once whoever holds the address has ended.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The ring cannot start; see its faults for whether a retry helps.
    #[error(transparent)]
    Ring(#[from] StartError),
    /// Where the API is served does not fit beside the configured attributes. A retry does not
    /// help.
    #[error("attributes: {0}; drop some")]
    Attributes(#[from] AttributesError),
}

impl App {
    /// A node of this configuration that finds others by this finder.
    pub fn build(config: NodeConfig, finder: Option<Arc<dyn Finder>>) -> Self {
        Self {
            config,
            finder,
            listeners: Listeners::default(),
            security: Arc::new(Plaintext),
        }
    }

    /// Uses these sockets in place of the configured addresses.
    pub fn with_listeners(mut self, listeners: Listeners) -> Self {
        self.listeners = listeners;
        self
    }

    /// Secures the ring's links in this way; they are plaintext otherwise.
    pub fn with_security(mut self, security: Arc<dyn LinkSecurity>) -> Self {
        self.security = security;
        self
    }

    /// Starts everything; must be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// If a socket cannot be bound, or the ring cannot start.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops what was started.
    pub async fn spawn(mut self) -> Result<RunningApp, SpawnError> {
        let bound = bind(&self.config, &mut self.listeners)?;
        let grpc = bound.grpc.as_ref().and_then(local_address);
        let finder = self.finder.take().map(Overheard::new);
        let discovery = self.start_ring(grpc, finder.as_ref()).await?;
        let view = NodeView::start(discovery.clone(), finder.as_ref());
        let (ends, requests) = mpsc::channel(ENDS_MAX);
        let tokens = Tokens::default();
        let api = Api {
            feed: Feed::start(&discovery, self.config.services),
            view: view.clone(),
            control: Control::new(ends),
            payload_bytes_max: self.config.ring.payload_bytes_max,
            cluster_name: Arc::clone(&self.config.ring.cluster_name),
            limits: self.config.api,
            streams: Arc::new(Semaphore::new(self.config.streams_max)),
            ending: tokens.ending.clone(),
            settings_digest: self.config.ring.settings,
            shared_settings: shared_settings(&self.config.ring),
            discovery: discovery.clone(),
        };
        let places = Places {
            grpc,
            http: bound.http.as_ref().and_then(local_address),
            admin: bound.admin_path.clone(),
            admin_address: bound.admin.as_ref().and_then(AdminListener::address),
        };
        let services = serve(bound, &api, self.config.services, &tokens).await;
        Ok(RunningApp {
            discovery,
            view,
            control: api.control,
            requests,
            tokens,
            services,
            places,
            stop_limit: self.config.stop_limit,
            exit_on_refusal: self.config.exit_on_refusal,
        })
    }

    async fn start_ring(
        &mut self,
        grpc: Option<SocketAddr>,
        finder: Option<&Overheard>,
    ) -> Result<TcpDiscovery, SpawnError> {
        let config = &mut self.config;
        if let Some(address) = grpc {
            config
                .attributes
                .insert(GRPC_ATTRIBUTE, reached_at(address))?;
        }
        let mut builder = TcpDiscovery::builder()
            .name(config.name.as_str())
            .advertise(config.advertise.iter().copied())
            .attributes(config.attributes.clone())
            .config(config.ring.clone())
            .security(Arc::clone(&self.security));
        builder = match self.listeners.ring.take() {
            Some(listener) => builder.listener(listener),
            None => builder.listen(config.ring_listen),
        };
        if let Some(uid) = &config.pod_uid {
            builder = builder.pod_uid(uid.as_str());
        }
        if let Some(zone) = &config.zone {
            builder = builder.zone(zone.as_str());
        }
        if let Some(host_node) = &config.host_node {
            builder = builder.host_node(host_node.as_str());
        }
        if let Some(finder) = finder {
            builder = builder.finder(Arc::new(finder.clone()));
        }
        builder.start().await.map_err(not_started)
    }
}

/// Says where the ring listens is chosen, if it is that which failed.
fn not_started(mut error: StartError) -> SpawnError {
    if let [StartFault::Listen { .. }] = error.faults[..]
        && let Some(StartFault::Listen { address, source }) = error.faults.pop()
    {
        return BindError::of(RING, address.to_string(), source).into();
    }
    error.into()
}

/// Where others reach a service: at that port of the node's addresses, or at that address alone.
fn reached_at(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.port().to_string()
    } else {
        address.to_string()
    }
}

fn local_address(listener: &TcpListener) -> Option<SocketAddr> {
    listener.local_addr().ok()
}

/// Starts the services; each ends once it is told to, and its open calls with it.
async fn serve(bound: Bound, api: &Api, limits: ServiceLimits, tokens: &Tokens) -> JoinSet<()> {
    let mut services = JoinSet::new();
    let (view, closing) = (&api.view, &tokens.closing);
    if let Some(listener) = bound.grpc {
        let (max, door) = (limits.grpc_connections_max, view.traffic().door(GRPC));
        let connections = Connections::until(&tokens.cut, max, door);
        let stop = closing.clone();
        let (reporter, serving) = serve_api(listener, connections, api.clone(), stop).await;
        services.spawn(watched("gRPC", serving, view.clone(), closing.clone()));
        let (discovery, view) = (api.discovery.clone(), view.clone());
        let (draining, closing) = (tokens.draining.clone(), closing.clone());
        services.spawn(async move {
            let health = keep_up_to_date(reporter.clone(), discovery, view, draining);
            closing.run_until_cancelled(health).await;
            end_watches(reporter).await;
        });
    }
    if let Some(listener) = bound.http {
        let serving = http::serve(listener, limits, view.clone(), closing.clone());
        let serving = async {
            serving.await;
            Ok::<_, Infallible>(())
        };
        services.spawn(watched("HTTP", serving, view.clone(), closing.clone()));
    }
    if let Some(listener) = bound.admin {
        let door = view.traffic().door(ADMIN);
        let connections = Connections::until(&tokens.cut, ADMIN_CONNECTIONS_MAX, door);
        let stop = closing.clone();
        let serving = serve_admin(listener, connections, api.clone(), stop);
        let what = "operators'";
        services.spawn(watched(what, serving, view.clone(), closing.clone()));
    }
    services
}

/// Serves until it is told to stop; a service that ends before leaves a node that says it is alive
/// and answers nobody, so it is then not alive either.
async fn watched<E: fmt::Display>(
    what: &str,
    serving: impl Future<Output = Result<(), E>>,
    view: NodeView,
    closing: CancellationToken,
) {
    let why = match serving.await {
        _ if closing.is_cancelled() => return,
        Ok(()) => "nobody told it to stop".to_owned(),
        Err(error) => error.to_string(),
    };
    tracing::error!(why, "the {what} service has ended");
    view.break_down(format!("the {what} service has ended: {why}"));
}

/// A word for each stage of the end.
impl Default for Tokens {
    fn default() -> Self {
        Self {
            draining: CancellationToken::new(),
            ending: CancellationToken::new(),
            closing: CancellationToken::new(),
            cut: CancellationToken::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use discovery_tcp::Formation;

    use super::*;

    async fn view() -> NodeView {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let node = TcpDiscovery::builder().name("alone").listener(listener);
        let node = node.formation(Formation::Single).start().await.unwrap();
        NodeView::start(node, None)
    }

    #[tokio::test]
    async fn a_service_that_ends_by_itself_leaves_a_node_that_is_not_alive() {
        let (view, closing) = (view().await, CancellationToken::new());
        assert_eq!(view.liveness().await, Ok(()));
        let failed = async { Err(io::Error::other("no more sockets")) };
        watched("gRPC", failed, view.clone(), closing).await;
        let why = "the gRPC service has ended: no more sockets".to_owned();
        assert_eq!(
            view.readiness().await.to_string(),
            format!("not ready: {why}")
        );
        assert_eq!(view.liveness().await, Err(why));
    }

    #[tokio::test]
    async fn a_service_that_was_told_to_stop_has_not_broken_down() {
        let (view, closing) = (view().await, CancellationToken::new());
        closing.cancel();
        let cut = async { Err(io::Error::other("cut")) };
        watched("gRPC", cut, view.clone(), closing).await;
        assert_eq!(view.liveness().await, Ok(()));
    }
}
