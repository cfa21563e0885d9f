//! Options of the TCP sockets behind links, and connecting. Securing what is connected is left to
//! `security.rs`.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::ring::DialFailure;

/// How long a link on which nothing is said stays unprobed by the kernel.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);

/// Pause between the kernel's probes.
const KEEPALIVE_PAUSE: Duration = Duration::from_secs(10);

/// Probes without an answer after which the kernel gives the link up.
#[cfg(not(target_os = "windows"))]
const KEEPALIVE_PROBES: u32 = 3;

/// How long sent bytes may stay unacknowledged before the kernel gives the link up. Far above any
/// silence limit in use: half-open links are the ring's business, this only frees what it forgot.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);

/// Opens a connection with the options of a link, or says why there is none.
pub(super) async fn connect(to: SocketAddr) -> Result<TcpStream, DialFailure> {
    // Nothing was sent to anybody before the socket stands.
    let socket = open(to).map_err(|_| DialFailure::NotTried)?;
    let stream = socket.connect(to).await.map_err(|error| failure(&error))?;
    // A local port without a listener may be given to the dialling socket itself, which then is
    // connected to nobody but itself.
    let ends = stream
        .local_addr()
        .and_then(|ours| Ok((ours, stream.peer_addr()?)));
    match ends {
        Ok((ours, theirs)) if ours == theirs => Err(DialFailure::Refused),
        Ok(_) => Ok(stream),
        // It was open, and is not any more.
        Err(_) => Err(DialFailure::Unreachable),
    }
}

fn open(to: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match to {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    set_options(&SockRef::from(&socket))?;
    Ok(socket)
}

/// What an error of dialling says of the other end.
pub(super) fn failure(error: &io::Error) -> DialFailure {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => DialFailure::Refused,
        io::ErrorKind::TimedOut => DialFailure::TimedOut,
        // No local port is left to dial from, or no memory.
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::OutOfMemory => DialFailure::NotTried,
        _ => DialFailure::Unreachable,
    }
}

/// Gives a listener the options of a link: the kernels that we know hand them on to every socket
/// that is accepted, which saves six calls for each.
pub(super) fn prepare(listener: &TcpListener) -> io::Result<()> {
    set_options(&SockRef::from(listener))
}

fn set_options(socket: &SockRef<'_>) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_PAUSE);
    #[cfg(not(target_os = "windows"))]
    let keepalive = keepalive.with_retries(KEEPALIVE_PROBES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_ends_of_a_link_have_its_options() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        prepare(&listener).unwrap();
        let dialled = connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        for end in [&dialled, &accepted] {
            let socket = SockRef::from(end);
            assert!(socket.tcp_nodelay().unwrap());
            assert!(socket.keepalive().unwrap());
            #[cfg(target_os = "linux")]
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(UNACKNOWLEDGED_MAX));
        }
    }

    #[tokio::test]
    async fn nobody_listening_is_a_refusal() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert_eq!(connect(address).await.unwrap_err(), DialFailure::Refused);
    }
}
