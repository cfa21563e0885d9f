//! The 64-bit hash of a topology's content: the same on every build and platform, so that nodes can
//! compare by it. It finds mistakes, it does not withstand a forger.
//!
//! XXH64 with seed 0 over the fields in a fixed order, each in little-endian bytes; a text and a
//! list start with their length, an absent value is one byte 0, a present one follows a byte 1.
//! A change of this encoding changes [`ENCODING`], so that old and new never compare as equal.

use std::hash::Hasher;
use std::net::{IpAddr, SocketAddr};

use twox_hash::XxHash64;

use crate::identity::PodUid;
use crate::node::{HostNode, NodeInfo, Role, Zone};
use crate::order::NodeOrder;
use crate::topology::Member;
use crate::version::TopologyId;

/// Names the encoding; hashed first.
const ENCODING: &str = "discovery topology 1";

/// Hashes everything a topology holds but its term.
pub(crate) fn content_hash(id: TopologyId, next_order: NodeOrder, members: &[Member]) -> u64 {
    let mut content = Content(XxHash64::with_seed(0));
    content.text(ENCODING);
    content.bytes(&id.cluster_id.as_u128().to_le_bytes());
    content.number(id.epoch.0);
    content.number(id.version.get());
    content.number(next_order.get());
    content.length(members.len());
    for member in members {
        content.number(member.order.get());
        content.number(member.joined_at.get());
        content.node(&member.info);
    }
    content.0.finish()
}

struct Content(XxHash64);

impl Content {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    fn length(&mut self, length: usize) {
        // A length is bounded far below 64 bits; on every platform it becomes the same eight bytes.
        self.number(length as u64);
    }

    fn text(&mut self, text: &str) {
        self.length(text.len());
        self.bytes(text.as_bytes());
    }

    fn perhaps(&mut self, text: Option<&str>) {
        match text {
            None => self.bytes(&[0]),
            Some(text) => {
                self.bytes(&[1]);
                self.text(text);
            }
        }
    }

    fn address(&mut self, address: SocketAddr) {
        match address.ip() {
            IpAddr::V4(ip) => {
                self.bytes(&[4]);
                self.bytes(&ip.octets());
            }
            IpAddr::V6(ip) => {
                self.bytes(&[6]);
                self.bytes(&ip.octets());
            }
        }
        self.bytes(&address.port().to_le_bytes());
    }

    fn node(&mut self, node: &NodeInfo) {
        self.bytes(&node.id().as_u128().to_le_bytes());
        self.text(node.name().as_str());
        self.length(node.addresses().len());
        for address in node.addresses() {
            self.address(*address);
        }
        self.bytes(&node.started_at().0.to_le_bytes());
        self.perhaps(node.pod_uid().map(PodUid::as_str));
        self.perhaps(node.zone().map(Zone::as_str));
        self.perhaps(node.host_node().map(HostNode::as_str));
        self.bytes(&[match node.role() {
            Role::Member => 0,
            Role::Follower => 1,
        }]);
        self.length(node.attributes().len());
        for (key, value) in node.attributes().iter() {
            self.text(key);
            self.text(value);
        }
        self.bytes(&node.wire_version().0.to_le_bytes());
    }
}

#[cfg(test)]
#[path = "content_hash_tests.rs"]
mod tests;
