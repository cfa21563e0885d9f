//! What to ask DNS for and within which limits; checked once, as a whole.
//! Reading `/etc/resolv.conf` is left to `name_servers.rs`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::proto::rr::Name;

use super::round::Place;
use crate::config::{ConfigError, ConfigFault, FamilyPolicy, PortChoice};

/// The domain that clusters use unless told otherwise.
pub const CLUSTER_DOMAIN: &str = "cluster.local";

/// Most name servers: as many as the system's own resolver uses.
pub const NAME_SERVERS_MAX: usize = 3;

/// Longest deadline of one round of questions.
pub const DNS_DEADLINE_MAX: Duration = Duration::from_mins(1);

/// Longest pause between two rounds, whatever a record's TTL.
pub const DNS_PAUSE_MAX: Duration = Duration::from_hours(1);

/// Most attempts at each name server in one question.
pub const DNS_ATTEMPTS_MAX: u32 = 10;

const DEADLINE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MIN: Duration = Duration::from_millis(10);

/// What to ask DNS for and within which limits.
///
/// ```
/// use discovery_k8s::{DnsConfig, PortChoice};
///
/// let mut config = DnsConfig::new("prod", "ring");
/// assert_eq!(config.name, "ring.prod.svc.cluster.local");
/// assert!(config.check().is_ok());
///
/// config.name = "ring".to_owned();
/// config.port = PortChoice::Number(0);
/// let faults = config.check().unwrap_err().faults;
/// assert_eq!(faults.len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DnsConfig {
    /// The headless Service's full name, such as `ring.prod.svc.cluster.local`. Search lists are
    /// never applied, so nothing but this very name is asked for.
    pub name: String,
    /// Which records to ask for. Default: the port named `ring`.
    ///
    /// A named port asks for the SRV records `_<port>._tcp.<name>`: they carry the port and, for
    /// pods of a `StatefulSet`, the node name, and they pair a pod's two addresses. A number asks
    /// for A and AAAA records: every address is a seed of its own, so a pod of two families
    /// appears twice under `both`.
    pub port: PortChoice,
    /// Which address families to use. Default: both.
    ///
    /// Under `both`, A and AAAA must both be answered, since a set with one family missing is not
    /// whole. The others ask for the second family only where the first has no records.
    pub families: FamilyPolicy,
    /// The name servers to ask, in this order. Default: none, which means those of
    /// `/etc/resolv.conf` when the finder is made; at most [`NAME_SERVERS_MAX`].
    pub name_servers: Vec<SocketAddr>,
    /// How long one round may take, with all its questions and retries. Default: 5 s. Must be
    /// longer than the DNS server needs upstream to say that it failed.
    pub deadline: Duration,
    /// How often each name server is asked before a question counts as unanswered. Default: 2.
    /// Each of them gets an equal share of the deadline.
    pub attempts: u32,
    /// Shortest time between two rounds, even if a TTL is shorter. Default: 1 s. Each round is at
    /// least one question to the cluster's DNS, by every node that watches.
    pub ttl_min: Duration,
    /// Longest time between two rounds, even if a TTL is longer. Default: 30 s.
    pub ttl_max: Duration,
    /// Pause after the first round that failed; doubles up to `retry_pause_max`. Default: 1 s.
    pub retry_pause: Duration,
    /// Longest pause after a round that failed. Default: 30 s.
    pub retry_pause_max: Duration,
}

impl DnsConfig {
    /// The defaults, for this Service of this namespace in the domain `cluster.local`.
    pub fn new(namespace: &str, service: &str) -> Self {
        Self::named(format!("{service}.{namespace}.svc.{CLUSTER_DOMAIN}"))
    }

    /// The defaults, for this full name.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            port: PortChoice::Named("ring".to_owned()),
            families: FamilyPolicy::default(),
            name_servers: Vec::new(),
            deadline: Duration::from_secs(5),
            attempts: 2,
            ttl_min: Duration::from_secs(1),
            ttl_max: Duration::from_secs(30),
            retry_pause: Duration::from_secs(1),
            retry_pause_max: Duration::from_secs(30),
        }
    }

    /// Checks every option and how they fit together.
    ///
    /// # Errors
    ///
    /// All faults at once; see [`ConfigError`].
    pub fn check(&self) -> Result<(), ConfigError> {
        self.place().map(drop)
    }

    /// The checked form of what to ask for.
    pub(super) fn place(&self) -> Result<Place, ConfigError> {
        let mut faults = Vec::new();
        let name = full_name(&self.name)
            .map_err(|fault| faults.push(fault))
            .ok();
        faults.extend(port_fault(&self.port));
        faults.extend(self.name_server_faults());
        faults.extend(self.limit_faults());
        let place = match name {
            Some(name) if faults.is_empty() => place_of(name, &self.port)
                .map_err(|fault| faults.push(fault))
                .ok(),
            Some(_) | None => None,
        };
        place.ok_or(ConfigError { faults })
    }

    fn name_server_faults(&self) -> Vec<ConfigFault> {
        let unusable = |server: &&SocketAddr| {
            server.port() == 0 || server.ip().is_unspecified() || server.ip().is_multicast()
        };
        let remedy = "give the address and port of one DNS server, such as 10.96.0.10:53";
        let mut faults: Vec<ConfigFault> = self
            .name_servers
            .iter()
            .filter(unusable)
            .map(|server| ConfigFault::new("name_servers", server, remedy))
            .collect();
        let count = self.name_servers.len();
        if count > NAME_SERVERS_MAX {
            let remedy = format!("give at most {NAME_SERVERS_MAX}");
            faults.push(ConfigFault::new("name_servers", count, &remedy));
        }
        faults
    }

    fn limit_faults(&self) -> Vec<ConfigFault> {
        let ranges = [
            ("deadline", self.deadline, DEADLINE_MIN, DNS_DEADLINE_MAX),
            ("ttl_min", self.ttl_min, PAUSE_MIN, self.ttl_max),
            ("ttl_max", self.ttl_max, PAUSE_MIN, DNS_PAUSE_MAX),
            (
                "retry_pause",
                self.retry_pause,
                PAUSE_MIN,
                self.retry_pause_max,
            ),
            (
                "retry_pause_max",
                self.retry_pause_max,
                PAUSE_MIN,
                DNS_PAUSE_MAX,
            ),
        ];
        let outside = ranges
            .into_iter()
            .filter(|(_, value, least, most)| value < least || value > most);
        let mut faults: Vec<ConfigFault> = outside
            .map(|(field, value, least, most)| {
                let remedy = format!("give {least:?} to {most:?}");
                ConfigFault::new(field, format!("{value:?}"), &remedy)
            })
            .collect();
        if !(1..=DNS_ATTEMPTS_MAX).contains(&self.attempts) {
            let remedy = format!("give 1 to {DNS_ATTEMPTS_MAX}");
            faults.push(ConfigFault::new("attempts", self.attempts, &remedy));
        }
        faults
    }
}

/// A name of several labels, taken as full whether or not it ends with a dot.
fn full_name(text: &str) -> Result<Name, ConfigFault> {
    let fault = |remedy| ConfigFault::new("name", text.escape_debug(), remedy);
    let bare = text.strip_suffix('.').unwrap_or(text);
    if bare.parse::<IpAddr>().is_ok() {
        return Err(fault(
            "an address needs no DNS; give it to the static finder",
        ));
    }
    if !bare.contains('.') || !bare.split('.').all(is_label) {
        let remedy = "give the full name of the Service, such as ring.prod.svc.cluster.local";
        return Err(fault(remedy));
    }
    Name::from_ascii(format!("{bare}.")).map_err(|_| fault("give at most 253 bytes"))
}

fn port_fault(port: &PortChoice) -> Option<ConfigFault> {
    let (value, remedy) = match port {
        PortChoice::Named(name) if is_label(name) => return None,
        PortChoice::Number(1..) => return None,
        PortChoice::Named(name) => (
            name.escape_debug().to_string(),
            "name a port of the Service: a port without a name has no SRV record, so give its number",
        ),
        PortChoice::Number(0) => ("0".to_owned(), "give a number from 1 to 65535"),
    };
    Some(ConfigFault::new("port", value, remedy))
}

fn place_of(name: Name, port: &PortChoice) -> Result<Place, ConfigFault> {
    match port {
        PortChoice::Number(port) => Ok(Place::Addresses { name, port: *port }),
        PortChoice::Named(port) => {
            let service = Name::from_ascii(format!("_{port}._tcp"))
                .and_then(|records| records.append_domain(&name))
                .map_err(|_| {
                    let remedy = "shorten it or the port's name: together they exceed 253 bytes";
                    ConfigFault::new("name", &name, remedy)
                })?;
            Ok(Place::Services { service, name })
        }
    }
}

/// 1 to 63 of `a-z`, `A-Z`, `0-9` and inner `-`.
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(change: impl FnOnce(&mut DnsConfig)) -> Vec<ConfigFault> {
        let mut config = DnsConfig::new("prod", "ring");
        change(&mut config);
        config
            .check()
            .map_or_else(|error| error.faults, |()| Vec::new())
    }

    fn fields(change: impl FnOnce(&mut DnsConfig)) -> Vec<&'static str> {
        faults(change).iter().map(|fault| fault.field).collect()
    }

    #[test]
    fn the_defaults_pass_their_own_check() {
        assert_eq!(faults(|_| ()), []);
    }

    #[test]
    fn a_named_port_asks_for_srv_records_and_a_number_for_addresses() {
        let mut config = DnsConfig::new("prod", "ring");
        let asked = |config: &DnsConfig| config.place().unwrap().asked();
        assert_eq!(asked(&config), "_ring._tcp.ring.prod.svc.cluster.local");
        config.port = PortChoice::Number(47500);
        assert_eq!(asked(&config), "ring.prod.svc.cluster.local");
    }

    #[test]
    fn a_final_dot_changes_nothing() {
        let place = |name| DnsConfig::named(name).place();
        assert_eq!(
            place("ring.prod.svc.example.org."),
            place("ring.prod.svc.example.org")
        );
    }

    #[test]
    fn a_name_that_is_not_a_full_name_is_refused() {
        let long = format!("{}.org", "a.".repeat(200));
        for name in [
            "",
            ".",
            "ring",
            "a..b",
            "ring.prod svc",
            "-a.b",
            "10.0.0.1",
            "fd00::1",
            &long,
        ] {
            assert_eq!(
                fields(|config| name.clone_into(&mut config.name)),
                ["name"],
                "{name}"
            );
        }
    }

    #[test]
    fn a_name_too_long_with_its_port_is_refused() {
        let name = format!("{}ab.org", "a2345678.".repeat(27));
        assert_eq!(fields(|config| config.name = name), ["name"]);
    }

    #[test]
    fn every_fault_is_reported_at_once_with_field_value_and_remedy() {
        let found = faults(|config| {
            config.name = "ring".to_owned();
            config.port = PortChoice::Named(String::new());
            config.name_servers = vec!["0.0.0.0:53".parse().unwrap(); 4];
            config.deadline = Duration::ZERO;
            config.ttl_min = Duration::from_secs(31);
            config.attempts = 0;
        });
        let fields: Vec<_> = found.iter().map(|fault| fault.field).collect();
        let mut expected = vec!["name", "port"];
        expected.extend(["name_servers"; 5]);
        expected.extend(["deadline", "ttl_min", "attempts"]);
        assert_eq!(fields, expected);
        let text = ConfigError { faults: found }.to_string();
        assert!(text.contains("ttl_min = '31s': give 10ms to 30s"), "{text}");
    }
}
