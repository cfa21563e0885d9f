//! One answer of a name server, read and checked: records, no data, or no such name.
//! Pure; sending the question is `name_servers.rs`'s, what the answers mean together `seeds.rs`'s.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use hickory_resolver::net::{DnsError as HickoryDnsError, NetError, NoRecords};
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use super::error::DnsError;

/// Most aliases (CNAME) in a row that are followed.
pub(super) const ALIAS_HOPS_MAX: usize = 8;

/// The record types that the finder asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    A,
    Aaaa,
    Srv,
}

impl Kind {
    pub(super) fn record_type(self) -> RecordType {
        match self {
            Self::A => RecordType::A,
            Self::Aaaa => RecordType::AAAA,
            Self::Srv => RecordType::SRV,
        }
    }
}

/// What is asked of a name server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Question {
    pub(super) kind: Kind,
    pub(super) name: Name,
}

impl Question {
    pub(super) fn new(kind: Kind, name: &Name) -> Self {
        let name = name.clone();
        Self { kind, name }
    }

    fn malformed(&self, reason: impl fmt::Display) -> DnsError {
        DnsError::Malformed {
            question: self.to_string(),
            reason: reason.to_string(),
        }
    }

    fn failed(&self, code: ResponseCode) -> DnsError {
        let question = self.to_string();
        if code == ResponseCode::Refused {
            return DnsError::Refused { question };
        }
        let code = code.to_str().to_ascii_lowercase();
        DnsError::ServerFailed { question, code }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {}",
            self.kind.record_type(),
            printable(&self.name)
        )
    }
}

/// A name as people write it: without the final dot, odd bytes escaped.
pub(super) fn printable(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_owned()
}

/// The data of one record that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Address(IpAddr),
    Service { target: Name, port: u16 },
}

/// An address that came along unasked, which may be that of an SRV record's target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glue {
    pub(super) name: Name,
    pub(super) address: IpAddr,
    pub(super) ttl: Duration,
}

/// What a name server said to one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// At least one record; `ttl` is the smallest of theirs and of the aliases that led to them.
    Found {
        items: Vec<Item>,
        glue: Vec<Glue>,
        ttl: Duration,
    },
    /// The name exists, but not with such records (NODATA).
    NoData { ttl: Option<Duration> },
    /// The name does not exist (NXDOMAIN).
    NoName { ttl: Option<Duration> },
}

impl Answer {
    /// How long it holds, if the server says so.
    pub(super) fn ttl(&self) -> Option<Duration> {
        match self {
            Self::Found { ttl, .. } => Some(*ttl),
            Self::NoData { ttl } | Self::NoName { ttl } => *ttl,
        }
    }

    pub(super) fn items(&self) -> &[Item] {
        match self {
            Self::Found { items, .. } => items,
            Self::NoData { .. } | Self::NoName { .. } => &[],
        }
    }

    /// The same answer, holding no longer than an alias that led to it.
    pub(super) fn within(self, alias_ttl: Duration) -> Self {
        let shorter = |ttl: Option<Duration>| ttl.map(|ttl| ttl.min(alias_ttl));
        match self {
            Self::Found { items, glue, ttl } => {
                let ttl = ttl.min(alias_ttl);
                Self::Found { items, glue, ttl }
            }
            Self::NoData { ttl } => Self::NoData { ttl: shorter(ttl) },
            Self::NoName { ttl } => Self::NoName { ttl: shorter(ttl) },
        }
    }
}

/// A response as far as it goes: an answer, or an alias whose records must be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Answer(Answer),
    Alias { to: Name, ttl: Duration },
}

/// Reads a response. Records of names that nobody asked for are not looked at, except as glue.
pub(super) fn read(question: &Question, message: &Message) -> Result<Reading, DnsError> {
    let code = message.metadata.response_code;
    if !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
        return Err(question.failed(code));
    }
    let chain = follow_aliases(question, &message.answers)?;
    let wanted = message.answers.iter().filter(|record| {
        record.name == chain.end && record.record_type() == question.kind.record_type()
    });
    let mut items = Vec::new();
    let mut ttl = chain.ttl;
    for record in wanted {
        items.push(item(question, &record.data)?);
        ttl = ttl.min(seconds(record.ttl));
    }
    if !items.is_empty() {
        let glue = message.additionals.iter().filter_map(glue).collect();
        return Ok(Reading::Answer(Answer::Found { items, glue, ttl }));
    }
    let soa_ttl = negative_ttl(&message.authorities).map(|soa| soa.min(chain.ttl));
    if code == ResponseCode::NXDomain {
        return Ok(Reading::Answer(Answer::NoName { ttl: soa_ttl }));
    }
    if chain.end != question.name && soa_ttl.is_none() {
        let (to, ttl) = (chain.end, chain.ttl);
        return Ok(Reading::Alias { to, ttl });
    }
    Ok(Reading::Answer(Answer::NoData { ttl: soa_ttl }))
}

/// Reads what the DNS library reports as an error: negative answers among them.
pub(super) fn read_failure(
    question: &Question,
    error: &NetError,
    limit: Duration,
) -> Result<Answer, DnsError> {
    let text = question.to_string();
    Err(match error {
        NetError::Dns(HickoryDnsError::NoRecordsFound(none)) => {
            return read_negative(question, none);
        }
        NetError::Dns(HickoryDnsError::ResponseCode(code)) => question.failed(*code),
        NetError::Timeout => DnsError::Timeout {
            question: text,
            limit,
        },
        NetError::Truncated => DnsError::Truncated { question: text },
        NetError::Io(_) | NetError::NoConnections | NetError::Busy => DnsError::Unreachable {
            question: text,
            reason: error.to_string(),
        },
        other => question.malformed(other),
    })
}

fn read_negative(question: &Question, none: &NoRecords) -> Result<Answer, DnsError> {
    let ttl = none.negative_ttl.map(seconds);
    match none.response_code {
        ResponseCode::NXDomain => Ok(Answer::NoName { ttl }),
        ResponseCode::NoError if none.soa.is_none() && none.ns.is_some() => {
            let question = question.to_string();
            Err(DnsError::Referral { question })
        }
        ResponseCode::NoError => Ok(Answer::NoData { ttl }),
        code => Err(question.failed(code)),
    }
}

/// Where the aliases of a response lead, and how long the shortest of them holds.
struct Chain {
    end: Name,
    ttl: Duration,
}

fn follow_aliases(question: &Question, answers: &[Record]) -> Result<Chain, DnsError> {
    let mut chain = Chain {
        end: question.name.clone(),
        ttl: Duration::MAX,
    };
    for _ in 0..=ALIAS_HOPS_MAX {
        let alias = answers.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if record.name == chain.end => Some((&target.0, record.ttl)),
            _ => None,
        });
        let Some((target, ttl)) = alias else {
            return Ok(chain);
        };
        chain.end = target.clone();
        chain.ttl = chain.ttl.min(seconds(ttl));
    }
    Err(alias_loop(question))
}

pub(super) fn alias_loop(question: &Question) -> DnsError {
    DnsError::AliasLoop {
        question: question.to_string(),
        hops_max: ALIAS_HOPS_MAX,
    }
}

fn item(question: &Question, data: &RData) -> Result<Item, DnsError> {
    match data {
        RData::SRV(srv) if srv.port == 0 => Err(question.malformed("an SRV record has port 0")),
        RData::SRV(srv) if srv.target.is_root() => {
            Err(question.malformed("an SRV record names no target ('.')"))
        }
        RData::SRV(srv) => Ok(Item::Service {
            target: srv.target.clone(),
            port: srv.port,
        }),
        data => match address(data) {
            Some(address) => Ok(Item::Address(address)),
            None => Err(question.malformed(format!("{data} is not the address of a process"))),
        },
    }
}

fn glue(record: &Record) -> Option<Glue> {
    address(&record.data).map(|address| Glue {
        name: record.name.clone(),
        address,
        ttl: seconds(record.ttl),
    })
}

/// The address of one process; 0.0.0.0, `::`, broadcast and multicast are none.
fn address(data: &RData) -> Option<IpAddr> {
    let address = match data {
        RData::A(a) => IpAddr::V4(a.0),
        RData::AAAA(aaaa) => IpAddr::V6(aaaa.0),
        _ => return None,
    };
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    (!address.is_unspecified() && !address.is_multicast() && !broadcast).then_some(address)
}

/// RFC 2308: the smaller of the SOA record's own TTL and its `minimum`.
fn negative_ttl(authorities: &[Record]) -> Option<Duration> {
    authorities.iter().find_map(|record| match &record.data {
        RData::SOA(soa) => Some(seconds(record.ttl.min(soa.minimum))),
        _ => None,
    })
}

fn seconds(ttl: u32) -> Duration {
    Duration::from_secs(u64::from(ttl))
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
