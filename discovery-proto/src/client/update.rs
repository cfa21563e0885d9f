//! What a follower is told: changes, gaps, and through whom it follows. How it comes to know is in
//! `table.rs` and `link.rs`.

use std::sync::Arc;
use std::time::Duration;

use discovery_core::TopologyId;

use crate::discovery::v1;

/// One thing that a client learned.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Update {
    /// The next change: it leads from the topology that was told last to this one.
    Changed {
        /// What happened, and why.
        change: Arc<v1::TopologyChange>,
        /// What came of it.
        topology: Arc<v1::Topology>,
    },
    /// The topology to go on from. With a gap, what was told before does not lead to it.
    Snapshot {
        /// The topology.
        topology: Arc<v1::Topology>,
        /// Why changes are missing; none if it is the first one.
        gap: Option<Gap>,
    },
    /// The client follows otherwise than before; the topology is as it was.
    Followed(Followed),
}

/// Why changes between two topologies were not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Gap {
    /// No node that was asked knows all of them any more.
    #[error("changes were skipped: no node asked knew them any more")]
    Behind,
    /// A recovery opened another epoch: changes may have been taken back.
    #[error("another epoch was opened, and changes may have been taken back")]
    NewEpoch,
    /// The nodes belong to another cluster now.
    #[error("the nodes are of another cluster now")]
    OtherCluster,
    /// A node told changes that do not fit; it was asked for the whole.
    #[error("a node told a change that did not fit")]
    Unfit,
    /// Whoever reads the updates was slower than they came.
    #[error("updates came faster than they were read")]
    SlowReader,
}

/// Through whom a client follows the topology.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Followed {
    /// A member that hears a majority: the topology is in force.
    Node {
        /// Where it serves.
        address: String,
    },
    /// Nobody, for now: the topology may be stale. The client goes on looking by itself.
    Nobody {
        /// Why the last node that was tried was not one to follow.
        why: LinkEnd,
    },
}

/// Why a node is not followed, or not any more. The client goes on with the next one by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkEnd {
    /// There is no address to ask.
    #[error("no address is known; the finder has found none yet")]
    NoAddress,
    /// Nothing answers there.
    #[error("{address} cannot be reached: {why}")]
    Unreachable {
        /// Where.
        address: String,
        /// What happened.
        why: String,
    },
    /// Its first answer took too long.
    #[error("{address} did not answer within {limit:?}")]
    NoAnswer {
        /// Where.
        address: String,
        /// The limit.
        limit: Duration,
    },
    /// It refused, or its stream broke.
    #[error("{address} ended the stream, {code:?}: {why}")]
    Ended {
        /// Where.
        address: String,
        /// The status code.
        code: tonic::Code,
        /// What it said.
        why: String,
    },
    /// It is no member with a quorum.
    #[error("{address} is not followed: it stands as {standing}")]
    Standing {
        /// Where.
        address: String,
        /// The standing, by its name in the contract.
        standing: &'static str,
    },
    /// It told something that cannot be read or does not fit.
    #[error("{address} told what does not fit: {why}")]
    Unfit {
        /// Where.
        address: String,
        /// What is wrong.
        why: String,
    },
}

/// Why an answer cannot be taken. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error(transparent)]
    Unreadable(#[from] crate::convert::ReadError),
    #[error("the {field} is absent")]
    Absent { field: &'static str },
    #[error("a change before any topology")]
    NothingKnown,
    #[error("a change that follows {previous}; {known} is known")]
    NotNext {
        previous: TopologyId,
        known: TopologyId,
    },
    #[error("{told} members are said to be there; {counted} are")]
    Count { told: u32, counted: usize },
}
