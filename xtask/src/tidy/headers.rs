//! Whether each source file opens with what it holds.

use super::remark::Remark;
use super::tree::SourceFile;

/// Kinds of files, and what the first line (after `#!`) of one begins with.
const OPENINGS: [(&str, &str); 4] = [
    ("rs", "//! "),
    ("sh", "# "),
    ("go", "// "),
    ("proto", "// "),
];

pub(super) fn check(files: &[SourceFile]) -> Vec<Remark> {
    files.iter().filter_map(of_file).collect()
}

fn of_file(file: &SourceFile) -> Option<Remark> {
    let (_, opening) = OPENINGS
        .iter()
        .find(|(extension, _)| *extension == file.extension())?;
    let first = file.text.lines().find(|line| !line.starts_with("#!/"));
    (!first.is_some_and(|line| line.starts_with(opening))).then(|| {
        let what = format!("does not open with '{opening}' and a sentence on what it holds");
        Remark::fault(&file.path, what)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(path: &str, text: &str) -> bool {
        of_file(&SourceFile::of(path, text)).is_some()
    }

    #[test]
    fn a_file_that_opens_with_code_is_a_fault() {
        assert!(is_refused("a.rs", "use std::fmt;\n//! Too late.\n"));
        assert!(is_refused("a.rs", ""));
        assert!(is_refused("a.rs", "// Not a doc comment.\n"));
        assert!(is_refused("a.go", "package main\n"));
    }

    #[test]
    fn a_file_that_opens_with_its_duty_is_fine() {
        assert!(!is_refused("a.rs", "//! What it holds.\n"));
        assert!(!is_refused(
            "a.sh",
            "#!/usr/bin/env bash\n# What it does.\n"
        ));
    }

    #[test]
    fn files_that_cannot_hold_a_comment_are_left_alone() {
        assert!(!is_refused("a.json", "{}\n"));
    }
}
