//! What a machine's limits forbid to measure.

use anyhow::Context;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Open files of one member in the worst moment: both ends of its links are in one process.
const FILES_PER_MEMBER: u64 = 40;

/// Raises the limit of open files as far as this user may; children inherit it.
pub(super) fn raise_open_files() -> anyhow::Result<u64> {
    let what = Resource::RLIMIT_NOFILE;
    let (_, hard) = getrlimit(what).context("the limit of open files cannot be read")?;
    setrlimit(what, hard, hard).context("the limit of open files cannot be raised")?;
    Ok(hard)
}

/// How many files so many members need, if that is more than the limit.
pub(super) fn beyond(nodes: usize, files_max: u64) -> Option<u64> {
    let needed = u64::try_from(nodes)
        .unwrap_or(u64::MAX)
        .saturating_mul(FILES_PER_MEMBER);
    (needed > files_max).then_some(needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_size_that_does_not_fit_is_beyond_the_limit() {
        assert_eq!(beyond(10, 1024), None);
        assert_eq!(beyond(100, 1024), Some(4000));
    }
}
