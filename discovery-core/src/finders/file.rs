//! A finder for a file of seeds that somebody else keeps up to date. How an entry is written is in
//! `entry.rs`, how a name is looked up in `resolve.rs`.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep, timeout};

use super::entry::{SeedEntry, parse_list};
use super::feed::{SeedFeed, feed};
use super::resolve::Resolver;
use crate::finder::{Finder, FinderCause, FinderError, Provenance, SeedWatch};

/// Largest file of seeds in bytes.
pub const SEED_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What a [`FileFinder`] is made from; checked as a whole by [`FileFinder::new`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFinderConfig {
    /// The file: one entry a line, written as
    /// [`StaticFinderConfig::seeds`](super::StaticFinderConfig::seeds) has it; what follows a `#`
    /// is a comment. At most [`SEED_FILE_BYTES_MAX`] bytes. Default: none.
    pub path: PathBuf,
    /// The port of entries that name none. Default: none, so that such an entry is a fault.
    pub default_port: Option<u16>,
    /// Time between two reads of the file; more than zero. Default: 1 s. Raising it makes a change
    /// noticed later.
    pub poll: Duration,
    /// How long the file must stay as it is before a change counts, so that a file that is being
    /// written is not read in halves; zero counts at once. Default: 100 ms.
    pub settle: Duration,
    /// Longest wait for one read; more than zero. Default: 5 s.
    pub read_timeout: Duration,
    /// Time from the end of one look-up of all names to the start of the next; more than zero.
    /// Default: 30 s.
    pub refresh: Duration,
    /// Longest wait for one name; more than zero. Default: 5 s.
    pub lookup_timeout: Duration,
}

impl Default for FileFinderConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            default_port: None,
            poll: Duration::from_secs(1),
            settle: Duration::from_millis(100),
            read_timeout: Duration::from_secs(5),
            refresh: Duration::from_secs(30),
            lookup_timeout: Duration::from_secs(5),
        }
    }
}

/// Why a [`FileFinder`] cannot be made. Nothing was started; the same configuration fails again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileFinderError {
    /// No file is named.
    #[error("path is empty; name the file of seeds")]
    NoPath,
    /// A time that must be more than zero is zero.
    #[error("{field} is 0; give a time of more than zero")]
    Zero {
        /// The configuration field.
        field: &'static str,
    },
}

/// Finds the seeds that a file lists; not authoritative, since nobody knows whether it is whole.
///
/// The file is read at an interval and compared by content, so any way of writing it is noticed;
/// replacing it by a rename is the way that is never seen in halves. A file that is missing, empty,
/// too large, still being written or wrong in any line is *unknown*, never *empty*, and the last
/// good set stays. Must be watched inside a tokio runtime.
#[derive(Clone, Debug)]
pub struct FileFinder {
    config: Arc<FileFinderConfig>,
    resolver: Resolver,
}

impl FileFinder {
    /// Checks the configuration; reads nothing yet.
    ///
    /// # Errors
    ///
    /// If no file is named or a time is zero that must not be.
    pub fn new(config: FileFinderConfig) -> Result<Self, FileFinderError> {
        if config.path.as_os_str().is_empty() {
            return Err(FileFinderError::NoPath);
        }
        for (field, time) in [
            ("poll", config.poll),
            ("read_timeout", config.read_timeout),
            ("refresh", config.refresh),
            ("lookup_timeout", config.lookup_timeout),
        ] {
            if time.is_zero() {
                return Err(FileFinderError::Zero { field });
            }
        }
        let resolver = Resolver::system(config.lookup_timeout);
        let config = Arc::new(config);
        Ok(Self { config, resolver })
    }

    async fn run(self, feed: SeedFeed) {
        let mut listed = Listed::default();
        loop {
            match self.read(&feed).await {
                Ok(text) => self.take(text, &mut listed, &feed).await,
                Err(error) => {
                    listed = Listed::default();
                    feed.unknown(error);
                }
            }
            sleep(self.config.poll).await;
        }
    }

    /// Looks up what the file lists, if it lists something else or the names are due.
    async fn take(&self, text: String, listed: &mut Listed, feed: &SeedFeed) {
        let now = Instant::now();
        if listed.text.as_ref() != Some(&text) {
            match self.parse(&text) {
                Ok(entries) => {
                    *listed = Listed {
                        text: Some(text),
                        entries,
                        resolved_at: None,
                    }
                }
                Err(error) => {
                    *listed = Listed::default();
                    feed.unknown(error);
                    return;
                }
            }
        }
        let due = listed
            .resolved_at
            .is_none_or(|at| now.duration_since(at) >= self.config.refresh);
        if due {
            let (seeds, gaps) = self.resolver.resolve(&listed.entries).await;
            listed.resolved_at = Some(Instant::now());
            feed.known_in_part(seeds, gaps, Instant::now());
        } else {
            feed.confirmed(now);
        }
    }

    fn parse(&self, text: &str) -> Result<Vec<SeedEntry>, FinderError> {
        let lines = text
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default().trim());
        let entries = lines.filter(|line| !line.is_empty());
        parse_list(entries, self.config.default_port).map_err(|error| {
            let detail = format!("{}: {error}", self.config.path.display());
            FinderError::new(FinderCause::Malformed, detail).with_source(error)
        })
    }

    /// Reads the file until two reads, `settle` apart, agree.
    async fn read(&self, feed: &SeedFeed) -> Result<String, FinderError> {
        const READS_MAX: usize = 5;
        let mut text = self.read_once(feed).await?;
        if self.config.settle.is_zero() {
            return Ok(text);
        }
        for _ in 1..READS_MAX {
            sleep(self.config.settle).await;
            let again = self.read_once(feed).await?;
            if again == text {
                return Ok(text);
            }
            text = again;
        }
        let path = self.config.path.display();
        Err(FinderError::new(
            FinderCause::Malformed,
            format!("{path} is still being written after {READS_MAX} reads"),
        )
        .with_remedy("write another file and rename it to this one"))
    }

    /// One read. One that does not end is told as *unknown* and waited for without a limit: a
    /// second read of a file system that hangs would hang as well, and each would hold a thread.
    async fn read_once(&self, feed: &SeedFeed) -> Result<String, FinderError> {
        let path = self.config.path.clone();
        let mut reading: JoinHandle<_> = spawn_blocking(move || read_file(&path));
        let joined = if let Ok(joined) = timeout(self.config.read_timeout, &mut reading).await {
            joined
        } else {
            let (path, limit) = (self.config.path.display(), self.config.read_timeout);
            let detail = format!("reading {path}: no answer within {limit:?}");
            feed.unknown(FinderError::new(FinderCause::Timeout, detail));
            reading.await
        };
        joined.unwrap_or_else(|error| {
            let detail = format!("reading {}: cut off", self.config.path.display());
            Err(FinderError::new(FinderCause::Failed, detail).with_source(error))
        })
    }
}

/// What the file listed when it was last good.
#[derive(Default)]
struct Listed {
    text: Option<String>,
    entries: Vec<SeedEntry>,
    resolved_at: Option<Instant>,
}

/// Blocks; reads at most one byte more than the limit.
fn read_file(path: &Path) -> Result<String, FinderError> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| {
        let cause = match error.kind() {
            ErrorKind::NotFound => FinderCause::NotFound,
            ErrorKind::PermissionDenied => FinderCause::Forbidden,
            ErrorKind::InvalidData => FinderCause::Malformed,
            _ => FinderCause::Failed,
        };
        FinderError::new(cause, format!("reading {shown}: {error}")).with_source(error)
    };
    let metadata = path.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        let detail = format!("{shown} is not a regular file; name a file of seeds");
        return Err(FinderError::new(FinderCause::Configuration, detail));
    }
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(SEED_FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    if text.len() as u64 > SEED_FILE_BYTES_MAX {
        let detail = format!("{shown} is larger than {SEED_FILE_BYTES_MAX} bytes, the limit");
        return Err(FinderError::new(FinderCause::TooLarge, detail));
    }
    Ok(text)
}

impl Finder for FileFinder {
    fn provenance(&self) -> Provenance {
        Provenance::new(format!("file {}", self.config.path.display()))
    }

    fn authoritative(&self) -> bool {
        false
    }

    fn watch(&self) -> Box<dyn SeedWatch> {
        let (feed, watch) = feed(self.provenance(), self.authoritative());
        let task = tokio::spawn(self.clone().run(feed));
        Box::new(watch.driven_by(&task))
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
