//! Why a call to the API server failed, told apart by what would mend it.

use std::error::Error;
use std::fmt::Write as _;
use std::time::Duration;

use discovery_core::{FinderCause, FinderError};
use http_body_util::LengthLimitError;
use kube::client::AuthError;

use crate::access::words::{auth_words, client_words};
use crate::config::KubeFinderConfig;
use crate::guard::GuardError;
use crate::rbac::{Rule, role_lines};
use crate::slices::SliceError;

/// Why one call to the API server gave no usable answer.
///
/// Nothing was changed by any of them. The finder retries all of them by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The server does not know the token (401); it helps to renew the token.
    #[error("{call}: the API server does not accept our credentials (401): {message}")]
    Unauthorised {
        /// What was asked.
        call: String,
        /// The server's words.
        message: String,
    },
    /// The account lacks a permission (403); it helps to grant the rule.
    #[error("{call}: the account may not {rule} in namespace {namespace} (403): {message}")]
    Forbidden {
        /// What was asked.
        call: String,
        /// The permission that is missing.
        rule: Rule,
        /// The namespace it is missing in.
        namespace: String,
        /// The server's words.
        message: String,
    },
    /// The object does not exist, or the server does not serve such objects (404); it helps to
    /// create what is missing or to correct the server's URL.
    #[error("{call}: not found (404): {message}")]
    NotFound {
        /// What was asked.
        call: String,
        /// The permission it was asked by, which tells what was asked for.
        rule: Rule,
        /// The server's words.
        message: String,
    },
    /// The server has forgotten the version that was asked from (410); a fresh listing helps.
    #[error("{call}: the version asked from is gone (410): {message}")]
    Gone {
        /// What was asked.
        call: String,
        /// The server's words.
        message: String,
    },
    /// The server wants fewer requests (429).
    #[error("{call}: the API server asks for fewer requests (429): {message}")]
    Throttled {
        /// What was asked.
        call: String,
        /// The server's words.
        message: String,
        /// How long it wants to be left alone, if it said so.
        retry_after: Option<Duration>,
    },
    /// The server answered with another failure.
    #[error("{call}: the API server failed ({code}): {message}")]
    Failed {
        /// What was asked.
        call: String,
        /// The HTTP status code.
        code: u16,
        /// The server's words.
        message: String,
    },
    /// No complete answer within the limit; see `request_deadline`.
    #[error("{call}: no complete answer within {limit:?}")]
    Timeout {
        /// What was asked.
        call: String,
        /// The limit.
        limit: Duration,
    },
    /// The server's certificate was refused, or ours by the server.
    #[error("{call}: the secured connection was refused: {message}")]
    Tls {
        /// What was asked.
        call: String,
        /// Why.
        message: String,
    },
    /// No connection, or it broke.
    #[error("{call}: the API server cannot be reached: {message}")]
    Unreachable {
        /// What was asked.
        call: String,
        /// Why.
        message: String,
    },
    /// The answer is no Kubernetes object of the kind that was asked for.
    #[error("{call}: the answer cannot be understood: {message}")]
    Malformed {
        /// What was asked.
        call: String,
        /// What is wrong, where.
        message: String,
    },
    /// The answer is larger than its limit and was not read to its end.
    #[error("{call}: the answer has more than {limit} bytes")]
    TooLarge {
        /// What was asked.
        call: String,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The credentials or the kubeconfig cannot be read or used; it helps to mend what is named.
    /// Nothing of their content is in the message.
    #[error("{call}: {message}")]
    Credentials {
        /// What was asked.
        call: String,
        /// Which file or field, and why.
        message: String,
    },
    /// The slices that were listed do not make a set.
    #[error("{call}: {source}")]
    Slices {
        /// What was asked.
        call: String,
        /// What is wrong with them.
        source: SliceError,
    },
}

/// What was asked of the API server, for messages and for telling which rule was missing.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) rule: Rule,
    pub(crate) namespace: String,
    /// The object or the selector.
    pub(crate) what: String,
    pub(crate) deadline: Duration,
}

impl Call {
    pub(crate) fn new(config: &KubeFinderConfig, rule: Rule, what: impl Into<String>) -> Self {
        let what = what.into();
        Self {
            rule,
            namespace: config.namespace.clone(),
            what,
            deadline: config.request_deadline,
        }
    }

    fn words(&self) -> String {
        format!("{} {} in {}", self.rule.verb(), self.what, self.namespace)
    }

    /// The call took longer than its deadline.
    pub(crate) fn timed_out(&self) -> ApiError {
        ApiError::Timeout {
            call: self.words(),
            limit: self.deadline,
        }
    }

    /// Reading the credentials for the call took longer than its deadline.
    pub(crate) fn slow_credentials(&self, limit: Duration) -> ApiError {
        ApiError::Timeout {
            call: format!("reading the credentials to {}", self.words()),
            limit,
        }
    }

    /// The version that it asked from is gone, or its pages were of different versions.
    pub(crate) fn gone(&self, message: impl Into<String>) -> ApiError {
        ApiError::Gone {
            call: self.words(),
            message: message.into(),
        }
    }

    /// The slices that it listed do not make a set.
    pub(crate) fn bad_slices(&self, source: SliceError) -> ApiError {
        ApiError::Slices {
            call: self.words(),
            source,
        }
    }

    /// The credentials cannot be used.
    pub(crate) fn bad_credentials(&self, message: impl Into<String>) -> ApiError {
        ApiError::Credentials {
            call: self.words(),
            message: message.into(),
        }
    }

    /// The answer is not what was asked for.
    pub(crate) fn malformed(&self, message: impl Into<String>) -> ApiError {
        ApiError::Malformed {
            call: self.words(),
            message: message.into(),
        }
    }

    /// Tells the causes apart.
    pub(crate) fn failed(&self, error: &kube::Error) -> ApiError {
        let call = self.words();
        if let kube::Error::Api(status) = error {
            return self.refused(status);
        }
        if let Some(guard) = find::<GuardError>(error) {
            return match guard {
                GuardError::NoAnswer { limit } => ApiError::Timeout {
                    call,
                    limit: *limit,
                },
                GuardError::LineTooLong { limit } => ApiError::TooLarge {
                    call,
                    limit: *limit,
                },
            };
        }
        if find::<LengthLimitError>(error).is_some() {
            return ApiError::TooLarge {
                call,
                limit: crate::guard::ANSWER_BYTES_MAX,
            };
        }
        // Libraries quote what they could not use, so credentials have words of their own.
        if let Some(error) = find::<AuthError>(error) {
            return self.bad_credentials(auth_words(error, None));
        }
        let message = chain_words(error);
        if find::<rustls::Error>(error).is_some() {
            return ApiError::Tls { call, message };
        }
        match error {
            kube::Error::SerdeError(_)
            | kube::Error::FromUtf8(_)
            | kube::Error::LinesCodecMaxLineLengthExceeded => ApiError::Malformed { call, message },
            kube::Error::InferConfig(_)
            | kube::Error::InferKubeconfig(_)
            | kube::Error::RustlsTls(_)
            | kube::Error::ProxyProtocolDisabled { .. }
            | kube::Error::ProxyProtocolUnsupported { .. } => {
                self.bad_credentials(client_words(error, None))
            }
            // kube's own enum grows; what is left is about the connection.
            _ => ApiError::Unreachable { call, message },
        }
    }

    /// Tells apart what the server said.
    pub(crate) fn refused(&self, status: &kube::core::Status) -> ApiError {
        let call = self.words();
        let message: String = status.message.chars().take(MESSAGE_CHARS_MAX).collect();
        match status.code {
            401 => ApiError::Unauthorised { call, message },
            403 => {
                let namespace = self.namespace.clone();
                ApiError::Forbidden {
                    call,
                    rule: self.rule,
                    namespace,
                    message,
                }
            }
            404 => ApiError::NotFound {
                call,
                rule: self.rule,
                message,
            },
            410 => self.gone(message),
            429 => {
                let seconds = status
                    .details
                    .as_ref()
                    .map(|details| details.retry_after_seconds);
                let seconds = seconds.filter(|seconds| *seconds > 0);
                let retry_after = seconds.map(|seconds| Duration::from_secs(seconds.into()));
                ApiError::Throttled {
                    call,
                    message,
                    retry_after,
                }
            }
            code => ApiError::Failed {
                call,
                code,
                message,
            },
        }
    }
}

/// Longest part of a server's message that is kept.
const MESSAGE_CHARS_MAX: usize = 512;

/// The first error of this type in the chain, the carriers of I/O errors opened.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        // An io::Error does not name what it carries as its source.
        let carried = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        if let Some(found) = carried.and_then(|carried| find::<E>(carried)) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// The chain of an error in one line, each link said once.
pub(crate) fn chain_words(error: &(dyn Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let link = error.to_string();
        if !words.contains(&link) {
            let _ = write!(words, ": {link}");
        }
        next = error.source();
    }
    words.chars().take(MESSAGE_CHARS_MAX).collect()
}

impl ApiError {
    /// The cause in the words of every finder.
    pub fn cause(&self) -> FinderCause {
        match self {
            Self::Unauthorised { .. } => FinderCause::Unauthorised,
            Self::Forbidden { .. } => FinderCause::Forbidden,
            Self::NotFound { .. } => FinderCause::NotFound,
            Self::Gone { .. } | Self::Failed { .. } => FinderCause::Failed,
            Self::Throttled { .. } => FinderCause::Throttled,
            Self::Timeout { .. } => FinderCause::Timeout,
            Self::Tls { .. } => FinderCause::Tls,
            Self::Unreachable { .. } => FinderCause::Unreachable,
            Self::Malformed { .. } => FinderCause::Malformed,
            Self::TooLarge { .. } => FinderCause::TooLarge,
            Self::Credentials { .. } => FinderCause::Configuration,
            Self::Slices { source, .. } => match source {
                SliceError::Malformed { .. } => FinderCause::Malformed,
                SliceError::NoPort { .. } => FinderCause::NoPort,
                SliceError::TooMany { .. } => FinderCause::TooLarge,
            },
        }
    }

    /// How long the server wants to be left alone, if it said so.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after, .. } => *retry_after,
            Self::Unauthorised { .. }
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::Gone { .. }
            | Self::Failed { .. }
            | Self::Timeout { .. }
            | Self::Tls { .. }
            | Self::Unreachable { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. }
            | Self::Credentials { .. }
            | Self::Slices { .. } => None,
        }
    }

    /// Whether the server or we refused what the client was built from, so that the same request
    /// may succeed at once with a new client.
    ///
    /// Credentials that could not even be read are not worth that: a plugin would run twice.
    pub(crate) fn is_about_credentials(&self) -> bool {
        self.needs_new_client() && !matches!(self, Self::Credentials { .. })
    }

    /// Whether the client is of no more use, so that the next attempt must read the credentials
    /// and the CA anew.
    pub(crate) fn needs_new_client(&self) -> bool {
        match self {
            Self::Unauthorised { .. } | Self::Tls { .. } | Self::Credentials { .. } => true,
            Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::Gone { .. }
            | Self::Throttled { .. }
            | Self::Failed { .. }
            | Self::Timeout { .. }
            | Self::Unreachable { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. }
            | Self::Slices { .. } => false,
        }
    }

    /// What an operator should do, where that is known; `None` where the error says it all or
    /// waiting is all that helps.
    ///
    /// The text is for people; several lines where it holds the lines to add to a Role.
    pub fn remedy(&self, config: &KubeFinderConfig) -> Option<String> {
        match self {
            Self::Unauthorised { .. } => Some(
                "check that the service account still exists and that its token file is mounted; \
                 the token is read again by itself"
                    .to_owned(),
            ),
            Self::Forbidden { rule, .. } => {
                let lines = role_lines(config, &[*rule]);
                Some(format!(
                    "grant it in a Role of namespace {}, bound to the pod's service account:\n\
                     rules:\n{lines}",
                    config.namespace
                ))
            }
            Self::NotFound { rule, .. } => not_found_remedy(*rule, config),
            Self::Tls { .. } => Some(
                "give the CA that signed the API server's certificate; there is no insecure switch"
                    .to_owned(),
            ),
            Self::Slices {
                source: SliceError::NoPort { wanted, .. },
                ..
            } => Some(format!(
                "name the port '{wanted}' in Service {}, or configure one that it carries",
                config.service
            )),
            Self::Gone { .. }
            | Self::Throttled { .. }
            | Self::Failed { .. }
            | Self::Timeout { .. }
            | Self::Unreachable { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. }
            | Self::Credentials { .. }
            | Self::Slices { .. } => None,
        }
    }

    /// The error as every finder reports it, this one kept as its source.
    pub(crate) fn into_finder_error(self, config: &KubeFinderConfig) -> FinderError {
        let remedy = self.remedy(config);
        let error = FinderError::new(self.cause(), self.to_string());
        let error = match remedy {
            Some(remedy) => error.with_remedy(remedy),
            None => error,
        };
        error.with_source(self)
    }
}

/// A list or a watch of objects that do not exist is empty; only a server without the whole
/// resource answers it with 404.
fn not_found_remedy(rule: Rule, config: &KubeFinderConfig) -> Option<String> {
    match rule {
        Rule::GetService => Some(format!(
            "create Service {} in namespace {}, or correct the names",
            config.service, config.namespace
        )),
        Rule::ListEndpointSlices | Rule::WatchEndpointSlices | Rule::ListPods => {
            let group = match rule.api_group() {
                "" => String::new(),
                group => format!("{group}/"),
            };
            Some(format!(
                "check the url: the API server, or a proxy before it, does not serve {} of \
                 {group}v1 there",
                rule.resource()
            ))
        }
        Rule::GetEndpointSlices | Rule::GetPods => None,
    }
}

#[cfg(test)]
mod tests;
