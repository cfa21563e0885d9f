//! The gRPC side of a node: `discovery.v1`, health and reflection for everybody, and the service
//! for operators on a listener of its own. What the calls mean is told in the contract.
//!
//! | module | what it holds |
//! |---|---|
//! | `refusals` | errors with a reason that programs can read |
//! | `discovery` | the calls of `discovery.v1.Discovery` |
//! | `publish`, `streams`, `status` | the longer ones of them |
//! | `admin` | the calls of `discovery.v1.Admin` |
//! | `health` | what `grpc.health.v1` says, kept up to date |
//! | `deadline` | the time that a call may take, its caller's wish included |
//! | `connections` | what is accepted, and how it ends with the node |
//! | `opening` | the time that a connection has to begin |
//! | `serve` | the listeners, with their limits |

mod admin;
mod connections;
mod deadline;
mod discovery;
mod health;
mod opening;
mod publish;
mod refusals;
mod serve;
mod status;
mod streams;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use discovery_core::{LeaveError, TopologyId};
use discovery_proto::discovery::v1;
use discovery_tcp::TcpDiscovery;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::Status;

pub(crate) use connections::Connections;
pub(crate) use health::{end_watches, keep_up_to_date};
pub(crate) use serve::{AdminListener, serve_admin, serve_api};

use crate::app::Control;
use crate::config::ApiLimits;
use crate::feed::Feed;
use crate::view::NodeView;
use refusals::Refusal;

/// Largest request, in bytes, unless messages may be so long that it would not hold one.
pub const REQUEST_BYTES_MAX: usize = 128 * 1024;

/// What a request may hold beside a message.
const REQUEST_ROOM: usize = 64 * 1024;

/// Largest request of a node whose messages have so many bytes at most.
pub(crate) fn request_bytes_max(payload_bytes_max: usize) -> usize {
    REQUEST_BYTES_MAX.max(payload_bytes_max.saturating_add(REQUEST_ROOM))
}

/// Largest response, in bytes: a topology of as many members as there may be, and some.
pub const RESPONSE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What the calls are answered from.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) discovery: TcpDiscovery,
    pub(crate) view: NodeView,
    pub(crate) feed: Feed,
    pub(crate) control: Control,
    /// Most bytes of a message as it travels.
    pub(crate) payload_bytes_max: usize,
    pub(crate) cluster_name: Arc<str>,
    pub(crate) limits: ApiLimits,
    /// One permit for each stream.
    pub(crate) streams: Arc<Semaphore>,
    /// Ends the streams.
    pub(crate) ending: CancellationToken,
    /// A digest of what all members must share.
    pub(crate) settings_digest: u64,
    /// What all members should share, in words.
    pub(crate) shared_settings: v1::SharedSettings,
}

/// Waits for the answer of a call within its limit.
async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    timeout(limit, answer)
        .await
        .unwrap_or_else(|_| Err(Refusal::Deadline { limit }.into()))
}

/// Reads the topology that a request names.
fn topology_id(id: &v1::TopologyRef) -> Result<TopologyId, Status> {
    id.try_into()
        .map_err(|error: discovery_proto::convert::ReadError| {
            let field = "from";
            let what = error.to_string();
            Refusal::Invalid { field, what }.into()
        })
}

/// Whether a leave was decided, and why not.
fn leave_words(left: Result<(), LeaveError>) -> (bool, String) {
    match left {
        Ok(()) => (true, String::new()),
        Err(error) => (false, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tonic::Code;

    use super::*;

    #[tokio::test]
    async fn an_answer_that_does_not_come_within_its_limit_is_refused() {
        let answer = within(Duration::from_millis(1), pending::<Result<(), Status>>());
        let bound = Duration::from_secs(15);
        let status = timeout(bound, answer).await.unwrap().unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::DeadlineExceeded, "not done within 1ms")
        );
    }
}
