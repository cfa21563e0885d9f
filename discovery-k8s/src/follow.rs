//! kube's stream of slices with what kube does not tell of it: whether a listing hangs, and how
//! long its watch has lasted. What its events mean is `watch.rs`'s.

use std::pin::Pin;
use std::time::Duration;

use futures_util::{FutureExt, Stream, StreamExt};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::watcher::{self, Event};
use tokio::time::{Instant, timeout_at};

use crate::access::ApiClient;
use crate::listing::PAGE_OBJECTS;
use crate::source::Source;
use crate::store::SliceStore;

/// How long a watch must have lasted so that its end is no sign of trouble.
const LASTING: Duration = Duration::from_secs(5);

type SliceStream = Pin<Box<dyn Stream<Item = watcher::Result<Event<EndpointSlice>>> + Send>>;

/// One stream of kube's.
pub(crate) struct Follow {
    stream: SliceStream,
    /// The listing that is being delivered, from `Init` to `InitDone`.
    pub(crate) listing: Option<SliceStore>,
    /// Whether a whole listing was delivered.
    pub(crate) is_listed: bool,
    /// When a listing under way must have gone on.
    listing_by: Instant,
    /// When the watch that is running began to be answered; none after a failure.
    opened_at: Option<Instant>,
    was_opened: bool,
    deadline: Duration,
}

impl Follow {
    /// A stream that begins with a listing.
    pub(crate) fn new(source: &Source, client: &ApiClient) -> Self {
        // A sign that is left of the stream before must not be taken for one of this.
        let _ = client.watch_opened.notified().now_or_never();
        // Whole seconds are what the API takes; the configuration was checked to be below 295.
        let seconds = u32::try_from(source.config.watch_timeout.as_secs()).unwrap_or(60);
        let config = watcher::Config::default()
            .labels(&source.labels())
            .timeout(seconds)
            .page_size(PAGE_OBJECTS);
        let deadline = source.config.request_deadline;
        Self {
            stream: Box::pin(watcher::watcher(source.slices(client), config)),
            listing: None,
            is_listed: false,
            listing_by: Instant::now() + deadline,
            opened_at: None,
            was_opened: false,
            deadline,
        }
    }

    /// The next item; `None` if a listing did not go on within the deadline.
    ///
    /// The beginning of a watch is bounded by the guard of the client, and a quiet watch by kube.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no item, and moves no deadline.
    pub(crate) async fn next(&mut self) -> Option<watcher::Result<Event<EndpointSlice>>> {
        if self.is_listed && self.listing.is_none() {
            return self.stream.next().await;
        }
        let item = timeout_at(self.listing_by, self.stream.next()).await;
        self.listing_by = Instant::now() + self.deadline;
        item.ok().flatten()
    }

    /// Notes that a watch request began to be answered; true if it is not the stream's first.
    pub(crate) fn on_opened(&mut self) -> bool {
        self.opened_at = Some(Instant::now());
        std::mem::replace(&mut self.was_opened, true)
    }

    /// Notes that something failed; true if a watch had lasted long enough until then for that to be
    /// no sign of lasting trouble. What fails before the next watch is opened is one.
    pub(crate) fn on_failed(&mut self) -> bool {
        let opened_at = self.opened_at.take();
        opened_at.is_some_and(|opened_at| opened_at.elapsed() >= LASTING)
    }
}
