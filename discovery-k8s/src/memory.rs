//! Reading pods while they live, so that there is a last reading when they are gone.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use discovery_core::{FinderCause, FinderError, LastSeen, PodFact, PodReading, PodRef, PodUid};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use kube::core::Status;
use tokio::time::Instant;

use crate::access::ApiClient;
use crate::error::{ApiError, Call};
use crate::listing::PAGE_OBJECTS;
use crate::pods::{PODS_REMEMBERED_MAX, PodError, PodMemory, pod_ref, read_pod, version_of};
use crate::rbac::Rule;
use crate::service::read_service;
use crate::source::Source;

pub(crate) fn locked(memory: &Mutex<PodMemory>) -> MutexGuard<'_, PodMemory> {
    // A memory of readings stays usable whatever panicked while holding it.
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pods(source: &Source, client: &ApiClient) -> Api<Pod> {
    Api::namespaced(client.client.clone(), &source.config.namespace)
}

/// Lists the Service's pods and remembers each; whatever fails is counted and nothing is lost.
///
/// Where the Service does not say which pods are its own (it may not be asked for, does not exist,
/// or has no selector), the namespace's pods are listed, as many as the memory holds.
pub(crate) async fn remember_pods(source: &Source, client: &ApiClient) {
    if !source.config.remember_pods {
        return;
    }
    let listed = async {
        let selector = selector(source, client).await?;
        remember_listed(source, client, &selector).await
    };
    if let Err(error) = listed.await {
        source.counters.error(error.cause());
        tracing::debug!(place = source.config.place(), %error, "pods cannot be remembered");
    }
}

/// The query that selects the Service's pods; empty where nothing says which they are.
async fn selector(source: &Source, client: &ApiClient) -> Result<String, ApiError> {
    match read_service(source, client).await {
        Ok(service) => Ok(service.selector_query()),
        // Either is a word about the Service and none about pods, and is told where it matters.
        Err(ApiError::Forbidden { .. } | ApiError::NotFound { .. }) => Ok(String::new()),
        Err(error) => Err(error),
    }
}

/// Lists page by page, each remembered and let go of before the next, within one deadline. Every
/// reading stands alone, so that pages need not be of one version.
async fn remember_listed(
    source: &Source,
    client: &ApiClient,
    selector: &str,
) -> Result<(), ApiError> {
    let what = match selector {
        "" => "pods".to_owned(),
        selector => format!("pods with {selector}"),
    };
    let call = Call::new(&source.config, Rule::ListPods, what);
    let api = pods(source, client);
    let mut params = ListParams::default().labels(selector).limit(PAGE_OBJECTS);
    let asked_at = Instant::now();
    let mut failed = BTreeMap::new();
    let pages = async {
        let mut count = 0;
        loop {
            let page = api.list(&params).await;
            let page = page.map_err(|error| call.failed(&error))?;
            // What goes beyond would push out what came first.
            for object in page.items.iter().take(PODS_REMEMBERED_MAX - count) {
                count += 1;
                if let Err(error) = remember(source, object, asked_at) {
                    failed.insert(error.cause(), error);
                }
            }
            params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
            if params.continue_token.is_none() || count >= PODS_REMEMBERED_MAX {
                return Ok(());
            }
        }
    };
    let listed = tokio::time::timeout(call.deadline, pages).await;
    if selector.is_empty() {
        // Pods of others have other containers than ours.
        failed.remove(&FinderCause::Configuration);
    }
    for (cause, error) in failed {
        source.counters.error(cause);
        tracing::debug!(place = source.config.place(), %error, "a pod cannot be remembered");
    }
    listed.unwrap_or_else(|_| Err(call.timed_out()))
}

/// Reads an object that was asked for then, and keeps the reading.
fn remember(source: &Source, object: &Pod, asked_at: Instant) -> Result<PodReading, PodError> {
    let reading = read_pod(object, source.config.container.as_deref())?;
    locked(&source.memory).remember(reading.clone(), version_of(object), asked_at);
    Ok(reading)
}

/// Reads one pod now; an object of another uid means that ours is gone.
pub(crate) async fn read_fact(
    source: &Source,
    client: &ApiClient,
    pod: &PodRef,
) -> Result<PodFact, ApiError> {
    let call = Call::new(&source.config, Rule::GetPods, format!("pod {}", pod.name));
    let api = pods(source, client);
    let asked_at = Instant::now();
    let object = tokio::time::timeout(call.deadline, api.get(pod.name.as_str())).await;
    let object = match object.map_err(|_| call.timed_out())? {
        Ok(object) => object,
        Err(kube::Error::Api(status)) if denies_the_pod(&status, pod) => {
            return Ok(gone(source, pod, None));
        }
        Err(error) => return Err(call.failed(&error)),
    };
    let found = pod_ref(&object).map_err(|error| call.malformed(error.to_string()))?;
    let reading = remember(source, &object, asked_at);
    if found.uid != pod.uid {
        // Who has the name now may have other containers; that ours is gone does not hang on it.
        return Ok(gone(source, pod, Some(found.uid)));
    }
    match reading {
        Ok(reading) => Ok(PodFact::Present(reading)),
        Err(error @ PodError::Malformed { .. }) => Err(call.malformed(error.to_string())),
        Err(error @ PodError::WhichContainer { .. }) => {
            Ok(misconfigured(source, error.to_string()))
        }
    }
}

/// No object of this uid has this name. That proves something only about a pod of this name.
fn gone(source: &Source, pod: &PodRef, replaced_by: Option<PodUid>) -> PodFact {
    let now = Instant::now();
    let last_seen = locked(&source.memory)
        .last_seen(&pod.uid)
        .map(|kept| kept.as_of(now));
    match last_seen {
        Some(LastSeen { reading, .. }) if reading.pod.name != pod.name => {
            let (uid, seen) = (&pod.uid, &reading.pod.name);
            let message = format!(
                "pod uid {uid} was last seen under name {seen}, not {}; ask for it by that name",
                pod.name
            );
            misconfigured(source, message)
        }
        last_seen => PodFact::Gone {
            asked: pod.clone(),
            replaced_by,
            last_seen: last_seen.map(Box::new),
        },
    }
}

/// An unknown that an operator must mend; no retry and no fresh credentials help.
fn misconfigured(source: &Source, message: String) -> PodFact {
    let cause = FinderCause::Configuration;
    source.counters.error(cause);
    PodFact::Unknown(FinderError::new(cause, message))
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
