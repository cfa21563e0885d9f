//! A finder of our own beside the pods: runs through a whole suite, asked for its newest line.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, bail};

use super::sighting::{self, Sighting};
use crate::cluster::interrupt::{self, Guard};

/// A running `discovery-node seeds --watch --json`.
#[derive(Debug)]
pub(super) struct Observer {
    child: Child,
    newest: Arc<Mutex<Option<String>>>,
    /// Ends the program if a signal ends us.
    _guard: Guard,
}

impl Observer {
    /// Starts the program.
    pub(super) fn start(command: &mut Command) -> anyhow::Result<Self> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let (mut child, _, guard) = interrupt::start_group(command)?;
        let stdout = child
            .stdout
            .take()
            .context("the observer has no standard output")?;
        let newest = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&newest);
        // Ends with the program's output.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
            }
        });
        Ok(Self {
            child,
            newest,
            _guard: guard,
        })
    }

    /// What it said last; nothing before its first line.
    pub(super) fn sighting(&mut self) -> anyhow::Result<Option<Sighting>> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the observer has ended by itself: {status}");
        }
        let newest = self
            .newest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        newest.as_deref().map(sighting::read).transpose()
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        // It may have ended already; either way it is collected.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
