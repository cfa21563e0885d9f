//! The body of a running watch: events from the store's history, bookmarks, and the faults that
//! strike an established stream.

use std::collections::VecDeque;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use hyper::body::Bytes;
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep, sleep_until};

use super::answer;
use super::body::{Piece, cut, padded};
use super::faults::Fault;
use super::request::{Recorded, Resource, Selector};
use super::state::Shared;
use super::store::ListQuery;

/// How long a watch lasts if the client does not say.
const WATCH_DEFAULT: Duration = Duration::from_mins(5);

type Pieces = Pin<Box<dyn Stream<Item = Piece> + Send>>;

/// One running watch.
struct Watch {
    shared: Arc<Shared>,
    resource: Resource,
    namespace: String,
    selector: Selector,
    /// Everything up to this version was told.
    cursor: u64,
    ends_at: Instant,
    bookmarks_allowed: bool,
    bookmarks_sent: u64,
    pulse: Receiver<u64>,
    lines: VecDeque<String>,
    /// What is sent after the lines, in place of anything else.
    last_words: Option<Pieces>,
    pause: Option<Duration>,
    met: Vec<u64>,
    ending: bool,
}

/// The stream of lines that answers a watch request from `cursor` on, after the lines in `first`.
pub(super) fn watch(
    shared: &Arc<Shared>,
    request: &Recorded,
    selector: Selector,
    cursor: u64,
    first: VecDeque<String>,
) -> impl Stream<Item = Piece> + Send + use<> {
    let lasts = match request.number("timeoutSeconds") {
        Some(seconds) if seconds > 0 => Duration::from_secs(seconds),
        _ => WATCH_DEFAULT,
    };
    let watch = Watch {
        shared: Arc::clone(shared),
        resource: request.resource,
        namespace: request.namespace.clone(),
        selector,
        cursor,
        ends_at: request.received_at + lasts,
        bookmarks_allowed: request.query("allowWatchBookmarks") == Some("true"),
        bookmarks_sent: shared.look().bookmarks_asked,
        pulse: shared.pulse(),
        lines: first,
        last_words: None,
        pause: None,
        met: Vec::new(),
        ending: false,
    };
    shared.change(|state| *state.open_watches.entry(request.resource).or_default() += 1);
    stream::unfold(watch, |mut watch| async {
        let piece = watch.next_piece().await?;
        Some((piece, watch))
    })
}

/// What a look at the shared state asks the stream to do.
enum Step {
    Send,
    Stay,
    Act(Fault),
}

impl Watch {
    /// The next piece of the body; waits without limit, since the connection's end drops it.
    async fn next_piece(&mut self) -> Option<Piece> {
        loop {
            if let Some(pieces) = &mut self.last_words {
                return pieces.next().await;
            }
            self.pulse.borrow_and_update();
            match self.look() {
                Step::Act(fault) => self.act(fault).await,
                Step::Send => {
                    let line = self.lines.pop_front()?;
                    if let Some(pause) = self.pause {
                        sleep(pause).await;
                    }
                    return Some(Ok(Bytes::from(line)));
                }
                Step::Stay if self.ending => return None,
                Step::Stay => self.wait().await,
            }
        }
    }

    fn look(&mut self) -> Step {
        let shared = Arc::clone(&self.shared);
        let strike = shared
            .look()
            .faults
            .strike_stream(self.resource, &mut self.met);
        if let Some(fault) = strike {
            // Whoever waits for a fault to be met is told.
            shared.change(|_| ());
            return Step::Act(fault);
        }
        let state = shared.look();
        if state.faults.is_silent(self.resource) {
            return Step::Stay;
        }
        let query = ListQuery {
            resource: self.resource,
            namespace: &self.namespace,
            selector: &self.selector,
        };
        if let Ok(events) = state.store.events_after(query, self.cursor) {
            self.lines.extend(events.iter().map(answer::event_line));
        } else {
            self.lines.push_back(answer::error_line(&answer::expired()));
            self.ending = true;
        }
        self.cursor = state.store.revision();
        if self.bookmarks_allowed && state.bookmarks_asked > self.bookmarks_sent {
            self.bookmark();
        }
        self.bookmarks_sent = state.bookmarks_asked;
        if self.lines.is_empty() {
            Step::Stay
        } else {
            Step::Send
        }
    }

    async fn wait(&mut self) {
        tokio::select! {
            // The sender lives in `self.shared`, so this never fails.
            _ = self.pulse.changed() => {}
            () = sleep_until(self.ends_at) => {
                self.ending = true;
                let silent = self.shared.look().faults.is_silent(self.resource);
                if self.bookmarks_allowed && !silent {
                    self.bookmark();
                }
            }
        }
    }

    fn bookmark(&mut self) {
        self.lines
            .push_back(answer::bookmark_line(self.resource, self.cursor));
    }

    async fn act(&mut self, fault: Fault) {
        let half = || self.padded_line(1).0;
        let last_words: Pieces = match fault {
            Fault::Status(status) => {
                Box::pin(stream::iter([Ok(Bytes::from(answer::error_line(&status)))]))
            }
            Fault::HalfOpen => pending().await,
            Fault::HangUp => Box::pin(cut()),
            Fault::CutMidLine => Box::pin(stream::iter([Ok(Bytes::from(half()))]).chain(cut())),
            Fault::MalformedJson => {
                let line = "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":[}}\n";
                Box::pin(stream::iter([Ok(Bytes::from_static(line.as_bytes()))]))
            }
            Fault::HugeObject { bytes } => {
                let (before, after) = self.padded_line(self.cursor);
                Box::pin(padded(before, bytes, after))
            }
            Fault::Slow(pause) => {
                self.pause = Some(pause);
                return;
            }
            // Silence is a level, looked at each time; a stale list is none of a stream's business.
            Fault::Silent | Fault::StaleList(_) => return,
        };
        self.last_words = Some(last_words);
    }

    /// The parts of an event line before and after the padding that makes it long.
    fn padded_line(&self, revision: u64) -> (String, String) {
        let (kind, api_version) = (self.resource.kind(), self.resource.api_version());
        let namespace = &self.namespace;
        let before = format!(
            "{{\"type\":\"ADDED\",\"object\":{{\"kind\":\"{kind}\",\"apiVersion\":\"{api_version}\",\
             \"metadata\":{{\"name\":\"padded\",\"namespace\":\"{namespace}\",\
             \"resourceVersion\":\"{revision}\",\"annotations\":{{\"padding\":\""
        );
        (before, "\"}}}}\n".to_owned())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.change(|state| {
            if let Some(open) = state.open_watches.get_mut(&self.resource) {
                *open -= 1;
            }
        });
    }
}
