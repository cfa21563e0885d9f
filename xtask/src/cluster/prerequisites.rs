//! What the machine must have before a cluster can be built and run, and how to get what is
//! missing.

use std::env;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use super::constants::{CNI_PROGRAMS_DIR, GO_VERSION_MIN, INSTALL_TIME_MAX, KUBECTL_TIME_MAX};
use super::program;
use super::progress::Progress;

/// What may be done about a missing package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Install {
    /// Say what is missing and stop.
    Never,
    /// Install Debian packages with `apt-get`.
    Packages,
}

impl Install {
    /// By the flag, or because a continuous integration machine is ours to change.
    pub(crate) fn from_flag(asked: bool) -> Self {
        let in_ci = env::var("CI").is_ok_and(|value| value == "true");
        if asked || in_ci {
            Self::Packages
        } else {
            Self::Never
        }
    }
}

/// One thing the machine lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing {
    what: String,
    /// The Debian package that holds it; without one a person has to act.
    package: Option<&'static str>,
}

/// Programs that run a cluster, with the Debian package of each.
const PROGRAMS: [(&str, &str); 9] = [
    ("runc", "runc"),
    ("iptables", "iptables"),
    ("nft", "nftables"),
    ("ip", "iproute2"),
    ("conntrack", "conntrack"),
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
    ("setsid", "util-linux"),
];

/// Administration programs lie in folders that not every user's `PATH` names.
const PROGRAM_DIRS: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// Fails in one line unless this is Linux and we are root.
pub(crate) fn check_machine() -> anyhow::Result<()> {
    if !cfg!(target_os = "linux") {
        bail!("the local cluster needs Linux; run the suites on a cluster with --kubeconfig");
    }
    if !nix::unistd::geteuid().is_root() {
        bail!(
            "the local cluster needs root (namespaces and mounts); use sudo, \
             or --kubeconfig with a cluster elsewhere"
        );
    }
    Ok(())
}

/// Makes sure that all needed is there; installs Debian packages if that is allowed.
pub(crate) fn ensure(needs_build: bool, install: Install) -> anyhow::Result<()> {
    let missing = missing(needs_build);
    if missing.is_empty() {
        return Ok(());
    }
    let packages = packages(&missing);
    let by_hand = missing.iter().any(|thing| thing.package.is_none());
    if install == Install::Never || by_hand || find_program("apt-get").is_none() {
        bail!("{}", explain(&missing));
    }
    apt_get(&["update"], "updating the list of packages")?;
    let mut words = vec!["install", "--yes", "--no-install-recommends"];
    words.extend(&packages);
    apt_get(&words, &format!("installing {}", packages.join(" ")))?;
    let still = self::missing(needs_build);
    if !still.is_empty() {
        bail!("after the installation: {}", explain(&still));
    }
    Ok(())
}

/// What the machine lacks now.
fn missing(needs_build: bool) -> Vec<Missing> {
    let mut missing: Vec<Missing> = PROGRAMS
        .iter()
        .filter(|(program, _)| find_program(program).is_none())
        .map(|(program, package)| Missing {
            what: (*program).to_owned(),
            package: Some(package),
        })
        .collect();
    let bridge = Path::new(CNI_PROGRAMS_DIR).join("bridge");
    if !bridge.exists() {
        missing.push(Missing {
            what: bridge.display().to_string(),
            package: Some("containernetworking-plugins"),
        });
    }
    if needs_build && let Some(what) = missing_go() {
        missing.push(Missing {
            what,
            package: None,
        });
    }
    missing
}

fn missing_go() -> Option<String> {
    let (major, minor) = GO_VERSION_MIN;
    let wanted = format!("Go {major}.{minor} or newer (https://go.dev/dl/)");
    let Ok(said) = program::output(Command::new("go").arg("version"), KUBECTL_TIME_MAX) else {
        return Some(wanted);
    };
    match go_version(&said) {
        Some(version) if version >= GO_VERSION_MIN => None,
        Some((major, minor)) => Some(format!("{wanted}; this is Go {major}.{minor}")),
        None => Some(format!("{wanted}; this one says {:?}", said.trim())),
    }
}

/// From `go version go1.26.8 linux/amd64`.
fn go_version(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said
        .split_ascii_whitespace()
        .nth(2)?
        .strip_prefix("go")?
        .split('.');
    let leading = |text: &str| {
        let end = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        text[..end].parse().ok()
    };
    Some((leading(numbers.next()?)?, leading(numbers.next()?)?))
}

fn packages(missing: &[Missing]) -> Vec<&'static str> {
    let mut packages: Vec<_> = missing.iter().filter_map(|thing| thing.package).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

fn explain(missing: &[Missing]) -> String {
    let mut text = String::from("the local cluster needs what this machine lacks:");
    for thing in missing {
        let _ = write!(text, "\n  {}", thing.what);
        if let Some(package) = thing.package {
            let _ = write!(text, " (Debian package {package})");
        }
    }
    let packages = packages(missing).join(" ");
    if !packages.is_empty() {
        let _ = write!(
            text,
            "\ninstall it with `apt-get update && apt-get install {packages}`, \
             or let --install do so"
        );
    }
    text
}

/// Where a program lies: in `PATH`, or in one of the folders for administration.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(PROGRAM_DIRS.map(PathBuf::from))
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

fn apt_get(words: &[&str], task: &str) -> anyhow::Result<()> {
    let mut progress = Progress::start("machine");
    let mut command = Command::new("apt-get");
    command
        .args(["-qq"])
        .args(words)
        .env("DEBIAN_FRONTEND", "noninteractive");
    let ended = program::run_while(&mut command, INSTALL_TIME_MAX, || {
        progress.show(task);
        Ok(())
    })?;
    if !ended.status.success() {
        bail!("{task} failed ({}): {}", ended.status, ended.stderr.trim());
    }
    progress.done(task);
    Ok(())
}

/// The full path of `runc`; containerd does not look for it.
pub(crate) fn runc() -> anyhow::Result<PathBuf> {
    find_program("runc").context("runc is not in PATH; install the Debian package runc")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lacks(what: &str, package: Option<&'static str>) -> Missing {
        Missing {
            what: what.to_owned(),
            package,
        }
    }

    #[test]
    fn the_list_names_each_thing_and_one_command_for_all() {
        let missing = [
            lacks("nsenter", Some("util-linux")),
            lacks("runc", Some("runc")),
            lacks("unshare", Some("util-linux")),
        ];

        let text = explain(&missing);

        assert_eq!(
            text,
            "the local cluster needs what this machine lacks:\
             \n  nsenter (Debian package util-linux)\
             \n  runc (Debian package runc)\
             \n  unshare (Debian package util-linux)\
             \ninstall it with `apt-get update && apt-get install runc util-linux`, \
             or let --install do so"
        );
    }

    #[test]
    fn what_no_package_holds_gets_no_command() {
        let text = explain(&[lacks("Go 1.26 or newer", None)]);

        assert!(!text.contains("apt-get"));
    }

    #[test]
    fn versions_of_go_are_read() {
        assert_eq!(go_version("go version go1.26.8 linux/amd64"), Some((1, 26)));
        assert_eq!(
            go_version("go version go1.27rc1 linux/amd64"),
            Some((1, 27))
        );
        assert_eq!(go_version("go version devel linux/amd64"), None);
    }
}
