//! A cluster made ready for a suite: a namespace, the image, what `deploy/` holds, and observers.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

use super::listing::{self, Listing};
use super::observer::Observer;
use super::sighting::{self, Sighting};
use super::steps::{Steps, note};
use crate::cluster::Target;
use crate::cluster::deadline::Deadline;
use crate::image;
use crate::workspace::Workspace;

/// The namespace that a run makes and removes.
pub(super) const NAMESPACE: &str = "discovery-e2e";
/// The Service of the StatefulSet.
pub(super) const SERVICE: &str = "ring";
/// The port that everything listens on.
const PORT: &str = "ring";
/// Watch timeout and audit interval of the finders under test, so that a suite need not wait for
/// the default minute.
pub(super) const INTERVAL: Duration = Duration::from_secs(5);
/// How long nothing may be written to the slices before everybody has to agree with them.
const QUIET: Duration = Duration::from_secs(2);
/// How long the slices may take to become quiet, and a condition to come true.
pub(super) const SETTLE_MAX: Duration = Duration::from_mins(2);
/// How long kubectl may wait for a rollout.
pub(super) const ROLLOUT_MAX: Duration = Duration::from_mins(3);

/// A cluster with everything in place.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    pub(super) target: &'a Target,
    /// The node's program on this machine.
    pub(super) program: PathBuf,
    folder: PathBuf,
}

impl<'a> Stage<'a> {
    /// Builds and loads the image, and makes the namespace.
    pub(super) fn set(
        target: &'a Target,
        steps: &mut Steps,
        loads_image: bool,
    ) -> anyhow::Result<Self> {
        let built = steps.prepare("image", || image::build(None))?;
        if loads_image {
            steps.prepare("image loaded", || target.import_image(&built.archive))?;
        }
        let folder = built
            .program
            .with_file_name(format!("e2e-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
        let stage = Self {
            target,
            program: built.program,
            folder,
        };
        steps.prepare("namespace", || stage.make_namespace())?;
        Ok(stage)
    }

    fn make_namespace(&self) -> anyhow::Result<()> {
        let found = self
            .target
            .kubectl(&["get", "namespace", NAMESPACE, "--ignore-not-found"])?;
        if !found.trim().is_empty() {
            bail!("namespace {NAMESPACE} exists already; remove it: kubectl delete ns {NAMESPACE}");
        }
        self.target
            .kubectl(&["create", "namespace", NAMESPACE])
            .map(drop)
    }

    /// Removes what was made; trouble is said but fails nothing.
    pub(super) fn clear(&self) {
        let gone = self.target.kubectl_within(
            &[
                "delete",
                "namespace",
                NAMESPACE,
                "--wait=true",
                "--grace-period=1",
            ],
            ROLLOUT_MAX,
        );
        if let Err(error) = gone {
            note(&format!("namespace {NAMESPACE} is not gone: {error:#}"));
        }
        // A folder beside the build's own output; the next build does not care.
        let _ = fs::remove_dir_all(&self.folder);
    }

    /// kubectl in the namespace.
    pub(super) fn kubectl(&self, words: &[&str]) -> anyhow::Result<String> {
        self.target.kubectl_within(&self.words(words), ROLLOUT_MAX)
    }

    fn words<'w>(&self, words: &[&'w str]) -> Vec<&'w str> {
        debug_assert!(
            self.folder.is_absolute(),
            "kubectl may run in another folder"
        );
        [&["--namespace", NAMESPACE], words].concat()
    }

    /// Applies `deploy/` in our namespace with pods that only show the seeds they find, and look
    /// around more often.
    pub(super) fn deploy_finders(&self) -> anyhow::Result<()> {
        let seconds = format!("{}s", INTERVAL.as_secs());
        let args = serde_json::json!([
            "seeds",
            "--watch",
            "--json",
            "--service",
            SERVICE,
            "--watch-timeout",
            seconds,
            "--audit-interval",
            seconds,
        ]);
        let container = "/spec/template/spec/containers/0";
        let mut patch = vec![format!(
            "{{op: replace, path: \"{container}/args\", value: {args}}}"
        )];
        // What shows seeds serves nothing that could be probed.
        for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
            patch.push(format!("{{op: remove, path: \"{container}/{probe}\"}}"));
        }
        self.deploy(&patch)
    }

    /// Applies `deploy/` in our namespace with so many pods.
    pub(super) fn deploy_nodes(&self, replicas: usize) -> anyhow::Result<()> {
        self.deploy(&[format!(
            "{{op: replace, path: /spec/replicas, value: {replicas}}}"
        )])
    }

    fn deploy(&self, patch: &[String]) -> anyhow::Result<()> {
        let deploy = Workspace::load()?.root.join("deploy");
        for file in fs::read_dir(&deploy).with_context(|| format!("{}", deploy.display()))? {
            let file = file?;
            let base = self.folder.join("base");
            fs::create_dir_all(&base)?;
            fs::copy(file.path(), base.join(file.file_name()))?;
        }
        let patch = patch.join("\n    - ");
        let overlay = format!(
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n\
             namespace: {NAMESPACE}\nresources: [base]\npatches:\n\
             - target: {{kind: StatefulSet}}\n  patch: |-\n    - {patch}\n"
        );
        fs::write(self.folder.join("kustomization.yaml"), overlay)?;
        let folder = self.folder.display().to_string();
        self.kubectl(&["apply", "-k", &folder]).map(drop)
    }

    /// Applies objects given as JSON.
    pub(super) fn apply(&self, name: &str, objects: &Value) -> anyhow::Result<()> {
        let file = self.folder.join(format!("{name}.json"));
        fs::write(&file, objects.to_string())?;
        self.kubectl(&["apply", "--server-side", "-f", &file.display().to_string()])
            .map(drop)
    }

    /// A file of ours with this text.
    pub(super) fn file(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let file = self.folder.join(name);
        fs::write(&file, text).with_context(|| format!("{}", file.display()))?;
        Ok(file)
    }

    /// Waits until so many pods are ready, and none besides.
    pub(super) fn wait_ready(&self, count: usize) -> anyhow::Result<()> {
        self.wait_ready_while(count, || Ok(()))
    }

    /// Like [`Stage::wait_ready`], and does this between two looks.
    pub(super) fn wait_ready_while(
        &self,
        count: usize,
        mut meanwhile: impl FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let deadline = Deadline::after(ROLLOUT_MAX);
        loop {
            meanwhile()?;
            let pods = self.pods()?;
            let ready = pods.iter().filter(|(_, is_ready)| **is_ready).count();
            if (ready, pods.len()) == (count, count) {
                return Ok(());
            }
            if !deadline.pause() {
                bail!(
                    "{ready} of {} pods are ready, {count} are wanted",
                    pods.len()
                );
            }
        }
    }

    /// The pods of the application as the API holds them.
    pub(super) fn pod_objects(&self) -> anyhow::Result<Vec<Value>> {
        let json = self.kubectl(&["get", "pods", "-l", SELECTOR, "-o", "json"])?;
        let mut list: Value = serde_json::from_str(&json)?;
        match list["items"].take() {
            Value::Array(pods) => Ok(pods),
            _ => bail!("kubectl printed no list"),
        }
    }

    /// The pods of the application by name, and whether each is ready.
    pub(super) fn pods(&self) -> anyhow::Result<BTreeMap<String, bool>> {
        let pods = self.pod_objects()?;
        let is_ready = |pod: &Value| {
            let conditions = pod["status"]["conditions"].as_array();
            conditions
                .into_iter()
                .flatten()
                .any(|it| it["type"] == "Ready" && it["status"] == "True")
        };
        let name = |pod: &Value| {
            pod["metadata"]["name"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        Ok(pods.iter().map(|pod| (name(pod), is_ready(pod))).collect())
    }

    /// What the API holds of a Service now.
    pub(super) fn listing(&self, service: &str) -> anyhow::Result<Listing> {
        let label = format!("kubernetes.io/service-name={service}");
        listing::read(
            &self.kubectl(&["get", "endpointslices", "-l", &label, "-o", "json"])?,
            PORT,
        )
    }

    /// What the API holds once nothing was written for a while.
    pub(super) fn quiet_listing(&self, service: &str) -> anyhow::Result<Listing> {
        let deadline = Deadline::after(SETTLE_MAX);
        let mut quiet = Deadline::after(QUIET);
        let mut before = self.listing(service)?;
        loop {
            if quiet.is_over() {
                return Ok(before);
            }
            if !deadline.pause() {
                bail!("the slices of {service} are still being written after {SETTLE_MAX:?}");
            }
            let now = self.listing(service)?;
            if now.versions != before.versions {
                quiet = Deadline::after(QUIET);
            }
            before = now;
        }
    }

    /// The newest line of every pod of the StatefulSet; none of a pod that has not spoken yet.
    pub(super) fn sightings(&self) -> anyhow::Result<BTreeMap<String, Sighting>> {
        let logs = self.kubectl(&[
            "logs",
            "-l",
            SELECTOR_RING,
            "--prefix",
            "--tail=1",
            "--max-log-requests=32",
        ])?;
        let mut sightings = BTreeMap::new();
        for line in logs.lines() {
            // `[pod/ring-0/node] {…}`
            let (prefix, line) = line.split_once("] ").context("a log line without prefix")?;
            let pod = prefix
                .split('/')
                .nth(1)
                .context("a log prefix without pod")?;
            sightings.insert(pod.to_owned(), sighting::read(line)?);
        }
        Ok(sightings)
    }

    /// Everything one pod has said, oldest first.
    pub(super) fn history(&self, pod: &str) -> anyhow::Result<Vec<Sighting>> {
        self.kubectl(&["logs", pod])?
            .lines()
            .map(sighting::read)
            .collect()
    }

    /// A finder of our own on a Service, outside the pods.
    pub(super) fn observe(&self, service: &str) -> anyhow::Result<Observer> {
        Observer::start(&mut self.finder_command(service))
    }

    fn finder_command(&self, service: &str) -> Command {
        let mut command = self.target.enter(&self.program);
        let seconds = format!("{}s", INTERVAL.as_secs());
        command
            .args([
                "seeds",
                "--watch",
                "--json",
                "--namespace",
                NAMESPACE,
                "--service",
                service,
            ])
            .args([
                "--watch-timeout",
                &seconds,
                "--audit-interval",
                &seconds,
                "--kubeconfig",
            ])
            .arg(self.target.kubeconfig());
        command
    }
}

/// The label of the pods of the StatefulSet alone, and of all pods behind the Service.
pub(super) const SELECTOR_RING: &str =
    "app.kubernetes.io/instance=ring,apps.kubernetes.io/pod-index";
const SELECTOR: &str = "app.kubernetes.io/instance=ring";

/// Lets everything live on and says how to look at it.
pub(super) fn keep(target: Target) -> anyhow::Result<()> {
    match target {
        Target::Local(cluster) => {
            let label = cluster.label();
            note(&format!(
                "kept: cargo xtask cluster --name {label} kubectl -- -n {NAMESPACE} get pods\n\
                 end it: cargo xtask cluster --name {label} down"
            ));
            cluster.detach()
        }
        Target::Existing(_) => {
            note(&format!("kept: namespace {NAMESPACE}"));
            Ok(())
        }
    }
}
