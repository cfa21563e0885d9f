//! What an epoch of one's own must exceed (FORM-5, P9).

use discovery_core::{Epoch, ResourceVersion, Topology, TopologyVersion};

use super::effects::Effects;
use super::planted::Bug;

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
