//! The HTTP side of a node: probes, metrics, and the page. It only tells; nothing can be changed
//! through it.
//!
//! | path | what it answers |
//! |---|---|
//! | `/` | the page, whole in one file |
//! | `/live` | what the page shows, as server-sent events |
//! | `/livez` | 200 while the protocol's loop turns and all services are served |
//! | `/readyz` | 200 while the node may be given work, else 503; says why |
//! | `/startupz` | 200 once the protocol's loop has turned |
//! | `/metrics` | numbers, for Prometheus |

mod connections;
mod live;
mod probes;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::config::ServiceLimits;
use crate::metrics;
use crate::view::NodeView;
use crate::view::traffic::HTTP;

/// The page, whole: markup, style and script.
const PAGE: &str = include_str!("../../assets/page.html");

/// Nothing from elsewhere, and nobody else's frame: whatever a member says of itself stays a text.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src \
                           'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; \
                           form-action 'none'; frame-ancestors 'none'";

/// What the requests are answered from.
#[derive(Clone, Debug)]
pub struct HttpState {
    view: NodeView,
    pages: Arc<Semaphore>,
    stop: CancellationToken,
}

/// Answers requests until it is told to stop, over as many connections as may be at a time; then
/// open ones may go on for a moment.
///
/// # Cancel safety
///
/// Dropping the future ends every connection.
pub async fn serve(
    listener: TcpListener,
    limits: ServiceLimits,
    view: NodeView,
    stop: CancellationToken,
) {
    let door = view.traffic().door(HTTP);
    let state = HttpState {
        view,
        pages: Arc::new(Semaphore::new(limits.pages_max)),
        stop: stop.clone(),
    };
    let limits = connections::Limits::with(limits.http_connections_max);
    connections::serve(listener, router(state), limits, door, stop).await;
}

/// The paths and who answers them.
fn router(state: HttpState) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/live", get(live::live))
        .route("/livez", get(probes::livez))
        .route("/readyz", get(probes::readyz))
        .route("/startupz", get(probes::startupz))
        .route("/metrics", get(numbers))
        .with_state(state)
}

async fn page() -> Response {
    let headers = [
        (CONTENT_SECURITY_POLICY, PAGE_POLICY),
        (CACHE_CONTROL, "no-cache"),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
        (HeaderName::from_static("referrer-policy"), "no-referrer"),
    ];
    (headers, Html(PAGE)).into_response()
}

async fn numbers(State(state): State<HttpState>) -> Response {
    match metrics::exposition(&state.view).await {
        Ok(text) => ([(CONTENT_TYPE, metrics::MEDIA_TYPE)], text).into_response(),
        Err(error) => {
            let why = format!("the metrics cannot be written: {error}\n");
            (StatusCode::INTERNAL_SERVER_ERROR, why).into_response()
        }
    }
}
