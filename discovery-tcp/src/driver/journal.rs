//! What a driver writes into the log: one line for each decision, and, sparingly, trouble that
//! nobody is waiting to be told of.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use discovery_core::{Standing, TopologyEvent};

use super::seldom::Seldom;
use crate::message::CloseReason;
use crate::ring::Notice;
use crate::wire::FrameTooLarge;

/// Shortest time between two lines about trouble of one kind.
const TROUBLE_PAUSE: Duration = Duration::from_secs(10);

/// The log of one driver.
#[derive(Debug)]
pub(super) struct Journal {
    /// The local node's name: several nodes may share a process.
    node: String,
    trouble: BTreeMap<&'static str, Seldom>,
}

impl Journal {
    pub(super) fn new(node: &str) -> Self {
        Self {
            node: node.to_owned(),
            trouble: BTreeMap::new(),
        }
    }

    /// Bytes came in that are no message.
    pub(super) fn undecodable(&mut self, from: SocketAddr, why: &str) {
        self.tell("undecodable", from, &why);
    }

    /// A link of another node ended before it had said anything.
    pub(super) fn ungreeted(&mut self, from: SocketAddr) {
        self.tell("ungreeted", from, &"it closed without a word");
    }

    /// A link was closed because too much waited to be sent on it.
    pub(super) fn overflowed(&mut self, to: SocketAddr) {
        self.tell("overflowed", to, &"it does not read what is sent");
    }

    /// A message was not sent because it does not fit a frame.
    pub(super) fn oversized(&mut self, error: &FrameTooLarge) {
        let node = &self.node;
        tracing::error!(node, %error, "a message was not sent");
    }

    /// The ring closes a link.
    pub(super) fn closed(&mut self, address: SocketAddr, reason: CloseReason) {
        match reason {
            CloseReason::NoGreeting
            | CloseReason::Refused
            | CloseReason::WasRefused
            | CloseReason::Nonsense
            | CloseReason::Limit => self.tell(reason.as_str(), address, &"the link is closed"),
            CloseReason::Idle
            | CloseReason::Undecodable
            | CloseReason::Goodbye
            | CloseReason::Over
            | CloseReason::Replaced => {
                let (node, reason) = (&self.node, reason.as_str());
                tracing::trace!(node, %address, reason, "link closed");
            }
        }
    }

    /// The application is told something.
    pub(super) fn announced(&mut self, notice: &Notice) {
        let name = &self.node;
        match notice {
            Notice::Identity(node) => tracing::info!(node = name, id = %node.id(), "identified"),
            Notice::Standing(standing) => stands(name, standing),
            Notice::Installed {
                topology, cause, ..
            } => {
                let (topology, members) = (topology.id(), topology.len());
                tracing::info!(node = name, %topology, members, ?cause, "topology installed");
            }
            Notice::Changed(event) => decided(name, event),
            Notice::Message(message) => {
                let (topic, position) = (&message.topic, message.position);
                tracing::trace!(node = name, %topic, position, "message decided");
            }
            Notice::Published { request, result } => {
                tracing::trace!(node = name, request, ?result, "publication answered");
            }
            Notice::Left(result) => tracing::info!(node = name, ?result, "left"),
            Notice::MetOtherCluster { ours, theirs } => {
                tracing::warn!(node = name, %ours, %theirs, "met another cluster of this name");
            }
            Notice::NotListed => {
                tracing::warn!(node = name, "a fresh listing does not hold the local pod");
            }
            Notice::Contested(member) => {
                tracing::warn!(node = name, %member, "accused for long and not removed");
            }
            Notice::Refused { why } => tracing::warn!(node = name, why, "command refused"),
        }
    }

    fn tell(&mut self, what: &'static str, address: SocketAddr, why: &dyn fmt::Display) {
        let seldom = self
            .trouble
            .entry(what)
            .or_insert_with(|| Seldom::every(TROUBLE_PAUSE));
        if let Some(untold) = seldom.tell() {
            let node = &self.node;
            tracing::warn!(node, %address, what, untold, "{why}");
        }
    }
}

fn stands(node: &str, standing: &Standing) {
    let topology = standing.topology().map(discovery_core::Topology::id);
    let topology = topology.map(tracing::field::display);
    match standing {
        Standing::NotYetMember { waiting_for } => {
            tracing::info!(node, %waiting_for, "not a member yet");
        }
        Standing::Member { .. } => tracing::info!(node, topology, "a member, with quorum"),
        Standing::WithoutQuorum { .. } => tracing::warn!(node, topology, "without quorum"),
        Standing::Removed { .. } => tracing::warn!(node, topology, "removed; joining again"),
        other => tracing::info!(node, standing = other.as_str(), "stands otherwise"),
    }
}

fn decided(node: &str, event: &TopologyEvent) {
    let (topology, members) = (event.topology.id(), event.topology.len());
    let term = event.topology.term();
    let (joined, left, failed) = (event.joined.len(), event.left.len(), event.failed.len());
    tracing::info!(node, %topology, %term, members, joined, left, failed, "topology changed");
    for (member, evidence) in &event.failed {
        tracing::info!(node, %topology, member = %member.info, %evidence, "removed");
    }
}
