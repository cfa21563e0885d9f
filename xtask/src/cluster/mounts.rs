//! The few calls to the kernel that mount; only Linux has them, and only there a cluster gets as
//! far as here.

#[cfg(target_os = "linux")]
mod linux {
    use std::path::Path;

    use anyhow::Context;
    use nix::mount::{MntFlags, MsFlags, mount, umount2};

    use crate::cluster::constants::STATE_FOLDER;

    const NONE: Option<&str> = None;

    /// Lets mounts made from here on be seen in namespaces that are made from this one.
    pub(crate) fn share_all() -> anyhow::Result<()> {
        mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_SHARED, NONE)
            .context("/ cannot be made shared")
    }

    /// Mounts memory at a folder.
    pub(crate) fn memory(at: &Path) -> anyhow::Result<()> {
        mount(
            Some(STATE_FOLDER),
            at,
            Some("tmpfs"),
            MsFlags::empty(),
            Some("mode=0700"),
        )
        .with_context(|| format!("no memory can be mounted at {}", at.display()))
    }

    /// Covers a folder with a layer that takes every change to it.
    pub(crate) fn layer(over: &str, upper: &Path, work: &Path) -> anyhow::Result<()> {
        let options = format!(
            "lowerdir={over},upperdir={},workdir={}",
            upper.display(),
            work.display()
        );
        // By the call itself: the program `mount` would first leave a note of its own in /run.
        mount(
            Some(STATE_FOLDER),
            over,
            Some("overlay"),
            MsFlags::empty(),
            Some(options.as_str()),
        )
        .with_context(|| format!("{over} cannot be covered by a layer in memory"))
    }

    /// Lets one file stand in for another.
    pub(crate) fn stand_in(copy: &Path, real: &Path) -> anyhow::Result<()> {
        mount(Some(copy), real, NONE, MsFlags::MS_BIND, NONE)
            .with_context(|| format!("{} cannot be covered by a copy", real.display()))
    }

    /// Unmounts a folder with all that is mounted in it.
    pub(crate) fn detach(at: &Path) -> anyhow::Result<()> {
        umount2(at, MntFlags::MNT_DETACH)
            .with_context(|| format!("{} cannot be unmounted", at.display()))
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use std::path::Path;

    use anyhow::bail;

    pub(crate) fn share_all() -> anyhow::Result<()> {
        bail!("mounts of a cluster need Linux")
    }

    pub(crate) fn memory(_at: &Path) -> anyhow::Result<()> {
        share_all()
    }

    pub(crate) fn layer(_over: &str, _upper: &Path, _work: &Path) -> anyhow::Result<()> {
        share_all()
    }

    pub(crate) fn stand_in(_copy: &Path, _real: &Path) -> anyhow::Result<()> {
        share_all()
    }

    pub(crate) fn detach(_at: &Path) -> anyhow::Result<()> {
        share_all()
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::{detach, layer, memory, share_all, stand_in};
#[cfg(target_os = "linux")]
pub(crate) use linux::{detach, layer, memory, share_all, stand_in};
