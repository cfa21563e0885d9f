//! The edges of the process that speak with people: standard output and error, the width of the
//! terminal, the wall clock, signals and logs.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::{Mutex, OnceLock, PoisonError};

use jiff::Timestamp;
use tokio::io::Interest;
use tokio::net::unix::pipe::Sender;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry};

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

/// The filter of the log that runs, and what it was made from.
static LOGS: OnceLock<Mutex<(String, Handle<EnvFilter, Registry>)>> = OnceLock::new();

/// Starts to log to standard error, as text or as one JSON object a line.
///
/// # Errors
///
/// If the filter cannot be read, with what is wrong with it.
pub(crate) fn start_logs(filter: &str, is_json: bool) -> Result<(), String> {
    let (layer, handle) = reload::Layer::new(env_filter("--log ", filter)?);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let registry = tracing_subscriber::registry().with(layer);
    let started = if is_json {
        registry.with(lines.json()).try_init()
    } else {
        let lines = lines.with_ansi(io::stderr().is_terminal());
        registry.with(lines).try_init()
    };
    started.map_err(|error| error.to_string())?;
    // It is started once in a process, and the log itself has just said so.
    let _ = LOGS.set(Mutex::new((filter.to_owned(), handle)));
    Ok(())
}

/// Logs by another filter from now on; returns the one before.
///
/// # Errors
///
/// If the filter cannot be read, or nothing is logged in this process.
pub(crate) fn change_logs(filter: &str) -> Result<String, String> {
    let logs = LOGS.get().ok_or("nothing is logged in this process")?;
    let mut logs = logs.lock().unwrap_or_else(PoisonError::into_inner);
    let read = env_filter("", filter)?;
    logs.1.reload(read).map_err(|error| error.to_string())?;
    Ok(std::mem::replace(&mut logs.0, filter.to_owned()))
}

fn env_filter(flag: &str, filter: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(filter)
        .map_err(|error| format!("{flag}'{filter}': {error}; give a level such as info"))
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
