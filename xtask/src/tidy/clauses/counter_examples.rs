//! Whether the table of counter-examples names tests that exist, and says *planned* of the others.

use std::collections::BTreeSet;

use crate::tidy::remark::Remark;
use crate::tidy::tree::SourceFile;

const PATH: &str = "docs/protocol/counter-examples.md";

/// A test that a row names, and whether it is still to come.
struct Named<'a> {
    name: &'a str,
    is_planned: bool,
}

pub(super) fn check(files: &[SourceFile]) -> Vec<Remark> {
    let Some(page) = files.iter().find(|file| file.path == PATH) else {
        return Vec::new();
    };
    let sources = files.iter().filter(|file| file.extension() == "rs");
    let tests: BTreeSet<&str> = sources.flat_map(|file| tests(&file.text)).collect();
    let (mut remarks, mut named, mut planned) = (Vec::new(), 0, 0);
    for (number, row) in page.lines().filter(|(_, line)| is_row(line)) {
        let mut fault = |what: String| {
            remarks.push(Remark::fault(format!("{}:{number}", page.path), what));
        };
        let Some(named_here) = tests_of(row) else {
            fault("is not a row of number, what broke, clauses and tests in backquotes".into());
            continue;
        };
        named += named_here.len();
        for test in named_here {
            match (test.is_planned, tests.contains(test.name)) {
                (false, true) => {}
                (true, false) => planned += 1,
                (true, true) => fault(format!("says planned of '{}', which exists", test.name)),
                (false, false) => {
                    fault(format!(
                        "names the test '{}', which does not exist",
                        test.name
                    ));
                }
            }
        }
    }
    if planned > 0 {
        let what = format!("{planned} of {named} tests are still planned");
        remarks.push(Remark::warning(&page.path, what));
    }
    remarks
}

/// A row of the table's body: its first cell is a letter and a number.
fn is_row(line: &str) -> bool {
    let first = line
        .strip_prefix("| ")
        .and_then(|rest| rest.split(' ').next());
    first.is_some_and(|cell| {
        let digits = cell.trim_start_matches(|c: char| c.is_ascii_uppercase());
        !digits.is_empty()
            && digits.len() + 1 == cell.len()
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn tests_of(row: &str) -> Option<Vec<Named<'_>>> {
    let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
    let [_, what, clauses, tests] = cells[..] else {
        return None;
    };
    let is_filled = !what.is_empty() && !clauses.is_empty();
    let tests = is_filled.then(|| tests.split(',').map(test_of))?;
    tests.collect()
}

fn test_of(cell: &str) -> Option<Named<'_>> {
    let (name, rest) = cell.trim().strip_prefix('`')?.split_once('`')?;
    let is_planned = rest.trim() == "planned";
    let is_read = !name.is_empty() && (is_planned || rest.is_empty());
    is_read.then_some(Named { name, is_planned })
}

/// The names of all tests of a source: functions below the mark of one.
pub(in crate::tidy) fn tests(text: &str) -> impl Iterator<Item = &str> {
    let mut is_marked = false;
    text.lines().filter_map(move |line| {
        let line = line.trim_start();
        is_marked |= MARKS.iter().any(|mark| line.starts_with(mark));
        let name = declared(line);
        let is_test = name.is_some() && is_marked;
        // A mark is for what follows it without a gap.
        if name.is_some() || line.is_empty() {
            is_marked = false;
        }
        name.filter(|_| is_test)
    })
}

/// What makes a function a test, those inside of `proptest!` too.
const MARKS: [&str; 2] = ["#[test]", "#[tokio::test"];

/// The function that a line declares.
fn declared(line: &str) -> Option<&str> {
    let (before, rest) = line.split_once("fn ")?;
    let is_declared = before
        .split_whitespace()
        .all(|word| ["pub", "async", "const"].contains(&word) || word.starts_with("pub("));
    is_declared.then(|| rest.split(['(', '<']).next())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::remark::Weight;

    const HEAD: &str = "| number | what broke | clauses | test |\n|---|---|---|---|\n";
    const TEST: &str = "#[test]\nfn it_holds() {}\n";

    fn said(row: &str) -> Vec<Weight> {
        let files = [
            SourceFile::of(PATH, &format!("{HEAD}{row}\n")),
            SourceFile::of("a.rs", TEST),
        ];
        let remarks = check(&files).into_iter();
        remarks.map(|remark| remark.weight).collect()
    }

    #[test]
    fn a_test_that_exists_is_named_plainly() {
        assert_eq!(said("| F1 | It broke. | FORM-1 | `it_holds` |"), []);
        assert_eq!(
            said("| F1 | It broke. | FORM-1 | `it_holds` planned |"),
            [Weight::Fault]
        );
    }

    #[test]
    fn a_test_that_is_missing_is_planned_or_a_fault() {
        assert_eq!(
            said("| F1 | It broke. | FORM-1 | `it_may` planned |"),
            [Weight::Warning]
        );
        assert_eq!(
            said("| F1 | It broke. | FORM-1 | `it_may` |"),
            [Weight::Fault]
        );
        assert_eq!(
            said("| F1 | It broke. | FORM-1 | `it_holds`, `it_may` planned |"),
            [Weight::Warning]
        );
    }

    #[test]
    fn only_what_is_marked_as_a_test_is_one() {
        let text = "#[test]\n// Why.\n#[expect(\n    lint,\n)]\nfn plain() {}\nfn beside() {}\n\
                    proptest! {\n    #[test]\n    fn with(any in 0..9) {}\n}\n\
                    #[tokio::test(start_paused = true)]\nasync fn later() {}\n\
                    #[test]\n\nfn apart() {}\nstruct Fn;\n";
        assert_eq!(tests(text).collect::<Vec<_>>(), ["plain", "with", "later"]);
    }

    #[test]
    fn a_row_that_cannot_be_read_is_a_fault() {
        for row in [
            "| F1 | It broke. | FORM-1 |",
            "| F1 | It broke. |  | `it_holds` |",
            "| F1 | It broke. | FORM-1 | it_holds |",
            "| F1 | It broke. | FORM-1 | `it_holds` soon |",
        ] {
            assert_eq!(said(row), [Weight::Fault], "{row}");
        }
    }
}
