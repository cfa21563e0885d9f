//! Why a call was not done, as `google.rpc.ErrorInfo` with a reason that programs can read and,
//! where it helps, when to retry. The reasons are told in the contract.

use std::time::Duration;

use discovery_core::PublishError;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// The domain of every reason.
pub(crate) const DOMAIN: &str = "discovery.v1";

/// When to retry what may pass soon.
const RETRY_SOON: Duration = Duration::from_millis(250);

/// Why a call was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("not a member, so nothing can be published; ask another node, or wait")]
    NotAMember,
    #[error("without quorum, so nothing can be published; ask another node, or wait")]
    NoQuorum,
    #[error("the node is leaving; ask another one")]
    Leaving,
    #[error("the node is about to end; ask another one")]
    ShuttingDown,
    #[error("{waiting_max} messages wait to be decided, the limit; retry after a pause")]
    Busy { waiting_max: usize },
    #[error("the node serves as many streams as it may; ask another one")]
    TooManyStreams,
    #[error("the message has {bytes} bytes; the limit is {bytes_max}")]
    TooLarge { bytes: usize, bytes_max: usize },
    #[error("{field}: {what}")]
    Invalid { field: &'static str, what: String },
    #[error("the outcome is unknown: {why}; retry with the same idempotency key")]
    OutcomeUnknown { why: String },
    #[error("not done within {limit:?}")]
    Deadline { limit: Duration },
    #[error("only callers on this host may ask for that; use a loopback address")]
    NotLocal,
    #[error("no member has the id or name '{member}'")]
    NotFound { member: String },
    #[error("refused: {why}")]
    Refused {
        why: String,
        coordinator: Option<String>,
    },
    #[error("{what} does not hold any more: {now} does")]
    Stale { what: String, now: String },
}

impl Refusal {
    fn code(&self) -> Code {
        match self {
            Self::NotAMember | Self::NoQuorum | Self::Leaving | Self::ShuttingDown => {
                Code::Unavailable
            }
            Self::Busy { .. } | Self::TooManyStreams => Code::ResourceExhausted,
            Self::TooLarge { .. } | Self::Invalid { .. } => Code::InvalidArgument,
            Self::OutcomeUnknown { .. } => Code::Aborted,
            Self::Deadline { .. } => Code::DeadlineExceeded,
            Self::NotLocal => Code::PermissionDenied,
            Self::NotFound { .. } => Code::NotFound,
            Self::Refused { .. } | Self::Stale { .. } => Code::FailedPrecondition,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::NotAMember => "NOT_A_MEMBER",
            Self::NoQuorum => "NO_QUORUM",
            Self::Leaving => "LEAVING",
            Self::ShuttingDown => "SHUTTING_DOWN",
            Self::Busy { .. } => "BUSY",
            Self::TooManyStreams => "TOO_MANY_STREAMS",
            Self::TooLarge { .. } => "TOO_LARGE",
            Self::Invalid { .. } => "INVALID",
            Self::OutcomeUnknown { .. } => "OUTCOME_UNKNOWN",
            Self::Deadline { .. } => "DEADLINE",
            Self::NotLocal => "NOT_LOCAL",
            Self::NotFound { .. } => "NOT_FOUND",
            Self::Refused { .. } => "REFUSED",
            Self::Stale { .. } => "STALE",
        }
    }

    /// What a program may want besides the reason.
    fn metadata(&self) -> Option<(String, String)> {
        let pair = |key: &str, value: String| Some((key.to_owned(), value));
        match self {
            Self::Invalid { field, .. } => pair("field", (*field).to_owned()),
            Self::TooLarge { bytes_max, .. } => pair("bytes_max", bytes_max.to_string()),
            Self::Refused {
                coordinator: Some(name),
                ..
            } => pair("coordinator", name.clone()),
            Self::Stale { now, .. } => pair("now", now.clone()),
            Self::NotAMember
            | Self::NoQuorum
            | Self::Leaving
            | Self::ShuttingDown
            | Self::Busy { .. }
            | Self::TooManyStreams
            | Self::OutcomeUnknown { .. }
            | Self::Deadline { .. }
            | Self::NotLocal
            | Self::NotFound { .. }
            | Self::Refused { .. } => None,
        }
    }

    /// When a retry at this very node may help.
    fn retry(&self) -> Option<Duration> {
        match self {
            Self::NotAMember
            | Self::NoQuorum
            | Self::Busy { .. }
            | Self::OutcomeUnknown { .. }
            | Self::Deadline { .. } => Some(RETRY_SOON),
            Self::Leaving
            | Self::ShuttingDown
            | Self::TooManyStreams
            | Self::TooLarge { .. }
            | Self::Invalid { .. }
            | Self::NotLocal
            | Self::NotFound { .. }
            | Self::Refused { .. }
            | Self::Stale { .. } => None,
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let mut details = ErrorDetails::new();
        match refusal.metadata() {
            Some(pair) => details.set_error_info(refusal.reason(), DOMAIN, [pair]),
            None => details.set_error_info(refusal.reason(), DOMAIN, []),
        };
        if let Some(pause) = refusal.retry() {
            details.set_retry_info(Some(pause));
        }
        Self::with_error_details(refusal.code(), refusal.to_string(), details)
    }
}

impl From<PublishError> for Refusal {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::NotAMember => Self::NotAMember,
            PublishError::NoQuorum => Self::NoQuorum,
            PublishError::Leaving => Self::Leaving,
            PublishError::TooLarge { bytes, bytes_max } => Self::TooLarge { bytes, bytes_max },
            PublishError::Busy { waiting_max } => Self::Busy { waiting_max },
            PublishError::OutcomeUnknown { why } => Self::OutcomeUnknown {
                why: why.to_string(),
            },
            // What may yet be added says in words what happened.
            other => Self::OutcomeUnknown {
                why: other.to_string(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_carries_its_reason_and_when_to_retry() {
        let status = Status::from(Refusal::Busy { waiting_max: 7 });
        assert_eq!(status.code(), Code::ResourceExhausted);
        let details = status.get_error_details();
        let told = details.error_info().unwrap();
        assert_eq!(
            (told.reason.as_str(), told.domain.as_str()),
            ("BUSY", DOMAIN)
        );
        assert_eq!(details.retry_info().unwrap().retry_delay, Some(RETRY_SOON));
    }

    #[test]
    fn who_coordinates_is_told_to_who_asked_another() {
        let refusal = Refusal::Refused {
            why: "only the coordinator removes members".to_owned(),
            coordinator: Some("ring-0".to_owned()),
        };
        let details = Status::from(refusal).get_error_details();
        assert_eq!(
            details.error_info().unwrap().metadata["coordinator"],
            "ring-0"
        );
        assert!(details.retry_info().is_none());
    }
}
