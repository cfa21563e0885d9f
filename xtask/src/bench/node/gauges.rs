//! What the kernel counts for a process.

use std::fs;
use std::time::Duration;

/// A reading of one process; all zero where it cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gauges {
    /// Processor time of all threads.
    pub(super) processor: Duration,
    /// Resident memory without the pages of files.
    pub(super) anon_kib: u64,
    /// All resident memory: the program's own pages are shared by all nodes of a machine.
    pub(super) resident_kib: u64,
}

impl Gauges {
    pub(super) fn read(id: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        Self {
            processor: processor_time(id),
            anon_kib: kib(&status, "RssAnon:"),
            resident_kib: kib(&status, "VmRSS:"),
        }
    }
}

fn processor_time(id: u32) -> Duration {
    let Ok(threads) = fs::read_dir(format!("/proc/{id}/task")) else {
        return Duration::ZERO;
    };
    let of_thread = |thread: fs::DirEntry| {
        let text = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        number(text.split_whitespace().next())
    };
    Duration::from_nanos(threads.flatten().map(of_thread).sum())
}

/// A line of a process's status.
fn kib(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    number(line.unwrap_or_default().split_whitespace().next())
}

fn number(text: Option<&str>) -> u64 {
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_status_is_read_by_its_name() {
        let status = "VmRSS:\t    2168 kB\nRssAnon:\t     148 kB\n";
        assert_eq!(kib(status, "RssAnon:"), 148);
        assert_eq!(kib(status, "VmRSS:"), 2168);
        assert_eq!(kib(status, "VmHWM:"), 0);
    }

    #[test]
    fn this_process_uses_memory() {
        let read = Gauges::read(std::process::id());
        assert!(read.anon_kib > 0 && read.resident_kib >= read.anon_kib);
    }
}
