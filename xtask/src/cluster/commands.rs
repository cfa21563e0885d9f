//! `cargo xtask cluster …`: the cluster a person keeps for a while.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, File, TryLockError};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use super::constants::{CONTAINERD_VERSION, ETCD_VERSION, KUBERNETES_VERSION, UP_LABEL};
use super::control::PartPhase;
use super::part::Part;
use super::prerequisites::{self, Install};
use super::process_id::ProcessId;
use super::progress::{note, say};
use super::running::{self, Cluster};
use super::start::ClusterOptions;
use super::state_dir::StateDir;
use super::toolchain::cache_dir;
use super::{cgroups, supervisor};

/// Start, look at and end a local Kubernetes of one node (Linux, root).
///
/// It is the real thing: API server, controllers, scheduler, kubelet, kube-proxy, etcd and containerd, built
/// once from Go modules (about a quarter of an hour, cached in ~/.cache/discovery-xtask, or where
/// `DISCOVERY_XTASK_CACHE` says) and run in namespaces of their own: no address, mount, rule or process of it is
/// seen outside, and nothing of it stays.
#[derive(Debug, Args)]
pub(crate) struct ClusterCommand {
    #[command(subcommand)]
    action: Action,
    /// Which cluster: the one of `up`, or one that a test run has kept.
    #[arg(long, global = true, default_value = UP_LABEL)]
    name: String,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Start it and wait until its node is Ready.
    Up(UpOptions),
    /// End it and remove every trace, also of clusters whose owner was killed.
    Down,
    /// Tell whether it runs, how its parts stand and how to use it.
    Status,
    /// Run kubectl on it: `cargo xtask cluster kubectl get pods -A`.
    Kubectl(KubectlOptions),
    /// Load an OCI archive, such as `cargo xtask image` makes.
    Load {
        /// The archive.
        archive: PathBuf,
    },
    /// End one part of it, to see what happens without: `cargo xtask cluster stop kube-apiserver`.
    Stop { part: Part },
    /// Start a part that was ended.
    Start { part: Part },
    /// Runs inside the namespaces; started by `up` and `e2e`.
    #[command(hide = true)]
    Supervise {
        #[arg(long)]
        state: PathBuf,
        #[arg(long)]
        toolchain: PathBuf,
    },
}

#[derive(Debug, Args)]
struct UpOptions {
    /// Install missing Debian packages with apt-get; always so where CI=true.
    #[arg(long)]
    install: bool,
}

#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
struct KubectlOptions {
    /// What kubectl is given.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Does what the command line asks.
pub(crate) fn run(command: &ClusterCommand) -> anyhow::Result<ExitCode> {
    match &command.action {
        Action::Up(options) => up(options)?,
        Action::Down => down()?,
        Action::Status => return status(&command.name),
        Action::Kubectl(options) => return kubectl(&command.name, options),
        Action::Load { archive } => found(&command.name)?.import_image(archive)?,
        Action::Stop { part } => found(&command.name)?.stop_part(*part)?,
        Action::Start { part } => found(&command.name)?.start_part(*part)?,
        Action::Supervise { state, toolchain } => supervisor::run(state, toolchain)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn up(options: &UpOptions) -> anyhow::Result<()> {
    prerequisites::check_machine()?;
    let _lock = lock()?;
    let state = StateDir::of(UP_LABEL);
    if state.running().is_some() {
        note("the cluster runs already; `cargo xtask cluster status` tells how to use it");
        return Ok(());
    }
    // What an earlier one may have left behind would be in the way.
    running::end(&state, None)?;
    let cluster = Cluster::start(&ClusterOptions {
        label: UP_LABEL.to_owned(),
        install: Install::from_flag(options.install),
        back_off_max: None,
    })?;
    cluster.detach()?;
    note("use it with `cargo xtask cluster kubectl …`, end it with `cargo xtask cluster down`");
    Ok(())
}

fn down() -> anyhow::Result<()> {
    prerequisites::check_machine()?;
    let _lock = lock()?;
    let mut ended = 0;
    for state in states() {
        // What a living test run has started, it ends itself.
        if state.label() == UP_LABEL || !has_living_owner(&state) {
            running::end(&state, state.read_record().map(|record| record.holder))?;
            check_gone(&state)?;
            note(&format!(
                "ended {}: no process, mount, control group or file is left",
                state.label()
            ));
            ended += 1;
        } else {
            note(&format!(
                "left alone: {} belongs to a running test",
                state.label()
            ));
        }
    }
    if ended == 0 {
        note("no cluster was running");
    }
    Ok(())
}

/// Looks once more, with other eyes than those that removed.
fn check_gone(state: &StateDir) -> anyhow::Result<()> {
    let groups = cgroups::folders(&state.cgroup())?;
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let place = state.root().display().to_string();
    if !groups.is_empty() || state.root().exists() || mounts.contains(&place) {
        bail!("{place} or its control groups {groups:?} are still there; end what uses them");
    }
    let processes = ProcessId::mentioning(&place);
    if !processes.is_empty() {
        bail!("processes {processes:?} of {place} still run; end them");
    }
    Ok(())
}

/// Folders of all clusters there are, running or not.
fn states() -> Vec<StateDir> {
    let entries = fs::read_dir(StateDir::all())
        .into_iter()
        .flatten()
        .flatten();
    entries.map(|entry| StateDir::at(&entry.path())).collect()
}

/// A test run names its cluster by its own number.
fn has_living_owner(state: &StateDir) -> bool {
    let label = state.label();
    let owner = label.rsplit('-').next().and_then(|pid| pid.parse().ok());
    owner
        .and_then(ProcessId::of)
        .is_some_and(ProcessId::is_alive)
}

fn status(name: &str) -> anyhow::Result<ExitCode> {
    prerequisites::check_machine()?;
    let Some(cluster) = Cluster::find(name) else {
        say(&format!(
            "no cluster {name:?} is running; start one with `cargo xtask cluster up`\n"
        ));
        return Ok(ExitCode::FAILURE);
    };
    let phases = cluster.phases()?;
    let healthy = phases.iter().all(|(_, phase)| *phase == PartPhase::Running);
    let mut text = format!(
        "Kubernetes {KUBERNETES_VERSION}, etcd {ETCD_VERSION}, containerd {CONTAINERD_VERSION}\n"
    );
    for (part, phase) in phases {
        let phase = match phase {
            PartPhase::Running => "running".to_owned(),
            PartPhase::Ended(how) => format!("ended {how}"),
            PartPhase::Stopped => "stopped".to_owned(),
            PartPhase::NotStarted => "not started".to_owned(),
        };
        let _ = writeln!(text, "  {part}: {phase}");
    }
    if healthy {
        text.push_str(&cluster.kubectl(&["get", "nodes", "-o", "wide"])?);
    }
    let (node, logs, access) = (cluster.node_ip(), cluster.logs_dir(), cluster.kubeconfig());
    let inside = cluster.record().inside.pid;
    let _ = writeln!(text, "node address: {node}");
    let _ = writeln!(text, "logs:         {}", logs.display());
    let _ = writeln!(
        text,
        "kubectl:      cargo xtask cluster kubectl get pods -A"
    );
    let _ = writeln!(text, "other tools:  KUBECONFIG={} \\", access.display());
    let _ = writeln!(
        text,
        "              nsenter --target={inside} --net -- PROGRAM"
    );
    say(&text);
    Ok(if healthy {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Takes the place of this tool: its terminal, its signals and its end are kubectl's.
fn kubectl(name: &str, options: &KubectlOptions) -> anyhow::Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    let error = found(name)?
        .kubectl_command()
        .args(&options.arguments)
        .exec();
    Err(error).context("nsenter cannot be started")
}

fn found(name: &str) -> anyhow::Result<Cluster> {
    prerequisites::check_machine()?;
    Cluster::find(name).with_context(|| {
        format!("no cluster {name:?} is running; start one with `cargo xtask cluster up`")
    })
}

/// Held while the cluster changes: two calls at a time would undo each other's work.
fn lock() -> anyhow::Result<File> {
    let cache = cache_dir()?;
    fs::create_dir_all(&cache).with_context(|| format!("{} cannot be made", cache.display()))?;
    let lock = File::create(cache.join("cluster.lock"))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            bail!("another `cluster up` or `cluster down` is at work; wait for its end")
        }
        Err(TryLockError::Error(error)) => {
            Err(error).context("the lock of the cache cannot be taken")
        }
    }
}
