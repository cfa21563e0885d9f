//! How clauses stand in texts: where one is defined, named, or cited by a test.

use std::collections::BTreeSet;
use std::fmt;

use crate::tidy::tree::SourceFile;

/// The name of a clause, such as `FORM-3`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Clause {
    pub(super) family: String,
    number: u16,
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.family, self.number)
    }
}

/// What follows `Clauses:` in a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Citation {
    /// It stands above a test, or opens a file of tests, and names these.
    OfTest(Vec<Clause>),
    /// It stands above something else.
    OfNoTest,
    /// It holds this, which is no clause's name.
    Unreadable(String),
}

/// The clause that a line of a page defines: it opens the line, in bold.
pub(super) fn definition(line: &str) -> Option<Clause> {
    let (name, _) = line.strip_prefix("**")?.split_once("**")?;
    clause(name)
}

/// A whole text as the name of a clause: capitals, a dash, a number without leading zeros.
fn clause(name: &str) -> Option<Clause> {
    let (family, digits) = name.split_once('-')?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    let is_family = !family.is_empty() && family.bytes().all(|byte| byte.is_ascii_uppercase());
    (is_family && is_number).then_some(())?;
    Some(Clause {
        family: family.to_owned(),
        number: digits.parse().ok()?,
    })
}

/// Every clause of these families that a line names.
pub(super) fn mentions(line: &str, families: &BTreeSet<&str>) -> Vec<Clause> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    line.split(|c| !is_part(c))
        .filter_map(clause)
        .filter(|clause| families.contains(&*clause.family))
        .collect()
}

/// Every citation of a file with the number of its line. Sources cite in comments, transcripts in
/// lines that begin with `#`.
pub(super) fn citations(file: &SourceFile) -> Vec<(usize, Citation)> {
    let lines: Vec<&str> = file.text.lines().map(str::trim).collect();
    let cited = |at: usize| {
        let line = lines[at];
        let (cited, of_test) = match file.extension() {
            "rs" => match line.strip_prefix("//!") {
                Some(comment) => (comment, is_file_of_tests(&file.path)),
                None => (line.strip_prefix("//")?, is_above_test(&lines[at..])),
            },
            "txt" => (line.strip_prefix('#')?, true),
            _ => return None,
        };
        let names = cited
            .trim_start_matches('/')
            .trim()
            .strip_prefix("Clauses:")?;
        Some((at + 1, citation(names, of_test)))
    };
    (0..lines.len()).filter_map(cited).collect()
}

fn citation(names: &str, of_test: bool) -> Citation {
    if !of_test {
        return Citation::OfNoTest;
    }
    let names = names.split([',', ' ']).filter(|name| !name.is_empty());
    let mut clauses = Vec::new();
    for name in names {
        match clause(name) {
            Some(clause) => clauses.push(clause),
            None => return Citation::Unreadable(name.to_owned()),
        }
    }
    if clauses.is_empty() {
        return Citation::Unreadable(String::new());
    }
    Citation::OfTest(clauses)
}

/// Whether the comments and attributes that these lines begin with hold the mark of a test.
fn is_above_test(lines: &[&str]) -> bool {
    lines
        .iter()
        .take_while(|line| line.starts_with("//") || line.starts_with("#["))
        .any(|line| line.starts_with("#[test]") || line.contains("::test"))
}

fn is_file_of_tests(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path.contains("tests/") || name.ends_with("tests.rs") || name.ends_with("properties.rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cited(path: &str, text: &str) -> Vec<Citation> {
        let citations = citations(&SourceFile::of(path, text)).into_iter();
        citations.map(|(_, citation)| citation).collect()
    }

    fn of_test(names: &[&str]) -> Vec<Citation> {
        let clauses = names.iter().filter_map(|name| clause(name));
        vec![Citation::OfTest(clauses.collect())]
    }

    #[test]
    fn only_a_name_in_bold_that_opens_a_line_defines() {
        assert!(definition("**FORM-3** *Census.* One listing.").is_some());
        for line in [
            "See **FORM-3**.",
            "FORM-3 says",
            "**FORM-03** x",
            "**FORM-** x",
            "**K1** x",
            "**form-3** x",
        ] {
            assert_eq!(definition(line), None, "{line}");
        }
    }

    #[test]
    fn a_clause_is_found_between_marks_and_not_within_words() {
        let families = BTreeSet::from(["FORM"]);
        assert_eq!(mentions("(FORM-3, FORM-4; `FORM-5`).", &families).len(), 3);
        assert_eq!(mentions("FORM-3a XFORM-3 FORM-3-4 JOIN-1", &families), []);
    }

    #[test]
    fn a_comment_or_a_doc_line_above_a_test_cites() {
        let text = "    /// Clauses: FORM-3, JOIN-1\n    #[tokio::test]\n    async fn a() {}\n";
        assert_eq!(cited("a.rs", text), of_test(&["FORM-3", "JOIN-1"]));
        let text = "// Clauses: FORM-3\n// Why it is so.\n#[test]\nfn a() {}\n";
        assert_eq!(cited("a.rs", text), of_test(&["FORM-3"]));
        let text = "#[test]\n// Clauses: FORM-3\nfn a() {}\n";
        assert_eq!(cited("a.rs", text), [Citation::OfNoTest]);
    }

    #[test]
    fn the_head_of_a_file_of_tests_cites_for_all_of_it() {
        let text = "//! Stories.\n//!\n//! Clauses: FORM-3\n";
        assert_eq!(cited("x/tests/a.rs", text), of_test(&["FORM-3"]));
        assert_eq!(cited("x/src/a_tests.rs", text), of_test(&["FORM-3"]));
        assert_eq!(cited("x/src/a.rs", text), [Citation::OfNoTest]);
    }

    #[test]
    fn a_transcript_cites_in_a_line_of_its_own() {
        assert_eq!(
            cited("x/tests/transcripts/a.txt", "# Clauses: CUT-3\nnodes 5\n"),
            of_test(&["CUT-3"])
        );
    }
}
