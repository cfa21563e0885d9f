//! Whether a cluster refuses the node for good: for a reason that stays until somebody mends it.
//! The node asks again all the same, unless it was told to end.

use std::time::Duration;

use discovery_tcp::TcpDiscovery;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often the node is asked.
const PACE: Duration = Duration::from_secs(1);

/// Time between two lines in the log about it.
const SAY_AGAIN: Duration = Duration::from_secs(30);

/// Waits until the node is refused for good, and says why; without an end if that never happens.
///
/// # Cancel safety
///
/// Dropping the future changes nothing.
pub(super) async fn refused(discovery: &TcpDiscovery) -> String {
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // No limit: it goes on for as long as the node.
    loop {
        pace.tick().await;
        let status = discovery.status().await.ok();
        if let Some(refusal) = status.and_then(|status| status.refused) {
            return refusal.to_string();
        }
    }
}

/// Says in the log, now and then, that the node is refused and asks again.
///
/// # Cancel safety
///
/// Dropping the future changes nothing.
pub(super) async fn say(discovery: &TcpDiscovery) -> ! {
    let mut said: Option<Instant> = None;
    // No limit: it goes on for as long as the node.
    loop {
        let why = refused(discovery).await;
        if said.is_none_or(|at| at.elapsed() >= SAY_AGAIN) {
            said = Some(Instant::now());
            tracing::error!(why, "the cluster refuses this node; it goes on asking");
        }
    }
}
