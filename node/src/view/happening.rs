//! What happened at a node, line by line: decisions with their evidence, suspicions as they rise
//! and fall, where the node stands, what the finder says. Only the last few hundred are kept.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::Serialize;

/// Most happenings that are kept; the oldest go first.
pub const HAPPENINGS_MAX: usize = 256;

/// One line of what happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Happening {
    /// Counts the happenings of this run.
    pub number: u64,
    /// When it was seen here, milliseconds since 1970.
    pub at: i64,
    /// What it was.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// A topology was decided.
    Decided {
        /// Its epoch, as a text.
        epoch: String,
        /// Its version.
        version: u64,
        /// How many members it has.
        members: usize,
        /// Who joined.
        joined: Vec<String>,
        /// Who left by its own word.
        left: Vec<String>,
        /// Who was removed.
        failed: Vec<Removed>,
        /// Whether it opened an epoch: a quorum was lost and recovered.
        epoch_changed: bool,
    },
    /// A whole topology came in force here.
    Snapshot {
        /// Its epoch, as a text.
        epoch: String,
        /// Its version.
        version: u64,
        /// Its members.
        members: Vec<String>,
        /// Why it is told whole.
        why: &'static str,
    },
    /// The node stands otherwise.
    Standing {
        /// The stable name.
        standing: &'static str,
        /// What it waits for, or since what it is so.
        detail: Option<String>,
    },
    /// A member is accused.
    Accused {
        /// Whose name.
        subject: String,
        /// By whom.
        observer: String,
        /// Of what.
        kind: String,
    },
    /// An accusation was taken back, or ended with the removal of either side.
    Cleared {
        /// Whose name.
        subject: String,
        /// By whom it had been accused.
        observer: String,
        /// Whether both are still members, so that it was taken back.
        are_members: bool,
    },
    /// The finder says something else.
    Finder {
        /// `known`, `empty` or `unknown`.
        state: &'static str,
        /// How many it lists, or why it does not know.
        detail: String,
    },
}

/// A member that was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// Its name.
    pub name: String,
    /// Why, in words.
    pub evidence: String,
    /// Why, in fewer words.
    pub brief: String,
}

/// The last happenings, cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Happenings {
    kept: VecDeque<Arc<Happening>>,
    next: u64,
}

impl Happenings {
    /// Adds one.
    pub fn add(&mut self, at: i64, what: What) {
        let number = self.next;
        self.next += 1;
        if self.kept.len() == HAPPENINGS_MAX {
            self.kept.pop_front();
        }
        self.kept
            .push_back(Arc::new(Happening { number, at, what }));
    }

    /// Those of this number and later, the oldest first.
    pub fn since(&self, number: u64) -> impl Iterator<Item = &Arc<Happening>> {
        self.kept.iter().filter(move |one| one.number >= number)
    }

    /// The number that the next one will have.
    pub fn next_number(&self) -> u64 {
        self.next
    }

    /// The last removal of somebody of this name that is known here, unless it has joined since.
    pub fn removal_of(&self, name: &str) -> Option<(u64, &str)> {
        self.kept
            .iter()
            .rev()
            .find_map(|one| match &one.what {
                What::Decided {
                    version,
                    joined,
                    left,
                    failed,
                    ..
                } => {
                    if joined.iter().any(|joined| joined == name) {
                        return Some(None);
                    }
                    if left.iter().any(|left| left == name) {
                        return Some(Some((*version, "it left by its own word")));
                    }
                    let removed = failed.iter().find(|removed| removed.name == name)?;
                    Some(Some((*version, removed.brief.as_str())))
                }
                What::Snapshot { .. }
                | What::Standing { .. }
                | What::Accused { .. }
                | What::Cleared { .. }
                | What::Finder { .. } => None,
            })
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(version: u64, joined: &[&str], failed: &[&str]) -> What {
        What::Decided {
            epoch: "1".to_owned(),
            version,
            members: 3,
            joined: joined.iter().map(ToString::to_string).collect(),
            left: Vec::new(),
            failed: failed
                .iter()
                .map(|name| Removed {
                    name: name.to_string(),
                    evidence: "silence".to_owned(),
                    brief: "silence".to_owned(),
                })
                .collect(),
            epoch_changed: false,
        }
    }

    #[test]
    fn only_the_newest_happenings_are_kept() {
        let mut happenings = Happenings::default();
        for version in 0..300 {
            happenings.add(0, decided(version, &[], &[]));
        }
        let numbers: Vec<u64> = happenings.since(0).map(|one| one.number).collect();
        assert_eq!(numbers.len(), HAPPENINGS_MAX);
        assert_eq!(numbers.last(), Some(&299));
        assert_eq!(happenings.since(298).count(), 2);
    }

    #[test]
    fn a_removal_is_remembered_until_the_name_joins_again() {
        let mut happenings = Happenings::default();
        happenings.add(0, decided(5, &[], &["ring-1"]));
        assert_eq!(happenings.removal_of("ring-1"), Some((5, "silence")));
        happenings.add(0, decided(6, &["ring-1"], &[]));
        assert_eq!(happenings.removal_of("ring-1"), None);
    }
}
