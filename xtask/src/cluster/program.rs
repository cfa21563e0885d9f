//! Runs one program to its end, never longer than a deadline, and keeps what it says.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, bail};

use super::constants::OUTPUT_BYTES_MAX;
use super::deadline::Deadline;

/// How a program ended and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs to the end and fails unless the program succeeds; gives back its standard output.
pub(crate) fn output(command: &mut Command, limit: Duration) -> anyhow::Result<String> {
    let shown = shown(command);
    let ended = run(command, limit)?;
    if !ended.status.success() {
        let said = if ended.stderr.trim().is_empty() {
            &ended.stdout
        } else {
            &ended.stderr
        };
        bail!("`{shown}` failed ({}): {}", ended.status, said.trim());
    }
    Ok(ended.stdout)
}

/// Runs to the end, whatever the end is; kills the program when the limit is over.
pub(crate) fn run(command: &mut Command, limit: Duration) -> anyhow::Result<Ended> {
    run_while(command, limit, || Ok(()))
}

/// Like [`run`], and gives up with the error of `check`, which is asked again and again.
pub(crate) fn run_while(
    command: &mut Command,
    limit: Duration,
    mut check: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Ended> {
    let shown = shown(command);
    let deadline = Deadline::after(limit);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{shown}` cannot be started"))?;
    let stdout = read_all(child.stdout.take());
    let stderr = read_all(child.stderr.take());
    let status = wait(&mut child, &deadline, &mut check);
    if status.is_err() {
        // It may have ended in between; the wait below collects it either way.
        let _ = child.kill();
        let _ = child.wait();
    }
    let ended = Ended {
        status: status.with_context(|| format!("`{shown}` was ended"))?,
        stdout: text_of(stdout),
        stderr: text_of(stderr),
    };
    Ok(ended)
}

fn wait(
    child: &mut Child,
    deadline: &Deadline,
    check: &mut impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        check()?;
        if !deadline.pause_for(CHILD_PAUSE) {
            bail!("it took longer than {:?}", deadline.limit());
        }
    }
}

/// Short, because most programs run here take some tens of milliseconds.
const CHILD_PAUSE: Duration = Duration::from_millis(10);

fn read_all(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What could be read is shown; a broken pipe only means that the program has ended.
            let _ = pipe.by_ref().take(OUTPUT_BYTES_MAX).read_to_end(&mut bytes);
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        }
        bytes
    })
}

fn text_of(reader: JoinHandle<Vec<u8>>) -> String {
    reader
        .join()
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

/// The command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(
        command
            .get_args()
            .map(|word| word.to_string_lossy().into_owned()),
    );
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    #[test]
    fn a_failing_program_is_quoted_in_the_error() {
        let failed = output(
            Command::new("sh").args(["-c", "echo why >&2; exit 3"]),
            LIMIT,
        );

        let text = failed.unwrap_err().to_string();
        assert!(
            text.contains("why") && text.contains("exit status: 3"),
            "{text}"
        );
    }

    #[test]
    fn a_program_is_killed_when_its_time_is_over() {
        let late = run(Command::new("sleep").arg("600"), Duration::from_millis(50));

        assert!(format!("{:#}", late.unwrap_err()).contains("longer than 50ms"));
    }

    #[test]
    fn a_failed_check_ends_the_program() {
        let ended = run_while(Command::new("sleep").arg("600"), LIMIT, || {
            bail!("etcd has ended")
        });

        assert!(format!("{:#}", ended.unwrap_err()).contains("etcd has ended"));
    }
}
