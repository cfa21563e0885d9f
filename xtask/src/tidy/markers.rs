//! Marks that switch something off or leave it open: tests, examples, duties, merges.

use super::remark::Remark;
use super::tree::SourceFile;

/// Files that must name the marks in order to look for them.
const SPEAKS_OF_MARKS: &str = "xtask/src/tidy/";

/// Attributes that no test may carry, with what to do instead.
const ATTRIBUTES: [(&str, &str); 2] = [
    (
        "#[ignore",
        "switches a test off; a slow check is a command of xtask",
    ),
    (
        "#[should_panic",
        "hides where it panics; return an error and look at it",
    ),
];

const DUTIES: [&str; 3] = ["TODO", "FIXME", "XXX"];

/// How the two sides of a conflict begin and end, in a file of any kind.
const MERGE: [&str; 2] = ["<<<<<<< ", ">>>>>>> "];

pub(super) fn check(files: &[SourceFile]) -> Vec<Remark> {
    let is_code =
        |file: &&SourceFile| ["rs", "go", "sh", "proto", "toml"].contains(&file.extension());
    files
        .iter()
        .filter(is_code)
        .filter(|file| !file.path.starts_with(SPEAKS_OF_MARKS))
        .flat_map(of_file)
        .chain(files.iter().flat_map(unresolved))
        .collect()
}

fn unresolved(file: &SourceFile) -> Vec<Remark> {
    let is_mark = |line: &str| MERGE.iter().any(|mark| line.starts_with(mark));
    file.lines()
        .filter(|(_, line)| is_mark(line))
        .map(|(number, _)| {
            let what = "is the mark of a merge; choose a side and remove it";
            Remark::fault(format!("{}:{number}", file.path), what.to_owned())
        })
        .collect()
}

fn of_file(file: &SourceFile) -> Vec<Remark> {
    let rust = file.extension() == "rs";
    file.lines()
        .filter_map(|(number, line)| {
            let attribute = if rust { of_rust(line) } else { None };
            let what = attribute.map(str::to_owned).or_else(|| open_duty(line))?;
            Some(Remark::fault(format!("{}:{number}", file.path), what))
        })
        .collect()
}

fn of_rust(line: &str) -> Option<&'static str> {
    let line = line.trim_start();
    if let Some((_, why)) = ATTRIBUTES.iter().find(|(mark, _)| line.starts_with(mark)) {
        return Some(why);
    }
    let doc = line
        .strip_prefix("///")
        .or_else(|| line.strip_prefix("//!"))?;
    let words = doc.trim_start().strip_prefix("```")?;
    words
        .split(',')
        .any(|word| word.trim().starts_with("ignore"))
        .then_some("is an example that nobody compiles; make it run, or 'text' if it is none")
}

/// A duty noted without the number of its issue, as in `TODO(#12)`.
fn open_duty(line: &str) -> Option<String> {
    DUTIES.iter().find_map(|duty| {
        let (before, after) = line.split_once(duty)?;
        let is_word = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
            && !after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        let numbered = after
            .strip_prefix("(#")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        (is_word && !numbered).then(|| format!("has a {duty} without an issue; write {duty}(#12)"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(path: &str, text: &str) -> usize {
        check(&[SourceFile::of(path, text)]).len()
    }

    #[test]
    fn a_test_that_is_switched_off_is_a_fault() {
        assert_eq!(
            faults("a.rs", "    #[ignore]\n    #[ignore = \"slow\"]\n"),
            2
        );
        assert_eq!(faults("a.rs", "#[should_panic(expected = \"x\")]\n"), 1);
    }

    #[test]
    fn an_example_that_nobody_compiles_is_a_fault() {
        assert_eq!(faults("a.rs", "/// ```ignore\n//! ```rust,ignore\n"), 2);
        assert_eq!(faults("a.rs", "/// ```\n/// ```text\n/// ```no_run\n"), 0);
    }

    #[test]
    fn a_conflict_left_in_any_file_is_a_fault() {
        let text = "one\n<<<<<<< HEAD\ntwo\n=======\nthree\n>>>>>>> other\n";
        assert_eq!(faults("README.md", text), 2);
        assert_eq!(faults("README.md", "A title\n=======\n"), 0);
    }

    #[test]
    fn an_open_duty_needs_an_issue() {
        assert_eq!(faults("a.rs", "// TODO later\n"), 1);
        assert_eq!(faults("a.sh", "# FIXME: quoting\n"), 1);
        assert_eq!(faults("a.rs", "// TODO(#): x\n"), 1);
        assert_eq!(faults("a.rs", "// TODO(#12): x\n"), 0);
    }

    #[test]
    fn a_word_that_only_holds_the_mark_is_no_duty() {
        assert_eq!(faults("a.rs", "const TODO_MAX: u8 = 1;\n"), 0);
    }

    #[test]
    fn prose_may_speak_of_marks() {
        assert_eq!(faults("docs/STYLE.md", "no #[ignore], no TODO\n"), 0);
    }
}
