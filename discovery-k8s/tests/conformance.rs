//! The Kubernetes finder against the contract of all finders, as the core's kit checks it.

#![cfg(feature = "testing")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use discovery_core::Finder;
use discovery_core::testing::{Subject, check_finder};
use discovery_k8s::testing::{
    Endpoint, Fault, FaultGuard, NAMESPACE, On, SERVICE, ScriptedApi, service, slice,
};
use discovery_k8s::{ApiAccess, ApiEndpoint, KubeFinder, KubeFinderConfig};

/// Longest that the finder may take to notice anything; a tenth of it is waited to see nothing.
const LIMIT: Duration = Duration::from_secs(15);

struct OnKubernetes {
    api: ScriptedApi,
    finder: Arc<KubeFinder>,
    outage: Option<FaultGuard>,
}

impl Subject for OnKubernetes {
    fn finder(&self) -> Arc<dyn Finder> {
        Arc::<KubeFinder>::clone(&self.finder)
    }

    async fn set_seeds(&mut self, seeds: &[SocketAddr]) {
        let endpoints = seeds.iter().map(|seed| {
            let ip = seed.ip().to_string();
            Endpoint::pod(&ip, &format!("uid-{ip}")).at(&ip)
        });
        // One slice that holds the first, and one for all others.
        let (first, others): (Vec<_>, Vec<_>) = endpoints.enumerate().partition(|(at, _)| *at == 0);
        for (name, part) in [("ring-a", first), ("ring-b", others)] {
            let endpoints = part.into_iter().map(|(_, endpoint)| endpoint);
            self.api
                .put(slice(name).port("ring", 47500).endpoints(endpoints));
        }
    }

    async fn break_source(&mut self) {
        self.outage = Some(self.api.fault(On::any_request(), Fault::HangUp));
        self.api.cut_connections();
    }

    async fn mend_source(&mut self) {
        self.outage = None;
    }
}

#[tokio::test]
async fn the_kubernetes_finder_keeps_the_contract_of_finders() {
    let api = ScriptedApi::start().await.unwrap();
    api.put(service(SERVICE));
    let mut config = KubeFinderConfig::new(NAMESPACE, SERVICE);
    config.watch_timeout = Duration::from_secs(1);
    config.audit_interval = Duration::from_secs(1);
    config.retry_pause = Duration::from_millis(10);
    config.retry_pause_max = Duration::from_millis(100);
    let access = ApiAccess::Endpoint(ApiEndpoint::new(api.url()));
    let finder = KubeFinder::new(config, access).unwrap();
    let mut subject = OnKubernetes {
        api,
        finder: Arc::new(finder),
        outage: None,
    };
    let checked = check_finder(&mut subject, LIMIT).await;
    assert_eq!(checked, Ok(()));
}
