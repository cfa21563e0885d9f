//! Compiles the contracts under `proto/` to Rust, without any program that must be installed.

use std::error::Error;
use std::path::PathBuf;

use prost::Message;

const FOLDER: &str = "proto";
const RING: &str = "ring/v1/ring.proto";

/// What is large and stands in lists. An element of a list costs its reader what its Rust type
/// takes, before anything can be checked, and its sender two bytes: boxes keep that in proportion.
const BOXED: [&str; 5] = [
    ".ring.v1.Decision.kind.change",
    ".ring.v1.Decision.kind.message",
    ".ring.v1.Failure.evidence",
    ".ring.v1.Joiner.node",
    ".ring.v1.Member.node",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={FOLDER}");
    let contracts = protox::compile([RING], [FOLDER])?;
    // Only this package's tests read it: the contract is locked by its descriptors.
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("ring.v1.bin"), contracts.encode_to_vec())?;
    let mut config = prost_build::Config::new();
    for field in BOXED {
        config.boxed(field);
    }
    config.compile_fds(contracts)?;
    #[cfg(feature = "api")]
    api::compile()?;
    Ok(())
}

#[cfg(feature = "api")]
mod api {
    //! The API: its messages, as far as asked for its calls, and its descriptors.

    use std::error::Error;
    use std::path::PathBuf;

    use prost::Message;

    const API: [&str; 3] = [
        "discovery/v1/topology.proto",
        "discovery/v1/discovery.proto",
        "discovery/v1/admin.proto",
    ];

    pub(super) fn compile() -> Result<(), Box<dyn Error>> {
        let contracts = protox::compile(API, [super::FOLDER])?;
        let out = PathBuf::from(std::env::var("OUT_DIR")?);
        std::fs::write(out.join("discovery.v1.bin"), contracts.encode_to_vec())?;
        tonic_prost_build::configure()
            .build_client(cfg!(feature = "client"))
            .build_server(cfg!(feature = "server"))
            .btree_map(".discovery.v1")
            .compile_fds(contracts)?;
        Ok(())
    }
}
