//! The sockets of a node: given by whoever starts it, or bound as configured.

use std::fs::Permissions;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use crate::config::{AdminListen, NodeConfig};
use crate::grpc::AdminListener;

/// Listeners that are bound already, to be used in place of the configured addresses.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Listeners {
    /// For other nodes.
    pub ring: Option<TcpListener>,
    /// For the API.
    pub grpc: Option<TcpListener>,
    /// For probes, metrics and the page.
    pub http: Option<TcpListener>,
}

/// A socket could not be bound; a retry helps once whoever holds it has ended.
#[derive(Debug, thiserror::Error)]
#[error("{what} cannot listen at {place}: {source}")]
pub struct BindError {
    what: &'static str,
    place: String,
    source: io::Error,
}

/// Everything but the ring's socket, which the protocol binds itself.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) grpc: Option<tokio::net::TcpListener>,
    pub(super) http: Option<tokio::net::TcpListener>,
    pub(super) admin: Option<AdminListener>,
    /// The Unix socket to remove in the end.
    pub(super) admin_path: Option<PathBuf>,
}

pub(super) fn bind(config: &NodeConfig, given: &mut Listeners) -> Result<Bound, BindError> {
    let grpc = listener("gRPC", given.grpc.take(), config.grpc_listen)?;
    let http = listener("HTTP", given.http.take(), config.http_listen)?;
    let (admin, admin_path) = match &config.admin_listen {
        AdminListen::Off => (None, None),
        AdminListen::Tcp(address) => {
            let bound = listener("the service for operators", None, Some(*address))?;
            (bound.map(AdminListener::Tcp), None)
        }
        AdminListen::Unix { path, is_chosen } => match unix(path) {
            Ok(bound) => (Some(AdminListener::Unix(bound)), Some(path.clone())),
            Err(source) if *is_chosen => {
                let (what, place) = ("the service for operators", path.display().to_string());
                return Err(BindError {
                    what,
                    place,
                    source,
                });
            }
            Err(error) => {
                let path = path.display();
                tracing::warn!(%path, %error, "no service for operators; set admin.listen");
                (None, None)
            }
        },
    };
    Ok(Bound {
        grpc,
        http,
        admin,
        admin_path,
    })
}

fn listener(
    what: &'static str,
    given: Option<TcpListener>,
    address: Option<SocketAddr>,
) -> Result<Option<tokio::net::TcpListener>, BindError> {
    let place = match (&given, address) {
        (Some(_), _) => "the given socket".to_owned(),
        (None, Some(address)) => address.to_string(),
        (None, None) => return Ok(None),
    };
    let bound = match (given, address) {
        (Some(given), _) => Ok(given),
        (None, Some(address)) => TcpListener::bind(address),
        (None, None) => return Ok(None),
    };
    let usable = bound.and_then(|listener| {
        listener.set_nonblocking(true)?;
        tokio::net::TcpListener::from_std(listener)
    });
    usable.map(Some).map_err(|source| BindError {
        what,
        place,
        source,
    })
}

/// A Unix socket that only its owner may open. One that an ended process left is replaced; one that
/// answers is somebody else's.
fn unix(path: &Path) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(io::Error::from(io::ErrorKind::AddrInUse));
    }
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}
