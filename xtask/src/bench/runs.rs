//! Building the measuring program and running it, one process a run.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Map, Value};

use crate::cargo::CargoCall;
use crate::cluster::program;

/// The program's name among the examples of `discovery-tcp`.
const EXAMPLE: &str = "membership";

/// Longest time a run may take.
const RUN_MAX: Duration = Duration::from_mins(10);

/// Processes that do nothing but use the processor, in a loaded run.
const SPINNERS: usize = 2;

/// The built program.
#[derive(Debug)]
pub(super) struct Program {
    path: PathBuf,
}

/// What a run is for: runs of one purpose and size are aggregated together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Purpose {
    /// Everything, formed by census.
    Full,
    /// Only the formation, by a majority of names.
    Majority,
    /// A frozen member, while other processes use the processor.
    Loaded,
    /// Only the idle cluster, at this silence limit in milliseconds.
    Limit(u32),
}

/// One run to be made.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) nodes: usize,
    pub(super) purpose: Purpose,
    /// Chooses the victims.
    pub(super) run: usize,
}

impl Plan {
    pub(super) fn full(nodes: usize, run: usize) -> Self {
        let purpose = Purpose::Full;
        Self {
            nodes,
            purpose,
            run,
        }
    }

    pub(super) fn majority(nodes: usize) -> Self {
        let (purpose, run) = (Purpose::Majority, 0);
        Self {
            nodes,
            purpose,
            run,
        }
    }

    pub(super) fn loaded(nodes: usize, run: usize) -> Self {
        let purpose = Purpose::Loaded;
        Self {
            nodes,
            purpose,
            run,
        }
    }

    pub(super) fn limit(nodes: usize, millis: u32) -> Self {
        let (purpose, run) = (Purpose::Limit(millis), 0);
        Self {
            nodes,
            purpose,
            run,
        }
    }

    /// The arguments of the program.
    pub(super) fn arguments(&self) -> Vec<String> {
        let common = format!("--nodes {} --choice {}", self.nodes, self.run);
        let own = match self.purpose {
            Purpose::Full => String::new(),
            Purpose::Majority => "--formation majority --steps ,".to_owned(),
            Purpose::Loaded => "--steps freeze".to_owned(),
            Purpose::Limit(millis) => format!("--silence-ms {millis} --steps idle"),
        };
        let words = common.split_whitespace().chain(own.split_whitespace());
        words.map(str::to_owned).collect()
    }
}

impl Program {
    pub(super) fn build(root: &Path) -> anyhow::Result<Self> {
        let call = format!(
            "build --profile measured --locked --package discovery-tcp --features testing \
             --example {EXAMPLE} --message-format=json-render-diagnostics"
        );
        let messages = CargoCall::new(&call).capture(root)?;
        let path = messages
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|message| message["target"]["name"] == EXAMPLE)
            .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)));
        let path = path.with_context(|| format!("cargo has built no program called {EXAMPLE}"))?;
        Ok(Self { path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes one run and returns what it measured.
    pub(super) fn run(&self, plan: &Plan) -> anyhow::Result<Map<String, Value>> {
        let _load = match plan.purpose {
            Purpose::Loaded => Some(Load::start()?),
            Purpose::Full | Purpose::Majority | Purpose::Limit(_) => None,
        };
        let mut command = Command::new(&self.path);
        command.args(plan.arguments());
        let printed = program::output(&mut command, RUN_MAX)?;
        match serde_json::from_str(&printed) {
            Ok(Value::Object(figures)) => Ok(figures),
            Ok(_) | Err(_) => bail!("{EXAMPLE} printed no figures: {printed}"),
        }
    }
}

/// Processes that use the processor until they are dropped.
struct Load(Vec<Child>);

impl Load {
    fn start() -> anyhow::Result<Self> {
        let mut load = Self(Vec::new());
        for _ in 0..SPINNERS {
            let spinner = Command::new("sh")
                .args(["-c", "while :; do :; done"])
                .stdin(Stdio::null())
                .spawn()
                .context("sh cannot be started")?;
            load.0.push(spinner);
        }
        Ok(load)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for spinner in &mut self.0 {
            // One that has ended already needs no end.
            let _ = spinner.kill();
            let _ = spinner.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_purpose_asks_for_its_measurements() {
        let words = |plan: Plan| plan.arguments().join(" ");
        assert_eq!(words(Plan::full(10, 3)), "--nodes 10 --choice 3");
        assert_eq!(
            words(Plan::majority(50)),
            "--nodes 50 --choice 0 --formation majority --steps ,"
        );
        assert_eq!(
            words(Plan::limit(100, 500)),
            "--nodes 100 --choice 0 --silence-ms 500 --steps idle"
        );
    }
}
