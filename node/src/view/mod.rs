//! What the outside is told of a running node: one task asks it a few times a second, and probes,
//! metrics and page read what it found.
//!
//! | module | what it holds |
//! |---|---|
//! | [`sight`] | everything to be seen of a node at one moment |
//! | [`happening`] | what happened, line by line, the last few hundred |
//! | [`readiness`] | whether it is ready, alive, started, and why not |
//! | `tallies` | what is counted on the way |
//! | `traffic` | what users do with the services: open, refused, missed |
//! | `drawing`, `wording` | sights and happenings from what the node says of itself |
//! | `overheard` | what the finder told the node, without asking it once more |
//! | `knocking` | whether anything answers where a seed is listed |
//! | `lookout` | the task |

mod drawing;
mod knocking;
mod lookout;
mod overheard;
mod tallies;
mod wording;

pub(crate) mod traffic;

pub mod happening;
pub mod readiness;
pub mod sight;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use discovery_core::Finder;
use discovery_tcp::ring::Status;
use discovery_tcp::{DriverCounters, TcpDiscovery};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;

pub(crate) use drawing::phase_name;
pub use overheard::{Heard, Overheard};
pub use tallies::Tallies;
pub(crate) use tallies::{ACCUSATIONS, accusation_kind};
#[cfg(test)]
pub(crate) use tallies::{CHANGES, EVIDENCE};

use happening::Happenings;
use readiness::Readiness;
use sight::Sight;
use traffic::Traffic;

/// Longest wait for the protocol's loop to turn; a healthy one answers in microseconds.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// What was seen last, and what happened up to then.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// The node as it was seen last; none before the first look.
    pub sight: Option<Arc<Sight>>,
    /// What happened.
    pub happenings: Happenings,
    /// What was counted on the way.
    pub tallies: Tallies,
    /// Since when the protocol's loop has not answered, milliseconds since 1970; none while it
    /// does. What is seen is what it said before.
    pub unanswered_since: Option<i64>,
}

/// A running node as the outside sees it. Clones see the same node; the last one ends the task.
#[derive(Clone, Debug)]
pub struct NodeView {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    discovery: TcpDiscovery,
    looks: watch::Sender<Look>,
    heard: Heard,
    run: i64,
    traffic: Traffic,
    is_draining: AtomicBool,
    /// What has ended that should not have, in words.
    broken: OnceLock<String>,
    task: AbortHandle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl NodeView {
    /// Starts to look at a node. The finder is the one that the node was started with, as
    /// [`Overheard`], so that nothing is asked twice. Must be called inside a tokio runtime.
    pub fn start(discovery: TcpDiscovery, finder: Option<&Overheard>) -> Self {
        let looks = watch::Sender::new(Look::default());
        let heard = finder.map(Overheard::heard).unwrap_or_default();
        let finder = finder.map(|finder| Arc::clone(finder.finder()) as Arc<dyn Finder>);
        let task = lookout::start(discovery.clone(), looks.clone(), heard.clone(), finder);
        Self {
            inner: Arc::new(Inner {
                discovery,
                looks,
                heard,
                run: Timestamp::now().as_millisecond(),
                traffic: Traffic::default(),
                is_draining: AtomicBool::new(false),
                broken: OnceLock::new(),
                task,
            }),
        }
    }

    /// Names this run of the process: when it was first looked at, milliseconds since 1970.
    pub fn run(&self) -> i64 {
        self.inner.run
    }

    /// The node.
    pub fn discovery(&self) -> &TcpDiscovery {
        &self.inner.discovery
    }

    /// What is seen, as a watch; while anybody holds one, the finder is watched closely.
    pub fn looks(&self) -> watch::Receiver<Look> {
        self.inner.looks.subscribe()
    }

    /// What was seen last; never waits.
    pub fn look(&self) -> Look {
        self.inner.looks.borrow().clone()
    }

    /// What the finder said last.
    pub fn heard(&self) -> &Heard {
        &self.inner.heard
    }

    /// What users do with the node's services; its servers count here.
    pub(crate) fn traffic(&self) -> &Traffic {
        &self.inner.traffic
    }

    /// The node is about to go: it is not ready from now on, and may stop without being thought
    /// stuck.
    pub fn drain(&self) {
        self.inner.is_draining.store(true, Ordering::Relaxed);
    }

    /// Whether it is about to go.
    pub fn is_draining(&self) -> bool {
        self.inner.is_draining.load(Ordering::Relaxed)
    }

    /// Something that the node should do until it goes is over: it is neither ready nor alive from
    /// now on, so that it is started anew. Says what; the first one counts.
    pub fn break_down(&self, what: String) {
        // Only the first one is told.
        let _ = self.inner.broken.set(what);
    }

    /// What has broken down, unless the node is about to go anyway.
    fn broken(&self) -> Option<&str> {
        let broken = self.inner.broken.get().filter(|_| !self.is_draining());
        broken.map(String::as_str)
    }

    /// What the node says of itself now; none if its loop did not turn within [`ANSWER_LIMIT`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn status(&self) -> Option<Status> {
        timeout(ANSWER_LIMIT, self.discovery().status())
            .await
            .ok()?
            .ok()
    }

    /// What the driver has counted; never waits.
    pub fn counters(&self) -> DriverCounters {
        self.discovery().counters()
    }

    /// Whether the node may be given work.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn readiness(&self) -> Readiness {
        if let Some(what) = self.broken() {
            return Readiness::Not(what.to_owned());
        }
        match self.status().await {
            Some(status) => Readiness::of(&status, self.is_draining()),
            None if self.is_draining() => Readiness::Not("it is leaving".to_owned()),
            None => Readiness::Not(not_turning()),
        }
    }

    /// Whether the process is of any use, or should be started anew.
    ///
    /// # Errors
    ///
    /// With what is stuck.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn liveness(&self) -> Result<(), String> {
        if let Some(what) = self.broken() {
            return Err(what.to_owned());
        }
        if self.status().await.is_some() || self.is_draining() {
            return Ok(());
        }
        Err(not_turning())
    }
}

fn not_turning() -> String {
    let seconds = ANSWER_LIMIT.as_secs();
    format!("the protocol's loop has not turned for {seconds} s, or has ended")
}
