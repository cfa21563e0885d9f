//! The DNS finder against a name server in the same process, over real sockets on loopback.
//! What depends on time alone is tested beside the finder, on a paused clock.
#![cfg(feature = "dns")]
#![cfg(test)]

#[path = "dns/server.rs"]
mod server;

use std::error::Error as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use discovery_core::{Finder, FinderCause, Finding, SeedReport, SeedWatch};
use discovery_k8s::{DnsConfig, DnsError, DnsFinder, FamilyPolicy, PortChoice};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, SRV};
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use tokio::time::{Instant, timeout};

use server::{Rule, Server, name};

const NAME: &str = "ring.prod.svc.cluster.local.";
const SERVICE: &str = "_ring._tcp.ring.prod.svc.cluster.local.";

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks this server for addresses, quickly.
fn config(server: &Server) -> DnsConfig {
    let mut config = DnsConfig::new("prod", "ring");
    config.port = PortChoice::Number(47500);
    config.name_servers = vec![server.address];
    config.ttl_min = Duration::from_millis(10);
    config.retry_pause = Duration::from_millis(10);
    config.retry_pause_max = Duration::from_millis(50);
    config
}

fn for_service(server: &Server) -> DnsConfig {
    let mut config = config(server);
    config.port = PortChoice::Named("ring".to_owned());
    config
}

fn with_families(server: &Server, families: FamilyPolicy) -> DnsConfig {
    let mut config = config(server);
    config.families = families;
    config
}

struct Watched {
    finder: DnsFinder,
    watch: Box<dyn SeedWatch>,
}

fn watch(config: DnsConfig) -> Watched {
    let finder = DnsFinder::new(config).unwrap();
    let watch = finder.watch();
    Watched { finder, watch }
}

impl Watched {
    async fn changed(&mut self) -> SeedReport {
        timeout(PATIENCE, self.watch.changed()).await.unwrap()
    }

    /// The next report, which must say that nothing is known; its error is the finder's own.
    async fn failure(&mut self) -> (FinderCause, DnsError) {
        match self.changed().await.finding {
            Finding::Unknown(error) => {
                let source = error.source().and_then(|source| source.downcast_ref());
                let own: Option<&DnsError> = source;
                (error.cause(), own.unwrap().clone())
            }
            finding @ (Finding::Known(_) | Finding::KnownEmpty) => panic!("{finding:?}"),
        }
    }

    async fn seeds(&mut self) -> Vec<String> {
        shown(&self.changed().await)
    }
}

fn shown(report: &SeedReport) -> Vec<String> {
    match &report.finding {
        Finding::Known(seeds) => seeds.iter().map(ToString::to_string).collect(),
        finding @ (Finding::KnownEmpty | Finding::Unknown(_)) => panic!("{finding:?}"),
    }
}

fn record(owner: &str, ttl: u32, data: RData) -> Record {
    Record::from_rdata(name(owner), ttl, data)
}

fn a(owner: &str, number: u16) -> Record {
    let [high, low] = number.to_be_bytes();
    record(owner, 0, RData::A(A(Ipv4Addr::new(10, 0, high, low))))
}

fn aaaa(owner: &str, number: u16) -> Record {
    let address = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number);
    record(owner, 0, RData::AAAA(AAAA(address)))
}

fn srv(target: &str, port: u16) -> Record {
    record(SERVICE, 0, RData::SRV(SRV::new(0, 100, port, name(target))))
}

fn cname(owner: &str, target: &str) -> Record {
    record(owner, 0, RData::CNAME(CNAME(name(target))))
}

fn many(one: fn(&str, u16) -> Record, count: u16) -> Vec<Record> {
    (1..=count).map(|number| one(NAME, number)).collect()
}

#[tokio::test]
async fn addresses_of_both_families_are_seeds() {
    let server = Server::start().await;
    server.records(NAME, RecordType::A, vec![a(NAME, 1), a(NAME, 2)]);
    server.records(NAME, RecordType::AAAA, vec![aaaa(NAME, 1)]);
    let v4 = ["10.0.0.1:47500", "10.0.0.2:47500"].map(str::to_owned);
    let v6 = ["[fd00::1]:47500"].map(str::to_owned);
    let cases = [
        (FamilyPolicy::V4, v4.to_vec()),
        (FamilyPolicy::V6, v6.to_vec()),
        (FamilyPolicy::PreferV4, v4.to_vec()),
        (FamilyPolicy::PreferV6, v6.to_vec()),
        (FamilyPolicy::Both, [v4.as_slice(), &v6].concat()),
    ];
    for (families, expected) in cases {
        let mut watched = watch(with_families(&server, families));
        assert_eq!(watched.seeds().await, expected, "{families}");
    }
}

#[tokio::test]
async fn srv_records_give_port_name_and_both_addresses_of_a_pod() {
    let server = Server::start().await;
    let (zero, one) = (format!("ring-0.{NAME}"), format!("ring-1.{NAME}"));
    let additionals = vec![a(&zero, 1), aaaa(&zero, 1), a(&one, 2), aaaa(&one, 2)];
    let answers = vec![srv(&zero, 47500), srv(&one, 47501)];
    let rule = Rule::Records {
        answers,
        additionals,
    };
    server.set(SERVICE, RecordType::SRV, rule);
    let report = watch(for_service(&server)).changed().await;
    assert_eq!(
        shown(&report),
        ["ring-0 at [fd00::1]:47500", "ring-1 at [fd00::2]:47501"]
    );
    let seeds = report.seeds();
    let second = seeds.iter().nth(1).unwrap();
    assert_eq!(second.addresses()[1], ([10, 0, 0, 2], 47501).into());
    assert_eq!(second.hostname.as_deref(), Some("ring-1"));
    assert_eq!(server.asked(), (1, 0));
}

#[tokio::test]
async fn srv_targets_without_addresses_beside_them_are_looked_up() {
    let server = Server::start().await;
    let target = format!("10-0-0-1.{NAME}");
    server.records(SERVICE, RecordType::SRV, vec![srv(&target, 47500)]);
    server.records(&target, RecordType::A, vec![a(&target, 1)]);
    let mut watched = watch(for_service(&server));
    assert_eq!(watched.seeds().await, ["10.0.0.1:47500"]);
}

#[tokio::test]
async fn a_port_that_the_service_does_not_name_is_told_from_a_missing_service() {
    let server = Server::start().await;
    let mut watched = watch(for_service(&server));
    let (cause, error) = watched.failure().await;
    assert_eq!(cause, FinderCause::NotFound);
    assert!(matches!(error, DnsError::NoSuchName { .. }), "{error}");
    server.records(NAME, RecordType::A, vec![a(NAME, 1)]);
    let (cause, error) = watched.failure().await;
    assert_eq!(cause, FinderCause::NoPort);
    assert!(matches!(error, DnsError::NoSuchPort { .. }), "{error}");
}

#[tokio::test]
async fn records_are_asked_for_again_when_their_ttl_has_passed() {
    let server = Server::start().await;
    let one_second = |number: u8| {
        let address = Ipv4Addr::new(10, 0, 0, number);
        vec![record(NAME, 1, RData::A(A(address)))]
    };
    server.records(NAME, RecordType::A, one_second(1));
    let start = Instant::now();
    let mut watched = watch(with_families(&server, FamilyPolicy::V4));
    assert_eq!(watched.seeds().await, ["10.0.0.1:47500"]);
    server.records(NAME, RecordType::A, one_second(2));
    assert_eq!(watched.seeds().await, ["10.0.0.2:47500"]);
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(server.asked(), (2, 0));
}

#[tokio::test]
async fn changes_appear_down_to_nobody_and_back() {
    let server = Server::start().await;
    server.records(NAME, RecordType::A, vec![a(NAME, 1)]);
    let mut watched = watch(config(&server));
    assert_eq!(watched.seeds().await.len(), 1);
    server.records(NAME, RecordType::A, many(a, 8));
    assert_eq!(watched.seeds().await.len(), 8);
    server.records(NAME, RecordType::A, Vec::new());
    assert_eq!(watched.changed().await.finding, Finding::KnownEmpty);
    server.records(NAME, RecordType::A, many(a, 3));
    assert_eq!(watched.seeds().await.len(), 3);
}

#[tokio::test]
async fn every_failure_has_its_cause_keeps_the_last_good_set_and_passes() {
    let server = Server::start().await;
    server.records(NAME, RecordType::A, many(a, 3));
    let mut config = with_families(&server, FamilyPolicy::V4);
    config.deadline = Duration::from_millis(400);
    let mut watched = watch(config);
    assert_eq!(watched.seeds().await.len(), 3);
    let forged = || many(a, 9);
    let failures = [
        (Rule::Code(ResponseCode::ServFail), FinderCause::Failed),
        (Rule::Code(ResponseCode::Refused), FinderCause::Forbidden),
        (Rule::Code(ResponseCode::NXDomain), FinderCause::NotFound),
        (Rule::Silence, FinderCause::Timeout),
        (Rule::WrongId(forged()), FinderCause::Timeout),
        (Rule::CutShort, FinderCause::Malformed),
    ];
    for (rule, cause) in failures {
        let case = format!("{rule:?}");
        server.set(NAME, RecordType::A, rule);
        let report = watched.changed().await;
        let Finding::Unknown(error) = &report.finding else {
            panic!("{case}: {:?}", report.finding);
        };
        assert_eq!(error.cause(), cause, "{case}: {error}");
        assert_eq!(report.seeds().len(), 3, "{case}");
        server.records(NAME, RecordType::A, many(a, 3));
        assert_eq!(watched.seeds().await.len(), 3, "{case}");
        assert!(watched.finder.stats().errors[&cause] >= 1, "{case}");
    }
    let stats = watched.finder.stats();
    assert_eq!(stats.seeds, 3);
    assert!(stats.last_confirmed.is_some());
    assert!(stats.queries >= 12, "{stats:?}");
}

#[tokio::test]
async fn a_name_that_ceases_to_exist_is_unknown_and_not_empty() {
    let server = Server::start().await;
    server.records(NAME, RecordType::A, many(a, 3));
    let mut watched = watch(config(&server));
    watched.changed().await;
    server.forget(NAME);
    let report = watched.changed().await;
    assert_eq!(report.finding.state(), "unknown");
    assert_eq!(report.seeds().len(), 3);
}

#[tokio::test]
async fn one_family_that_fails_makes_a_set_of_both_unknown() {
    let server = Server::start().await;
    server.records(NAME, RecordType::A, many(a, 2));
    server.set(NAME, RecordType::AAAA, Rule::Code(ResponseCode::ServFail));
    let (cause, error) = watch(config(&server)).failure().await;
    assert_eq!(cause, FinderCause::Failed);
    assert!(
        error.to_string().starts_with("AAAA of ring.prod.svc"),
        "{error}"
    );
    let mut preferring = watch(with_families(&server, FamilyPolicy::PreferV4));
    assert_eq!(preferring.seeds().await.len(), 2);
}

#[tokio::test]
async fn an_answer_under_a_wrong_id_is_passed_over_for_the_right_one() {
    let server = Server::start().await;
    let (forged, real) = (vec![a(NAME, 666)], vec![a(NAME, 1)]);
    server.set(NAME, RecordType::A, Rule::ForgedFirst { forged, real });
    let mut watched = watch(with_families(&server, FamilyPolicy::V4));
    assert_eq!(watched.seeds().await, ["10.0.0.1:47500"]);
}

#[tokio::test]
async fn an_answer_too_long_for_udp_is_fetched_over_tcp() {
    let server = Server::start().await;
    server.records(NAME, RecordType::A, many(a, 300));
    let mut watched = watch(with_families(&server, FamilyPolicy::V4));
    assert_eq!(watched.seeds().await.len(), 300);
    let (_, tcp) = server.asked();
    assert!(tcp >= 1);
}

#[tokio::test]
async fn ten_thousand_records_are_too_large_and_keep_the_last_good_set() {
    let server = Server::start().await;
    server.records(NAME, RecordType::A, many(a, 3));
    let mut watched = watch(config(&server));
    watched.changed().await;
    server.records(NAME, RecordType::A, many(a, 10_000));
    let report = watched.changed().await;
    assert!(matches!(&report.finding, Finding::Unknown(error)
        if error.cause() == FinderCause::TooLarge));
    assert_eq!(report.seeds().len(), 3);
}

#[tokio::test]
async fn as_many_records_as_two_messages_hold_are_all_listed() {
    let server = Server::start().await;
    // A short name, so that thousands of records fit a message.
    let owner = "r.l.";
    let v4 = (0..3_000).map(|number| a(owner, number));
    let v6 = (1..=2_000).map(|number| aaaa(owner, number));
    server.records(owner, RecordType::A, v4.collect());
    server.records(owner, RecordType::AAAA, v6.collect());
    let mut config = config(&server);
    config.name = owner.to_owned();
    assert_eq!(watch(config).seeds().await.len(), 5_000);
}

#[tokio::test]
async fn aliases_are_followed_from_answer_to_answer_until_they_go_in_circles() {
    let server = Server::start().await;
    let other = "ring.example.org.";
    server.records(NAME, RecordType::A, vec![cname(NAME, other)]);
    // Without an SOA record beside it, an alias alone says nothing about its target.
    server.records(other, RecordType::A, vec![a(other, 1)]);
    let mut watched = watch(with_families(&server, FamilyPolicy::V4));
    assert_eq!(watched.seeds().await, ["10.0.0.1:47500"]);
    server.records(other, RecordType::A, vec![cname(other, NAME)]);
    let (cause, error) = watched.failure().await;
    assert_eq!(cause, FinderCause::Malformed);
    assert!(matches!(error, DnsError::AliasLoop { .. }), "{error}");
}

#[tokio::test]
async fn the_next_name_server_is_asked_where_one_is_silent_or_fails() {
    for rule in [Rule::Silence, Rule::Code(ResponseCode::ServFail)] {
        let (broken, sound) = (Server::start().await, Server::start().await);
        broken.set(NAME, RecordType::A, rule);
        sound.records(NAME, RecordType::A, many(a, 2));
        let mut config = with_families(&broken, FamilyPolicy::V4);
        config.name_servers.push(sound.address);
        config.deadline = Duration::from_secs(2);
        assert_eq!(watch(config).seeds().await.len(), 2);
    }
}

#[tokio::test]
async fn a_watch_that_was_dropped_asks_no_more() {
    let server = Server::start().await;
    let other = "other.prod.svc.cluster.local.";
    server.records(NAME, RecordType::A, many(a, 1));
    let mut dropped = watch(with_families(&server, FamilyPolicy::V4));
    assert_eq!(dropped.seeds().await.len(), 1);
    drop(dropped);
    let asked = server.asked_for(NAME);
    let mut config = with_families(&server, FamilyPolicy::V4);
    config.name = other.to_owned();
    server.records(other, RecordType::A, vec![a(other, 0)]);
    let mut kept = watch(config);
    // Ten rounds of another watch, each as long as a round of the dropped one would be.
    for number in 1..=10 {
        kept.seeds().await;
        server.records(other, RecordType::A, vec![a(other, number)]);
    }
    let since = server.asked_for(NAME) - asked;
    assert!(
        since <= 1,
        "{since} questions, of which one may have been under way"
    );
}

#[tokio::test]
async fn a_dns_finder_never_feeds_a_census() {
    let server = Server::start().await;
    let watched = watch(for_service(&server));
    assert!(!watched.finder.authoritative());
    let refused = watched.finder.census().await.unwrap_err();
    assert_eq!(refused.cause(), FinderCause::Unsupported);
    let provenance = watched.finder.provenance();
    assert_eq!(
        provenance.as_str(),
        "dns _ring._tcp.ring.prod.svc.cluster.local"
    );
}
