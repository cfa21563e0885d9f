//! What a driver counts: links, frames and bytes. What the ring counts is in the ring.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::ring::Notice;

/// Makes the live counters, and the plain numbers read from them, from one list.
macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The live counters; every task of a driver raises its own.
        #[derive(Debug, Default)]
        pub(super) struct Counters {
            $(pub(super) $name: Count,)*
        }

        /// What a driver has counted since it started.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct DriverCounters {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            /// The numbers as they are now, each for itself.
            pub(super) fn read(&self) -> DriverCounters {
                DriverCounters { $($name: self.$name.get(),)* }
            }
        }

        impl DriverCounters {
            /// Every number with its name, for a table or a metric.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }
        }
    };
}

counters! {
    /// Links that the ring asked for.
    links_dialled,
    /// Of these, links that did not open.
    dials_failed,
    /// Links that others opened.
    links_accepted,
    /// Links of others that were turned away because there were too many.
    links_turned_away,
    /// Links that others opened and ended before their first message, or that could not be secured.
    links_without_greeting,
    /// Links that brought bytes which are no message.
    links_undecodable,
    /// Messages of a kind that this build does not know; each was dropped.
    messages_unknown,
    /// Links that were closed because too much waited to be sent on them.
    links_overflowed,
    /// Times when no link could be accepted, for want of open files or the like.
    accepts_failed,
    /// Frames handed to links.
    frames_sent,
    /// Frames that came in whole.
    frames_received,
    /// Bytes written to links.
    bytes_sent,
    /// Bytes read from links.
    bytes_received,
    /// Messages that are too large for a frame. They were not sent.
    messages_oversized,
    /// Other clusters of the same name that were met; each counts once.
    clusters_met,
    /// Times when a fresh listing did not hold the local pod.
    unlisted,
    /// Times when a member was found to be accused for long without being removed.
    contested,
    /// Subscribers that read too slowly and were given a snapshot instead.
    subscribers_overflowed,
}

impl Counters {
    /// One more of what people are told of by its number alone.
    pub(super) fn noticed(&self, notice: &Notice) {
        match notice {
            Notice::MetOtherCluster { .. } => self.clusters_met.one(),
            Notice::NotListed => self.unlisted.one(),
            Notice::Contested(_) => self.contested.one(),
            _ => {}
        }
    }
}

/// One number that many tasks raise.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, more: usize) {
        // Counters order nothing else, so nothing has to be ordered by them.
        self.0
            .fetch_add(u64::try_from(more).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn one(&self) {
        self.add(1);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use discovery_core::{
        ClusterId, Epoch, NodeId, NodeInfo, TopologyId, TopologyVersion, UnixMillis,
    };

    use super::*;

    #[test]
    fn what_is_counted_is_read_under_its_name() {
        let counters = Counters::default();
        counters.bytes_sent.add(17);
        counters.links_accepted.one();
        let read = counters.read();
        assert_eq!((read.bytes_sent, read.links_accepted), (17, 1));
        let named: Vec<_> = read.iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(named, [("links_accepted", 1), ("bytes_sent", 17)]);
    }

    // Clauses: CUT-4, MEET-1, MEET-3
    #[test]
    fn what_people_are_told_by_a_number_has_its_own() {
        let name = "n-1".parse().unwrap();
        let at = "10.0.0.1:1".parse().unwrap();
        let node = NodeInfo::new(NodeId::from_u128(1), name, [at], UnixMillis(1)).unwrap();
        let id = |cluster| TopologyId {
            cluster_id: ClusterId::from_u128(cluster),
            epoch: Epoch(1),
            version: TopologyVersion::FIRST,
        };
        let (ours, theirs) = (id(1), id(2));
        let told = [
            ("clusters_met", Notice::MetOtherCluster { ours, theirs }),
            ("unlisted", Notice::NotListed),
            ("contested", Notice::Contested(node)),
        ];
        for (name, notice) in told {
            let counters = Counters::default();
            counters.noticed(&notice);
            let read = counters.read();
            let counted: Vec<_> = read.iter().filter(|(_, count)| *count > 0).collect();
            assert_eq!(counted, [(name, 1)]);
        }
    }
}
