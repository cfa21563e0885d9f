//! What the kernel counts for this process and this network namespace.

use std::fs;
use std::time::Duration;

/// Headers of one segment over IPv4 with the options that Linux uses: 20 bytes of IP, 20 of TCP and
/// 12 of timestamps.
const HEADER_BYTES: u64 = 52;

/// A reading of everything that grows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gauges {
    /// Processor time of all threads.
    pub(crate) processor: Duration,
    /// TCP segments sent in this network namespace, acknowledgements included.
    pub(crate) segments: u64,
}

impl Gauges {
    pub(crate) fn read() -> Self {
        Self {
            processor: processor_time(),
            segments: segments_sent(),
        }
    }

    /// What has grown since an earlier reading.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            processor: self.processor.saturating_sub(earlier.processor),
            segments: self.segments.saturating_sub(earlier.segments),
        }
    }
}

/// Bytes of the headers of so many segments.
pub(crate) fn header_bytes(segments: u64) -> u64 {
    segments * HEADER_BYTES
}

/// Resident memory in KiB, without the pages of the program itself.
pub(crate) fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    number(line.unwrap_or_default().split_whitespace().next())
}

fn processor_time() -> Duration {
    let Ok(threads) = fs::read_dir("/proc/self/task") else {
        return Duration::ZERO;
    };
    let of_thread = |thread: fs::DirEntry| {
        let text = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        number(text.split_whitespace().next())
    };
    Duration::from_nanos(threads.flatten().map(of_thread).sum())
}

/// The column `OutSegs` of the two lines `Tcp:`, names first.
fn segments_sent() -> u64 {
    let text = fs::read_to_string("/proc/self/net/snmp").unwrap_or_default();
    let mut lines = text.lines().filter(|line| line.starts_with("Tcp:"));
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else {
        return 0;
    };
    let place = names.split_whitespace().position(|name| name == "OutSegs");
    number(place.and_then(|place| values.split_whitespace().nth(place)))
}

fn number(text: Option<&str>) -> u64 {
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}
