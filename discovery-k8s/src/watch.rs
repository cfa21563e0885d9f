//! One watch: kube's watcher folded into whole slice sets, audited by listings, recreated when it
//! diverges, and told apart in its troubles. What a set is made of is decided in `slices.rs`.
//!
//! A finding is *unknown* while the last listing failed or the watch cannot be started; a stream
//! that merely ended is renewed without a word. What was known stays the last good set.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use discovery_core::finders::SeedFeed;
use discovery_core::{FinderError, ResourceVersion, SeedSet};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::watcher::{self, Event};
use tokio::time::{Instant, sleep, sleep_until};

use crate::access::ApiClient;
use crate::errand::Errand;
use crate::error::{ApiError, Call};
use crate::follow::Follow;
use crate::listing::list_slices;
use crate::memory::{locked, remember_pods};
use crate::pace::{Pace, jittered};
use crate::rbac::Rule;
use crate::service::service_exists;
use crate::slices::{SLICES_MAX, Slice, SliceError};
use crate::source::Source;
use crate::store::SliceStore;

/// How long a watch may take to deliver what an audit has seen already.
const AUDIT_GRACE: Duration = Duration::from_secs(1);

/// Failures to watch in a row after which the stream is recreated, since kube would go on asking
/// from the same version for ever, and after which a version that is gone counts as trouble.
const WATCH_FAILURES_MAX: u32 = 3;

/// Shortest time between two listings of pods, however many new ones appear.
const REMEMBER_SPACING: Duration = Duration::from_secs(5);

/// What an audit listed that the watch has not delivered so far.
struct Missed {
    listed: SliceStore,
    version: u64,
    /// When the watch's time to deliver it is over.
    until: Instant,
}

/// What an audit listed.
type Audit = Result<(SliceStore, ResourceVersion), ApiError>;

/// Why a stream was given up.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    /// The stream missed something or hangs on a version that is gone: make a new one.
    Stream,
    /// Credentials or CA were refused: read them again.
    Client,
}

/// Runs until its watch is dropped; no error ends it.
pub(crate) async fn run(source: Source, feed: SeedFeed) {
    let mut watch = Watch::new(source, feed);
    let mut is_first = true;
    loop {
        let call = watch.source.slices_call(Rule::ListEndpointSlices);
        let source = watch.source.clone();
        match source.access.client(&call, &source.counters).await {
            Ok(client) => {
                if !std::mem::take(&mut is_first) {
                    source.counters.client_rebuild();
                }
                watch.run_client(&client).await;
            }
            Err(error) => watch.trouble(Rule::ListEndpointSlices, error),
        }
        watch.pace.pause().await;
    }
}

struct Watch {
    source: Source,
    feed: SeedFeed,
    /// The slices as the stream has delivered them.
    store: SliceStore,
    /// The slices that the stream told to be deleted since the last audit, and at which version.
    deleted: BTreeMap<String, u64>,
    /// The highest version that the stream or an audit has shown since the stream's last listing.
    newest: u64,
    /// `newest` when the audit under way began: a consistent listing can show nothing older.
    audit_floor: u64,
    missed: Option<Missed>,
    /// Whether the store holds a whole listing, so that it may be published.
    is_listed: bool,
    list_trouble: Option<FinderError>,
    follow_trouble: Option<FinderError>,
    failures: u32,
    /// Between attempts of the stream or the client.
    pace: Pace,
    /// Between audits while a listing is what is missing.
    audit_pace: Pace,
    audit: Errand<Audit>,
    /// Listing the pods, so that there is a last reading of those that go.
    memory: Errand<()>,
    remembered_at: Option<Instant>,
}

impl Watch {
    fn new(source: Source, feed: SeedFeed) -> Self {
        let config = Arc::clone(&source.config);
        let pace = Pace::new(config.retry_pause, config.retry_pause_max);
        let first = Instant::now() + jittered(config.audit_interval);
        Self {
            source,
            feed,
            store: SliceStore::default(),
            deleted: BTreeMap::new(),
            newest: 0,
            audit_floor: 0,
            missed: None,
            is_listed: false,
            list_trouble: None,
            follow_trouble: None,
            failures: 0,
            audit_pace: pace.clone(),
            pace,
            audit: Errand::at(first),
            memory: Errand::at(first),
            remembered_at: None,
        }
    }

    /// Follows streams of one client until its credentials are refused.
    async fn run_client(&mut self, client: &ApiClient) {
        loop {
            match self.run_stream(client).await {
                Ended::Client => return,
                Ended::Stream => {
                    self.source.counters.watch_restart();
                    self.pace.pause().await;
                }
            }
        }
    }

    /// Follows one stream of kube's until it is of no more use.
    async fn run_stream(&mut self, client: &ApiClient) -> Ended {
        let mut stream = Follow::new(&self.source, client);
        self.missed = None;
        loop {
            let grace_over = self.missed.as_ref().map(|missed| missed.until);
            let ended = tokio::select! {
                event = stream.next() => self.on_event(&mut stream, event, client).await,
                () = client.watch_opened.notified() => {
                    self.on_watch_opened(&mut stream);
                    None
                }
                listed = self.audit.next() => match listed {
                    None => {
                        self.start_audit(client);
                        None
                    }
                    Some(listed) => self.on_audit_done(listed, client).await,
                },
                done = self.memory.next() => {
                    self.on_memory(done, client);
                    None
                }
                () = over(grace_over) => self.on_grace_over(),
            };
            if let Some(ended) = ended {
                return ended;
            }
        }
    }

    fn start_audit(&mut self, client: &ApiClient) {
        self.audit_floor = self.newest;
        let (source, client) = (self.source.clone(), client.clone());
        let audit: BoxFuture<'static, Audit> = async move {
            let call = source.slices_call(Rule::ListEndpointSlices);
            list_slices(&source.slices(&client), &source.labels(), &call).await
        }
        .boxed();
        self.audit.start(audit);
    }

    /// Lists the pods when that is due, and arranges for the next time when it is done.
    fn on_memory(&mut self, done: Option<()>, client: &ApiClient) {
        let now = Instant::now();
        if done.is_some() {
            let interval = jittered(self.source.config.audit_interval);
            self.memory.again_at(now + interval);
            return;
        }
        self.remembered_at = Some(now);
        let (source, client) = (self.source.clone(), client.clone());
        let listing = async move { remember_pods(&source, &client).await }.boxed();
        self.memory.start(listing);
    }

    /// One item of the stream; `None` in its place means that a listing hung.
    async fn on_event(
        &mut self,
        stream: &mut Follow,
        event: Option<watcher::Result<Event<EndpointSlice>>>,
        client: &ApiClient,
    ) -> Option<Ended> {
        let folded = match event {
            Some(Err(error)) => return self.on_stream_error(stream, error).await,
            Some(Ok(event)) => self.fold(stream, event),
            None => Err(self.listing_call().timed_out()),
        };
        match folded {
            Ok(true) => self.publish(client).await,
            Ok(false) => {}
            Err(error) => {
                self.trouble(Rule::ListEndpointSlices, error);
                return Some(Ended::Stream);
            }
        }
        None
    }

    /// Folds one event; true if the store then holds something to publish.
    fn fold(&mut self, stream: &mut Follow, event: Event<EndpointSlice>) -> Result<bool, ApiError> {
        match event {
            Event::Init => {
                stream.listing = Some(SliceStore::default());
                return Ok(false);
            }
            Event::InitApply(object) => {
                let slice = self.read(&object)?;
                let listing = stream.listing.get_or_insert_default();
                listing.put(slice);
                let count = listing.len();
                return self.check_count(count).map(|()| false);
            }
            Event::InitDone => {
                self.store = stream.listing.take().unwrap_or_default();
                stream.is_listed = true;
                self.newest = self.store.newest_version();
                self.deleted.clear();
                self.missed = None;
                self.is_listed = true;
                self.list_trouble = None;
            }
            Event::Apply(object) => {
                let slice = self.read(&object)?;
                self.newest = self.newest.max(slice.written());
                self.deleted.remove(slice.name());
                self.store.put(slice);
                self.check_count(self.store.len())?;
                self.on_delivery();
            }
            Event::Delete(object) => {
                self.source.counters.slice_event();
                let version = object.metadata.resource_version.unwrap_or_default();
                let version = version.parse().unwrap_or(0);
                self.newest = self.newest.max(version);
                let name = object.metadata.name.unwrap_or_default();
                self.store.remove(&name);
                if self.deleted.len() >= SLICES_MAX {
                    // What is forgotten can only make an audit list once more than it had to.
                    self.deleted.pop_first();
                }
                self.deleted.insert(name, version);
                self.on_delivery();
            }
        }
        Ok(true)
    }

    fn listing_call(&self) -> Call {
        self.source.slices_call(Rule::ListEndpointSlices)
    }

    fn read(&self, object: &EndpointSlice) -> Result<Slice, ApiError> {
        self.source.counters.slice_event();
        Slice::read(object).map_err(|error| self.listing_call().bad_slices(error))
    }

    fn check_count(&self, count: usize) -> Result<(), ApiError> {
        if count <= SLICES_MAX {
            return Ok(());
        }
        Err(self.listing_call().bad_slices(SliceError::TooMany {
            what: "slices",
            count,
            limit: SLICES_MAX,
        }))
    }

    /// The watch does its work: whatever failed before it is over.
    fn on_delivery(&mut self) {
        self.pace.reset();
        self.failures = 0;
    }

    /// A watch request was answered: what the stream last delivered is the state of now.
    fn on_watch_opened(&mut self, stream: &mut Follow) {
        if stream.on_opened() {
            self.source.counters.watch_restart();
        }
        if self.follow_trouble.take().is_some() {
            // Nothing tells when a resumed watch has caught up; a listing does.
            self.audit.want_by(Instant::now());
        }
    }

    async fn on_stream_error(
        &mut self,
        stream: &mut Follow,
        error: watcher::Error,
    ) -> Option<Ended> {
        let watching = self.source.slices_call(Rule::WatchEndpointSlices);
        let has_lasted = stream.on_failed();
        if has_lasted {
            self.on_delivery();
        }
        match error {
            watcher::Error::InitialListFailed(error) => {
                let error = self.listing_call().failed(&error);
                self.on_refused_request(Rule::ListEndpointSlices, error)
                    .await
            }
            watcher::Error::WatchStartFailed(error) => {
                self.on_failed_watch(watching.failed(&error)).await
            }
            watcher::Error::WatchError(status) => {
                self.on_failed_watch(watching.refused(&status)).await
            }
            watcher::Error::WatchFailed(error) => match watching.failed(&error) {
                // The connection broke. kube resumes it; should that fail, it will be heard of.
                ApiError::Unreachable { .. } => {
                    let pause = if has_lasted {
                        Duration::ZERO
                    } else {
                        self.pace.next()
                    };
                    sleep(pause).await;
                    self.audit.want_by(Instant::now());
                    None
                }
                // An event was lost with it, so the stream no longer knows the state.
                error => {
                    self.trouble(Rule::WatchEndpointSlices, error);
                    Some(Ended::Stream)
                }
            },
            watcher::Error::NoResourceVersion => {
                let error = watching.malformed("an event without metadata.resourceVersion");
                self.trouble(Rule::WatchEndpointSlices, error);
                Some(Ended::Stream)
            }
        }
    }

    /// A watch was refused or ended by the server with an error: see whether the stream may go on.
    async fn on_failed_watch(&mut self, error: ApiError) -> Option<Ended> {
        self.failures += 1;
        let is_often = self.failures >= WATCH_FAILURES_MAX;
        if matches!(error, ApiError::Gone { .. }) && !is_often {
            // An old version is forgotten now and then; a fresh listing mends it.
            self.source.counters.error(error.cause());
            return Some(Ended::Stream);
        }
        let ended = self
            .on_refused_request(Rule::WatchEndpointSlices, error)
            .await;
        ended.or(is_often.then_some(Ended::Stream))
    }

    /// A list or watch request failed: wait a little, and see what must be made anew.
    async fn on_refused_request(&mut self, rule: Rule, error: ApiError) -> Option<Ended> {
        let needs_client = error.needs_new_client();
        let retry_after = error.retry_after().unwrap_or_default();
        self.trouble(rule, error);
        if needs_client {
            return Some(Ended::Client);
        }
        self.pace.pause_at_least(retry_after).await;
        None
    }

    /// An audit was answered or failed; see whether the watch tells the same.
    async fn on_audit_done(&mut self, listed: Audit, client: &ApiClient) -> Option<Ended> {
        let interval = jittered(self.source.config.audit_interval);
        self.audit.again_at(Instant::now() + interval);
        let (listed, version) = match listed {
            Ok((listed, version)) => (listed, version.get()),
            Err(error) => {
                let needs_client = error.needs_new_client();
                self.trouble(Rule::ListEndpointSlices, error);
                return needs_client.then_some(Ended::Client);
            }
        };
        self.source.counters.audit();
        self.list_trouble = None;
        if !self.is_listed {
            return None;
        }
        if version < self.audit_floor {
            // The store itself went back, as after a restore: nothing that was followed counts.
            return Some(self.diverged());
        }
        self.newest = self.newest.max(version);
        self.deleted.retain(|_, deleted_at| *deleted_at > version);
        if self.store.has_missed(&listed, version, &self.deleted) {
            let until = Instant::now() + AUDIT_GRACE;
            self.missed = Some(Missed {
                listed,
                version,
                until,
            });
        } else {
            self.missed = None;
            self.publish(client).await;
        }
        None
    }

    /// The watch had its time to deliver what an audit saw; if it did not, it is frozen.
    fn on_grace_over(&mut self) -> Option<Ended> {
        let missed = self.missed.take()?;
        let Missed {
            listed, version, ..
        } = missed;
        let is_frozen = self.store.has_missed(&listed, version, &self.deleted);
        is_frozen.then(|| self.diverged())
    }

    fn diverged(&self) -> Ended {
        self.source.counters.divergence();
        let place = self.source.config.place();
        tracing::debug!(place, "the watch missed what a listing shows");
        Ended::Stream
    }

    /// Says what the store holds, if it is whole.
    async fn publish(&mut self, client: &ApiClient) {
        if !self.is_listed {
            return;
        }
        if self.store.is_empty() {
            // No slice at all: either nothing selects anybody, or there is no such Service.
            if let Err(error) = service_exists(&self.source, client).await {
                self.trouble(Rule::GetService, error);
                return;
            }
        }
        let seeds = match self.store.seeds(&self.source.config) {
            Ok(seeds) => seeds,
            Err(error) => {
                let error = self.listing_call().bad_slices(error);
                return self.trouble(Rule::ListEndpointSlices, error);
            }
        };
        let now = Instant::now();
        self.source.counters.confirmed(seeds.len(), now);
        self.list_trouble = None;
        self.audit_pace.reset();
        self.want_memory_of(&seeds, now);
        match &self.follow_trouble {
            None => self.feed.known(seeds, now),
            Some(error) => self.feed.unknown_after(seeds, now, error.clone()),
        }
    }

    /// Has the pods listed soon if one of them was never read.
    fn want_memory_of(&mut self, seeds: &SeedSet, now: Instant) {
        let memory = locked(&self.source.memory);
        let mut uids = seeds.iter().filter_map(|seed| seed.pod_uid.as_ref());
        if uids.any(|uid| !memory.holds(uid)) {
            let earliest = self.remembered_at.map(|at| at + REMEMBER_SPACING);
            self.memory.want_by(earliest.map_or(now, |at| at.max(now)));
        }
    }

    /// Counts an error and reports *unknown*; the last good set stays.
    fn trouble(&mut self, rule: Rule, error: ApiError) {
        self.source.counters.error(error.cause());
        let error = error.into_finder_error(&self.source.config);
        tracing::debug!(place = self.source.config.place(), %error, "finder does not know");
        self.feed.unknown(error.clone());
        if rule == Rule::WatchEndpointSlices {
            self.follow_trouble = Some(error);
        } else {
            self.list_trouble = Some(error);
            let pause = self.audit_pace.next();
            self.audit.want_by(Instant::now() + pause);
        }
    }
}

/// Waits until this moment; for ever if there is none.
async fn over(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
