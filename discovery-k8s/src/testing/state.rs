//! What all tasks of one scripted server share, and how they and the test wait for its changes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::ScriptError;
use super::access::Access;
use super::faults::FaultBook;
use super::request::{Recorded, Resource};
use super::store::Store;

/// Most requests that are kept for inspection; the oldest are forgotten, and still counted.
pub const RECORDED_MAX: usize = 10_000;

/// Longest that a test waits for something to happen on the server, unless it says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Everything that changes.
#[derive(Debug)]
pub(super) struct State {
    pub(super) store: Store,
    pub(super) faults: FaultBook,
    pub(super) access: Access,
    pub(super) requests: VecDeque<Recorded>,
    pub(super) requests_forgotten: u64,
    pub(super) open_watches: BTreeMap<Resource, usize>,
    pub(super) bookmarks_asked: u64,
}

impl State {
    pub(super) fn record(&mut self, request: Recorded) {
        self.requests.push_back(request);
        if self.requests.len() > RECORDED_MAX {
            self.requests.pop_front();
            self.requests_forgotten += 1;
        }
    }
}

/// The state with its pulses.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    pulse: watch::Sender<u64>,
    connections: watch::Sender<u64>,
}

impl Shared {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                store: Store::new(),
                faults: FaultBook::default(),
                access: Access::default(),
                requests: VecDeque::new(),
                requests_forgotten: 0,
                open_watches: BTreeMap::new(),
                bookmarks_asked: 0,
            }),
            pulse: watch::Sender::new(0),
            connections: watch::Sender::new(0),
        }
    }

    /// Reads, or changes without telling anybody.
    pub(super) fn look(&self) -> MutexGuard<'_, State> {
        // A test that panicked holding the lock left nothing half done: every change is one call.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes, and wakes everybody who waits.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let done = change(&mut self.look());
        self.pulse.send_modify(|pulse| *pulse += 1);
        done
    }

    /// Hears of every change from now on.
    pub(super) fn pulse(&self) -> watch::Receiver<u64> {
        self.pulse.subscribe()
    }

    /// Hears when all connections are to be cut.
    pub(super) fn cuts(&self) -> watch::Receiver<u64> {
        self.connections.subscribe()
    }

    pub(super) fn cut_connections(&self) {
        self.connections.send_modify(|cuts| *cuts += 1);
    }

    /// Waits until `found` finds something.
    pub(super) async fn until<T>(
        &self,
        what: &str,
        patience: Duration,
        mut found: impl FnMut(&State) -> Option<T>,
    ) -> Result<T, ScriptError> {
        let mut pulse = self.pulse();
        let found = async {
            loop {
                pulse.borrow_and_update();
                if let Some(found) = found(&self.look()) {
                    return Some(found);
                }
                pulse.changed().await.ok()?;
            }
        };
        match tokio::time::timeout(patience, found).await {
            Ok(Some(found)) => Ok(found),
            // The sender lives as long as `self`.
            Ok(None) | Err(_) => Err(ScriptError::Impatient {
                what: what.to_owned(),
                patience,
            }),
        }
    }
}
