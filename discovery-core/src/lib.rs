//! Vocabulary of cluster membership: nodes, topologies, versions, evidence, and the two traits that
//! the rest of the project meets in, [`Finder`] and [`Discovery`].
//!
//! Nothing here does I/O, reads a clock or draws random numbers, and the default build depends on
//! no async runtime. Read the modules in this order:
//!
//! | module | what it holds |
//! |---|---|
//! | `identity`, `node`, `time` | who a node is: one run, the stable name, the pod, the addresses |
//! | `order`, `version` | join order, topology version, epoch, term, and the tokens made of them |
//! | `topology`, `content_hash` | the members at one version, and the hash nodes compare by |
//! | `change`, `event`, `history`, `diff` | how one topology becomes the next, and who is told |
//! | `evidence`, `proof`, `doubt`, `exemption` | why a member is removed; what proves a death |
//! | `seed`, `finder`, `census` | where a newcomer may knock; the contract of a finder; its facts |
//! | `discovery` | what a membership implementation gives its user |
//! | `finders` (feature) | static, file and combined finders; the feed that others share |
//! | `testing` (feature) | a scripted finder; the conformance kit for any finder |
//! | `formats` (feature `serde`) | how all of it reads in text formats |
//!
//! A cluster comes into being, grows, and loses a member:
//!
//! ```
//! use discovery_core::{
//!     ClusterId, Epoch, Evidence, NodeId, NodeInfo, NodeName, Term, Topology, TopologyChange,
//!     TopologyEvent, UnixMillis,
//! };
//!
//! let node = |bits: u128, name: &str| -> Result<NodeInfo, Box<dyn std::error::Error>> {
//!     let address = "10.88.0.7:47500".parse()?;
//!     let started_at = UnixMillis(1_795_305_600_000);
//!     Ok(NodeInfo::new(NodeId::from_u128(bits), NodeName::new(name)?, [address], started_at)?)
//! };
//!
//! let cluster = ClusterId::from_u128(7);
//! let alone = Topology::founded(cluster, Epoch(42), Term::FIRST, node(1, "ring-0")?)?;
//!
//! let joins = TopologyChange::of(&alone).join(node(3, "ring-2")?).join(node(2, "ring-1")?);
//! let event = TopologyEvent::decided(&alone, &joins.build()?, Term::FIRST)?;
//! assert_eq!(event.topology.version().get(), 2);
//! assert_eq!(event.joined[0].name().as_str(), "ring-1");
//!
//! let reason = Evidence::Operator { reason: "its disk is broken".to_owned() };
//! let failure = TopologyChange::of(&event.topology).fail(NodeId::from_u128(3), reason);
//! let event = TopologyEvent::decided(&event.topology, &failure.build()?, Term::FIRST)?;
//! assert_eq!(event.topology.len(), 2);
//! assert_eq!(event.failed[0].1.to_string(), "removed by an operator: its disk is broken");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod identity;
mod node;
mod order;
mod time;
mod version;

mod content_hash;
mod topology;

mod change;
mod diff;
mod event;
mod history;

mod doubt;
mod evidence;
mod exemption;
mod proof;

mod census;
mod finder;
mod seed;

mod discovery;

#[cfg(feature = "finders")]
pub mod finders;
#[cfg(feature = "serde")]
mod formats;
#[cfg(any(feature = "testing", all(test, feature = "finders")))]
pub mod testing;

pub use census::{
    Census, ContainerState, LastSeen, PodFact, PodReading, PodRef, ResourceVersion,
    ResourceVersionError, Termination,
};
pub use change::{ChangeBuilder, ChangeError, TopologyChange};
pub use diff::TopologyDiff;
pub use discovery::{
    Delivery, Discovery, LeaveError, Message, PAYLOAD_BYTES_MAX, PublishError, Published,
    SnapshotCause, Standing, Subscription, TOPIC_BYTES_MAX, Topic,
};
pub use doubt::{Doubt, NotProven};
pub use event::TopologyEvent;
pub use evidence::{Accusation, AccusationKind, Evidence};
pub use exemption::{DialOutcome, Exemption, ListedSight, NotExempt, Side, may_be_exempt};
pub use finder::{
    BoxFuture, Finder, FinderCause, FinderError, Finding, LastGood, Provenance, SeedReport,
    SeedWatch,
};
pub use history::{HISTORY_MAX, History, HistoryGap, NotNext};
pub use identity::{
    IdentityError, NAME_BYTES_MAX, NodeId, NodeName, POD_UID_BYTES_MAX, PodUid, ProcessIdentity,
};
pub use node::{
    ADDRESSES_MAX, ATTRIBUTES_BYTES_MAX, ATTRIBUTES_MAX, Attributes, AttributesError, HostNode,
    NodeInfo, NodeInfoError, PLACE_BYTES_MAX, Role, WireVersion, Zone,
};
pub use order::NodeOrder;
pub use proof::{
    Answerer, Asked, DeathFacts, GoneCounts, LAST_SEEN_AGE_MAX, ProofOfDeath, ProofRule, RunEnded,
    Timed, prove_death,
};
pub use seed::{SEEDS_MAX, Seed, SeedCondition, SeedSet};
pub use time::{UnixMillis, UnixSeconds};
pub use topology::{MEMBERS_MAX, Member, Topology, TopologyError, TopologyParts};
pub use version::{
    ClusterId, ClusterIdError, Epoch, FencingToken, Term, TopologyId, TopologyVersion,
};

#[cfg(test)]
mod properties;
#[cfg(test)]
mod samples;

/// The example of the crate's README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
