//! Deadlines around a whole service: its own limit, or the caller's where that is sooner, from the
//! headers of a call on, so that a request that never ends is over too. A stream is limited until it
//! begins. Calls with a shorter limit keep it themselves. What is refused, for whatever reason, is
//! counted here, where every answer passes.

use std::convert::Infallible;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::timeout;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::NamedService;
use tonic_types::StatusExt as _;

use super::refusals::Refusal;
use crate::view::traffic::Traffic;

/// The header in which a caller says how long it waits.
const TIMEOUT_HEADER: &str = "grpc-timeout";

/// Most digits of that time.
const TIMEOUT_DIGITS_MAX: usize = 8;

/// How much earlier than its caller gives up a call is answered, but at most a quarter of its time:
/// the reason then arrives, and comes before the bare CANCELLED of the transport.
const AHEAD: Duration = Duration::from_millis(20);

/// A service whose calls end in time.
#[derive(Clone, Debug)]
pub(super) struct Limited<S> {
    inner: S,
    limit: Duration,
    traffic: Traffic,
}

impl<S> Limited<S> {
    /// No call of this service takes longer; what it refuses is counted.
    pub(super) fn new(inner: S, limit: Duration, traffic: &Traffic) -> Self {
        Self {
            inner,
            limit,
            traffic: traffic.clone(),
        }
    }
}

impl<S: NamedService> NamedService for Limited<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<http::Request<Body>> for Limited<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let asked = request.headers().get(TIMEOUT_HEADER);
        let asked = asked.and_then(|text| time_of(text.to_str().ok()?));
        let (limit, wait) = sooner(asked, self.limit);
        let answer = timeout(wait, self.inner.call(request));
        let traffic = self.traffic.clone();
        Box::pin(async move {
            let over = |_| Ok(Status::from(Refusal::Deadline { limit }).into_http());
            let answer = answer.await.unwrap_or_else(over)?;
            count(&traffic, &answer);
            Ok(answer)
        })
    }
}

/// Counts an answer that refuses its call; one that begins has no status yet.
fn count(traffic: &Traffic, answer: &http::Response<Body>) {
    let Some(status) = answer.extensions().get::<Status>() else {
        return;
    };
    let told = status.get_details_error_info();
    traffic.refused(told.as_ref().map(|told| told.reason.as_str()));
}

/// The limit that holds, and how long the answer is waited for.
fn sooner(asked: Option<Duration>, own: Duration) -> (Duration, Duration) {
    match asked {
        Some(asked) if asked <= own => (asked, asked.saturating_sub(AHEAD.min(asked / 4))),
        Some(_) | None => (own, own),
    }
}

/// Reads how long a caller waits; none if it is not written as the protocol has it.
fn time_of(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || digits.len() > TIMEOUT_DIGITS_MAX {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        // Eight digits of hours are no overflow.
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_answered_before_it_gives_up_and_never_later_than_the_own_limit() {
        let own = Duration::from_secs(5);
        let of = Duration::from_millis;
        for (asked, expected) in [
            (None, (own, own)),
            (Some(Duration::from_secs(6)), (own, own)),
            (Some(own), (own, of(4980))),
            (Some(of(40)), (of(40), of(30))),
            (Some(Duration::ZERO), (Duration::ZERO, Duration::ZERO)),
        ] {
            assert_eq!(sooner(asked, own), expected, "{asked:?}");
        }
    }

    #[test]
    fn the_time_that_a_caller_waits_is_read_in_every_unit_and_nothing_else_is() {
        for (text, expected) in [
            ("99999999H", Some(Duration::from_hours(99_999_999))),
            ("2M", Some(Duration::from_mins(2))),
            ("3S", Some(Duration::from_secs(3))),
            ("250m", Some(Duration::from_millis(250))),
            ("7u", Some(Duration::from_micros(7))),
            ("0n", Some(Duration::ZERO)),
            ("", None),
            ("S", None),
            ("3", None),
            ("+3S", None),
            ("3s", None),
            ("3é", None),
            ("100000000S", None),
        ] {
            assert_eq!(time_of(text), expected, "{text}");
        }
    }
}
