//! Builds the programs of the cluster from Go modules, once: later clusters take them from a cache.
//!
//! The cache lies outside the checkout, so a fresh clone does not build them again.

use std::env;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::build::build_module;
use super::constants::{CACHE_ENV, CONTAINERD_VERSION, ETCD_VERSION, KUBERNETES_VERSION};
use super::part::Part;
use super::progress::Progress;
use crate::image::archive::sha256;

/// A folder with all programs of a cluster.
#[derive(Debug, Clone)]
pub(crate) struct Toolchain {
    bin: PathBuf,
}

/// What is built from one Go module.
#[derive(Debug)]
pub(crate) struct Module {
    /// Folder below `xtask/go`.
    pub(crate) folder: &'static str,
    pub(crate) title: String,
    /// What `go build` is given: packages, or `tool` for those the module names as its tools.
    pub(crate) packages: &'static str,
    pub(crate) tags: &'static str,
    pub(crate) link_flags: String,
}

/// The program that is every part of Kubernetes, by the name it is called by.
const KUBERNETES_PROGRAM: &str = "kubernetes";

impl Toolchain {
    /// The one in the cache, if it is there.
    pub(crate) fn cached() -> anyhow::Result<Option<Self>> {
        let bin = place()?;
        Ok(bin.is_dir().then_some(Self { bin }))
    }

    /// The one in the cache, built first if it is not there.
    pub(crate) fn ensure() -> anyhow::Result<Self> {
        if let Some(toolchain) = Self::cached()? {
            return Ok(toolchain);
        }
        let cache = cache_dir()?;
        fs::create_dir_all(&cache)
            .with_context(|| format!("{} cannot be made", cache.display()))?;
        let lock = File::create(cache.join("build.lock"))?;
        if lock.try_lock().is_err() {
            Progress::start("build").show("waiting for another build to end");
        }
        lock.lock()
            .context("the lock of the cache cannot be taken")?;
        // Whoever held the lock may have built it.
        if let Some(toolchain) = Self::cached()? {
            return Ok(toolchain);
        }
        build_all(&cache, &place()?)?;
        Self::cached()?.context("the build has left nothing in the cache")
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.bin
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }
}

fn build_all(cache: &Path, place: &Path) -> anyhow::Result<()> {
    let unfinished = cache.join("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    fs::create_dir(&unfinished)?;
    for module in modules() {
        build_module(&source_dir().join(module.folder), &module, &unfinished)?;
    }
    for name in names() {
        symlink(KUBERNETES_PROGRAM, unfinished.join(name))
            .with_context(|| format!("{name} cannot be linked"))?;
    }
    // Only a whole build gets the name by which it is found.
    fs::rename(&unfinished, place)
        .with_context(|| format!("{} cannot be put in place", place.display()))
}

/// Names under which the Kubernetes program is called.
fn names() -> Vec<&'static str> {
    let parts = Part::ALL
        .into_iter()
        .filter(|part| *part != Part::Containerd);
    parts.map(Part::program).chain(["kubectl"]).collect()
}

fn modules() -> [Module; 3] {
    let minor = KUBERNETES_VERSION.split('.').nth(1).unwrap_or_default();
    let version = "k8s.io/component-base/version";
    [
        Module {
            folder: "pause",
            title: "pause".to_owned(),
            packages: ".",
            tags: "",
            link_flags: "-s -w".to_owned(),
        },
        Module {
            folder: "containerd",
            title: format!("containerd {CONTAINERD_VERSION}"),
            packages: "tool",
            tags: "no_btrfs no_devmapper no_zfs no_erofs",
            link_flags: format!(
                "-s -w -X github.com/containerd/containerd/v2/version.Version={CONTAINERD_VERSION}"
            ),
        },
        Module {
            folder: "kubernetes",
            title: format!("kubernetes {KUBERNETES_VERSION} and etcd {ETCD_VERSION}"),
            packages: ".",
            tags: "",
            link_flags: format!(
                "-s -w -X {version}.gitVersion={KUBERNETES_VERSION} -X {version}.gitMajor=1 \
                 -X {version}.gitMinor={minor} -X {version}.gitTreeState=clean"
            ),
        },
    ]
}

/// Where the programs of this source lie once they are built.
fn place() -> anyhow::Result<PathBuf> {
    let mut inputs = vec![
        (
            "target".to_owned(),
            format!("{} {}", env::consts::OS, env::consts::ARCH).into_bytes(),
        ),
        (
            "modules".to_owned(),
            format!("{:?}{:?}", modules(), names()).into_bytes(),
        ),
    ];
    for module in modules() {
        for file in ["go.mod", "go.sum", "main.go"] {
            let path = source_dir().join(module.folder).join(file);
            // Not every module has every file.
            if path.exists() {
                let bytes = fs::read(&path)
                    .with_context(|| format!("{} cannot be read", path.display()))?;
                inputs.push((format!("{}/{file}", module.folder), bytes));
            }
        }
    }
    Ok(cache_dir()?.join(key(&inputs)))
}

/// Enough that two keys never meet by chance, and short enough to read.
const KEY_LETTERS: usize = 20;

/// Equal for equal inputs, and only for them: each is counted in with its name and length.
fn key(inputs: &[(String, Vec<u8>)]) -> String {
    let mut counted = Vec::new();
    for (name, bytes) in inputs {
        counted.extend(format!("{name}\n{}\n", bytes.len()).into_bytes());
        counted.extend(bytes);
    }
    let mut digest = sha256(&counted);
    digest.truncate(KEY_LETTERS);
    digest
}

/// The folder of the Go sources, beside this tool's own.
fn source_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("go")
}

/// Where built programs are kept for all checkouts of this user.
pub(crate) fn cache_dir() -> anyhow::Result<PathBuf> {
    let absolute = |name: &str| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    if let Some(chosen) = env::var_os(CACHE_ENV) {
        let chosen = PathBuf::from(chosen);
        if !chosen.is_absolute() {
            bail!(
                "{CACHE_ENV} is {:?}; it must be an absolute path",
                chosen.display()
            );
        }
        return Ok(chosen);
    }
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    let base = base.with_context(|| format!("neither {CACHE_ENV} nor HOME is set"))?;
    Ok(base.join("discovery-xtask"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(name: &str, bytes: &[u8]) -> (String, Vec<u8>) {
        (name.to_owned(), bytes.to_vec())
    }

    #[test]
    fn the_key_changes_with_every_input_and_with_where_one_ends() {
        let plain = key(&[input("a", b"1"), input("b", b"2")]);

        assert_eq!(plain, key(&[input("a", b"1"), input("b", b"2")]));
        assert_ne!(plain, key(&[input("a", b"1"), input("b", b"3")]));
        assert_ne!(plain, key(&[input("a", b"1"), input("c", b"2")]));
        assert_ne!(
            key(&[input("a", b"12")]),
            key(&[input("a", b"1"), input("", b"2")])
        );
        assert_eq!(plain.len(), KEY_LETTERS);
    }

    #[test]
    fn the_versions_here_are_those_of_the_go_modules() {
        let requires = |module: &str, wanted: &str| {
            let text = fs::read_to_string(source_dir().join(module).join("go.mod")).unwrap();
            let mut lines = text
                .lines()
                .map(|line| line.trim().trim_end_matches(" // indirect"));
            lines.any(|line| line == wanted)
        };

        for (module, path, version) in [
            ("kubernetes", "k8s.io/kubernetes", KUBERNETES_VERSION),
            ("kubernetes", "go.etcd.io/etcd/server/v3", ETCD_VERSION),
            (
                "containerd",
                "github.com/containerd/containerd/v2",
                CONTAINERD_VERSION,
            ),
        ] {
            let wanted = format!("{path} {version}");
            assert!(requires(module, &wanted), "{module}: {wanted}");
        }
    }
}
