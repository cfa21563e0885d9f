//! The DNS finder: asks round after round, each as soon as the last answer has expired, and feeds
//! its watch. Which questions make a round is `round.rs`'s.

use std::sync::Arc;
use std::time::Duration;

use discovery_core::finders::{SeedFeed, feed};
use discovery_core::{Finder, Provenance, SeedWatch};
use tokio::time::{Instant, sleep, timeout};

use super::config::DnsConfig;
use super::error::DnsError;
use super::name_servers::NameServers;
use super::round::{Ask, Place, round};
use super::seeds::{Listing, until_next};
use super::stats::{Counters, DnsStats};
use crate::config::ConfigError;

/// Finds the pods of a headless Service by asking DNS.
///
/// For clusters that grant no access to the Kubernetes API, and beside other finders. It is never
/// authoritative and cannot feed a census: DNS is cached, leaves unready pods out unless the
/// Service publishes them, and knows no pod uids.
///
/// What DNS says, and what a watch makes of it:
///
/// | answer | finding |
/// |---|---|
/// | records | *known*, until the smallest TTL has passed (clamped), then asked again |
/// | NODATA for A and AAAA | *known to be empty*: the Service exists and lists nobody |
/// | NXDOMAIN | *unknown*, `not_found`: a Service without endpoints may read like a typo |
/// | no SRV record, but addresses | *unknown*, `no_port` |
/// | addresses, but none that the policy accepts | *unknown*, `configuration` |
/// | SERVFAIL, REFUSED, silence, nonsense | *unknown*, each with its cause |
/// | one family answers, the other fails, under `both` | *unknown*: the set is not whole |
///
/// Whatever is unknown leaves the last good set in place.
///
/// ```
/// use discovery_core::{Finder, FinderCause, Finding};
/// use discovery_k8s::{DnsConfig, DnsFinder};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut config = DnsConfig::new("prod", "ring");
/// config.name_servers = vec!["127.0.0.1:53".parse()?];
/// let finder = DnsFinder::new(config)?;
/// assert!(!finder.authoritative());
///
/// // Inside a tokio runtime; `changed().await` returns whole sets from then on.
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let watch = finder.watch();
/// match watch.latest().finding {
///     Finding::Unknown(error) => assert_eq!(error.cause(), FinderCause::Starting),
///     Finding::Known(_) | Finding::KnownEmpty => unreachable!("nothing was asked yet"),
/// }
/// # });
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct DnsFinder {
    plan: Arc<Plan>,
    servers: Arc<NameServers>,
    counters: Arc<Counters>,
}

/// What a watch's task goes by.
#[derive(Clone, Debug)]
struct Plan {
    place: Place,
    config: DnsConfig,
}

impl DnsFinder {
    /// Checks the configuration and takes the name servers; asks nothing yet.
    ///
    /// Without configured name servers it reads `/etc/resolv.conf`, once: a small file, read
    /// without leaving the thread. Only the servers are taken from it, not its search list, nor
    /// its options.
    ///
    /// # Errors
    ///
    /// All faults of the configuration at once, or that the system's name servers cannot be read.
    pub fn new(config: DnsConfig) -> Result<Self, ConfigError> {
        let place = config.place()?;
        let counters = Arc::new(Counters::default());
        let servers = NameServers::new(&config, Arc::clone(&counters)).map_err(|fault| {
            let faults = vec![fault];
            ConfigError { faults }
        })?;
        Ok(Self {
            plan: Arc::new(Plan { place, config }),
            servers: Arc::new(servers),
            counters,
        })
    }

    /// What it has done so far, over all its watches.
    pub fn stats(&self) -> DnsStats {
        self.counters.snapshot(Instant::now())
    }
}

impl Finder for DnsFinder {
    fn provenance(&self) -> Provenance {
        Provenance::new(format!("dns {}", self.plan.place.asked()))
    }

    fn authoritative(&self) -> bool {
        false
    }

    /// Asks at once and then for as long as the watch is kept. Must be called in a tokio runtime
    /// with I/O and time.
    fn watch(&self) -> Box<dyn SeedWatch> {
        let (feed, watch) = feed(self.provenance(), self.authoritative());
        let (plan, servers) = (Arc::clone(&self.plan), Arc::clone(&self.servers));
        let counters = Arc::clone(&self.counters);
        let task = tokio::spawn(async move {
            keep_asking(&*servers, &plan, &feed, &counters).await;
        });
        Box::new(watch.driven_by(&task))
    }
}

/// Asks for ever; the watch that it feeds ends it.
async fn keep_asking(asker: &(impl Ask + Sync), plan: &Plan, feed: &SeedFeed, counters: &Counters) {
    let mut pauses = Pauses::new(&plan.config);
    loop {
        // An answer is as old as its question, so the age starts here.
        let asked_at = Instant::now();
        let pause = match one_round(asker, plan).await {
            Ok(listing) => {
                counters.on_confirmed(listing.seeds.len(), asked_at);
                let pause = pauses.after_success(listing.ttl);
                feed.known(listing.seeds, asked_at);
                pause
            }
            Err(error) => {
                counters.on_error(error.cause());
                let pause = pauses.after_failure(&error);
                feed.unknown(error.into());
                pause
            }
        };
        sleep(pause).await;
    }
}

async fn one_round(asker: &(impl Ask + Sync), plan: &Plan) -> Result<Listing, DnsError> {
    let limit = plan.config.deadline;
    let questions = round(asker, &plan.place, plan.config.families);
    match timeout(limit, questions).await {
        // The tries of one question share the round's deadline, so both mean the same.
        Err(_) | Ok(Err(DnsError::Timeout { .. })) => {
            let question = plan.place.asked();
            Err(DnsError::Timeout { question, limit })
        }
        Ok(listing) => listing,
    }
}

/// How long to wait for the next round.
struct Pauses<'a> {
    config: &'a DnsConfig,
    next: Duration,
}

impl<'a> Pauses<'a> {
    fn new(config: &'a DnsConfig) -> Self {
        let next = config.retry_pause;
        Self { config, next }
    }

    fn after_success(&mut self, ttl: Option<Duration>) -> Duration {
        self.next = self.config.retry_pause;
        until_next(ttl, self.config.ttl_min, self.config.ttl_max)
    }

    /// A name that does not exist is asked for again when the server says so, as servers keep
    /// that answer; every other failure waits twice as long as the one before.
    fn after_failure(&mut self, error: &DnsError) -> Duration {
        if let DnsError::NoSuchName { ttl: Some(ttl), .. } = error {
            return until_next(Some(*ttl), self.config.ttl_min, self.config.ttl_max);
        }
        let pause = self.next;
        self.next = pause.saturating_mul(2).min(self.config.retry_pause_max);
        pause
    }
}

#[cfg(test)]
#[path = "finder_tests.rs"]
mod tests;
