//! An OCI archive of one image with one layer, as bytes: equal input gives equal bytes.
//!
//! Reads no file and no clock; what belongs into an image is decided elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

/// What goes into an image.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    /// The full name by which a cluster finds it.
    pub(crate) name: String,
    pub(crate) entrypoint: Vec<String>,
    /// In any order; they are sorted.
    pub(crate) files: Vec<ImageFile>,
}

/// One file of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageFile {
    /// From the root of the image, with or without a leading slash.
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
    pub(crate) mode: u32,
}

/// No image of ours needs root in its container.
const USER: &str = "65532:65532";
const PROGRAM_MODE: u32 = 0o755;
const FOLDER_MODE: u32 = 0o755;
const BLOB_MODE: u32 = 0o644;

impl ImageFile {
    /// A file that can be run.
    pub(crate) fn program(path: impl Into<PathBuf>, bytes: Vec<u8>) -> Self {
        Self {
            path: path.into(),
            bytes,
            mode: PROGRAM_MODE,
        }
    }
}

impl Image {
    /// The image as an archive that containerd, Docker and Podman can import.
    pub(crate) fn to_archive(&self) -> anyhow::Result<Vec<u8>> {
        let layer = self.layer()?;
        let layer = Blob::new("application/vnd.oci.image.layer.v1.tar", layer);
        let config = json!({
            "architecture": architecture(std::env::consts::ARCH)?,
            "os": "linux",
            "config": { "Entrypoint": self.entrypoint, "User": USER, "WorkingDir": "/" },
            "rootfs": { "type": "layers", "diff_ids": [layer.digest()] },
        });
        let config = Blob::json("application/vnd.oci.image.config.v1+json", &config);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": config.descriptor(),
            "layers": [layer.descriptor()],
        });
        let manifest = Blob::json(MANIFEST_TYPE, &manifest);
        let mut entry = manifest.descriptor();
        let reference = self.name.rsplit(':').next().unwrap_or_default();
        entry["annotations"] = json!({
            "io.containerd.image.name": self.name,
            "org.opencontainers.image.ref.name": reference,
        });
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [entry],
        });
        let mut files = BTreeMap::new();
        files.insert(
            PathBuf::from("oci-layout"),
            text(&json!({ "imageLayoutVersion": "1.0.0" })),
        );
        files.insert(PathBuf::from("index.json"), text(&index));
        for blob in [layer, config, manifest] {
            files.insert(Path::new("blobs/sha256").join(&blob.sha256), blob.bytes);
        }
        pack(
            files
                .iter()
                .map(|(path, bytes)| (path.as_path(), bytes.as_slice(), BLOB_MODE)),
        )
    }

    fn layer(&self) -> anyhow::Result<Vec<u8>> {
        let mut files = BTreeMap::new();
        for file in &self.files {
            let path = inside(&file.path)?;
            if files.insert(path.clone(), file).is_some() {
                bail!("{} is in the image twice", path.display());
            }
        }
        pack(
            files
                .iter()
                .map(|(path, file)| (path.as_path(), file.bytes.as_slice(), file.mode)),
        )
    }
}

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

struct Blob {
    media_type: &'static str,
    sha256: String,
    bytes: Vec<u8>,
}

impl Blob {
    fn new(media_type: &'static str, bytes: Vec<u8>) -> Self {
        Self {
            media_type,
            sha256: sha256(&bytes),
            bytes,
        }
    }

    fn json(media_type: &'static str, value: &Value) -> Self {
        Self::new(media_type, text(value))
    }

    fn digest(&self) -> String {
        format!("sha256:{}", self.sha256)
    }

    fn descriptor(&self) -> Value {
        json!({ "mediaType": self.media_type, "digest": self.digest(), "size": self.bytes.len() })
    }
}

/// As 64 lower-case hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"))
}

fn text(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// Names of processors as OCI has them.
fn architecture(rust_name: &str) -> anyhow::Result<&'static str> {
    Ok(match rust_name {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        _ => bail!("images for {rust_name} are not known; x86_64 and aarch64 are"),
    })
}

/// A tar of sorted files with all their folders, without owner, time or anything else of this
/// machine.
fn pack<'a>(files: impl Iterator<Item = (&'a Path, &'a [u8], u32)>) -> anyhow::Result<Vec<u8>> {
    let mut tar = Builder::new(Vec::new());
    let mut folders = BTreeSet::new();
    for (path, bytes, mode) in files {
        let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
        above.pop();
        for folder in above.into_iter().rev() {
            if folders.insert(folder.to_owned()) {
                append(&mut tar, folder, EntryType::Directory, FOLDER_MODE, &[])?;
            }
        }
        append(&mut tar, path, EntryType::Regular, mode, bytes)?;
    }
    tar.into_inner().context("the archive cannot be finished")
}

fn append(
    tar: &mut Builder<Vec<u8>>,
    path: &Path,
    kind: EntryType,
    mode: u32,
    bytes: &[u8],
) -> anyhow::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(bytes.len().try_into()?);
    tar.append_data(&mut header, path, bytes)
        .with_context(|| format!("{} cannot be packed", path.display()))
}

/// The path without its leading slash; one that climbs out is refused.
fn inside(path: &Path) -> anyhow::Result<PathBuf> {
    let mut kept = PathBuf::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => kept.push(name),
            Component::ParentDir | Component::Prefix(_) => {
                bail!("{} is not a plain path of an image", path.display())
            }
        }
    }
    Ok(kept)
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
