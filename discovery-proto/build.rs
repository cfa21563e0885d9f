//! Compiles the contracts under `proto/` to Rust, without any program that must be installed.

use std::error::Error;

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
    let mut config = prost_build::Config::new();
    for field in BOXED {
        config.boxed(field);
    }
    config.compile_fds(contracts)?;
    Ok(())
}
