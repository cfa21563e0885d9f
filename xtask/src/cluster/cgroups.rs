//! The control group that holds all pods of one cluster: one folder in each hierarchy of the
//! machine.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::constants::SWEEP_TIME_MAX;
use super::deadline::Deadline;

/// Makes the group in every hierarchy; kubelet wants to find it, and every controller in it.
///
/// Controllers that had to be switched on for that (version 2) are noted in the file `switched`.
pub(crate) fn create(group: &str, switched: &Path) -> anyhow::Result<()> {
    let mut notes = String::new();
    for hierarchy in hierarchies()? {
        for controller in switch_on_all(&hierarchy) {
            notes = format!("{notes}{controller} {}\n", hierarchy.display());
        }
        let folder = hierarchy.join(group);
        match fs::create_dir(&folder) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error).with_context(|| {
                    format!("the control group {} cannot be made", folder.display())
                });
            }
        }
    }
    fs::write(switched, notes).with_context(|| format!("{} cannot be written", switched.display()))
}

/// Removes the group and all groups in it, after a moment for the last process to go, and switches
/// off what [`create`] has switched on.
pub(crate) fn remove(group: &str, switched: &Path) -> anyhow::Result<()> {
    let deadline = Deadline::after(SWEEP_TIME_MAX);
    for folder in folders(group)? {
        while let Err(error) = remove_tree(&folder) {
            if !deadline.pause() {
                return Err(error).with_context(|| {
                    format!("the control group {} cannot be removed", folder.display())
                });
            }
        }
    }
    // Without notes nothing was switched on.
    for line in fs::read_to_string(switched).unwrap_or_default().lines() {
        if let Some((controller, hierarchy)) = line.split_once(' ') {
            // Refused where somebody else has come to use it, and then it has to stay.
            let _ = switch(Path::new(hierarchy), '-', controller);
        }
    }
    Ok(())
}

/// Switches on what the groups of a hierarchy of version 2 could have and do not; gives back what
/// it has switched on. What is refused stays off: kubelet says so if it needs it.
fn switch_on_all(hierarchy: &Path) -> Vec<String> {
    let read = |file: &str| fs::read_to_string(hierarchy.join(file)).unwrap_or_default();
    let mut lacking = lacking(&read("cgroup.controllers"), &read(SWITCHES));
    lacking.retain(|controller| switch(hierarchy, '+', controller).is_ok());
    lacking
}

fn lacking(available: &str, on: &str) -> Vec<String> {
    let on: Vec<&str> = on.split_ascii_whitespace().collect();
    let off = available
        .split_ascii_whitespace()
        .filter(|controller| !on.contains(controller));
    off.map(str::to_owned).collect()
}

/// Tells which controllers the groups directly in a group have; a word with a sign changes it.
const SWITCHES: &str = "cgroup.subtree_control";

fn switch(hierarchy: &Path, sign: char, controller: &str) -> std::io::Result<()> {
    fs::write(hierarchy.join(SWITCHES), format!("{sign}{controller}"))
}

/// Where the group exists now.
pub(crate) fn folders(group: &str) -> anyhow::Result<Vec<PathBuf>> {
    Ok(hierarchies()?
        .into_iter()
        .map(|at| at.join(group))
        .filter(|at| at.exists())
        .collect())
}

fn hierarchies() -> anyhow::Result<Vec<PathBuf>> {
    let mounts = "/proc/self/mountinfo";
    Ok(parse_hierarchies(
        &fs::read_to_string(mounts).with_context(|| format!("{mounts} cannot be read"))?,
    ))
}

/// Fields of a line: `… root mount-point options … - type source options`.
fn parse_hierarchies(mountinfo: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = mountinfo
        .lines()
        .filter_map(|line| {
            let (mount, kind) = line.split_once(" - ")?;
            let kind = kind.split(' ').next()?;
            ["cgroup", "cgroup2"]
                .contains(&kind)
                .then(|| mount.split(' ').nth(4))?
        })
        .map(PathBuf::from)
        .collect();
    found.sort();
    found.dedup();
    found
}

/// A group is a folder whose files cannot be removed and need not be.
fn remove_tree(folder: &Path) -> std::io::Result<()> {
    match fs::read_dir(folder) {
        Ok(entries) => {
            for entry in entries {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    remove_tree(&entry.path())?;
                }
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    match fs::remove_dir(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_controllers_that_are_off_are_switched_on() {
        assert_eq!(
            lacking("cpuset cpu io memory\n", "cpu memory\n"),
            ["cpuset", "io"]
        );
        assert!(lacking("", "").is_empty());
    }

    #[test]
    fn both_versions_of_control_groups_are_found_once() {
        let mountinfo = "\
25 1 0:23 / /proc rw,nosuid - proc proc rw
30 25 0:26 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu
31 25 0:27 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
32 25 0:27 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
33 25 0:28 / /tmp/cgroup rw - tmpfs tmpfs rw";

        let found = parse_hierarchies(mountinfo);

        assert_eq!(
            found,
            [
                PathBuf::from("/sys/fs/cgroup/cpu"),
                PathBuf::from("/sys/fs/cgroup/unified")
            ]
        );
    }
}
