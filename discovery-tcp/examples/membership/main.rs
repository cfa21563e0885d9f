//! Measures one run of a cluster of N members in one process over loopback, and prints one line of
//! JSON. `cargo xtask bench membership` runs it many times and makes a table of it.
//!
//! | module | what it holds |
//! |---|---|
//! | `arguments` | what to measure |
//! | `hosts` | one thread and runtime for each core |
//! | `fleet` | the nodes, their start and their ends |
//! | `witness` | what every node was told, and when |
//! | `severing` | links that carry nothing from some moment on, without closing |
//! | `gauges` | processor time, bytes and memory, as the kernel counts them |
//! | `scenarios` | the measurements |
#![allow(
    clippy::print_stdout,
    reason = "its result is a line on standard output"
)]

mod arguments;
mod fleet;
mod gauges;
mod hosts;
mod scenarios;
mod severing;
mod witness;

use std::error::Error;

use arguments::Arguments;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let report = runtime.block_on(scenarios::run(&arguments))?;
    println!("{report}");
    Ok(())
}
