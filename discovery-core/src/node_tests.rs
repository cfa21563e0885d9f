//! Descriptions that are kept and descriptions that are refused, with what the refusals name.

use super::*;

fn described(addresses: &[&str]) -> Result<NodeInfo, NodeInfoError> {
    NodeInfo::new(
        NodeId::from_u128(1),
        NodeName::new("a").unwrap(),
        addresses.iter().map(|address| address.parse().unwrap()),
        UnixMillis(0),
    )
}

#[test]
fn addresses_keep_their_order_once_each_and_in_their_plain_form() {
    let node = described(&[
        "[fd00::1]:1",
        "10.0.0.1:1",
        "[::ffff:10.0.0.1]:1",
        "[fd00::1%3]:1",
    ]);
    let plain: Vec<String> = node
        .unwrap()
        .addresses()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(plain, ["[fd00::1]:1", "10.0.0.1:1"]);
}

#[test]
fn a_node_needs_an_address_that_can_be_dialled() {
    assert!(matches!(
        described(&[]),
        Err(NodeInfoError::NoAddress { .. })
    ));
    for address in [
        "0.0.0.0:1",
        "[::]:1",
        "224.0.0.1:1",
        "10.0.0.1:0",
        "[::ffff:0.0.0.0]:1",
    ] {
        assert!(
            matches!(described(&[address]), Err(NodeInfoError::Undialable { .. })),
            "{address}"
        );
    }
}

#[test]
fn a_node_has_no_more_addresses_than_the_limit() {
    let all: Vec<String> = (1..=9).map(|n| format!("10.0.0.{n}:1")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    assert_eq!(
        described(&all[..8]).unwrap().addresses().len(),
        ADDRESSES_MAX
    );
    assert!(matches!(
        described(&all),
        Err(NodeInfoError::TooManyAddresses { addresses: 9, .. })
    ));
}

#[test]
fn one_attribute_too_many_is_refused_by_its_key_and_changes_nothing() {
    let pairs = (0..ATTRIBUTES_MAX).map(|n| (format!("k{n:02}"), "v"));
    let mut attributes = Attributes::new(pairs).unwrap();
    let before = attributes.clone();
    assert_eq!(
        attributes.insert("extra", "v").unwrap_err().to_string(),
        "attribute 'extra' is one too many; the limit is 32 keys"
    );
    assert_eq!(attributes, before);
    assert_eq!(attributes.insert("k00", "w"), Ok(Some("v".to_owned())));
}

#[test]
fn attributes_are_limited_in_bytes_of_keys_and_values() {
    let mut attributes = Attributes::new([("k", "v".repeat(4095))]).unwrap();
    assert_eq!(
        attributes.insert("j", "").unwrap_err(),
        AttributesError::TooLarge {
            key: "j".to_owned(),
            bytes: 4097
        }
    );
    attributes.insert("k", "").unwrap();
    attributes.insert("j", "v".repeat(4094)).unwrap();
    assert_eq!(attributes.insert("", "v"), Err(AttributesError::EmptyKey));
}
