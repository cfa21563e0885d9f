//! Which questions a round asks and what it makes of the answers, against a script.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Mutex;

use discovery_core::FinderCause;

use super::*;

const NAME: &str = "ring.prod.svc.cluster.local.";
const SERVICE: &str = "_ring._tcp.ring.prod.svc.cluster.local.";

type Script = BTreeMap<Question, Result<Answer, DnsError>>;

/// Answers from a table, NXDOMAIN for what is not in it, and notes what was asked.
#[derive(Default)]
struct Scripted {
    script: Script,
    asked: Mutex<Vec<String>>,
}

impl Scripted {
    fn says(mut self, kind: Kind, owner: &str, answer: Answer) -> Self {
        let question = Question::new(kind, &name(owner));
        self.script.insert(question, Ok(answer));
        self
    }

    fn fails(mut self, kind: Kind, owner: &str) -> Self {
        let question = Question::new(kind, &name(owner));
        let error = DnsError::ServerFailed {
            question: question.to_string(),
            code: "server failure".to_owned(),
        };
        self.script.insert(question, Err(error));
        self
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Ask for Scripted {
    async fn ask(&self, question: Question) -> Result<Answer, DnsError> {
        let kind = question.kind.record_type();
        let label = String::from_utf8_lossy(question.name.iter().next().unwrap()).into_owned();
        self.asked.lock().unwrap().push(format!("{kind} {label}"));
        let answer = self.script.get(&question).cloned();
        answer.unwrap_or(Ok(Answer::NoName { ttl: None }))
    }
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn v4(last: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, last).into()
}

fn v6(last: u16) -> IpAddr {
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last).into()
}

const FIVE: Duration = Duration::from_secs(5);
const NO_DATA: Answer = Answer::NoData { ttl: Some(FIVE) };

fn addresses_of(addresses: &[IpAddr]) -> Answer {
    Answer::Found {
        items: addresses.iter().copied().map(Item::Address).collect(),
        glue: Vec::new(),
        ttl: FIVE,
    }
}

fn services(targets: &[&str], glue: &[(&str, IpAddr, u64)]) -> Answer {
    let item = |target: &&str| Item::Service {
        target: name(target),
        port: 47500,
    };
    let glue = glue.iter().map(|(owner, address, ttl)| Glue {
        name: name(owner),
        address: *address,
        ttl: Duration::from_secs(*ttl),
    });
    Answer::Found {
        items: targets.iter().map(item).collect(),
        glue: glue.collect(),
        ttl: FIVE,
    }
}

async fn by_address(asker: &Scripted, families: FamilyPolicy) -> Result<Listing, DnsError> {
    let place = Place::Addresses {
        name: name(NAME),
        port: 47500,
    };
    round(asker, &place, families).await
}

async fn by_service(asker: &Scripted, families: FamilyPolicy) -> Result<Listing, DnsError> {
    let place = Place::Services {
        service: name(SERVICE),
        name: name(NAME),
    };
    round(asker, &place, families).await
}

fn count(listing: Result<Listing, DnsError>) -> Result<usize, FinderCause> {
    listing
        .map(|listing| listing.seeds.len())
        .map_err(|error| error.cause())
}

#[tokio::test]
async fn one_family_is_enough_for_the_policies_that_need_one() {
    for (families, kind, address) in [
        (FamilyPolicy::V4, Kind::A, v4(1)),
        (FamilyPolicy::PreferV4, Kind::A, v4(1)),
        (FamilyPolicy::V6, Kind::Aaaa, v6(1)),
        (FamilyPolicy::PreferV6, Kind::Aaaa, v6(1)),
    ] {
        let asker = Scripted::default().says(kind, NAME, addresses_of(&[address]));
        assert_eq!(
            count(by_address(&asker, families).await),
            Ok(1),
            "{families}"
        );
        assert_eq!(asker.asked(), [format!("{} ring", kind.record_type())]);
    }
}

#[tokio::test]
async fn both_families_are_needed_for_a_whole_set_of_both() {
    let answered = || Scripted::default().says(Kind::A, NAME, addresses_of(&[v4(1)]));
    let asker = answered().fails(Kind::Aaaa, NAME);
    assert_eq!(
        count(by_address(&asker, FamilyPolicy::Both).await),
        Err(FinderCause::Failed)
    );
    assert_eq!(
        count(by_address(&asker, FamilyPolicy::PreferV4).await),
        Ok(1)
    );
    let asker = answered().says(Kind::Aaaa, NAME, NO_DATA);
    assert_eq!(count(by_address(&asker, FamilyPolicy::Both).await), Ok(1));
}

#[tokio::test]
async fn a_preferred_family_without_records_gives_way_to_the_other() {
    let asker = Scripted::default().says(Kind::Aaaa, NAME, NO_DATA).says(
        Kind::A,
        NAME,
        addresses_of(&[v4(1), v4(2)]),
    );
    assert_eq!(
        count(by_address(&asker, FamilyPolicy::PreferV6).await),
        Ok(2)
    );
}

#[tokio::test]
async fn a_preferred_family_that_failed_does_not_give_way() {
    let asker =
        Scripted::default()
            .fails(Kind::Aaaa, NAME)
            .says(Kind::A, NAME, addresses_of(&[v4(1)]));
    let listing = by_address(&asker, FamilyPolicy::PreferV6).await;
    assert_eq!(count(listing), Err(FinderCause::Failed));
}

#[tokio::test]
async fn empty_is_known_only_when_both_families_say_so() {
    for families in FamilyPolicy::NAMES.map(|(_, families)| families) {
        let one = Scripted::default().says(Kind::A, NAME, NO_DATA);
        let both = Scripted::default()
            .says(Kind::A, NAME, NO_DATA)
            .says(Kind::Aaaa, NAME, NO_DATA);
        let listing = by_address(&one, families).await;
        assert_eq!(count(listing), Err(FinderCause::NotFound), "{families}");
        let listing = by_address(&both, families).await;
        assert_eq!(
            listing.as_ref().map(|listing| listing.ttl),
            Ok(Some(FIVE)),
            "{families}"
        );
        assert_eq!(count(listing), Ok(0), "{families}");
    }
}

#[tokio::test]
async fn addresses_of_the_family_not_asked_for_are_a_fault_of_the_configuration() {
    let asker = Scripted::default().says(Kind::A, NAME, NO_DATA).says(
        Kind::Aaaa,
        NAME,
        addresses_of(&[v6(1)]),
    );
    let listing = by_address(&asker, FamilyPolicy::V4).await;
    assert_eq!(count(listing), Err(FinderCause::Configuration));
}

#[tokio::test]
async fn targets_that_came_with_addresses_are_not_asked_for() {
    let (one, two) = ("ring-0.ring.example.org.", "ring-1.ring.example.org.");
    let glue = [
        (one, v4(1), 3),
        (one, v6(1), 9),
        (two, v4(2), 9),
        ("x.example.org.", v4(9), 1),
    ];
    let asker = Scripted::default().says(Kind::Srv, SERVICE, services(&[one, two], &glue));
    let listing = by_service(&asker, FamilyPolicy::Both).await.unwrap();
    assert_eq!(asker.asked(), ["SRV _ring"]);
    assert_eq!(listing.ttl, Some(Duration::from_secs(3)));
    let names: Vec<String> = listing.seeds.iter().map(ToString::to_string).collect();
    assert_eq!(
        names,
        ["ring-0 at [fd00::1]:47500", "ring-1 at 10.0.0.2:47500"]
    );
}

#[tokio::test]
async fn targets_that_came_without_addresses_are_asked_for() {
    let (one, two) = ("ring-0.ring.example.org.", "ring-1.ring.example.org.");
    let asker = Scripted::default()
        .says(
            Kind::Srv,
            SERVICE,
            services(&[one, two], &[(one, v4(1), 9), (two, v6(2), 9)]),
        )
        .says(Kind::A, two, addresses_of(&[v4(2)]));
    assert_eq!(count(by_service(&asker, FamilyPolicy::V4).await), Ok(2));
    assert_eq!(asker.asked(), ["SRV _ring", "A ring-1"]);
}

#[tokio::test]
async fn more_bare_targets_than_may_be_open_at_once_are_all_asked_for() {
    let targets: Vec<String> = (1..=50)
        .map(|i| format!("ring-{i}.ring.example.org."))
        .collect();
    let names: Vec<&str> = targets.iter().map(String::as_str).collect();
    let mut asker = Scripted::default().says(Kind::Srv, SERVICE, services(&names, &[]));
    for (target, last) in names.iter().zip(1..) {
        asker = asker.says(Kind::A, target, addresses_of(&[v4(last)]));
    }
    assert_eq!(count(by_service(&asker, FamilyPolicy::V4).await), Ok(50));
}

#[tokio::test]
async fn a_target_that_is_gone_is_no_seed_but_one_that_fails_fails_the_round() {
    let (one, two) = ("ring-0.ring.example.org.", "ring-1.ring.example.org.");
    let listed = || {
        let answer = services(&[one, two], &[(one, v4(1), 9)]);
        Scripted::default().says(Kind::Srv, SERVICE, answer)
    };
    assert_eq!(count(by_service(&listed(), FamilyPolicy::V4).await), Ok(1));
    let failing = listed().fails(Kind::A, two);
    assert_eq!(
        count(by_service(&failing, FamilyPolicy::V4).await),
        Err(FinderCause::Failed)
    );
}

#[tokio::test]
async fn no_srv_record_of_a_service_with_addresses_is_a_missing_port() {
    for srv in [NO_DATA, Answer::NoName { ttl: None }] {
        let asker = Scripted::default()
            .says(Kind::Srv, SERVICE, srv)
            .says(Kind::Aaaa, NAME, NO_DATA)
            .says(Kind::A, NAME, addresses_of(&[v4(1)]));
        let listing = by_service(&asker, FamilyPolicy::V6).await;
        assert_eq!(count(listing), Err(FinderCause::NoPort));
    }
}

#[tokio::test]
async fn no_srv_record_of_a_service_without_addresses_is_empty() {
    let asker = Scripted::default()
        .says(Kind::A, NAME, NO_DATA)
        .says(Kind::Aaaa, NAME, NO_DATA);
    assert_eq!(count(by_service(&asker, FamilyPolicy::Both).await), Ok(0));
}

#[tokio::test]
async fn no_srv_record_of_a_service_that_does_not_exist_is_not_found() {
    let asker = Scripted::default();
    let listing = by_service(&asker, FamilyPolicy::Both).await;
    assert_eq!(count(listing), Err(FinderCause::NotFound));
}
