//! The programs a cluster is made of, by name; how each is run is in `arguments`.

use std::fmt;
use std::str::FromStr;

use anyhow::bail;

/// One long-running program of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Etcd,
    Containerd,
    ApiServer,
    ControllerManager,
    Scheduler,
    Kubelet,
    KubeProxy,
}

impl Part {
    pub(crate) const ALL: [Self; 7] = [
        Self::Etcd,
        Self::Containerd,
        Self::ApiServer,
        Self::ControllerManager,
        Self::Scheduler,
        Self::Kubelet,
        Self::KubeProxy,
    ];

    /// Name of the program, of its log and of its word on the control socket.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::Containerd => "containerd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Kubelet => "kubelet",
            Self::KubeProxy => "kube-proxy",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.program())
    }
}

impl FromStr for Part {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> anyhow::Result<Self> {
        let Some(part) = Self::ALL.into_iter().find(|part| part.program() == name) else {
            let known = Self::ALL.map(Self::program).join(", ");
            bail!("no part of the cluster is called {name:?}; say one of {known}");
        };
        Ok(part)
    }
}
