//! Runs the program, never longer than a limit.

use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// Longest life of a program that a test runs, on a busy machine.
const LIMIT: Duration = Duration::from_mins(1);

/// How long a program may take to notice a signal before it is sent another one.
const MOMENT: Duration = Duration::from_millis(100);

/// What a program that ended has left.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    /// The output as JSON, line by line.
    pub(crate) fn json(&self) -> Vec<Value> {
        let lines = self.out.lines();
        lines
            .map(|line| serde_json::from_str(line).expect(line))
            .collect()
    }
}

fn command(args: &[&str], env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_discovery-node"));
    command
        .args(args)
        .env_clear()
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs the program to its end.
pub(crate) async fn run_in(args: &[&str], env: &[(&str, &str)]) -> Ended {
    let output = timeout(LIMIT, command(args, env).output()).await;
    ended(
        output
            .expect("the program ends in time")
            .expect("the program starts"),
    )
}

/// Runs the program to its end, with nothing in its environment.
pub(crate) async fn run(args: &[&str]) -> Ended {
    run_in(args, &[]).await
}

fn ended(output: Output) -> Ended {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the output is text");
    Ended {
        code: output.status.code().expect("the program ends by itself"),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// A program that goes on running.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut child = command(args, &[]).spawn().expect("the program starts");
        let stdout = child.stdout.take().expect("its output is piped");
        let lines = BufReader::new(stdout).lines();
        Self { child, lines }
    }

    /// The next line of its output.
    pub(crate) async fn line(&mut self) -> String {
        let line = timeout(LIMIT, self.lines.next_line()).await;
        let line = line
            .expect("a line comes in time")
            .expect("the output can be read");
        line.expect("the program goes on")
    }

    /// What it has written to standard error up to the line that has this in it; asked once.
    pub(crate) async fn log_until(&mut self, part: &str) -> String {
        let stderr = self.child.stderr.take().expect("it was not read before");
        let (mut lines, mut log) = (BufReader::new(stderr).lines(), String::new());
        while !log.contains(part) {
            let line = timeout(LIMIT, lines.next_line()).await;
            let line = line.expect("a line comes in time").expect("it can be read");
            log += &line.expect("the program goes on");
        }
        log
    }

    /// The next line for which this holds, read as JSON.
    pub(crate) async fn json_where(&mut self, holds: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line = self.line().await;
            let value: Value = serde_json::from_str(&line).expect(&line);
            if holds(&value) {
                return value;
            }
        }
    }

    /// Stops to read it, as `head` does, and waits until it has noticed.
    pub(crate) async fn stop_reading(mut self) -> i32 {
        drop(self.lines);
        let status = timeout(LIMIT, self.child.wait()).await;
        let status = status
            .expect("the program ends in time")
            .expect("it can be waited for");
        status.code().expect("the program ends by itself")
    }

    /// Ends it by SIGTERM.
    pub(crate) async fn terminate(self) -> Ended {
        self.signal("-TERM").await;
        self.ended().await
    }

    /// Sends it this signal, unless it has ended.
    pub(crate) async fn signal(&self, signal: &str) {
        let Some(id) = self.child.id() else { return };
        let mut kill = Command::new("kill");
        let sent = kill.args([signal, &id.to_string()]).status().await;
        assert!(sent.expect("kill can be run").success());
    }

    /// Whether it ends within a moment.
    pub(crate) async fn has_ended(&mut self) -> bool {
        timeout(MOMENT, self.child.wait()).await.is_ok()
    }

    /// Waits for its end.
    pub(crate) async fn ended(self) -> Ended {
        // The lines are kept: closing our end would end the program another way.
        let output = timeout(LIMIT, self.child.wait_with_output()).await;
        ended(
            output
                .expect("the program ends in time")
                .expect("it can be waited for"),
        )
    }
}
