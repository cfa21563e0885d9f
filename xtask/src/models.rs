//! `cargo xtask models`: runs the exhaustive models of the protocol and shows what they counted.
//! The models themselves are tests of `discovery-tcp`.

use std::process::ExitCode;

use crate::cargo::CargoCall;
use crate::stopwatch::{Stopwatch, Took};
use crate::workspace::Workspace;

/// Runs the exhaustive models of the protocol's rules.
///
/// Each model holds a rule against the one it replaced: the old one fails in some schedule, which
/// is printed, the new one in none within the bounds. A line each tells how many states there were
/// and how long they took. The small bounds are also part of `cargo xtask test`.
///
/// Needs: the toolchain; with `--large` up to four gigabytes of memory.
/// Takes: seconds, with `--large` some minutes on one core, after a release build.
///
/// Examples: cargo xtask models
///           cargo xtask models --large
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Options {
    /// Take the large bounds too.
    #[arg(long)]
    large: bool,
    /// Run only the models whose test has this in its name.
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

/// What the models' lines begin with.
const LINE: &str = "model | ";

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::load()?;
    let watch = Stopwatch::start();
    let mut lines = 0;
    let status = call(options).stream(&workspace.root, |line| {
        lines += usize::from(line.contains(LINE));
    })?;
    println!("{lines} searches in {}", Took(watch.elapsed()));
    Ok(if status.success() && lines > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn call(options: &Options) -> CargoCall {
    let name = options.name.as_deref().unwrap_or_default();
    let call = CargoCall::new(&format!(
        "test --release --locked --package discovery-tcp --test models {name} \
         -- --nocapture --test-threads 1"
    ));
    if options.large {
        call.with_env("DISCOVERY_MODELS", "large")
    } else {
        call
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_large_bounds_are_asked_for_by_name() {
        let of = |large| call(&Options { large, name: None }).to_string();
        assert!(of(true).starts_with("DISCOVERY_MODELS='large' cargo test --release"));
        assert!(of(false).starts_with("cargo test --release"));
    }

    #[test]
    fn one_model_can_be_chosen() {
        let name = Some("founding".to_owned());
        let call = call(&Options { large: false, name }).to_string();
        assert!(call.contains("--test models founding -- --nocapture"));
    }
}
