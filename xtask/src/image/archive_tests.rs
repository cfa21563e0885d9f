//! What an archive holds and that it depends on nothing but its input.

use std::io::Read;

use super::*;

fn image(files: Vec<ImageFile>) -> Image {
    Image {
        name: "localhost/example:dev".to_owned(),
        entrypoint: vec!["/usr/bin/example".to_owned()],
        files,
    }
}

fn two_files() -> Vec<ImageFile> {
    vec![
        ImageFile::program("/usr/bin/example", b"program".to_vec()),
        ImageFile::program("/lib/libc.so.6", b"library".to_vec()),
    ]
}

fn entries(archive: &[u8]) -> Vec<(String, Vec<u8>, u32, u64, u64)> {
    let mut tar = tar::Archive::new(archive);
    let entries = tar.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let header = entry.header();
        let path = entry.path().unwrap().display().to_string();
        (
            path,
            bytes,
            header.mode().unwrap(),
            header.mtime().unwrap(),
            header.uid().unwrap(),
        )
    });
    entries.collect()
}

fn entry(archive: &[u8], path: &str) -> Vec<u8> {
    entries(archive)
        .into_iter()
        .find(|entry| entry.0 == path)
        .unwrap()
        .1
}

fn blob(archive: &[u8], descriptor: &Value) -> Vec<u8> {
    let digest = descriptor["digest"].as_str().unwrap().replace(':', "/");
    let bytes = entry(archive, &format!("blobs/{digest}"));
    assert_eq!(descriptor["size"], bytes.len());
    assert_eq!(digest, format!("sha256/{}", sha256(&bytes)));
    bytes
}

#[test]
fn equal_files_in_any_order_give_equal_bytes() {
    let mut turned = two_files();
    turned.reverse();

    let first = image(two_files()).to_archive().unwrap();
    let second = image(turned).to_archive().unwrap();

    assert_eq!(sha256(&first), sha256(&second));
}

#[test]
fn one_other_byte_gives_another_archive() {
    let mut other = two_files();
    other[0].bytes = b"Program".to_vec();

    let first = image(two_files()).to_archive().unwrap();
    let second = image(other).to_archive().unwrap();

    assert_ne!(sha256(&first), sha256(&second));
}

#[test]
fn nothing_of_the_machine_is_in_the_entries() {
    let archive = image(two_files()).to_archive().unwrap();

    for (path, _, _, modified, owner) in entries(&archive) {
        assert_eq!((modified, owner), (0, 0), "{path}");
    }
}

#[test]
fn every_descriptor_leads_to_its_blob_and_the_layer_to_the_files() {
    let archive = image(two_files()).to_archive().unwrap();

    let index: Value = serde_json::from_slice(&entry(&archive, "index.json")).unwrap();
    let listed = &index["manifests"][0];
    assert_eq!(
        listed["annotations"]["io.containerd.image.name"],
        "localhost/example:dev"
    );
    assert_eq!(
        listed["annotations"]["org.opencontainers.image.ref.name"],
        "dev"
    );
    let manifest: Value = serde_json::from_slice(&blob(&archive, listed)).unwrap();
    let config: Value = serde_json::from_slice(&blob(&archive, &manifest["config"])).unwrap();
    assert_eq!(config["config"]["Entrypoint"][0], "/usr/bin/example");
    assert_eq!(
        config["rootfs"]["diff_ids"][0],
        manifest["layers"][0]["digest"]
    );
    let layer = entries(&blob(&archive, &manifest["layers"][0]));
    let paths: Vec<&str> = layer.iter().map(|entry| entry.0.as_str()).collect();
    assert_eq!(
        paths,
        ["lib", "lib/libc.so.6", "usr", "usr/bin", "usr/bin/example"]
    );
    assert_eq!(layer[1].1, b"library");
    assert_eq!(layer[4].2, 0o755);
}

#[test]
fn a_path_that_climbs_out_is_refused() {
    let climbing = image(vec![ImageFile::program(
        "/usr/../../etc/passwd",
        Vec::new(),
    )]);

    let refused = climbing.to_archive().unwrap_err();

    assert!(refused.to_string().contains("/usr/../../etc/passwd"));
}

#[test]
fn a_file_that_is_named_twice_is_refused() {
    let twice = vec![
        ImageFile::program("/lib/a", Vec::new()),
        ImageFile::program("lib/./a", Vec::new()),
    ];

    let refused = image(twice).to_archive().unwrap_err();

    assert_eq!(refused.to_string(), "lib/a is in the image twice");
}
