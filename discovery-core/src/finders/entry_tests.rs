//! Forms that are entries, forms that are not, and what the refusals name.

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<SeedEntry, SeedEntryError> {
    parse_entry(text, None)
}

fn name(host: &str) -> Host {
    Host::Name(host.to_owned())
}

fn address(host: &str) -> Host {
    Host::Address(host.parse().unwrap())
}

#[test]
fn every_form_of_an_entry_is_read() {
    for (text, host, ports) in [
        ("ring-0.ring:47500", name("ring-0.ring"), (47500, 47500)),
        ("Ring.example.:1", name("ring.example."), (1, 1)),
        ("10.0.0.1:47500", address("10.0.0.1"), (47500, 47500)),
        ("10.0.0.1:47500..47509", address("10.0.0.1"), (47500, 47509)),
        ("10.0.0.1:47500-47509", address("10.0.0.1"), (47500, 47509)),
        ("[fd00::1]:65535", address("fd00::1"), (65535, 65535)),
        ("[::1]:1..256", address("::1"), (1, 256)),
        ("a:5..5", name("a"), (5, 5)),
    ] {
        assert_eq!(parse(text), Ok(SeedEntry { host, ports }), "{text}");
    }
}

#[test]
fn the_default_port_serves_an_entry_without_one() {
    for text in ["ring", "10.0.0.1", "[fd00::1]"] {
        assert_eq!(parse_entry(text, Some(9)).unwrap().ports, (9, 9), "{text}");
        assert!(
            matches!(parse(text), Err(SeedEntryError::NoPort { .. })),
            "{text}"
        );
    }
}

#[test]
fn what_is_no_port_is_refused_by_its_text() {
    for (text, wrong) in [
        ("a:", ""),
        ("a:0", "0"),
        ("a:65536", "65536"),
        ("a:+80", "+80"),
        ("a:http", "http"),
        ("a:1:2", "1:2"),
        ("a:1..", ""),
        ("a:..2", ""),
        ("a:1..2..3", "2..3"),
        ("[::1]:x", "x"),
    ] {
        let refused = parse(text).unwrap_err();
        assert!(
            matches!(&refused, SeedEntryError::Port { port, .. } if port == wrong),
            "{refused}"
        );
    }
}

#[test]
fn a_range_is_refused_when_reversed_or_longer_than_its_limit() {
    assert!(matches!(
        parse("a:9..1"),
        Err(SeedEntryError::RangeReversed {
            first: 9,
            last: 1,
            ..
        })
    ));
    assert!(matches!(
        parse("a:1..257"),
        Err(SeedEntryError::RangeTooLong { ports: 257, .. })
    ));
}

#[test]
fn an_ipv6_address_without_brackets_is_told_to_use_them() {
    let refused = parse("fd00::1").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "seed 'fd00::1' is an IPv6 address without brackets; write '[fd00::1]', then ':port'"
    );
}

#[test]
fn what_is_no_host_is_refused() {
    for text in [
        "",
        ":1",
        "a b:1",
        "-a:1",
        "a-:1",
        "a..b:1",
        ".:1",
        "10.0.0.256:1",
        "[::1:1",
        "[10.0.0.1]:1",
        "[::1]1",
        "http://a:1",
        "\u{7}:1",
    ] {
        let refused = parse(text).unwrap_err();
        assert!(
            matches!(
                refused,
                SeedEntryError::Host { .. } | SeedEntryError::Port { .. }
            ),
            "{text}: {refused}"
        );
    }
}

#[test]
fn all_faults_of_a_list_are_told_together() {
    let refused = parse_list(["a", "b:0", "c:1"], None).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "seed 'a' has no port; write 'a:47500' or set a default port; \
         seed 'b:0': '0' is not a port; give a number from 1 to 65535"
    );
}

#[test]
fn a_list_is_limited_in_entries_and_in_seeds() {
    let many = vec!["a:1"; SEED_ENTRIES_MAX + 1];
    assert_eq!(
        parse_list(many, None),
        Err(SeedListError::TooManyEntries { entries: 1025 })
    );
    let wide = vec!["a:1..256"; 65];
    assert_eq!(
        parse_list(wide, None),
        Err(SeedListError::TooManySeeds { seeds: 16_640 })
    );
    assert_eq!(parse_list([], None), Err(SeedListError::Empty));
}

#[test]
fn an_entry_written_twice_counts_once() {
    assert_eq!(parse_list(["a:1", "b:1", "A:1"], None).unwrap().len(), 2);
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,80}") {
        let _ = parse_entry(&text, Some(1));
    }

    #[test]
    fn host_and_port_read_back(
        host in "[a-z][a-z0-9]{0,9}(\\.[a-z][a-z0-9]{0,9}){0,3}",
        first in 1u16..,
        more in 0u16..PORT_RANGE_MAX,
    ) {
        let last = first.saturating_add(more);
        let entry = parse(&format!("{host}:{first}..{last}")).unwrap();
        prop_assert_eq!(entry, SeedEntry { host: name(&host), ports: (first, last) });
    }
}
