//! What the demo shows on a terminal, as text. Pure: what keys do and how it gets onto the screen
//! is in `keys.rs`.

use std::fmt::Write as _;

use super::gates::Number;
use super::stage::{Place, Stage};
use super::story::Line;
use crate::wrap::{columns, titled};

/// What a person does next is kept here between two keys.
#[derive(Debug)]
pub(super) struct Screen {
    /// The member that keys act on.
    pub(super) chosen: Number,
    /// The last lines of the story, the oldest first.
    pub(super) lines: Vec<Line>,
    /// What the last key came to.
    pub(super) said: String,
}

const KEYS: &str = "\
1-9 choose   k kill   s start again   p pause or resume   l leave   a add one
x cut off or back   h heal all cuts   c kill the coordinator   q quit";

impl Screen {
    /// The whole screen for a terminal of this size.
    pub(super) fn text(&self, stage: &Stage, (width, height): (usize, usize)) -> String {
        let mut text =
            String::from("discovery demo: members in this one process, on 127.0.0.1\n\n");
        text.push_str(&fitting(self.rows(stage), width));
        let _ = write!(text, "\n{KEYS}\n");
        let _ = writeln!(text, "\n{}", self.said);
        let used = text.lines().count() + 1;
        text.push_str(&self.story(width, height.saturating_sub(used)));
        let cut = |line: &str| line.chars().take(width).collect::<String>();
        let lines: Vec<String> = text.lines().take(height).map(cut).collect();
        lines.join("\n")
    }

    fn rows(&self, stage: &Stage) -> Vec<Vec<String>> {
        let titles = [
            "", "member", "stands", "topology", "accused", "page", "gRPC",
        ];
        let mut rows = vec![titles.map(ToOwned::to_owned).to_vec()];
        let coordinator = stage.coordinator();
        for (number, place) in stage.places() {
            let mark = if *number == self.chosen { ">" } else { " " };
            let star = if coordinator == Some(*number) {
                " *"
            } else {
                ""
            };
            let cut = if stage.is_cut(*number) {
                ", cut off"
            } else {
                ""
            };
            let (stands, topology, accused) = seen(place);
            rows.push(vec![
                format!("{mark} {number}"),
                format!("{}{star}", place.name()),
                format!("{stands}{cut}"),
                topology,
                accused,
                place.page(),
                place.api().to_string(),
            ]);
        }
        rows
    }

    /// The newest lines that there is room for, the newest last.
    fn story(&self, width: usize, room: usize) -> String {
        let mut blocks = Vec::new();
        let mut used = 0;
        for line in self.lines.iter().rev() {
            let block = titled(&clock(line.at), &line.words, 0, width);
            used += block.lines().count();
            if used > room {
                break;
            }
            blocks.push(block);
        }
        blocks.into_iter().rev().collect()
    }
}

/// The rows as wide as there is room for: what is least needed is left out first.
fn fitting(mut rows: Vec<Vec<String>>, width: usize) -> String {
    let mut spare = ["gRPC", "accused", "topology"].iter();
    loop {
        let text = columns(&rows, 0);
        let widest = text.lines().map(|line| line.chars().count()).max();
        if widest.is_none_or(|widest| widest <= width) {
            return text;
        }
        let Some(title) = spare.next() else {
            return text;
        };
        let titles = rows.first().map(Vec::as_slice).unwrap_or_default();
        if let Some(place) = titles.iter().position(|one| one == title) {
            for row in &mut rows {
                row.remove(place);
            }
        }
    }
}

/// Where a member stands, its topology, and how many it knows to be accused.
fn seen(place: &Place) -> (String, String, String) {
    let none = String::new;
    if place.is_paused() {
        return ("paused".to_owned(), none(), none());
    }
    let Some(look) = place.look() else {
        return ("does not run".to_owned(), none(), none());
    };
    let Some(sight) = look.sight else {
        return ("starting".to_owned(), none(), none());
    };
    let stands = match sight.standing {
        "member" => "member, with quorum",
        "without_quorum" => "WITHOUT QUORUM",
        "not_yet_member" => "not a member yet",
        "removed" => "removed, joins again",
        other => other,
    };
    let topology = sight.topology.as_ref().map(|topology| {
        let members = topology.members.len();
        let hash: String = topology.content_hash.chars().take(8).collect();
        format!("version {}, {members} members, {hash}", topology.version)
    });
    let mut accused: Vec<&str> = sight
        .suspicions
        .iter()
        .map(|one| one.subject.as_str())
        .collect();
    accused.dedup();
    let accused = match accused.len() {
        0 => none(),
        some => some.to_string(),
    };
    (stands.to_owned(), topology.unwrap_or_default(), accused)
}

/// The time of a day, in UTC.
fn clock(at: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(at).unwrap_or_default();
    time.strftime("%H:%M:%S%.3f").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_terminal_keeps_what_is_needed_most() {
        let row = |cells: [&str; 4]| cells.map(ToOwned::to_owned).to_vec();
        let rows = vec![
            row(["member", "topology", "page", "gRPC"]),
            row(["ring-1", "version 4", "http://127.0.0.1:1/", "127.0.0.1:2"]),
        ];
        assert!(fitting(rows.clone(), 80).contains("gRPC"));
        let narrow = fitting(rows, 40);
        assert!(
            narrow.contains("page") && narrow.contains("topology"),
            "{narrow}"
        );
        assert!(!narrow.contains("gRPC"), "{narrow}");
    }
}
