//! Whether anything answers where a seed is listed: one connection, closed at once. What it means
//! is said elsewhere, and it is asked only while somebody looks.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Most addresses of one round.
pub(super) const KNOCKS_MAX: usize = 16;

/// Longest wait for one answer.
pub(super) const KNOCK_LIMIT: Duration = Duration::from_millis(500);

/// What came of a knock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Knock {
    /// Something accepts connections.
    Answers,
    /// Nothing listens there.
    Refused,
    /// No answer came within [`KNOCK_LIMIT`].
    Silent,
    /// The network has no way there.
    Unreachable,
}

impl Knock {
    /// Why who is listed there is no member, as far as that shows.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Answers => "something listens there, and is not admitted so far",
            Self::Refused => "nothing listens there: the connection is refused",
            Self::Silent => "no answer within 500 ms",
            Self::Unreachable => "it cannot be reached from here",
        }
    }
}

/// Knocks at these, all at once, at most [`KNOCKS_MAX`].
pub(super) async fn knock_at(addresses: Vec<SocketAddr>) -> BTreeMap<SocketAddr, Knock> {
    let mut knocks = JoinSet::new();
    for address in addresses.into_iter().take(KNOCKS_MAX) {
        knocks.spawn(async move { (address, knock(address).await) });
    }
    knocks.join_all().await.into_iter().collect()
}

async fn knock(address: SocketAddr) -> Knock {
    match timeout(KNOCK_LIMIT, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Knock::Answers,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Knock::Refused,
        Ok(Err(_)) => Knock::Unreachable,
        Err(_) => Knock::Silent,
    }
}
