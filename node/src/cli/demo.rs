//! `demo`: several members in one process, on loopback. What it does is in `demo/`; here are its
//! flags and how it ends.

use std::io::{self, IsTerminal};

use clap::Args;

use super::Failure;
use crate::demo::{Ended, ScriptError, run_on_terminal, run_script};
use crate::exit;
use crate::terminal::Stop;

/// Five members on this machine: watch them agree, then kill, pause, cut and heal them.
#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Do one thing after the other, tell what happens with times, and end
    #[arg(long)]
    script: bool,
    /// The port of the first page; the others count up from it, and 0 takes any
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    page_port: u16,
}

pub(super) async fn run(args: &DemoArgs, stop: &mut Stop) -> Result<u8, Failure> {
    let has_keys = io::stdin().is_terminal() && io::stdout().is_terminal();
    if !args.script && !has_keys {
        let why = "demo: this is no terminal to press keys on; give --script";
        return Err(Failure::Usage(why.to_owned()));
    }
    tokio::select! {
        ended = play(args) => match ended {
            Ok(Ended::AsTold) => Ok(exit::DONE),
            Ok(Ended::Otherwise) => Ok(exit::CHECK_FAILED),
            Err(ScriptError::Output(error)) => Err(Failure::Output(error)),
            Err(error) => Err(Failure::System {
                what: "the demo cannot go on",
                source: io::Error::other(error),
            }),
        },
        code = stop.asked() => Ok(code),
    }
}

async fn play(args: &DemoArgs) -> Result<Ended, ScriptError> {
    if args.script {
        return run_script(args.page_port).await;
    }
    run_on_terminal(args.page_port)
        .await
        .map(|()| Ended::AsTold)
}
