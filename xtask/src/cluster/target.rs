//! Where a suite runs: on a cluster of our own, or on one that exists.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};

use super::constants::{IMPORT_TIME_MAX, KUBECTL_TIME_MAX};
use super::prerequisites::find_program;
use super::program;
use super::running::Cluster;
use super::toolchain::Toolchain;

/// A cluster to run on.
#[derive(Debug)]
pub(crate) enum Target {
    Local(Cluster),
    Existing(Existing),
}

/// A cluster that somebody else runs.
#[derive(Debug, Clone)]
pub(crate) struct Existing {
    kubeconfig: PathBuf,
    kubectl: PathBuf,
}

/// What a cluster of somebody else does not allow; a suite counts the step as skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Skipped {
    step: &'static str,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "skipped: {} needs the local cluster", self.step)
    }
}

impl std::error::Error for Skipped {}

impl Skipped {
    /// Whether an error means that a step was skipped, not that it failed.
    pub(crate) fn is(error: &anyhow::Error) -> bool {
        error.downcast_ref::<Self>().is_some()
    }
}

impl Target {
    /// The cluster a kubeconfig names; kubectl is the machine's, or else ours from the cache.
    pub(crate) fn existing(kubeconfig: &Path) -> anyhow::Result<Self> {
        let kubeconfig = std::path::absolute(kubeconfig)?;
        std::fs::read(&kubeconfig)
            .with_context(|| format!("{} cannot be read", kubeconfig.display()))?;
        let ours =
            || Ok::<_, anyhow::Error>(Toolchain::cached()?.map(|kit| kit.program("kubectl")));
        let kubectl = match find_program("kubectl") {
            Some(kubectl) => kubectl,
            None => ours()?.context(
                "kubectl is not in PATH; install it (https://kubectl.docs.kubernetes.io)",
            )?,
        };
        Ok(Self::Existing(Existing {
            kubeconfig,
            kubectl,
        }))
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        match self {
            Self::Local(cluster) => cluster.kubeconfig(),
            Self::Existing(existing) => existing.kubeconfig.clone(),
        }
    }

    /// kubectl with access to this cluster, to be given arguments.
    pub(crate) fn kubectl_command(&self) -> Command {
        match self {
            Self::Local(cluster) => cluster.kubectl_command(),
            Self::Existing(existing) => {
                let mut command = Command::new(&existing.kubectl);
                command.env("KUBECONFIG", &existing.kubeconfig);
                command
            }
        }
    }

    /// Runs kubectl; fails unless it succeeds within a minute.
    pub(crate) fn kubectl<S: AsRef<OsStr>>(&self, arguments: &[S]) -> anyhow::Result<String> {
        self.kubectl_within(arguments, KUBECTL_TIME_MAX)
    }

    /// Like [`Target::kubectl`] with a limit of the caller's.
    pub(crate) fn kubectl_within<S: AsRef<OsStr>>(
        &self,
        arguments: &[S],
        limit: Duration,
    ) -> anyhow::Result<String> {
        program::output(self.kubectl_command().args(arguments), limit)
    }

    /// A command that reaches the API of this cluster: inside the local one's namespaces, or
    /// plainly.
    pub(crate) fn enter(&self, program: impl AsRef<OsStr>) -> Command {
        match self {
            Self::Local(cluster) => cluster.enter(program),
            Self::Existing(existing) => {
                let mut command = Command::new(program);
                command.env("KUBECONFIG", &existing.kubeconfig);
                command
            }
        }
    }

    /// Brings an OCI archive onto the cluster's nodes.
    pub(crate) fn import_image(&self, archive: &Path) -> anyhow::Result<()> {
        match self {
            Self::Local(cluster) => cluster.import_image(archive),
            Self::Existing(_) => {
                let context = self.kubectl(&["config", "current-context"])?;
                let Some(words) = load_words(context.trim(), archive) else {
                    bail!(
                        "how context {:?} takes an image is not known (kind, k3d and minikube \
                         are); load {} onto its nodes yourself and say --no-image",
                        context.trim(),
                        archive.display()
                    );
                };
                let (program, arguments) = words.split_first().context("no command")?;
                program::output(Command::new(program).args(arguments), IMPORT_TIME_MAX).map(drop)
            }
        }
    }

    pub(crate) fn stop_apiserver(&self) -> anyhow::Result<()> {
        self.local("stopping the API server")?.stop_apiserver()
    }

    pub(crate) fn start_apiserver(&self) -> anyhow::Result<()> {
        self.local("starting the API server")?.start_apiserver()
    }

    /// The local cluster, or [`Skipped`] for what `step` would do with it.
    pub(crate) fn local(&self, step: &'static str) -> anyhow::Result<&Cluster> {
        match self {
            Self::Local(cluster) => Ok(cluster),
            Self::Existing(_) => Err(Skipped { step }.into()),
        }
    }

    /// Ends what was started for this run: the local cluster, nothing of an existing one.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        match self {
            Self::Local(cluster) => cluster.stop(),
            Self::Existing(_) => Ok(()),
        }
    }
}

/// The command by which clusters of developers take an archive, from the name of their context.
fn load_words(context: &str, archive: &Path) -> Option<Vec<String>> {
    let archive = archive.display().to_string();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    if let Some(name) = context.strip_prefix("kind-") {
        return Some(words(&[
            "kind",
            "load",
            "image-archive",
            &archive,
            "--name",
            name,
        ]));
    }
    if let Some(name) = context.strip_prefix("k3d-") {
        return Some(words(&[
            "k3d",
            "image",
            "import",
            &archive,
            "--cluster",
            name,
        ]));
    }
    (context == "minikube").then(|| words(&["minikube", "image", "load", &archive]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn existing() -> Target {
        Target::Existing(Existing {
            kubeconfig: PathBuf::from("/k"),
            kubectl: PathBuf::from("/bin/kubectl"),
        })
    }

    #[test]
    fn what_only_a_local_cluster_can_do_is_skipped_elsewhere() {
        let refused = existing().stop_apiserver().unwrap_err();

        assert!(Skipped::is(&refused));
        assert_eq!(
            refused.to_string(),
            "skipped: stopping the API server needs the local cluster"
        );
    }

    #[test]
    fn a_failure_is_not_a_skip() {
        assert!(!Skipped::is(&anyhow::anyhow!(
            "the API server does not start"
        )));
    }

    #[test]
    fn developers_clusters_are_told_by_their_context() {
        let load = |context| load_words(context, Path::new("/a.tar")).map(|words| words.join(" "));

        assert_eq!(
            load("kind-dev").unwrap(),
            "kind load image-archive /a.tar --name dev"
        );
        assert_eq!(
            load("k3d-x").unwrap(),
            "k3d image import /a.tar --cluster x"
        );
        assert_eq!(load("minikube").unwrap(), "minikube image load /a.tar");
        assert_eq!(load("production"), None);
    }
}
