//! The edges of the process that speak with people: standard output and error, the width of the
//! terminal, the wall clock, signals and logs.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

use jiff::Timestamp;
use tokio::io::Interest;
use tokio::net::unix::pipe::Sender;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::exit;

/// Columns where there is no terminal to ask.
const WIDTH_DEFAULT: usize = 100;

/// Widest text: longer lines are hard to read, however wide the terminal.
const WIDTH_MAX: usize = 120;

/// Columns to write for.
pub(crate) fn width() -> usize {
    let columns = terminal_size::terminal_size().map(|(columns, _)| usize::from(columns.0));
    columns.unwrap_or(WIDTH_DEFAULT).clamp(40, WIDTH_MAX)
}

/// Writes to standard output at once.
///
/// # Errors
///
/// If it cannot be written; [`io::ErrorKind::BrokenPipe`] if the reader has gone.
pub(crate) fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Waits until whoever reads standard output has gone; for ever where that cannot be told, as with
/// a file.
///
/// # Cancel safety
///
/// Dropping the future changes nothing.
pub(crate) async fn reader_gone() {
    // Unchecked: the checked way would make the very pipe that we write to non-blocking.
    let out = io::stdout().as_fd().try_clone_to_owned();
    let gone = match out.and_then(Sender::from_owned_fd_unchecked) {
        Ok(out) => out.ready(Interest::ERROR).await.is_ok(),
        Err(_) => false,
    };
    if !gone {
        std::future::pending::<()>().await;
    }
}

/// Writes to standard error; whoever has closed that does not want to hear.
pub(crate) fn complain(text: &str) {
    let mut out = io::stderr().lock();
    let _ = out.write_all(text.as_bytes());
}

/// The wall time now.
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// A wall time as people read it, in UTC, to the millisecond.
pub(crate) fn clock_words(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S%.3fZ").to_string()
}

/// Starts to log to standard error; the first filter that is given counts.
///
/// # Errors
///
/// If the filter cannot be read, with what is wrong with it.
pub(crate) fn start_logs(filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| format!("--log '{filter}': {error}; give a level such as info"))?;
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    logs.try_init().map_err(|error| error.to_string())
}

/// The signals that ask the process to end.
#[derive(Debug)]
pub(crate) struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    /// Starts to listen; without it a process that is the first of its container hears neither.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for one of them, for ever; returns the exit code of a process that it ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no signal.
    pub(crate) async fn asked(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => exit::INTERRUPTED,
            _ = self.terminate.recv() => exit::TERMINATED,
        }
    }
}
