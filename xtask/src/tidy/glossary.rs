//! Whether the glossary can be searched by eye: sorted, each word once, each with its meaning.

use std::collections::BTreeSet;

use super::remark::Remark;
use super::tree::SourceFile;

const PATH: &str = "docs/GLOSSARY.md";

pub(super) fn check(files: &[SourceFile]) -> Vec<Remark> {
    match files.iter().find(|file| file.path == PATH) {
        Some(glossary) => of_glossary(glossary),
        None => vec![Remark::fault(PATH, "is missing; names are looked up there")],
    }
}

fn of_glossary(glossary: &SourceFile) -> Vec<Remark> {
    let mut remarks = Vec::new();
    let (mut last, mut seen) = (String::new(), BTreeSet::new());
    let rows = glossary
        .lines()
        .filter(|(_, line)| line.starts_with("| ") && !line.starts_with("| word "));
    for (number, row) in rows {
        let place = format!("{}:{number}", glossary.path);
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let word = cells.first().unwrap_or(&"").to_lowercase();
        if cells.len() != 3 || cells.iter().any(|cell| cell.is_empty()) {
            remarks.push(Remark::fault(&place, "is not a row of three filled cells"));
        }
        if word < last {
            remarks.push(Remark::fault(
                &place,
                format!("'{word}' stands after '{last}'"),
            ));
        }
        if !seen.insert(word.clone()) {
            remarks.push(Remark::fault(&place, format!("'{word}' stands here twice")));
        }
        last = word;
    }
    if seen.is_empty() {
        remarks.push(Remark::fault(PATH, "has no row that could be read"));
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "| word | meaning | do not say |\n|---|---|---|\n";

    fn faults(rows: &str) -> usize {
        check(&[SourceFile::of(PATH, &format!("{HEAD}{rows}"))]).len()
    }

    #[test]
    fn rows_in_order_are_fine() {
        assert_eq!(
            faults("| alert | a word | – |\n| Node | a process | peer |\n"),
            0
        );
    }

    #[test]
    fn a_row_out_of_order_is_a_fault() {
        assert_eq!(
            faults("| node | a process | – |\n| alert | a word | – |\n"),
            1
        );
    }

    #[test]
    fn a_word_that_stands_twice_is_a_fault() {
        assert_eq!(
            faults("| node | a process | – |\n| node | a thing | – |\n"),
            1
        );
    }

    #[test]
    fn a_row_without_a_meaning_is_a_fault() {
        assert_eq!(faults("| node |  | – |\n"), 1);
        assert_eq!(faults("| node | a process |\n"), 1);
    }

    #[test]
    fn a_glossary_that_is_missing_or_empty_is_a_fault() {
        assert_eq!(check(&[]).len(), 1);
        assert_eq!(faults(""), 1);
    }
}
