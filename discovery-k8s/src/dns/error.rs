//! Why DNS gave no set of seeds, and what an operator would do about it.
//! Which pause follows is decided in `finder.rs`.

use std::time::Duration;

use discovery_core::{FinderCause, FinderError, SEEDS_MAX};

use crate::config::FamilyPolicy;

/// Why DNS gave no set of seeds; the last good set stays, and the finder asks again by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DnsError {
    /// The name does not exist (NXDOMAIN). A Service without a single endpoint may read the same,
    /// depending on the DNS server, and so does a typo: it is never taken for *empty*.
    #[error("{name} does not exist (NXDOMAIN)")]
    NoSuchName {
        /// The name that was asked for.
        name: String,
        /// How long the server says that this holds, if it says so.
        ttl: Option<Duration>,
    },
    /// The Service has addresses, but no SRV record for the port; a retry helps only if pods that
    /// carry the port were about to appear.
    #[error("{name} has addresses, but {service} has no SRV record")]
    NoSuchPort {
        /// The Service's name.
        name: String,
        /// The name of the SRV records.
        service: String,
    },
    /// The name has addresses, but none of the family that was asked for; a retry does not help.
    #[error("{name} has addresses, but none that 'families = {families}' accepts")]
    OtherFamilyOnly {
        /// The name that was asked for.
        name: String,
        /// The policy in force.
        families: FamilyPolicy,
    },
    /// SRV records name pods, but none of these has an address that the policy accepts. It passes
    /// by itself if the pods were just going.
    #[error("{name} names {targets} targets, but none has an address for 'families = {families}'")]
    NoTargetAddress {
        /// The name of the SRV records.
        name: String,
        /// How many targets they name.
        targets: usize,
        /// The policy in force.
        families: FamilyPolicy,
    },
    /// Every server that was asked failed (SERVFAIL and its like); a retry may help.
    #[error("{question}: the name server answered that it failed ({code})")]
    ServerFailed {
        /// Record type and name.
        question: String,
        /// The response code, in words.
        code: String,
    },
    /// The server does not answer such questions (REFUSED); a retry does not help.
    #[error("{question}: the name server refused to answer")]
    Refused {
        /// Record type and name.
        question: String,
    },
    /// The server points to other servers instead of answering; a retry does not help.
    #[error("{question}: the name server does not resolve names, it refers to other servers")]
    Referral {
        /// Record type and name.
        question: String,
    },
    /// No answer within the limit; a retry may help.
    #[error("{question}: no answer within {limit:?}")]
    Timeout {
        /// Record type and name, or the name alone if several questions together took too long.
        question: String,
        /// The limit.
        limit: Duration,
    },
    /// The server could not be reached, or the connection broke; a retry may help.
    #[error("{question}: {reason}")]
    Unreachable {
        /// Record type and name.
        question: String,
        /// What the system says.
        reason: String,
    },
    /// The answer could not be understood, or makes no sense; a retry may help.
    #[error("{question}: {reason}")]
    Malformed {
        /// Record type and name.
        question: String,
        /// What is wrong about it.
        reason: String,
    },
    /// The aliases do not come to an end; a retry does not help.
    #[error("{question}: more than {hops_max} aliases (CNAME) in a row")]
    AliasLoop {
        /// Record type and name.
        question: String,
        /// The limit.
        hops_max: usize,
    },
    /// The answer does not fit a DNS message, not even over TCP; a retry does not help.
    #[error("{question}: the answer is truncated even over TCP")]
    Truncated {
        /// Record type and name.
        question: String,
    },
    /// More seeds than the limit; a retry does not help.
    #[error("{name} lists {count} seeds; the limit is {SEEDS_MAX}")]
    TooMany {
        /// The name that was asked for.
        name: String,
        /// How many it lists.
        count: usize,
    },
}

impl DnsError {
    /// The cause by which it is counted and reported.
    pub fn cause(&self) -> FinderCause {
        match self {
            Self::NoSuchName { .. } => FinderCause::NotFound,
            Self::NoSuchPort { .. } => FinderCause::NoPort,
            Self::OtherFamilyOnly { .. } | Self::NoTargetAddress { .. } => {
                FinderCause::Configuration
            }
            Self::ServerFailed { .. } | Self::Referral { .. } => FinderCause::Failed,
            Self::Refused { .. } => FinderCause::Forbidden,
            Self::Timeout { .. } => FinderCause::Timeout,
            Self::Unreachable { .. } => FinderCause::Unreachable,
            Self::Malformed { .. } | Self::AliasLoop { .. } => FinderCause::Malformed,
            Self::Truncated { .. } | Self::TooMany { .. } => FinderCause::TooLarge,
        }
    }

    /// What would mend it, where that is known.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::NoSuchName { .. } => Some(
                "check namespace, Service and cluster domain; the Service must be headless \
                 (clusterIP: None), and without publishNotReadyAddresses it lists ready pods only",
            ),
            Self::NoSuchPort { .. } => {
                Some("name a TCP port of the Service so, or give the port's number")
            }
            Self::OtherFamilyOnly { .. } | Self::NoTargetAddress { .. } => {
                Some("set families = both, or give the Service this family in spec.ipFamilies")
            }
            Self::Refused { .. } | Self::Referral { .. } => {
                Some("give the address of the cluster's DNS Service as name server")
            }
            Self::Truncated { .. } | Self::TooMany { .. } => {
                Some("use the finder that watches EndpointSlices")
            }
            Self::ServerFailed { .. }
            | Self::Timeout { .. }
            | Self::Unreachable { .. }
            | Self::Malformed { .. }
            | Self::AliasLoop { .. } => None,
        }
    }
}

impl From<DnsError> for FinderError {
    fn from(error: DnsError) -> Self {
        let wrapped = Self::new(error.cause(), error.to_string());
        let wrapped = match error.remedy() {
            Some(remedy) => wrapped.with_remedy(remedy),
            None => wrapped,
        };
        wrapped.with_source(error)
    }
}
