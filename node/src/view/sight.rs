//! Everything to be seen of a node at one moment, as the page gets it. Wall times are milliseconds
//! since 1970, so that a sight is equal to the one before it unless something happened.

use std::sync::Arc;

use serde::Serialize;

/// A node and its cluster, as this node sees them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sight {
    /// The local node's id.
    pub node_id: String,
    /// Its name.
    pub name: String,
    /// Where others reach it.
    pub addresses: Vec<String>,
    /// Newcomer, member or leaving.
    pub phase: &'static str,
    /// Where it stands, by the stable name.
    pub standing: &'static str,
    /// Whether it is about to go.
    pub is_draining: bool,
    /// Whether a majority is heard.
    pub quorum: bool,
    /// Since when the quorum is lost.
    pub without_quorum_since: Option<i64>,
    /// What it waits for.
    pub waiting_for: Option<String>,
    /// Who refuses it until somebody mends what differs, and what that is.
    pub refused: Option<String>,
    /// The term of the coordinator heard last.
    pub term: Option<String>,
    /// The coordinator's node id.
    pub coordinator: Option<String>,
    /// Up to where decisions are known here.
    pub decided: u64,
    /// Where epochs come from.
    pub epoch_source: &'static str,
    /// Links that are open or being opened.
    pub links: usize,
    /// The topology in force here, or the last one known.
    pub topology: Option<Arc<TopologySight>>,
    /// Who accuses whom.
    pub suspicions: Vec<SuspicionSight>,
    /// What the finder says.
    pub finder: FinderSight,
}

/// A topology.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TopologySight {
    /// The cluster.
    pub cluster_id: String,
    /// The epoch; a text, since it may be larger than a browser counts.
    pub epoch: String,
    /// The version.
    pub version: u64,
    /// The term that decided it.
    pub term: String,
    /// The hash of its content.
    pub content_hash: String,
    /// How many members must be heard.
    pub majority: usize,
    /// The members, the eldest first.
    pub members: Vec<MemberSight>,
}

/// A member.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MemberSight {
    /// Its node id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its place in join order.
    pub order: u64,
    /// The version that its joining made.
    pub joined_at: u64,
    /// When its process started.
    pub started_at: i64,
    /// Where others reach it.
    pub addresses: Vec<String>,
    /// Its zone.
    pub zone: Option<String>,
    /// Its machine.
    pub host_node: Option<String>,
    /// Member or follower.
    pub role: String,
    /// Its attributes.
    pub attributes: Vec<(String, String)>,
    /// The orders of its observers, nearest first.
    pub observers: Vec<u64>,
    /// Whether the finder lists it; none while the finder does not know.
    pub is_listed: Option<bool>,
}

/// One member's word against another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SuspicionSight {
    /// The node id of the accused.
    pub subject: String,
    /// The node id of who accuses.
    pub observer: String,
    /// Of what.
    pub kind: String,
    /// Since when, by the observer's clock.
    pub since: i64,
}

/// What the finder says.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FinderSight {
    /// Where its knowledge comes from; none if nothing was heard of it.
    pub provenance: Option<String>,
    /// Whether it can feed a census.
    pub authoritative: bool,
    /// `known`, `empty`, `unknown`, or `silent` if nothing was heard of it.
    pub state: &'static str,
    /// Why it does not know.
    pub trouble: Option<String>,
    /// What would mend it.
    pub remedy: Option<String>,
    /// When the source last confirmed the list.
    pub confirmed_at: Option<i64>,
    /// What a known list had to do without.
    pub gaps: Vec<String>,
    /// Who is listed.
    pub seeds: Vec<SeedSight>,
}

/// Somebody who is listed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeedSight {
    /// Its name, if the finder knows it.
    pub name: Option<String>,
    /// Where it listens.
    pub addresses: Vec<String>,
    /// Its pod's uid, if the finder knows it.
    pub pod_uid: Option<String>,
    /// Its zone, if the finder knows it.
    pub zone: Option<String>,
    /// What the platform says of it, such as `ready` or `terminating`; none if it does not say.
    pub condition: Option<&'static str>,
    /// The member that it is, by node id.
    pub member: Option<String>,
    /// Why it is no member, as far as this node can tell; none for a member.
    pub why_not: Option<String>,
}
