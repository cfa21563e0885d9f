//! Consistent listings: every page of one version of the store, within one deadline.

use discovery_core::ResourceVersion;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::serde::de::DeserializeOwned;
use kube::api::{Api, ListParams};
use kube::core::NamespaceResourceScope;

use crate::error::{ApiError, Call};
use crate::slices::{SLICES_MAX, Slice, SliceError};
use crate::store::SliceStore;

/// Objects asked for in one page.
pub(crate) const PAGE_OBJECTS: u32 = 500;

/// How often a listing whose pages ceased to be consistent is started again within its deadline.
const LISTING_RESTARTS_MAX: u32 = 3;

/// All objects of one listing, and the version of the store that all of them were read at.
#[derive(Debug)]
pub(crate) struct Listing<T> {
    pub(crate) objects: Vec<T>,
    pub(crate) resource_version: ResourceVersion,
}

/// Lists everything that carries the labels, freshly: no resource version is given, so the server
/// must answer with all that was written before the call (K1).
///
/// # Errors
///
/// As told by the server, or [`ApiError::Timeout`] when the deadline of the call passes.
///
/// # Cancel safety
///
/// Dropping the future abandons the request.
pub(crate) async fn list_all<K>(
    api: &Api<K>,
    labels: &str,
    objects_max: usize,
    call: &Call,
) -> Result<Listing<K>, ApiError>
where
    K: kube::Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let pages = async {
        let mut restarts = 0;
        loop {
            match list_pages(api, labels, objects_max, call).await {
                Err(ApiError::Gone { .. }) if restarts < LISTING_RESTARTS_MAX => restarts += 1,
                other => return other,
            }
        }
    };
    tokio::time::timeout(call.deadline, pages)
        .await
        .unwrap_or_else(|_| Err(call.timed_out()))
}

async fn list_pages<K>(
    api: &Api<K>,
    labels: &str,
    objects_max: usize,
    call: &Call,
) -> Result<Listing<K>, ApiError>
where
    K: kube::Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let mut params = ListParams::default().labels(labels).limit(PAGE_OBJECTS);
    let mut objects = Vec::new();
    let mut version: Option<ResourceVersion> = None;
    loop {
        let page = api
            .list(&params)
            .await
            .map_err(|error| call.failed(&error))?;
        let text = page.metadata.resource_version.unwrap_or_default();
        let read_at = text.parse::<ResourceVersion>();
        let read_at = read_at.map_err(|error| call.malformed(error.to_string()))?;
        // A continuation that was read at another version is not the same listing.
        if version.is_some_and(|version| version != read_at) {
            let message = format!("a page was read at version {read_at}, the first at another");
            return Err(call.gone(message));
        }
        version = Some(read_at);
        objects.extend(page.items);
        if objects.len() > objects_max {
            let count = objects.len();
            return Err(call.bad_slices(SliceError::TooMany {
                what: "objects",
                count,
                limit: objects_max,
            }));
        }
        params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
        if params.continue_token.is_none() {
            return Ok(Listing {
                objects,
                resource_version: read_at,
            });
        }
    }
}

/// The slices of one Service as a store, freshly listed.
///
/// # Errors
///
/// As [`list_all`], and [`ApiError::Slices`] if a slice does not hold what the API defines.
///
/// # Cancel safety
///
/// Dropping the future abandons the request.
pub(crate) async fn list_slices(
    api: &Api<EndpointSlice>,
    labels: &str,
    call: &Call,
) -> Result<(SliceStore, ResourceVersion), ApiError> {
    let listing = list_all(api, labels, SLICES_MAX, call).await?;
    let slices = listing
        .objects
        .iter()
        .map(Slice::read)
        .collect::<Result<Vec<_>, _>>();
    let slices = slices.map_err(|error| call.bad_slices(error))?;
    Ok((SliceStore::new(slices), listing.resource_version))
}
