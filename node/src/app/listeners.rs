//! The sockets of a node: given by whoever starts it, or bound as configured.

use std::fs::Permissions;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixSocket};

use crate::config::{AdminListen, NodeConfig};
use crate::grpc::AdminListener;

/// Most operators that wait to be accepted.
const BACKLOG: u32 = 128;

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
#[error("{what} cannot listen at {place}: {source}; choose another place: {flag}")]
pub struct BindError {
    what: &'static str,
    /// What chooses the place.
    flag: &'static str,
    place: String,
    source: io::Error,
}

/// What listens, and the flag that says where.
type Service = (&'static str, &'static str);

const GRPC: Service = ("gRPC", "--grpc-listen");
const HTTP: Service = ("HTTP", "--http-listen");
const ADMIN: Service = ("the service for operators", "--admin-listen");
/// The protocol binds its socket itself.
pub(super) const RING: Service = ("the ring", "--ring-listen");

impl BindError {
    pub(super) fn of((what, flag): Service, place: String, source: io::Error) -> Self {
        Self {
            what,
            flag,
            place,
            source,
        }
    }
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
    let grpc = listener(GRPC, given.grpc.take(), config.grpc_listen)?;
    let http = listener(HTTP, given.http.take(), config.http_listen)?;
    let (admin, admin_path) = match &config.admin_listen {
        AdminListen::Off => (None, None),
        AdminListen::Tcp(address) => {
            let bound = listener(ADMIN, None, Some(*address))?;
            (bound.map(AdminListener::Tcp), None)
        }
        AdminListen::Unix { path, is_chosen } => match unix(path) {
            Ok(bound) => (Some(AdminListener::Unix(bound)), Some(path.clone())),
            Err(source) if *is_chosen => {
                return Err(BindError::of(ADMIN, path.display().to_string(), source));
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
    service: Service,
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
    let failed = |source| BindError::of(service, place, source);
    usable.map(Some).map_err(failed)
}

/// A Unix socket that only its owner may open. One that an ended process left is replaced; one that
/// answers is somebody else's, and anything that is no socket stays.
fn unix(path: &Path) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            let what = "something that is no socket is there; choose another path, or remove it";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
        }
        Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => {
            return Err(io::Error::from(io::ErrorKind::AddrInUse));
        }
        Ok(_) => std::fs::remove_file(path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    owned(path)?.listen(BACKLOG)
}

/// A bound socket that only its owner may open. It refuses everybody until it listens, so that
/// nobody gets in before the mode is set.
fn owned(path: &Path) -> io::Result<UnixSocket> {
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn a_file_where_the_socket_should_be_stays_and_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes");
        std::fs::write(&path, "kept").unwrap();
        let error = unix(&path).unwrap_err();
        assert!(error.to_string().contains("no socket"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "kept");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        unix(&link).unwrap_err();
        assert!(path.exists() && link.exists());
    }

    #[tokio::test]
    async fn a_socket_that_nobody_answers_at_is_replaced_and_one_that_answers_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let first = unix(&path).unwrap();
        let error = unix(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        drop(first);
        assert!(path.exists(), "an ended process leaves it");
        unix(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
    }

    #[tokio::test]
    async fn nobody_gets_in_before_the_mode_is_set() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let socket = owned(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        let refused = UnixStream::connect(&path).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let _listener = socket.listen(BACKLOG).unwrap();
        UnixStream::connect(&path).unwrap();
    }
}
