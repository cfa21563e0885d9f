//! What is set up inside the cluster's own namespaces before its first part starts.
//!
//! Runs as the first process in them. Nothing done here is visible outside, and all of it is gone
//! with the namespaces.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

use super::constants::{NODE_IP, NODE_IP_PREFIX, SETUP_COMMAND_TIME_MAX};
use super::mounts;
use super::program;
use super::state_dir::StateDir;

/// Folders into which parts of the cluster write by habit, whatever they are told. Inside, a layer
/// in memory lies over each.
pub(crate) const SHADOWED: [&str; 6] = [
    "/etc",
    "/opt",
    "/run",
    "/usr/libexec",
    "/var/lib",
    "/var/log",
];

/// Kernel settings that belong to the machine, not to a namespace, and that kubelet changes.
/// Inside, a copy stands in for each.
const MACHINE_SETTINGS: [&str; 6] = [
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
];

/// Gives the cluster its mounts and its network.
pub(crate) fn set_up(state: &StateDir) -> anyhow::Result<()> {
    set_up_mounts(state).context("the mounts of the cluster cannot be made")?;
    set_up_network().context("the network of the cluster cannot be made")
}

/// A cluster whose folder lies in a shadowed one would not be seen from outside.
pub(crate) fn check_place(state: &StateDir) -> anyhow::Result<()> {
    if let Some(shadowed) = SHADOWED
        .iter()
        .find(|folder| state.root().starts_with(folder))
    {
        bail!(
            "{} lies in {shadowed}, which a cluster covers with a layer of its own; \
             set TMPDIR to a folder elsewhere",
            state.root().display()
        );
    }
    Ok(())
}

fn set_up_mounts(state: &StateDir) -> anyhow::Result<()> {
    // Kubelet needs mounts of pods to reach containerd; the group ends at this namespace.
    mounts::share_all()?;
    let data = state.data();
    mounts::memory(&data)?;
    for folder in SHADOWED {
        if Path::new(folder).is_dir() {
            shadow(&data, folder)?;
        }
    }
    for setting in MACHINE_SETTINGS {
        stand_in(&data, setting)?;
    }
    Ok(())
}

fn stand_in(data: &Path, setting: &str) -> anyhow::Result<()> {
    let real = Path::new("/proc/sys").join(setting);
    let Ok(value) = fs::read(&real) else {
        // This kernel does not have it.
        return Ok(());
    };
    let copy = data.join("settings").join(setting.replace('/', "-"));
    fs::create_dir_all(data.join("settings"))?;
    fs::write(&copy, value).with_context(|| format!("{} cannot be written", copy.display()))?;
    mounts::stand_in(&copy, &real)
}

fn shadow(data: &Path, folder: &str) -> anyhow::Result<()> {
    let layer = data
        .join("layers")
        .join(folder.trim_start_matches('/').replace('/', "-"));
    let (upper, work) = (layer.join("upper"), layer.join("work"));
    for folder in [&upper, &work] {
        fs::create_dir_all(folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    mounts::layer(folder, &upper, &work)
}

fn set_up_network() -> anyhow::Result<()> {
    let address = format!("{NODE_IP}/{NODE_IP_PREFIX}");
    run(&["ip", "link", "set", "lo", "up"])?;
    run(&[
        "ip", "link", "add", "node", "type", "veth", "peer", "name", "outside",
    ])?;
    run(&["ip", "address", "add", &address, "dev", "node"])?;
    run(&["ip", "link", "set", "node", "up"])?;
    run(&["ip", "link", "set", "outside", "up"])?;
    // Kubelet and kube-proxy look for a default route; nothing answers behind this one.
    run(&["ip", "route", "add", "default", "dev", "node"])?;
    let forwarding = "/proc/sys/net/ipv4/ip_forward";
    fs::write(forwarding, "1").with_context(|| format!("{forwarding} cannot be written"))
}

fn run(words: &[&str]) -> anyhow::Result<()> {
    let (program, arguments) = words.split_first().context("no command")?;
    program::output(
        Command::new(program).args(arguments),
        SETUP_COMMAND_TIME_MAX,
    )
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_may_not_live_below_a_shadowed_folder() {
        let below = StateDir::at(Path::new("/var/lib/tmp/discovery-cluster/up"));
        let beside = StateDir::at(Path::new("/var/libs/discovery-cluster/up"));

        assert!(
            check_place(&below)
                .unwrap_err()
                .to_string()
                .contains("/var/lib,")
        );
        check_place(&beside).unwrap();
    }
}
