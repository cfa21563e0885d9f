//! The file finder on real files, on a paused clock.

use std::fs;
use std::net::SocketAddr;

use super::*;
use crate::finder::{Finding, SeedReport};
use crate::testing::{Subject, check_finder};

/// A file in a folder of its own, removed with it.
struct SeedFile {
    folder: tempfile::TempDir,
    /// What it lists when it is whole.
    text: String,
}

impl SeedFile {
    fn missing() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            text: String::new(),
        }
    }

    fn listing(text: &str) -> Self {
        let file = Self::missing();
        file.replace(text);
        file
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("seeds")
    }

    /// Replaces it at once, as a careful writer does.
    fn replace(&self, text: &str) {
        let next = self.folder.path().join("seeds.next");
        fs::write(&next, text).unwrap();
        fs::rename(next, self.path()).unwrap();
    }

    fn finder(&self) -> FileFinder {
        let config = FileFinderConfig {
            path: self.path(),
            ..FileFinderConfig::default()
        };
        FileFinder::new(config).unwrap()
    }
}

fn cause(report: &SeedReport) -> FinderCause {
    match &report.finding {
        Finding::Unknown(error) => error.cause(),
        Finding::Known(_) | Finding::KnownEmpty => panic!("{report:?}"),
    }
}

fn listed(report: &SeedReport) -> Vec<String> {
    report.seeds().iter().map(ToString::to_string).collect()
}

#[tokio::test(start_paused = true)]
async fn lines_comments_and_blanks_are_read_and_a_replacement_is_followed() {
    let file = SeedFile::listing("# the ring\n10.0.0.1:1\n\n  10.0.0.2:1..2 # two\r\n");
    let mut watch = file.finder().watch();
    assert_eq!(
        listed(&watch.changed().await),
        ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.2:2"]
    );
    file.replace("10.0.0.3:1");
    assert_eq!(listed(&watch.changed().await), ["10.0.0.3:1"]);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_no_list_is_unknown_and_the_last_good_set_stays() {
    let file = SeedFile::listing("10.0.0.1:1");
    let mut watch = file.finder().watch();
    watch.changed().await;
    let too_large = "10.0.0.9:1\n".repeat(100_000);
    for (text, expected) in [
        ("", FinderCause::Malformed),
        ("10.0.0.9:1\n10.0.0.9:", FinderCause::Malformed),
        ("# nothing but this", FinderCause::Malformed),
        (&too_large, FinderCause::TooLarge),
    ] {
        file.replace(text);
        let report = watch.changed().await;
        assert_eq!(cause(&report), expected, "{report:?}");
        assert_eq!(listed(&report), ["10.0.0.1:1"]);
        file.replace("10.0.0.1:1");
        assert!(matches!(watch.changed().await.finding, Finding::Known(_)));
    }
    fs::write(file.path(), b"10.0.0.9:1\n\xff").unwrap();
    assert_eq!(cause(&watch.changed().await), FinderCause::Malformed);
    fs::remove_file(file.path()).unwrap();
    let report = watch.changed().await;
    assert_eq!(cause(&report), FinderCause::NotFound);
    assert_eq!(listed(&report), ["10.0.0.1:1"]);
}

#[tokio::test(start_paused = true)]
async fn a_fault_names_the_file_and_the_entry() {
    let file = SeedFile::listing("10.0.0.1:1\nring-0\n");
    let report = file.finder().watch().changed().await;
    let Finding::Unknown(error) = report.finding else {
        panic!("{report:?}");
    };
    let expected = format!("{}: seed 'ring-0' has no port; ", file.path().display());
    assert!(error.detail().starts_with(&expected), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_folder_in_the_place_of_the_file_is_a_configuration_fault() {
    let file = SeedFile::missing();
    fs::create_dir(file.path()).unwrap();
    let report = file.finder().watch().changed().await;
    assert_eq!(cause(&report), FinderCause::Configuration);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_changes_at_every_read_is_not_read_in_halves() {
    // Given a writer that adds a line between any two reads.
    let file = SeedFile::listing("10.0.0.1:1\n");
    let path = file.path();
    let settle = FileFinderConfig::default().settle;
    let writer = tokio::spawn(async move {
        for port in 2u16.. {
            sleep(settle / 2).await;
            fs::write(&path, format!("10.0.0.1:1\n10.0.0.1:{port}\n")).unwrap();
        }
    });
    // When it is watched, then no half counts.
    let mut watch = file.finder().watch();
    let report = watch.changed().await;
    assert_eq!(cause(&report), FinderCause::Malformed);
    // When the writer stops, then the whole does.
    writer.abort();
    assert_eq!(watch.changed().await.seeds().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn reading_the_same_again_confirms_it() {
    let file = SeedFile::listing("10.0.0.1:1");
    let mut watch = file.finder().watch();
    watch.changed().await;
    // By then it was read many times; names are not due for a look-up yet.
    sleep(Duration::from_secs(20)).await;
    let age = watch.latest().last_good.unwrap().age;
    assert!(age <= Duration::from_secs(2), "{age:?}");
}

impl Subject for SeedFile {
    fn finder(&self) -> Arc<dyn Finder> {
        Arc::new(SeedFile::finder(self))
    }

    async fn set_seeds(&mut self, seeds: &[SocketAddr]) {
        let lines: Vec<String> = seeds.iter().map(ToString::to_string).collect();
        self.text = lines.join("\n");
        self.mend_source().await;
    }

    async fn break_source(&mut self) {
        fs::remove_file(self.path()).ok();
    }

    async fn mend_source(&mut self) {
        self.replace(&self.text);
    }

    fn may_be_empty(&self) -> bool {
        false
    }
}

#[tokio::test(start_paused = true)]
async fn it_keeps_the_contract() {
    let mut subject = SeedFile::missing();
    check_finder(&mut subject, Duration::from_secs(10))
        .await
        .unwrap();
}

#[test]
fn a_configuration_that_cannot_work_is_refused_by_its_field() {
    assert_eq!(
        FileFinder::new(FileFinderConfig::default()).unwrap_err(),
        FileFinderError::NoPath
    );
    let config = FileFinderConfig {
        path: PathBuf::from("seeds"),
        poll: Duration::ZERO,
        ..FileFinderConfig::default()
    };
    assert_eq!(
        FileFinder::new(config).unwrap_err(),
        FileFinderError::Zero { field: "poll" }
    );
}
