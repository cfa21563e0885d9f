//! What users do with a node's services: what is open now, and what was refused or missed since it
//! started.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use discovery_core::SnapshotCause;

/// The listeners that users connect to.
pub(crate) const LISTENERS: [&str; 3] = [GRPC, HTTP, ADMIN];
/// That of the API.
pub(crate) const GRPC: &str = "grpc";
/// That of probes, metrics and the page.
pub(crate) const HTTP: &str = "http";
/// That of operators.
pub(crate) const ADMIN: &str = "admin";

/// Why a user was turned away: the reasons of the contract in lower case, one of its own for
/// connections, and one for what is refused before a call is read.
pub(crate) const REASONS: [&str; 16] = [
    "not_a_member",
    "no_quorum",
    "leaving",
    "shutting_down",
    "busy",
    "too_many_streams",
    "too_large",
    "invalid",
    "outcome_unknown",
    "deadline",
    "not_local",
    "not_found",
    "refused",
    "stale",
    TOO_MANY_CONNECTIONS,
    OTHER,
];
const TOO_MANY_CONNECTIONS: &str = "too_many_connections";
const OTHER: &str = "other";

/// The stable name of a cause of a gap; none for a beginning, which is no gap.
pub(crate) fn gap_name(cause: SnapshotCause) -> Option<&'static str> {
    match cause {
        SnapshotCause::Start => None,
        SnapshotCause::Behind => Some("behind"),
        SnapshotCause::NewEpoch => Some("new_epoch"),
        SnapshotCause::OtherCluster => Some("other_cluster"),
        // What may yet be added.
        _ => Some(OTHER),
    }
}

/// What was counted; every number but the open ones only grows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Streams that are open.
    pub(crate) streams: u64,
    /// Connections that are open, by listener.
    pub(crate) connections: BTreeMap<&'static str, u64>,
    /// Calls and connections that were refused, by reason.
    pub(crate) refused: BTreeMap<&'static str, u64>,
    /// Gaps that readers were told of, by cause.
    pub(crate) gaps: BTreeMap<&'static str, u64>,
}

/// Counts what users do; clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traffic(Arc<Mutex<Counts>>);

impl Traffic {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The numbers now.
    pub(crate) fn counts(&self) -> Counts {
        self.lock().clone()
    }

    /// A stream begins; it is open until this is dropped.
    pub(crate) fn stream(&self) -> OpenStream {
        self.lock().streams += 1;
        OpenStream(self.clone())
    }

    /// Counts the connections of this listener.
    pub(crate) fn door(&self, listener: &'static str) -> Door {
        let traffic = self.clone();
        Door { traffic, listener }
    }

    /// A call was refused with this reason, as the contract names it; none if it names none.
    pub(crate) fn refused(&self, reason: Option<&str>) {
        let is_it = |known: &&str| reason.is_some_and(|told| told.eq_ignore_ascii_case(known));
        let known = REASONS.into_iter().find(|known| is_it(known));
        *self
            .lock()
            .refused
            .entry(known.unwrap_or(OTHER))
            .or_default() += 1;
    }

    /// A reader is told that it may have missed something, unless this is how it begins.
    pub(crate) fn gap(&self, cause: SnapshotCause) {
        if let Some(name) = gap_name(cause) {
            *self.lock().gaps.entry(name).or_default() += 1;
        }
    }
}

/// A stream that is open.
#[derive(Debug)]
pub(crate) struct OpenStream(Traffic);

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut counts = self.0.lock();
        counts.streams = counts.streams.saturating_sub(1);
    }
}

/// What comes in at one listener.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    traffic: Traffic,
    listener: &'static str,
}

impl Door {
    /// A connection was accepted; it is open until this is dropped.
    pub(crate) fn open(&self) -> OpenConnection {
        *self
            .traffic
            .lock()
            .connections
            .entry(self.listener)
            .or_default() += 1;
        OpenConnection(self.clone())
    }

    /// A connection was one too many.
    pub(crate) fn turned_away(&self) {
        self.traffic.refused(Some(TOO_MANY_CONNECTIONS));
        tracing::debug!(
            listener = self.listener,
            "turned away: too many connections"
        );
    }
}

/// A connection that is open.
#[derive(Debug)]
pub(crate) struct OpenConnection(Door);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let mut counts = self.0.traffic.lock();
        let open = counts.connections.entry(self.0.listener).or_default();
        *open = open.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_is_open_no_more_and_what_was_refused_stays_counted() {
        let traffic = Traffic::default();
        let stream = traffic.stream();
        let (first, second) = (traffic.door(GRPC).open(), traffic.door(HTTP).open());
        drop((stream, first));
        traffic.door(GRPC).turned_away();
        for reason in [Some("BUSY"), Some("BUSY"), Some("NEVER_HEARD_OF"), None] {
            traffic.refused(reason);
        }
        traffic.gap(SnapshotCause::Start);
        traffic.gap(SnapshotCause::Behind);
        let counts = traffic.counts();
        assert_eq!(counts.streams, 0);
        assert_eq!(counts.connections, BTreeMap::from([(GRPC, 0), (HTTP, 1)]));
        let refused = [("busy", 2), (OTHER, 2), (TOO_MANY_CONNECTIONS, 1)];
        assert_eq!(counts.refused, BTreeMap::from(refused));
        assert_eq!(counts.gaps, BTreeMap::from([("behind", 1)]));
        drop(second);
        assert_eq!(traffic.counts().connections[HTTP], 0);
    }
}
