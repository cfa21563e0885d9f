//! The listeners of the API and of the operators, each with its limits.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use discovery_proto::discovery::v1::FILE_DESCRIPTOR_SET;
use discovery_proto::discovery::v1::admin_server::AdminServer;
use discovery_proto::discovery::v1::discovery_server::DiscoveryServer;
use futures_util::stream::{Stream, TryStreamExt as _, unfold};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use super::admin::PAUSE_MAX;
use super::connections::Connections;
use super::deadline::Limited;
use super::opening::Opening;
use super::{Api, REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX, health, request_bytes_max};
use crate::config::ApiLimits;
use crate::view::traffic::Traffic;

/// Most calls at a time on one connection.
const CALLS_PER_CONNECTION_MAX: u32 = 1024;

/// Pause after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where operators are listened to, bound.
#[derive(Debug)]
pub(crate) enum AdminListener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl AdminListener {
    /// Its address, if it has one.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Unix(_) => None,
            Self::Tcp(listener) => listener.local_addr().ok(),
        }
    }
}

/// Answers users until it is told to stop; open calls may go on then, so its caller limits that.
///
/// Returns at once what health is told through, and the future that serves.
pub(crate) async fn serve_api(
    listener: TcpListener,
    connections: Connections,
    api: Api,
    stop: CancellationToken,
) -> (
    HealthReporter,
    impl Future<Output = Result<(), tonic::transport::Error>>,
) {
    let reporter = health::starting().await;
    let (limits, traffic) = (api.limits, api.view.traffic().clone());
    let health = HealthServer::new(HealthService::from_health_reporter(reporter.clone()))
        .max_decoding_message_size(REQUEST_BYTES_MAX);
    let router = server(limits)
        .add_service(Limited::new(health, limits.call, &traffic))
        .add_service(for_users(api));
    let names = ["discovery.v1.Discovery", "grpc.health.v1.Health"];
    let router = with_reflection(router, &names, limits.call, &traffic);
    let incoming = connections.of(opened(listener, limits));
    let serving = router.serve_with_incoming_shutdown(incoming, stop.cancelled_owned());
    (reporter, serving)
}

/// Answers operators until it is told to stop.
pub(crate) async fn serve_admin(
    listener: AdminListener,
    connections: Connections,
    api: Api,
    stop: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let (limits, traffic) = (api.limits, api.view.traffic().clone());
    let admin = AdminServer::new(api.clone())
        .max_decoding_message_size(REQUEST_BYTES_MAX)
        .max_encoding_message_size(RESPONSE_BYTES_MAX);
    let router = server(limits)
        .add_service(Limited::new(admin, PAUSE_MAX + limits.decision, &traffic))
        .add_service(for_users(api));
    let names = ["discovery.v1.Admin", "discovery.v1.Discovery"];
    let router = with_reflection(router, &names, limits.call, &traffic);
    let stop = stop.cancelled_owned();
    match listener {
        AdminListener::Unix(listener) => {
            let incoming = connections.of(accepted(listener));
            router.serve_with_incoming_shutdown(incoming, stop).await
        }
        AdminListener::Tcp(listener) => {
            let incoming = connections.of(opened(listener, limits));
            router.serve_with_incoming_shutdown(incoming, stop).await
        }
    }
}

fn server(limits: ApiLimits) -> Server {
    Server::builder()
        .http2_keepalive_interval(Some(limits.keepalive_interval))
        .http2_keepalive_timeout(Some(limits.keepalive_timeout))
        .max_concurrent_streams(CALLS_PER_CONNECTION_MAX)
}

/// The service that either listener has.
fn for_users(api: Api) -> Limited<DiscoveryServer<Api>> {
    let (limit, traffic) = (api.limits.decision, api.view.traffic().clone());
    let request_max = request_bytes_max(api.payload_bytes_max);
    let users = DiscoveryServer::new(api)
        .max_decoding_message_size(request_max)
        .max_encoding_message_size(RESPONSE_BYTES_MAX);
    Limited::new(users, limit, &traffic)
}

/// Adds reflection of these services, in both versions that are in use.
fn with_reflection(
    router: tonic::transport::server::Router,
    names: &[&str],
    limit: Duration,
    traffic: &Traffic,
) -> tonic::transport::server::Router {
    let builder = || {
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // What refusals carry, so that grpcurl can print it.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET);
        names
            .iter()
            .fold(builder, |builder, name| builder.with_service_name(*name))
    };
    match (builder().build_v1(), builder().build_v1alpha()) {
        (Ok(v1), Ok(v1alpha)) => {
            let v1 = v1.max_decoding_message_size(REQUEST_BYTES_MAX);
            let v1alpha = v1alpha.max_decoding_message_size(REQUEST_BYTES_MAX);
            router
                .add_service(Limited::new(v1, limit, traffic))
                .add_service(Limited::new(v1alpha, limit, traffic))
        }
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(%error, "the descriptors cannot be read; there is no reflection");
            router
        }
    }
}

/// The connections of a listener, which have to begin in time.
fn opened(
    listener: TcpListener,
    limits: ApiLimits,
) -> impl Stream<Item = io::Result<Opening<TcpStream>>> {
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    incoming.map_ok(move |connection| Opening::new(connection, limits.keepalive_timeout))
}

/// The connections of a Unix socket.
fn accepted(listener: UnixListener) -> impl Stream<Item = io::Result<UnixStream>> {
    unfold(listener, |listener| async {
        // No limit: it listens for as long as the node.
        loop {
            match listener.accept().await {
                Ok((connection, _)) => return Some((Ok(connection), listener)),
                Err(error) => {
                    tracing::warn!(%error, "no connection of an operator can be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    })
}
