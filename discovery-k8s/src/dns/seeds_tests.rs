//! From addresses and targets to seeds.

use std::net::{Ipv4Addr, Ipv6Addr};

use discovery_core::FinderCause;

use super::*;

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn v4(last: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, last).into()
}

fn v6(last: u16) -> IpAddr {
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last).into()
}

fn found(addresses: &[IpAddr], ttl: u64) -> Answer {
    Answer::Found {
        items: addresses.iter().copied().map(Item::Address).collect(),
        glue: Vec::new(),
        ttl: Duration::from_secs(ttl),
    }
}

fn target(label: &str, addresses: &[IpAddr]) -> Target {
    Target {
        name: name(&format!("{label}.ring.prod.svc.cluster.local.")),
        port: 47500,
        addresses: addresses.to_vec(),
    }
}

fn shown(families: FamilyPolicy, targets: &[Target]) -> Vec<String> {
    let service = name("_ring._tcp.ring.prod.svc.cluster.local.");
    let listing = from_targets(&service, families, targets, Duration::from_secs(5)).unwrap();
    let show = |seed: &Seed| {
        let name = seed.name.as_ref().map_or("-", |name| name.as_str());
        format!("{name} {:?}", seed.addresses())
    };
    listing.seeds.iter().map(show).collect()
}

#[test]
fn every_address_is_a_seed_once_at_the_given_port() {
    let service = name("ring.example.org.");
    let answers = [found(&[v4(2), v4(1), v4(2)], 9), found(&[v6(1)], 5)];
    let listing = from_addresses(&service, 47500, &answers).unwrap();
    let addresses: Vec<_> = listing
        .seeds
        .iter()
        .map(|seed| seed.address().to_string())
        .collect();
    assert_eq!(
        addresses,
        ["10.0.0.1:47500", "10.0.0.2:47500", "[fd00::1]:47500"]
    );
    assert_eq!(listing.ttl, Some(Duration::from_secs(5)));
}

#[test]
fn without_records_only_no_data_throughout_is_empty() {
    let no_data = || Answer::NoData { ttl: None };
    let no_name = || Answer::NoName { ttl: None };
    let list = |answers: &[Answer]| from_addresses(&name("ring.example.org."), 1, answers);
    let listing = list(&[no_data(), no_data()]).unwrap();
    assert!(listing.seeds.is_empty());
    for answers in [[no_data(), no_name()], [no_name(), no_name()]] {
        let error = list(&answers).unwrap_err();
        assert_eq!(error.cause(), FinderCause::NotFound);
    }
}

#[test]
fn a_family_said_not_to_exist_does_not_hide_the_other() {
    let answers = [found(&[v4(1)], 5), Answer::NoName { ttl: None }];
    let listing = from_addresses(&name("ring.example.org."), 1, &answers).unwrap();
    assert_eq!(listing.seeds.len(), 1);
}

#[test]
fn more_addresses_than_the_limit_are_too_many() {
    let addresses: Vec<IpAddr> = (0..20_000).map(v6).skip(1).collect();
    let error = from_addresses(&name("ring.example.org."), 1, &[found(&addresses, 5)]).unwrap_err();
    let name = "ring.example.org".to_owned();
    assert_eq!(
        error,
        DnsError::TooMany {
            name,
            count: 19_999
        }
    );
}

#[test]
fn a_target_is_one_seed_with_the_addresses_that_the_policy_accepts() {
    let both = [target("ring-0", &[v4(1), v6(1)])];
    let cases = [
        (FamilyPolicy::V4, "ring-0 [10.0.0.1:47500]"),
        (FamilyPolicy::V6, "ring-0 [[fd00::1]:47500]"),
        (FamilyPolicy::PreferV4, "ring-0 [10.0.0.1:47500]"),
        (FamilyPolicy::PreferV6, "ring-0 [[fd00::1]:47500]"),
        (
            FamilyPolicy::Both,
            "ring-0 [[fd00::1]:47500, 10.0.0.1:47500]",
        ),
    ];
    for (families, expected) in cases {
        assert_eq!(shown(families, &both), [expected], "{families}");
    }
    let (only_v4, only_v6) = (target("a", &[v4(1)]), target("b", &[v6(1)]));
    assert_eq!(
        shown(FamilyPolicy::PreferV6, &[only_v4]),
        ["a [10.0.0.1:47500]"]
    );
    assert_eq!(
        shown(FamilyPolicy::PreferV4, &[only_v6]),
        ["b [[fd00::1]:47500]"]
    );
}

#[test]
fn a_target_of_several_addresses_of_a_family_is_a_seed_for_each() {
    let many = [target("ring-0", &[v4(1), v4(2), v6(1)])];
    assert_eq!(shown(FamilyPolicy::Both, &many).len(), 3);
}

#[test]
fn an_address_with_dashes_names_nobody() {
    let targets = [
        target("10-0-0-1", &[v4(1)]),
        target("fd00--1", &[v6(1)]),
        target("Ring-0", &[v4(2)]),
    ];
    let expected = [
        "- [10.0.0.1:47500]",
        "- [[fd00::1]:47500]",
        "ring-0 [10.0.0.2:47500]",
    ];
    assert_eq!(shown(FamilyPolicy::Both, &targets), expected);
}

#[test]
fn a_label_that_no_host_has_names_nobody() {
    let label = Name::from_labels([b"a\xffb".as_slice(), b"ring"]).unwrap();
    let odd = Target {
        name: label,
        port: 1,
        addresses: vec![v4(1)],
    };
    assert_eq!(shown(FamilyPolicy::Both, &[odd]), ["- [10.0.0.1:1]"]);
}

#[test]
fn targets_without_an_acceptable_address_are_left_out_until_none_is_left() {
    let (with, without) = (target("ring-0", &[v4(1)]), target("ring-1", &[]));
    assert_eq!(shown(FamilyPolicy::V4, &[with.clone(), without]).len(), 1);
    let service = name("_ring._tcp.ring.example.org.");
    let error = from_targets(&service, FamilyPolicy::V6, &[with], Duration::ZERO).unwrap_err();
    assert_eq!(error.cause(), FinderCause::Configuration);
}

#[test]
fn the_next_round_is_when_the_answer_expires_within_the_limits() {
    let [min, five, max, day] = [1, 5, 30, 86_400].map(Duration::from_secs);
    let next = |ttl| until_next(ttl, min, max);
    assert_eq!(next(Some(five)), five);
    assert_eq!(next(Some(Duration::ZERO)), min);
    assert_eq!(next(Some(day)), max);
    assert_eq!(next(None), min);
}
