//! The running parts of a cluster, kept by its supervisor, which as first process also collects
//! every orphan.
//!
//! One thread collects all ended processes, so nobody else here may wait for a child.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use super::arguments;
use super::constants::{PART_STOP_TIME_MAX, SWEEP_TIME_MAX};
use super::control::PartPhase;
use super::deadline::Deadline;
use super::part::Part;
use super::state_dir::StateDir;

/// All parts; cheap to share.
#[derive(Clone)]
pub(crate) struct Processes {
    shared: Arc<Shared>,
}

struct Shared {
    state: StateDir,
    toolchain: PathBuf,
    table: Mutex<Table>,
    changed: Condvar,
}

#[derive(Default)]
struct Table {
    parts: BTreeMap<Part, Run>,
    ending: bool,
    /// Nothing is left to collect; only said while ending.
    empty: bool,
}

/// One run of a part.
struct Run {
    pid: Pid,
    asked_to_end: bool,
    end: Option<String>,
}

/// How long to wait for a first child to collect, and for the end of a part, at a time.
const LOOK_PAUSE: Duration = Duration::from_millis(100);

impl Processes {
    /// No part runs yet. From here on every ended child is collected.
    pub(crate) fn start(state: StateDir, toolchain: PathBuf) -> Self {
        let shared = Arc::new(Shared {
            state,
            toolchain,
            table: Mutex::new(Table::default()),
            changed: Condvar::new(),
        });
        let collector = Arc::clone(&shared);
        thread::spawn(move || collector.collect());
        Self { shared }
    }

    pub(crate) fn phase(&self, part: Part) -> PartPhase {
        self.shared
            .table()
            .parts
            .get(&part)
            .map_or(PartPhase::NotStarted, Run::phase)
    }

    pub(crate) fn start_part(&self, part: Part) -> anyhow::Result<()> {
        let shared = &self.shared;
        // The lock is held over the start: the collector cannot meet a child it does not know.
        let mut table = shared.table();
        if table.ending {
            bail!("{part} is not started: the cluster is ending");
        }
        if table.parts.get(&part).is_some_and(|run| run.end.is_none()) {
            bail!("{part} runs already");
        }
        let log = shared.state.log(part);
        let output = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("{} cannot be opened", log.display()))?;
        let program = shared.toolchain.join(part.program());
        let child = Command::new(&program)
            .args(arguments::of(part, &shared.state))
            .env("PATH", PROGRAMS_PATH)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let pid = Pid::from_raw(i32::try_from(child.id())?);
        table.parts.insert(
            part,
            Run {
                pid,
                asked_to_end: false,
                end: None,
            },
        );
        shared.changed.notify_all();
        Ok(())
    }

    /// Asks a part to end, kills it if it does not, and waits until it is gone.
    pub(crate) fn stop_part(&self, part: Part) -> anyhow::Result<()> {
        if self.signal(part, Signal::SIGTERM) && !self.wait_for_end(part, PART_STOP_TIME_MAX) {
            self.signal(part, Signal::SIGKILL);
            if !self.wait_for_end(part, PART_STOP_TIME_MAX) {
                bail!("{part} does not end, not even when killed");
            }
        }
        Ok(())
    }

    /// Kills every process of the cluster and waits until all are gone.
    pub(crate) fn end_all(&self) {
        self.shared.table().ending = true;
        let deadline = Deadline::after(SWEEP_TIME_MAX);
        while !self.shared.table().empty {
            // For the first process of a namespace this means all others in it. None left is as
            // good.
            let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
            if !deadline.pause_for(LOOK_PAUSE) {
                break;
            }
        }
    }

    /// False when the part does not run.
    fn signal(&self, part: Part, signal: Signal) -> bool {
        let mut table = self.shared.table();
        let Some(run) = table.parts.get_mut(&part).filter(|run| run.end.is_none()) else {
            return false;
        };
        run.asked_to_end = true;
        // It is not collected yet, so the number is still its own.
        kill(run.pid, signal).is_ok()
    }

    fn wait_for_end(&self, part: Part, limit: Duration) -> bool {
        let deadline = Deadline::after(limit);
        loop {
            if self.phase(part) != PartPhase::Running {
                return true;
            }
            if !deadline.pause_for(LOOK_PAUSE) {
                return false;
            }
        }
    }
}

/// kubelet and containerd call `iptables`, `mount`, `conntrack` and others by name.
const PROGRAMS_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Run {
    fn phase(&self) -> PartPhase {
        match (&self.end, self.asked_to_end) {
            (None, _) => PartPhase::Running,
            (Some(_), true) => PartPhase::Stopped,
            (Some(how), false) => PartPhase::Ended(how.clone()),
        }
    }
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        // No change of the table can be cut in the middle, so a poisoned lock still guards a whole
        // one.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn collect(&self) {
        loop {
            match waitpid(None, None) {
                Ok(WaitStatus::Exited(pid, code)) => {
                    self.note_end(pid, format!("with code {code}"));
                }
                Ok(WaitStatus::Signaled(pid, signal, _)) => {
                    self.note_end(pid, format!("by {signal}"));
                }
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => {
                    let mut table = self.table();
                    table.empty = table.ending;
                    // A start notifies; the limit covers one between the call above and the lock.
                    drop(self.changed.wait_timeout(table, LOOK_PAUSE));
                }
            }
        }
    }

    fn note_end(&self, pid: Pid, how: String) {
        let mut table = self.table();
        if let Some(run) = table
            .parts
            .values_mut()
            .find(|run| run.pid == pid && run.end.is_none())
        {
            run.end = Some(how);
        }
    }
}
