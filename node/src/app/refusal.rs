//! Whether a cluster refuses the node for good: for a reason that stays until somebody mends it.
//! The node asks again all the same, unless it was told to end.

use std::collections::BTreeMap;
use std::time::Duration;

use discovery_core::{Discovery as _, Standing};
use discovery_tcp::TcpDiscovery;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often the node is asked.
const PACE: Duration = Duration::from_secs(1);

/// Time between two lines in the log about it.
const SAY_AGAIN: Duration = Duration::from_secs(30);

/// What a newcomer waits for while its request to join is refused.
const WAITS: &str = "somebody to mend what ";

/// Reasons that stay, with what to do.
const REASONS: [(&str, &str); 2] = [
    (
        "settings",
        "the shared settings are others than the cluster's; give all nodes the same",
    ),
    (
        "wire_version",
        "the cluster speaks another wire version; run a release that speaks it too",
    ),
];

/// Waits until the node is refused for good, and says why; it says so in the log too. Ends never if
/// that does not happen.
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
        if let Some(why) = refusal(discovery).await {
            return why;
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

async fn refusal(discovery: &TcpDiscovery) -> Option<String> {
    let Standing::NotYetMember { waiting_for } = discovery.standing() else {
        return None;
    };
    if waiting_for.starts_with(WAITS) {
        return Some(waiting_for.to_string());
    }
    let counters = discovery.ring_counters().await.ok()?;
    why(&counters.greetings_refused).map(ToOwned::to_owned)
}

/// What to do about greetings that were refused for a reason that stays.
fn why(refused: &BTreeMap<&'static str, u64>) -> Option<&'static str> {
    let mut reasons = REASONS.iter();
    let found = reasons.find(|(name, _)| refused.get(name).is_some_and(|count| *count > 0));
    found.map(|(_, remedy)| *remedy)
}

#[cfg(test)]
mod tests {
    use discovery_tcp::message::RefusalReason;

    use super::*;

    #[test]
    fn settings_and_wire_version_stay_and_a_foreign_cluster_does_not() {
        assert!(why(&BTreeMap::from([("settings", 1)])).is_some());
        assert!(why(&BTreeMap::from([("cluster_name", 5), ("settings", 0)])).is_none());
    }

    #[test]
    fn the_reasons_are_those_of_the_protocol() {
        let settings = RefusalReason::Settings { ours: 1 };
        assert_eq!(REASONS[0].0, settings.as_str());
    }
}
