//! Whether the protocol's clauses and the tests speak of each other: every clause that is named
//! exists, and every clause is cited by a test. Reading pages and sources is in `clauses/text.rs`.

mod counter_examples;
mod text;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use self::counter_examples::tests;
use self::text::{Citation, Clause};
use super::remark::Remark;
use super::tree::SourceFile;

/// Where clauses are written down.
const MAP: &str = "docs/protocol.md";
const PAGES: &str = "docs/protocol/";

/// These files must write down clauses that do not exist.
const SPEAKS_OF_CLAUSES: &str = "xtask/src/tidy/clauses";

/// Records are never edited, so they may name clauses that are gone.
const RECORDS: &str = "docs/adr/";

pub(super) fn check(files: &[SourceFile]) -> Vec<Remark> {
    let pages: Vec<&SourceFile> = files
        .iter()
        .filter(|file| {
            file.path == MAP || (file.path.starts_with(PAGES) && file.extension() == "md")
        })
        .collect();
    let (clauses, mut remarks) = defined(&pages);
    if clauses.is_empty() {
        let what = "defines no clause that could be read; one opens a line as **FORM-1**";
        return vec![Remark::fault(MAP, what)];
    }
    let others = files
        .iter()
        .filter(|file| !file.path.starts_with(SPEAKS_OF_CLAUSES));
    let mut cited = BTreeSet::new();
    for file in others {
        remarks.extend(unknown_mentions(file, &clauses));
        for (number, citation) in text::citations(file) {
            match citation {
                Citation::OfTest(named) => cited.extend(named),
                Citation::OfNoTest => {
                    let what = "cites clauses above no test; in prose name them without 'Clauses:'";
                    remarks.push(Remark::fault(format!("{}:{number}", file.path), what));
                }
                Citation::Unreadable(entry) => {
                    let what = format!("cites '{entry}'; write 'Clauses: FORM-1, TAKE-2'");
                    remarks.push(Remark::fault(format!("{}:{number}", file.path), what));
                }
            }
        }
    }
    remarks.extend(uncited(&clauses, &cited));
    remarks.extend(counter_examples::check(files));
    remarks
}

/// Every clause with the page that holds it, and what is wrong with their definitions.
fn defined(pages: &[&SourceFile]) -> (BTreeMap<Clause, String>, Vec<Remark>) {
    let (mut clauses, mut remarks) = (BTreeMap::new(), Vec::new());
    for page in pages {
        for (number, line) in page.lines() {
            let Some(clause) = text::definition(line) else {
                continue;
            };
            let place = format!("{}:{number}", page.path);
            if let Some(before) = clauses.insert(clause.clone(), page.path.clone()) {
                let what = format!("defines {clause}, which {before} defines already");
                remarks.push(Remark::fault(place, what));
            }
        }
    }
    (clauses, remarks)
}

/// Clauses that are named somewhere, of a family that there is, and do not exist.
fn unknown_mentions(file: &SourceFile, clauses: &BTreeMap<Clause, String>) -> Vec<Remark> {
    if file.path.starts_with(RECORDS) {
        return Vec::new();
    }
    let families: BTreeSet<&str> = clauses.keys().map(|clause| &*clause.family).collect();
    file.lines()
        .flat_map(|(number, line)| {
            let mentions = text::mentions(line, &families);
            mentions.into_iter().map(move |clause| (number, clause))
        })
        .filter(|(_, clause)| !clauses.contains_key(clause))
        .map(|(number, clause)| {
            let what = format!("names {clause}, a clause that docs/protocol.md does not have");
            Remark::fault(format!("{}:{number}", file.path), what)
        })
        .collect()
}

/// One remark a page, so that a hundred clauses do not bury what else there is to say.
fn uncited(clauses: &BTreeMap<Clause, String>, cited: &BTreeSet<Clause>) -> Vec<Remark> {
    let mut pages: BTreeMap<&str, (usize, Vec<String>)> = BTreeMap::new();
    for (clause, page) in clauses {
        let (all, missing) = pages.entry(page).or_default();
        *all += 1;
        if !cited.contains(clause) {
            missing.push(clause.to_string());
        }
    }
    pages
        .into_iter()
        .filter(|(_, (_, missing))| !missing.is_empty())
        .map(|(page, (all, missing))| {
            let (count, names) = (missing.len(), missing.join(", "));
            let what = format!("{count} of {all} clauses are cited by no test: {names}");
            Remark::fault(page, what)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::remark::Weight;
    use super::*;

    const PAGE: &str = "# Deciding\n\n**DECIDE-1** *Terms.* Unique.\n\n**DECIDE-2** *Tails.* See \
                        DECIDE-1.\n";
    const CITING: &str = "// Clauses: DECIDE-1, DECIDE-2\n#[test]\nfn a() {}\n";

    fn said(others: &[(&str, &str)]) -> Vec<(Weight, String)> {
        let mut files = vec![SourceFile::of("docs/protocol/deciding.md", PAGE)];
        files.extend(others.iter().map(|(path, text)| SourceFile::of(path, text)));
        let remarks = check(&files).into_iter();
        remarks
            .map(|remark| (remark.weight, format!("{}: {}", remark.place, remark.what)))
            .collect()
    }

    fn faults(path: &str, text: &str) -> usize {
        let remarks = said(&[("a_tests.rs", CITING), (path, text)]);
        remarks.len()
    }

    #[test]
    fn clauses_that_tests_cite_are_fine() {
        assert_eq!(said(&[("a.rs", CITING)]), []);
    }

    #[test]
    fn a_clause_without_a_test_is_counted_and_named() {
        let remarks = said(&[("a.rs", "// Clauses: DECIDE-2\n#[test]\nfn a() {}\n")]);
        let [(weight, what)] = &remarks[..] else {
            panic!("{remarks:?}");
        };
        assert_eq!(*weight, Weight::Fault);
        assert!(
            what.ends_with("1 of 2 clauses are cited by no test: DECIDE-1"),
            "{what}"
        );
    }

    #[test]
    fn a_citation_of_a_clause_that_does_not_exist_is_a_fault() {
        assert_eq!(
            faults("b.rs", "// Clauses: DECIDE-3\n#[test]\nfn b() {}\n"),
            1
        );
        assert_eq!(faults("b.rs", "/// As DECIDE-12 says.\nfn b() {}\n"), 1);
        assert_eq!(faults("README.md", "as in DECIDE-3\n"), 1);
    }

    #[test]
    fn words_of_no_family_are_no_clauses() {
        assert_eq!(
            faults("b.rs", "// UTF-8, FORM-1, UNDECIDE-7, DECIDE-x\n"),
            0
        );
    }

    #[test]
    fn a_record_may_name_a_clause_that_is_gone() {
        assert_eq!(faults("docs/adr/0009-a.md", "DECIDE-7 was dropped\n"), 0);
    }

    #[test]
    fn a_citation_above_no_test_is_a_fault() {
        assert_eq!(faults("b.rs", "// Clauses: DECIDE-1\nfn b() {}\n"), 1);
    }

    #[test]
    fn a_citation_that_cannot_be_read_is_a_fault() {
        assert_eq!(
            faults("b.rs", "// Clauses: DECIDE\n#[test]\nfn b() {}\n"),
            1
        );
        assert_eq!(faults("b.rs", "// Clauses:\n#[test]\nfn b() {}\n"), 1);
    }

    #[test]
    fn a_clause_that_is_defined_twice_is_a_fault() {
        assert_eq!(faults("docs/protocol.md", "**DECIDE-2** Again.\n"), 1);
    }

    #[test]
    fn pages_without_clauses_are_a_fault() {
        assert_eq!(check(&[]).len(), 1);
    }
}
