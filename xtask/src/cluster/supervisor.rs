//! The first process inside a cluster's namespaces: starts and stops parts when asked, ends with
//! its owner.
//!
//! When it ends, the kernel ends every process of the cluster; it decides nothing by itself and
//! restarts nothing.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use anyhow::{Context, bail};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::cgroups;
use super::constants::{CONTROL_BYTES_MAX, CONTROL_TIME_MAX};
use super::control::{Request, phase_line};
use super::mounts;
use super::namespaces;
use super::part::Part;
use super::processes::Processes;
use super::progress::note;
use super::state_dir::StateDir;

/// Serves the cluster in `root` until it is told to end or its owner is gone.
pub(crate) fn run(root: &Path, toolchain: &Path) -> anyhow::Result<()> {
    if std::process::id() != 1 {
        bail!("only `cluster up` and `e2e` start a supervisor, in namespaces of its own");
    }
    let state = StateDir::at(root);
    let served = serve(&state, toolchain);
    if state.data().exists() {
        // What failed before the mount was made has left nothing to unmount.
        let _ = mounts::detach(&state.data());
    }
    cgroups::remove(&state.cgroup(), &state.switched_controllers())?;
    match served? {
        // Who asked removes the rest, and may wish to read the logs before.
        Reason::Asked => Ok(()),
        Reason::Signal | Reason::OwnerGone => state.remove(),
    }
}

/// Why a cluster ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Asked,
    Signal,
    OwnerGone,
}

fn serve(state: &StateDir, toolchain: &Path) -> anyhow::Result<Reason> {
    let (ends, ended) = sync_channel(1);
    end_on_signal(ends.clone())?;
    namespaces::set_up(state)?;
    let processes = Processes::start(state.clone(), toolchain.to_owned());
    let detached = Arc::new(AtomicBool::new(false));
    end_with_owner(ends.clone(), Arc::clone(&detached));
    let socket = state.control_socket();
    let listener = UnixListener::bind(&socket)
        .with_context(|| format!("{} cannot be listened at", socket.display()))?;
    let desk = Desk {
        processes: processes.clone(),
        detached,
        ends,
    };
    thread::spawn(move || desk.answer_all(&listener));
    // An error means that nobody is left who could tell, which is a reason to end as well.
    let reason = ended.recv().unwrap_or(Reason::OwnerGone);
    note(&format!("ending: {reason:?}"));
    processes.end_all();
    Ok(reason)
}

fn end_on_signal(ends: SyncSender<Reason>) -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT]).context("signals cannot be awaited")?;
    thread::spawn(move || {
        if signals.forever().next().is_some() {
            // A full channel holds a reason already.
            let _ = ends.try_send(Reason::Signal);
        }
    });
    Ok(())
}

/// Standard input is a pipe that its owner never writes to: its end is the owner's end.
fn end_with_owner(ends: SyncSender<Reason>, detached: Arc<AtomicBool>) {
    thread::spawn(move || {
        let mut byte = [0_u8];
        let _ = std::io::stdin().read(&mut byte);
        if !detached.load(Ordering::SeqCst) {
            let _ = ends.try_send(Reason::OwnerGone);
        }
    });
}

/// Answers requests, one at a time.
struct Desk {
    processes: Processes,
    detached: Arc<AtomicBool>,
    ends: SyncSender<Reason>,
}

impl Desk {
    fn answer_all(&self, listener: &UnixListener) {
        for stream in listener.incoming().flatten() {
            if let Err(error) = self.answer(&stream) {
                note(&format!("a request got no answer: {error:#}"));
            }
        }
    }

    fn answer(&self, mut stream: &UnixStream) -> anyhow::Result<()> {
        stream.set_read_timeout(Some(CONTROL_TIME_MAX))?;
        stream.set_write_timeout(Some(CONTROL_TIME_MAX))?;
        let mut line = String::new();
        BufReader::new(stream.take(CONTROL_BYTES_MAX)).read_line(&mut line)?;
        let answer = match line.parse().and_then(|request| self.act(request)) {
            Ok(text) => format!("ok\n{text}"),
            Err(error) => format!("failed\n{error:#}\n"),
        };
        stream.write_all(answer.as_bytes())?;
        Ok(())
    }

    fn act(&self, request: Request) -> anyhow::Result<String> {
        match request {
            Request::Start(part) => self.processes.start_part(part)?,
            Request::Stop(part) => self.processes.stop_part(part)?,
            Request::Status => return Ok(self.status()),
            Request::Detach => self.detached.store(true, Ordering::SeqCst),
            Request::Shutdown => {
                let _ = self.ends.try_send(Reason::Asked);
            }
        }
        Ok(String::new())
    }

    fn status(&self) -> String {
        Part::ALL
            .map(|part| format!("{}\n", phase_line(part, &self.processes.phase(part))))
            .concat()
    }
}
