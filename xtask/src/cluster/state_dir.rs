//! Where one cluster keeps its files, and the record by which others find it.
//!
//! `data` is only a mount point: what lies in it is in memory and gone with the cluster's mount
//! namespace.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::constants::{STATE_FOLDER, STATE_PATH_BYTES_MAX};
use super::part::Part;
use super::process_id::ProcessId;

/// The folder of one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StateDir {
    root: PathBuf,
}

/// What a running cluster says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// The program that holds the namespaces; when it ends, all ends.
    pub(crate) holder: ProcessId,
    /// The first process inside the namespaces, as seen from outside.
    pub(crate) inside: ProcessId,
    pub(crate) toolchain: PathBuf,
}

impl StateDir {
    /// The folder in which all clusters have theirs.
    pub(crate) fn all() -> PathBuf {
        std::env::temp_dir().join(STATE_FOLDER)
    }

    pub(crate) fn of(label: &str) -> Self {
        Self {
            root: Self::all().join(label),
        }
    }

    pub(crate) fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// Makes the folder and what is in it; fails if it is there already.
    pub(crate) fn create(&self) -> anyhow::Result<()> {
        let bytes = self.root.as_os_str().len();
        if bytes > STATE_PATH_BYTES_MAX {
            bail!(
                "{} is too long a path for Unix sockets ({bytes} bytes, at most \
                 {STATE_PATH_BYTES_MAX}); set TMPDIR to a shorter one",
                self.root.display()
            );
        }
        let all = Self::all();
        fs::create_dir_all(&all).with_context(|| format!("{} cannot be made", all.display()))?;
        check_owner(&all)?;
        fs::create_dir(&self.root).with_context(|| {
            format!(
                "{} cannot be made; is another cluster using it?",
                self.root.display()
            )
        })?;
        // Keys of the cluster's own authority lie here.
        restrict(&self.root)?;
        for folder in [
            self.data(),
            self.logs(),
            self.pki(),
            self.config(),
            self.cni(),
        ] {
            fs::create_dir(&folder)
                .with_context(|| format!("{} cannot be made", folder.display()))?;
        }
        Ok(())
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The name of this cluster among others, also of its control group.
    pub(crate) fn label(&self) -> String {
        self.root
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }

    /// Name of the control group that holds all pods of this cluster.
    pub(crate) fn cgroup(&self) -> String {
        format!("{STATE_FOLDER}-{}", self.label())
    }

    /// Notes which controllers of the machine were switched on for this cluster.
    pub(crate) fn switched_controllers(&self) -> PathBuf {
        self.root.join("switched-controllers")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    pub(crate) fn containerd_socket(&self) -> PathBuf {
        self.data().join("containerd.sock")
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    pub(crate) fn log(&self, part: Part) -> PathBuf {
        self.logs().join(format!("{part}.log"))
    }

    pub(crate) fn supervisor_log(&self) -> PathBuf {
        self.logs().join("supervisor.log")
    }

    pub(crate) fn pod_logs(&self) -> PathBuf {
        self.logs().join("pods")
    }

    pub(crate) fn pki(&self) -> PathBuf {
        self.root.join("pki")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.root.join("config")
    }

    pub(crate) fn cni(&self) -> PathBuf {
        self.root.join("config/cni")
    }

    /// Access for a part of the cluster, by the name of its certificate.
    pub(crate) fn kubeconfig_of(&self, name: &str) -> PathBuf {
        self.config().join(format!("{name}.kubeconfig"))
    }

    /// Access for people and tests: everything is allowed.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.kubeconfig_of("admin")
    }

    pub(crate) fn control_socket(&self) -> PathBuf {
        self.root.join("control.sock")
    }

    pub(crate) fn write_record(&self, record: &Record) -> anyhow::Result<()> {
        let path = self.record_path();
        fs::write(&path, record.to_json().to_string())
            .with_context(|| format!("{} cannot be written", path.display()))
    }

    /// The record, if there is one that can be read.
    pub(crate) fn read_record(&self) -> Option<Record> {
        Record::from_json(&serde_json::from_slice(&fs::read(self.record_path()).ok()?).ok()?)
    }

    /// The record of the cluster if it still runs.
    pub(crate) fn running(&self) -> Option<Record> {
        self.read_record()
            .filter(|record| record.holder.is_alive() && record.inside.is_alive())
    }

    fn record_path(&self) -> PathBuf {
        self.root.join("cluster.json")
    }

    /// Removes the folder. What may be a mount point is only removed when it is empty: behind it
    /// could be folders of the machine that a pod has mounted.
    pub(crate) fn remove(&self) -> anyhow::Result<()> {
        let failed = |path: &Path| format!("{} cannot be removed", path.display());
        if !self.root.exists() {
            return Ok(());
        }
        if self.data().exists() {
            fs::remove_dir(self.data()).with_context(|| failed(&self.data()))?;
        }
        fs::remove_dir_all(&self.root).with_context(|| failed(&self.root))?;
        // The folder of all clusters goes with the last of them.
        let _ = fs::remove_dir(Self::all());
        Ok(())
    }
}

impl Record {
    fn to_json(&self) -> Value {
        json!({
            "holder": self.holder.to_json(),
            "inside": self.inside.to_json(),
            "toolchain": self.toolchain,
        })
    }

    fn from_json(value: &Value) -> Option<Self> {
        Some(Self {
            holder: ProcessId::from_json(&value["holder"])?,
            inside: ProcessId::from_json(&value["inside"])?,
            toolchain: PathBuf::from(value["toolchain"].as_str()?),
        })
    }
}

/// The temporary directory is everybody's: a folder in it may have been laid there for us.
fn check_owner(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let found = fs::symlink_metadata(folder)?;
    if !found.is_dir() || found.uid() != nix::unistd::geteuid().as_raw() {
        bail!("{} is not a folder of ours; remove it", folder.display());
    }
    restrict(folder)
}

fn restrict(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
        .with_context(|| format!("permissions of {} cannot be set", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_writing_and_reading() {
        let record = Record {
            holder: ProcessId {
                pid: 7,
                started: 11,
            },
            inside: ProcessId {
                pid: 8,
                started: 12,
            },
            toolchain: PathBuf::from("/cache/abc"),
        };

        assert_eq!(Record::from_json(&record.to_json()), Some(record));
    }

    #[test]
    fn a_cut_record_is_none() {
        assert_eq!(Record::from_json(&json!({"holder": {"pid": 7}})), None);
    }
}
