//! The Kubernetes finder: watches, censuses and pod facts behind the one trait of all finders.

use std::sync::{Arc, Mutex};

use discovery_core::finders::feed;
use discovery_core::{
    BoxFuture, Census, Finder, FinderCause, FinderError, PodFact, PodRef, Provenance, SeedWatch,
};
use tokio::time::Instant;

use crate::access::{ApiAccess, ApiClient};
use crate::access_report::{AccessReport, review};
use crate::config::{ConfigError, KubeFinderConfig};
use crate::error::ApiError;
use crate::listing::list_slices;
use crate::memory::read_fact;
use crate::pods::PodMemory;
use crate::rbac::Rule;
use crate::service::{ServiceFacts, read_service};
use crate::source::Source;
use crate::stats::{Counters, KubeFinderStats};
use crate::watch::run;

/// Finds the processes behind a Service through its EndpointSlices.
///
/// Authoritative: under the assumptions K1 and K2 every living process is in its census.
///
/// ```no_run
/// use discovery_core::Finder;
/// use discovery_k8s::{ApiAccess, KubeFinder, KubeFinderConfig};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let config = KubeFinderConfig::new("prod", "ring");
/// let finder = KubeFinder::new(config, ApiAccess::detect())?;
/// let mut watch = finder.watch();
/// loop {
///     let report = watch.changed().await;
///     println!("{}: {} seeds", report.finding.state(), report.seeds().len());
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct KubeFinder {
    source: Source,
    /// The client of censuses, pod facts and reports; watches have their own.
    client: tokio::sync::Mutex<Option<ApiClient>>,
}

impl KubeFinder {
    /// A finder of this configuration; it sends nothing before it is used.
    ///
    /// # Errors
    ///
    /// All faults of the configuration at once. Credentials are read when they are needed, since
    /// they may be mounted late; trouble with them is a report, not an error here.
    pub fn new(config: KubeFinderConfig, access: ApiAccess) -> Result<Self, ConfigError> {
        config.check()?;
        let source = Source {
            config: Arc::new(config),
            access: Arc::new(access),
            counters: Arc::new(Counters::default()),
            memory: Arc::new(Mutex::new(PodMemory::default())),
        };
        Ok(Self {
            source,
            client: tokio::sync::Mutex::new(None),
        })
    }

    /// The configuration as checked.
    pub fn config(&self) -> &KubeFinderConfig {
        &self.source.config
    }

    /// Counters and timings so far.
    pub fn stats(&self) -> KubeFinderStats {
        self.source.counters.snapshot(Instant::now())
    }

    /// Asks the API server which of the permissions this finder has.
    ///
    /// # Errors
    ///
    /// Whatever kept the server from answering; every account may ask about itself. A retry is
    /// harmless.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the requests and changes nothing.
    pub async fn access_report(&self) -> Result<AccessReport, ApiError> {
        let client = self.client().await?;
        let report = review(&self.source, &client).await;
        self.noted(report).await
    }

    /// Reads the Service: whether it exists, and whether it is set up as a cluster needs it.
    ///
    /// # Errors
    ///
    /// Whatever kept the server from answering, [`ApiError::NotFound`] if there is no such Service.
    /// A retry is harmless.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the request and changes nothing.
    pub async fn service(&self) -> Result<ServiceFacts, ApiError> {
        let client = self.client().await?;
        let facts = read_service(&self.source, &client).await;
        self.noted(facts).await
    }

    async fn client(&self) -> Result<ApiClient, ApiError> {
        let mut kept = self.client.lock().await;
        if let Some(client) = &*kept {
            return Ok(client.clone());
        }
        let call = self.source.slices_call(Rule::ListEndpointSlices);
        let client = self.source.access.client(&call, &self.source.counters);
        let client = client
            .await
            .inspect_err(|error| self.source.counters.error(error.cause()))?;
        Ok(kept.insert(client).clone())
    }

    /// Counts a failure, and drops the client if its credentials are what failed.
    async fn noted<T>(&self, result: Result<T, ApiError>) -> Result<T, ApiError> {
        if let Err(error) = &result {
            self.source.counters.error(error.cause());
            // Where there was none, its credentials could not be read: nothing is built anew.
            if error.needs_new_client() && self.client.lock().await.take().is_some() {
                self.source.counters.client_rebuild();
            }
        }
        result
    }

    async fn list_census(&self) -> Result<Census, ApiError> {
        let client = self.client().await?;
        let call = self.source.slices_call(Rule::ListEndpointSlices);
        let (api, labels) = (self.source.slices(&client), self.source.labels());
        let (slices, version) = self.noted(list_slices(&api, &labels, &call).await).await?;
        if slices.is_empty() {
            // An empty census of a Service that does not exist would be a census of nobody.
            self.noted(crate::service::service_exists(&self.source, &client).await)
                .await?;
        }
        let entries = slices.census_entries(&self.source.config.port);
        let entries = self
            .noted(entries.map_err(|error| call.bad_slices(error)))
            .await?;
        self.source.counters.census();
        Ok(Census::new(entries, version, self.provenance()))
    }

    /// Runs a request again, once, if the credentials it used were refused: they may have been
    /// rotated since they were read.
    async fn with_fresh_credentials<T, F>(&self, request: impl Fn() -> F) -> Result<T, FinderError>
    where
        F: Future<Output = Result<T, ApiError>>,
    {
        let result = match request().await {
            Err(error) if error.is_about_credentials() => request().await,
            result => result,
        };
        result.map_err(|error| error.into_finder_error(&self.source.config))
    }
}

impl Finder for KubeFinder {
    fn provenance(&self) -> Provenance {
        Provenance::new(format!("kubernetes {}", self.source.config.place()))
    }

    fn authoritative(&self) -> bool {
        true
    }

    /// Must be called inside a tokio runtime; outside one the watch says *unknown* for ever.
    fn watch(&self) -> Box<dyn SeedWatch> {
        let (feed, watch) = feed(self.provenance(), self.authoritative());
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            feed.unknown(FinderError::new(
                FinderCause::Configuration,
                "watch() was called outside a tokio runtime; call it inside one",
            ));
            return Box::new(watch);
        };
        let task = runtime.spawn(run(self.source.clone(), feed));
        Box::new(watch.driven_by(&task))
    }

    fn census(&self) -> BoxFuture<'_, Result<Census, FinderError>> {
        Box::pin(self.with_fresh_credentials(|| self.list_census()))
    }

    fn pod_fact<'a>(&'a self, pod: &'a PodRef) -> BoxFuture<'a, PodFact> {
        Box::pin(async move {
            let fact = self.with_fresh_credentials(|| async {
                let client = self.client().await?;
                let fact = read_fact(&self.source, &client, pod).await;
                self.noted(fact).await
            });
            fact.await.unwrap_or_else(PodFact::Unknown)
        })
    }
}
