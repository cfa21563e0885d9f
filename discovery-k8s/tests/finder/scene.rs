//! What every scenario starts from: a scripted server, a quick finder and its watch, and waiting.

use std::path::PathBuf;
use std::time::Duration;

use discovery_core::{Finder, FinderCause, FinderError, Finding, SeedReport, SeedWatch};
use discovery_k8s::testing::{Endpoint, NAMESPACE, Resource, SERVICE, ScriptedApi, SliceScript};
use discovery_k8s::testing::{service, slice};
use discovery_k8s::{ApiAccess, ApiEndpoint, KubeFinder, KubeFinderConfig};
use tempfile::TempDir;
use tokio::time::timeout;

pub(crate) const SLICES: Resource = Resource::EndpointSlices;

/// Longest that a scenario waits for the finder to get somewhere.
const PATIENCE: Duration = Duration::from_secs(30);

/// A configuration whose waits are as short as they may be.
pub(crate) fn quick() -> KubeFinderConfig {
    let mut config = KubeFinderConfig::new(NAMESPACE, SERVICE);
    config.watch_timeout = Duration::from_secs(1);
    config.audit_interval = Duration::from_secs(1);
    config.request_deadline = Duration::from_secs(5);
    config.retry_pause = Duration::from_millis(10);
    config.retry_pause_max = Duration::from_millis(100);
    config
}

/// The same, but hearing of changes through the watch alone.
pub(crate) fn unaudited() -> KubeFinderConfig {
    let mut config = quick();
    config.watch_timeout = Duration::from_mins(1);
    config.audit_interval = Duration::from_mins(10);
    config
}

/// A slice with a pod at each of these addresses, the pods named by the last number of theirs.
pub(crate) fn pods_at(slice_name: &str, addresses: &[&str]) -> SliceScript {
    let endpoint = |address: &&str| {
        let number = address.rsplit(['.', ':']).next().unwrap_or_default();
        let uid = format!("uid-{number}");
        Endpoint::pod(&format!("web-{number}"), &uid).at(address)
    };
    slice(slice_name)
        .port("ring", 47500)
        .endpoints(addresses.iter().map(endpoint))
}

/// One scenario.
pub(crate) struct Scene {
    pub(crate) api: ScriptedApi,
    pub(crate) finder: KubeFinder,
    pub(crate) watch: Box<dyn SeedWatch>,
    pub(crate) files: TempDir,
}

impl Scene {
    /// A finder that knows the pods 10.0.0.1 (slice `ring-a`) and 10.0.0.2 (slice `ring-b`).
    pub(crate) async fn of_two(config: KubeFinderConfig) -> Self {
        let api = ScriptedApi::start().await.expect("a scripted server");
        api.put(service(SERVICE).port("ring", 47500));
        api.put(pods_at("ring-a", &["10.0.0.1"]));
        api.put(pods_at("ring-b", &["10.0.0.2"]));
        let mut scene = Self::on(api, config);
        scene.knows(&["10.0.0.1", "10.0.0.2"]).await;
        scene.api.watched(SLICES, 1).await.expect("a running watch");
        scene
    }

    /// A finder that has just started on this server.
    pub(crate) fn on(api: ScriptedApi, config: KubeFinderConfig) -> Self {
        let files = TempDir::new().expect("a directory for the test's files");
        let access = ApiAccess::Endpoint(ApiEndpoint::new(api.url()));
        Self::with(api, config, access, files)
    }

    /// A finder with a token file that holds this token.
    pub(crate) fn with_token(api: ScriptedApi, config: KubeFinderConfig, token: &str) -> Self {
        let files = TempDir::new().expect("a directory for the test's files");
        let path = files.path().join("token");
        std::fs::write(&path, token).expect("a token file");
        let mut endpoint = ApiEndpoint::new(api.url());
        endpoint.token_file = Some(path);
        Self::with(api, config, ApiAccess::Endpoint(endpoint), files)
    }

    pub(crate) fn with(
        api: ScriptedApi,
        config: KubeFinderConfig,
        access: ApiAccess,
        files: TempDir,
    ) -> Self {
        let finder = KubeFinder::new(config, access).expect("a configuration without faults");
        let watch = finder.watch();
        Self {
            api,
            finder,
            watch,
            files,
        }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// Replaces a file as the kubelet does: all at once.
    pub(crate) fn replace(&self, name: &str, content: &str) {
        let fresh = self.file("fresh");
        std::fs::write(&fresh, content).expect("a file in the test's directory");
        std::fs::rename(fresh, self.file(name)).expect("a file replaced by another");
    }

    /// Waits until the watch says something that satisfies.
    pub(crate) async fn until(
        &mut self,
        what: &str,
        satisfies: impl Fn(&SeedReport) -> bool,
    ) -> SeedReport {
        let waiting = async {
            let mut report = self.watch.latest();
            while !satisfies(&report) {
                report = self.watch.changed().await;
            }
            report
        };
        if let Ok(report) = timeout(PATIENCE, waiting).await {
            return report;
        }
        let last = self.watch.latest();
        assert!(
            satisfies(&last),
            "waited in vain for {what}; last: {last:#?}"
        );
        last
    }

    /// Waits until exactly these are known.
    pub(crate) async fn knows(&mut self, addresses: &[&str]) -> SeedReport {
        let what = format!("{addresses:?} to be known");
        self.until(&what, |report| {
            matches!(report.finding, Finding::Known(_)) && ips(report) == addresses
        })
        .await
    }

    /// Waits until the source is known to list nobody.
    pub(crate) async fn knows_nobody(&mut self) -> SeedReport {
        self.until("nobody", |report| report.finding == Finding::KnownEmpty)
            .await
    }

    /// Waits for *unknown* of this cause, the last good set being these addresses.
    pub(crate) async fn unknown(&mut self, cause: FinderCause, last_good: &[&str]) -> FinderError {
        let what = format!("unknown because of {cause} with {last_good:?} as last good");
        let report = self
            .until(&what, |report| {
                caused(report).is_some_and(|error| error.cause() == cause)
                    && ips(report) == last_good
            })
            .await;
        caused(&report).cloned().expect("checked just now")
    }
}

/// The first address of every seed worth dialling, without the port.
pub(crate) fn ips(report: &SeedReport) -> Vec<String> {
    let seeds = report.seeds();
    seeds
        .iter()
        .map(|seed| seed.address().ip().to_string())
        .collect()
}

/// Why the report does not know.
pub(crate) fn caused(report: &SeedReport) -> Option<&FinderError> {
    match &report.finding {
        Finding::Unknown(error) => Some(error),
        Finding::Known(_) | Finding::KnownEmpty => None,
    }
}
