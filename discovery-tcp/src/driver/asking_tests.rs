//! What becomes of a finder that goes wrong.

use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};

use discovery_core::{BoxFuture, SeedWatch};

use super::*;
use crate::config::RingConfig;
use crate::driver::security::Plaintext;

/// A finder whose first watch panics; each says how many there were.
#[derive(Debug, Default)]
struct WrongAtFirst {
    watches: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Watch {
    number: u64,
    is_told: bool,
}

impl Finder for WrongAtFirst {
    fn provenance(&self) -> Provenance {
        Provenance::new("a test")
    }

    fn authoritative(&self) -> bool {
        false
    }

    fn watch(&self) -> Box<dyn SeedWatch> {
        let number = self.watches.fetch_add(1, Ordering::Relaxed) + 1;
        Box::new(Watch {
            number,
            is_told: false,
        })
    }
}

impl SeedWatch for Watch {
    fn latest(&self) -> SeedReport {
        let provenance = Provenance::new("a test");
        SeedReport::new(Finding::KnownEmpty, None, provenance, false)
    }

    fn changed(&mut self) -> BoxFuture<'_, SeedReport> {
        Box::pin(async {
            assert!(self.number > 1, "a test has the watch go wrong");
            if self.is_told {
                pending::<()>().await;
            }
            self.is_told = true;
            self.latest()
        })
    }
}

async fn next_of(links: &Links) -> Vec<Finding> {
    std::future::poll_fn(|cx| links.inbox.poll_any(cx)).await;
    let mut happened = Vec::new();
    links.inbox.take(&mut happened);
    let reports = happened.into_iter().map(|happening| match happening {
        Happening::Seeds { watch: 1, report } => report.finding,
        other => panic!("{other:?}"),
    });
    reports.collect()
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_panics_is_told_of_and_begun_anew() {
    let links = Arc::new(Links::new(Arc::new(Plaintext), &RingConfig::default()));
    let finder = WrongAtFirst::default();
    let watches = Arc::clone(&finder.watches);
    let mut asking = Asking::new(Some(Arc::new(finder)), Arc::clone(&links));
    asking.watch();

    let first = next_of(&links).await;
    assert!(matches!(first[..], [Finding::Unknown(_)]), "{first:?}");
    let second = next_of(&links).await;
    assert!(matches!(second[..], [Finding::KnownEmpty]), "{second:?}");

    // It ends with the one who asked for it.
    asking.unwatch();
    sleep(10 * WATCH_PAUSE).await;
    assert_eq!(watches.load(Ordering::Relaxed), 2);
}
