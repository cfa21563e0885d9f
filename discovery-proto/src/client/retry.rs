//! Which calls to make once more, and when. What a call says of itself decides; whether it may be
//! made twice only its caller knows.

use std::error::Error as _;
use std::future::Future;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tonic::{Code, Status};

/// Makes a call again until it is answered, so that it outlives the end of the node that it met.
///
/// Only for calls that may be made twice: reads, and `Publish` with an idempotency key.
///
/// ```
/// use discovery_proto::client::Retry;
/// use tonic::Status;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (retry, mut tries) = (Retry::default(), 0);
/// let answer = retry.call(|| {
///     tries += 1;
///     let answer = if tries < 3 { Err(Status::unavailable("it ends")) } else { Ok(tries) };
///     async move { answer }
/// });
/// assert_eq!(answer.await.unwrap(), 3);
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often it is made at most; at least once. Default: 10.
    pub tries_max: u32,
    /// Longest wait for the answer to one try. Default: 5 s.
    pub try_limit: Duration,
    /// The pause after the first try; doubles up to `pause_max`. Default: 20 ms.
    pub pause: Duration,
    /// The longest pause. Default: 1 s.
    pub pause_max: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            tries_max: 10,
            try_limit: Duration::from_secs(5),
            pause: Duration::from_millis(20),
            pause_max: Duration::from_secs(1),
        }
    }
}

impl Retry {
    /// Makes the call that `call` begins, again and again as far as that may help.
    ///
    /// # Errors
    ///
    /// With what the last try said.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the try up that is under way; the node may have done it.
    pub async fn call<T, F, C>(&self, mut call: C) -> Result<T, Status>
    where
        C: FnMut() -> F,
        F: Future<Output = Result<T, Status>>,
    {
        let (mut tried, mut pause) = (1, self.pause);
        loop {
            let answer = timeout(self.try_limit, call()).await.unwrap_or_else(|_| {
                let limit = self.try_limit;
                Err(Status::deadline_exceeded(format!(
                    "no answer within {limit:?}"
                )))
            });
            match answer {
                Err(status) if tried < self.tries_max && may_be_retried(&status) => {}
                answer => return answer,
            }
            sleep(pause).await;
            pause = pause.saturating_mul(2).min(self.pause_max);
            tried += 1;
        }
    }
}

/// Whether the same call may be answered otherwise by another node, or later; if not, what is wrong
/// is the call.
pub fn may_be_retried(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable | Code::ResourceExhausted | Code::Aborted | Code::DeadlineExceeded => {
            true
        }
        // Said here of a connection that broke, not by a node.
        Code::Cancelled | Code::Unknown | Code::Internal => status.source().is_some(),
        Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::DataLoss
        | Code::Unauthenticated => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often a call is made that is always refused so.
    async fn tries(code: Code) -> u32 {
        let retry = Retry {
            tries_max: 4,
            pause: Duration::ZERO,
            ..Retry::default()
        };
        let mut tries = 0;
        let refused = retry.call(|| {
            tries += 1;
            async move { Err::<(), _>(Status::new(code, "no")) }
        });
        assert_eq!(refused.await.unwrap_err().code(), code);
        tries
    }

    #[tokio::test]
    async fn a_call_is_made_again_up_to_its_limit_if_another_node_may_answer() {
        assert_eq!(tries(Code::Unavailable).await, 4);
        assert_eq!(tries(Code::ResourceExhausted).await, 4);
    }

    #[tokio::test]
    async fn a_call_that_is_wrong_is_made_once() {
        assert_eq!(tries(Code::InvalidArgument).await, 1);
        assert_eq!(tries(Code::Unknown).await, 1, "a node said it");
    }

    #[tokio::test(start_paused = true)]
    async fn a_try_without_an_answer_ends_at_its_limit() {
        let retry = Retry {
            tries_max: 2,
            ..Retry::default()
        };
        let never = retry.call(std::future::pending::<Result<(), Status>>);
        assert_eq!(never.await.unwrap_err().code(), Code::DeadlineExceeded);
    }
}
