//! Programs that follow nodes from outside, read line by line.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::stage::LIMIT;

/// A program that runs; it ends with this.
pub(crate) struct Program {
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Says that something was not tried, past the test's own output, which nobody sees while it
/// passes.
pub(crate) fn skipped(what: &str) {
    use std::io::Write as _;
    let line = format!("skipped: {what}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

impl Program {
    pub(crate) fn start(command: &mut Command) -> Self {
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = piped.kill_on_drop(true).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self {
            lines,
            _child: child,
        }
    }

    /// The next line; the program must go on.
    pub(crate) async fn line(&mut self) -> String {
        let line = timeout(LIMIT, self.lines.next_line()).await;
        line.expect("a line in time").unwrap().expect("it goes on")
    }

    /// Reads up to a line with all of this in it.
    pub(crate) async fn until(&mut self, parts: &[&str]) {
        let said = async { while !holds(&self.line().await, parts) {} };
        let said = timeout(LIMIT, said).await;
        assert!(said.is_ok(), "no line with {parts:?}");
    }

    /// Reads up to the topology of this version and returns the names of its members.
    pub(crate) async fn members_at(&mut self, version: u64, count: usize) -> Vec<String> {
        let head = format!(" version {version}");
        while !self.line().await.ends_with(&head) {}
        let mut names = Vec::new();
        while names.len() < count {
            let line = self.line().await;
            names.push(line.split_whitespace().nth(1).unwrap().to_owned());
        }
        names
    }
}

fn holds(line: &str, parts: &[&str]) -> bool {
    parts.iter().all(|part| line.contains(part))
}
