//! What an epoch of one's own must exceed (FORM-5, P9).

use discovery_core::{Epoch, ResourceVersion, Topology, TopologyVersion};

use super::Ring;
use super::effects::Effects;
use super::planted::Bug;
use crate::config::Formation;

/// The highest of everything that was known in this process.
#[derive(Debug)]
pub(super) struct Floor {
    first_listing: Option<ResourceVersion>,
    pub(super) epoch: Epoch,
    pub(super) version: TopologyVersion,
}

impl Default for Floor {
    fn default() -> Self {
        Self {
            first_listing: None,
            epoch: Epoch(0),
            version: TopologyVersion::FIRST,
        }
    }
}

impl Floor {
    pub(super) fn know(&mut self, topology: &Topology) {
        self.epoch = self.epoch.max(topology.epoch());
        self.version = self.version.max(topology.version());
    }

    /// The first listing of this process sets the mark: another run of it cannot repeat an epoch.
    pub(super) fn listed(&mut self, version: ResourceVersion) {
        self.first_listing.get_or_insert(version);
    }

    /// Whether this listing may become an epoch.
    pub(super) fn is_below(
        &self,
        version: ResourceVersion,
        answered: Option<ResourceVersion>,
        fx: &Effects,
    ) -> bool {
        if fx.bug(Bug::EqualResourceVersion) {
            return Epoch::from(version) >= self.epoch;
        }
        self.first_listing.is_some_and(|first| version > first)
            && Epoch::from(version) > self.epoch
            && (fx.bug(Bug::GrantKept) || answered.is_none_or(|answered| version > answered))
    }
}

impl Ring {
    /// Whether epochs come from listings: else from the clock, above which no listing would ever be
    /// again (FORM-12).
    pub(super) fn lists_epochs(&self) -> bool {
        self.authoritative && self.config.formation == Formation::Census
    }
}

#[cfg(test)]
mod tests {
    use discovery_core::UnixMillis;

    use super::*;

    fn listed(version: u64) -> ResourceVersion {
        ResourceVersion::new(version).unwrap()
    }

    // Clauses: FORM-9
    #[test]
    fn an_epoch_exceeds_every_epoch_that_was_known() {
        let fx = Effects::new([0; 32], UnixMillis(0), 1);
        let floor = Floor {
            first_listing: Some(listed(3)),
            epoch: Epoch(9),
            version: TopologyVersion::FIRST,
        };
        let is_above = |version| floor.is_below(listed(version), None, &fx);

        assert!(!is_above(4), "above the first listing alone");
        assert!(!is_above(9), "equal to what was known");
        assert!(is_above(10));
        assert!(!floor.is_below(listed(10), Some(listed(10)), &fx));
    }
}
