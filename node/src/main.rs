//! The node's binary: reads the command line, runs it, returns its exit code. Everything else is in
//! the library beside it.

use std::process::ExitCode;

use clap::Parser;
use discovery_node::cli::Cli;
use discovery_node::config::Surroundings;
use discovery_node::exit;

fn main() -> ExitCode {
    let code = match Cli::try_parse() {
        Ok(cli) => cli.run(&Surroundings::of_this_process()),
        Err(error) => {
            // Help and version are errors to clap, too; only the others are for standard error.
            let code = if error.use_stderr() {
                exit::USAGE
            } else {
                exit::DONE
            };
            let _ = error.print();
            code
        }
    };
    ExitCode::from(code)
}
