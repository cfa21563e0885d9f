//! Whether `docs/conformance.md` names tests that exist, and has a row for each scenario there is.

mod scenarios;

use std::collections::BTreeSet;

use self::scenarios::SCENARIOS;
use super::clauses::tests;
use super::remark::Remark;
use super::tree::SourceFile;

const PATH: &str = "docs/conformance.md";

/// How a row's scenario is known.
const READ: [&str; 3] = ["body", "by intent", "inverted"];

/// What a row without a test begins with; the reason follows.
const NONE: &str = "none: ";

pub(super) fn check(files: &[SourceFile]) -> Vec<Remark> {
    check_for(files, &SCENARIOS)
}

fn check_for(files: &[SourceFile], scenarios: &[&str]) -> Vec<Remark> {
    let Some(page) = files.iter().find(|file| file.path == PATH) else {
        return vec![Remark::fault(PATH, "is missing")];
    };
    let sources = files.iter().filter(|file| file.extension() == "rs");
    let tests: BTreeSet<&str> = sources.flat_map(|file| tests(&file.text)).collect();
    let mut remarks = Vec::new();
    let mut missing: BTreeSet<&str> = scenarios.iter().copied().collect();
    let mut rows = 0;
    for (number, line) in page.lines().filter(|(_, line)| is_row(line)) {
        rows += 1;
        let mut fault = |what: String| {
            remarks.push(Remark::fault(format!("{}:{number}", page.path), what));
        };
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        for name in backquoted(cells[0]).filter(|name| !missing.remove(name)) {
            fault(format!(
                "is of '{name}', which is no scenario to be here, or has a row already"
            ));
        }
        let [_, _, read, named] = cells[..] else {
            fault("is not a row of test, what it pins down, how it was read, test here".into());
            continue;
        };
        if !READ.contains(&read) {
            fault(format!("says '{read}'; write one of {}", READ.join(", ")));
        }
        if named.starts_with(NONE) {
            continue;
        }
        let names: Vec<&str> = backquoted(named).collect();
        if names.is_empty() {
            fault(format!(
                "names no test; write one in backquotes, or '{NONE}' and why"
            ));
        }
        for name in names.into_iter().filter(|name| !tests.contains(name)) {
            fault(format!("names the test '{name}', which does not exist"));
        }
    }
    if rows == 0 {
        return vec![Remark::fault(PATH, "holds no row that could be read")];
    }
    let rowless = missing
        .into_iter()
        .map(|name| format!("has no row of the scenario '{name}'"));
    remarks.extend(rowless.map(|what| Remark::fault(PATH, what)));
    remarks
}

fn backquoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// A row of a table's body, not its head or the line below that.
fn is_row(line: &str) -> bool {
    line.starts_with("| ") && !line.starts_with("| predecessor's test ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(row: &str) -> usize {
        let head = "| predecessor's test | what it pins down | read | here |\n|---|---|---|---|\n";
        let files = [
            SourceFile::of(PATH, &format!("{head}{row}\n")),
            SourceFile::of("a.rs", "#[test]\nfn it_holds() {}\n"),
        ];
        check_for(&files, &["testA"]).len()
    }

    #[test]
    fn a_row_names_tests_that_exist_or_says_why_none() {
        assert_eq!(faults("| `testA` | It holds. | body | `it_holds` |"), 0);
        assert_eq!(faults("| `testA` | It holds. | body | none: no zones |"), 0);
        assert_eq!(faults("| `testA` | It holds. | body | `it_may` |"), 1);
        assert_eq!(faults("| `testA` | It holds. | body | it_holds |"), 1);
    }

    #[test]
    fn a_row_says_how_its_scenario_is_known() {
        assert_eq!(faults("| `testA` | It holds. | guessed | `it_holds` |"), 1);
        assert_eq!(faults("| `testA` | It holds. | `it_holds` |"), 1);
    }

    #[test]
    fn every_scenario_has_one_row_and_every_row_a_scenario() {
        let of = |name: &str| format!("| {name} | It holds. | body | `it_holds` |");
        assert_eq!(faults(&of("`testB`")), 2);
        assert_eq!(faults(&of("`testA`, `testB`")), 1);
        assert_eq!(faults(&of("the same")), 1);
        assert_eq!(faults(&[of("`testA`"), of("the same")].join("\n")), 0);
        assert_eq!(faults(&[of("`testA`"), of("`testA`")].join("\n")), 1);
    }

    #[test]
    fn a_page_that_is_missing_or_empty_is_a_fault() {
        assert_eq!(check(&[]).len(), 1);
        assert_eq!(faults(""), 1);
    }
}
