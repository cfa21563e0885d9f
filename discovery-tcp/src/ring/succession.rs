//! Whose turn it is to stand for a higher term (TAKE-1, TAKE-2): whether the coordinator is accused
//! enough, and who comes before this member. Standing is in `takeover.rs`.

use discovery_core::{AccusationKind, NodeId, NodeInfo};

use super::cut;
use super::member::Membership;
use crate::config::RingConfig;
use crate::moment::Moment;

impl Membership {
    /// Everybody who accuses this member, as an observer of it.
    pub(super) fn alerts_against(&self, subject: NodeId) -> Vec<(NodeId, AccusationKind)> {
        let mut against = Vec::new();
        for (observer, said) in &self.alerts {
            let word = said.accusations.iter().find(|(id, _, _)| *id == subject);
            against.extend(word.map(|(_, kind, _)| (*observer, *kind)));
        }
        against
    }

    pub(super) fn coordinator_is_accused(&self) -> bool {
        let Some(coordinator) = self.coordinator().map(NodeInfo::id) else {
            return true;
        };
        self.accused_enough(coordinator, &self.alerts_against(coordinator))
    }

    pub(super) fn accused_enough(
        &self,
        subject: NodeId,
        alerts: &[(NodeId, AccusationKind)],
    ) -> bool {
        let Some(subject) = self.roster.index_of(subject) else {
            return false;
        };
        let alerts = alerts
            .iter()
            .filter_map(|(observer, kind)| Some((self.roster.index_of(*observer)?, *kind)))
            .collect();
        cut::verifies(&self.roster, subject, &alerts)
    }

    /// How many of the eldest have had their turn. With each quarter of the silence limit since the
    /// coordinator was lost the next have it, always one more than in the quarter before: a whole
    /// zone of elders may be lost.
    pub(super) fn turns_lost(&self, now: Moment, config: &RingConfig) -> usize {
        let lost_for = now
            .since(self.tick_at)
            .saturating_sub(self.tick_limit(config));
        let quarter = (config.silence_limit / 4).as_millis().max(1);
        let quarters = usize::try_from(lost_for.as_millis() / quarter).unwrap_or(usize::MAX);
        let quarters = quarters.min(self.members());
        quarters * (quarters + 1) / 2
    }

    /// Whose turn it is before this member's: the elder voters but the lost coordinator, whom their
    /// observers do not accuse enough and this member can reach.
    pub(super) fn ahead_in_line(&self) -> Vec<&NodeInfo> {
        let coordinator = self.coordinator().map(NodeInfo::id);
        let elder = self.roster.voters().iter();
        elder
            .take_while(|place| *place < self.place)
            .filter_map(|place| self.roster.info(place))
            .filter(|node| Some(node.id()) != coordinator && !self.doubts(node.id()))
            .filter(|node| !self.accused_enough(node.id(), &self.alerts_against(node.id())))
            .collect()
    }
}
