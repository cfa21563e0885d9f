//! What `grpc.health.v1` says: nothing is served until the node is a member with a quorum.

use std::time::Duration;

use discovery_tcp::TcpDiscovery;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::view::NodeView;

/// How often the node is asked while nothing happens.
const PACE: Duration = Duration::from_millis(500);

/// The service that says whether the process is of any use.
const LIVENESS: &str = "liveness";

/// Services that are served while the node may be given work.
const READY: [&str; 3] = ["", "readiness", "discovery.v1.Discovery"];

/// A reporter that says of every service that it is not served yet.
pub(super) async fn starting() -> HealthReporter {
    let reporter = HealthReporter::new();
    for service in READY.into_iter().chain([LIVENESS]) {
        reporter
            .set_service_status(service, ServingStatus::NotServing)
            .await;
    }
    reporter
}

/// Keeps the reporter up to date until the node has ended.
///
/// # Cancel safety
///
/// Dropping the future leaves what was said last.
pub(crate) async fn keep_up_to_date(
    reporter: HealthReporter,
    discovery: TcpDiscovery,
    view: NodeView,
    draining: CancellationToken,
) {
    let mut standings = discovery.standings();
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_draining = false;
    loop {
        let is_ready = !is_draining && view.readiness().await.is_ready();
        for service in READY {
            reporter
                .set_service_status(service, serving(is_ready))
                .await;
        }
        let is_alive = view.liveness().await.is_ok();
        reporter
            .set_service_status(LIVENESS, serving(is_alive))
            .await;
        // No limit: it goes on for as long as the node.
        tokio::select! {
            () = draining.cancelled(), if !is_draining => is_draining = true,
            changed = standings.changed() => if changed.is_err() {
                return;
            },
            _ = pace.tick() => {}
        }
    }
}

/// Ends every watch, so that none holds the sockets of a node that is about to close them.
///
/// # Cancel safety
///
/// Dropping the future may leave some of them.
pub(crate) async fn end_watches(mut reporter: HealthReporter) {
    for service in READY.into_iter().chain([LIVENESS]) {
        reporter.clear_service_status(service).await;
    }
}

fn serving(is_served: bool) -> ServingStatus {
    if is_served {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    }
}
