//! The project's own tools, as `cargo xtask <command>`; each explains itself with `--help`.
//! This file holds the command line; each command is a module of its own.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool speaks on its standard output"
)]

mod bench;
mod cargo;
mod cluster;
mod e2e;
mod fix;
mod fuzz;
mod image;
mod models;
mod sim;
mod stopwatch;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tools of this workspace.
///
/// Every command works from any folder of the checkout. `test` and `tidy` only read (and build);
/// `fix` is the one that rewrites files. `cargo xtask help <command>` tells what a command does,
/// what it needs and how long it takes.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version,
    about,
    long_about
)]
struct Xtask {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Test(test::Options),
    Tidy(tidy::Options),
    Fix(fix::Options),
    Fuzz(fuzz::Options),
    Models(models::Options),
    Cluster(cluster::ClusterCommand),
    Image(image::ImageArgs),
    E2e(e2e::E2eArgs),
    Sim(sim::SimArgs),
    Bench(bench::BenchArgs),
}

fn main() -> ExitCode {
    let done = match Xtask::parse().command {
        Command::Test(options) => test::run(&options),
        Command::Tidy(options) => tidy::run(&options),
        Command::Fix(options) => fix::run(&options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Models(options) => models::run(&options),
        Command::Cluster(command) => cluster::run(&command),
        Command::Image(arguments) => image::run(&arguments),
        Command::E2e(arguments) => e2e::run(&arguments),
        Command::Sim(arguments) => sim::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(2)
        }
    }
}
