//! What is counted while a node is looked at. What the node counts by itself is not counted again.

use std::collections::BTreeMap;

use discovery_core::{AccusationKind, Evidence, TopologyEvent, UnixMillis};

/// Upper bounds of the histogram of removals, in seconds.
const REMOVAL_BOUNDS: [f64; 8] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Members that joined and members that left.
pub(crate) const CHANGES: [&str; 2] = ["joined", "left"];

/// The names of the kinds of evidence.
#[cfg(test)]
pub(crate) const EVIDENCE: [&str; 7] = [
    "accused",
    "never_confirmed",
    "lag",
    "dead",
    "operator",
    "absent_from_recovery",
    "other",
];

/// The names of the kinds of accusation.
pub(crate) const ACCUSATIONS: [&str; 5] = ["replaced", "refused", "closed", "silence", "other"];

/// What the lookout counts; every number only grows.
#[derive(Clone, Debug, Default)]
pub struct Tallies {
    /// Members that joined and left, by `joined` and `left`.
    pub(crate) came_and_went: BTreeMap<&'static str, u64>,
    /// Members that were removed, by the kind of evidence.
    pub(crate) removals: BTreeMap<&'static str, u64>,
    /// Removals by the time since the first accusation: up to each of [`REMOVAL_BOUNDS`], and
    /// beyond the last.
    removal_counts: [u64; REMOVAL_BOUNDS.len() + 1],
    /// Sum of those times, in seconds.
    removal_sum: f64,
    /// Accusations that were seen, by kind.
    pub(crate) accusations: BTreeMap<&'static str, u64>,
    /// Accusations that ended while the accused was a member.
    pub(crate) cleared: u64,
    /// Times when the quorum was lost.
    pub(crate) quorum_losses: u64,
    /// Times when the node was removed.
    pub(crate) own_removals: u64,
    /// Times when the finder began not to know, by cause.
    pub(crate) finder_troubles: BTreeMap<&'static str, u64>,
}

impl Tallies {
    /// A change was decided and is seen now.
    pub(super) fn changed(&mut self, event: &TopologyEvent, now: UnixMillis) {
        for (what, members) in CHANGES.into_iter().zip([&event.joined, &event.left]) {
            let members = u64::try_from(members.len()).unwrap_or(u64::MAX);
            *self.came_and_went.entry(what).or_default() += members;
        }
        for (_, evidence) in &event.failed {
            *self.removals.entry(evidence_kind(evidence)).or_default() += 1;
            if let Some(since) = accused_since(evidence) {
                self.took(now, since);
            }
        }
    }

    /// The sum of the times to removals, and how many were within each bound and above the one
    /// before.
    pub(crate) fn removal_times(&self) -> (f64, Vec<(f64, u64)>) {
        let bounds = REMOVAL_BOUNDS.into_iter().chain([f64::MAX]);
        let buckets = bounds.zip(self.removal_counts).collect();
        (self.removal_sum, buckets)
    }

    /// A removal was seen now, and the first accusation was made then.
    fn took(&mut self, now: UnixMillis, since: UnixMillis) {
        let millis = u32::try_from(now.0.saturating_sub(since.0)).unwrap_or(0);
        let seconds = f64::from(millis) / 1000.0;
        self.removal_sum += seconds;
        let place = REMOVAL_BOUNDS.iter().position(|bound| seconds <= *bound);
        self.removal_counts[place.unwrap_or(REMOVAL_BOUNDS.len())] += 1;
    }
}

/// The stable name of a kind of evidence.
fn evidence_kind(evidence: &Evidence) -> &'static str {
    match evidence {
        Evidence::Accused(_) => "accused",
        Evidence::NeverConfirmed { .. } => "never_confirmed",
        Evidence::Lag { .. } => "lag",
        Evidence::Dead(_) => "dead",
        Evidence::Operator { .. } => "operator",
        Evidence::AbsentFromRecovery => "absent_from_recovery",
        // What may yet be added.
        _ => "other",
    }
}

/// The stable name of a kind of accusation.
pub(crate) fn accusation_kind(kind: AccusationKind) -> &'static str {
    match kind {
        AccusationKind::Replaced => "replaced",
        AccusationKind::Refused => "refused",
        AccusationKind::Closed => "closed",
        AccusationKind::Silence => "silence",
        // What may yet be added.
        _ => "other",
    }
}

fn accused_since(evidence: &Evidence) -> Option<UnixMillis> {
    match evidence {
        Evidence::Accused(accusations) => accusations.iter().map(|one| one.at).min(),
        _ => None,
    }
}
