//! `cargo xtask sim`: builds the simulator and sweeps over seeds on all cores.

mod curves;
mod large;

use std::process::ExitCode;

use crate::cargo::CargoCall;
use crate::workspace::Workspace;

/// Runs the protocol in simulated time, one world for each seed, under the checkers of its promises.
///
/// A seed gives the whole of a run: nodes, configuration, network, platform and faults. The first
/// broken promise ends the sweep with the seed, the end of its trace, the file that holds all of
/// it, and the command that replays it. What was seen of the protocol is counted, so that one sees
/// that the faults bite.
///
/// Needs: the toolchain alone.
/// Takes: about three minutes to build from nothing; then some 150 seeds a second on two cores.
///
/// Examples: cargo xtask sim --seeds 10000
///           cargo xtask sim --minutes 30 --from 1000000
///           cargo xtask sim --seeds 100000 --minutes 30    # whichever ends first
///           cargo xtask sim --replay 4711
///           cargo xtask sim --large          # draws docs/large/*.svg; a quarter of an hour, 10 GB
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct SimArgs {
    /// How many seeds to run at most [default: 1000, or as many as the minutes give].
    #[arg(long)]
    seeds: Option<u64>,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Run for so many minutes at most.
    #[arg(long)]
    minutes: Option<u64>,
    /// Run this seed alone and show its trace.
    #[arg(long, conflicts_with_all = ["seeds", "minutes"])]
    replay: Option<u64>,
    /// Start 33 to 48 nodes with every seed, as else one in a hundred does: those observe each other
    /// in rings. A dozen seeds a second.
    #[arg(long)]
    many: bool,
    /// Go on after a broken promise and tell all of them in the end.
    #[arg(long)]
    keep_going: bool,
    /// Measure clusters of up to five thousand nodes instead, and draw the curves in docs/large.
    #[arg(long, conflicts_with_all = ["minutes", "replay", "many", "keep_going"])]
    large: bool,
}

/// How many seeds are run where nothing else is said.
const SEEDS: u64 = 1_000;

/// The call that builds and runs the sweep.
pub(crate) fn call(words: &str) -> CargoCall {
    CargoCall::new(&format!(
        "run --package discovery-tcp --profile sim --features sim --locked --example sweep -- \
         {words}"
    ))
}

impl SimArgs {
    fn words(&self) -> String {
        let mut words = vec![format!("--from {}", self.from)];
        if let Some(seed) = self.replay {
            words.push(format!("--replay {seed}"));
        } else {
            let seeds = self.seeds.or(self.minutes.is_none().then_some(SEEDS));
            words.extend(seeds.map(|seeds| format!("--seeds {seeds}")));
            words.extend(self.minutes.map(|minutes| format!("--minutes {minutes}")));
        }
        let flags = [(self.many, "--many"), (self.keep_going, "--keep-going")];
        words.extend(
            flags
                .iter()
                .filter(|(is_set, _)| *is_set)
                .map(|(_, flag)| (*flag).to_owned()),
        );
        words.join(" ")
    }
}

pub(crate) fn run(arguments: &SimArgs) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::load()?;
    if arguments.large {
        return large::run(&workspace);
    }
    let status = call(&arguments.words()).stream(&workspace.root, |_| {})?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_asks_for_its_seed_and_a_sweep_for_its_range() {
        let arguments = |replay, seeds, minutes| SimArgs {
            seeds,
            from: 3,
            minutes,
            replay,
            many: false,
            keep_going: false,
            large: false,
        };
        let words = |replay, seeds, minutes| arguments(replay, seeds, minutes).words();
        assert_eq!(words(None, None, None), "--from 3 --seeds 1000");
        assert_eq!(words(None, Some(7), None), "--from 3 --seeds 7");
        assert_eq!(words(None, None, Some(2)), "--from 3 --minutes 2");
        let both = "--from 3 --seeds 7 --minutes 2";
        assert_eq!(words(None, Some(7), Some(2)), both);
        assert_eq!(words(Some(9), None, None), "--from 3 --replay 9");
    }
}
