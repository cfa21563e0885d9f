//! Bodies of answers, whole and broken, each counted as it is handed to the connection.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{Stream, StreamExt, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};

/// Largest piece of a huge object that is made at a time, in bytes.
const FILLER_BYTES: usize = 64 * 1024;

static FILLER: [u8; FILLER_BYTES] = [b'x'; FILLER_BYTES];

/// The body ends here and the connection with it, as the script wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("connection cut by the test's script")]
pub(super) struct Cut;

pub(super) type ApiBody = UnsyncBoxBody<Bytes, Cut>;

/// One piece of a body that is made while it is sent.
pub(super) type Piece = Result<Bytes, Cut>;

/// A body of known length.
pub(super) fn whole(text: String, meter: &Arc<AtomicU64>) -> ApiBody {
    let bytes = Bytes::from(text);
    count(&bytes, meter);
    Full::new(bytes)
        .map_err(|never: Infallible| match never {})
        .boxed_unsync()
}

/// The first half of a body, then the end of the connection.
pub(super) fn first_half(text: &str, meter: &Arc<AtomicU64>) -> ApiBody {
    let mut bytes = Bytes::copy_from_slice(text.as_bytes());
    bytes.truncate(text.len() / 2);
    streamed(stream::iter([Ok(bytes)]).chain(cut()), meter)
}

/// The end of the connection, after what was sent before it has left for the client.
pub(super) fn cut() -> impl Stream<Item = Piece> + Send {
    stream::once(async {
        // A connection whose body has to be waited for is flushed; one that fails is not.
        tokio::task::yield_now().await;
        Err(Cut)
    })
}

/// A body in pieces.
pub(super) fn streamed(
    pieces: impl Stream<Item = Piece> + Send + 'static,
    meter: &Arc<AtomicU64>,
) -> ApiBody {
    let meter = Arc::clone(meter);
    let frames = pieces.map(move |piece| {
        piece.map(|bytes| {
            count(&bytes, &meter);
            Frame::data(bytes)
        })
    });
    StreamBody::new(frames).boxed_unsync()
}

/// `before`, then so many bytes of padding, then `after`; never held in memory as a whole.
pub(super) fn padded(
    before: String,
    padding: u64,
    after: String,
) -> impl Stream<Item = Piece> + Send {
    let filler = Bytes::from_static(&FILLER);
    let padding = stream::unfold(padding, move |left| {
        let piece = filler
            .slice(..usize::try_from(left).map_or(FILLER_BYTES, |left| left.min(FILLER_BYTES)));
        std::future::ready((left > 0).then(|| {
            let rest = left - piece.len() as u64;
            (Ok(piece), rest)
        }))
    });
    let text = |text: String| stream::iter([Ok(Bytes::from(text))]);
    text(before).chain(padding).chain(text(after))
}

fn count(bytes: &Bytes, meter: &AtomicU64) {
    meter.fetch_add(bytes.len() as u64, Ordering::Relaxed);
}
