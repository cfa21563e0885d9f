//! Options of the TCP sockets behind links, and connecting. Securing what is connected is left to
//! `security.rs`.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream};

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

/// Opens a connection with the options of a link.
pub(super) async fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let socket = match to {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    let stream = socket.connect(to).await?;
    // A local port without a listener may be given to the dialling socket itself, which then is
    // connected to nobody but itself.
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    set_options(&stream)?;
    Ok(stream)
}

/// Gives a connected socket the options of a link.
pub(super) fn set_options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
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
