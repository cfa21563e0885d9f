//! Probes, as a kubelet or a load balancer asks them: a status for machines, one line for people.

use axum::extract::State;
use axum::http::StatusCode;

use super::HttpState;
use crate::view::readiness::Readiness;

/// Whether the protocol's loop turns, and every service is served. Never fails for want of a
/// quorum, of members or of the platform: starting the process anew would mend none of these.
pub(super) async fn livez(State(state): State<HttpState>) -> (StatusCode, String) {
    match state.view.liveness().await {
        Ok(()) => (
            StatusCode::OK,
            "alive: the protocol's loop turns\n".to_owned(),
        ),
        Err(why) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("not alive: {why}\n"),
        ),
    }
}

/// Whether the node may be given work.
pub(super) async fn readyz(State(state): State<HttpState>) -> (StatusCode, String) {
    let readiness = state.view.readiness().await;
    let code = match readiness {
        Readiness::Ready(_) => StatusCode::OK,
        Readiness::Not(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    (code, format!("{readiness}\n"))
}

/// Whether the start is over: the node listens and its loop turns. It does not wait for a
/// membership, since forming may have to wait for others, however long.
pub(super) async fn startupz(State(state): State<HttpState>) -> (StatusCode, String) {
    match state.view.liveness().await {
        Ok(()) => (
            StatusCode::OK,
            "started: the protocol's loop turns\n".to_owned(),
        ),
        Err(why) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("not started: {why}\n"),
        ),
    }
}
