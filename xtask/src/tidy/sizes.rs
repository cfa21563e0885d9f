//! How long files and lines are; functions are clippy's (`too_many_lines`).

use super::remark::Remark;
use super::tree::SourceFile;

/// Most lines of code in a file; blank lines, comments and tests at its end do not count.
const CODE_LINES_MAX: usize = 400;

/// Most characters in a line; the formatter does not break texts and comments.
const COLUMNS_MAX: usize = 100;

pub(super) fn check(files: &[SourceFile]) -> Vec<Remark> {
    let rust = files.iter().filter(|file| file.extension() == "rs");
    rust.flat_map(|file| too_long(file).into_iter().chain(too_wide(file)))
        .collect()
}

fn too_long(file: &SourceFile) -> Option<Remark> {
    let lines = code_lines(&file.text);
    (lines > CODE_LINES_MAX).then(|| {
        let what = format!("has {lines} lines of code; aim for {CODE_LINES_MAX} at most");
        Remark::warning(&file.path, what)
    })
}

fn code_lines(text: &str) -> usize {
    text.lines()
        .map(str::trim)
        .take_while(|line| *line != "mod tests {")
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .count()
}

fn too_wide(file: &SourceFile) -> Option<Remark> {
    let is_wide = |line: &str| line.chars().count() > COLUMNS_MAX;
    let mut wide = file.lines().filter(|(_, line)| is_wide(line));
    let (first, _) = wide.next()?;
    let what = format!(
        "is wider than {COLUMNS_MAX} columns, and {} lines after it",
        wide.count()
    );
    Some(Remark::warning(format!("{}:{first}", file.path), what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_before_the_tests_counts() {
        let text =
            "//! Header.\n\nuse a;\n    // why\nfn b() {}\n\nmod tests {\n    fn c() {}\n}\n";
        assert_eq!(code_lines(text), 2);
    }

    #[test]
    fn a_file_over_the_limit_is_warned_of() {
        let file = |lines| SourceFile::of("a.rs", &"x();\n".repeat(lines));
        assert!(too_long(&file(CODE_LINES_MAX)).is_none());
        assert!(too_long(&file(CODE_LINES_MAX + 1)).is_some());
    }

    #[test]
    fn a_line_over_the_limit_is_warned_of_where_it_stands() {
        let text = format!("short\n{}\n", "é".repeat(COLUMNS_MAX + 1));
        let remark = too_wide(&SourceFile::of("a.rs", &text)).unwrap();
        assert_eq!(remark.place, "a.rs:2");
        assert!(too_wide(&SourceFile::of("a.rs", &"é".repeat(COLUMNS_MAX))).is_none());
    }
}
