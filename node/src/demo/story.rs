//! What happened in the demo, told in words: what several members saw is told once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::stage::{Place, Stage};
use crate::view::happening::{Happening, What};

/// One line of the story.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Line {
    /// When, milliseconds since 1970.
    pub at: i64,
    /// What.
    pub words: String,
}

/// Tells what is new.
#[derive(Debug, Default)]
pub(super) struct Story {
    /// Of each member's run, the number of the happening that is to be told next.
    next: BTreeMap<(String, i64), u64>,
    /// What was told already and may be seen by others later.
    told: BTreeSet<String>,
}

impl Story {
    /// Everything that happened since it was last asked, in order.
    pub(super) fn go_on(&mut self, stage: &Stage) -> Vec<Line> {
        let mut lines = Vec::new();
        for place in stage.places().values() {
            self.hear(place, &mut lines);
        }
        lines.sort();
        lines.retain(|line| self.told.insert(line.words.clone()));
        lines
    }

    /// What is said again from now on is told again.
    pub(super) fn new_chapter(&mut self) {
        // A decision has a version, so it is never told twice; everything else may happen again.
        self.told.retain(|words| words.starts_with("version "));
    }

    fn hear(&mut self, place: &Place, lines: &mut Vec<Line>) {
        let Some(view) = place.view() else {
            return;
        };
        let run = (place.name().to_string(), view.run());
        let look = view.look();
        let next = self.next.entry(run).or_default();
        let new: Vec<Arc<Happening>> = look.happenings.since(*next).cloned().collect();
        *next = look.happenings.next_number();
        let told = new.iter().filter_map(|one| {
            let words = words(place.name().as_str(), &one.what)?;
            Some(Line { at: one.at, words })
        });
        lines.extend(told);
    }
}

/// What a member saw, in words; none if it is not worth a line.
fn words(name: &str, what: &What) -> Option<String> {
    match what {
        What::Decided {
            version,
            members,
            joined,
            left,
            failed,
            epoch_changed,
            ..
        } => {
            let mut parts = Vec::new();
            if *epoch_changed {
                parts.push("a new epoch, by recovery".to_owned());
            }
            if !joined.is_empty() {
                parts.push(format!("{} joined", joined.join(", ")));
            }
            if !left.is_empty() {
                parts.push(format!("{} left", left.join(", ")));
            }
            for removed in failed {
                parts.push(format!("{} removed, {}", removed.name, removed.brief));
            }
            let what = parts.join("; ");
            Some(format!("version {version}, {members} members: {what}"))
        }
        What::Standing { standing, .. } => match *standing {
            "without_quorum" => Some(format!("{name} is without quorum")),
            "removed" => Some(format!("{name} learns that it was removed; it joins anew")),
            "member" => Some(format!("{name} is a member, with quorum")),
            _ => None,
        },
        What::Accused {
            subject,
            observer,
            kind,
        } => Some(format!("{observer} accuses {subject}: {kind}")),
        What::Cleared {
            subject,
            observer,
            are_members: true,
        } => Some(format!("{observer} no longer accuses {subject}")),
        What::Cleared { .. } | What::Snapshot { .. } | What::Finder { .. } => None,
    }
}
