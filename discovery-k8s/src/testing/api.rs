//! The script's side of the server: objects, faults, permissions, and waiting for what clients do.
//! Clients for it are made in `clients.rs`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::ScriptError;
use super::builders::Object;
use super::faults::{Fault, On};
use super::guard::FaultGuard;
use super::request::{Recorded, Resource, Verb};
use super::serve::Server;
use super::state::{PATIENCE, Shared};
use super::store::{Key, Moment};
use super::tls::{Serving, TestAuthority};

/// A running scripted API server; dropping it closes the listener and every connection.
#[derive(Debug)]
pub struct ScriptedApi {
    pub(super) shared: Arc<Shared>,
    pub(super) authority: Option<TestAuthority>,
    server: Server,
    serving: Option<Arc<Serving>>,
}

impl ScriptedApi {
    /// Starts an empty server that speaks plain HTTP; must be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`ScriptError::Listen`] if there is no free port.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing behind.
    pub async fn start() -> Result<Self, ScriptError> {
        let shared = Arc::new(Shared::new());
        let server = Server::start(Arc::clone(&shared), None).await?;
        Ok(Self {
            shared,
            authority: None,
            server,
            serving: None,
        })
    }

    /// Starts an empty server that speaks TLS, with an authority of its own.
    ///
    /// # Errors
    ///
    /// [`ScriptError::Certificate`] and [`ScriptError::Tls`] besides those of [`Self::start`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing behind.
    pub async fn start_tls() -> Result<Self, ScriptError> {
        let authority = TestAuthority::new("authority of the scripted server")?;
        let serving = Serving::new(&authority)?;
        let shared = Arc::new(Shared::new());
        let server = Server::start(Arc::clone(&shared), Some(serving.acceptor()?)).await?;
        Ok(Self {
            shared,
            authority: Some(authority),
            server,
            serving: Some(serving),
        })
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Creates or replaces an object and tells the watches; returns its version.
    pub fn put(&self, object: impl Into<Object>) -> u64 {
        self.write(object.into(), true)
    }

    /// Creates or replaces an object without any watch ever hearing of it: only a list shows it.
    pub fn put_untold(&self, object: impl Into<Object>) -> u64 {
        self.write(object.into(), false)
    }

    /// Puts any JSON in an object's place, however wrong; returns its version.
    pub fn put_json(&self, resource: Resource, namespace: &str, name: &str, json: Value) -> u64 {
        self.put(Object::raw(resource, namespace, name, json))
    }

    /// Deletes an object and tells the watches; false if there was none.
    pub fn delete(&self, resource: Resource, namespace: &str, name: &str) -> bool {
        self.remove(resource, namespace, name, true)
    }

    /// Deletes an object without any watch ever hearing of it: only a list shows it.
    pub fn delete_untold(&self, resource: Resource, namespace: &str, name: &str) -> bool {
        self.remove(resource, namespace, name, false)
    }

    /// Deletes an EndpointSlice in [`NAMESPACE`](super::NAMESPACE).
    pub fn delete_slice(&self, name: &str) -> bool {
        self.delete(Resource::EndpointSlices, super::NAMESPACE, name)
    }

    /// Deletes a Pod in [`NAMESPACE`](super::NAMESPACE).
    pub fn delete_pod(&self, name: &str) -> bool {
        self.delete(Resource::Pods, super::NAMESPACE, name)
    }

    /// The version of the store now.
    pub fn revision(&self) -> u64 {
        self.shared.look().store.revision()
    }

    /// The objects as they are now, for a [`Fault::StaleList`] later.
    pub fn moment(&self) -> Moment {
        self.shared.look().store.moment()
    }

    /// Forgets the past, as etcd does: older versions and every continue token are 410 from now on.
    pub fn compact(&self) {
        self.shared.change(|state| state.store.compact());
    }

    /// Makes every watch that allows bookmarks send one now.
    pub fn send_bookmarks(&self) {
        self.shared.change(|state| state.bookmarks_asked += 1);
    }

    /// Cuts every connection; new ones are accepted.
    pub fn cut_connections(&self) {
        self.shared.cut_connections();
    }

    /// Puts a fault in force until the guard is dropped.
    pub fn fault(&self, on: On, fault: Fault) -> FaultGuard {
        self.arm(on, fault, None)
    }

    /// Puts a fault in force that strikes so often at most, or until the guard is dropped.
    pub fn fault_times(&self, times: u32, on: On, fault: Fault) -> FaultGuard {
        self.arm(on, fault, Some(times))
    }

    /// Accepts these bearer tokens and no others, from the next request on.
    pub fn accept_tokens<'a>(&self, tokens: impl IntoIterator<Item = &'a str>) {
        let tokens = tokens.into_iter().map(ToOwned::to_owned).collect();
        self.shared.change(|state| state.access.accept_only(tokens));
    }

    /// Denies an RBAC verb on a resource, for requests (403) and in access reviews.
    pub fn deny(&self, verb: &str, resource: Resource) {
        self.shared
            .change(|state| state.access.deny(verb, resource));
    }

    /// Takes a denial back.
    pub fn allow(&self, verb: &str, resource: Resource) {
        self.shared
            .change(|state| state.access.allow(verb, resource));
    }

    /// Serves new handshakes a certificate of this authority; running connections go on.
    ///
    /// # Errors
    ///
    /// [`ScriptError::NoTls`] on a plain server, else [`ScriptError::Certificate`].
    pub fn serve_certificate_of(&self, authority: &TestAuthority) -> Result<(), ScriptError> {
        let serving = self.serving.as_ref().ok_or(ScriptError::NoTls)?;
        serving.swap(authority)
    }

    /// The requests so far, oldest first, at most [`RECORDED_MAX`](super::RECORDED_MAX).
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.look().requests.iter().cloned().collect()
    }

    /// The requests of this verb on this resource so far, oldest first.
    pub fn requests_of(&self, verb: Verb, resource: Resource) -> Vec<Recorded> {
        let mut requests = self.requests();
        requests.retain(|request| request.verb == verb && request.resource == resource);
        requests
    }

    /// How many requests were made in all, forgotten ones included.
    pub fn request_count(&self) -> u64 {
        let state = self.shared.look();
        state.requests_forgotten + state.requests.len() as u64
    }

    /// Waits until so many requests of this verb were made in all.
    ///
    /// # Errors
    ///
    /// [`ScriptError::Impatient`] after [`PATIENCE`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn requested(
        &self,
        count: usize,
        verb: Verb,
        resource: Resource,
    ) -> Result<(), ScriptError> {
        let what = format!("{count} × {verb:?} {}", resource.plural());
        self.until(&what, PATIENCE, |requests| {
            let matching = requests
                .iter()
                .filter(|request| request.verb == verb && request.resource == resource);
            matching.count() >= count
        })
        .await
    }

    /// Waits until the requests so far satisfy `enough`, looking again after each change.
    ///
    /// # Errors
    ///
    /// [`ScriptError::Impatient`] after `patience`, naming `what`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn until(
        &self,
        what: &str,
        patience: Duration,
        mut enough: impl FnMut(&[Recorded]) -> bool,
    ) -> Result<(), ScriptError> {
        let mut requests = Vec::new();
        self.shared
            .until(what, patience, |state| {
                requests.clear();
                requests.extend(state.requests.iter().cloned());
                enough(&requests).then_some(())
            })
            .await
    }

    /// How many watches of this resource are running.
    pub fn open_watches(&self, resource: Resource) -> usize {
        let state = self.shared.look();
        state.open_watches.get(&resource).copied().unwrap_or(0)
    }

    /// Waits until so many watches of this resource are running.
    ///
    /// # Errors
    ///
    /// [`ScriptError::Impatient`] after [`PATIENCE`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn watched(&self, resource: Resource, count: usize) -> Result<(), ScriptError> {
        let what = format!("{count} running watches of {}", resource.plural());
        self.shared
            .until(&what, PATIENCE, |state| {
                let open = state.open_watches.get(&resource).copied().unwrap_or(0);
                (open == count).then_some(())
            })
            .await
    }

    fn write(&self, object: Object, told: bool) -> u64 {
        let (key, json) = object.into_parts();
        self.shared.change(|state| state.store.put(key, json, told))
    }

    fn remove(&self, resource: Resource, namespace: &str, name: &str, told: bool) -> bool {
        let key = Key {
            resource,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        self.shared.change(|state| state.store.delete(&key, told))
    }

    fn arm(&self, on: On, fault: Fault, times: Option<u32>) -> FaultGuard {
        let id = self
            .shared
            .change(|state| state.faults.add(on, fault, times));
        FaultGuard::new(Arc::clone(&self.shared), id)
    }
}
