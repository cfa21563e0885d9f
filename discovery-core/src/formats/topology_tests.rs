//! Topologies, changes and evidence, written and read back.

use serde_json::{from_value, json, to_value};

use crate::change::TopologyChange;
use crate::event::TopologyEvent;
use crate::evidence::{Accusation, AccusationKind, Evidence};
use crate::node::{Attributes, Zone};
use crate::samples::{alone, id, node, uid};
use crate::time::UnixMillis;
use crate::topology::Topology;
use crate::version::Term;

fn two() -> Topology {
    let joiner = node(2)
        .with_pod_uid(uid("u"))
        .with_zone(Zone::new("z").unwrap())
        .with_attributes(Attributes::new([("k", "v")]).unwrap());
    let change = TopologyChange::of(&alone()).join(joiner).build().unwrap();
    alone().apply(&change, Term::FIRST).unwrap()
}

fn failure() -> TopologyChange {
    let accusation = Accusation {
        observer: id(1),
        kind: AccusationKind::Silence,
        at: UnixMillis(5),
    };
    TopologyChange::of(&two())
        .fail(id(2), Evidence::Accused(vec![accusation]))
        .build()
        .unwrap()
}

#[test]
fn a_topology_reads_back_as_it_was_written() {
    let form = to_value(two()).unwrap();
    assert_eq!(form["version"], json!(2));
    assert_eq!(
        form["members"][1]["info"]["attributes"],
        json!({ "k": "v" })
    );
    assert_eq!(from_value::<Topology>(form).unwrap(), two());
}

#[test]
fn a_topology_whose_hash_does_not_fit_is_refused() {
    let mut form = to_value(two()).unwrap();
    form["epoch"] = json!(11);
    let refused = from_value::<Topology>(form).unwrap_err();
    assert!(refused.to_string().contains("content hash"), "{refused}");
}

#[test]
fn a_topology_that_cannot_be_is_refused() {
    let mut form = to_value(two()).unwrap();
    form["next_order"] = json!(2);
    let refused = from_value::<Topology>(form).unwrap_err();
    assert!(
        refused.to_string().contains("not below the next order 2"),
        "{refused}"
    );
}

#[test]
fn a_node_that_cannot_be_dialled_is_refused() {
    let mut form = to_value(two()).unwrap();
    form["members"][0]["info"]["addresses"] = json!(["0.0.0.0:1"]);
    let refused = from_value::<Topology>(form).unwrap_err();
    assert!(
        refused.to_string().contains("cannot be dialled"),
        "{refused}"
    );
}

#[test]
fn a_change_with_its_evidence_reads_back_as_it_was_written() {
    let form = to_value(failure()).unwrap();
    assert_eq!(
        form["failures"][0][1],
        json!({ "accused": [{ "observer": id(1), "kind": "silence", "at": 5 }] })
    );
    assert_eq!(from_value::<TopologyChange>(form).unwrap(), failure());
}

#[test]
fn an_event_tells_who_failed_and_why() {
    let event = TopologyEvent::decided(&two(), &failure(), Term::FIRST).unwrap();
    let form = to_value(&event).unwrap();
    assert_eq!(form["failed"][0][0]["info"]["name"], json!("n2"));
    assert_eq!(
        event.failed[0].1.in_words_of(&two()).to_string(),
        "accused by n1 (silence at 1970-01-01T00:00:00.005Z)"
    );
}
