//! When this process started, from what the kernel says; only the reading of the two files is I/O.

use std::fs;
use std::sync::OnceLock;

use discovery_core::UnixMillis;

/// Milliseconds of one tick in `/proc/self/stat`: the kernel's interface counts 100 a second on
/// every architecture that we build for, whatever its own clock does.
const TICK_MILLIS: i64 = 10;

/// The field of `/proc/self/stat` that holds the start, counted from the one behind the name.
const START_FIELD: usize = 19;

/// When this process started. Where the kernel does not say, or says what cannot be, it is `now`.
/// It is asked once: a process may hold many nodes.
pub(super) fn process_started_at(now: UnixMillis) -> UnixMillis {
    static STARTED: OnceLock<Option<UnixMillis>> = OnceLock::new();
    STARTED.get_or_init(|| read_start(now)).unwrap_or(now)
}

fn read_start(now: UnixMillis) -> Option<UnixMillis> {
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    started_at(now, &uptime, &stat)
}

fn started_at(now: UnixMillis, uptime: &str, stat: &str) -> Option<UnixMillis> {
    let ran = uptime_millis(uptime)?.checked_sub(start_millis(stat)?)?;
    let started = now.0.checked_sub(ran)?;
    (ran >= 0 && started > 0).then_some(UnixMillis(started))
}

/// Time since boot, written as seconds with two decimals.
fn uptime_millis(uptime: &str) -> Option<i64> {
    let (seconds, hundredths) = uptime.split_whitespace().next()?.split_once('.')?;
    if hundredths.len() != 2 {
        return None;
    }
    let seconds: i64 = seconds.parse().ok()?;
    let hundredths: i64 = hundredths.parse().ok()?;
    seconds.checked_mul(1000)?.checked_add(hundredths * 10)
}

/// Time from boot to the start of the process.
fn start_millis(stat: &str) -> Option<i64> {
    // The name may hold spaces and brackets; nothing behind its last bracket does.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: i64 = fields.split_whitespace().nth(START_FIELD)?.parse().ok()?;
    ticks.checked_mul(TICK_MILLIS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "4711 (a) b (c)) S 1 4711 4711 0 -1 4194560 900 0 0 0 1 2 0 0 20 0 3 0 \
                        123456 5000000 800 18446744073709551615";

    #[test]
    fn the_start_is_told_from_boot_whatever_the_process_is_called() {
        assert_eq!(start_millis(STAT), Some(1_234_560));
        let now = UnixMillis(1_795_305_600_000);
        let started = started_at(now, "2000.56 3900.11\n", STAT);
        assert_eq!(started, Some(UnixMillis(now.0 - 766_000)));
    }

    #[test]
    fn a_start_that_cannot_be_is_none() {
        let now = UnixMillis(1_795_305_600_000);
        for (uptime, stat) in [
            ("", STAT),
            ("2000", STAT),
            ("2000.5", STAT),
            ("x.50", STAT),
            ("2000.56", ""),
            ("2000.56", "4711 (a) S 1 2 3"),
            // Started after it was looked at.
            ("1000.00", STAT),
        ] {
            assert_eq!(started_at(now, uptime, stat), None, "{uptime:?} {stat:?}");
        }
        assert_eq!(started_at(UnixMillis(5), "2000.56", STAT), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_started_before_now_and_not_long_ago() {
        let now = UnixMillis(1_795_305_600_000);
        let started = read_start(now).unwrap();
        assert!(started <= now, "{started}");
        assert!(now.0 - started.0 < 86_400_000, "{started}");
    }
}
