//! Single values as the contract has them: ids, addresses, numbers, texts, and lists under limits.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use discovery_core::{
    ADDRESSES_MAX, ClusterId, IdentityError, NodeId, NodeOrder, ResourceVersion, TopologyVersion,
};

use super::Wire;
use crate::wire::error::DecodeError;
use crate::wire::limits::TEXT_BYTES_MAX;

pub(super) fn required<T: Wire>(
    field: &'static str,
    form: Option<T::Form>,
) -> Result<T, DecodeError> {
    T::read(form.ok_or(DecodeError::Missing { field })?)
}

pub(super) fn optional<T: Wire>(form: Option<T::Form>) -> Result<Option<T>, DecodeError> {
    form.map(T::read).transpose()
}

pub(super) fn list<T: Wire>(
    field: &'static str,
    count_max: usize,
    forms: Vec<T::Form>,
) -> Result<Vec<T>, DecodeError> {
    within(field, count_max, forms.len())?;
    forms.into_iter().map(T::read).collect()
}

pub(super) fn forms<T: Wire>(values: &[T]) -> Vec<T::Form> {
    values.iter().map(T::form).collect()
}

pub(super) fn within(
    field: &'static str,
    count_max: usize,
    count: usize,
) -> Result<(), DecodeError> {
    if count > count_max {
        return Err(DecodeError::TooMany {
            field,
            count,
            count_max,
        });
    }
    Ok(())
}

/// A shared value is written like any other.
impl<T: Wire> Wire for Arc<T> {
    type Form = T::Form;

    fn form(&self) -> T::Form {
        T::form(self)
    }

    fn read(form: T::Form) -> Result<Self, DecodeError> {
        T::read(form).map(Self::new)
    }
}

pub(super) fn id_form(id: NodeId) -> Vec<u8> {
    id.as_u128().to_be_bytes().to_vec()
}

pub(super) fn id_forms(ids: &[NodeId]) -> Vec<Vec<u8>> {
    ids.iter().copied().map(id_form).collect()
}

pub(super) fn node_id(field: &'static str, bytes: &[u8]) -> Result<NodeId, DecodeError> {
    bits(field, bytes).map(NodeId::from_u128)
}

pub(super) fn node_ids(
    field: &'static str,
    count_max: usize,
    ids: &[Vec<u8>],
) -> Result<Vec<NodeId>, DecodeError> {
    within(field, count_max, ids.len())?;
    ids.iter().map(|bytes| node_id(field, bytes)).collect()
}

pub(super) fn cluster_form(id: ClusterId) -> Vec<u8> {
    id.as_u128().to_be_bytes().to_vec()
}

pub(super) fn cluster_id(field: &'static str, bytes: &[u8]) -> Result<ClusterId, DecodeError> {
    bits(field, bytes).map(ClusterId::from_u128)
}

fn bits(field: &'static str, bytes: &[u8]) -> Result<u128, DecodeError> {
    let bits = bytes.try_into().map_err(|_| DecodeError::WrongLength {
        field,
        bytes: bytes.len(),
        must_have: "16",
    })?;
    Ok(u128::from_be_bytes(bits))
}

pub(super) fn address_form(address: SocketAddr) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(18);
    match address.ip() {
        IpAddr::V4(ip) => bytes.extend(ip.octets()),
        IpAddr::V6(ip) => bytes.extend(ip.octets()),
    }
    bytes.extend(address.port().to_be_bytes());
    bytes
}

pub(super) fn address_forms(addresses: &[SocketAddr]) -> Vec<Vec<u8>> {
    addresses.iter().copied().map(address_form).collect()
}

pub(super) fn address(field: &'static str, bytes: &[u8]) -> Result<SocketAddr, DecodeError> {
    let wrong = || DecodeError::WrongLength {
        field,
        bytes: bytes.len(),
        must_have: "6 or 18",
    };
    let (ip, port) = bytes.split_last_chunk::<2>().ok_or_else(wrong)?;
    let ip = if let Ok(ip) = <[u8; 4]>::try_from(ip) {
        IpAddr::V4(Ipv4Addr::from(ip))
    } else {
        let ip: [u8; 16] = ip.try_into().map_err(|_| wrong())?;
        IpAddr::V6(Ipv6Addr::from(ip))
    };
    Ok(SocketAddr::new(ip, u16::from_be_bytes(*port)))
}

pub(super) fn addresses(
    field: &'static str,
    addresses: &[Vec<u8>],
) -> Result<Vec<SocketAddr>, DecodeError> {
    within(field, ADDRESSES_MAX, addresses.len())?;
    addresses
        .iter()
        .map(|bytes| address(field, bytes))
        .collect()
}

/// A number that is never zero: an order, a version, a resource version.
fn positive<T>(
    field: &'static str,
    number: u64,
    new: impl FnOnce(u64) -> Option<T>,
) -> Result<T, DecodeError> {
    new(number).ok_or(DecodeError::OutOfRange {
        field,
        value: number,
        must_be: "above 0",
    })
}

pub(super) fn order(field: &'static str, number: u64) -> Result<NodeOrder, DecodeError> {
    positive(field, number, NodeOrder::new)
}

pub(super) fn version(field: &'static str, number: u64) -> Result<TopologyVersion, DecodeError> {
    positive(field, number, TopologyVersion::new)
}

pub(super) fn resource_version(
    field: &'static str,
    number: u64,
) -> Result<ResourceVersion, DecodeError> {
    positive(field, number, ResourceVersion::new)
}

pub(super) fn small(field: &'static str, number: u32) -> Result<u16, DecodeError> {
    u16::try_from(number).map_err(|_| DecodeError::OutOfRange {
        field,
        value: number.into(),
        must_be: "at most 65,535",
    })
}

/// A value of one of the contract's enums, none of which this build may fail to know.
pub(super) fn known<T: TryFrom<i32>>(field: &'static str, value: i32) -> Result<T, DecodeError> {
    T::try_from(value).map_err(|_| DecodeError::UnknownValue { field, value })
}

/// The first value of every enum, which is never sent.
pub(super) const fn unspecified(field: &'static str) -> DecodeError {
    DecodeError::UnknownValue { field, value: 0 }
}

/// A name, uid, place or topic.
pub(super) fn checked<T>(field: &'static str, text: &str) -> Result<T, DecodeError>
where
    T: FromStr<Err = IdentityError>,
{
    text.parse()
        .map_err(|source| DecodeError::Text { field, source })
}

pub(super) fn checked_if_any<T>(
    field: &'static str,
    text: Option<&String>,
) -> Result<Option<T>, DecodeError>
where
    T: FromStr<Err = IdentityError>,
{
    text.map(|text| checked(field, text)).transpose()
}

/// A text for people, cut to its limit.
pub(super) fn text_form(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned()
}

pub(super) fn text(field: &'static str, text: String) -> Result<String, DecodeError> {
    within(field, TEXT_BYTES_MAX, text.len())?;
    Ok(text)
}
