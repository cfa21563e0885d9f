//! What one response means, from messages written by hand.

use std::net::{Ipv4Addr, Ipv6Addr};

use hickory_resolver::proto::op::OpCode;
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, NS, SOA, SRV, TXT};

use super::*;

const NAME: &str = "ring.prod.svc.cluster.local.";

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn question(kind: Kind) -> Question {
    Question::new(kind, &name(NAME))
}

fn record(owner: &str, ttl: u32, data: RData) -> Record {
    Record::from_rdata(name(owner), ttl, data)
}

fn a(last: u8) -> RData {
    RData::A(A(Ipv4Addr::new(10, 0, 0, last)))
}

fn cname(target: &str) -> RData {
    RData::CNAME(CNAME(name(target)))
}

fn soa(ttl: u32, minimum: u32) -> Record {
    let soa = SOA::new(name("ns."), name("admin."), 1, 2, 3, 4, minimum);
    record("cluster.local.", ttl, RData::SOA(soa))
}

fn response(code: ResponseCode, answers: Vec<Record>, authorities: Vec<Record>) -> Message {
    let mut message = Message::response(1, OpCode::Query);
    message.metadata.response_code = code;
    message.answers = answers;
    message.authorities = authorities;
    message
}

fn found(answers: Vec<Record>) -> Result<Reading, DnsError> {
    read(
        &question(Kind::A),
        &response(ResponseCode::NoError, answers, Vec::new()),
    )
}

fn at(last: u8) -> Item {
    Item::Address(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)))
}

fn answer(items: Vec<Item>, ttl: u64) -> Reading {
    Reading::Answer(Answer::Found {
        items,
        glue: Vec::new(),
        ttl: Duration::from_secs(ttl),
    })
}

#[test]
fn the_smallest_ttl_of_the_records_counts() {
    let reading = found(vec![record(NAME, 30, a(1)), record(NAME, 7, a(2))]);
    assert_eq!(reading, Ok(answer(vec![at(1), at(2)], 7)));
}

#[test]
fn records_of_other_names_and_types_are_not_seeds() {
    let text = RData::TXT(TXT::new(vec!["hello".to_owned()]));
    let reading = found(vec![
        record("other.example.org.", 1, a(9)),
        record(NAME, 1, text),
        record(NAME, 30, a(1)),
    ]);
    assert_eq!(reading, Ok(answer(vec![at(1)], 30)));
}

#[test]
fn a_name_is_the_same_in_capitals() {
    let reading = found(vec![record("RING.prod.SVC.cluster.local.", 5, a(1))]);
    assert_eq!(reading, Ok(answer(vec![at(1)], 5)));
}

#[test]
fn an_alias_is_followed_within_the_response_and_shortens_the_ttl() {
    let reading = found(vec![
        record("real.example.org.", 30, a(1)),
        record(NAME, 4, cname("real.example.org.")),
    ]);
    assert_eq!(reading, Ok(answer(vec![at(1)], 4)));
}

#[test]
fn an_alias_whose_records_are_missing_is_to_be_asked_for() {
    let reading = found(vec![record(NAME, 4, cname("real.example.org."))]);
    let (to, ttl) = (name("real.example.org."), Duration::from_secs(4));
    assert_eq!(reading, Ok(Reading::Alias { to, ttl }));
}

#[test]
fn an_alias_to_itself_is_a_loop() {
    let reading = found(vec![
        record(NAME, 4, cname("b.example.org.")),
        record("b.example.org.", 4, cname(NAME)),
    ]);
    assert_eq!(reading, Err(alias_loop(&question(Kind::A))));
}

#[test]
fn an_address_that_is_no_process_makes_the_answer_malformed() {
    for address in [
        Ipv4Addr::UNSPECIFIED,
        Ipv4Addr::BROADCAST,
        Ipv4Addr::new(224, 0, 0, 1),
    ] {
        let reading = found(vec![record(NAME, 5, RData::A(A(address)))]);
        assert!(
            matches!(&reading, Err(DnsError::Malformed { reason, .. })
                if reason.contains(&address.to_string())),
            "{reading:?}"
        );
    }
    let none = RData::AAAA(AAAA(Ipv6Addr::UNSPECIFIED));
    let message = response(
        ResponseCode::NoError,
        vec![record(NAME, 5, none)],
        Vec::new(),
    );
    assert!(matches!(
        read(&question(Kind::Aaaa), &message),
        Err(DnsError::Malformed { .. })
    ));
}

#[test]
fn an_srv_record_without_port_or_target_makes_the_answer_malformed() {
    for (port, target) in [(0, "ring-0.example.org."), (47500, ".")] {
        let srv = RData::SRV(SRV::new(0, 0, port, name(target)));
        let message = response(
            ResponseCode::NoError,
            vec![record(NAME, 5, srv)],
            Vec::new(),
        );
        let reading = read(&question(Kind::Srv), &message);
        assert!(
            matches!(reading, Err(DnsError::Malformed { .. })),
            "{reading:?}"
        );
    }
}

#[test]
fn addresses_beside_srv_records_are_glue() {
    let srv = SRV::new(0, 0, 47500, name("ring-0.example.org."));
    let mut message = response(
        ResponseCode::NoError,
        vec![record(NAME, 5, RData::SRV(srv))],
        Vec::new(),
    );
    message.additionals = vec![record("ring-0.example.org.", 3, a(1))];
    let Ok(Reading::Answer(Answer::Found { glue, ttl, .. })) = read(&question(Kind::Srv), &message)
    else {
        panic!("an SRV record was not found");
    };
    let expected = Glue {
        name: name("ring-0.example.org."),
        address: Ipv4Addr::new(10, 0, 0, 1).into(),
        ttl: Duration::from_secs(3),
    };
    assert_eq!((glue, ttl), (vec![expected], Duration::from_secs(5)));
}

#[test]
fn no_data_and_no_such_name_are_told_apart_and_hold_for_the_soa_minimum() {
    for (record_ttl, minimum) in [(30, 5), (5, 30)] {
        let read = |code| {
            let message = response(code, Vec::new(), vec![soa(record_ttl, minimum)]);
            read(&question(Kind::A), &message)
        };
        let ttl = Some(Duration::from_secs(5));
        let no_data = Reading::Answer(Answer::NoData { ttl });
        let no_name = Reading::Answer(Answer::NoName { ttl });
        assert_eq!(read(ResponseCode::NoError), Ok(no_data));
        assert_eq!(read(ResponseCode::NXDomain), Ok(no_name));
    }
}

#[test]
fn an_alias_to_a_name_proven_empty_is_no_data() {
    let answers = vec![record(NAME, 2, cname("real.example.org."))];
    let message = response(ResponseCode::NoError, answers, vec![soa(30, 30)]);
    let ttl = Some(Duration::from_secs(2));
    assert_eq!(
        read(&question(Kind::A), &message),
        Ok(Reading::Answer(Answer::NoData { ttl }))
    );
}

#[test]
fn a_response_code_that_is_a_failure_is_never_an_answer() {
    let read = |code| {
        read(
            &question(Kind::A),
            &response(code, vec![record(NAME, 5, a(1))], Vec::new()),
        )
    };
    assert!(matches!(
        read(ResponseCode::ServFail),
        Err(DnsError::ServerFailed { .. })
    ));
    assert!(matches!(
        read(ResponseCode::Unknown(77)),
        Err(DnsError::ServerFailed { .. })
    ));
    assert!(matches!(
        read(ResponseCode::Refused),
        Err(DnsError::Refused { .. })
    ));
}

#[test]
fn a_referral_to_other_servers_is_not_no_data() {
    let ns = record("cluster.local.", 5, RData::NS(NS(name("ns.example.org."))));
    let message = response(ResponseCode::NoError, Vec::new(), vec![ns]);
    let response = hickory_resolver::proto::op::DnsResponse::from_message(message).unwrap();
    let failure = HickoryDnsError::from_response(response).unwrap_err();
    let answer = read_failure(&question(Kind::A), &failure.into(), Duration::ZERO);
    assert!(
        matches!(answer, Err(DnsError::Referral { .. })),
        "{answer:?}"
    );
}
