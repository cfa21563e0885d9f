//! How much the services of a node may hold at a time; each is a setting.

use super::node::count;
use super::values::Reader;

/// Most connections of the API at a time.
pub(super) const GRPC_CONNECTIONS_MAX: &str = "grpc.connections_max";
/// Most topologies and messages kept for readers.
pub(super) const HISTORY_MAX: &str = "grpc.history_max";
/// Most bytes of messages kept for readers.
pub(super) const HISTORY_BYTES_MAX: &str = "grpc.history_bytes_max";
/// Most connections of HTTP at a time.
pub(super) const HTTP_CONNECTIONS_MAX: &str = "http.connections_max";
/// Most pages kept up to date at a time.
pub(super) const PAGES_MAX: &str = "http.pages_max";

/// How much the services may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceLimits {
    /// Most connections of the API at a time, one more is closed at once; default 4,096.
    pub grpc_connections_max: usize,
    /// Most changes, and most messages, that are kept for readers of the API; default 1,024.
    pub history_max: usize,
    /// Most bytes of messages that are kept for readers of the API; default 4 MiB.
    pub history_bytes_max: usize,
    /// Most connections of HTTP at a time, one more is closed at once; default 512.
    pub http_connections_max: usize,
    /// Most pages that are kept up to date at a time, one more is told to come back; default 64.
    pub pages_max: usize,
}

impl Default for ServiceLimits {
    fn default() -> Self {
        Self {
            grpc_connections_max: 4096,
            history_max: 1024,
            history_bytes_max: 4 * 1024 * 1024,
            http_connections_max: 512,
            pages_max: 64,
        }
    }
}

impl ServiceLimits {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let mut limits = Self::default();
        let settings = [
            (GRPC_CONNECTIONS_MAX, &mut limits.grpc_connections_max),
            (HISTORY_MAX, &mut limits.history_max),
            (HISTORY_BYTES_MAX, &mut limits.history_bytes_max),
            (HTTP_CONNECTIONS_MAX, &mut limits.http_connections_max),
            (PAGES_MAX, &mut limits.pages_max),
        ];
        for (key, to) in settings {
            if let Some(value) = reader.one(key, count) {
                *to = value;
            }
        }
        limits
    }
}
