//! What an operator writes to name seeds: `host`, `host:port`, `host:port..port`, IPv6 in brackets.
//! Text in, entries or faults out; looking names up is in `resolve.rs`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::seed::SEEDS_MAX;

/// Most ports that one entry spans.
pub const PORT_RANGE_MAX: u16 = 256;

/// Most entries that one list holds.
pub const SEED_ENTRIES_MAX: usize = 1024;

/// Where one entry points: an address as it is, or a name to look up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Host {
    Address(IpAddr),
    Name(String),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// One entry of a seed list: a host and one port or a range of ports on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SeedEntry {
    pub(super) host: Host,
    /// First and last port; both belong to the entry.
    pub(super) ports: (u16, u16),
}

impl SeedEntry {
    pub(super) fn port_count(&self) -> usize {
        usize::from(self.ports.1 - self.ports.0) + 1
    }
}

/// Why an entry of a seed list cannot be used. Nothing was changed; the same text fails again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SeedEntryError {
    /// It has no port, and no default port was given.
    #[error("seed '{entry}' has no port; write '{entry}:47500' or set a default port")]
    NoPort {
        /// The entry as written.
        entry: String,
    },
    /// What stands for its port is not a number from 1 to 65535.
    #[error("seed '{entry}': '{port}' is not a port; give a number from 1 to 65535")]
    Port {
        /// The entry as written.
        entry: String,
        /// What stands where the port should.
        port: String,
    },
    /// Its port range ends before it starts.
    #[error("seed '{entry}': port range {first}..{last} is empty; write it as {last}..{first}")]
    RangeReversed {
        /// The entry as written.
        entry: String,
        /// The first port as written.
        first: u16,
        /// The last port as written.
        last: u16,
    },
    /// Its port range is longer than the limit.
    #[error("seed '{entry}' spans {ports} ports; the limit is {PORT_RANGE_MAX}")]
    RangeTooLong {
        /// The entry as written.
        entry: String,
        /// How many ports it spans.
        ports: usize,
    },
    /// It is an IPv6 address without brackets, so that its port cannot be told from it.
    #[error("seed '{entry}' is an IPv6 address without brackets; write '[{entry}]', then ':port'")]
    Brackets {
        /// The entry as written.
        entry: String,
    },
    /// Its host is neither an IP address nor a host name.
    #[error(
        "seed '{entry}': '{host}' is neither an IP address nor a host name; \
         write host, host:port or host:port..port"
    )]
    Host {
        /// The entry as written.
        entry: String,
        /// What stands where the host should.
        host: String,
    },
}

/// Why a list of seeds cannot be used: every fault of every entry at once. Nothing was changed; the
/// same list fails again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SeedListError {
    /// It names nobody.
    #[error("the list of seeds is empty; give at least one host:port")]
    Empty,
    /// It has more entries than the limit.
    #[error("{entries} seed entries; the limit is {SEED_ENTRIES_MAX}")]
    TooManyEntries {
        /// How many it has.
        entries: usize,
    },
    /// Its entries span more seeds than the limit.
    #[error("the seed entries span {seeds} ports in all; the limit is {SEEDS_MAX}")]
    TooManySeeds {
        /// How many they span.
        seeds: usize,
    },
    /// Some entries cannot be used.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Entries(Vec<SeedEntryError>),
}

/// Reads a whole list; entries written twice are kept once.
pub(super) fn parse_list<'a>(
    texts: impl IntoIterator<Item = &'a str>,
    default_port: Option<u16>,
) -> Result<Vec<SeedEntry>, SeedListError> {
    let mut entries = Vec::new();
    let mut faults = Vec::new();
    let mut read = 0;
    for text in texts {
        read += 1;
        // Beyond the limit entries are counted, not kept.
        if read <= SEED_ENTRIES_MAX {
            match parse_entry(text, default_port) {
                Ok(entry) => entries.push(entry),
                Err(fault) => faults.push(fault),
            }
        }
    }
    if read > SEED_ENTRIES_MAX {
        return Err(SeedListError::TooManyEntries { entries: read });
    }
    if !faults.is_empty() {
        return Err(SeedListError::Entries(faults));
    }
    if entries.is_empty() {
        return Err(SeedListError::Empty);
    }
    let seeds = entries.iter().map(SeedEntry::port_count).sum();
    if seeds > SEEDS_MAX {
        return Err(SeedListError::TooManySeeds { seeds });
    }
    entries.sort_unstable();
    entries.dedup();
    Ok(entries)
}

fn parse_entry(text: &str, default_port: Option<u16>) -> Result<SeedEntry, SeedEntryError> {
    let entry = || printable(text);
    let (host, ports) = split(text)?;
    let host = parse_host(host).ok_or_else(|| SeedEntryError::Host {
        entry: entry(),
        host: printable(host),
    })?;
    let ports = match (ports, default_port) {
        (Some(ports), _) => parse_ports(text, ports)?,
        (None, Some(port)) => (port, port),
        (None, None) => return Err(SeedEntryError::NoPort { entry: entry() }),
    };
    Ok(SeedEntry { host, ports })
}

/// Splits the host from what stands for its ports.
fn split(text: &str) -> Result<(&str, Option<&str>), SeedEntryError> {
    let entry = || printable(text);
    if let Some(rest) = text.strip_prefix('[') {
        let wrong = || SeedEntryError::Host {
            entry: entry(),
            host: entry(),
        };
        let (host, after) = rest.split_once(']').ok_or_else(wrong)?;
        host.parse::<Ipv6Addr>().map_err(|_| wrong())?;
        return match after.strip_prefix(':') {
            Some(ports) => Ok((host, Some(ports))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(wrong()),
        };
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(SeedEntryError::Brackets { entry: entry() });
    }
    match text.split_once(':') {
        Some((host, ports)) => Ok((host, Some(ports))),
        None => Ok((text, None)),
    }
}

fn parse_host(host: &str) -> Option<Host> {
    if let Ok(address) = IpAddr::from_str(host) {
        return Some(Host::Address(address));
    }
    let labels = host.strip_suffix('.').unwrap_or(host);
    let well_formed = (1..=253).contains(&labels.len())
        && labels.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        });
    // `10.0.0.256` would be looked up as a name, which is never what was meant.
    let like_ipv4 = labels
        .rsplit('.')
        .next()
        .is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()))
        && labels.parse::<Ipv4Addr>().is_err();
    (well_formed && !like_ipv4).then(|| Host::Name(host.to_ascii_lowercase()))
}

fn parse_ports(text: &str, ports: &str) -> Result<(u16, u16), SeedEntryError> {
    let port = |port: &str| match port.parse::<u16>() {
        Ok(number) if number > 0 && port.bytes().all(|byte| byte.is_ascii_digit()) => Ok(number),
        Ok(_) | Err(_) => Err(SeedEntryError::Port {
            entry: printable(text),
            port: printable(port),
        }),
    };
    let Some((first, last)) = ports.split_once("..").or_else(|| ports.split_once('-')) else {
        return port(ports).map(|number| (number, number));
    };
    let (first, last) = (port(first)?, port(last)?);
    if first > last {
        let entry = printable(text);
        return Err(SeedEntryError::RangeReversed { entry, first, last });
    }
    if last - first >= PORT_RANGE_MAX {
        return Err(SeedEntryError::RangeTooLong {
            entry: printable(text),
            ports: usize::from(last - first) + 1,
        });
    }
    Ok((first, last))
}

/// A piece of an operator's text that is safe to print and not too long.
fn printable(text: &str) -> String {
    text.escape_debug().take(300).collect()
}

#[cfg(test)]
#[path = "entry_tests.rs"]
mod tests;
