//! Limits and pauses of a client, with their defaults. Plain values; nothing here waits.

use std::time::Duration;

/// Limits and pauses of a [`TopologyClient`](super::TopologyClient).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopologyClientConfig {
    /// Longest wait for a connection to one node. Default: 3 s.
    pub connect_limit: Duration,
    /// Longest wait for the first answer of a node that was reached. Default: 5 s.
    pub answer_limit: Duration,
    /// How long a connection may be silent before it is asked whether it lives. Default: 5 s.
    pub keepalive: Duration,
    /// How long the answer to that may take; then the node counts as gone. Default: 5 s.
    pub keepalive_limit: Duration,
    /// The first pause once every address was tried in vain; doubles up to `pause_max`. Default:
    /// 100 ms.
    pub pause: Duration,
    /// The longest pause. Default: 2 s.
    pub pause_max: Duration,
    /// How many updates wait for a reader; one that is further behind is told a gap. At least 1.
    /// Default: 1024.
    pub updates_max: usize,
    /// The port that is asked at the addresses that a finder finds, such as that of the ring.
    /// Default: none, so that the finder's own port is asked.
    pub found_port: Option<u16>,
}

impl Default for TopologyClientConfig {
    fn default() -> Self {
        Self {
            connect_limit: Duration::from_secs(3),
            answer_limit: Duration::from_secs(5),
            keepalive: Duration::from_secs(5),
            keepalive_limit: Duration::from_secs(5),
            pause: Duration::from_millis(100),
            pause_max: Duration::from_secs(2),
            updates_max: 1024,
            found_port: None,
        }
    }
}
