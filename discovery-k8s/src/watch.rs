//! One watch: kube's watcher folded into whole slice sets, audited by listings, recreated when it
//! diverges, and told apart in its troubles. What a set is made of is decided in `slices.rs`.
//!
//! A finding is *unknown* while the last listing failed or the watch cannot be started; a stream
//! that merely ended is renewed without a word. What was known stays the last good set.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use discovery_core::finders::SeedFeed;
use discovery_core::{FinderError, ResourceVersion};
use futures_util::future::{BoxFuture, OptionFuture};
use futures_util::{FutureExt, Stream, StreamExt};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::Api;
use kube::runtime::watcher::{self, Event};
use tokio::time::{Instant, sleep_until, timeout};

use crate::access::{ApiAccess, ApiClient};
use crate::config::KubeFinderConfig;
use crate::error::{ApiError, Call};
use crate::listing::{PAGE_OBJECTS, list_slices};
use crate::memory::remember_pods;
use crate::pace::{Pace, jittered};
use crate::pods::PodMemory;
use crate::rbac::Rule;
use crate::service::service_exists;
use crate::slices::{SLICES_MAX, Slice};
use crate::stats::Counters;
use crate::store::SliceStore;

/// How long a watch may take to deliver what an audit has seen already.
const AUDIT_GRACE: Duration = Duration::from_secs(1);

/// Failures to start the watch after which the stream is recreated: kube would go on asking from
/// the same version for ever.
const WATCH_START_FAILURES_MAX: u32 = 3;

/// What an audit listed that the watch has not delivered so far.
struct Missed {
    listed: SliceStore,
    version: u64,
    /// When the watch's time to deliver it is over.
    until: Instant,
}

/// What an audit listed.
type Audit = Result<(SliceStore, ResourceVersion), ApiError>;

type SliceStream = Pin<Box<dyn Stream<Item = watcher::Result<Event<EndpointSlice>>> + Send>>;

/// What every watch of a finder shares.
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
    let mut watch = Watch {
        pace: Pace::new(source.config.retry_pause, source.config.retry_pause_max),
        audit_pace: Pace::new(source.config.retry_pause, source.config.retry_pause_max),
        source,
        feed,
        store: SliceStore::default(),
        deleted: BTreeMap::new(),
        is_listed: false,
        list_trouble: None,
        follow_trouble: None,
        start_failures: 0,
    };
    loop {
        let call = watch.source.slices_call(Rule::ListEndpointSlices);
        match watch
            .source
            .access
            .client(&call, &watch.source.counters)
            .await
        {
            Ok(client) => watch.run_client(&client).await,
            Err(error) => watch.trouble(Rule::ListEndpointSlices, error),
        }
        watch.source.counters.client_rebuild();
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
    /// Whether the store holds a whole listing, so that it may be published.
    is_listed: bool,
    list_trouble: Option<FinderError>,
    follow_trouble: Option<FinderError>,
    start_failures: u32,
    /// Between attempts of the stream or the client.
    pace: Pace,
    /// Between audits while a listing is what is missing.
    audit_pace: Pace,
}

impl Watch {
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
        let mut audit: OptionFuture<BoxFuture<'static, Audit>> = None.into();
        let mut audit_at = Instant::now() + jittered(self.source.config.audit_interval);
        let mut is_auditing = false;
        let mut missed: Option<Missed> = None;
        loop {
            let grace_over = missed
                .as_ref()
                .map_or_else(Instant::now, |missed| missed.until);
            let ended = tokio::select! {
                event = stream.next() => self.on_event(&mut stream, event, client).await,
                () = client.watch_opened.notified() => { self.on_watch_opened(&mut stream); None }
                Some(listed) = &mut audit => {
                    audit = None.into();
                    is_auditing = false;
                    stream.retries_soon = false;
                    audit_at = Instant::now() + jittered(self.source.config.audit_interval);
                    match listed {
                        Ok((listed, version)) => {
                            missed = self.on_audit(listed, version, client).await;
                            None
                        }
                        Err(error) => self.on_failed_listing(error),
                    }
                }
                () = sleep_until(audit_at), if !is_auditing => {
                    audit = Some(self.start_audit(client)).into();
                    is_auditing = true;
                    None
                }
                () = sleep_until(grace_over), if missed.is_some() => {
                    missed.take().and_then(|missed| self.on_grace_over(&missed))
                }
            };
            if let Some(pause) = self.next_audit_in(&mut stream) {
                audit_at = audit_at.min(Instant::now() + pause);
            }
            if let Some(ended) = ended {
                return ended;
            }
        }
    }

    /// How soon an audit is due, if sooner than at its interval: after a resumed watch at once, and
    /// while a listing is what is missing at the pace of retries.
    fn next_audit_in(&mut self, stream: &mut Follow) -> Option<Duration> {
        if std::mem::take(&mut stream.wants_audit) {
            return Some(Duration::ZERO);
        }
        let is_due = self.is_listed && self.list_trouble.is_some() && !stream.retries_soon;
        stream.retries_soon = self.list_trouble.is_some();
        is_due.then(|| self.audit_pace.next())
    }

    fn start_audit(&self, client: &ApiClient) -> BoxFuture<'static, Audit> {
        let (source, client) = (self.source.clone(), client.clone());
        async move {
            let call = source.slices_call(Rule::ListEndpointSlices);
            let (api, labels) = (source.slices(&client), source.labels());
            let slices = list_slices(&api, &labels, &call);
            let (slices, ()) = tokio::join!(slices, remember_pods(&source, &client));
            slices
        }
        .boxed()
    }

    /// One item of the stream; `None` from it means that a listing hung.
    async fn on_event(
        &mut self,
        stream: &mut Follow,
        event: Option<watcher::Result<Event<EndpointSlice>>>,
        client: &ApiClient,
    ) -> Option<Ended> {
        match event {
            None => {
                let error = self
                    .source
                    .slices_call(Rule::ListEndpointSlices)
                    .timed_out();
                self.trouble(Rule::ListEndpointSlices, error);
                Some(Ended::Stream)
            }
            Some(Ok(event)) => match self.fold(stream, event) {
                Ok(true) => {
                    self.publish(client).await;
                    None
                }
                Ok(false) => None,
                Err(error) => {
                    self.trouble(Rule::ListEndpointSlices, error);
                    Some(Ended::Stream)
                }
            },
            Some(Err(error)) => self.on_stream_error(stream, error).await,
        }
    }

    /// Folds one event; true if the store then holds something to publish.
    fn fold(&mut self, stream: &mut Follow, event: Event<EndpointSlice>) -> Result<bool, ApiError> {
        let read = |object: &EndpointSlice| {
            let call = self.source.slices_call(Rule::ListEndpointSlices);
            Slice::read(object).map_err(|error| call.bad_slices(error))
        };
        match event {
            Event::Init => {
                stream.listing = Some(SliceStore::default());
                return Ok(false);
            }
            Event::InitApply(object) => {
                let slice = read(&object)?;
                self.source.counters.slice_event();
                if let Some(listing) = &mut stream.listing {
                    listing.put(slice);
                }
                return Ok(false);
            }
            Event::InitDone => {
                self.store = stream.listing.take().unwrap_or_default();
                self.deleted.clear();
                self.is_listed = true;
                self.list_trouble = None;
            }
            Event::Apply(object) => {
                let slice = read(&object)?;
                self.source.counters.slice_event();
                self.deleted.remove(slice.name());
                self.store.put(slice);
            }
            Event::Delete(object) => {
                let version = object
                    .metadata
                    .resource_version
                    .as_deref()
                    .unwrap_or_default();
                let version = version.parse().unwrap_or(0);
                self.source.counters.slice_event();
                let name = object.metadata.name.as_deref().unwrap_or_default();
                self.store.remove(name);
                if self.deleted.len() >= SLICES_MAX {
                    // What is forgotten can only make an audit list once more than it had to.
                    self.deleted.pop_first();
                }
                self.deleted.insert(name.to_owned(), version);
            }
        }
        if stream.listing.is_none() {
            self.pace.reset();
        }
        Ok(true)
    }

    /// A watch request was answered: what the stream last delivered is the state of now.
    fn on_watch_opened(&mut self, stream: &mut Follow) {
        if stream.is_opened {
            self.source.counters.watch_restart();
        }
        stream.is_opened = true;
        self.start_failures = 0;
        self.pace.reset();
        if self.follow_trouble.take().is_some() {
            // Nothing tells when a resumed watch has caught up; a listing does.
            stream.wants_audit = true;
        }
    }

    async fn on_stream_error(
        &mut self,
        stream: &mut Follow,
        error: watcher::Error,
    ) -> Option<Ended> {
        let listing = self.source.slices_call(Rule::ListEndpointSlices);
        let watching = self.source.slices_call(Rule::WatchEndpointSlices);
        let (rule, error) = match error {
            watcher::Error::InitialListFailed(error) => {
                (Rule::ListEndpointSlices, listing.failed(&error))
            }
            watcher::Error::WatchStartFailed(error) => {
                (Rule::WatchEndpointSlices, watching.failed(&error))
            }
            // kube lists anew by itself; nothing is unknown in between.
            watcher::Error::WatchError(status) if status.code == 410 => {
                self.source.counters.watch_restart();
                self.pace.pause().await;
                return None;
            }
            watcher::Error::WatchError(status) => {
                (Rule::WatchEndpointSlices, watching.refused(&status))
            }
            watcher::Error::WatchFailed(error) => match watching.failed(&error) {
                // The connection broke. kube resumes it; should that fail, it will be heard of.
                ApiError::Unreachable { .. } => {
                    stream.wants_audit = true;
                    return None;
                }
                // An event was lost with it, so the stream no longer knows the state.
                error => {
                    self.trouble(Rule::WatchEndpointSlices, error);
                    return Some(Ended::Stream);
                }
            },
            watcher::Error::NoResourceVersion => {
                let error = watching.malformed("an event without metadata.resourceVersion");
                self.trouble(Rule::WatchEndpointSlices, error);
                return Some(Ended::Stream);
            }
        };
        self.on_refused_request(rule, error).await
    }

    /// A list or watch request failed: wait a little, and see what must be made anew.
    async fn on_refused_request(&mut self, rule: Rule, error: ApiError) -> Option<Ended> {
        let is_gone = matches!(error, ApiError::Gone { .. });
        let needs_client = error.is_about_credentials();
        let retry_after = error.retry_after();
        if rule == Rule::WatchEndpointSlices {
            self.start_failures += 1;
        }
        if is_gone {
            self.source.counters.error(error.cause());
            return Some(Ended::Stream);
        }
        self.trouble(rule, error);
        if needs_client {
            return Some(Ended::Client);
        }
        if self.start_failures >= WATCH_START_FAILURES_MAX {
            self.start_failures = 0;
            return Some(Ended::Stream);
        }
        self.pace
            .pause_at_least(retry_after.unwrap_or_default())
            .await;
        None
    }

    fn on_failed_listing(&mut self, error: ApiError) -> Option<Ended> {
        let needs_client = error.is_about_credentials();
        self.trouble(Rule::ListEndpointSlices, error);
        needs_client.then_some(Ended::Client)
    }

    /// An audit was answered; returns what it listed and a moment if the watch seems to lag.
    async fn on_audit(
        &mut self,
        listed: SliceStore,
        version: ResourceVersion,
        client: &ApiClient,
    ) -> Option<Missed> {
        self.source.counters.audit();
        self.list_trouble = None;
        if !self.is_listed {
            return None;
        }
        let version = version.get();
        self.deleted.retain(|_, deleted_at| *deleted_at > version);
        if !self.store.has_missed(&listed, version, &self.deleted) {
            self.publish(client).await;
            return None;
        }
        Some(Missed {
            listed,
            version,
            until: Instant::now() + AUDIT_GRACE,
        })
    }

    /// The watch had its time to deliver what an audit saw; if it did not, it is frozen.
    fn on_grace_over(&mut self, missed: &Missed) -> Option<Ended> {
        if !self
            .store
            .has_missed(&missed.listed, missed.version, &self.deleted)
        {
            return None;
        }
        self.source.counters.divergence();
        tracing::debug!(
            place = self.source.config.place(),
            "the watch missed what a listing shows"
        );
        Some(Ended::Stream)
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
        let call = self.source.slices_call(Rule::ListEndpointSlices);
        let seeds = match self.store.seeds(&self.source.config) {
            Ok(seeds) => seeds,
            Err(error) => return self.trouble(Rule::ListEndpointSlices, call.bad_slices(error)),
        };
        let now = Instant::now();
        self.source.counters.confirmed(seeds.len(), now);
        self.list_trouble = None;
        self.audit_pace.reset();
        match &self.follow_trouble {
            None => self.feed.known(seeds, now),
            Some(error) => self.feed.unknown_after(seeds, now, error.clone()),
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
        }
    }
}

/// kube's stream with what is known of its state.
struct Follow {
    stream: SliceStream,
    /// The listing that is being delivered, from `Init` to `InitDone`.
    listing: Option<SliceStore>,
    /// Whether a watch request was answered, so that silence is no fault.
    is_opened: bool,
    /// Whether a listing is wanted now.
    wants_audit: bool,
    /// Whether the audit at the pace of retries is arranged already.
    retries_soon: bool,
    deadline: Duration,
}

impl Follow {
    fn new(source: &Source, client: &ApiClient) -> Self {
        // Whole seconds are what the API takes; the configuration was checked to be below 295.
        let seconds = u32::try_from(source.config.watch_timeout.as_secs()).unwrap_or(60);
        let config = watcher::Config::default()
            .labels(&source.labels())
            .timeout(seconds)
            .page_size(PAGE_OBJECTS);
        Self {
            stream: Box::pin(watcher::watcher(source.slices(client), config)),
            listing: None,
            is_opened: false,
            wants_audit: false,
            retries_soon: false,
            deadline: source.config.request_deadline,
        }
    }

    /// The next item; `None` if a listing did not go on within the deadline.
    async fn next(&mut self) -> Option<watcher::Result<Event<EndpointSlice>>> {
        // kube's own idle limit bounds a quiet watch; a quiet listing is bounded by nobody.
        if self.is_opened && self.listing.is_none() {
            self.stream.next().await
        } else {
            timeout(self.deadline, self.stream.next())
                .await
                .ok()
                .flatten()
        }
    }
}
