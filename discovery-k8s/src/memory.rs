//! Reading pods while they live, so that there is a last reading when they are gone.

use std::sync::{Mutex, MutexGuard, PoisonError};

use discovery_core::{PodFact, PodRef};
use k8s_openapi::api::core::v1::Pod;
use kube::api::Api;
use kube::core::Status;

use crate::access::ApiClient;
use crate::error::{ApiError, Call};
use crate::listing::list_all;
use crate::pods::{PODS_REMEMBERED_MAX, PodMemory, read_pod};
use crate::rbac::Rule;
use crate::service::read_service;
use crate::watch::Source;

pub(crate) fn locked(memory: &Mutex<PodMemory>) -> MutexGuard<'_, PodMemory> {
    // A memory of readings stays usable whatever panicked while holding it.
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pods(source: &Source, client: &ApiClient) -> Api<Pod> {
    Api::namespaced(client.client.clone(), &source.config.namespace)
}

/// Lists the Service's pods and remembers each; whatever fails is counted and nothing is lost.
///
/// Without the permission, or behind a Service without a selector, there is nothing to remember.
pub(crate) async fn remember_pods(source: &Source, client: &ApiClient) {
    if !source.config.remember_pods {
        return;
    }
    let listed = async {
        let selector = read_service(source, client).await?.selector_query();
        if selector.is_empty() {
            return Ok(Vec::new());
        }
        let call = Call::new(
            &source.config,
            Rule::ListPods,
            format!("pods with {selector}"),
        );
        let listing = list_all(&pods(source, client), &selector, PODS_REMEMBERED_MAX, &call).await;
        listing.map(|listing| listing.objects)
    };
    match listed.await {
        Ok(objects) => {
            let container = source.config.container.as_deref();
            let readings = objects
                .iter()
                .filter_map(|pod| read_pod(pod, container).ok());
            let mut memory = locked(&source.memory);
            readings.for_each(|reading| memory.remember(reading));
        }
        Err(error) => {
            source.counters.error(error.cause());
            tracing::debug!(place = source.config.place(), %error, "pods cannot be remembered");
        }
    }
}

/// Reads one pod now; an object of another uid means that ours is gone.
pub(crate) async fn read_fact(
    source: &Source,
    client: &ApiClient,
    pod: &PodRef,
) -> Result<PodFact, ApiError> {
    let call = Call::new(&source.config, Rule::GetPods, format!("pod {}", pod.name));
    let api = pods(source, client);
    let object = tokio::time::timeout(call.deadline, api.get(pod.name.as_str())).await;
    let object = match object.map_err(|_| call.timed_out())? {
        Ok(object) => Some(object),
        Err(kube::Error::Api(status)) if denies_the_pod(&status, pod) => None,
        Err(error) => return Err(call.failed(&error)),
    };
    let gone = |replaced_by| {
        let last_seen = locked(&source.memory).last_seen(&pod.uid).map(Box::new);
        PodFact::Gone {
            replaced_by,
            last_seen,
        }
    };
    let Some(object) = object else {
        return Ok(gone(None));
    };
    let reading = read_pod(&object, source.config.container.as_deref());
    let reading = reading.map_err(|error| call.malformed(error.to_string()))?;
    let is_ours = reading.pod.uid == pod.uid;
    locked(&source.memory).remember(reading.clone());
    Ok(if is_ours {
        PodFact::Present(reading)
    } else {
        gone(Some(reading.pod.uid))
    })
}

/// Whether a refusal says that no pod has this name. A proxy on the way, or a server without the
/// API, also answers 404, but does not name the pod; such an answer must not prove a death.
fn denies_the_pod(status: &Status, pod: &PodRef) -> bool {
    status.is_not_found()
        && status
            .details
            .as_ref()
            .is_some_and(|it| it.kind == "pods" && it.name == pod.name.as_str())
}
