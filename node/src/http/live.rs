//! What the page shows, as server-sent events: whenever anything changed `telling`, with the whole
//! sight and the happenings that the page has not been told; else `alive` now and then.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio_util::sync::CancellationToken;

use super::HttpState;
use crate::view::Look;
use crate::view::happening::Happening;
use crate::view::sight::Sight;

/// Shortest time between two tellings of one page; what happens meanwhile is told together.
const PACE: Duration = Duration::from_millis(50);

/// Time between signs of life where nothing happens, so that a page can tell a quiet node from one
/// whose process is stuck or gone. Where only the protocol's loop is stuck a telling says so.
const ALIVE_PACE: Duration = Duration::from_secs(2);

/// One telling.
#[derive(Serialize)]
struct Telling<'a> {
    /// Now, by the node's clock, milliseconds since 1970.
    now: i64,
    /// The node's run: happenings are counted anew in another one.
    run: &'a str,
    /// Since when the protocol's loop has not answered, so that the sight is an old one.
    unanswered_since: Option<i64>,
    sight: &'a Sight,
    /// What happened since the telling before.
    happenings: Vec<&'a Happening>,
}

/// A page that is kept up to date.
struct Page {
    looks: watch::Receiver<Look>,
    run: String,
    next_number: u64,
    is_first: bool,
    stop: CancellationToken,
    /// Counts against the limit for as long as the page is open.
    _permit: OwnedSemaphorePermit,
}

/// Keeps a page up to date until it goes or the node does.
pub(super) async fn live(State(state): State<HttpState>, headers: HeaderMap) -> Response {
    let Ok(permit) = Arc::clone(&state.pages).try_acquire_owned() else {
        let why = "as many pages are open as are allowed; close one, or come back later\n";
        return (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
    };
    let run = state.view.run().to_string();
    let page = Page {
        looks: state.view.looks(),
        next_number: resumed(&headers, &run).unwrap_or(0),
        run,
        is_first: true,
        stop: state.stop.clone(),
        _permit: permit,
    };
    let tellings = stream::unfold(page, |mut page| async move {
        let event = page.next().await?;
        Some((Ok::<_, Infallible>(event), page))
    });
    Sse::new(tellings).into_response()
}

/// From which happening on a page that comes back has to be told.
fn resumed(headers: &HeaderMap, run: &str) -> Option<u64> {
    let last = headers.get("last-event-id")?.to_str().ok()?;
    let (of_run, number) = last.split_once('-')?;
    number.parse().ok().filter(|_| of_run == run)
}

impl Page {
    /// The next event; none once the node goes.
    async fn next(&mut self) -> Option<Event> {
        if !std::mem::take(&mut self.is_first) {
            tokio::time::sleep(PACE).await;
            if self.is_quiet().await? {
                return Some(Event::default().event("alive").data(""));
            }
        }
        loop {
            let look = self.looks.borrow_and_update().clone();
            if let Some(sight) = &look.sight {
                return Some(self.telling(sight, &look));
            }
            self.is_quiet().await?;
        }
    }

    /// Waits for something new, for a while; whether there was nothing. None once the node goes.
    async fn is_quiet(&mut self) -> Option<bool> {
        tokio::select! {
            changed = self.looks.changed() => changed.ok().map(|()| false),
            () = tokio::time::sleep(ALIVE_PACE) => Some(true),
            () = self.stop.cancelled() => None,
        }
    }

    fn telling(&mut self, sight: &Sight, look: &Look) -> Event {
        let telling = Telling {
            now: Timestamp::now().as_millisecond(),
            run: &self.run,
            unanswered_since: look.unanswered_since,
            sight,
            happenings: look
                .happenings
                .since(self.next_number)
                .map(Arc::as_ref)
                .collect(),
        };
        self.next_number = look.happenings.next_number();
        let id = format!("{}-{}", self.run, self.next_number);
        let event = Event::default().event("telling").id(id);
        // Texts and numbers can always be written as JSON.
        event.json_data(&telling).unwrap_or_default()
    }
}
