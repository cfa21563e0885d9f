//! Where a finder asks and what it keeps: what all its watches and single requests share.

use std::sync::{Arc, Mutex};

use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::Api;

use crate::access::{ApiAccess, ApiClient};
use crate::config::KubeFinderConfig;
use crate::error::Call;
use crate::pods::PodMemory;
use crate::rbac::Rule;
use crate::stats::Counters;

/// One finder's configuration, access, numbers and memory.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) config: Arc<KubeFinderConfig>,
    pub(crate) access: Arc<ApiAccess>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) memory: Arc<Mutex<PodMemory>>,
}

impl Source {
    /// The label that every slice of our Service carries.
    pub(crate) fn labels(&self) -> String {
        format!("kubernetes.io/service-name={}", self.config.service)
    }

    pub(crate) fn slices_call(&self, rule: Rule) -> Call {
        Call::new(
            &self.config,
            rule,
            format!("endpointslices of Service {}", self.config.service),
        )
    }

    pub(crate) fn slices(&self, client: &ApiClient) -> Api<EndpointSlice> {
        Api::namespaced(client.client.clone(), &self.config.namespace)
    }
}
