//! The limits of the API that the contract names: they can be changed in code, and nowhere else.

use std::time::Duration;

/// Limit of a call that is not a stream and waits for no decision.
pub const CALL_LIMIT: Duration = Duration::from_secs(5);

/// Limit of a call that waits for a decision.
pub const DECISION_LIMIT: Duration = Duration::from_secs(30);

/// How long calls may take, and how long a connection may be silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiLimits {
    /// Limit of a call that is not a stream and waits for no decision; default 5 s.
    pub call: Duration,
    /// Limit of a call that waits for a decision; default 30 s.
    pub decision: Duration,
    /// Silence of a connection after which it is asked whether it lives; default 20 s.
    pub keepalive_interval: Duration,
    /// How long it may take to answer that, or to begin at all; default 10 s.
    pub keepalive_timeout: Duration,
}

impl Default for ApiLimits {
    fn default() -> Self {
        Self {
            call: CALL_LIMIT,
            decision: DECISION_LIMIT,
            keepalive_interval: Duration::from_secs(20),
            keepalive_timeout: Duration::from_secs(10),
        }
    }
}
