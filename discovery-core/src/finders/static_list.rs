//! A finder for a list of hosts that an operator wrote down; names are looked up again and again.
//! How an entry is written is in `entry.rs`, how a name is looked up in `resolve.rs`.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::entry::{SeedEntry, SeedListError, parse_list};
use super::feed::{SeedFeed, feed};
use super::resolve::Resolver;
use crate::finder::{Finder, Provenance, SeedWatch};

/// What a [`StaticFinder`] is made from; checked as a whole by [`StaticFinder::new`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticFinderConfig {
    /// The seeds: `host`, `host:port`, `host:port..port` (both ends included; `-` does as well),
    /// IPv6 addresses in brackets. At least one, at most
    /// [`SEED_ENTRIES_MAX`](super::SEED_ENTRIES_MAX). Default: none.
    pub seeds: Vec<String>,
    /// The port of entries that name none. Default: none, so that such an entry is a fault.
    pub default_port: Option<u16>,
    /// Time from the end of one look-up of all names to the start of the next; more than zero.
    /// Default: 30 s. Raising it makes a moved name noticed later.
    pub refresh: Duration,
    /// Longest wait for one name; more than zero. Default: 5 s.
    pub lookup_timeout: Duration,
}

impl Default for StaticFinderConfig {
    fn default() -> Self {
        Self {
            seeds: Vec::new(),
            default_port: None,
            refresh: Duration::from_secs(30),
            lookup_timeout: Duration::from_secs(5),
        }
    }
}

/// Why a [`StaticFinder`] cannot be made. Nothing was started; the same configuration fails again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StaticFinderError {
    /// The list of seeds has faults.
    #[error(transparent)]
    Seeds(#[from] SeedListError),
    /// A time that must be more than zero is zero.
    #[error("{field} is 0; give a time of more than zero")]
    Zero {
        /// The configuration field.
        field: &'static str,
    },
}

/// Finds the seeds of a list; not authoritative, since nobody knows whether the list is whole.
///
/// A name that cannot be looked up is a gap of the report; the other entries still count. When
/// nothing is left the report is *unknown*, never *empty*. Must be watched inside a tokio runtime.
///
/// ```
/// use discovery_core::finders::{StaticFinder, StaticFinderConfig};
/// use discovery_core::{Finder, SeedWatch};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let finder = StaticFinder::new(&StaticFinderConfig {
///     seeds: vec!["127.0.0.1:47500..47502".into(), "[::1]:47500".into()],
///     ..StaticFinderConfig::default()
/// })?;
/// let report = finder.watch().changed().await;
/// assert_eq!(report.seeds().len(), 4);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct StaticFinder {
    entries: Arc<[SeedEntry]>,
    refresh: Duration,
    resolver: Resolver,
}

impl StaticFinder {
    /// Checks the configuration; asks nobody yet.
    ///
    /// # Errors
    ///
    /// If the list is empty, has faults (all are told together) or is too long, or if a time is
    /// zero.
    pub fn new(config: &StaticFinderConfig) -> Result<Self, StaticFinderError> {
        let resolver = Resolver::system(config.lookup_timeout);
        Self::resolving_by(config, resolver)
    }

    fn resolving_by(
        config: &StaticFinderConfig,
        resolver: Resolver,
    ) -> Result<Self, StaticFinderError> {
        let times = [
            ("refresh", config.refresh),
            ("lookup_timeout", config.lookup_timeout),
        ];
        for (field, time) in times {
            if time.is_zero() {
                return Err(StaticFinderError::Zero { field });
            }
        }
        let texts = config.seeds.iter().map(|text| text.trim());
        Ok(Self {
            entries: parse_list(texts, config.default_port)?.into(),
            refresh: config.refresh,
            resolver,
        })
    }

    async fn run(self, feed: SeedFeed) {
        loop {
            let (seeds, gaps) = self.resolver.resolve(&self.entries).await;
            feed.known_in_part(seeds, gaps, Instant::now());
            sleep(self.refresh).await;
        }
    }
}

impl Finder for StaticFinder {
    fn provenance(&self) -> Provenance {
        Provenance::new("static list")
    }

    fn authoritative(&self) -> bool {
        false
    }

    fn watch(&self) -> Box<dyn SeedWatch> {
        let (feed, watch) = feed(self.provenance(), self.authoritative());
        let task = tokio::spawn(self.clone().run(feed));
        Box::new(watch.driven_by(&task))
    }
}

#[cfg(test)]
#[path = "static_list_tests.rs"]
mod tests;
