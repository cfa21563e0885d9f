//! The Service object: whether it exists, and the two settings that decide whether a cluster can
//! form behind it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Service;
use kube::api::Api;

use crate::access::ApiClient;
use crate::error::{ApiError, Call};
use crate::rbac::Rule;
use crate::source::Source;

/// What a Service says that matters for finding peers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceFacts {
    /// Labels of the pods that it selects; empty if its slices are made by hand.
    pub selector: BTreeMap<String, String>,
    /// Whether pods are listed before they are ready. Without it pods on a Node that is unknown to
    /// the controller are not listed either, which a census must never suffer.
    pub publish_not_ready_addresses: bool,
    /// Whether it has no virtual address (`clusterIP: None`).
    pub is_headless: bool,
    /// The names and numbers of its ports.
    pub ports: Vec<(String, i32)>,
}

impl ServiceFacts {
    fn read(service: &Service) -> Self {
        let Some(spec) = &service.spec else {
            return Self::default();
        };
        let ports = spec.ports.iter().flatten();
        Self {
            selector: spec.selector.clone().unwrap_or_default(),
            publish_not_ready_addresses: spec.publish_not_ready_addresses.unwrap_or(false),
            is_headless: spec.cluster_ip.as_deref() == Some("None"),
            ports: ports
                .map(|port| (port.name.clone().unwrap_or_default(), port.port))
                .collect(),
        }
    }

    /// The selector as the API takes it in a query.
    pub(crate) fn selector_query(&self) -> String {
        let pairs = self
            .selector
            .iter()
            .map(|(key, value)| format!("{key}={value}"));
        pairs.collect::<Vec<_>>().join(",")
    }
}

/// Reads our Service.
pub(crate) async fn read_service(
    source: &Source,
    client: &ApiClient,
) -> Result<ServiceFacts, ApiError> {
    let config = &source.config;
    let what = format!("Service {}", config.service);
    let call = Call::new(config, Rule::GetService, what);
    let api: Api<Service> = Api::namespaced(client.client.clone(), &config.namespace);
    match tokio::time::timeout(call.deadline, api.get(&config.service)).await {
        Err(_) => Err(call.timed_out()),
        Ok(Err(error)) => Err(call.failed(&error)),
        Ok(Ok(service)) => Ok(ServiceFacts::read(&service)),
    }
}

/// Whether "no slices" means "no endpoints": an error if our Service does not exist or cannot be
/// asked for. Where the permission to ask is missing, the listing's word stands.
pub(crate) async fn service_exists(source: &Source, client: &ApiClient) -> Result<(), ApiError> {
    match read_service(source, client).await {
        Ok(_) | Err(ApiError::Forbidden { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
