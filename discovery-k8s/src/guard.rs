//! A layer around every request to the API server: the answer must start within a deadline, its
//! body is bounded, and what happened is counted. kube by itself bounds none of these.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Limited;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Bytes;
use kube::client::Body as KubeBody;
use tokio::sync::Notify;
use tokio::time::Instant;
use tower::{BoxError, Layer, Service};

use crate::stats::Counters;

/// Largest answer to anything but a watch, in bytes: 16,384 endpoints take about 12 MB.
pub(crate) const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Largest single event of a watch, in bytes: an object may have 1.5 MiB where it is stored.
pub(crate) const WATCH_LINE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Shortest and longest time between the beginnings of two watch requests of one client. kube
/// renews a watch at once when it ends, so a server that ends each would be asked without pause.
const WATCH_SPACING: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A watch that is renewed sooner after it began doubles the time until the next.
const WATCH_BRIEF: Duration = Duration::from_millis(500);

/// Why the guard gave a request up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GuardError {
    /// The answer did not start in time.
    #[error("no answer started within {limit:?}")]
    NoAnswer { limit: Duration },
    /// One event of a watch is larger than its limit.
    #[error("one event has more than {limit} bytes")]
    LineTooLong { limit: usize },
}

/// Guards every request of a client.
#[derive(Clone, Debug)]
pub(crate) struct GuardLayer {
    pub(crate) deadline: Duration,
    pub(crate) counters: Arc<Counters>,
    pub(crate) watch_opened: Arc<Notify>,
    /// When the last watch request began, and how long the next has to keep away from it.
    pub(crate) last_watch: Arc<Mutex<Option<(Instant, Duration)>>>,
}

impl GuardLayer {
    /// When the watch request that is made now may begin.
    fn watch_at(&self, now: Instant) -> Instant {
        // A moment stays usable whatever panicked while holding it.
        let mut last = self
            .last_watch
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (at, spacing) = match *last {
            Some((began, spacing)) if now < began + WATCH_BRIEF => {
                (began + spacing, (spacing * 2).min(WATCH_SPACING.1))
            }
            Some(_) | None => (now, WATCH_SPACING.0),
        };
        let at = at.max(now);
        *last = Some((at, spacing));
        at
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard {
            inner,
            layer: self.clone(),
        }
    }
}

/// The guarded service.
#[derive(Clone, Debug)]
pub(crate) struct Guard<S> {
    inner: S,
    layer: GuardLayer,
}

/// A bounded body; its error is what the guard or the connection says.
pub(crate) type GuardedBody = UnsyncBoxBody<Bytes, BoxError>;

impl<S, B> Service<Request<KubeBody>> for Guard<S>
where
    S: Service<Request<KubeBody>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<GuardedBody>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<KubeBody>) -> Self::Future {
        let is_watch = request.uri().query().is_some_and(|query| {
            query
                .split('&')
                .any(|pair| pair == "watch=true" || pair == "watch=1")
        });
        let deadline = self.layer.deadline;
        let watch_opened = Arc::clone(&self.layer.watch_opened);
        let watch_at = is_watch.then(|| self.layer.watch_at(Instant::now()));
        self.layer.counters.request();
        let answer = self.inner.call(request);
        Box::pin(async move {
            if let Some(at) = watch_at {
                tokio::time::sleep_until(at).await;
            }
            let answer = tokio::time::timeout(deadline, answer).await;
            let answer = answer.map_err(|_| GuardError::NoAnswer { limit: deadline })?;
            let answer = answer.map_err(Into::into)?;
            if is_watch && answer.status().is_success() {
                watch_opened.notify_one();
            }
            Ok(answer.map(|body| {
                if is_watch {
                    UnsyncBoxBody::new(BoundedLines {
                        body,
                        line_bytes: 0,
                    })
                } else {
                    UnsyncBoxBody::new(Limited::new(body, ANSWER_BYTES_MAX))
                }
            }))
        })
    }
}

/// A body whose lines are bounded, since a watch as a whole may rightly be of any length.
#[derive(Debug)]
struct BoundedLines<B> {
    body: B,
    /// Bytes since the last line ended.
    line_bytes: usize,
}

impl<B> Body for BoundedLines<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            None => return Poll::Ready(None),
        };
        if let Some(data) = frame.data_ref() {
            // One frame is at most one read of the connection, so lines inside it are small.
            self.line_bytes = match data.iter().rposition(|byte| *byte == b'\n') {
                Some(at) => data.len() - at - 1,
                None => self.line_bytes.saturating_add(data.len()),
            };
            if self.line_bytes > WATCH_LINE_BYTES_MAX {
                let error = GuardError::LineTooLong {
                    limit: WATCH_LINE_BYTES_MAX,
                };
                return Poll::Ready(Some(Err(error.into())));
            }
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, StreamBody};

    fn lines(
        frames: Vec<Vec<u8>>,
    ) -> BoundedLines<impl Body<Data = Bytes, Error = BoxError> + Unpin> {
        let frames = frames
            .into_iter()
            .map(|frame| Ok(Frame::data(Bytes::from(frame))));
        BoundedLines {
            body: StreamBody::new(futures_util::stream::iter(frames)),
            line_bytes: 0,
        }
    }

    #[test]
    fn watches_that_end_at_once_are_renewed_ever_more_slowly() {
        let layer = GuardLayer {
            deadline: Duration::from_secs(1),
            counters: Arc::default(),
            watch_opened: Arc::default(),
            last_watch: Arc::default(),
        };
        #[expect(clippy::disallowed_methods, reason = "any moment will do")]
        let start = Instant::from_std(std::time::Instant::now());
        let mut at = start;
        let mut pauses = Vec::new();
        for _ in 0..9 {
            let next = layer.watch_at(at);
            pauses.push((next - at).as_millis());
            at = next;
        }
        assert_eq!(pauses, [0, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        let lasting = at + WATCH_BRIEF;
        assert_eq!(
            layer.watch_at(lasting),
            lasting,
            "one that lasted is renewed at once"
        );
    }

    #[tokio::test]
    async fn any_number_of_bounded_lines_passes() {
        let frame = [vec![b'x'; 1000], vec![b'\n']].concat();
        let frames = vec![frame; 5 * 1024];
        let collected = lines(frames).collect().await.unwrap().to_bytes();
        assert!(collected.len() > WATCH_LINE_BYTES_MAX);
    }

    #[tokio::test]
    async fn a_line_that_never_ends_is_given_up_at_the_limit() {
        let frames = vec![vec![b'x'; 64 * 1024]; 2 * WATCH_LINE_BYTES_MAX / (64 * 1024)];
        let error = lines(frames).collect().await.unwrap_err();
        assert!(matches!(
            error.downcast_ref(),
            Some(GuardError::LineTooLong {
                limit: WATCH_LINE_BYTES_MAX
            })
        ));
    }
}
