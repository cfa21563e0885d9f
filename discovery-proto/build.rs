//! Compiles the contracts under `proto/` to Rust, without any program that must be installed.

use std::error::Error;

const FOLDER: &str = "proto";
const RING: &str = "ring/v1/ring.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={FOLDER}");
    let contracts = protox::compile([RING], [FOLDER])?;
    prost_build::Config::new().compile_fds(contracts)?;
    Ok(())
}
