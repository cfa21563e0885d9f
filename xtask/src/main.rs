//! The project's own tools; every command explains itself with `--help`.

use clap::{Parser, Subcommand};

/// Tools of this workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", version, about)]
struct Xtask {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {}

fn main() -> anyhow::Result<()> {
    match Xtask::parse().command {}
}
