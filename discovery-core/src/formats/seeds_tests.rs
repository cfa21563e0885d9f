//! Forms as an operator's script meets them, and what is refused when read back.

use std::time::Duration;

use serde_json::{Value, from_value, json, to_value};

use super::*;
use crate::finder::{LastGood, SeedReport};
use crate::identity::NodeId;

fn seed() -> Seed {
    let mut seed =
        Seed::at("10.0.0.1:47500".parse().unwrap()).and_at("[fd00::1]:47500".parse().unwrap());
    seed.name = Some(NodeName::new("web-0").unwrap());
    seed.pod_uid = Some(PodUid::new("u-0").unwrap());
    seed.condition.ready = Some(false);
    seed
}

fn seed_form() -> Value {
    json!({
        "name": "web-0",
        "addresses": ["10.0.0.1:47500", "[fd00::1]:47500"],
        "pod_uid": "u-0",
        "zone": null,
        "host_node": null,
        "hostname": null,
        "condition": { "ready": false, "serving": null, "terminating": null },
    })
}

fn report(finding: Finding) -> SeedReport {
    let last_good = LastGood {
        seeds: SeedSet::empty(),
        age: Duration::from_millis(1500),
    };
    SeedReport::new(finding, Some(last_good), Provenance::new("a test"), true)
}

#[test]
fn ids_are_text_and_read_back_through_their_checks() {
    assert_eq!(
        to_value(NodeId::from_u128(0x2a)).unwrap(),
        json!(format!("{:032x}", 0x2a))
    );
    assert_eq!(
        from_value::<NodeName>(json!("web-0")).unwrap().as_str(),
        "web-0"
    );
    let refused = from_value::<NodeName>(json!("")).unwrap_err();
    assert!(
        refused.to_string().contains("node name is empty"),
        "{refused}"
    );
}

#[test]
fn a_seed_reads_back_as_it_was_written() {
    assert_eq!(to_value(seed()).unwrap(), seed_form());
    assert_eq!(from_value::<Seed>(seed_form()).unwrap(), seed());
}

#[test]
fn a_seed_without_an_address_is_refused() {
    let mut form = seed_form();
    form["addresses"] = json!([]);
    let refused = from_value::<Seed>(form).unwrap_err();
    assert!(
        refused.to_string().contains("addresses are empty"),
        "{refused}"
    );
}

#[test]
fn a_set_of_more_seeds_than_the_limit_is_refused() {
    let form: Vec<Value> = (0..=SEEDS_MAX).map(|_| seed_form()).collect();
    let refused = from_value::<SeedSet>(form.into()).unwrap_err();
    assert!(
        refused.to_string().contains("the limit is 16384"),
        "{refused}"
    );
}

#[test]
fn an_unknown_report_says_cause_remedy_and_the_age_of_its_last_good_set() {
    let error = FinderError::new(FinderCause::Forbidden, "list pods in prod: forbidden")
        .with_remedy("grant it");
    assert_eq!(
        to_value(report(Finding::Unknown(error))).unwrap(),
        json!({
            "finding": {
                "state": "unknown",
                "cause": "forbidden",
                "detail": "list pods in prod: forbidden",
                "remedy": "grant it",
            },
            "last_good": { "seeds": [], "age_ms": 1500 },
            "gaps": [],
            "provenance": "a test",
            "authoritative": true,
        })
    );
}

#[test]
fn a_known_report_lists_its_seeds_and_an_empty_one_does_not() {
    let known = to_value(report(Finding::Known(SeedSet::new([seed()])))).unwrap();
    assert_eq!(
        known["finding"],
        json!({ "state": "known", "seeds": [seed_form()] })
    );
    let empty = to_value(report(Finding::KnownEmpty)).unwrap();
    assert_eq!(empty["finding"], json!({ "state": "empty" }));
}
