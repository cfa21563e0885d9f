//! What to measure, from the command line.

use std::time::Duration;

use discovery_tcp::RingConfig;

/// The measurements, in the order in which they are made.
pub(crate) const STEPS: [&str; 7] = [
    "idle",
    "publish",
    "kill",
    "kill-coordinator",
    "kill-tenth",
    "freeze",
    "freeze-tenth",
];

/// What to measure.
#[derive(Clone, Debug)]
pub(crate) struct Arguments {
    /// How many members.
    pub(crate) nodes: usize,
    /// Whether the cluster forms by a majority of names; else by census.
    pub(crate) by_majority: bool,
    /// The silence limit.
    pub(crate) silence_limit: Duration,
    /// How long the idle cluster is watched.
    pub(crate) idle: Duration,
    /// Which of [`STEPS`] are made after the formation.
    pub(crate) steps: Vec<String>,
    /// Chooses the victims.
    pub(crate) choice: usize,
}

impl Arguments {
    /// Reads `--name value` pairs.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self {
            nodes: 10,
            by_majority: false,
            silence_limit: RingConfig::default().silence_limit,
            idle: Duration::from_secs(5),
            steps: STEPS.map(str::to_owned).to_vec(),
            choice: 0,
        };
        while let Some(name) = words.next() {
            let value = words
                .next()
                .ok_or_else(|| format!("{name} needs a value"))?;
            let number = || {
                let number = value.parse::<u32>();
                number.map_err(|error| format!("{name} {value}: {error}"))
            };
            match name.as_str() {
                "--nodes" => arguments.nodes = usize::try_from(number()?).unwrap_or(usize::MAX),
                "--formation" => arguments.by_majority = value == "majority",
                "--silence-ms" => {
                    arguments.silence_limit = Duration::from_millis(number()?.into());
                }
                "--idle-seconds" => arguments.idle = Duration::from_secs(number()?.into()),
                "--steps" => arguments.steps = steps(&value)?,
                "--choice" => arguments.choice = usize::try_from(number()?).unwrap_or(0),
                _ => return Err(format!("{name} is not known")),
            }
        }
        Ok(arguments)
    }
}

fn steps(value: &str) -> Result<Vec<String>, String> {
    let steps: Vec<String> = value
        .split(',')
        .filter(|step| !step.is_empty())
        .map(str::to_owned)
        .collect();
    let unknown = steps.iter().find(|step| !STEPS.contains(&step.as_str()));
    match unknown {
        Some(unknown) => Err(format!("{unknown} is none of {STEPS:?}")),
        None => Ok(steps),
    }
}
