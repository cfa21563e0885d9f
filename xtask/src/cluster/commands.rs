//! `cargo xtask cluster …`: the cluster a person keeps for a while.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, File, TryLockError};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use super::constants::{
    CONTAINERD_VERSION, ETCD_VERSION, KUBERNETES_VERSION, TEST_LABEL_PREFIX, UP_LABEL,
};
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
/// It is the real thing: API server, controllers, scheduler, kubelet, kube-proxy, etcd and
/// containerd, built once from Go modules (about a quarter of an hour, cached in
/// ~/.cache/discovery-xtask, or where `DISCOVERY_XTASK_CACHE` says) and run in namespaces of their
/// own: no address, mount, rule or process of it is seen outside, and nothing of it stays.
#[derive(Debug, Args)]
pub(crate) struct ClusterCommand {
    #[command(subcommand)]
    action: Action,
    /// Which cluster; `e2e --keep` says the name of the one it keeps.
    #[arg(long, global = true, default_value = UP_LABEL, value_parser = parse_name)]
    name: String,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Start it and wait until its node is Ready.
    Up(UpOptions),
    /// End it and remove every trace, also of clusters of test runs that are gone.
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

/// A name becomes a folder and a control group, so it may not lead elsewhere.
fn parse_name(name: &str) -> anyhow::Result<String> {
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        bail!("{name:?} is not a name of a cluster; use letters, digits and -");
    }
    Ok(name.to_owned())
}

/// Does what the command line asks.
pub(crate) fn run(command: &ClusterCommand) -> anyhow::Result<ExitCode> {
    match &command.action {
        Action::Up(options) => up(&command.name, options)?,
        Action::Down => down(&command.name)?,
        Action::Status => return status(&command.name),
        Action::Kubectl(options) => return kubectl(&command.name, options),
        Action::Load { archive } => found(&command.name)?.import_image(archive)?,
        Action::Stop { part } => found(&command.name)?.stop_part(*part)?,
        Action::Start { part } => found(&command.name)?.start_part(*part)?,
        Action::Supervise { state, toolchain } => supervisor::run(state, toolchain)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn up(name: &str, options: &UpOptions) -> anyhow::Result<()> {
    prerequisites::check_machine()?;
    let _lock = lock()?;
    let state = StateDir::of(name);
    if state.running().is_some() {
        note("the cluster runs already; `cargo xtask cluster status` tells how to use it");
        return Ok(());
    }
    // What an earlier one may have left behind would be in the way.
    running::end(&state, None)?;
    let cluster = Cluster::start(&ClusterOptions {
        label: name.to_owned(),
        install: Install::from_flag(options.install),
        back_off_max: None,
    })?;
    cluster.detach()?;
    note("use it with `cargo xtask cluster kubectl …`, end it with `cargo xtask cluster down`");
    Ok(())
}

fn down(name: &str) -> anyhow::Result<()> {
    prerequisites::check_machine()?;
    let _lock = lock()?;
    let states = states();
    if states.is_empty() {
        note("no cluster was running");
    }
    for state in states {
        if state.label() == name || is_abandoned(&state) {
            running::end(&state, state.read_record().map(|record| record.holder))?;
            check_gone(&state)?;
            note(&format!(
                "ended {}: no process, mount, control group or file is left",
                state.label()
            ));
        } else {
            note(&format!("left alone: {}, which is in use", state.label()));
        }
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

/// Whether nobody will end it: the test run that owned it is gone, or it has ended by itself.
fn is_abandoned(state: &StateDir) -> bool {
    let label = state.label();
    let owner = label
        .strip_prefix(TEST_LABEL_PREFIX)
        .and_then(|pid| pid.parse().ok());
    match owner {
        Some(owner) => !ProcessId::of(owner).is_some_and(ProcessId::is_alive),
        None => state.running().is_none(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_elsewhere_is_refused() {
        assert_eq!(parse_name("e2e-42").unwrap(), "e2e-42");
        for name in ["", "..", "a/b", "a b"] {
            assert!(parse_name(name).unwrap_err().to_string().contains(name));
        }
    }

    #[test]
    fn the_cluster_of_a_living_test_run_is_not_abandoned() {
        let mine = StateDir::of(&format!("{TEST_LABEL_PREFIX}{}", std::process::id()));
        let nobodys = StateDir::of(&format!("{TEST_LABEL_PREFIX}{}", u32::MAX));

        assert!(!is_abandoned(&mine));
        assert!(is_abandoned(&nobodys));
    }
}
