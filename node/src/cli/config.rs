//! `config example`: the annotated configuration file.

use clap::{Args, Subcommand};

use super::Failure;
use crate::config::example_file;
use crate::exit;
use crate::terminal;

/// The configuration file.
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print a file with every setting, explained and commented out
    Example,
}

pub(super) fn run(args: &ConfigArgs) -> Result<u8, Failure> {
    match args.command {
        ConfigCommand::Example => terminal::say(&example_file())?,
    }
    Ok(exit::DONE)
}
