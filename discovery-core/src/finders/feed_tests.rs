//! What a watch says of what was fed, on a paused clock.

use std::time::Duration;

use tokio::time::{advance, timeout};

use super::*;
use crate::seed::Seed;

const SOON: Duration = Duration::from_secs(1);

fn fed() -> (SeedFeed, FedWatch) {
    feed(Provenance::new("a test"), false)
}

fn seeds(count: u16) -> SeedSet {
    (1..=count)
        .map(|port| Seed::at(([10, 0, 0, 1], port).into()))
        .collect()
}

fn refused() -> FinderError {
    FinderError::new(FinderCause::Unreachable, "connection refused")
}

fn cause(report: &SeedReport) -> Option<FinderCause> {
    match &report.finding {
        Finding::Unknown(error) => Some(error.cause()),
        Finding::Known(_) | Finding::KnownEmpty => None,
    }
}

async fn stays_quiet(watch: &mut FedWatch) -> bool {
    timeout(SOON, watch.changed()).await.is_err()
}

fn age(report: &SeedReport) -> Duration {
    report.last_good.as_ref().unwrap().age
}

#[tokio::test(start_paused = true)]
async fn before_anything_was_heard_a_watch_is_starting_and_does_not_return() {
    let (_feed, mut watch) = fed();
    assert_eq!(cause(&watch.latest()), Some(FinderCause::Starting));
    assert!(stays_quiet(&mut watch).await);
}

#[tokio::test(start_paused = true)]
async fn the_first_failure_returns_as_the_first_set_does() {
    let (feed, mut watch) = fed();
    feed.unknown(refused());
    let report = watch.changed().await;
    assert_eq!(cause(&report), Some(FinderCause::Unreachable));
    assert_eq!(report.last_good, None);
}

#[tokio::test(start_paused = true)]
async fn an_empty_set_is_known_to_be_empty() {
    let (feed, mut watch) = fed();
    feed.known(SeedSet::empty(), Instant::now());
    assert_eq!(watch.changed().await.finding, Finding::KnownEmpty);
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_told_and_a_gap_alone_is_unknown_not_empty() {
    let (feed, mut watch) = fed();
    feed.known_in_part(seeds(1), vec![refused()], Instant::now());
    let report = watch.changed().await;
    assert_eq!(report.finding, Finding::Known(seeds(1)));
    assert_eq!(report.gaps, [refused()]);

    feed.known_in_part(SeedSet::empty(), vec![refused()], Instant::now());
    let report = watch.changed().await;
    assert_eq!(report.finding, Finding::Unknown(refused()));
    assert_eq!(report.seeds(), seeds(1));
}

#[tokio::test(start_paused = true)]
async fn an_error_keeps_the_last_good_set_and_its_age_grows() {
    let (feed, mut watch) = fed();
    feed.known(seeds(2), Instant::now());
    watch.changed().await;
    advance(Duration::from_secs(7)).await;
    feed.unknown(refused());
    let report = watch.changed().await;
    assert_eq!(report.seeds(), seeds(2));
    assert_eq!(age(&report), Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn a_confirmation_starts_the_age_over_and_wakes_nobody() {
    let (feed, mut watch) = fed();
    feed.known(seeds(1), Instant::now());
    watch.changed().await;
    advance(Duration::from_secs(7)).await;
    feed.confirmed(Instant::now());
    assert_eq!(age(&watch.latest()), Duration::ZERO);
    assert!(stays_quiet(&mut watch).await);
}

#[tokio::test(start_paused = true)]
async fn a_confirmation_does_not_make_the_unknown_known() {
    let (feed, watch) = fed();
    feed.known(seeds(1), Instant::now());
    feed.unknown(refused());
    advance(SOON).await;
    feed.confirmed(Instant::now());
    assert_eq!(cause(&watch.latest()), Some(FinderCause::Unreachable));
    assert_eq!(age(&watch.latest()), SOON);
}

#[tokio::test(start_paused = true)]
async fn the_same_again_and_there_and_back_wake_nobody() {
    let (feed, mut watch) = fed();
    feed.known(seeds(1), Instant::now());
    watch.changed().await;
    feed.known(seeds(1), Instant::now());
    feed.known(seeds(2), Instant::now());
    feed.known(seeds(1), Instant::now());
    assert!(stays_quiet(&mut watch).await);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_wait_loses_no_report() {
    let (feed, mut watch) = fed();
    assert!(stays_quiet(&mut watch).await);
    feed.known(seeds(1), Instant::now());
    assert_eq!(watch.changed().await.seeds(), seeds(1));
}

#[tokio::test(start_paused = true)]
async fn more_seeds_than_the_limit_are_unknown_and_the_last_good_set_stays() {
    let (feed, mut watch) = fed();
    feed.known(seeds(3), Instant::now());
    feed.known(seeds(16_385), Instant::now());
    let report = watch.changed().await;
    assert_eq!(cause(&report), Some(FinderCause::TooLarge));
    assert_eq!(report.seeds(), seeds(3));
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_is_dropped_says_so_once() {
    let (feed, mut watch) = fed();
    feed.known(seeds(1), Instant::now());
    drop(feed);
    let report = watch.changed().await;
    assert_eq!(cause(&report), Some(FinderCause::Failed));
    assert_eq!(report.seeds(), seeds(1));
    assert!(stays_quiet(&mut watch).await);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_watch_ends_its_task() {
    let (feed, watch) = fed();
    let task = tokio::spawn(async move {
        feed.unwatched().await;
        pending::<()>().await;
    });
    drop(watch.driven_by(&task));
    assert!(task.await.unwrap_err().is_cancelled());
}
