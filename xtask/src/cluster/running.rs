//! A cluster of this machine that runs: what can be asked of it, and its end.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::constants::{
    API_READY_TIME_MAX, CONTAINERD_NAMESPACE, IMPORT_TIME_MAX, KUBECTL_PROBE_TIME_MAX,
    KUBECTL_TIME_MAX, LOG_TAIL_BYTES, LOG_TAIL_LINES, NODE_IP, SHUTDOWN_TIME_MAX,
};
use super::control::{self, PartPhase, Request};
use super::deadline::Deadline;
use super::interrupt::Guard;
use super::part::Part;
use super::process_id::ProcessId;
use super::program;
use super::state_dir::{Record, StateDir};
use super::{cgroups, progress};

/// A local cluster. One that was started here ends when this is dropped, also in a panic; when this
/// process is killed, the cluster notices and ends by itself.
#[derive(Debug)]
pub(crate) struct Cluster {
    state: StateDir,
    record: Record,
    owned: Option<Owned>,
}

/// What an owner holds.
#[derive(Debug)]
pub(crate) struct Owned {
    /// The program that holds the namespaces; the pipe to its standard input is the sign of life.
    pub(crate) holder: Child,
    pub(crate) guard: Guard,
}

impl Cluster {
    pub(crate) fn new(state: StateDir, record: Record, owned: Owned) -> Self {
        Self {
            state,
            record,
            owned: Some(owned),
        }
    }

    /// The running cluster of another process.
    pub(crate) fn find(label: &str) -> Option<Self> {
        let state = StateDir::of(label);
        let record = state.running()?;
        Some(Self {
            state,
            record,
            owned: None,
        })
    }

    /// Access to the API from inside the cluster's network namespace; everything is allowed.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.state.kubeconfig()
    }

    /// What tells it from other clusters of this machine.
    pub(crate) fn label(&self) -> String {
        self.state.label()
    }

    pub(crate) fn logs_dir(&self) -> PathBuf {
        self.state.logs()
    }

    /// The address of the one node.
    #[expect(
        clippy::unused_self,
        reason = "every cluster has the same; a caller need not know"
    )]
    pub(crate) fn node_ip(&self) -> &'static str {
        NODE_IP
    }

    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// Runs kubectl as administrator; fails unless it succeeds within a minute.
    pub(crate) fn kubectl<S: AsRef<OsStr>>(&self, arguments: &[S]) -> anyhow::Result<String> {
        self.kubectl_within(arguments, KUBECTL_TIME_MAX)
    }

    /// Like [`Cluster::kubectl`] with a limit of the caller's.
    pub(crate) fn kubectl_within<S: AsRef<OsStr>>(
        &self,
        arguments: &[S],
        limit: Duration,
    ) -> anyhow::Result<String> {
        program::output(self.kubectl_command().args(arguments), limit)
    }

    /// kubectl as administrator, to be given arguments.
    ///
    /// It enters the network only: paths mean what they mean outside, and it can be killed
    /// directly.
    pub(crate) fn kubectl_command(&self) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--target={}", self.record.inside.pid))
            .arg("--net")
            .arg("--")
            .arg(self.record.toolchain.join("kubectl"))
            .env("KUBECONFIG", self.kubeconfig());
        command
    }

    /// A command that runs `program` inside the cluster's namespaces (network, mounts, processes).
    ///
    /// It ends with the cluster, and when the command itself is killed. Its working directory is
    /// the root folder. Addresses of pods and of the API are reached from it as from the node.
    pub(crate) fn enter(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--target={}", self.record.inside.pid))
            .args(["--net", "--mount", "--pid", "--"])
            // The program is a child of nsenter: without this it would outlive its own command.
            .args(["setpriv", "--pdeathsig", "KILL"])
            .arg(program)
            .env("KUBECONFIG", self.kubeconfig());
        command
    }

    /// Loads an OCI archive; pods find its image with `imagePullPolicy: Never`.
    pub(crate) fn import_image(&self, archive: &Path) -> anyhow::Result<()> {
        let archive = std::path::absolute(archive)?;
        let mut command = self.ctr();
        command.args(["images", "import", "--local"]).arg(&archive);
        program::output(&mut command, IMPORT_TIME_MAX)
            .with_context(|| format!("{} cannot be imported", archive.display()))?;
        Ok(())
    }

    /// containerd's own tool, in the namespace of kubelet's containers, to be given arguments.
    pub(crate) fn ctr(&self) -> Command {
        let mut command = self.enter(self.record.toolchain.join("ctr"));
        command
            .arg("--address")
            .arg(self.state.containerd_socket())
            .args(["--namespace", CONTAINERD_NAMESPACE]);
        command
    }

    /// Ends the API server's process, as a restart of it does: it is asked to, goes on serving what
    /// watches it has, and is killed after 5 s. Then every connection to it is broken.
    ///
    /// The scheduler is ended first: it would end by itself, and count as broken, once it cannot
    /// renew its lease.
    pub(crate) fn stop_apiserver(&self) -> anyhow::Result<()> {
        self.stop_part(Part::Scheduler)?;
        self.stop_part(Part::ApiServer)
    }

    /// Starts the API server anew, waits until it answers, and starts what was ended with it.
    pub(crate) fn start_apiserver(&self) -> anyhow::Result<()> {
        self.start_part(Part::ApiServer)?;
        self.wait_for_api()?;
        self.start_part(Part::Scheduler)
    }

    pub(crate) fn start_part(&self, part: Part) -> anyhow::Result<()> {
        self.ask(Request::Start(part)).map(drop)
    }

    pub(crate) fn stop_part(&self, part: Part) -> anyhow::Result<()> {
        self.ask(Request::Stop(part)).map(drop)
    }

    pub(crate) fn phases(&self) -> anyhow::Result<Vec<(Part, PartPhase)>> {
        control::phases(&self.state.control_socket())
    }

    /// Fails with the end of its log if a part has ended by itself.
    pub(crate) fn check_parts(&self) -> anyhow::Result<()> {
        for (part, phase) in self.phases()? {
            if let PartPhase::Ended(how) = phase {
                bail!(
                    "{part} has ended {how}; the end of its log:\n{}",
                    self.log_tail(part)
                );
            }
        }
        Ok(())
    }

    /// Waits until the API server says that it is ready.
    pub(crate) fn wait_for_api(&self) -> anyhow::Result<()> {
        let deadline = Deadline::after(API_READY_TIME_MAX);
        loop {
            let asked = self.kubectl_within(&["get", "--raw", "/readyz"], KUBECTL_PROBE_TIME_MAX);
            let Err(error) = asked else { return Ok(()) };
            self.check_parts()?;
            if !deadline.pause() {
                return Err(error).with_context(|| {
                    let tail = self.log_tail(Part::ApiServer);
                    format!(
                        "the API is not ready after {API_READY_TIME_MAX:?}; its log ends:\n{tail}"
                    )
                });
            }
        }
    }

    /// The last lines a part has logged.
    pub(crate) fn log_tail(&self, part: Part) -> String {
        log_tail(&self.state.log(part))
    }

    /// Lets the cluster live on when this process ends.
    pub(crate) fn detach(mut self) -> anyhow::Result<()> {
        self.ask(Request::Detach)?;
        self.owned = None;
        Ok(())
    }

    /// Ends the cluster and removes every trace of it.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        self.end()
    }

    fn end(&mut self) -> anyhow::Result<()> {
        let owned = self.owned.take();
        let ended = end(&self.state, Some(self.record.holder));
        if let Some(mut owned) = owned {
            // It has ended above, or cannot be ended; either way nothing is awaited here.
            let _ = owned.holder.try_wait();
            drop(owned.guard);
        }
        ended
    }

    fn ask(&self, request: Request) -> anyhow::Result<String> {
        control::ask(&self.state.control_socket(), request)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.owned.is_some()
            && let Err(error) = self.end()
        {
            progress::note(&format!("the cluster was not ended cleanly: {error:#}"));
        }
    }
}

/// Ends the cluster of `state` by every means, one after the other, and removes its traces.
///
/// May be called again, by anyone, also when the cluster is long gone.
pub(crate) fn end(state: &StateDir, holder: Option<ProcessId>) -> anyhow::Result<()> {
    if let Some(holder) = holder.filter(|holder| holder.is_alive()) {
        // If it cannot be asked any more, it is killed below.
        let _ = control::ask(&state.control_socket(), Request::Shutdown);
        if !wait_for_end(holder, SHUTDOWN_TIME_MAX) {
            // The kernel ends every process of the namespaces with it.
            let _ = kill(Pid::from_raw(i32::try_from(holder.pid)?), Signal::SIGKILL);
            if !wait_for_end(holder, SHUTDOWN_TIME_MAX) {
                bail!(
                    "process {} holds the cluster and cannot be killed",
                    holder.pid
                );
            }
        }
    }
    cgroups::remove(&state.cgroup(), &state.switched_controllers())?;
    state.remove()
}

fn wait_for_end(process: ProcessId, limit: Duration) -> bool {
    let deadline = Deadline::after(limit);
    while process.is_alive() {
        if !deadline.pause() {
            return false;
        }
    }
    true
}

/// The last lines of a log, or why they cannot be read.
pub(crate) fn log_tail(log: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(log)?;
        let bytes = file.metadata()?.len();
        file.seek(SeekFrom::Start(bytes.saturating_sub(LOG_TAIL_BYTES)))?;
        let mut text = Vec::new();
        file.take(LOG_TAIL_BYTES).read_to_end(&mut text)?;
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        Ok(lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n"))
    };
    read().unwrap_or_else(|error| format!("{} cannot be read: {error}", log.display()))
}
