//! The name servers: sends one question over UDP, or TCP where the answer is long, tries the next
//! server where one does not answer, and follows aliases. What answers mean is `answer.rs`'s.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer};
use hickory_resolver::proto::op::{DnsRequestOptions, Query};
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig};
use tokio::time::timeout;

use super::answer::{ALIAS_HOPS_MAX, Answer, Question, Reading, alias_loop, read, read_failure};
use super::config::{DnsConfig, NAME_SERVERS_MAX};
use super::error::DnsError;
use super::round::Ask;
use super::stats::Counters;
use crate::config::ConfigFault;

/// The file that names the system's name servers.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// The name servers, in the order in which they are asked.
pub(super) struct NameServers {
    /// One pool for each, so that the order and every retry is decided here, not by statistics.
    servers: Vec<NameServerPool<TokioRuntimeProvider>>,
    attempts: u32,
    /// How long one attempt at one server may take.
    patience: Duration,
    counters: Arc<Counters>,
}

impl fmt::Debug for NameServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NameServers")
            .field("servers", &self.servers.len())
            .field("attempts", &self.attempts)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

impl NameServers {
    /// Takes the configured servers, else those of the system; sends nothing yet.
    pub(super) fn new(config: &DnsConfig, counters: Arc<Counters>) -> Result<Self, ConfigFault> {
        let servers = if config.name_servers.is_empty() {
            of_the_system()?
        } else {
            config.name_servers.iter().copied().map(at).collect()
        };
        let tries = config
            .attempts
            .saturating_mul(u32::try_from(servers.len()).unwrap_or(1));
        let patience = config.deadline / tries.max(1);
        let mut options = ResolverOpts::default();
        options.timeout = patience;
        let pools = servers.into_iter().map(|server| {
            let tls = TlsConfig::new().map_err(|error| unusable(&error))?;
            let context = Arc::new(PoolContext::new(options.clone(), tls));
            let provider = TokioRuntimeProvider::default();
            Ok(NameServerPool::from_config([server], context, provider))
        });
        Ok(Self {
            servers: pools.collect::<Result<_, ConfigFault>>()?,
            attempts: config.attempts,
            patience,
            counters,
        })
    }

    /// Asks the servers in turn until one answers, positively or negatively.
    async fn ask_in_turn(&self, question: &Question) -> Result<Reading, DnsError> {
        let mut last = DnsError::Timeout {
            question: question.to_string(),
            limit: self.patience,
        };
        for _ in 0..self.attempts {
            for server in &self.servers {
                match self.ask_server(server, question).await {
                    Ok(reading) => return Ok(reading),
                    // What one server says badly another may say well, but a loop or an answer
                    // too long is in the records themselves.
                    Err(error @ (DnsError::AliasLoop { .. } | DnsError::Truncated { .. })) => {
                        return Err(error);
                    }
                    Err(error) => last = error,
                }
            }
        }
        Err(last)
    }

    async fn ask_server(
        &self,
        server: &NameServerPool<TokioRuntimeProvider>,
        question: &Question,
    ) -> Result<Reading, DnsError> {
        self.counters.on_query();
        let mut options = DnsRequestOptions::default();
        options.use_edns = true;
        let query = Query::query(question.name.clone(), question.kind.record_type());
        let response = server.lookup(query, options).first_answer();
        match timeout(self.patience, response).await {
            Ok(Ok(response)) => read(question, &response),
            Ok(Err(error)) => read_failure(question, &error, self.patience).map(Reading::Answer),
            Err(_) => Err(DnsError::Timeout {
                question: question.to_string(),
                limit: self.patience,
            }),
        }
    }
}

impl Ask for NameServers {
    async fn ask(&self, question: Question) -> Result<Answer, DnsError> {
        let mut step = question.clone();
        let mut alias_ttl = Duration::MAX;
        for _ in 0..=ALIAS_HOPS_MAX {
            match self.ask_in_turn(&step).await? {
                Reading::Answer(answer) => return Ok(answer.within(alias_ttl)),
                Reading::Alias { to, ttl } => {
                    step.name = to;
                    alias_ttl = alias_ttl.min(ttl);
                }
            }
        }
        Err(alias_loop(&question))
    }
}

fn of_the_system() -> Result<Vec<NameServerConfig>, ConfigFault> {
    let (config, _) = read_system_conf().map_err(|error| unusable(&error))?;
    let (_, _, mut servers) = config.into_parts();
    servers.truncate(NAME_SERVERS_MAX);
    Ok(servers)
}

fn unusable(error: &NetError) -> ConfigFault {
    let value = format!("{RESOLV_CONF}: {error}");
    ConfigFault::new(
        "name_servers",
        value,
        "mend the file, or give the name servers",
    )
}

fn at(server: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    NameServerConfig::new(server.ip(), true, connections.into())
}
