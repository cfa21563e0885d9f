//! The finder that asks DNS for a headless Service, for clusters that grant no access to the API.
//! It is a hint and never authoritative: DNS lags, forgets unready pods and knows no pod uids.

mod answer;
mod config;
mod error;
mod finder;
mod name_servers;
mod round;
mod seeds;
mod stats;

pub use config::{
    CLUSTER_DOMAIN, DNS_ATTEMPTS_MAX, DNS_DEADLINE_MAX, DNS_PAUSE_MAX, DnsConfig, NAME_SERVERS_MAX,
};
pub use error::DnsError;
pub use finder::DnsFinder;
pub use stats::DnsStats;
