//! What the kernel counts for the node's process.

use std::fs;
use std::time::Duration;

/// A reading of one process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gauges {
    /// Processor time of all threads.
    pub(crate) processor: Duration,
    /// Resident memory without the pages of files.
    pub(crate) resident_kib: u64,
}

impl Gauges {
    /// All zero for a process that cannot be read.
    pub(crate) fn read(pid: u32) -> Self {
        Self {
            processor: processor_time(pid),
            resident_kib: resident_kib(pid),
        }
    }
}

fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    number(line.unwrap_or_default().split_whitespace().next())
}

fn processor_time(pid: u32) -> Duration {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Duration::ZERO;
    };
    let of_thread = |thread: fs::DirEntry| {
        let text = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        number(text.split_whitespace().next())
    };
    Duration::from_nanos(threads.flatten().map(of_thread).sum())
}

fn number(text: Option<&str>) -> u64 {
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}
