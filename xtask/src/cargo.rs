//! Runs cargo (and what comes with it) as child processes, with their output passed on or taken.
//! What to run is the callers' business.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, bail};

/// One call of cargo: its arguments and what it needs in the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CargoCall {
    args: Vec<String>,
    env: Vec<(&'static str, &'static str)>,
}

impl CargoCall {
    /// A call with these arguments, separated by spaces; none of ours holds one.
    pub(crate) fn new(args: &str) -> Self {
        Self {
            args: args.split_whitespace().map(str::to_owned).collect(),
            env: Vec::new(),
        }
    }

    /// Builds into this folder.
    pub(crate) fn with_target(mut self, folder: &Path) -> Self {
        self.args.push("--target-dir".to_owned());
        self.args.push(folder.display().to_string());
        self
    }

    pub(crate) fn with_env(mut self, name: &'static str, value: &'static str) -> Self {
        self.env.push((name, value));
        self
    }

    /// Runs it with standard output passed on line by line, each line shown to `on_line` as well.
    ///
    /// It has no deadline: how long a build takes is the machine's affair, and Ctrl-C reaches the
    /// child, which shares our process group.
    pub(crate) fn stream(
        &self,
        root: &Path,
        mut on_line: impl FnMut(&str),
    ) -> anyhow::Result<ExitStatus> {
        let mut child = self
            .command(root)
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start '{self}'"))?;
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).split(b'\n') {
                let line = line.with_context(|| format!("reading from '{self}'"))?;
                let line = String::from_utf8_lossy(&line);
                println!("{line}");
                on_line(&line);
            }
        }
        child
            .wait()
            .with_context(|| format!("waiting for '{self}'"))
    }

    /// Runs it and returns its standard output; a failure carries its standard error.
    pub(crate) fn capture(&self, root: &Path) -> anyhow::Result<String> {
        let output = self
            .command(root)
            .output()
            .with_context(|| format!("cannot start '{self}'"))?;
        if !output.status.success() {
            bail!(
                "'{self}' failed ({}): {}",
                output.status,
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        String::from_utf8(output.stdout).with_context(|| format!("output of '{self}'"))
    }

    fn command(&self, root: &Path) -> Command {
        let mut command = Command::new(program());
        command
            .args(&self.args)
            .current_dir(root)
            .stdin(Stdio::null())
            .envs(self.env.iter().copied());
        command
    }
}

/// As a person would type it.
impl fmt::Display for CargoCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.env {
            write!(f, "{name}='{value}' ")?;
        }
        write!(f, "cargo {}", self.args.join(" "))
    }
}

/// The cargo that runs us, so that a toolchain chosen for this command holds for its children.
fn program() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_prints_as_it_would_be_typed() {
        let call = CargoCall::new("doc --no-deps").with_env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(
            call.to_string(),
            "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps"
        );
    }

    #[test]
    fn a_failing_call_is_an_error_that_says_what_was_run() {
        let error = CargoCall::new("no-such-command")
            .capture(Path::new("."))
            .unwrap_err();
        assert!(error.to_string().contains("'cargo no-such-command' failed"));
    }
}
