//! One line of `doctor`: what was looked at, what was found, what to do. Text and JSON of it.

use discovery_core::FinderError;
use serde::Serialize;

use crate::wrap::titled;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Ok,
    /// It cannot be told from here.
    Unknown,
    /// Something is lost, and seeds are found all the same.
    Warn,
    /// Seeds are not found, or a cluster could not form on them.
    Fail,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok  ",
            Self::Unknown => "?   ",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub(super) finder: String,
    #[serde(rename = "check")]
    pub(super) topic: &'static str,
    pub(super) verdict: Verdict,
    pub(super) found: String,
    pub(super) remedy: Option<String>,
}

/// The checks of one finder, in the order in which they were made.
#[derive(Debug)]
pub(super) struct Checks {
    finder: String,
    pub(super) list: Vec<Check>,
}

impl Checks {
    pub(super) fn of(finder: impl Into<String>) -> Self {
        let finder = finder.into();
        Self {
            finder,
            list: Vec::new(),
        }
    }

    pub(super) fn ok(&mut self, topic: &'static str, found: impl Into<String>) {
        self.add(topic, Verdict::Ok, found.into(), None);
    }

    pub(super) fn unknown(&mut self, topic: &'static str, found: impl Into<String>) {
        self.add(topic, Verdict::Unknown, found.into(), None);
    }

    pub(super) fn warn(&mut self, topic: &'static str, found: impl Into<String>, remedy: &str) {
        self.add(topic, Verdict::Warn, found.into(), Some(remedy.to_owned()));
    }

    pub(super) fn fail(&mut self, topic: &'static str, found: impl Into<String>, remedy: &str) {
        self.add(topic, Verdict::Fail, found.into(), Some(remedy.to_owned()));
    }

    /// A check that a finder's error ended.
    pub(super) fn fail_by(&mut self, topic: &'static str, error: &FinderError) {
        let remedy = error.remedy().map(ToOwned::to_owned);
        self.add(topic, Verdict::Fail, error.to_string(), remedy);
    }

    fn add(
        &mut self,
        topic: &'static str,
        verdict: Verdict,
        found: String,
        remedy: Option<String>,
    ) {
        let finder = self.finder.clone();
        self.list.push(Check {
            finder,
            topic,
            verdict,
            found,
            remedy,
        });
    }

    /// The checks as text, under the finder's name.
    pub(super) fn text(&self, width: usize) -> String {
        let mut out = format!("{}\n", self.finder);
        for check in &self.list {
            let title = format!("{}  {:CHECK_WIDTH$}", check.verdict.word(), check.topic);
            out.push_str(&titled(&title, &check.found, 2, width));
            if let Some(remedy) = &check.remedy {
                out.push_str(&titled("->", remedy, REMEDY_INDENT, width));
            }
        }
        out
    }
}

/// Width of the longest name of a check.
const CHECK_WIDTH: usize = 13;

/// Where remedies begin: below what was found.
const REMEDY_INDENT: usize = 2 + 4 + 2 + CHECK_WIDTH + 2;

/// The closing line.
pub(super) fn tally(checks: &[Check]) -> String {
    let count = |verdict| {
        checks
            .iter()
            .filter(|check| check.verdict == verdict)
            .count()
    };
    let unknown = match count(Verdict::Unknown) {
        0 => String::new(),
        some => format!("{some} not known, "),
    };
    format!(
        "{} ok, {unknown}{} warn, {} FAIL\n",
        count(Verdict::Ok),
        count(Verdict::Warn),
        count(Verdict::Fail)
    )
}
