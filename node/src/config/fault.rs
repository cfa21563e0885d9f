//! Faults of a configuration: which setting, which value, where it came from, what to give instead.

use std::fmt;

use super::parts::SERVICE;
use super::settings::KINDS;

/// Where a value came from; a later one beats an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Nobody gave it.
    Default,
    /// A file that the platform mounts into every pod.
    Mounted(&'static str),
    /// An environment variable by which the platform tells a pod of itself.
    Platform(&'static str),
    /// A line of the configuration file.
    File {
        /// The file as it was named.
        path: String,
        /// The line, counted from one.
        line: usize,
    },
    /// An environment variable.
    Env(String),
    /// A flag, without its dashes.
    Flag(&'static str),
}

impl Origin {
    /// The layer as a number: file, environment, flags.
    pub(super) fn layer(&self) -> u8 {
        match self {
            Self::Default | Self::Mounted(_) | Self::Platform(_) => 0,
            Self::File { .. } => 1,
            Self::Env(_) => 2,
            Self::Flag(_) => 3,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("not given"),
            Self::Mounted(told) | Self::Platform(told) => f.write_str(told),
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Env(name) => f.write_str(name),
            Self::Flag(flag) => write!(f, "--{flag}"),
        }
    }
}

/// One setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// The setting's key, or what stands where a key should.
    pub setting: String,
    /// The value as given; `None` if the fault is not about a value.
    pub value: Option<String>,
    /// Where it came from.
    pub origin: Origin,
    /// What to do.
    pub remedy: String,
}

impl Fault {
    pub(super) fn new(
        setting: impl Into<String>,
        value: Option<&str>,
        origin: Origin,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            setting: setting.into(),
            value: value.map(printable),
            origin,
            remedy: remedy.into(),
        }
    }
}

/// A value that is safe to print and not too long.
fn printable(value: &str) -> String {
    value
        .chars()
        .take(200)
        .flat_map(char::escape_debug)
        .collect()
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{} = '{value}' ({})", self.setting, self.origin)?,
            None => write!(f, "{} ({})", self.setting, self.origin)?,
        }
        write!(f, ": {}", self.remedy)
    }
}

/// Everything wrong with a configuration, at once; nothing was started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the configuration cannot be used:\n{}", lines(faults))]
pub struct ConfigFaults {
    /// The faults, at least one.
    pub faults: Vec<Fault>,
}

impl ConfigFaults {
    /// Whether nothing is wrong but that nobody said whom to ask for others.
    pub fn are_for_want_of_a_finder(&self) -> bool {
        let asked_for = [KINDS, SERVICE];
        self.faults.iter().all(|fault| {
            fault.origin == Origin::Default && asked_for.contains(&fault.setting.as_str())
        })
    }
}

fn lines(faults: &[Fault]) -> String {
    let lines: Vec<String> = faults.iter().map(|fault| format!("  {fault}")).collect();
    lines.join("\n")
}
