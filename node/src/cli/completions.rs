//! `completions`: what a shell needs to complete our commands and flags.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::{Cli, Failure};
use crate::exit;
use crate::terminal;

/// Print completions for a shell, such as: source <(discovery-node completions bash)
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs) -> Result<u8, Failure> {
    let mut script = Vec::new();
    generate(
        args.shell,
        &mut Cli::command(),
        "discovery-node",
        &mut script,
    );
    terminal::say(&String::from_utf8_lossy(&script))?;
    Ok(exit::DONE)
}
