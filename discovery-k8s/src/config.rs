//! What to look for and within which limits. Options are checked once, as a whole, and every fault
//! is reported; how to reach the API server is `access.rs`'s, and nothing here does I/O.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Which port of an endpoint the protocol listens on.
///
/// ```
/// use discovery_k8s::PortChoice;
///
/// assert_eq!("ring".parse(), Ok(PortChoice::Named("ring".into())));
/// assert_eq!("47500".parse(), Ok(PortChoice::Number(47500)));
/// assert!("0".parse::<PortChoice>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortChoice {
    /// The port of this name, resolved in each slice by itself; endpoints of slices that do not
    /// carry it are not seeds.
    Named(String),
    /// This number on every endpoint, whatever ports the slices name.
    Number(u16),
}

impl FromStr for PortChoice {
    type Err = ConfigFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
            let number = text.parse().ok().filter(|number| *number != 0);
            return number.map(Self::Number).ok_or_else(|| {
                ConfigFault::new(
                    "port",
                    text,
                    "give a number from 1 to 65535, or a port's name",
                )
            });
        }
        Ok(Self::Named(text.to_owned()))
    }
}

impl fmt::Display for PortChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.pad(name),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

/// Which address families of a process become addresses of its seed.
///
/// A census is never narrowed by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FamilyPolicy {
    /// IPv4 only; a process without such an address is no seed.
    V4,
    /// IPv6 only; a process without such an address is no seed.
    V6,
    /// One address: IPv4 if the process has one, else IPv6.
    PreferV4,
    /// One address: IPv6 if the process has one, else IPv4.
    PreferV6,
    /// Every address, IPv6 first (RFC 8305, section 4).
    #[default]
    Both,
}

impl FamilyPolicy {
    /// Every policy with the name it has in a configuration.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("v4", Self::V4),
        ("v6", Self::V6),
        ("prefer-v4", Self::PreferV4),
        ("prefer-v6", Self::PreferV6),
        ("both", Self::Both),
    ];
}

impl FromStr for FamilyPolicy {
    type Err = ConfigFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::NAMES.iter().find(|(name, _)| *name == text);
        known.map(|(_, policy)| *policy).ok_or_else(|| {
            ConfigFault::new(
                "families",
                text,
                "give v4, v6, prefer-v4, prefer-v6 or both",
            )
        })
    }
}

impl fmt::Display for FamilyPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES
            .iter()
            .find(|(_, policy)| policy == self)
            .map(|(name, _)| *name);
        f.pad(name.unwrap_or("both"))
    }
}

/// One option that cannot be used: its name, the value as given, and what to give instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} = '{value}': {remedy}")]
pub struct ConfigFault {
    /// The option's name.
    pub field: &'static str,
    /// The value as given.
    pub value: String,
    /// What to give instead.
    pub remedy: String,
}

impl ConfigFault {
    pub(crate) fn new(field: &'static str, value: impl fmt::Display, remedy: &str) -> Self {
        Self {
            field,
            value: value.to_string(),
            remedy: remedy.to_owned(),
        }
    }
}

/// Everything wrong with a configuration, at once; nothing was started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct ConfigError {
    /// The faults, in the order of the options; at least one.
    pub faults: Vec<ConfigFault>,
}

/// Shortest and longest watch timeout. The API server refuses 295 s and more, and a quiet watch is
/// only known to be dead after it.
pub const WATCH_TIMEOUT_RANGE: (Duration, Duration) =
    (Duration::from_secs(1), Duration::from_secs(290));

/// Longest audit interval: beyond it a frozen watch could stay unnoticed for too long.
pub const AUDIT_INTERVAL_MAX: Duration = Duration::from_hours(1);

/// Longest deadline of one request.
pub const REQUEST_DEADLINE_MAX: Duration = Duration::from_mins(2);

/// Longest pause between retries: an outage that ended must be noticed before people do.
pub const RETRY_PAUSE_MAX: Duration = Duration::from_mins(5);

/// What to look for and within which limits.
///
/// The names beside the predecessor's (`TcpDiscoveryKubernetesIpFinder`):
///
/// | predecessor | here | what changes |
/// |---|---|---|
/// | `namespace` (`default`) | `namespace` | no default: in a pod, its own |
/// | `serviceName` (`ignite`) | `service` | no default |
/// | `discoveryPort` (0) | `port` | named port `ring` by default, resolved in each slice |
/// | `includeNotReadyAddresses` (false) | `include_not_ready` | **true**: readiness depends on having joined |
/// | `masterUrl` | [`ApiEndpoint::url`](crate::ApiEndpoint) | certificate always verified |
/// | `accountToken` | [`ApiEndpoint::token_file`](crate::ApiEndpoint) | re-read while running |
///
/// ```
/// use discovery_k8s::{KubeFinderConfig, PortChoice};
///
/// let mut config = KubeFinderConfig::new("prod", "ring");
/// config.port = PortChoice::Number(47500);
/// assert!(config.check().is_ok());
///
/// let faults = KubeFinderConfig::new("", "").check().unwrap_err().faults;
/// assert_eq!(faults.len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KubeFinderConfig {
    /// The namespace of the Service; a DNS label.
    pub namespace: String,
    /// The Service whose EndpointSlices list the processes; a DNS label.
    pub service: String,
    /// Which port to knock at. Default: the port named `ring`.
    pub port: PortChoice,
    /// Which address families to use. Default: both.
    pub families: FamilyPolicy,
    /// Whether processes that do not pass their readiness probe are seeds. Default: true, since
    /// in a cluster that is starting nobody is ready. A `ready` that is absent counts as ready.
    pub include_not_ready: bool,
    /// Whether processes on their way out are seeds. Default: true: they may be the last members
    /// that can admit a newcomer.
    pub include_terminating: bool,
    /// The container that runs the protocol, for pod facts. Default: the pod's only container.
    pub container: Option<String>,
    /// Whether the Service's pods are listed at the start, as often as audits are made and when a
    /// new one appears, so that a pod that is gone has a last reading. Default: true. Costs two
    /// requests each time; without it a pod that was deleted before anybody asked about it is no
    /// proof of death under any rule. An `audit_interval` above 3 min makes such readings too old.
    pub remember_pods: bool,
    /// How long one watch request lasts before it is renewed. Default: 60 s. Must be shorter than
    /// what any balancer on the way allows an idle connection.
    pub watch_timeout: Duration,
    /// How often the watch is audited by a listing. Default: 60 s. Each audit is one request.
    pub audit_interval: Duration,
    /// How long one request may take until its answer is complete (a watch: until it starts).
    /// Default: 10 s.
    pub request_deadline: Duration,
    /// Pause before the first retry; doubles up to `retry_pause_max`. Default: 200 ms.
    pub retry_pause: Duration,
    /// Longest pause between retries. Default: 10 s; at most [`RETRY_PAUSE_MAX`].
    pub retry_pause_max: Duration,
}

impl KubeFinderConfig {
    /// The defaults, for this Service of this namespace.
    pub fn new(namespace: impl Into<String>, service: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            service: service.into(),
            port: PortChoice::Named("ring".to_owned()),
            families: FamilyPolicy::default(),
            include_not_ready: true,
            include_terminating: true,
            container: None,
            remember_pods: true,
            watch_timeout: Duration::from_mins(1),
            audit_interval: Duration::from_mins(1),
            request_deadline: Duration::from_secs(10),
            retry_pause: Duration::from_millis(200),
            retry_pause_max: Duration::from_secs(10),
        }
    }

    /// Checks every option and how they fit together.
    ///
    /// # Errors
    ///
    /// All faults at once; see [`ConfigError`].
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut faults = Vec::new();
        faults.extend(label_fault("namespace", &self.namespace));
        faults.extend(label_fault("service", &self.service));
        if let PortChoice::Named(name) = &self.port {
            faults.extend(port_name_fault(name));
        }
        if self.port == PortChoice::Number(0) {
            faults.push(ConfigFault::new("port", 0, "give a number from 1 to 65535"));
        }
        if self.container.as_deref() == Some("") {
            faults.push(ConfigFault::new(
                "container",
                "",
                "name the container, or leave it out",
            ));
        }
        faults.extend(self.duration_faults());
        if faults.is_empty() {
            Ok(())
        } else {
            Err(ConfigError { faults })
        }
    }

    fn duration_faults(&self) -> Vec<ConfigFault> {
        let second = Duration::from_secs(1);
        let millisecond = Duration::from_millis(1);
        let ranges = [
            (
                "watch_timeout",
                self.watch_timeout,
                WATCH_TIMEOUT_RANGE.0,
                WATCH_TIMEOUT_RANGE.1,
            ),
            (
                "audit_interval",
                self.audit_interval,
                second,
                AUDIT_INTERVAL_MAX,
            ),
            (
                "request_deadline",
                self.request_deadline,
                millisecond,
                REQUEST_DEADLINE_MAX,
            ),
            (
                "retry_pause",
                self.retry_pause,
                millisecond,
                self.retry_pause_max.clamp(millisecond, RETRY_PAUSE_MAX),
            ),
            (
                "retry_pause_max",
                self.retry_pause_max,
                millisecond,
                RETRY_PAUSE_MAX,
            ),
        ];
        let outside = ranges
            .into_iter()
            .filter(|(_, value, least, most)| value < least || value > most);
        outside
            .map(|(field, value, least, most)| {
                let remedy = format!("give {least:?} to {most:?}");
                ConfigFault::new(field, format!("{value:?}"), &remedy)
            })
            .collect()
    }

    /// The Service in the form `namespace/service`.
    pub fn place(&self) -> String {
        format!("{}/{}", self.namespace, self.service)
    }
}

/// Names of namespaces and Services are DNS labels: at most 63 of `a-z`, `0-9` and inner `-`.
fn label_fault(field: &'static str, value: &str) -> Option<ConfigFault> {
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fits = (1..=63).contains(&value.len())
        && value.bytes().all(letters)
        && !value.starts_with('-')
        && !value.ends_with('-');
    let remedy = "give 1 to 63 of a-z, 0-9 and inner '-'";
    (!fits).then(|| ConfigFault::new(field, value.escape_debug(), remedy))
}

/// Port names in slices are DNS labels too, or the empty name of a Service's only port.
fn port_name_fault(name: &str) -> Option<ConfigFault> {
    if name.is_empty() {
        None
    } else {
        label_fault("port", name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_pass_their_own_check() {
        assert_eq!(KubeFinderConfig::new("prod", "ring").check(), Ok(()));
    }

    #[test]
    fn every_fault_is_reported_at_once_with_field_value_and_remedy() {
        let mut config = KubeFinderConfig::new("Prod", "");
        config.port = PortChoice::Named("Ring!".to_owned());
        config.watch_timeout = Duration::from_mins(10);
        config.retry_pause = Duration::from_mins(1);
        let error = config.check().unwrap_err();
        let fields: Vec<_> = error.faults.iter().map(|fault| fault.field).collect();
        assert_eq!(
            fields,
            [
                "namespace",
                "service",
                "port",
                "watch_timeout",
                "retry_pause"
            ]
        );
        assert!(
            error
                .to_string()
                .contains("watch_timeout = '600s': give 1s to 290s"),
            "{error}"
        );
    }

    #[test]
    fn every_duration_has_an_upper_limit() {
        let mut config = KubeFinderConfig::new("prod", "ring");
        config.watch_timeout = Duration::MAX;
        config.audit_interval = Duration::MAX;
        config.request_deadline = Duration::MAX;
        config.retry_pause = Duration::MAX;
        config.retry_pause_max = Duration::MAX;
        let faults = config.check().unwrap_err().faults;
        let fields: Vec<_> = faults.iter().map(|fault| fault.field).collect();
        let expected = [
            "watch_timeout",
            "audit_interval",
            "request_deadline",
            "retry_pause",
            "retry_pause_max",
        ];
        assert_eq!(fields, expected);
        assert_eq!(faults[3].remedy, "give 1ms to 300s");
        assert_eq!(faults[4].remedy, "give 1ms to 300s");
    }

    #[test]
    fn a_policy_prints_as_the_name_it_is_parsed_from() {
        for (name, policy) in FamilyPolicy::NAMES {
            assert_eq!(name.parse(), Ok(policy));
            assert_eq!(policy.to_string(), name);
        }
        assert_eq!(
            "ipv4".parse::<FamilyPolicy>().unwrap_err().field,
            "families"
        );
    }

    #[test]
    fn a_port_outside_its_range_is_refused() {
        for text in ["0", "65536", "99999999999"] {
            assert_eq!(text.parse::<PortChoice>().unwrap_err().field, "port");
        }
    }
}
