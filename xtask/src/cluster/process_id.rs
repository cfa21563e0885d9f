//! Names one run of a process: its number alone is reused.

use std::fs;

use serde_json::{Value, json};

/// A process by number and by the tick at which it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProcessId {
    pub(crate) pid: u32,
    /// Clock ticks from the start of the machine.
    pub(crate) started: u64,
}

impl ProcessId {
    /// The process that has this number now.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let stat = read_stat(pid)?;
        Some(Self {
            pid,
            started: stat.started,
        })
    }

    /// The first child of a process.
    pub(crate) fn child_of(parent: u32) -> Option<Self> {
        for entry in fs::read_dir("/proc").ok()?.flatten() {
            let Some(pid) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            if let Some(stat) = read_stat(pid).filter(|stat| stat.parent == parent) {
                return Some(Self {
                    pid,
                    started: stat.started,
                });
            }
        }
        None
    }

    /// Numbers of the processes whose command line names `place`, other than this one.
    pub(crate) fn mentioning(place: &str) -> Vec<u32> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|pid| *pid != std::process::id())
            .filter(|pid| {
                fs::read(format!("/proc/{pid}/cmdline"))
                    .is_ok_and(|line| String::from_utf8_lossy(&line).contains(place))
            })
            .collect()
    }

    /// Whether this very process still runs; one that waits to be collected does not.
    pub(crate) fn is_alive(self) -> bool {
        read_stat(self.pid).is_some_and(|stat| stat.started == self.started && stat.phase != 'Z')
    }

    pub(crate) fn to_json(self) -> Value {
        json!({"pid": self.pid, "started": self.started})
    }

    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        Some(Self {
            pid: u32::try_from(value["pid"].as_u64()?).ok()?,
            started: value["started"].as_u64()?,
        })
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Stat {
    phase: char,
    parent: u32,
    started: u64,
}

fn read_stat(pid: u32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// `pid (name) phase parent …`; the name may hold anything, also parentheses and spaces.
fn parse_stat(line: &str) -> Option<Stat> {
    let mut fields = line.get(line.rfind(')')? + 1..)?.split_ascii_whitespace();
    Some(Stat {
        phase: fields.next()?.chars().next()?,
        parent: fields.next()?.parse().ok()?,
        // The 22nd field of the line; the third and fourth are taken.
        started: fields.nth(17)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let line = "42 (a) S 1 (b)) Z 7 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 9876 0 0";

        let stat = parse_stat(line);

        assert_eq!(
            stat,
            Some(Stat {
                phase: 'Z',
                parent: 7,
                started: 9876
            })
        );
    }

    #[test]
    fn this_process_is_alive_and_its_number_at_another_time_is_not() {
        let me = ProcessId::of(std::process::id()).unwrap();
        let earlier = ProcessId {
            started: me.started - 1,
            ..me
        };

        assert!(me.is_alive());
        assert!(!earlier.is_alive());
    }
}
