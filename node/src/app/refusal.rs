//! Whether a cluster refuses the node for good: for a reason that stays until somebody mends it.
//! The node asks again all the same, unless it was told to end.

use std::time::Duration;

use discovery_tcp::TcpDiscovery;
use tokio::time::{MissedTickBehavior, interval, sleep};

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
    let log = |why: String| {
        tracing::error!(why, "the cluster refuses this node; it goes on asking");
    };
    say_by(|| refused(discovery), log).await
}

/// Says why the node is refused whenever it is, at most once in [`SAY_AGAIN`].
async fn say_by<F: Future<Output = String>>(refused: impl Fn() -> F, say: impl Fn(String)) -> ! {
    // No limit: it goes on for as long as the node.
    loop {
        say(refused().await);
        sleep(SAY_AGAIN).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use tokio::time::{Instant, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_refusal_that_lasts_is_said_every_30_s_and_asked_for_no_oftener() {
        let (asked, said) = (Cell::new(0), RefCell::new(Vec::new()));
        let start = Instant::now();
        let refused = || async {
            asked.set(asked.get() + 1);
            "other settings".to_owned()
        };
        let say = |why: String| said.borrow_mut().push((start.elapsed().as_secs(), why));
        let goes_on = timeout(Duration::from_secs(95), say_by(refused, say)).await;
        assert!(goes_on.is_err(), "it never ends");
        let said = said.into_inner();
        let moments: Vec<u64> = said.iter().map(|(at, _)| *at).collect();
        assert_eq!(moments, [0, 30, 60, 90]);
        assert!(said.iter().all(|(_, why)| why == "other settings"));
        assert_eq!(asked.get(), 4);
    }
}
