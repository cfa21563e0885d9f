//! Answers of a node as JSON and YAML, and the words that tables share. Pure.

use std::fmt::Write as _;

use discovery_proto::discovery::v1;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Words that some readers of YAML take for a truth or for nothing.
const YAML_WORDS: [&str; 10] = [
    "", "y", "n", "yes", "no", "on", "off", "true", "false", "null",
];

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Output {
    /// A table for people
    Table,
    /// A table with everything
    Wide,
    /// JSON: one object, or with a watch one a line
    Json,
    /// YAML
    Yaml,
}

/// A topology's name.
pub(super) fn topology_ref(id: Option<&v1::TopologyRef>) -> Value {
    id.map_or(
        Value::Null,
        |id| json!({ "cluster_id": id.cluster_id, "epoch": id.epoch, "version": id.version }),
    )
}

/// A topology.
pub(super) fn topology(topology: &v1::Topology) -> Value {
    let mut form = topology_ref(topology.id.as_ref());
    if let Value::Object(form) = &mut form {
        form.insert("term".to_owned(), term(topology.term.as_ref()));
        form.insert("content_hash".to_owned(), json!(topology.content_hash));
        let members: Vec<Value> = topology.members.iter().map(member).collect();
        form.insert("members".to_owned(), members.into());
    }
    form
}

/// A term as it is printed.
pub(super) fn term(term: Option<&v1::Term>) -> Value {
    term.map_or(Value::Null, |term| {
        json!(format!("{}.{}", term.counter, term.order))
    })
}

/// A member.
pub(super) fn member(member: &v1::Member) -> Value {
    let mut form = member.node.as_ref().map_or_else(|| json!({}), node);
    if let Value::Object(form) = &mut form {
        form.insert("order".to_owned(), json!(member.order));
        form.insert("joined_version".to_owned(), json!(member.joined_version));
    }
    form
}

/// A node.
pub(super) fn node(node: &v1::Node) -> Value {
    let text = |text: &str| match text {
        "" => Value::Null,
        text => json!(text),
    };
    json!({
        "id": node.id,
        "name": node.name,
        "addresses": node.addresses,
        "started_at": time(node.started_at.as_ref()),
        "pod_uid": text(&node.pod_uid),
        "zone": text(&node.zone),
        "host_node": text(&node.host_node),
        "role": lower(node.role().as_str_name(), "ROLE_"),
        "attributes": node.attributes,
        "wire_version": node.wire_version,
        "grpc_addresses": node.grpc_addresses,
    })
}

/// Where a node stands.
pub(super) fn standing(standing: &v1::Standing) -> Value {
    json!({
        "standing": standing_word(standing),
        "waiting_for": match standing.waiting_for.as_str() {
            "" => Value::Null,
            text => json!(text),
        },
        "topology": topology_ref(standing.topology.as_ref()),
    })
}

/// The stable name of a standing.
pub(super) fn standing_word(standing: &v1::Standing) -> String {
    lower(standing.kind().as_str_name(), "STANDING_KIND_")
}

/// One answer of a watch, with what it is under `event`.
pub(super) fn event(answer: &v1::WatchTopologyResponse) -> Value {
    use v1::watch_topology_response::Kind;
    let (name, mut form) = match &answer.kind {
        Some(Kind::Snapshot(snapshot)) => {
            let cause = lower(snapshot.cause().as_str_name(), "SNAPSHOT_CAUSE_");
            let mut form = snapshot.topology.as_ref().map_or(Value::Null, topology);
            if let Value::Object(form) = &mut form {
                form.insert("cause".to_owned(), json!(cause));
            }
            ("snapshot", form)
        }
        Some(Kind::Change(one)) => ("change", change(one)),
        Some(Kind::Standing(one)) => ("standing", standing(one)),
        None => ("unknown", Value::Object(Map::new())),
    };
    if let Value::Object(form) = &mut form {
        form.insert("event".to_owned(), json!(name));
        form.insert("at".to_owned(), time(answer.at.as_ref()));
    }
    form
}

fn change(change: &v1::TopologyChange) -> Value {
    let mut form = topology_ref(change.id.as_ref());
    if let Value::Object(form) = &mut form {
        let members =
            |members: &[v1::Member]| -> Vec<Value> { members.iter().map(member).collect() };
        form.insert(
            "previous".to_owned(),
            topology_ref(change.previous.as_ref()),
        );
        form.insert("term".to_owned(), term(change.term.as_ref()));
        form.insert("content_hash".to_owned(), json!(change.content_hash));
        form.insert("member_count".to_owned(), json!(change.member_count));
        form.insert("joined".to_owned(), members(&change.joined).into());
        form.insert("left".to_owned(), members(&change.left).into());
        let removed: Vec<Value> = change.removed.iter().map(removal).collect();
        form.insert("removed".to_owned(), removed.into());
        form.insert("epoch_changed".to_owned(), json!(change.epoch_changed));
    }
    form
}

/// A removal with its evidence.
pub(super) fn removal(removal: &v1::Removal) -> Value {
    let evidence = removal.evidence.as_ref();
    let kind = evidence.map(|evidence| lower(evidence.kind().as_str_name(), "EVIDENCE_KIND_"));
    json!({
        "member": removal.member.as_ref().map(member),
        "evidence": evidence.map(|evidence| evidence.summary.clone()),
        "kind": kind,
    })
}

/// A wall time as RFC 3339 writes it.
pub(super) fn time(at: Option<&prost_types::Timestamp>) -> Value {
    at.map_or(Value::Null, |at| json!(time_words(at)))
}

/// A wall time as RFC 3339 writes it.
pub(super) fn time_words(at: &prost_types::Timestamp) -> String {
    let read = Timestamp::new(at.seconds, at.nanos);
    read.map_or_else(|_| "unknown".to_owned(), |at| format!("{at:.3}"))
}

/// The name of an enum's value without what all have in common.
pub(super) fn lower(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_lowercase()
}

/// A value as YAML: blocks, with every text in quotes, which YAML reads as JSON does.
pub(super) fn yaml(value: &Value) -> String {
    let mut out = String::new();
    write_yaml(value, 0, &mut out);
    out
}

fn write_yaml(value: &Value, indent: usize, out: &mut String) {
    let margin = " ".repeat(indent);
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                let _ = write!(out, "{margin}{}:", yaml_key(key));
                write_nested(value, indent + 2, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let mut block = String::new();
                write_yaml(item, indent + 2, &mut block);
                // The first line of the item stands beside its dash.
                let _ = write!(out, "{margin}- {}", block.trim_start());
            }
        }
        plain => {
            let _ = writeln!(out, "{margin}{}", yaml_plain(plain));
        }
    }
}

/// A key: in quotes unless it is a plain word that YAML takes for nothing else.
fn yaml_key(key: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    if key.bytes().all(is_plain) && !YAML_WORDS.contains(&key) {
        key.to_owned()
    } else {
        yaml_plain(&json!(key))
    }
}

/// What has nothing inside, as JSON writes it; but what YAML wants to see escaped is.
fn yaml_plain(value: &Value) -> String {
    let mut out = String::new();
    for char in value.to_string().chars() {
        if char.is_control() {
            let _ = write!(out, "\\u{:04x}", u32::from(char));
        } else {
            out.push(char);
        }
    }
    out
}

fn write_nested(value: &Value, indent: usize, out: &mut String) {
    let is_block = match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    if is_block {
        out.push('\n');
        write_yaml(value, indent, out);
    } else {
        let _ = writeln!(out, " {}", yaml_plain(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_is_blocks_with_quoted_texts() {
        let value = json!({
            "a": 1,
            "b": [{ "c": "x: y", "d": [] }, { "c": null }],
            "e": ["p", "q"],
            "f": {},
        });
        let expected = "a: 1\nb:\n  - c: \"x: y\"\n    d: []\n  - c: null\n\
                        e:\n  - \"p\"\n  - \"q\"\nf: {}\n";
        assert_eq!(yaml(&value), expected);
    }

    #[test]
    fn yaml_is_read_back_as_what_was_written() {
        let value = json!({
            "attributes": { "on": "7", "7": "on", "a: b": "#", "": "x", "build-id": "- 1" },
            "text": "two\nlines\t\u{7}\u{9f}\u{1f30d} \\ \" '",
            "list": [[], {}, [1], [{ "a": [true] }], null],
        });
        let read: Value = serde_saphyr::from_str(&yaml(&value)).unwrap();
        assert_eq!(read, value);
    }
}
