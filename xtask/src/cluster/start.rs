//! From nothing to a node that is Ready: each step with its limit, and with the log of what failed.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, bail};

use super::certificates::{Authority, clients, token_keys};
use super::constants::{
    CONTAINERD_READY_TIME_MAX, CONTROLLERS_READY_TIME_MAX, NODE_NAME, NODE_READY_TIME_MAX,
    PAUSE_IMAGE, SUPERVISOR_READY_TIME_MAX, TEST_LABEL_PREFIX,
};
use super::control::{self, Request};
use super::deadline::Deadline;
use super::interrupt::Guard;
use super::part::Part;
use super::prerequisites::{self, Install};
use super::process_id::ProcessId;
use super::progress::{Progress, note};
use super::running::{self, Cluster, Owned, log_tail};
use super::state_dir::{Record, StateDir};
use super::toolchain::Toolchain;
use super::{cgroups, config_files, interrupt, kubeconfig, namespaces, program};
use crate::image::archive::{Image, ImageFile};

/// How a cluster is to be.
#[derive(Debug, Clone)]
pub(crate) struct ClusterOptions {
    /// Tells it from other clusters of this machine.
    pub(crate) label: String,
    pub(crate) install: Install,
    /// The longest wait before a container that ended is started again; kubelet's own default is 5
    /// min.
    pub(crate) back_off_max: Option<Duration>,
}

impl ClusterOptions {
    /// The cluster of one test run.
    pub(crate) fn for_tests(install: Install) -> Self {
        Self {
            label: format!("{TEST_LABEL_PREFIX}{}", std::process::id()),
            install,
            back_off_max: Some(Duration::from_secs(1)),
        }
    }
}

impl Cluster {
    /// Builds what is not in the cache, starts a cluster and waits until its node is Ready.
    pub(crate) fn start(options: &ClusterOptions) -> anyhow::Result<Self> {
        prerequisites::check_machine()?;
        let needs_build = Toolchain::cached()?.is_none();
        prerequisites::ensure(needs_build, options.install)?;
        let toolchain = Toolchain::ensure()?;
        let state = StateDir::of(&options.label);
        namespaces::check_place(&state)?;
        let mut progress = Progress::start("cluster");
        progress.show("making its keys and namespaces");
        let unfinished = Unfinished::create(&state)?;
        write_files(&state, &toolchain, options)?;
        cgroups::create(&state.cgroup(), &state.switched_controllers())?;
        let cluster = unfinished.supervise(&toolchain)?;
        cluster.start_parts(&toolchain, &mut progress)?;
        progress.done("node Ready");
        Ok(cluster)
    }

    fn start_parts(&self, toolchain: &Toolchain, progress: &mut Progress) -> anyhow::Result<()> {
        progress.show("starting the API server");
        for part in [Part::Etcd, Part::Containerd, Part::ApiServer] {
            self.start_part(part)?;
        }
        self.import_pause(toolchain)
            .context("the image of sandboxes cannot be imported")?;
        self.wait_for_api()?;
        progress.show("starting controllers and node");
        for part in [
            Part::ControllerManager,
            Part::Scheduler,
            Part::Kubelet,
            Part::KubeProxy,
        ] {
            self.start_part(part)?;
        }
        let node = format!("node/{NODE_NAME}");
        self.wait_for(
            &["create", "serviceaccount/default"],
            CONTROLLERS_READY_TIME_MAX,
            progress,
        )?;
        self.wait_for(&["create", &node], NODE_READY_TIME_MAX, progress)?;
        self.wait_for(&["condition=Ready", &node], NODE_READY_TIME_MAX, progress)
    }

    /// `kubectl wait`, cut short when a part of the cluster ends by itself.
    fn wait_for(
        &self,
        [condition, object]: &[&str; 2],
        limit: Duration,
        progress: &mut Progress,
    ) -> anyhow::Result<()> {
        let mut command = self.kubectl_command();
        command
            .args(["wait", object])
            .arg(format!("--for={condition}"));
        command.arg(format!("--timeout={}s", limit.as_secs()));
        let mut looked_at = progress.elapsed();
        let ended = program::run_while(&mut command, limit, || {
            progress.show(&format!("waiting for {object} ({condition})"));
            if progress.elapsed() > looked_at + PARTS_PAUSE {
                looked_at = progress.elapsed();
                self.check_parts()?;
            }
            Ok(())
        })?;
        if !ended.status.success() {
            bail!(
                "{object} did not come to {condition}: {}; kubelet's log ends:\n{}",
                ended.stderr.trim(),
                self.log_tail(Part::Kubelet)
            );
        }
        Ok(())
    }

    fn import_pause(&self, toolchain: &Toolchain) -> anyhow::Result<()> {
        let program = toolchain.program("pause");
        let bytes =
            fs::read(&program).with_context(|| format!("{} cannot be read", program.display()))?;
        let image = Image {
            name: PAUSE_IMAGE.to_owned(),
            entrypoint: vec!["/pause".to_owned()],
            files: vec![ImageFile::program("pause", bytes)],
        };
        let archive = self.logs_dir().join("pause.tar");
        fs::write(&archive, image.to_archive()?)?;
        let deadline = Deadline::after(CONTAINERD_READY_TIME_MAX);
        // The first questions come before containerd listens.
        while let Err(error) = self.import_image(&archive) {
            self.check_parts()?;
            if !deadline.pause() {
                let tail = self.log_tail(Part::Containerd);
                return Err(error).with_context(|| format!("containerd's log ends:\n{tail}"));
            }
        }
        fs::remove_file(&archive)?;
        Ok(())
    }
}

/// Between two looks at whether a part has ended by itself.
const PARTS_PAUSE: Duration = Duration::from_secs(1);

/// A cluster that has not come to run: removed when dropped, and when a signal ends this tool.
struct Unfinished {
    state: StateDir,
    /// Known as soon as there is one. Should a signal come in the very moment between, the
    /// supervisor still ends by itself, because its owner is gone.
    holder: Arc<OnceLock<ProcessId>>,
    guard: Option<Guard>,
}

impl Unfinished {
    fn create(state: &StateDir) -> anyhow::Result<Self> {
        let holder = Arc::new(OnceLock::new());
        state.create()?;
        let (place, known) = (state.clone(), Arc::clone(&holder));
        let guard = interrupt::on_interrupt(move || {
            if let Err(error) = running::end(&place, known.get().copied()) {
                note(&format!("the cluster was not ended cleanly: {error:#}"));
            }
        });
        Ok(Self {
            state: state.clone(),
            holder,
            guard: Some(guard),
        })
    }

    /// Starts the supervisor in namespaces of its own and waits until it can be asked.
    fn supervise(mut self, toolchain: &Toolchain) -> anyhow::Result<Cluster> {
        let log = File::create(self.state.supervisor_log())?;
        let mut holder = supervisor(&self.state, toolchain, log)?
            .spawn()
            .context("`setsid unshare` cannot be started")?;
        let id = ProcessId::of(holder.id()).context("the supervisor has ended at once")?;
        let _ = self.holder.set(id);
        let inside = wait_for_supervisor(&self.state, id);
        let inside = inside.or_else(|error| {
            let tail = log_tail(&self.state.supervisor_log());
            drop(holder.stdin.take());
            Err(error).with_context(|| format!("the supervisor's log ends:\n{tail}"))
        })?;
        let record = Record {
            holder: id,
            inside,
            toolchain: toolchain.dir().to_owned(),
        };
        self.state.write_record(&record)?;
        let guard = self
            .guard
            .take()
            .context("a cluster has come to run twice")?;
        Ok(Cluster::new(
            self.state.clone(),
            record,
            Owned { holder, guard },
        ))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.guard.is_some() {
            // The error that brought us here is the one worth reading.
            let _ = running::end(&self.state, self.holder.get().copied());
        }
    }
}

/// The supervisor's command. It has a session of its own: Ctrl-C on the terminal reaches us, and we
/// end it in order.
fn supervisor(state: &StateDir, toolchain: &Toolchain, log: File) -> anyhow::Result<Command> {
    let mut command = Command::new("setsid");
    command
        .args([
            "unshare",
            "--net",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
        ])
        .arg(std::env::current_exe().context("this program does not know its own path")?)
        .args(["cluster", "supervise", "--state"])
        .arg(state.root())
        .arg("--toolchain")
        .arg(toolchain.dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log);
    Ok(command)
}

fn write_files(
    state: &StateDir,
    toolchain: &Toolchain,
    options: &ClusterOptions,
) -> anyhow::Result<()> {
    let authority = Authority::new()?;
    let pki = |name: &str| state.pki().join(name);
    write(&pki("ca.crt"), &authority.certificate())?;
    let api_server = authority.sign_api_server()?;
    write(&pki("kube-apiserver.crt"), &api_server.certificate)?;
    write(&pki("kube-apiserver.key"), &api_server.key)?;
    let tokens = token_keys()?;
    write(&pki("service-account.key"), &tokens.private)?;
    write(&pki("service-account.pub"), &tokens.public)?;
    for client in clients() {
        let identity = authority.sign_client(&client)?;
        write(&pki(&format!("{}.crt", client.file)), &identity.certificate)?;
        write(&pki(&format!("{}.key", client.file)), &identity.key)?;
        let access = kubeconfig::render(&authority.certificate(), &identity);
        write(&state.kubeconfig_of(client.file), &access)?;
    }
    let runc = prerequisites::runc()?;
    let config = state.config();
    let containerd = config_files::containerd(state, toolchain.dir(), &runc);
    write(&config.join("containerd.toml"), &containerd)?;
    write(
        &config.join("kubelet.json"),
        &config_files::kubelet(state, options.back_off_max),
    )?;
    write(&config.join("resolv.conf"), &config_files::resolv_conf())?;
    write(
        &state.cni().join("10-pods.conflist"),
        &config_files::cni(state),
    )
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

/// Gives back the first process inside, as seen from here.
fn wait_for_supervisor(state: &StateDir, holder: ProcessId) -> anyhow::Result<ProcessId> {
    let deadline = Deadline::after(SUPERVISOR_READY_TIME_MAX);
    loop {
        let asked = control::ask(&state.control_socket(), Request::Status);
        let Err(error) = asked else { break };
        if !holder.is_alive() {
            return Err(error).context("the supervisor has ended at once");
        }
        if !deadline.pause() {
            return Err(error).context("the supervisor does not answer");
        }
    }
    ProcessId::child_of(holder.pid).context("the supervisor is not found among the processes")
}
