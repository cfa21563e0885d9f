//! When a watch asks again, on a paused clock.

use std::collections::VecDeque;
use std::sync::Mutex;

use discovery_core::finders::FedWatch;
use discovery_core::{FinderCause, Finding, SeedReport};
use tokio::task::JoinHandle;

use super::*;
use crate::config::{FamilyPolicy, PortChoice};
use crate::dns::answer::{Answer, Item, Question};

/// Gives one answer after the other, then never answers, and notes when it was asked.
struct Scripted {
    answers: Mutex<VecDeque<Said>>,
    asked_at: Arc<Mutex<Vec<Instant>>>,
}

impl Ask for Scripted {
    async fn ask(&self, _: Question) -> Result<Answer, DnsError> {
        self.asked_at.lock().unwrap().push(Instant::now());
        let answer = self.answers.lock().unwrap().pop_front();
        match answer {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }
}

struct Run {
    watch: FedWatch,
    counters: Arc<Counters>,
    asked_at: Arc<Mutex<Vec<Instant>>>,
    task: JoinHandle<()>,
}

impl Run {
    fn start(answers: impl IntoIterator<Item = Said>) -> Self {
        let mut config = DnsConfig::new("prod", "ring");
        config.port = PortChoice::Number(47500);
        config.families = FamilyPolicy::PreferV4;
        let place = config.place().unwrap();
        let plan = Plan { place, config };
        let asked_at = Arc::<Mutex<Vec<Instant>>>::default();
        let asker = Scripted {
            answers: Mutex::new(answers.into_iter().collect()),
            asked_at: Arc::clone(&asked_at),
        };
        let counters = Arc::<Counters>::default();
        let (feed, watch) = feed(Provenance::new("a script"), false);
        let counted = Arc::clone(&counters);
        let task = tokio::spawn(async move {
            keep_asking(&asker, &plan, &feed, &counted).await;
        });
        Self {
            watch,
            counters,
            asked_at,
            task,
        }
    }

    async fn changed(&mut self) -> SeedReport {
        self.watch.changed().await
    }

    /// Seconds between the questions, once this many were asked.
    async fn pauses(&self, questions: usize) -> Vec<u64> {
        while self.asked_at.lock().unwrap().len() < questions {
            sleep(Duration::from_millis(10)).await;
        }
        let asked = self.asked_at.lock().unwrap();
        asked
            .windows(2)
            .map(|pair| (pair[1] - pair[0]).as_secs())
            .collect()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Said = Result<Answer, DnsError>;

fn failed() -> Said {
    Err(DnsError::ServerFailed {
        question: "A of x".to_owned(),
        code: "server failure".to_owned(),
    })
}

fn found(last: u8, ttl: u64) -> Answer {
    Answer::Found {
        items: vec![Item::Address([10, 0, 0, last].into())],
        glue: Vec::new(),
        ttl: Duration::from_secs(ttl),
    }
}

fn no_name(ttl: u64) -> Answer {
    let ttl = Some(Duration::from_secs(ttl));
    Answer::NoName { ttl }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_asked_for_again_when_its_ttl_has_passed_within_the_limits() {
    let run = Run::start([
        Ok(found(1, 5)),
        Ok(found(1, 0)),
        Ok(found(1, 3600)),
        Ok(found(1, 7)),
    ]);
    assert_eq!(run.pauses(5).await, [5, 1, 30, 7]);
}

#[tokio::test(start_paused = true)]
async fn pauses_after_failures_double_to_their_limit_and_start_over_after_a_success() {
    let failures = std::iter::repeat_with(failed).take(7);
    let run = Run::start(failures.chain([Ok(found(1, 5)), failed()]));
    assert_eq!(run.pauses(10).await, [1, 2, 4, 8, 16, 30, 30, 5, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_does_not_exist_is_asked_for_again_when_the_server_says() {
    let run = Run::start([Ok(no_name(12)), Ok(no_name(12)), Ok(found(1, 5))]);
    assert_eq!(run.pauses(3).await, [0, 12]);
}

#[tokio::test(start_paused = true)]
async fn a_change_is_reported_when_it_is_seen_and_a_repetition_is_not() {
    let mut run = Run::start([Ok(found(1, 5)), Ok(found(1, 5)), Ok(found(2, 5))]);
    let start = Instant::now();
    assert_eq!(run.changed().await.seeds().len(), 1);
    let report = run.changed().await;
    assert_eq!(start.elapsed().as_secs(), 10);
    let seeds: Vec<String> = report.seeds().iter().map(ToString::to_string).collect();
    assert_eq!(seeds, ["10.0.0.2:47500"]);
}

#[tokio::test(start_paused = true)]
async fn every_failure_keeps_the_last_good_set_with_its_age() {
    let mut run = Run::start([Ok(found(1, 5)), failed()]);
    run.changed().await;
    let report = run.changed().await;
    assert!(matches!(&report.finding, Finding::Unknown(error)
        if error.cause() == FinderCause::Failed));
    assert_eq!(report.seeds().len(), 1);
    assert_eq!(report.last_good.unwrap().age, Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_round_ends_at_its_deadline() {
    let mut run = Run::start([]);
    let start = Instant::now();
    let report = run.changed().await;
    assert_eq!(start.elapsed(), Duration::from_secs(5));
    assert!(matches!(&report.finding, Finding::Unknown(error)
        if error.cause() == FinderCause::Timeout
            && error.detail() == "ring.prod.svc.cluster.local: no answer within 5s"));
}

#[tokio::test(start_paused = true)]
async fn stats_tell_when_a_whole_set_was_last_seen_and_what_went_wrong_since() {
    let mut run = Run::start([Ok(found(1, 5)), failed()]);
    run.changed().await;
    run.changed().await;
    let stats = run.counters.snapshot(Instant::now());
    assert_eq!(stats.last_confirmed, Some(Duration::from_secs(5)));
    assert_eq!(stats.seeds, 1);
    assert_eq!(
        stats.errors.into_iter().collect::<Vec<_>>(),
        [(FinderCause::Failed, 1)]
    );
}
