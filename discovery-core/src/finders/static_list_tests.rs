//! The static finder against a name server made of a table, on a paused clock.

use std::collections::BTreeMap;
use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;

use super::*;
use crate::finder::{FinderCause, Finding, SeedReport};
use crate::testing::{Subject, check_finder};

type Answer = Result<Vec<IpAddr>, &'static str>;

/// Answers each name as the table says; a name that is not there never answers.
#[derive(Clone, Default)]
struct Names(Arc<Mutex<BTreeMap<String, Answer>>>);

impl Names {
    fn set(&self, name: &str, answer: Result<&[&str], &'static str>) {
        let answer = answer.map(|all| all.iter().map(|address| address.parse().unwrap()).collect());
        self.0.lock().unwrap().insert(name.to_owned(), answer);
    }

    fn resolver(&self) -> Resolver {
        let names = self.clone();
        Resolver::by(Duration::from_secs(5), move |name| {
            let answer = names.0.lock().unwrap().get(&name).cloned();
            Box::pin(async move {
                match answer {
                    Some(answer) => answer.map_err(io::Error::other),
                    None => pending().await,
                }
            })
        })
    }
}

fn finder(names: &Names, seeds: &[&str]) -> StaticFinder {
    let config = StaticFinderConfig {
        seeds: seeds.iter().map(ToString::to_string).collect(),
        ..StaticFinderConfig::default()
    };
    StaticFinder::resolving_by(&config, names.resolver()).unwrap()
}

fn addresses(report: &SeedReport) -> Vec<String> {
    report.seeds().iter().map(ToString::to_string).collect()
}

#[tokio::test(start_paused = true)]
async fn addresses_ranges_and_names_make_one_set() {
    let names = Names::default();
    names.set("ring", Ok(&["10.0.0.1", "fd00::1"]));
    let mut watch = finder(&names, &["ring:7", "10.0.0.9:1..2", " [::1]:3 "]).watch();
    assert_eq!(
        addresses(&watch.changed().await),
        [
            "10.0.0.1:7",
            "10.0.0.9:1",
            "10.0.0.9:2",
            "[::1]:3",
            "[fd00::1]:7"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_name_that_moves_is_followed() {
    let names = Names::default();
    names.set("ring", Ok(&["10.0.0.1"]));
    let mut watch = finder(&names, &["ring:7"]).watch();
    watch.changed().await;
    names.set("ring", Ok(&["10.0.0.2"]));
    let asked = Instant::now();
    assert_eq!(addresses(&watch.changed().await), ["10.0.0.2:7"]);
    assert_eq!(asked.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_fails_is_a_gap_and_the_others_count() {
    let names = Names::default();
    names.set("ring", Ok(&["10.0.0.1"]));
    names.set("gone", Err("no such name"));
    let mut watch = finder(&names, &["ring:7", "gone:7", "silent:7"]).watch();
    let report = watch.changed().await;
    assert_eq!(addresses(&report), ["10.0.0.1:7"]);
    let gaps: Vec<_> = report.gaps.iter().map(ToString::to_string).collect();
    assert_eq!(
        gaps,
        [
            "failed: looking up 'gone': no such name",
            "timeout: looking up 'silent': no answer within 5s",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn when_no_name_answers_the_set_is_unknown_and_the_last_good_one_stays() {
    let names = Names::default();
    names.set("ring", Ok(&["10.0.0.1"]));
    let mut watch = finder(&names, &["ring:7"]).watch();
    watch.changed().await;
    names.set("ring", Ok(&[]));
    let report = watch.changed().await;
    let Finding::Unknown(error) = &report.finding else {
        panic!("{report:?}");
    };
    assert_eq!(error.cause(), FinderCause::NotFound);
    assert_eq!(addresses(&report), ["10.0.0.1:7"]);
}

#[tokio::test(start_paused = true)]
async fn more_names_than_lookups_at_once_are_all_looked_up() {
    let names = Names::default();
    let seeds: Vec<String> = (0..50).map(|n| format!("n{n}:7")).collect();
    for n in 0..50 {
        names.set(&format!("n{n}"), Ok(&[&format!("10.0.0.{n}")]));
    }
    let seeds: Vec<&str> = seeds.iter().map(String::as_str).collect();
    let report = finder(&names, &seeds).watch().changed().await;
    assert_eq!(report.seeds().len(), 50);
}

struct Table(Names, StaticFinder, Vec<SocketAddr>);

impl Subject for Table {
    fn finder(&self) -> Arc<dyn Finder> {
        Arc::new(self.1.clone())
    }

    async fn set_seeds(&mut self, seeds: &[SocketAddr]) {
        self.2 = seeds.to_vec();
        self.mend_source().await;
    }

    async fn break_source(&mut self) {
        self.0.set("ring", Err("no such name"));
    }

    async fn mend_source(&mut self) {
        let addresses: Vec<String> = self.2.iter().map(|seed| seed.ip().to_string()).collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        self.0.set("ring", Ok(&addresses));
    }

    fn may_be_empty(&self) -> bool {
        false
    }
}

#[tokio::test(start_paused = true)]
async fn it_keeps_the_contract() {
    let names = Names::default();
    let finder = finder(&names, &["ring:47500"]);
    let mut subject = Table(names, finder, Vec::new());
    check_finder(&mut subject, Duration::from_mins(1))
        .await
        .unwrap();
}

#[tokio::test]
async fn the_system_knows_its_own_name() {
    let config = StaticFinderConfig {
        seeds: vec!["localhost".to_owned()],
        default_port: Some(47500),
        ..StaticFinderConfig::default()
    };
    let report = StaticFinder::new(&config).unwrap().watch().changed().await;
    let seeds = report.seeds();
    assert!(!seeds.is_empty(), "{report:?}");
    assert!(
        seeds.iter().all(|seed| seed.address().ip().is_loopback()),
        "{report:?}"
    );
}

#[test]
fn a_time_of_zero_is_refused_by_its_name() {
    let config = StaticFinderConfig {
        seeds: vec!["a:1".to_owned()],
        refresh: Duration::ZERO,
        ..StaticFinderConfig::default()
    };
    assert_eq!(
        StaticFinder::new(&config).unwrap_err(),
        StaticFinderError::Zero { field: "refresh" }
    );
}
