//! Hears what one node tells its users: `discovery-node events` beside the pods, each line kept with
//! the moment it came.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;

use crate::cluster::interrupt::{self, Guard};
use crate::stopwatch::Stopwatch;

/// One line of one node.
#[derive(Clone, Debug)]
pub(super) struct Told {
    /// When it came, on the suite's watch.
    pub(super) at: Duration,
    /// The pod that told it.
    pub(super) pod: String,
    /// Which follower heard it.
    pub(super) stream: usize,
    pub(super) event: Value,
}

/// Everything that any node told, in the order in which it came.
#[derive(Clone, Debug)]
pub(super) struct Notebook {
    watch: Stopwatch,
    lines: Arc<Mutex<Vec<Told>>>,
    /// How many followers there were.
    streams: Arc<AtomicUsize>,
}

impl Notebook {
    pub(super) fn new() -> Self {
        Self {
            watch: Stopwatch::start(),
            lines: Arc::default(),
            streams: Arc::default(),
        }
    }

    /// The moment, on the watch by which lines are noted.
    pub(super) fn now(&self) -> Duration {
        self.watch.elapsed()
    }

    /// What was told so far.
    pub(super) fn told(&self) -> Vec<Told> {
        self.lines().clone()
    }

    fn note(&self, pod: &str, stream: usize, line: &str) {
        // The node's own tests see to it that each line is JSON.
        let event = serde_json::from_str(line).unwrap_or(Value::Null);
        let (at, pod) = (self.now(), pod.to_owned());
        self.lines().push(Told {
            at,
            pod,
            stream,
            event,
        });
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Told>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running `discovery-node events`; ends with the node that it asks.
#[derive(Debug)]
pub(super) struct Follower {
    child: Child,
    /// Ends the program if a signal ends us.
    _guard: Guard,
}

impl Follower {
    /// Starts the program for one pod.
    pub(super) fn start(
        command: &mut Command,
        pod: &str,
        notebook: &Notebook,
    ) -> anyhow::Result<Self> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // A node that goes ends its stream; that is what the suite is about.
            .stderr(Stdio::null());
        let (mut child, _, guard) = interrupt::start_group(command)?;
        let stdout = child
            .stdout
            .take()
            .context("the follower has no standard output")?;
        let (pod, notebook) = (pod.to_owned(), notebook.clone());
        let stream = notebook.streams.fetch_add(1, Ordering::Relaxed);
        // Ends with the program's output.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                notebook.note(&pod, stream, &line);
            }
        });
        Ok(Self {
            child,
            _guard: guard,
        })
    }

    /// Whether it still follows.
    pub(super) fn is_following(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // It may have ended already; either way it is collected.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
